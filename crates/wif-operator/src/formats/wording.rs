//! Sentences that several formats have.

use std::collections::BTreeMap;

use wif_core::azure::cloud::Cloud;

use crate::{
    report::{CoverageEntry, Finding, Report, Totals},
    rule::{Remedy, command::in_organization},
    severity::Severity,
    snapshot::{State, Unread},
};

/// Findings with one remedy, the worst first.
pub(super) struct Group<'a> {
    /// What mends them.
    pub remedy: Remedy,
    /// The worst severity.
    pub severity: Severity,
    /// The findings that no waiver accepts.
    pub findings: Vec<&'a Finding>,
    /// The next command; of a command for a whole organization one for each.
    pub commands: Vec<String>,
}

/// The open findings, by remedy: the group with the worst finding first, then the larger.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut by_remedy: BTreeMap<Remedy, Vec<&Finding>> = BTreeMap::new();
    for finding in report.open() {
        by_remedy.entry(finding.remedy).or_default().push(finding);
    }
    let mut groups: Vec<_> = by_remedy
        .into_iter()
        .map(|(remedy, findings)| {
            let severity = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Note);
            let commands = next(remedy, report.cloud, &findings);
            Group { remedy, severity, findings, commands }
        })
        .collect();
    groups.sort_by_key(|group| {
        let worst = group.findings.iter().filter(|finding| finding.severity == group.severity).count();
        (std::cmp::Reverse(group.severity), std::cmp::Reverse(worst), group.remedy)
    });
    groups
}

/// The next commands of a group: for all of an organization at once, where there is such a command and more than one finding.
fn next(remedy: Remedy, cloud: Cloud, findings: &[&Finding]) -> Vec<String> {
    let Some(first) = findings.first() else { return Vec::new() };
    let is_of_one = findings.iter().all(|finding| finding.connection == first.connection);
    let verb = match remedy {
        Remedy::Convert => "convert plan",
        Remedy::MoveIssuer if first.severity > Severity::Note => "issuer plan",
        _ => return vec![first.command.clone()],
    };
    if is_of_one {
        return vec![first.command.clone()];
    }
    let mut organizations: Vec<_> = findings.iter().map(|finding| &finding.organization).collect();
    organizations.sort();
    organizations.dedup();
    let all = organizations.iter();
    all.map(|name| format!("wif {verb} {} --all-eligible", in_organization(name, cloud))).collect()
}

/// `12 faults, 1 warning, 3 notes`
pub(super) fn counts(totals: &Totals) -> String {
    let Totals { faults, warnings, notes, waived, .. } = *totals;
    let mut parts = vec![plural(faults, "fault"), plural(warnings, "warning"), plural(notes, "note")];
    if waived > 0 {
        parts.push(format!("{waived} waived"));
    }
    parts.join(", ")
}

/// `3 faults`
pub(super) fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// That nothing was read, of all organizations or of some: what a person has to see before any number.
pub(super) fn unread(report: &Report) -> Option<String> {
    let unread: Vec<_> = report.organizations.iter().filter(|one| one.unread.is_some()).collect();
    let worst = unread.iter().filter_map(|one| one.unread).max()?;
    let names: Vec<_> = unread.iter().map(|one| one.name.as_str()).collect();
    let why = match worst {
        Unread::Denied => "it was refused, or there was no token",
        Unread::Failed => "no usable answer came",
    };
    Some(format!("Nothing was read of {}: {why}", names.join(", ")))
}

/// What follows where nothing was read of any organization.
pub(super) const UNJUDGED: &str =
    "So nothing was judged: that no connection is listed does not say that there is none";

/// How many connections sign in with what: the first sentence of every report of which something was read.
pub(super) fn headline(totals: &Totals) -> String {
    let Totals { connections, federated, secret, certificate, machine, other, unknown, .. } = *totals;
    let parts = [
        (secret, "with a stored secret"),
        (certificate, "with a stored certificate"),
        (machine, "with the identity of a machine"),
        (other, "of other types"),
        (federated, "federated"),
        (unknown, "not to be seen"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let list = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{}{list}", plural(connections, "connection"))
}

/// What the last run had, where there is a baseline.
pub(super) fn comparison(report: &Report) -> Option<String> {
    let known = report.baseline?;
    Some(format!("{} new, {} gone, {} as in the last run", known.new, known.gone, known.unchanged))
}

/// Where a finding is: `contoso/Platform/sc-prod`.
pub(super) fn place(finding: &Finding) -> String {
    let parts =
        [Some(finding.organization.as_str()), finding.project.as_deref(), finding.connection_name.as_deref()];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join("/")
}

/// The word for the state of what a report lacks. What lies deeper than the report, as a snapshot of lists has no roles, was not
/// tried, and so it did not fail.
pub(super) fn state(report: &Report, gap: &CoverageEntry) -> &'static str {
    match gap.state {
        _ if gap.layer > report.layer => "not read",
        State::Read => "read",
        State::Partial => "partly read",
        State::Denied => "denied",
        State::Failed => "failed",
    }
}
