//! One page, which asks for nothing from elsewhere, works without scripts, and escapes every name.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use askama::Template;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use time::Duration;
use uuid::Uuid;

use super::{
    inventory::{chain, last_used},
    wording::{Group, UNJUDGED, comparison, counts, groups, place, plural, unread},
};
use crate::{
    credential::{CredentialKind, IssuerKind},
    report::{ConnectionEntry, CoverageEntry, Finding, Report},
    severity::Severity,
    snapshot::Layer,
    waiver::{WaiverNotice, WaiverState},
};

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");
/// The most findings of a group; the others stand at their connections.
const MAX_FINDINGS: usize = 50;
/// The most ends to come that are listed, and the most that are over.
const MAX_ENDS: usize = 10;
const MAX_OVER: usize = 3;
/// The class of a number that may not be the whole truth: neither good nor bad.
const UNSEEN: &str = "unseen";
/// What ends within so long is counted at the top.
const SOON: Duration = Duration::days(30);

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    names: String,
    /// That nothing was read, of all organizations or of some.
    unread: Option<String>,
    depth: &'static str,
    style: &'static str,
    script: &'static str,
    style_digest: String,
    script_digest: String,
    stored_class: &'static str,
    ends_class: &'static str,
    /// The style of a good figure. While something was not seen, it is the style of an unknown one: nothing looks good then.
    good: &'static str,
    ending: Vec<&'a ConnectionEntry>,
    soon_days: i64,
    retiring: usize,
    other: usize,
    counts: String,
    comparison: Option<String>,
    groups: Vec<Section<'a>>,
    ended: usize,
    ends: Vec<End>,
    gaps: Vec<&'a CoverageEntry>,
    by_connection: BTreeMap<(&'a str, Uuid), Vec<&'a Finding>>,
}

/// Findings with one remedy.
struct Section<'a> {
    anchor: String,
    title: &'static str,
    severity: Severity,
    counts: String,
    command: String,
    findings: Vec<&'a Finding>,
    more: usize,
}

/// The end of a stored secret or certificate.
struct End {
    day: String,
    since: String,
    is_over: bool,
    place: String,
}

/// A connection in the table of all.
struct Row<'a> {
    one: &'a ConnectionEntry,
    owner: &'a str,
    issuer: &'static str,
    ends: String,
    last_used: String,
    chain: String,
    findings: Vec<&'a Finding>,
    order: usize,
}

/// Writes a report.
///
/// # Errors
///
/// Writing fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    page(report).write_into(&mut { out })
}

fn page(report: &Report) -> Page<'_> {
    let is_stored = |one: &&ConnectionEntry| {
        matches!(one.credential, CredentialKind::Secret | CredentialKind::Certificate)
    };
    let mut stored: Vec<_> =
        report.connections.iter().filter(is_stored).filter(|one| one.secret_ends.is_some()).collect();
    stored.sort_by_key(|one| (one.secret_ends, one.id));
    // What ended long ago was told long ago: the last that ended, and the next that will.
    let (over, ahead): (Vec<&ConnectionEntry>, Vec<&ConnectionEntry>) =
        stored.iter().partition(|one| one.secret_ends.is_some_and(|end| end <= report.now));
    let soon = report.now.after(SOON);
    let ending: Vec<_> =
        stored.iter().copied().filter(|one| one.secret_ends.is_some_and(|end| end <= soon)).collect();
    let totals = &report.totals;
    let mut by_connection = BTreeMap::<_, Vec<&Finding>>::new();
    for finding in &report.findings {
        if let Some(connection) = finding.connection {
            by_connection.entry((finding.organization.as_str(), connection)).or_default().push(finding);
        }
    }
    let names: Vec<_> = report.organizations.iter().map(|one| one.name.as_str()).collect();
    let is_retiring = |one: &&ConnectionEntry| {
        one.issuer_kind == Some(IssuerKind::DevOps) && one.credential == CredentialKind::Federated
    };
    let gaps: Vec<_> = report.gaps().collect();
    let good = if gaps.is_empty() && totals.unknown == 0 { "good" } else { UNSEEN };
    Page {
        report,
        names: names.join(", "),
        unread: unread(report),
        depth: match report.layer {
            Layer::List => "Lists only: identities, roles and use were not asked for.",
            Layer::Identity => "Lists and identities: use and permissions were not asked for.",
            Layer::Use => "Lists, identities and use.",
        },
        style: STYLE,
        script: SCRIPT,
        style_digest: digest_of(STYLE),
        script_digest: digest_of(SCRIPT),
        stored_class: if totals.secret > 0 {
            "fault"
        } else if totals.certificate > 0 {
            "warning"
        } else {
            good
        },
        ends_class: match (ending.is_empty(), report.layer) {
            (false, _) => "fault",
            // Lists tell no ends.
            (true, Layer::List) => UNSEEN,
            (true, _) => good,
        },
        good,
        ended: over.len(),
        ends: over
            .iter()
            .rev()
            .take(MAX_OVER)
            .chain(ahead.iter().take(MAX_ENDS))
            .map(|one| end(report, one))
            .collect(),
        ending,
        soon_days: SOON.whole_days(),
        retiring: report.connections.iter().filter(is_retiring).count(),
        other: totals.other + totals.machine,
        counts: counts(totals),
        comparison: comparison(report),
        groups: groups(report).into_iter().map(section).collect(),
        gaps,
        by_connection,
    }
}

