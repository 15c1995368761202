//! The way back of a connection of which a step has failed.

use wif_core::{code::Code, foreign_text::one_line};

use super::{
    ended::{Ended, Failed, MAX_TEXT, Outcome},
    engine::Engine,
};
use crate::change::{
    journal::{Phase, Told},
    observe::Target,
    plan::{Action, Item},
};

impl Engine<'_> {
    /// Puts a connection back: the inverse of each step, the last first.
    pub(super) async fn undo(
        &self,
        item: &Item,
        target: &Target,
        mut made: Vec<usize>,
        failed: Failed,
    ) -> Outcome {
        made.sort_unstable();
        made.dedup();
        let Failed { code, mut text } = failed;
        // What was sent and not seen may come yet.
        let is_doubtful = code == Code::ChangeUnconfirmed;
        for at in made.into_iter().rev() {
            let Some(step) = item.steps.get(at) else { continue };
            let ended = match &step.action {
                Action::Convert { to } => {
                    self.convert((item, target, at), to.other(), false, Phase::UndoIntent).await
                }
                Action::AddCredential { credential } => match self.unused(target, credential).await {
                    Ok(()) => self.credential(item, target, at, credential, false, Phase::UndoIntent).await,
                    Err(used) => Ended::Failed(used),
                },
                Action::RemoveCredential { credential } => {
                    self.credential(item, target, at, credential, true, Phase::UndoIntent).await
                }
                Action::MoveIssuer { .. } => self.is_still_old(target).await,
                // What comes before it has been proven by a run, and stays.
                Action::AwaitRun => break,
                // Of what cannot be had back it is looked whether it is still there.
                Action::Follow(change) if change.has_inverse() || change.is_final() => {
                    self.follow((item, at), (change, true), is_doubtful, Phase::UndoIntent).await
                }
                Action::TakeBack { done } if done.can_be_done_again() => {
                    self.follow((item, at), (done, false), is_doubtful, Phase::UndoIntent).await
                }
                Action::Follow(change) if change.is_harmless() => continue,
                // What came before it may depend on it, and stays as it is.
                Action::Follow(_) | Action::TakeBack { .. } => {
                    Ended::Failed(Failed { code, text: "no way back from it is known".to_owned() })
                }
                Action::RemoveUnused { .. } | Action::Prove => continue,
            };
            match ended {
                Ended::Made(_) | Ended::Found => {
                    self.note(Phase::Undone, item, Some(at), Told::default());
                }
                Ended::Failed(not_undone) | Ended::Doubtful(not_undone) => {
                    let told = Told {
                        code: Some(Code::NotPutBack.as_str().to_owned()),
                        text: Some(not_undone.text.clone()),
                        ..Told::default()
                    };
                    self.note(Phase::NotUndone, item, Some(at), told);
                    text = one_line(
                        &format!(
                            "{}; and step {} could not be undone: {}",
                            one_line(&text, MAX_TEXT / 2),
                            at + 1,
                            not_undone.text
                        ),
                        MAX_TEXT,
                    );
                    return Outcome::Failed { code, text, is_put_back: false };
                }
                Ended::Waits(text) => return Outcome::Waits(text),
                Ended::Interrupted => return Outcome::Interrupted,
            }
        }
        self.note(Phase::PutBack, item, None, Told::default());
        Outcome::Failed { code, text, is_put_back: true }
    }
}
