//! For a run's summary, or a ticket.

use std::io::{self, Write};

use super::wording::{UNJUDGED, comparison, counts, groups, headline, place, state, unread};
use crate::report::Report;

/// The most rows of a group: a run's summary takes a megabyte at the most.
const MAX_ROWS: usize = 50;
/// The most gaps that are listed.
const MAX_GAPS: usize = 50;

/// Writes a report.
///
/// # Errors
///
/// Writing fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# Service connections\n")?;
    if let Some(unread) = unread(report) {
        writeln!(out, "**{}.**\n", escape(&unread))?;
    }
    if report.is_unread() {
        writeln!(out, "{}.", escape(UNJUDGED))?;
    } else {
        writeln!(out, "{}.\n", headline(&report.totals))?;
        writeln!(out, "**{}**", counts(&report.totals))?;
        if let Some(comparison) = comparison(report) {
            writeln!(out, "\n{comparison}.")?;
        }
    }
    for group in groups(report) {
        writeln!(
            out,
            "\n## {}\n\n| rule | severity | where | what |\n|---|---|---|---|",
            group.remedy.title()
        )?;
        for finding in group.findings.iter().take(MAX_ROWS) {
            let new = if finding.new { " (new)" } else { "" };
            let (rule, severity) = (finding.rule, finding.severity.as_str());
            writeln!(
                out,
                "| {rule} | {severity}{new} | {} | {} |",
                escape(&place(finding)),
                escape(&finding.detail)
            )?;
        }
        if group.findings.len() > MAX_ROWS {
            writeln!(out, "\n… {} more", group.findings.len() - MAX_ROWS)?;
        }
        writeln!(out, "\nNext:\n\n{}", code_block(&group.commands.join("\n")))?;
    }
    let gaps: Vec<_> = report.gaps().collect();
    if !gaps.is_empty() {
        writeln!(
            out,
            "\n## Not seen, and so not judged\n\n| where | layer | state | why |\n|---|---|---|---|"
        )?;
        for gap in gaps.iter().take(MAX_GAPS) {
            let place = match &gap.project {
                Some(project) => format!("{}/{project}", gap.organization),
                None => gap.organization.clone(),
            };
            let layer = gap.layer.as_str();
            let (place, why) = (escape(&place), escape(&gap.why));
            writeln!(out, "| {place} | {layer} | {} | {why} |", state(report, gap))?;
        }
        if gaps.len() > MAX_GAPS {
            writeln!(out, "\n… {} more", gaps.len() - MAX_GAPS)?;
        }
    }
    if !report.waivers.is_empty() {
        writeln!(out, "\n## Waivers without an effect\n\n| rule | what | until | why |\n|---|---|---|---|")?;
        for notice in report.waivers.iter().take(MAX_ROWS) {
            let (rule, target) = (escape(&notice.rule), escape(&notice.target));
            writeln!(out, "| {rule} | {target} | {} | {} |", escape(&notice.until), notice.state.words())?;
        }
        if report.waivers.len() > MAX_ROWS {
            writeln!(out, "\n… {} more", report.waivers.len() - MAX_ROWS)?;
        }
    }
    let read = if report.is_unread() { "Asked" } else { "Read" };
    writeln!(out, "\n{read} {}, judged {}.", report.taken, report.now)
}

/// Text that stays text: no markup, no HTML, no link, no mention, and no end of a cell.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Renderers differ on a backslash before these, and make links of addresses that begin with a scheme or an @.
            '|' => escaped.push_str("&#124;"),
            '@' => escaped.push_str("&#64;"),
            ':' => escaped.push_str("&#58;"),
            '`' => escaped.push_str("&#96;"),
            '#' => escaped.push_str("&#35;"),
            // GitHub makes a link of what begins with `www.`.
            '.' if ends_with_www(&escaped) => escaped.push_str("&#46;"),
            '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '!' | '~' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Whether a text ends with a word `www`, in any case.
fn ends_with_www(text: &str) -> bool {
    let mut last = text.chars().rev();
    let is_www = last.by_ref().take(3).filter(|c| c.eq_ignore_ascii_case(&'w')).count() == 3;
    is_www && last.next().is_none_or(|before| !before.is_alphanumeric())
}

/// A block of code that its text cannot end.
fn code_block(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{text}\n{fence}")
}
