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
    pub(super) async fn prove(&self, item: &Item, target: &Target, at: usize) -> Ended {
        if !self.note(Phase::Intent, item, Some(at), Told::default()) {
            return Ended::Interrupted;
        }
        let deadline = Deadline::after(self.clock, self.options.prove_within);
        let mut delays = Delays::default();
        loop {
            let raw = match observe::connection(self.services, target).await {
                Ok(raw) => raw,
                Err(error) => return Ended::Failed(unread(&error)),
            };
            let (text, code, may_pass) = match self.services.test(target.project, &raw).await {
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
                    (proof.sentence(), Code::ConnectionUnproven, proof.may_pass())
                }
                Err(error) => (format!("TestConnection: {error}"), code_of(&error), !error.is_refusal()),
            };
            if self.is_stopped.get() {
                return Ended::Interrupted;
            }
            if !may_pass || deadline.remaining(self.clock).is_zero() {
                return Ended::Failed(Failed { code, text: one_line(&text, MAX_TEXT) });
            }
            self.clock.sleep(delays.next()).await;
        }
    }
}
