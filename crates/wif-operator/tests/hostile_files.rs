//! Laws of what reads the audit's files, tried at random. `cargo xtask fuzz` tries them for longer.

use std::fs;

use emulator::organization::{OrganizationPlan, Planted};
use proptest::{prelude::*, sample::Index, strategy::ValueTree as _};
use serde_json::Value;
use time::Duration;
use wif_operator::{
    formats::Format,
    judge::{Selection, judge},
    moment::Moment,
    request::Request,
    rule::Settings,
    snapshot::lines,
    waiver::parse_waivers,
};

use crate::{
    audit::offline,
    support::{Fixture, NAME},
};

/// What names and sentences of a service could hold.
const HOSTILE: [&str; 6] =
    ["##vso[task.complete]", "\\u0000", "\\n", "<script>", "\\ud800", "99999999999999999999"];

/// The file of an organization with every kind of fault.
fn saved() -> String {
    let fixture =
        Fixture::new(&OrganizationPlan::new(NAME).projects(2).connections(1).planted(&Planted::ALL));
    let mut out = Vec::new();
    lines::write(&fixture.read(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A file is refused, or judged and written in every format, in none of which the agent finds a command.
fn holds(bytes: &[u8]) -> bool {
    let Ok(snapshot) = lines::read(&mut &*bytes) else { return false };
    let mut again = Vec::new();
    lines::write(&snapshot, &mut again).unwrap();
    assert_eq!(lines::read(&mut &*again).unwrap(), snapshot);
    let (expires_within, unused_for) = (Duration::days(30), Duration::days(70));
    let requests = Vec::new();
    let settings = Settings { now: snapshot.taken, expires_within, unused_for, requests, differing: None };
    let report = judge(&snapshot, &settings, &Selection::default());
    for format in [Format::Text, Format::Json, Format::Sarif, Format::Csv, Format::Markdown, Format::Html] {
        let mut out = Vec::new();
        format.write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.to_lowercase().contains("##vso["), "{format:?}: {text}");
    }
    true
}

#[test]
fn a_snapshot_that_was_changed_is_refused_or_judged() {
    let text = saved();
    assert!(holds(text.as_bytes()));
    let strings: Vec<_> = text.match_indices("\":\"").map(|(at, _)| at + 3).collect();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut judged, mut refused) = (0, 0);
    // Foreign text where a text begins, or a byte somewhere.
    let change = (any::<bool>(), any::<Index>(), prop::sample::select(HOSTILE.to_vec()), any::<u8>());
    for _ in 0..60 {
        let (is_text, at, hostile, byte) = change.new_tree(&mut runner).unwrap().current();
        let mut bytes = text.clone().into_bytes();
        if is_text {
            let at = *at.get(&strings);
            bytes.splice(at..at, hostile.bytes());
        } else {
            let at = at.index(bytes.len());
            bytes.splice(at..=at, [byte]);
        }
        *if holds(&bytes) { &mut judged } else { &mut refused } += 1;
    }
    assert!(judged > 5 && refused > 5, "{judged} judged, {refused} refused: both are to be tried");
}

/// Adds a person to every text that people or services write.
fn with_person(value: &mut Value) {
    const WRITTEN: [&str; 8] =
        ["name", "connectionName", "description", "pipelineName", "subject", "role", "why", "uniqueName"];
    match value {
        Value::Array(items) => items.iter_mut().for_each(with_person),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if WRITTEN.contains(&name.as_str()) && !text.is_empty() => {
                        text.push_str(" of Ada Byron <ada@contoso.com>");
                    }
                    field => with_person(field),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn a_redacted_report_has_no_person_in_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (snapshot, saved_again, waivers) = (path("snapshot"), path("again"), path("waivers.yaml"));
    let line = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record.get("schema").or(record.get("organization")).is_none() {
            with_person(&mut record);
        }
        if let Some(creator) = record.pointer_mut("/connection/createdBy").filter(|one| !one.is_null()) {
            creator["name"] = "Ada Byron".into();
        }
        record.to_string() + "\n"
    };
    fs::write(&snapshot, saved().lines().map(line).collect::<String>()).unwrap();
    let waiver = |target: &str| {
        format!(
            "- {{ rule: WIF6101, {target}, reason: of ada@contoso.com, owner: Ada Byron, until: 2026-12-31 }}\n"
        )
    };
    fs::write(&waivers, waiver("connection: ada@contoso.com") + &waiver("name: '*'")).unwrap();
    let judged = ["--offline", &snapshot, "--now", "2026-11-28T00:00:00Z"];
    let of = |words: &[&str]| {
        let output = offline(&[words, &judged].concat());
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
    };
    let names_person = |text: &str| text.contains("Byron") || text.contains("contoso.com");
    for format in ["text", "json", "sarif", "csv", "markdown", "html"] {
        let words = ["audit", "--waivers", &waivers, "--format", format];
        assert!(names_person(&of(&words)), "{format}");
        let redacted = of(&[&words[..], &["--redact", "--save", &saved_again]].concat());
        assert!(redacted.len() > 500 && !names_person(&redacted), "{format}: {redacted}");
        assert_eq!(redacted, of(&[&words[..], &["--redact"]].concat()), "{format}");
    }
    assert!(!names_person(&fs::read_to_string(&saved_again).unwrap()));
    for words in [&["--chain"][..], &[], &["--format", "json"], &["--format", "csv"]] {
        let redacted = of(&[&["inventory", "--redact"], words].concat());
        assert!(redacted.len() > 500 && !names_person(&redacted), "{words:?}: {redacted}");
    }
    let counts = |more: &[&str]| {
        let words = ["audit", "--waivers", &waivers, "--format", "json"];
        let output = offline(&[&words[..], &judged, more].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["totals"].clone()
    };
    assert_eq!(counts(&[]), counts(&["--redact"]), "nothing is judged otherwise");
}

#[test]
fn a_value_with_line_ends_and_commands_is_quoted_in_one_harmless_line() {
    let now = Moment::parse("2026-11-26T12:00:00Z").unwrap();
    let hostile = "\"2026>\\t12\\r\\n##vso[task.complete]\\e[2J\\u2028\"";
    let waiver = [("rule", "WIF6102"), ("name", "\"*\""), ("reason", "known"), ("owner", "team")];
    let refused = |field: &str| {
        let fields = waiver.iter().chain([&("until", "2026-12-31")]);
        let written =
            fields.map(|(name, value)| format!("{name}: {}", if *name == field { hostile } else { value }));
        parse_waivers(&format!("- {{ {} }}", written.collect::<Vec<_>>().join(", ")), "file.yaml", now)
    };
    let mut errors: Vec<_> = ["rule", "until"].iter().map(|field| refused(field).unwrap_err()).collect();
    errors.push(Request::parse(&format!("apiVersion: {hostile}\n"), "file.yaml").unwrap_err());
    errors.push(Request::parse(&format!("{hostile}: here\n"), "file.yaml").unwrap_err());
    for error in errors {
        let line = error.to_string();
        assert!(line.starts_with("file.yaml:"), "{line:?}");
        assert!(line.contains("2026>") || line.contains("missing field"), "it quotes the value: {line:?}");
        assert!(!line.contains(char::is_control) && !line.contains('\u{2028}'), "{line:?}");
        assert!(!line.to_lowercase().contains("##vso["), "{line:?}");
    }
}

proptest! {
    #[test]
    fn a_file_that_people_write_is_read_or_refused_in_one_line_that_names_it(
        text in "(- |rule|connection|until|: |\\{|\\}|\\[|\\]|'|\"|\n|  |#|&a|\\*a|!x|2026-12-31|WIF6101|apiVersion: wif/v1|\\PC){0,60}",
    ) {
        let now = Moment::parse("2026-11-26T12:00:00Z").unwrap();
        let waivers = parse_waivers(&text, "file.yaml", now).map(|_waivers| ());
        let request = Request::parse(&text, "file.yaml").map(|_request| ());
        for error in [waivers.err(), request.err()].into_iter().flatten() {
            let line = error.to_string();
            prop_assert!(line.starts_with("file.yaml:"), "{:?}", line);
            prop_assert!(!line.contains(char::is_control) && !line.to_lowercase().contains("##vso["), "{:?}", line);
        }
    }
}
