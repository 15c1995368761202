//! How far a connection has come, by what a journal says.

use uuid::Uuid;

use super::{
    ids::Ids,
    journal::{Phase, Read},
};

/// How far a journal says that a connection has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Something was announced for it.
    pub is_begun: bool,
    /// It was put back whole: nothing of it is done any more.
    pub is_put_back: bool,
    /// It is done.
    pub is_done: bool,
    /// It failed, and is to be put back; the code of the failure.
    pub undoing: Option<String>,
    /// Steps whose call was announced, and whose end is not known.
    pub open: Vec<usize>,
    /// Steps that this plan has done.
    pub made: Vec<usize>,
    /// Steps of which nothing had to be done.
    pub found: Vec<usize>,
    /// Steps that were undone.
    pub undone: Vec<usize>,
    /// Steps that have waited for a person or a run.
    pub waiting: Vec<usize>,
}

impl Standing {
    /// The steps that this plan has done or may have done, in their order: of a process that was killed, the last call may have been
    /// received.
    #[must_use]
    pub fn touched(&self) -> Vec<usize> {
        let mut steps = [self.made.as_slice(), &self.open].concat();
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}

impl Read {
    /// What was read of the objects of a step, as long as they were not taken back.
    #[must_use]
    pub fn ids_of(&self, connection: Uuid, at: usize) -> Ids {
        let mut ids = Ids::default();
        for entry in self.entries.iter().filter(|entry| entry.connection == Some(connection)) {
            let is_it = entry.step == Some(at + 1);
            match entry.phase {
                Phase::Verified | Phase::Found if is_it => {
                    ids = entry.ids.as_deref().cloned().unwrap_or_default();
                }
                Phase::Undone if is_it => ids = Ids::default(),
                Phase::PutBack => ids = Ids::default(),
                _ => {}
            }
        }
        ids
    }

    /// How far a connection has come.
    #[must_use]
    pub fn state_of(&self, connection: Uuid) -> Standing {
        let mut state = Standing::default();
        for entry in self.entries.iter().filter(|entry| entry.connection == Some(connection)) {
            let step = entry.step.and_then(|step| step.checked_sub(1));
            match (entry.phase, step) {
                (Phase::Intent, Some(step)) => {
                    (state.is_begun, state.is_put_back) = (true, false);
                    state.open.push(step);
                }
                (Phase::Verified, Some(step)) => {
                    state.open.retain(|open| *open != step);
                    state.made.push(step);
                }
                (Phase::Found, Some(step)) => {
                    (state.is_begun, state.is_put_back) = (true, false);
                    state.open.retain(|open| *open != step);
                    state.found.push(step);
                }
                (Phase::Failed, _) => {
                    state.undoing = Some(entry.code.clone().unwrap_or_default());
                }
                (Phase::Undone, Some(step)) => {
                    state.undone.push(step);
                }
                // Another attempt begins anew, if what was read for the plan holds.
                (Phase::PutBack, _) => {
                    state = Standing { is_begun: true, is_put_back: true, ..Standing::default() };
                }
                // This begins anew, too, from what is there, and what could not be undone is still this plan's.
                (Phase::NotUndone, _) => {
                    let Standing { mut made, mut open, undone, .. } = state;
                    made.retain(|step| !undone.contains(step));
                    open.retain(|step| !undone.contains(step));
                    state = Standing { is_begun: true, open, made, ..Standing::default() };
                }
                (Phase::Waits, Some(step)) => {
                    // What a person changes meanwhile is expected.
                    state.is_begun = true;
                    state.waiting.push(step);
                }
                (Phase::Done, _) => state.is_done = true,
                _ => {}
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::journal::{Journal, Told, read, tests::plan};

    #[test]
    fn what_could_not_be_undone_is_still_known_to_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.journal");
        let plan = plan();
        let journal = Journal::begin(&path, &plan, plan.made).unwrap();
        let id = Uuid::from_u128(7);
        let note = |phase, step| journal.note(plan.made, phase, (Some(id), step), Told::default()).unwrap();
        for step in 0..3 {
            note(Phase::Intent, Some(step));
            note(Phase::Verified, Some(step));
        }
        note(Phase::Intent, Some(3));
        note(Phase::Failed, Some(3));
        note(Phase::Undone, Some(3));
        note(Phase::Undone, Some(2));
        note(Phase::NotUndone, Some(1));
        let standing = read(&path).unwrap().state_of(id);
        let is_left = Standing { is_begun: true, made: vec![0, 1], ..Standing::default() };
        assert_eq!(standing, is_left);
        // What is done again belongs to it again, and what is put back whole does not.
        note(Phase::Verified, Some(2));
        assert_eq!(read(&path).unwrap().state_of(id).made, [0, 1, 2]);
        note(Phase::PutBack, None);
        assert_eq!(read(&path).unwrap().state_of(id).made, Vec::<usize>::new());
    }
}
