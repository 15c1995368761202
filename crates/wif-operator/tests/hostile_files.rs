//! Laws of what reads the audit's files, tried at random. `cargo xtask fuzz` tries them for longer.

use emulator::organization::{OrganizationPlan, Planted};
use proptest::{prelude::*, sample::Index, strategy::ValueTree as _};
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

use crate::support::{Fixture, NAME};

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
