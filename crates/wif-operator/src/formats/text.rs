//! One screen for people: the worst first, grouped by remedy.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::wording::{Group, UNJUDGED, comparison, counts, groups, headline, place, plural, state, unread};
use crate::look::Look;
use crate::report::{CoverageEntry, Finding, Report};

/// The most lines of a gap.
const MAX_GAP_LINES: usize = 3;
/// The most lines of a report.
const MAX_LINES: usize = 60;
/// The most rows of a group.
const MAX_ROWS: usize = 3;
/// The most commands of a group.
const MAX_COMMANDS: usize = 3;
/// The most gaps that are listed.
const MAX_GAPS: usize = 5;
/// The most notices of waivers that are listed.
const MAX_NOTICES: usize = 3;

/// Writes a report.
///
/// # Errors
///
/// Writing fails.
pub fn write(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    lines(report, look).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The lines of a report.
fn lines(report: &Report, look: Look) -> Vec<String> {
    let (head, foot) = (head(report, look), foot(report, look));
    let room = MAX_LINES.saturating_sub(head.len() + foot.len());
    [head, body(&groups(report), room, look), foot].concat()
}

fn head(report: &Report, look: Look) -> Vec<String> {
    let names: Vec<_> = report.organizations.iter().map(|one| one.name.as_str()).collect();
    let unread = unread(report).map(|unread| look.heading(&cut(&unread, look)));
    if report.is_unread() {
        return unread.into_iter().chain([format!("{UNJUDGED} ({})", report.taken)]).collect();
    }
    let mut lines: Vec<_> = unread.into_iter().collect();
    lines.extend([
        cut(&format!("{}, read {} ({})", names.join(", "), report.taken, depth(report)), look),
        look.heading(&headline(&report.totals)),
        counts(&report.totals),
    ]);
    lines.extend(comparison(report));
    lines
}

fn depth(report: &Report) -> &'static str {
    match report.layer {
        crate::snapshot::Layer::List => "lists only: identities, roles and use were not asked for",
        crate::snapshot::Layer::Identity => "lists and identities: use and permissions were not asked for",
        crate::snapshot::Layer::Use => "lists, identities and use",
    }
}

/// As many rows of each group as there is room for, three at the most; then whole groups are told in a line each.
fn body(groups: &[Group<'_>], room: usize, look: Look) -> Vec<String> {
    for rows in (0..=MAX_ROWS).rev() {
        let lines: Vec<_> = groups.iter().flat_map(|group| group_lines(group, rows, look)).collect();
        if lines.len() <= room {
            return lines;
        }
    }
    let short = |group: &Group<'_>| format!("{}: {}", group.remedy.title(), group_counts(group));
    let mut lines = vec![String::new()];
    lines.extend(groups.iter().map(short));
    lines.truncate(room);
    lines
}

fn group_lines(group: &Group<'_>, rows: usize, look: Look) -> Vec<String> {
    let title = format!("{}: {}", group.remedy.title(), group_counts(group));
    let mut lines = vec![String::new(), look.heading(&title)];
    lines.extend(group.findings.iter().take(rows).map(|finding| row(finding, look)));
    let more = group.findings.len().saturating_sub(rows);
    if more > 0 && rows > 0 {
        lines.push(format!("  … {more} more"));
    }
    lines.extend(group.commands.iter().take(MAX_COMMANDS).map(|command| format!("  next: {command}")));
    if group.commands.len() > MAX_COMMANDS {
        lines.push(format!(
            "  … and for {} more",
            plural(group.commands.len() - MAX_COMMANDS, "organization")
        ));
    }
    lines
}

fn group_counts(group: &Group<'_>) -> String {
    let mut by_severity = BTreeMap::new();
    for finding in &group.findings {
        *by_severity.entry(std::cmp::Reverse(finding.severity)).or_insert(0) += 1;
    }
    let parts: Vec<_> =
        by_severity.into_iter().map(|(severity, count)| plural(count, severity.0.as_str())).collect();
    parts.join(", ")
}

fn row(finding: &Finding, look: Look) -> String {
    let new = if finding.new { "new " } else { "" };
    let Finding { rule, severity, detail, .. } = finding;
    let line = format!("  {rule} {new}{:<7}  {}: {detail}", severity.as_str(), place(finding));
    look.severity(&cut(&line, look), *severity)
}

fn foot(report: &Report, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    let gaps: Vec<_> = report.gaps().collect();
    if !gaps.is_empty() {
        lines.push(String::new());
        lines.push(look.heading(&format!("Not seen, and so not judged: {}", plural(gaps.len(), "gap"))));
        lines.extend(gaps.iter().take(MAX_GAPS).flat_map(|gap| gap_lines(report, gap, look)));
        if gaps.len() > MAX_GAPS {
            lines.push(format!("  … {} more", gaps.len() - MAX_GAPS));
        }
    }
    if !report.waivers.is_empty() {
        lines.push(String::new());
        lines.push(format!("{} without an effect", plural(report.waivers.len(), "waiver")));
        lines.extend(report.waivers.iter().take(MAX_NOTICES).map(|notice| {
            let state = notice.state.words();
            cut(&format!("  {} {} until {}: {state}", notice.rule, notice.target, notice.until), look)
        }));
        if report.waivers.len() > MAX_NOTICES {
            lines.push(format!("  … {} more", report.waivers.len() - MAX_NOTICES));
        }
    }
    let open = report.totals.faults + report.totals.warnings + report.totals.notes;
    if open == 0 && gaps.is_empty() && !report.coverage.is_empty() {
        lines.push(String::new());
        let is_everything = report.has_all_rules && report.layer == crate::snapshot::Layer::Use;
        let line = if is_everything {
            "Nothing to say: every rule was asked, and all was read."
        } else {
            "Nothing to say of what was asked for, which is not everything."
        };
        lines.push(line.to_owned());
    }
    lines
}

/// What is told of a gap says at its end what would help, and so it is parted at blanks before it is cut.
fn gap_lines(report: &Report, gap: &CoverageEntry, look: Look) -> Vec<String> {
    let place = match &gap.project {
        Some(project) => format!("{}/{project}", gap.organization),
        None => gap.organization.clone(),
    };
    let connection = gap.connection.map(|id| format!(" {id}")).unwrap_or_default();
    let layer = gap.layer.as_str();
    let line = format!("  {place}{connection}, {layer}, {}: {}", state(report, gap), gap.why);
    let (mut lines, mut rest) = (Vec::new(), line);
    while lines.len() + 1 < MAX_GAP_LINES {
        let end = rest.char_indices().nth(look.width).map(|(end, _)| end);
        let at = end.and_then(|end| rest.get(..end)?.rfind(' '));
        let parts = at.and_then(|at| rest.split_at_checked(at));
        let Some((first, more)) = parts.filter(|(first, _)| !first.trim().is_empty()) else { break };
        lines.push(first.to_owned());
        rest = format!("    {}", more.trim_start());
    }
    lines.push(cut(&rest, look));
    lines
}

/// A line that does not wrap more than once on a terminal.
fn cut(line: &str, look: Look) -> String {
    if line.chars().count() <= look.width {
        return line.to_owned();
    }
    let mut line: String = line.chars().take(look.width - 1).collect();
    line.push('…');
    line
}
