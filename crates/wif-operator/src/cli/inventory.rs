//! `wif inventory`: the connections, without judgment.

use std::io::Write;

use wif_core::failure::Failure;

use super::{
    files::{Readers, argument, check_places, pair, show, write},
    options::{InventoryArguments, InventoryFormat},
    screen::{Host, INTERRUPTED},
    source::{absent, nothing_read, snapshot, tell_unread},
};
use crate::{
    formats::inventory::{write_chain, write_csv, write_json, write_text},
    judge,
    look::Look,
    moment::Moment,
    redact::without_addresses,
    report::Report,
    rule::{Context, Settings},
};

/// Lists. The exit code is 12 where something could not be read.
///
/// # Errors
///
/// Arguments or files are wrong, or standard output is gone.
pub async fn inventory(arguments: &InventoryArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let formats = if arguments.formats.is_empty() { &[InventoryFormat::Text] } else { &*arguments.formats };
    if arguments.chain && formats.iter().any(|format| *format != InventoryFormat::Text) {
        let error = "--chain is for people: of --format, text goes with it";
        return Err(argument(error, "leave --format out, or --chain: JSON has all of it"));
    }
    let targets = pair(formats, &arguments.outputs, arguments.read.save.as_deref())?;
    check_places(&targets, arguments.read.save.as_deref())?;
    let snapshot = snapshot(&arguments.read, host, |_| {}).await?;
    tell_unread(&snapshot, host);
    let now = arguments.read.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let settings = Settings::of_requests(now, Vec::new());
    let mut report = judge::inventory(&Context::new(&snapshot, &settings));
    // A name that holds an address has none in what is redacted.
    let wanted = arguments.connections.iter();
    let wanted: Vec<_> =
        wanted.map(|name| if report.redacted { without_addresses(name) } else { name.clone() }).collect();
    select(&mut report, &wanted)?;
    let screen = host.look;
    for (format, output) in &targets {
        let look = if output.is_some() { Look::default() } else { screen };
        let mut content = |out: &mut dyn Write| match format {
            InventoryFormat::Text if arguments.chain => write_chain(&report, look, out),
            InventoryFormat::Text => write_text(&report, look, out),
            InventoryFormat::Json => write_json(&report, out),
            InventoryFormat::Csv => write_csv(&report, out),
        };
        match output {
            Some(path) if host.may_replace(path) => write(path, Readers::Usual, &mut content)?,
            Some(_) => {}
            None => show(&mut *host.out, &mut content)?,
        }
    }
    if host.is_interrupted.get() {
        if targets.iter().all(|(_, output)| output.is_some()) {
            show(&mut *host.out, &mut |out| write_text(&report, screen, out))?;
        }
        return Ok(INTERRUPTED);
    }
    let has_gaps = report.gaps().next().is_some() && !arguments.read.allow_gaps;
    Ok(nothing_read(&snapshot).unwrap_or(if has_gaps { 12 } else { 0 }))
}

fn select(report: &mut Report, wanted: &[String]) -> Result<(), Failure> {
    for name in wanted {
        let is_meant = |one: &crate::report::ConnectionEntry| is(one, name);
        if !report.connections.iter().any(is_meant) {
            let names = report.connections.iter().map(|one| one.name.as_str());
            return Err(absent("--connection", name, names, "what was read"));
        }
    }
    if !wanted.is_empty() {
        report.connections.retain(|one| wanted.iter().any(|name| is(one, name)));
    }
    Ok(())
}

fn is(one: &crate::report::ConnectionEntry, name: &str) -> bool {
    one.name.to_lowercase() == name.to_lowercase() || one.id.to_string().eq_ignore_ascii_case(name)
}
