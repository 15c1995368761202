//! The files that people write for the audit: waivers and requests, in YAML or JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wif_operator::{moment::Moment, request::Request, waiver::parse_waivers};

fuzz_target!(|text: &str| {
    let Some(now) = Moment::parse("2026-11-26T12:00:00Z") else { return };
    let waivers = parse_waivers(text, "file.yaml", now).map(|_waivers| ());
    let request = Request::parse(text, "file.yaml").map(|_request| ());
    for error in [waivers.err(), request.err()].into_iter().flatten() {
        let line = error.to_string();
        assert!(line.starts_with("file.yaml:"), "{line:?}");
        assert!(!line.contains(char::is_control) && !line.to_lowercase().contains("##vso["), "{line:?}");
    }
});
