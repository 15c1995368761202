//! `wif connection drift`: compares connections with their requests, and changes nothing.

use std::fmt::Write as _;

use serde_json::json;
use wif_core::{
    failure::Failure,
    foreign_text::{lines, one_line},
};

use super::{
    arguments::{DriftArguments, DriftFormat},
    requests::{Purpose, read_for, requests_of},
};
use crate::{
    cli::{
        files::show,
        screen::{Host, INTERRUPTED},
        source::{nothing_read, tell_unread},
    },
    drift::{self, Compared, Difference, Standing},
    moment::Moment,
    request::Request,
    rule::{Context, Settings},
    snapshot::Snapshot,
};

/// The schema of what is printed as JSON.
const SCHEMA: &str = "wif.drift/1";
/// The longest line, in characters.
const MAX_LINE: usize = 1500;

/// Compares. The exit code is 10 where a connection is not what was asked for, and 12 where that is not known.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn drift(arguments: &DriftArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let requests = requests_of(&arguments.files)?;
    let ask = (&arguments.ask, arguments.cloud.into(), arguments.jobs);
    let (snapshot, ..) = read_for(&requests, ask, Purpose::Compare, host).await?;
    if host.is_interrupted.get() {
        return Ok(INTERRUPTED);
    }
    tell_unread(&snapshot, host);
    let now = arguments.ask.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let compared = compare_all(&snapshot, requests, now);
    let text = match arguments.format {
        DriftFormat::Text => lines(&as_text(&compared)),
        DriftFormat::Json => as_json(&compared),
    };
    show(&mut *host.out, &mut |out| out.write_all(text.as_bytes()))?;
    if let Some(code) = nothing_read(&snapshot) {
        return Ok(code);
    }
    let is_unread = compared.iter().any(|(_, one)| !one.unread.is_empty());
    let has_drift = compared.iter().any(|(_, one)| !one.differences.is_empty());
    Ok(match (is_unread && !arguments.allow_gaps, has_drift) {
        (true, _) => 12,
        (false, true) => 10,
        (false, false) => 0,
    })
}

fn compare_all(snapshot: &Snapshot, requests: Vec<Request>, now: Moment) -> Vec<(Request, Outcome)> {
    let settings = Settings::of_requests(now, requests);
    let context = Context::new(snapshot, &settings);
    let compared = settings.requests.iter().map(|request| match drift::find(&context, request) {
        Standing::There(entry) => {
            let Compared { differences, unread } = drift::compare(&context, request, entry);
            let unread = unread.iter().map(ToString::to_string).collect();
            (request.clone(), Outcome { is_there: Some(true), differences, unread })
        }
        Standing::Absent(_) => {
            let differences = vec![drift::absent(request)];
            (request.clone(), Outcome { is_there: Some(false), differences, unread: Vec::new() })
        }
        Standing::Unread(why) => {
            (request.clone(), Outcome { is_there: None, differences: Vec::new(), unread: vec![why] })
        }
    });
    compared.collect()
}

/// What a comparison has shown of one request.
struct Outcome {
    /// None, if that is not known.
    is_there: Option<bool>,
    differences: Vec<Difference>,
    unread: Vec<String>,
}

impl Outcome {
    const fn state(&self) -> &'static str {
        match (self.is_there, self.differences.is_empty(), self.unread.is_empty()) {
            (Some(false), ..) => "absent",
            (_, false, _) => "drifted",
            (_, true, false) => "unread",
            (_, true, true) => "same",
        }
    }
}

fn as_text(compared: &[(Request, Outcome)]) -> String {
    let mut out = String::new();
    // A `String` takes everything.
    let mut line = |text: &str| {
        let _ = writeln!(out, "{}", one_line(text, MAX_LINE));
    };
    for (request, outcome) in compared {
        let end = match outcome.state() {
            "same" => "as requested",
            "absent" => "there is no such connection",
            "unread" => "could not be compared",
            _ => "not as requested",
        };
        line(&format!("{} in {} ({}): {end}", request.connection, request.owner_project(), request.file));
        for one in &outcome.differences {
            line(&format!("  ~ {}: requested {}, found {}", one.field, one.requested, one.found));
        }
        for what in &outcome.unread {
            line(&format!("  not read: {what}"));
        }
    }
    let count = |state: &str| compared.iter().filter(|(_, outcome)| outcome.state() == state).count();
    line(&format!(
        "{} as requested, {} not as requested, {} absent, {} not read",
        count("same"),
        count("drifted"),
        count("absent"),
        count("unread")
    ));
    if compared.iter().any(|(_, outcome)| !outcome.differences.is_empty()) {
        line("Bring it back with: wif connection plan FILE… --output PLAN");
    }
    out
}

fn as_json(compared: &[(Request, Outcome)]) -> String {
    let requests: Vec<_> = compared
        .iter()
        .map(|(request, outcome)| {
            json!({
                "file": request.file,
                "connection": request.connection,
                "project": request.owner_project(),
                "state": outcome.state(),
                "differences": outcome.differences,
                "unread": outcome.unread,
            })
        })
        .collect();
    let mut text =
        serde_json::to_string_pretty(&json!({ "schema": SCHEMA, "requests": requests })).unwrap_or_default();
    text.push('\n');
    text
}
