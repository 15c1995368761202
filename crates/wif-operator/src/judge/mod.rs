//! From a snapshot to a report: rules, waivers, the baseline, counts. A pure function.

mod connections;
mod harmless;

use std::collections::{BTreeMap, BTreeSet};

use ring::digest;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use uuid::Uuid;
use wif_core::{foreign_text::one_line, hexadecimal::hexadecimal};

use self::{
    connections::connection_entry,
    harmless::{harmless_fields, text},
};
use crate::{
    credential::CredentialKind,
    report::{Comparison, CoverageEntry, Finding, OrganizationEntry, Report, SCHEMA, Totals, Waived},
    rule::{Context, Draft, Entry, Rule, Settings, Unconnected},
    rules::{
        self,
        wif6601_drift::{self, Uncompared},
    },
    severity::Severity,
    snapshot::{Layer, Snapshot, State},
    waiver::{About, Waiver, WaiverState},
};

/// The longest command, in characters: two parts of a federated credential, twice escaped.
const MAX_COMMAND: usize = 4000;
/// How many hexadecimal digits a fingerprint has.
const FINGERPRINT_DIGITS: usize = 32;

/// What a judgment is asked for, beside the settings of the rules.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The rules that count, by code. Empty: all.
    pub rules: BTreeSet<String>,
    /// What is accepted.
    pub waivers: Vec<Waiver>,
    /// The last run.
    pub baseline: Option<Baseline>,
}

/// What the last run has found.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// How deep it read.
    pub layer: Layer,
    /// Its findings, by their fingerprints.
    pub findings: BTreeMap<String, Earlier>,
}

/// A finding of the last run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Earlier {
    /// The rule.
    pub rule: String,
    /// The organization's name.
    pub organization: String,
    /// The connection that it is about.
    pub connection: Option<Uuid>,
    /// The name of the project that owns the connection.
    pub project: Option<String>,
}

impl Selection {
    /// Whether a rule counts.
    fn asks_for(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.contains(rule)
    }
}

/// Judges what was read.
#[must_use]
pub fn judge(snapshot: &Snapshot, settings: &Settings, selection: &Selection) -> Report {
    let context = Context::new(snapshot, settings);
    let mut report = inventory(&context);
    report.has_all_rules = selection.rules.is_empty();
    let names: BTreeMap<_, _> =
        report.connections.iter().map(|connection| (connection.id, connection.name.clone())).collect();
    let mut used = vec![false; selection.waivers.len()];
    let mut drafts = Vec::new();
    for rule in rules::ALL {
        if !selection.asks_for(rule.code) {
            continue;
        }
        if rule.code == wif6601_drift::RULE.code {
            let uncompared = wif6601_drift::compare(&context, &mut drafts);
            report.coverage.extend(uncompared.iter().map(gap));
        } else {
            (rule.check)(&context, &mut drafts);
        }
        for draft in drafts.drain(..) {
            let unconnected = draft.unconnected();
            let mut finding = finding(&rule, draft, &names);
            finding.new = selection
                .baseline
                .as_ref()
                .is_some_and(|known| !known.findings.contains_key(&finding.fingerprint));
            finding.waived = waived((&finding, &unconnected), &selection.waivers, settings, &mut used);
            report.findings.push(finding);
        }
    }
    report.findings.sort_by(|one, other| {
        let order =
            |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.rule, finding.connection);
        order(one).cmp(&order(other)).then_with(|| one.fingerprint.cmp(&other.fingerprint))
    });
    report.waivers = notices(selection, settings, &used);
    report.baseline = selection.baseline.as_ref().map(|known| compare(&report, selection, known));
    for finding in &report.findings {
        let totals = &mut report.totals;
        *match (&finding.waived, finding.severity) {
            (Some(_), _) => &mut totals.waived,
            (None, Severity::Fault) => &mut totals.faults,
            (None, Severity::Warning) => &mut totals.warnings,
            (None, Severity::Note) => &mut totals.notes,
        } += 1;
    }
    report
}

/// What was read, without judgment: a report without findings.
#[must_use]
pub fn inventory(context: &Context<'_>) -> Report {
    let snapshot = context.snapshot;
    let mut totals = Totals::default();
    let mut connections = Vec::new();
    let mut coverage = Vec::new();
    for organization in &snapshot.organizations {
        for connection in &organization.connections {
            let entry = connection_entry(context, Entry { organization, connection });
            totals.connections += 1;
            *match entry.credential {
                CredentialKind::Federated => &mut totals.federated,
                CredentialKind::Secret => &mut totals.secret,
                CredentialKind::Certificate => &mut totals.certificate,
                CredentialKind::Machine => &mut totals.machine,
                CredentialKind::Other => &mut totals.other,
                CredentialKind::Unknown => &mut totals.unknown,
            } += 1;
            // What cannot be seen is told, whatever the reader made of it.
            let is_told =
                || organization.coverage.iter().any(|known| known.connection == Some(connection.id));
            if entry.credential == CredentialKind::Unknown && !is_told() {
                coverage.push(CoverageEntry {
                    organization: text(&organization.name),
                    project: connection.owner().map(|project| text(&project.name)),
                    layer: Layer::List,
                    connection: Some(connection.id),
                    state: State::Partial,
                    why: "Azure DevOps shows only that the connection exists; make the caller a Reader of it"
                        .to_owned(),
                });
            }
            connections.push(entry);
        }
        coverage.extend(organization.coverage.iter().map(|entry| CoverageEntry {
            organization: text(&organization.name),
            project: entry.project.as_deref().map(text),
            layer: entry.layer,
            connection: entry.connection,
            state: entry.state,
            why: text(&entry.why),
        }));
    }
    let organizations = snapshot.organizations.iter();
    let organizations = organizations.map(|one| OrganizationEntry {
        name: text(&one.name),
        id: one.id,
        unread: one.unread(),
    });
    Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        now: context.now(),
        taken: snapshot.taken,
        cloud: snapshot.cloud,
        layer: snapshot.depth,
        redacted: snapshot.redacted,
        has_all_rules: false,
        organizations: organizations.collect(),
        connections,
        findings: Vec::new(),
        coverage,
        waivers: Vec::new(),
        baseline: None,
        totals,
    }
}

