//! What has run on an old connection and on the new one since a migration, and whether the old one can be retired.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    change::{
        journal::{Phase, Read},
        plan::{Action, Item, PlannedProject},
        service::Services,
        vend::{
            asked::{Asked, Beside},
            look::{self, Found},
            names::BEFORE,
        },
    },
    moment::Moment,
};

/// A migration that a journal tells of.
#[derive(Clone, Copy)]
pub struct Migration<'a> {
    /// Its item.
    pub item: &'a Item,
    /// What was made.
    pub asked: &'a Asked,
    /// What it was put beside.
    pub beside: &'a Beside,
    /// When it was done. None: it is not.
    pub since: Option<Moment>,
    /// Whether it was proven that the new connection signs in.
    pub is_proven: bool,
}

/// What has run since a migration.
#[derive(Clone, Debug, Default)]
pub struct Soak {
    /// What the old and the new connection are called now, as far as they are there and were read.
    pub names: (Option<String>, Option<String>),
    /// Whether the old connection is there. None: that could not be read.
    pub has_old: Option<bool>,
    /// The id of the new connection, if it is there.
    pub new: Option<Uuid>,
    /// Uses of the old one since.
    pub on_old: Uses,
    /// Uses of the new one since.
    pub on_new: Uses,
    /// Whether the old one was used before.
    pub was_used: bool,
    /// Pipelines that have run on the old one since the first success on the new one, and have not succeeded on the new one later.
    pub gone_back: Vec<String>,
    /// Pipelines whose newest use is on the old one.
    pub still_on_old: Vec<String>,
    /// What could not be read.
    pub unread: Vec<String>,
    /// Why the old one cannot be retired yet. Empty: it can.
    pub blockers: Vec<String>,
}

/// Uses of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// How many runs there were.
    pub runs: usize,
    /// How many have succeeded.
    pub succeeded: usize,
    /// How many have failed; one that is canceled or still runs is neither.
    pub failed: usize,
    /// When the newest began.
    pub newest: Option<Moment>,
    /// The pipelines, by name.
    pub pipelines: Vec<String>,
}

/// A run, as Azure DevOps has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    started: Moment,
    /// `Build 7 Release`: kind, number and name of the definition.
    pipeline: (String, u64, String),
    /// Which run it is: several projects may tell of the same.
    id: u64,
    result: Option<String>,
}

/// The migrations that a journal tells of.
#[must_use]
pub fn migrations(journal: &Read) -> Vec<Migration<'_>> {
    let of = |item| migration(journal, item);
    journal.plan.items.iter().filter_map(of).collect()
}

fn migration<'a>(journal: &'a Read, item: &'a Item) -> Option<Migration<'a>> {
    let asked = item.asked.as_deref()?;
    // The journal of a rollback has what was made, too, and nothing of it is there.
    let is_rollback = item.steps.iter().any(|step| matches!(step.action, Action::TakeBack { .. }));
    let beside = asked.beside.as_deref().filter(|_| !is_rollback)?;
    let state = journal.state_of(item.connection);
    let of_item = |phase| {
        let is_it = move |one: &&crate::change::journal::Entry| {
            one.phase == phase && one.connection == Some(item.connection)
        };
        journal.entries.iter().rfind(is_it)
    };
    let since = of_item(Phase::Done).filter(|_| state.is_done).map(|entry| entry.time);
    let proof = item.steps.iter().position(|step| step.action == Action::Prove);
    let is_proven = proof.is_some_and(|proof| state.made.contains(&proof));
    Some(Migration { item, asked, beside, since, is_proven })
}

/// Reads what has run since.
pub async fn soak(services: &Services, migration: &Migration<'_>) -> Soak {
    let Migration { asked, beside, .. } = migration;
    let mut soak = Soak::default();
    match services.connection(asked.owner(), beside.connection).await {
        Ok(found) => {
            soak.has_old = Some(found.is_some());
            soak.names.0 = found.as_ref().and_then(name);
        }
        Err(error) => soak.unread.push(format!("the old connection: {error}")),
    }
    match look::connection(services, asked, migration.item.connection).await {
        Ok(Found::There(raw)) => {
            soak.new = look::id(&raw, "id");
            soak.names.1 = name(&raw);
        }
        Ok(Found::Absent | Found::Foreign) => {}
        Err(error) => soak.unread.push(format!("the new connection: {error}")),
    }
    let mut old = Vec::new();
    if soak.has_old == Some(true) {
        old = runs(services, &asked.projects, (beside.connection, "old"), &mut soak.unread).await;
    }
    let mut new = Vec::new();
    if let Some(id) = soak.new {
        new = runs(services, &asked.projects, (id, "new"), &mut soak.unread).await;
    }
    soak.was_used = !old.is_empty();
    if let Some(since) = migration.since {
        (soak.on_old, soak.on_new) = (Uses::since(&old, since), Uses::since(&new, since));
        soak.gone_back = gone_back(&old, &new, since);
    }
    soak.still_on_old = still_on_old(&old, &new);
    soak.blockers = blockers(migration, &soak);
    soak
}

