//! The run of a pipeline that has succeeded since a connection was moved: before it, the old credential is not removed.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use wif_core::foreign_text::one_line;

use super::{
    conversion::trusted,
    ended::{Ended, MAX_TEXT},
    engine::Engine,
};
use crate::{
    change::{
        journal::Phase,
        observe::{Target, Unobserved, observe},
        parameters::issuer,
        plan::{Action, Item, Scheme},
    },
    credential::IssuerKind,
};

impl Engine<'_> {
    /// Looks for a run that has succeeded since the connection was moved. Whatever is in the way, nothing is taken back: it waits.
    pub(super) async fn await_run(&self, item: &Item, target: &Target) -> Ended {
        match self.look_for_run(item, target).await {
            Ok(Some(run)) => Ended::Made(Some(one_line(&run, MAX_TEXT))),
            Ok(None) => Ended::Waits("waits for a run of a pipeline that uses it and succeeds".to_owned()),
            Err(why) => Ended::Waits(format!("waits for a run: {why}")),
        }
    }

    async fn look_for_run(&self, item: &Item, target: &Target) -> Result<Option<String>, String> {
        let observed = observe(self.services, target).await.map_err(|error: Unobserved| error.to_string())?;
        if issuer(&observed.raw) != Some(IssuerKind::Entra) {
            return Err("the connection does not have the issuer of Entra any more".to_owned());
        }
        trusted(&observed, Scheme::WorkloadIdentityFederation).map_err(|failed| failed.text)?;
        let Some(since) = self.moved_at(item, &observed.raw) else { return Ok(None) };
        let mut unread = None;
        for project in &item.facts.projects {
            match self.services.runs(project.id, target.connection).await {
                Ok(runs) => {
                    if let Some(run) = runs.iter().find_map(|run| succeeded(run, since)) {
                        return Ok(Some(run));
                    }
                }
                Err(error) => {
                    unread = Some(format!("those of the project {} could not be read: {error}", project.id));
                }
            }
        }
        unread.map_or(Ok(None), Err)
    }

    /// When the connection was moved at the latest. None, if this process has moved it: its run comes later.
    fn moved_at(&self, item: &Item, raw: &Value) -> Option<OffsetDateTime> {
        let is_move = |action: &Action| matches!(action, Action::MoveIssuer { .. });
        let step = item.steps.iter().position(|step| is_move(&step.action));
        if step.is_some_and(|step| self.announced.borrow().contains(&(item.connection, step))) {
            return None;
        }
        // By the clock of Azure DevOps, as the times of runs are. A later change makes it later, never earlier.
        let modified = raw.get("modificationDate").and_then(Value::as_str).and_then(moment);
        let known = item.facts.modified.map(|known| known.get() + time::Duration::SECOND);
        match (step, modified) {
            (None, Some(modified)) => Some(modified),
            (Some(_), Some(modified)) if known.is_none_or(|known| modified >= known) => Some(modified),
            (None, None) => Some(self.plan.made.get()),
            (Some(step), _) => {
                let is_seen = |phase: Phase| matches!(phase, Phase::Verified | Phase::Found);
                let mut entries = self.before?.entries.iter();
                let entry = entries.rfind(|entry| {
                    entry.connection == Some(item.connection)
                        && entry.step == Some(step + 1)
                        && is_seen(entry.phase)
                });
                entry.map(|entry| entry.time.get())
            }
        }
    }
}

/// A run that began after a moment, and has succeeded.
fn succeeded(run: &Value, since: OffsetDateTime) -> Option<String> {
    let data = run.get("data")?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let started = text(data, "startTime")?;
    let is_good = text(data, "result")?.eq_ignore_ascii_case("succeeded");
    let is_later = moment(&started)? > since;
    let pipeline = data.get("definition").and_then(|one| text(one, "name")).unwrap_or_default();
    (is_good && is_later).then(|| format!("a run of {pipeline} that began {started} has succeeded"))
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}
