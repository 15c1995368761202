//! The proof that a connection signs in.

use wif_core::{code::Code, foreign_text::one_line};
use wif_io::clock::Deadline;

use super::{
    ended::{Ended, Failed, MAX_TEXT, code_of, unread},
    engine::Engine,
    wait::Delays,
};
use crate::change::{
    journal::{Phase, Told},
    observe::{self, Target},
    plan::Item,
    prove::Proof,
};

impl Engine<'_> {
    /// Proves it. `is_new`: this plan has made the identity, which Entra does not know everywhere at once.
    pub(super) async fn prove(&self, item: &Item, target: &Target, at: usize, is_new: bool) -> Ended {
        if !self.note(Phase::Intent, item, Some(at), Told::default()) {
            return Ended::Interrupted;
        }
        let deadline = Deadline::after(self.clock, self.options.prove_within);
        let (mut delays, mut answered) = (Delays::default(), None);
        loop {
            let raw = match observe::connection(self.services, target).await {
                Ok(raw) => raw,
                Err(error) => return Ended::Failed(unread(&error)),
            };
            let (text, code, may_pass) = match self.services.test(target.project, &raw, deadline).await {
                Ok(answer) => {
                    let proof = Proof::parse(&answer);
                    if proof.is_proven() {
                        if matches!(proof, Proof::WithoutRole(_)) {
                            self.talk.say(&format!(
                                "{}: {}",
                                item.name,
                                one_line(&proof.sentence(), MAX_TEXT)
                            ));
                        }
                        return Ended::Made(Some(one_line(&proof.sentence(), MAX_TEXT)));
                    }
                    (proof.sentence(), Code::ConnectionUnproven, proof.may_pass(is_new))
                }
                Err(error) => (format!("TestConnection: {error}"), code_of(&error), !error.is_refusal()),
            };
            if self.is_stopped.get() {
                return Ended::Interrupted;
            }
            let failed = Failed { code, text: one_line(&text, MAX_TEXT) };
            let delay = delays.next();
            if !may_pass {
                return Ended::Failed(failed);
            }
            // What was answered says more than that the last attempt had no time for an answer.
            if failed.code == Code::ConnectionUnproven || answered.is_none() {
                answered = Some(failed);
            }
            if deadline.remaining(self.clock) <= delay
                && let Some(failed) = answered
            {
                return Ended::Failed(failed);
            }
            self.clock.sleep(delay).await;
        }
    }
}