fn name(connection: &Value) -> Option<String> {
    connection.get("name").and_then(Value::as_str).map(str::to_owned)
}

impl Migration<'_> {
    /// What the old and the new connection are called: now, or when they were last known.
    #[must_use]
    pub fn names(&self, soak: &Soak) -> (String, String) {
        let (old, new) = soak.names.clone();
        let is_swapped = new.as_deref().is_some_and(|new| new.eq_ignore_ascii_case(&self.beside.name));
        let aside = if is_swapped { BEFORE } else { "" };
        let old = old.unwrap_or_else(|| format!("{}{aside}", self.beside.name));
        (old, new.unwrap_or_else(|| self.asked.request.connection.clone()))
    }
}

async fn runs(
    services: &Services,
    projects: &[PlannedProject],
    (connection, which): (Uuid, &str),
    unread: &mut Vec<String>,
) -> Vec<Run> {
    let mut all = Vec::new();
    for project in projects {
        match services.runs(project.id, connection).await {
            Ok(found) => {
                let read: Vec<_> = found.iter().filter_map(run).collect();
                if read.len() < found.len() {
                    unread.push(format!("some runs on the {which} connection in {}", project.name));
                }
                all.extend(read);
            }
            Err(error) => {
                unread.push(format!("the runs on the {which} connection in {}: {error}", project.name));
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

fn run(run: &Value) -> Option<Run> {
    let data = run.get("data")?;
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let definition = data.get("definition")?;
    let name = definition.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = text("planType").unwrap_or_default().to_owned();
    Some(Run {
        started: Moment::parse(text("startTime")?)?,
        pipeline: (kind, definition.get("id")?.as_u64()?, name),
        id: data.get("id").and_then(Value::as_u64).unwrap_or_default(),
        result: text("result").map(str::to_owned),
    })
}

impl Run {
    fn name(&self) -> String {
        let (kind, id, name) = &self.pipeline;
        let name = if name.is_empty() { id.to_string() } else { name.clone() };
        if kind.eq_ignore_ascii_case("Release") { format!("{name} (classic release)") } else { name }
    }

    fn has_succeeded(&self) -> bool {
        self.has_result(&["succeeded", "succeededWithIssues"])
    }

    fn has_result(&self, results: &[&str]) -> bool {
        let found = self.result.as_deref().unwrap_or_default();
        results.iter().any(|result| result.eq_ignore_ascii_case(found))
    }
}

impl Uses {
    fn since(runs: &[Run], since: Moment) -> Self {
        let mut uses = Self::default();
        for run in runs.iter().filter(|run| run.started > since) {
            uses.runs += 1;
            uses.succeeded += usize::from(run.has_succeeded());
            uses.failed += usize::from(run.has_result(&["failed", "abandoned"]));
            uses.newest = uses.newest.max(Some(run.started));
            uses.pipelines.push(run.name());
        }
        uses.pipelines.sort();
        uses.pipelines.dedup();
        uses
    }
}

/// Pipelines whose newest use is on the old connection: they have not been seen on the new one.
fn still_on_old(old: &[Run], new: &[Run]) -> Vec<String> {
    let newest = |runs: &[Run]| {
        let mut newest: BTreeMap<(String, u64), (Moment, String)> = BTreeMap::new();
        for run in runs {
            let (kind, id, _) = run.pipeline.clone();
            // They are in the order of their beginnings.
            newest.insert((kind, id), (run.started, run.name()));
        }
        newest
    };
    let new = newest(new);
    let mut names: Vec<_> = newest(old)
        .into_iter()
        .filter(|(pipeline, (old, _))| new.get(pipeline).is_none_or(|(new, _)| new < old))
        .map(|(_, (_, name))| name)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Pipelines that have run on the old connection since the first success on the new one. One that has succeeded on the new one
/// later has moved.
fn gone_back(old: &[Run], new: &[Run], since: Moment) -> Vec<String> {
    let moved: Vec<_> = new.iter().filter(|run| run.started > since && run.has_succeeded()).collect();
    // They are in the order of their beginnings.
    let begin = moved.first().map_or(since, |first| first.started);
    let is_later = |run: &&Run| {
        let (kind, id, _) = &run.pipeline;
        let is_same = |one: &&Run| one.pipeline.0 == *kind && one.pipeline.1 == *id;
        let has_moved = moved.iter().copied().filter(is_same).any(|one| one.started > run.started);
        run.started > begin && !has_moved
    };
    let mut names: Vec<_> = old.iter().filter(is_later).map(Run::name).collect();
    names.sort();
    names.dedup();
    names
}

fn blockers(migration: &Migration<'_>, soak: &Soak) -> Vec<String> {
    let mut blockers = Vec::new();
    if migration.since.is_none() {
        blockers.push("the migration is not done: go on with wif apply PLAN --resume".to_owned());
    } else if !migration.is_proven {
        blockers.push("it was not proven that the new connection signs in".to_owned());
    }
    if soak.new.is_none() && soak.unread.is_empty() {
        blockers.push("the new connection is not there".to_owned());
    }
    if !soak.gone_back.is_empty() {
        blockers
            .push(format!("pipelines have run on the old connection since: {}", soak.gone_back.join(", ")));
    }
    // That nothing has run on the old one says little as long as nothing has run on the new one.
    if migration.since.is_some() && soak.was_used && soak.on_new.succeeded == 0 {
        blockers.push("no run on the new connection has succeeded yet".to_owned());
    }
    blockers.extend(soak.unread.iter().map(|what| format!("not read: {what}")));
    blockers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u32) -> Moment {
        Moment::parse(&format!("2026-11-26T12:{minute:02}:00Z")).unwrap()
    }

    fn one(pipeline: u64, minute: u32, result: &str) -> Run {
        Run {
            started: at(minute),
            pipeline: ("Build".to_owned(), pipeline, format!("p-{pipeline}")),
            id: u64::from(minute),
            result: Some(result.to_owned()),
        }
    }

    #[test]
    fn uses_since_a_moment_are_counted_by_their_results() {
        let runs = [one(1, 1, "failed"), one(1, 5, "succeeded"), one(2, 6, "failed"), one(2, 7, "canceled")];
        let uses = Uses::since(&runs, at(1));
        assert_eq!((uses.runs, uses.succeeded, uses.failed, uses.newest), (3, 1, 1, Some(at(7))));
        assert_eq!(uses.pipelines, ["p-1", "p-2"]);
    }

    #[test]
    fn a_run_on_the_old_one_counts_from_the_first_success_on_the_new_one_until_its_pipeline_has_moved() {
        let new = [one(1, 3, "failed"), one(1, 5, "succeeded"), one(3, 8, "succeeded")];
        let back = |old: &[Run]| gone_back(old, &new, at(1));
        // Before the first success no pipeline had moved.
        assert!(back(&[one(2, 0, "succeeded"), one(2, 4, "succeeded")]).is_empty());
        assert_eq!(back(&[one(1, 6, "failed"), one(2, 6, "succeeded")]), ["p-1", "p-2"]);
        assert!(back(&[one(3, 7, "succeeded")]).is_empty());
        assert_eq!(back(&[one(3, 7, "succeeded"), one(3, 9, "succeeded")]), ["p-3"]);
        // As long as nothing has succeeded on the new one, each run since the migration counts.
        assert_eq!(gone_back(&[one(2, 1, "failed"), one(3, 2, "failed")], &new[..1], at(1)), ["p-3"]);
    }

    #[test]
    fn a_pipeline_is_on_the_connection_of_its_newest_run() {
        let old = [one(1, 1, "succeeded"), one(2, 2, "succeeded"), one(3, 9, "succeeded")];
        let new = [one(1, 4, "failed"), one(3, 5, "succeeded")];
        assert_eq!(still_on_old(&old, &new), ["p-2", "p-3"]);
    }
}
