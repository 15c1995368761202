//! SARIF 2.1.0 (OASIS), in the form that GitHub's code scanning takes: each result has a relative address and a logical place.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::wording::place;
use crate::{
    report::{CoverageEntry, Finding, Report},
    rule::command::encode,
    rules,
    severity::Severity,
    snapshot::State,
    waiver::WaiverNotice,
};

/// Where the schema is published.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The page with a section for each rule.
const PAGE: &str = "https://github.com/wif-azure/wif/blob/main/docs/errors.md";
/// The id of what could not be read.
const GAP: &str = "WIF6901";

/// Writes a report.
///
/// # Errors
///
/// Writing fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &log(report))?;
    out.write_all(b"\n")
}

/// The whole file. Of an organization with ten thousand connections it is large, so that results are made as they are written.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Value,
    automation_details: Value,
    invocations: Value,
    column_kind: &'static str,
    results: Results<'a>,
}

struct Results<'a> {
    report: &'a Report,
    rules: Vec<&'static str>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = |code: &str| self.rules.iter().position(|rule| *rule == code);
        let findings = self.report.findings.iter();
        serializer.collect_seq(findings.map(|finding| result(self.report, finding, index(finding.rule))))
    }
}

fn log(report: &Report) -> Log<'_> {
    let names: Vec<_> = report.organizations.iter().map(|one| one.name.as_str()).collect();
    let found: BTreeSet<_> = report.findings.iter().map(|finding| finding.rule).collect();
    let rules: Vec<_> = rules::ALL.iter().filter(|rule| found.contains(rule.code)).collect();
    let descriptors: Vec<_> = rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "name": name_of(rule.title),
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": rule.title },
                "help": help(rule.code),
                "helpUri": help_uri(rule.code),
                "defaultConfiguration": { "level": level(rule.severity) },
                "properties": {
                    "tags": ["security"],
                    "security-severity": security_severity(rule.severity),
                },
            })
        })
        .collect();
    let notifications: Vec<_> =
        report.gaps().map(|gap| of_gap(report, gap)).chain(report.waivers.iter().map(of_waiver)).collect();
    let has_failed = report.is_unread() || report.coverage.iter().any(|entry| entry.state == State::Failed);
    let tool = json!({
        "driver": {
            "name": "wif-operator",
            "version": report.version,
            "semanticVersion": report.version,
            "informationUri": "https://github.com/wif-azure/wif",
            "rules": descriptors,
            "notifications": [{
                "id": GAP,
                "name": "NotRead",
                "shortDescription": { "text": "A part of the organization could not be read" },
                "fullDescription": { "text": "What could not be read counts as unknown, and never as good" },
                "help": help(GAP),
                "helpUri": help_uri(GAP),
            }],
        },
    });
    let run = Run {
        tool,
        automation_details: json!({ "id": format!("wif-audit/{}/", encode(&names.join("+"))) }),
        invocations: json!([{
            "executionSuccessful": !has_failed,
            "startTimeUtc": report.taken,
            "toolExecutionNotifications": notifications,
        }]),
        column_kind: "unicodeCodePoints",
        results: Results { report, rules: rules.iter().map(|rule| rule.code).collect() },
    };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

/// GitHub wants a text with each rule, and shows its Markdown, if there is one.
fn help(code: &str) -> Value {
    let uri = help_uri(code);
    json!({
        "text": format!("wif explain {code} says what it is and how to mend it, and so does {uri}"),
        "markdown": format!("`wif explain {code}` says what it is and how to mend it, and so does [{code}]({uri})."),
    })
}

fn help_uri(code: &str) -> String {
    format!("{PAGE}#{}", code.to_ascii_lowercase())
}

fn result(report: &Report, finding: &Finding, index: Option<usize>) -> Value {
    let uri: Vec<_> = place(finding).split('/').map(encode).collect();
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri.join("/") },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{
                "name": finding.connection_name.as_deref().unwrap_or(&finding.organization),
                "fullyQualifiedName": place(finding),
                "kind": "resource",
            }],
        }],
        "partialFingerprints": { "wif/v1": finding.fingerprint },
        "properties": {
            "connection": finding.connection,
            "fix": finding.fix,
            "command": finding.command,
            "evidence": finding.evidence,
        },
    });
    let Value::Object(fields) = &mut result else { return result };
    if let Some(waived) = &finding.waived {
        let justification =
            format!("{} (accepted by {} until {})", waived.reason, waived.owner, waived.until);
        let suppression =
            json!([{ "kind": "external", "status": "accepted", "justification": justification }]);
        fields.insert("suppressions".to_owned(), suppression);
    }
    if report.baseline.is_some() {
        let state = if finding.new { "new" } else { "unchanged" };
        fields.insert("baselineState".to_owned(), json!(state));
    }
    result
}

fn message(finding: &Finding) -> String {
    escape(&format!("{}: {}. Fix: {}.", finding.title, finding.detail, finding.fix))
}

/// The text of a message, in which brackets would be links.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

fn of_gap(report: &Report, gap: &CoverageEntry) -> Value {
    let place = match &gap.project {
        Some(project) => format!("{}/{project}", gap.organization),
        None => gap.organization.clone(),
    };
    let is_error = gap.state == State::Failed || report.is_unread();
    let level = if is_error { "error" } else { "warning" };
    json!({
        "descriptor": { "id": GAP, "index": 0 },
        "level": level,
        "message": { "text": escape(&format!("{place}: {}", gap.why)) },
    })
}

fn of_waiver(notice: &WaiverNotice) -> Value {
    let WaiverNotice { rule, target, until, state } = notice;
    let text = format!("{rule}: the waiver for {target} until {until} {}", state.words());
    json!({ "level": "note", "message": { "text": escape(&text) } })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Fault => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// What GitHub orders results by: 7.0 and more is high, 4.0 and more is medium.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Fault => "8.0",
        Severity::Warning => "5.0",
        Severity::Note => "2.0",
    }
}

/// A rule's title as an identifier: `AStoredSecret`.
fn name_of(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let mut characters = word.chars();
        let first = characters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    words.map(capital).collect()
}
