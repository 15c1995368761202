//! The proof that a connection signs in.

use std::cell::Cell;

use wif_core::{code::Code, foreign_text::one_line};
use wif_io::clock::{Deadline, Limit, timeout};

use super::{
    ended::{self, Ended, Failed, MAX_TEXT, code_of},
    engine::Engine,
    wait::Delays,
};
use crate::change::{
    journal::{Phase, Told},
    observe::{self, Target},
    plan::Item,
    prove::Proof,
};

/// What a proof is at.
const LOOK: &str = "the look at the connection";
const TEST: &str = "TestConnection";

impl Engine<'_> {
    /// Proves it, within the bound of `--prove-within`, whatever a service does or asks for. `is_new`: this plan has made the identity, which Entra does not know everywhere at once.
    pub(super) async fn prove(&self, item: &Item, target: &Target, at: usize, is_new: bool) -> Ended {
        if !self.note(Phase::Intent, item, Some(at), Told::default()) {
            return Ended::Interrupted;
        }
        let bound = self.options.prove_within;
        let deadline = Deadline::after(self.clock, bound);
        let (mut delays, mut answered, under_way) = (Delays::default(), None, Cell::new(LOOK));
        loop {
            let attempt = self.attempt(item, target, &under_way);
            let ended = timeout(self.clock, Limit::Request, deadline.remaining(self.clock), attempt).await;
            let (failed, may_pass) = match ended {
                Some(Ok(proof)) if proof.is_proven() => {
                    let sentence = one_line(&proof.sentence(), MAX_TEXT);
                    if matches!(proof, Proof::WithoutRole(_)) {
                        self.talk.say(&format!("{}: {sentence}", item.name));
                    }
                    return Ended::Made(Some(sentence));
                }
                Some(Ok(proof)) => {
                    let text = one_line(&proof.sentence(), MAX_TEXT);
                    (Failed { code: Code::ConnectionUnproven, text }, proof.may_pass(is_new))
                }
                Some(Err(unanswered)) => unanswered,
                None => {
                    let text = format!(
                        "{} has not ended within the {} s of --prove-within",
                        under_way.get(),
                        bound.as_secs()
                    );
                    (Failed { code: Code::ChangeUnanswered, text }, true)
                }
            };
            if self.is_stopped.get() {
                return Ended::Interrupted;
            }
            if !may_pass {
                return Ended::Failed(failed);
            }
            // What was answered says more than that the last attempt had no time for an answer.
            if failed.code == Code::ConnectionUnproven || answered.is_none() {
                answered = Some(failed);
            }
            let delay = delays.next();
            if deadline.remaining(self.clock) <= delay
                && let Some(failed) = answered
            {
                return Ended::Failed(failed);
            }
            self.clock.sleep(delay).await;
        }
    }

    /// Looks at the connection, and tries it. Else why that is not known, and whether it may pass.
    async fn attempt(
        &self,
        item: &Item,
        target: &Target,
        under_way: &Cell<&'static str>,
    ) -> Result<Proof, (Failed, bool)> {
        under_way.set(LOOK);
        let unread = |failed: Failed| {
            let may_pass = failed.code == Code::ChangeUnanswered;
            (failed, may_pass)
        };
        let target = self.target_of(item, target).await.map_err(unread)?;
        let raw = observe::connection(self.services, &target).await;
        let raw = raw.map_err(|error| unread(ended::unread(&error)))?;
        under_way.set(TEST);
        let answer = self.services.test(target.project, &raw).await.map_err(|error| {
            let text = one_line(&format!("{TEST}: {error}"), MAX_TEXT);
            (Failed { code: code_of(&error), text }, !error.is_refusal())
        })?;
        Ok(Proof::parse(&answer))
    }
}
