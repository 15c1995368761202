//! The inventory: connections without judgment, and the chain of trust of each.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    csv::{CONNECTION, connection_cells, writer},
    wording::unread,
};
use crate::{
    look::Look,
    report::{ConnectionEntry, CoverageEntry, INVENTORY_SCHEMA, OrganizationEntry, Report, UseState},
};

/// The widest column, in characters.
const MAX_COLUMN: usize = 40;
/// The narrowest column of names.
const MIN_COLUMN: usize = 5;
/// The first columns are names: organization, project, connection.
const NAMES: usize = 3;
/// How many columns the label of a link has.
const LABEL: usize = 24;
/// The fewest columns in which what is there stands beside its label.
const MIN_BESIDE: usize = 80;

#[derive(Serialize)]
struct Inventory<'a> {
    schema: &'static str,
    organizations: &'a [OrganizationEntry],
    connections: &'a [ConnectionEntry],
    coverage: &'a [CoverageEntry],
}

/// Writes `wif.inventory/1`.
///
/// # Errors
///
/// Writing fails.
pub fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Report { organizations, connections, coverage, .. } = report;
    let inventory = Inventory { schema: INVENTORY_SCHEMA, organizations, connections, coverage };
    serde_json::to_writer_pretty(&mut *out, &inventory)?;
    out.write_all(b"\n")
}

/// Writes a row for each connection.
///
/// # Errors
///
/// Writing fails.
pub fn write_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = writer(out);
    rows.write_record(CONNECTION)?;
    report.connections.iter().try_for_each(|one| rows.write_record(connection_cells(one)))?;
    rows.flush()
}

/// Writes a table for people, as wide as they can see it.
///
/// # Errors
///
/// Writing fails.
pub fn write_text(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if report.is_unread() {
        return nothing(report, out);
    }
    let heading =
        ["organization", "project", "connection", "type", "credential", "issuer", "last used", "secret ends"];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(report.connections.iter().map(row));
    let mut widths: Vec<_> = (0..heading.len())
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(|width| width.unwrap_or(0).min(MAX_COLUMN))
        .collect();
    fit(&mut widths, look.width);
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| pad(cell, *width));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    gaps(report, out)
}

/// Makes the widest of the columns with names narrower until a row fits. Half a date tells nothing.
fn fit(widths: &mut [usize], most: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > most {
        match widths.iter_mut().take(NAMES).max() {
            Some(widest) if *widest > MIN_COLUMN => *widest -= 1,
            _ => return,
        }
    }
}

fn row(one: &ConnectionEntry) -> [String; 8] {
    let day = |moment: Option<crate::moment::Moment>| moment.map(|moment| moment.date().to_string());
    let issuer = one.issuer_kind.map(|kind| match kind {
        crate::credential::IssuerKind::DevOps => "Azure DevOps",
        crate::credential::IssuerKind::Entra => "Entra",
    });
    [
        one.organization.clone(),
        owner(one).to_owned(),
        one.name.clone(),
        one.kind.clone().unwrap_or_else(|| "?".to_owned()),
        one.credential.as_str().to_owned(),
        issuer.unwrap_or("-").to_owned(),
        last_used(one),
        day(one.secret_ends).unwrap_or_else(|| "-".to_owned()),
    ]
}

fn owner(one: &ConnectionEntry) -> &str {
    one.projects.iter().find(|project| project.owner).map_or("?", |project| project.name.as_str())
}

pub(super) fn last_used(one: &ConnectionEntry) -> String {
    match (one.usage, one.last_used) {
        (UseState::Unread, _) => "not read".to_owned(),
        (UseState::Read, None) => "never".to_owned(),
        (UseState::Read, Some(last)) => last.date().to_string(),
    }
}

/// A cell of this width: cut, or filled with blanks.
fn pad(cell: &str, width: usize) -> String {
    let length = cell.chars().count();
    if length > width {
        let mut cut: String = cell.chars().take(width.saturating_sub(1)).collect();
        cut.push('…');
        return cut;
    }
    format!("{cell}{}", " ".repeat(width - length))
}

/// Writes the chain of trust of each connection, from those who may use it to what it may do. On a terminal whose lines have no room
/// beside the labels, what is there stands below them.
///
/// # Errors
///
/// Writing fails.
pub fn write_chain(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if report.is_unread() {
        return nothing(report, out);
    }
    let columns = look.columns.unwrap_or(usize::MAX);
    let is_beside = columns >= MIN_BESIDE;
    let indent = if is_beside { 2 + LABEL } else { 4 };
    for (at, one) in report.connections.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let name = format!("{}/{}/{}  {}", one.organization, owner(one), one.name, one.id);
        for line in wrapped(&name, (0, 4), columns) {
            writeln!(out, "{line}")?;
        }
        for (label, values) in chain(one) {
            if !is_beside {
                writeln!(out, "  {label}")?;
            }
            let lines = values.iter().flat_map(|value| wrapped(value, (indent, indent + 2), columns));
            for (at, line) in lines.enumerate() {
                let label = if at == 0 && is_beside { label } else { "" };
                writeln!(
                    out,
                    "  {label:<width$}{}",
                    line.get(indent..).unwrap_or_default(),
                    width = indent - 2
                )?;
            }
        }
    }
    gaps(report, out)
}