/// A source of a content security policy (CSP level 2): `sha256-…`.
fn digest_of(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}

fn end(report: &Report, one: &ConnectionEntry) -> End {
    let day = |moment: Option<crate::moment::Moment>| {
        moment.map_or_else(|| "unknown".to_owned(), |moment| moment.date().to_string())
    };
    End {
        day: day(one.secret_ends),
        since: day(one.secret_starts),
        is_over: one.secret_ends.is_some_and(|end| end <= report.now),
        place: format!("{}/{}/{}", one.organization, owner(one), one.name),
    }
}

fn section(group: Group<'_>) -> Section<'_> {
    let Group { remedy, severity, mut findings, commands } = group;
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let parts = Severity::WORST_FIRST.map(|severity| (of(severity), severity));
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| plural(count, severity.as_str()))
        .collect();
    // What belongs to no connection stands nowhere else.
    let total = findings.len();
    let mut listed = 0;
    findings.retain(|finding| {
        listed += 1;
        listed <= MAX_FINDINGS || finding.connection.is_none()
    });
    Section {
        anchor: format!("group-{}", remedy.title().to_lowercase().replace(' ', "-")),
        title: remedy.title(),
        severity,
        counts: parts.join(", "),
        command: commands.join("\n"),
        more: total - findings.len(),
        findings,
    }
}

fn owner(one: &ConnectionEntry) -> &str {
    one.projects.iter().find(|project| project.owner).map_or("unknown", |project| project.name.as_str())
}

impl<'a> Page<'a> {
    fn findings_of(&self, one: &'a ConnectionEntry) -> &[&'a Finding] {
        self.by_connection.get(&(one.organization.as_str(), one.id)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The rows, the worst first, made one by one as they are written.
    fn rows(&self) -> impl Iterator<Item = Row<'a>> {
        let mut connections: Vec<_> = self.report.connections.iter().collect();
        connections.sort_by_cached_key(|one| {
            (order(worst(self.findings_of(one))), &one.organization, &one.name, one.id)
        });
        connections.into_iter().map(move |one| row(one, self.findings_of(one).to_vec()))
    }
}

/// The worst of what no waiver accepts.
fn worst(findings: &[&Finding]) -> Option<Severity> {
    findings.iter().filter(|finding| finding.waived.is_none()).map(|finding| finding.severity).max()
}

/// The place of a row among the others.
const fn order(worst: Option<Severity>) -> usize {
    match worst {
        Some(Severity::Fault) => 0,
        Some(Severity::Warning) => 1,
        Some(Severity::Note) => 2,
        None => 3,
    }
}

fn row<'a>(one: &'a ConnectionEntry, findings: Vec<&'a Finding>) -> Row<'a> {
    let mut lines = Vec::new();
    for (label, values) in chain(one) {
        for (at, value) in values.iter().enumerate() {
            lines.push(format!("{:<24}{value}", if at == 0 { label } else { "" }));
        }
    }
    Row {
        one,
        owner: owner(one),
        issuer: match one.issuer_kind {
            Some(IssuerKind::DevOps) => "Azure DevOps",
            Some(IssuerKind::Entra) => "Entra",
            None => "-",
        },
        ends: one.secret_ends.map_or_else(|| "-".to_owned(), |end| end.date().to_string()),
        last_used: last_used(one),
        chain: lines.join("\n"),
        order: order(worst(&findings)),
        findings,
    }
}

impl Row<'_> {
    const fn severity(&self) -> Option<Severity> {
        match self.order {
            0 => Some(Severity::Fault),
            1 => Some(Severity::Warning),
            2 => Some(Severity::Note),
            _ => None,
        }
    }

    const fn worst(&self) -> &'static str {
        match self.severity() {
            Some(severity) => severity.as_str(),
            None => "none",
        }
    }

    fn mark(&self) -> &'static str {
        self.severity().map_or("", |severity| mark(&severity))
    }
}

/// How many gaps of coverage there are.
fn gap_count(count: usize) -> String {
    plural(count, "gap")
}

/// A shape beside each word, for those who see no colors.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the template passes fields by reference")]
const fn mark(severity: &Severity) -> &'static str {
    match severity {
        Severity::Fault => "■",
        Severity::Warning => "▲",
        Severity::Note => "●",
    }
}

fn state_word(report: &Report, gap: &CoverageEntry) -> &'static str {
    super::wording::state(report, gap)
}

const fn notice_state(notice: &WaiverNotice) -> &'static str {
    match notice.state {
        WaiverState::Ended => "it has ended, so what it was about counts again",
        WaiverState::Unused => "it matches nothing",
    }
}