fn finding(rule: &Rule, draft: Draft, names: &BTreeMap<Uuid, String>) -> Finding {
    let fingerprint = fingerprint(rule.code, &draft);
    Finding {
        rule: rule.code,
        severity: draft.severity,
        title: rule.title,
        detail: text(&draft.detail),
        remedy: rule.remedy,
        organization: text(&draft.organization),
        connection: draft.connection,
        connection_name: draft.connection.and_then(|id| names.get(&id).cloned()),
        project: draft.project.as_deref().map(text),
        evidence: to_raw_value(&harmless_fields(draft.evidence)).unwrap_or_default(),
        fix: text(&draft.fix),
        command: one_line(&draft.command, MAX_COMMAND),
        new: false,
        waived: None,
        fingerprint,
    }
}

/// The same for the same fault in the next run, and after a rename.
fn fingerprint(rule: &str, draft: &Draft) -> String {
    // An organization that did not tell its id is told apart by its name, which may change.
    let organization = draft.organization_id.map_or_else(|| draft.organization.clone(), |id| id.to_string());
    let connection = draft.connection.map(|id| id.to_string()).unwrap_or_default();
    let parts = [rule, &organization, &connection, &draft.key].join("\0");
    let digest = digest::digest(&digest::SHA256, parts.as_bytes());
    hexadecimal(digest.as_ref()).chars().take(FINGERPRINT_DIGITS).collect()
}

fn waived(
    (finding, unconnected): (&Finding, &Unconnected),
    waivers: &[Waiver],
    settings: &Settings,
    used: &mut [bool],
) -> Option<Waived> {
    let id = finding.connection.map_or_else(|| unconnected.id.clone(), |id| id.to_string());
    let about = About {
        rule: finding.rule,
        id: &id,
        name: finding.connection_name.as_deref().unwrap_or(&unconnected.name),
        project: finding.project.as_deref().unwrap_or(&unconnected.project),
    };
    let mut found = None;
    for (waiver, used) in waivers.iter().zip(used) {
        if waiver.covers(about) {
            *used = true;
            if found.is_none() && waiver.holds(settings.now) {
                found = Some(Waived {
                    reason: text(&waiver.reason),
                    owner: text(&waiver.owner),
                    until: waiver.until.to_string(),
                });
            }
        }
    }
    found
}

/// A gap for what could not be compared with a request.
fn gap(
    Uncompared { place: (organization, project), layer, connection, why }: &Uncompared<'_>,
) -> CoverageEntry {
    CoverageEntry {
        organization: text(organization),
        project: Some(text(project)),
        layer: *layer,
        connection: *connection,
        state: State::Partial,
        why: text(why),
    }
}

fn notices(
    Selection { rules, waivers, .. }: &Selection,
    settings: &Settings,
    used: &[bool],
) -> Vec<crate::waiver::WaiverNotice> {
    let notice = |(waiver, used): (&Waiver, &bool)| {
        let state = match (waiver.holds(settings.now), used) {
            (false, _) => WaiverState::Ended,
            // Whether it has an effect is not known.
            (true, false) if !rules.is_empty() && !rules.contains(&waiver.rule) => return None,
            (true, false) => WaiverState::Unused,
            (true, true) => return None,
        };
        let mut notice = waiver.notice(state);
        notice.target = text(&notice.target);
        Some(notice)
    };
    waivers.iter().zip(used).filter_map(notice).collect()
}

/// Of what the last run has found, only that is gone which was looked for: what was not seen may still be there.
fn compare(report: &Report, selection: &Selection, known: &Baseline) -> Comparison {
    let findings = &report.findings;
    let now: BTreeSet<_> = findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    let new = findings.iter().filter(|finding| finding.new).count();
    let is_about = |gap: &CoverageEntry, one: &Earlier| {
        gap.organization == one.organization
            && match (gap.connection, &gap.project) {
                (Some(connection), _) => one.connection == Some(connection),
                (None, Some(project)) => one.project.as_ref().is_none_or(|name| name == project),
                (None, None) => true,
            }
    };
    let was_looked_for = |one: &Earlier| {
        report.layer >= known.layer
            && selection.asks_for(&one.rule)
            && report.organizations.iter().any(|organization| organization.name == one.organization)
            && !report.gaps().any(|gap| is_about(gap, one))
    };
    let gone = known
        .findings
        .iter()
        .filter(|(fingerprint, one)| !now.contains(fingerprint.as_str()) && was_looked_for(one));
    Comparison { new, unchanged: findings.len() - new, gone: gone.count() }
}

#[cfg(test)]
mod tests;
