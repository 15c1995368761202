//! What was not seen, in each format: never good, and said before anything else where it is all.

use serde_json::Value;

use super::{Format, inventory, tests::written};
use crate::{
    judge::{Selection, judge},
    look::Look,
    snapshot::{Layer, State},
    testing::{Planted, settings},
};

#[test]
fn where_nothing_was_read_each_format_says_so_before_any_number() {
    let mut planted = Planted::new();
    planted.0.connections.clear();
    for entry in &mut planted.0.coverage {
        (entry.state, entry.why) = (State::Denied, "no token".to_owned());
    }
    let gaps = planted.0.coverage.len();
    let mut snapshot = planted.snapshot();
    let of = |snapshot: &crate::snapshot::Snapshot| judge(snapshot, &settings(), &Selection::default());
    let report = of(&snapshot);
    assert!(report.is_unread() && report.gaps().count() == gaps);
    let said = "Nothing was read of contoso";
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let text = written(format, &report);
        let at = text.find(said).unwrap_or_else(|| panic!("{format:?}: {text}"));
        assert!(text.find("Not seen").unwrap() > at, "{format:?}: {text}");
        assert!(text.contains("nothing was judged"), "{format:?}: {text}");
        for number in ["0 connections", "0 faults", "<b>0</b>", "Nothing that any rule found"] {
            assert!(!text.contains(number), "{format:?}: {number}: {text}");
        }
        let is_read = text.contains(", read 20") || text.contains("\nRead 20") || text.contains(">Read 20");
        assert!(!is_read, "{format:?}: {text}");
    }
    assert!(written(Format::Text, &report).starts_with(said));
    let text = written(Format::Csv, &report);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let column =
        |name: &str| text.split("\r\n").next().unwrap().split(',').position(|one| one == name).unwrap();
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), gaps, "{text}");
    assert!(
        rows.iter().all(|row| &row[column("rule")] == "WIF6901" && &row[column("severity")] == "unknown")
    );
    assert!(rows[0][column("detail")].contains("denied: no token"), "{text}");
    let sarif: Value = serde_json::from_str(&written(Format::Sarif, &report)).unwrap();
    let invocation = &sarif["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notifications = invocation["toolExecutionNotifications"].as_array().unwrap();
    assert!(notifications.len() == gaps && notifications.iter().all(|one| one["level"] == "error"));
    for write in [inventory::write_text, inventory::write_chain] {
        let mut out = Vec::new();
        write(&report, Look::default(), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().starts_with(said));
    }
    // Beside one that was read, it is named first.
    let mut other = Planted::new().0;
    other.name = "fabrikam".to_owned();
    snapshot.organizations.push(other);
    let report = of(&snapshot);
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let text = written(format, &report);
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{format:?}: {words}: {text}"));
        let number = if format == Format::Html { "<b>1</b> federated" } else { "1 connection" };
        assert!(place(said) < place(number) && !text.contains("contoso, fabrikam: "), "{format:?}: {text}");
    }
}

#[test]
fn what_a_gap_needs_is_told_on_a_narrow_terminal_too() {
    let mut planted = Planted::new();
    let gap = &mut planted.0.coverage[2];
    (gap.state, gap.connection) = (State::Denied, Some(crate::testing::connection_id(2)));
    "permissions: Azure DevOps refused (it answered 403); make its owner a reader".clone_into(&mut gap.why);
    let report = judge(&planted.snapshot(), &settings(), &Selection::default());
    for width in [60, 80, 160] {
        let mut out = Vec::new();
        super::text::write(&report, Look::new(false, Some(width)), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.split_whitespace().collect::<Vec<_>>().join(" ").contains("(it answered 403)"),
            "{text}"
        );
        let lines: Vec<_> = text.lines().skip_while(|line| !line.starts_with("Not seen")).collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= width), "{width}: {text}");
    }
}

#[test]
fn what_was_not_seen_is_listed_and_nothing_is_said_to_be_good() {
    let mut planted = Planted::new();
    planted.0.coverage[2].state = State::Denied;
    "Azure DevOps: 403 for pipeline permissions".clone_into(&mut planted.0.coverage[2].why);
    let report = judge(&planted.snapshot(), &settings(), &Selection::default());
    let text = written(Format::Text, &report);
    assert!(
        text.contains("Not seen, and so not judged: 1 gap\n  contoso, use, denied: Azure DevOps: 403"),
        "{text}"
    );
    assert!(!text.contains("Nothing to say"), "{text}");
    let sarif: Value = serde_json::from_str(&written(Format::Sarif, &report)).unwrap();
    assert_eq!(
        sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["descriptor"]["id"],
        "WIF6901"
    );
}

#[test]
fn the_page_calls_nothing_good_while_something_was_not_seen() {
    let page = |planted: Planted| {
        written(Format::Html, &judge(&planted.snapshot(), &settings(), &Selection::default()))
    };
    assert!(page(Planted::new()).contains("<li class=\"good\">"));
    let mut with_gap = Planted::new();
    with_gap.0.coverage[1].state = State::Denied;
    assert!(!page(with_gap).contains("class=\"good\""));
    let unseen = Planted::new().with(2, |connection, _| connection.is_visible = false);
    let page_of_unseen = page(unseen);
    assert!(!page_of_unseen.contains("class=\"good\""));
    assert!(page_of_unseen.contains(" not judged</span>"));
    // What was not asked for was not seen either.
    let mut snapshot = Planted::new().snapshot();
    snapshot.depth = Layer::List;
    let page = written(Format::Html, &judge(&snapshot, &settings(), &Selection::default()));
    assert!(!page.contains("<li class=\"good\"><b>0</b> secrets have ended"));
}
