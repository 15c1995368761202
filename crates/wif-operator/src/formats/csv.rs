//! A row for each connection and finding (RFC 4180), for spreadsheets.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde::Serialize;
use serde_json::Value;

use super::wording::state;
use crate::report::{ConnectionEntry, CoverageEntry, Finding, Report};

/// The columns of a connection.
pub(super) const CONNECTION: [&str; 29] = [
    "organization",
    "project",
    "connection",
    "connectionId",
    "type",
    "scheme",
    "credential",
    "issuerKind",
    "issuer",
    "subject",
    "tenant",
    "client",
    "identityKind",
    "scope",
    "created",
    "createdBy",
    "disabled",
    "lastUsed",
    "use",
    "disabledOn",
    "secretEnds",
    "openToAllPipelines",
    "roles",
    "visible",
    "modified",
    "ready",
    "secretStarts",
    "checks",
    "projects",
];
/// The columns of a finding.
const FINDING: [&str; 9] =
    ["rule", "severity", "title", "detail", "fix", "command", "new", "waivedUntil", "fingerprint"];

/// The rule's name in a row for what could not be read.
const GAP: &str = "WIF6901";

/// Writes a report. A connection without a finding has one row too, and so has each gap of coverage: a table without them would
/// look as if all had been seen.
///
/// # Errors
///
/// Writing fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = writer(out);
    rows.write_record(CONNECTION.iter().chain(&FINDING))?;
    let mut by_connection = std::collections::BTreeMap::<_, Vec<&Finding>>::new();
    for finding in &report.findings {
        by_connection.entry((finding.organization.as_str(), finding.connection)).or_default().push(finding);
    }
    for connection in &report.connections {
        let cells = connection_cells(connection);
        let key = (connection.organization.as_str(), Some(connection.id));
        let findings = by_connection.remove(&key).unwrap_or_default();
        for finding in &findings {
            rows.write_record(cells.iter().cloned().chain(finding_cells(finding)))?;
        }
        if findings.is_empty() {
            rows.write_record(cells.into_iter().chain(FINDING.map(|_| String::new())))?;
        }
    }
    for finding in by_connection.into_values().flatten() {
        let mut cells: Vec<_> = CONNECTION.iter().map(|_| String::new()).collect();
        if let Some(first) = cells.first_mut() {
            *first = guard(&finding.organization);
        }
        rows.write_record(cells.into_iter().chain(finding_cells(finding)))?;
    }
    report.gaps().try_for_each(|gap| rows.write_record(gap_cells(report, gap)))?;
    rows.flush()
}

/// The cells of what could not be read.
fn gap_cells(report: &Report, gap: &CoverageEntry) -> Vec<String> {
    let id = gap.connection.map(|id| id.to_string());
    let state = format!("{}, {}: {}", gap.layer.as_str(), state(report, gap), gap.why);
    let known = [
        ("organization", gap.organization.as_str()),
        ("project", gap.project.as_deref().unwrap_or_default()),
        ("connectionId", id.as_deref().unwrap_or_default()),
        ("rule", GAP),
        ("severity", "unknown"),
        ("title", "A part of the organization could not be read"),
        ("detail", &state),
    ];
    let cell = |column: &&str| known.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value);
    CONNECTION.iter().chain(&FINDING).map(|column| guard(cell(column))).collect()
}

/// A writer of rows that end as RFC 4180 has it.
pub(super) fn writer(out: &mut dyn Write) -> csv::Writer<&mut dyn Write> {
    WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Necessary).from_writer(out)
}

/// A cell that a spreadsheet does not take for a formula.
pub(super) fn guard(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

pub(super) fn connection_cells(one: &ConnectionEntry) -> Vec<String> {
    let owner = one.projects.iter().find(|project| project.owner).map(|project| project.name.as_str());
    let roles = one
        .roles
        .as_ref()
        .map(|roles| joined(roles.iter().map(|role| format!("{} at {}", role.role, role.scope))));
    let checks = one.checks.as_ref().map(|checks| {
        joined(checks.iter().map(|check| {
            let kind = cell(check.kind);
            match &check.name {
                Some(name) => format!("{kind} {name}"),
                None => kind,
            }
        }))
    });
    let projects = joined(one.projects.iter().map(|project| {
        if project.owner { format!("{} (owner)", project.name) } else { project.name.clone() }
    }));
    let cells = [
        cell(&one.organization),
        cell(owner),
        cell(&one.name),
        cell(one.id),
        cell(&one.kind),
        cell(&one.scheme),
        cell(one.credential),
        cell(one.issuer_kind),
        cell(&one.issuer),
        cell(&one.subject),
        cell(one.tenant),
        cell(one.client),
        cell(one.identity_kind),
        cell(&one.scope),
        cell(one.created),
        cell(&one.created_by),
        cell(one.disabled),
        cell(one.last_used),
        cell(one.usage),
        cell(&one.disabled_on),
        cell(one.secret_ends),
        cell(one.open_to_all_pipelines),
        cell(roles),
        cell(one.visible),
        cell(one.modified),
        cell(one.ready),
        cell(one.secret_starts),
        cell(checks),
        cell(projects),
    ];
    cells.to_vec()
}

/// A list in one cell. What was read and is empty is told apart from what was not read.
fn joined(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join("; ") }
}

fn finding_cells(finding: &Finding) -> [String; 9] {
    let until = finding.waived.as_ref().map(|waived| &waived.until);
    [
        cell(finding.rule),
        cell(finding.severity),
        cell(finding.title),
        cell(&finding.detail),
        cell(&finding.fix),
        cell(&finding.command),
        cell(finding.new),
        cell(until),
        cell(&finding.fingerprint),
    ]
}

/// A value as it stands in JSON, without quotes; empty where there is none.
fn cell(value: impl Serialize) -> String {
    match serde_json::to_value(value).unwrap_or_default() {
        Value::Null => String::new(),
        Value::String(text) => guard(&text),
        other => other.to_string(),
    }
}
