//! The run of a pipeline that has succeeded since a connection was moved: before it, the old credential is not removed.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use wif_core::{code::Code, foreign_text::one_line};

use super::{
    conversion::trusted,
    ended::{Ended, Failed, MAX_TEXT, unread},
    engine::Engine,
};
use crate::{
    change::{
        journal::Phase,
        observe::{Observed, Target, observe},
        parameters::issuer,
        plan::{Action, Item, Scheme},
    },
    credential::IssuerKind,
};

const NOT_ENTRA: &str = "the connection does not have the issuer of Entra any more";

impl Engine<'_> {
    /// Looks for a run that has succeeded since the connection was moved. It waits for one, unless nothing trusts the connection.
    pub(super) async fn await_run(&self, item: &Item, target: &Target) -> Ended {
        let looked = match observe(self.services, target).await {
            Ok(observed) if issuer(&observed.raw) != Some(IssuerKind::Entra) => Err(NOT_ENTRA.to_owned()),
            Ok(observed) => match trusted(&observed, Scheme::WorkloadIdentityFederation) {
                Ok(()) => self.look_for_run(item, target, &observed).await,
                // No run can succeed.
                Err(failed) => return Ended::Failed(failed),
            },
            Err(error) => Err(error.to_string()),
        };
        match looked {
            Ok(Some(run)) => Ended::Made(Some(one_line(&run, MAX_TEXT))),
            Ok(None) => Ended::Waits("waits for a run of a pipeline that uses it and succeeds".to_owned()),
            Err(why) => Ended::Waits(format!("waits for a run: {why}")),
        }
    }

    /// That a connection signs in by the issuer of Entra, so that a credential of the old one may be removed.
    pub(super) async fn signs_in_by_entra(&self, target: &Target) -> Result<(), Failed> {
        let observed = observe(self.services, target).await.map_err(|error| unread(&error))?;
        if issuer(&observed.raw) != Some(IssuerKind::Entra) {
            return Err(Failed { code: Code::ChangeUnconfirmed, text: NOT_ENTRA.to_owned() });
        }
        trusted(&observed, Scheme::WorkloadIdentityFederation)
    }

    async fn look_for_run(
        &self,
        item: &Item,
        target: &Target,
        observed: &Observed,
    ) -> Result<Option<String>, String> {
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

    /// When the connection was moved at the latest: the later of what Azure DevOps and the journal tell. None, if this process has
    /// moved it: its run comes later.
    fn moved_at(&self, item: &Item, raw: &Value) -> Option<OffsetDateTime> {
        let is_move = |action: &Action| matches!(action, Action::MoveIssuer { .. });
        let step = item.steps.iter().position(|step| is_move(&step.action));
        if step.is_some_and(|step| self.announced.borrow().contains(&(item.connection, step))) {
            return None;
        }
        // By the clock of Azure DevOps, as the times of runs are. A later change makes it later, never earlier.
        let modified = raw.get("modificationDate").and_then(Value::as_str).and_then(moment);
        let known = item.facts.modified.map(|known| known.get() + time::Duration::SECOND);
        let Some(step) = step else { return Some(modified.unwrap_or_else(|| self.plan.made.get())) };
        let is_seen = |phase: Phase| matches!(phase, Phase::Verified | Phase::Found);
        let entry = self.before.and_then(|before| {
            before.entries.iter().rfind(|entry| {
                entry.connection == Some(item.connection)
                    && entry.step == Some(step + 1)
                    && is_seen(entry.phase)
            })
        });
        let modified = modified.filter(|modified| known.is_none_or(|known| *modified >= known));
        modified.max(entry.map(|entry| entry.time.get()))
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
