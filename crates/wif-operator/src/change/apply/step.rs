//! What does each kind of step.

use wif_core::foreign_text::one_line;

use super::{
    ended::{Ended, MAX_TEXT, unread},
    engine::Engine,
};
use crate::change::{
    ids::Ids,
    journal::Phase,
    observe::{self, Target},
    parameters::pair,
    plan::{Action, Credential, Item, Step},
    vend::asked::Change,
};

impl Engine<'_> {
    pub(super) async fn step(
        &self,
        item: &Item,
        target: &Target,
        (at, action): (usize, &Action),
        was_announced: bool,
        made: &[usize],
    ) -> Ended {
        match action {
            Action::AddCredential { credential } => {
                match self.credential(item, target, at, credential, true, Phase::Intent).await {
                    // What was announced and is there was made by this plan.
                    Ended::Found if was_announced => Ended::Made(None),
                    ended => ended,
                }
            }
            Action::RemoveCredential { credential } => {
                if let Err(failed) = self.unused(target, credential).await {
                    return Ended::Failed(failed);
                }
                self.credential(item, target, at, credential, false, Phase::Intent).await
            }
            Action::RemoveUnused { credentials } => {
                let is_made = |credential: &&Credential| {
                    item.steps.iter().enumerate().any(|(at, step)| {
                        made.contains(&at)
                            && matches!(&step.action, Action::AddCredential { credential: own } if own == *credential)
                    })
                };
                let (issuer, subject) = match observe::connection(self.services, target).await {
                    Ok(raw) => pair(&raw),
                    Err(error) => return Ended::Failed(unread(&error)),
                };
                let is_unused = |one: &&Credential| one.issuer != issuer || one.subject != subject;
                let mut has_made = false;
                for credential in credentials.iter().filter(is_made).filter(is_unused) {
                    let ended = self.credential(item, target, at, credential, false, Phase::Intent).await;
                    if matches!(ended, Ended::Made(_) | Ended::Found) {
                        let removed = vec![credential.name.clone()];
                        self.learn(item, at, Ids { removed, ..Ids::default() });
                    }
                    match ended {
                        Ended::Made(_) => has_made = true,
                        Ended::Found => {}
                        // The connection works, and is not put back for what is left over.
                        Ended::Failed(failed) => {
                            let text = format!("left over: {}: {}", credential.name, failed.text);
                            self.talk.say(&text);
                            return Ended::Made(Some(one_line(&text, MAX_TEXT)));
                        }
                        other @ (Ended::Doubtful(_) | Ended::Interrupted | Ended::Waits(_)) => return other,
                    }
                }
                if has_made { Ended::Made(None) } else { Ended::Found }
            }
            Action::Convert { to } => {
                match self.convert((item, target, at), *to, was_announced, Phase::Intent).await {
                    Ended::Found if was_announced => Ended::Made(None),
                    ended => ended,
                }
            }
            Action::MoveIssuer { trigger, credential } => {
                self.move_issuer((item, target, at), *trigger, credential).await
            }
            Action::Follow(Change::SetAside) => self.set_aside((item, target, at), was_announced).await,
            Action::Follow(change) | Action::TakeBack { done: change } => {
                let is_undone = matches!(action, Action::TakeBack { .. });
                match self.follow((item, at), (change, is_undone), was_announced, Phase::Intent).await {
                    Ended::Found if was_announced => Ended::Made(None),
                    ended => ended,
                }
            }
            Action::Prove => {
                let is_new = made.iter().filter_map(|at| item.steps.get(*at)).any(Step::makes_identity);
                self.prove(item, target, at, is_new).await
            }
            Action::AwaitRun => self.await_run(item, target).await,
        }
    }
}