/// The lines of a text in so many columns: the first with an indent, the others with a deeper one. It is parted after a blank, or
/// where a path, an address or a subject has parts; a longer word anywhere.
fn wrapped(text: &str, (indent, deeper): (usize, usize), columns: usize) -> Vec<String> {
    let (mut lines, mut line, mut length) = (Vec::new(), " ".repeat(indent), indent);
    let (mut is_empty, most) = (true, columns.max(deeper + 1));
    for part in text.split_inclusive([' ', '/', ':', ',']) {
        // A blank at the end of a line takes no room.
        let fits = |length: usize| length + part.trim_end().chars().count() <= most;
        if !is_empty && !fits(length) {
            lines.push(std::mem::replace(&mut line, " ".repeat(deeper)));
            (length, is_empty) = (deeper, true);
        }
        for character in part.chars() {
            if length == most && character != ' ' {
                lines.push(std::mem::replace(&mut line, " ".repeat(deeper)));
                length = deeper;
            }
            if length < most {
                line.push(character);
                (length, is_empty) = (length + 1, false);
            }
        }
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Each link of the chain: a label, and what is there.
pub(super) fn chain(one: &ConnectionEntry) -> Vec<(&'static str, Vec<String>)> {
    /// The most lines of a link: one connection is one screen.
    const MAX: usize = 6;
    let link = |values: Option<Vec<String>>, none: &str| {
        let Some(mut values) = values else { return vec!["not read".to_owned()] };
        if values.is_empty() {
            return vec![none.to_owned()];
        }
        let more = values.len().saturating_sub(MAX);
        if more > 0 {
            values.truncate(MAX);
            values.push(format!("… {more} more"));
        }
        values
    };
    let value = |value: &Option<String>| vec![value.clone().unwrap_or_else(|| "not known".to_owned())];
    let pipelines = match (one.open_to_all_pipelines, &one.pipelines) {
        (Some(true), _) => vec!["every pipeline".to_owned()],
        (_, pipelines) => {
            let named = pipelines.as_ref().map(|pipelines| {
                let named = pipelines.iter().map(|one| {
                    let name = one.name.clone().unwrap_or_else(|| format!("pipeline {}", one.id));
                    format!("{}/{name}", one.project)
                });
                named.collect()
            });
            link(named, "no pipeline")
        }
    };
    let members = one.members.as_ref().map(|members| {
        members.iter().map(|one| format!("{} ({}, {})", one.name, one.role, one.project)).collect()
    });
    let checks = one.checks.as_ref().map(|checks| checks.iter().map(check).collect());
    let credentials = one.federated_credentials.as_ref().map(|credentials| {
        let matching = credentials.iter().filter(|one| one.matches);
        matching.map(|one| one.name.clone()).collect()
    });
    let roles = one.roles.as_ref().map(|roles| {
        let role = |one: &crate::report::RoleEntry| {
            let since = one.created.map(|created| format!(", since {}", created.date())).unwrap_or_default();
            let why = one.description.as_ref().map(|why| format!(", '{why}'")).unwrap_or_default();
            let condition = if one.condition.is_some() { ", with a condition" } else { "" };
            format!("{} at {}{since}{condition}{why}", one.role, one.scope)
        };
        roles.iter().map(role).collect()
    });
    let stored = match (one.secret_starts, one.secret_ends) {
        (None, None) if one.client.is_some() && !one.are_secrets_read => "not read".to_owned(),
        (None, None) => "nothing".to_owned(),
        (starts, ends) => {
            let day = |moment: Option<crate::moment::Moment>| {
                moment.map_or_else(|| "an unknown day".to_owned(), |moment| moment.date().to_string())
            };
            format!("since {}, until {}", day(starts), day(ends))
        }
    };
    let identity = match (&one.identity_name, one.client) {
        (Some(name), Some(client)) => format!("{name} ({client})"),
        (None, Some(client)) => client.to_string(),
        (_, None) if !one.visible => "not seen".to_owned(),
        (_, None) => "none".to_owned(),
    };
    vec![
        ("pipelines", pipelines),
        ("people and groups", link(members, "none with a role of its own")),
        ("approvals and checks", link(checks, "none")),
        ("signs in with", vec![one.credential.as_str().to_owned()]),
        ("issuer", value(&one.issuer)),
        ("subject", value(&one.subject)),
        ("federated credential", link(credentials, "none that matches")),
        ("identity", vec![identity]),
        ("secret of the identity", vec![stored]),
        ("roles", link(roles, "none")),
        ("last used", vec![last_used(one)]),
    ]
}

fn check(one: &crate::report::CheckEntry) -> String {
    let kind = serde_json::to_value(one.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    let of = [one.branches.join(", "), one.approvers.join(", ")].concat();
    let kind = kind.unwrap_or_default();
    if of.is_empty() { kind } else { format!("{kind}: {of}") }
}

/// An empty table would look like an organization without connections.
fn nothing(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}; --format json lists why", unread(report).unwrap_or_default())
}

fn gaps(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let count = report.gaps().count();
    if let Some(unread) = unread(report) {
        writeln!(out, "\n{unread}")?;
    }
    if count > 0 {
        let gaps = if count == 1 { "1 gap".to_owned() } else { format!("{count} gaps") };
        writeln!(out, "\nNot everything could be seen: {gaps} of coverage; --format json lists them")?;
    }
    Ok(())
}
