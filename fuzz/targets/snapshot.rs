//! A snapshot of the audit: whatever a file holds, it is refused, or judged and written in every format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use time::Duration;
use wif_operator::{
    formats::Format,
    judge::{Selection, judge},
    rule::Settings,
    snapshot::lines,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(snapshot) = lines::read(&mut &*bytes) else { return };
    let mut again = Vec::new();
    lines::write(&snapshot, &mut again).unwrap();
    assert_eq!(lines::read(&mut &*again).unwrap(), snapshot);
    let (expires_within, unused_for) = (Duration::days(30), Duration::days(70));
    let requests = Vec::new();
    let settings = Settings { now: snapshot.taken, expires_within, unused_for, requests, differing: None };
    let report = judge(&snapshot, &settings, &Selection::default());
    for format in
        [Format::Text, Format::Json, Format::Sarif, Format::Csv, Format::Markdown, Format::Html]
    {
        let mut out = Vec::new();
        format.write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.to_lowercase().contains("##vso["), "{format:?}: {text}");
    }
});
