//! Steps by which the old and the new connection of a migration swap names, so that pipelines need not be edited: first the old one is
//! called something else, then the new one gets its name.

use std::mem;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    asked::{Asked, Change},
    known::references_of,
    look,
    send::{Sent, set},
    work::{Progress, Stuck, Work},
};
use crate::change::project::PlannedProject;

/// What the name of an old connection has at its end when the new one has got its name.
pub const BEFORE: &str = "-before-wif";

/// A connection's name in a project, and the one that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming<'a> {
    /// The project.
    pub project: &'a PlannedProject,
    /// The name that it has.
    pub from: String,
    /// The name that it gets.
    pub to: String,
}

/// What a step renames, in the order of the projects. Empty for other steps, and where the names are not swapped.
#[must_use]
pub fn renamings<'a>(asked: &'a Asked, change: &Change) -> Vec<Renaming<'a>> {
    let beside = asked.beside.iter().flat_map(|beside| beside.old_names.iter().zip(&beside.names));
    let renaming = |(project, (old, new)): (&'a PlannedProject, (&String, &String))| {
        let (from, to) = match change {
            Change::SetAside => (old.clone(), format!("{old}{BEFORE}")),
            Change::TakeName => (new.clone(), old.clone()),
            _ => return None,
        };
        Some(Renaming { project, from, to })
    };
    asked.projects.iter().zip(beside).filter_map(renaming).collect()
}

/// In words, for a person.
#[must_use]
pub fn told(renamings: &[Renaming<'_>]) -> String {
    let one = |one: &Renaming<'_>| format!("{} becomes {} in {}", one.from, one.to, one.project.name);
    renamings.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Work<'_> {
    fn renamings(&self) -> Vec<Renaming<'_>> {
        let mut all = renamings(self.asked, self.change);
        if self.is_undone {
            for one in &mut all {
                mem::swap(&mut one.from, &mut one.to);
            }
        }
        all
    }

    /// The connection that the step renames.
    async fn renamed_one(&self) -> Result<Value, Stuck> {
        let beside = self.asked.beside.as_deref();
        match (self.change, beside) {
            (Change::SetAside, Some(beside)) => {
                let raw = self.services.connection(self.asked.owner(), beside.connection).await?;
                raw.ok_or(Stuck::Missing("the old connection"))
            }
            _ => self.raw().await,
        }
    }

    /// How far the renaming is. A name that the plan does not know was given by another party since, and stays; one that is taken
    /// is not given a second time.
    pub(super) async fn renamed(&self) -> Result<Progress, Stuck> {
        let raw = match self.renamed_one().await {
            // What is gone needs no name back, and the other one can get it.
            Err(Stuck::Missing(_)) if self.is_undone && *self.change == Change::TakeName => {
                return Ok(Progress::Done);
            }
            raw => raw?,
        };
        let id = look::id(&raw, "id");
        let mut is_done = true;
        for Renaming { project, from, to } in self.renamings() {
            let now = references_of(&raw).find(|(known, _)| known.id == project.id);
            let Some((_, now)) = now else {
                return Err(Stuck::Wrong(format!(
                    "the connection {from} is not in {} any more",
                    project.name
                )));
            };
            if now == to {
                continue;
            }
            if now != from {
                let text = format!("the connection {from} is called {now} in {} by now", project.name);
                return Err(Stuck::Wrong(text));
            }
            self.check_free(project, &to, id).await?;
            is_done = false;
        }
        Ok(if is_done { Progress::Done } else { Progress::Open })
    }

    async fn check_free(&self, project: &PlannedProject, name: &str, own: Option<Uuid>) -> Result<(), Stuck> {
        let named = self.services.connections_named(project.id, name).await?;
        let mut others = named.iter().filter(|one| look::id(one, "id") != own);
        let Some(other) = others.next() else { return Ok(()) };
        let is_partner = match (self.change, &self.asked.beside) {
            (Change::TakeName, Some(beside)) => look::id(other, "id") == Some(beside.connection),
            _ => look::is_marked(other, self.asked),
        };
        if is_partner {
            // It has just given the name away, or is about to: that may be seen late.
            return Err(Stuck::Missing("the name that the other connection gives away"));
        }
        Err(Stuck::Wrong(format!("another connection in {} is called {name} by now", project.name)))
    }

    pub(super) async fn send_name(&self) -> Result<Sent, Stuck> {
        let (mut raw, renamings) = (self.renamed_one().await?, self.renamings());
        let references = raw.get_mut("serviceEndpointProjectReferences").and_then(Value::as_array_mut);
        for reference in references.into_iter().flatten() {
            let id = reference.get("projectReference").and_then(|project| look::id(project, "id"));
            if let Some(one) = renamings.iter().find(|one| Some(one.project.id) == id) {
                set(reference, "name", json!(one.to));
            }
        }
        // The first of the projects owns it.
        if let Some(one) = renamings.first() {
            set(&mut raw, "name", json!(one.to));
        }
        Ok(self.services.save(self.asked.owner(), &raw).await)
    }
}
