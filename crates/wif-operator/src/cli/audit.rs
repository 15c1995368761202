//! `wif audit`: reads, judges, writes the reports, and says by its exit code how bad it is.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use wif::{agent::commands::Commands, cli::unwritable};
use wif_core::{failure::Failure, foreign_text::one_line, secret::Secret};
use wif_io::private_folder::Folder;

use super::{
    files::{self, Readers, argument, check_places, pair, put, show, write_beside},
    options::{AuditArguments, FailOn},
    screen::{Host, INTERRUPTED},
    source::{nothing_read, snapshot, tell_unread},
};
use crate::{
    drift,
    formats::{Format, markdown},
    input,
    job::{self, Issue},
    judge::{Baseline, Earlier, Selection, judge},
    moment::Moment,
    nearest::nearest,
    read::progress::Progress,
    redact::{redact_request, without_addresses},
    report::{Report, SCHEMA},
    request::Request,
    rule::{Context, Settings},
    rules,
    severity::Severity,
    snapshot::Layer,
    waiver::{Target, WaiverState, parse_waivers},
    yaml,
};

/// The largest baseline, in bytes.
const MAX_BASELINE_BYTES: u64 = 512 * 1024 * 1024;
/// How many bytes mark a text as UTF-8.
const UTF_8_MARK: usize = 3;
/// The longest text of a file that an error shows, in characters.
const MAX_SHOWN: usize = 40;
/// The name of the report among a run's summaries.
const SUMMARY_FILE: &str = "wif-audit.md";
/// The most request files.
const MAX_REQUESTS: usize = 20_000;

/// How an audit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The exit code of the command.
    pub code: u8,
    /// Whether a finding counts. A gap takes the exit code of warnings, and so the code alone does not tell it.
    pub(super) has_counted: bool,
}

/// Audits. The exit code says what was found.
///
/// # Errors
///
/// Arguments or files are wrong, or standard output is gone.
pub async fn audit(arguments: &AuditArguments, host: &mut Host<'_>) -> Result<Audited, Failure> {
    let formats = if arguments.formats.is_empty() { &[Format::Text] } else { &*arguments.formats };
    let targets = pair(formats, &arguments.outputs, arguments.read.save.as_deref())?;
    let now = arguments.read.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    // Before anything is read: an audit that takes minutes must not end with a mistake in a file.
    let (mut settings, selection) = judgment(arguments, now, host.talk)?;
    check_places(&targets, arguments.read.save.as_deref())?;
    let mut differing = None;
    let snapshot = snapshot(&arguments.read, host, |snapshot| {
        differing = Some(drift::differing(&Context::new(snapshot, &settings)));
    });
    let snapshot = snapshot.await?;
    settings.differing = differing;
    // What is compared with a redacted snapshot, also with one of an earlier day, is redacted, too.
    if snapshot.redacted {
        settings.requests.iter_mut().for_each(redact_request);
    }
    let report = judge(&snapshot, &settings, &selection);
    let unread = nothing_read(&snapshot);
    tell_unread(&snapshot, host);
    drop(snapshot);
    for notice in &report.waivers {
        let what = match notice.state {
            WaiverState::Ended => "has ended, and what it was about counts again",
            WaiverState::Unused => "matches nothing",
        };
        host.talk.say(&format!("waiver {} {} until {}: it {what}", notice.rule, notice.target, notice.until));
    }
    let is_interrupted = host.is_interrupted.get();
    let mut is_data_on_screen = false;
    let mut files = Vec::new();
    for (format, output) in &targets {
        if let Some(path) = output.as_deref().filter(|path| host.may_replace(path)) {
            files.extend(write_beside(path, Readers::Usual, &mut |out| format.write(&report, out))?);
        }
    }
    put(files)?;
    for (format, _screen) in targets.iter().filter(|(_, output)| output.is_none()) {
        is_data_on_screen |= !format.is_for_people();
        let look = host.look;
        show(&mut *host.out, &mut |out| format.write_to_screen(&report, look, out))?;
    }
    if is_interrupted && targets.iter().all(|(_, output)| output.is_some()) {
        let look = host.look;
        show(&mut *host.out, &mut |out| Format::Text.write_to_screen(&report, look, out))?;
    }
    // What was read before a cancellation is not a result of the run.
    if host.env.is_true("TF_BUILD") && !is_data_on_screen && !is_interrupted {
        tell_job(&report, host)?;
    }
    if is_interrupted {
        return Ok(Audited { code: INTERRUPTED, has_counted: false });
    }
    let worst = worst(&report, arguments.fail_on);
    let code = unread.unwrap_or_else(|| exit_code(&report, worst, arguments.read.allow_gaps));
    Ok(Audited { code, has_counted: worst.is_some() })
}

/// What the rules are to judge by.
fn judgment(
    arguments: &AuditArguments,
    now: Moment,
    talk: &Progress,
) -> Result<(Settings, Selection), Failure> {
    let mut selected = BTreeSet::new();
    for code in &arguments.rules {
        let Some(rule) = rules::with_code(code) else {
            let near = nearest(code, rules::ALL.iter().map(|rule| rule.code));
            let hint = format!("did you mean {}? wif explain lists all", near.join(", "));
            return Err(argument(format!("--rule '{code}' is not a rule"), &hint));
        };
        selected.insert(rule.code.to_owned());
    }
    if arguments.fail_on.only_new && arguments.baseline.is_none() {
        let hint = "give the JSON of the last audit with --baseline, or leave new: out";
        return Err(argument("--fail-on new:… needs to know what is new, and --baseline is not given", hint));
    }
    let waivers = arguments.waivers.as_deref().map(|path| {
        let text = yaml::text_of(path)?;
        parse_waivers(&text, &path.display().to_string(), now)
    });
    let waivers = waivers.transpose().map_err(|error| {
        Failure::new(wif_core::code::Code::ArgumentInvalid, error, "mend the file of --waivers")
    })?;
    let mut waivers = waivers.unwrap_or_default();
    if arguments.read.redact {
        for waiver in &mut waivers {
            "(not shown)".clone_into(&mut waiver.owner);
            waiver.reason = without_addresses(&waiver.reason);
            let (Target::Connection(name) | Target::Project(name) | Target::Name(name)) = &mut waiver.target;
            *name = without_addresses(name);
        }
    }
    let baseline = arguments.baseline.as_deref().map(baseline_of).transpose()?;
    let requests = arguments.requests.as_deref().map(|folder| requests(folder, talk)).transpose()?;
    let settings = Settings {
        now,
        expires_within: arguments.expires_within,
        unused_for: arguments.unused_for,
        requests: requests.unwrap_or_default(),
        differing: None,
    };
    let selection = Selection { rules: selected, waivers, baseline };
    Ok((settings, selection))
}

/// What a report that does not say its layer may have read.
const fn deepest() -> Layer {
    Layer::Use
}

/// The findings of an earlier report.
fn baseline_of(path: &Path) -> Result<Baseline, Failure> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object with schema and findings")]
    struct EarlierReport {
        schema: String,
        #[serde(default = "deepest")]
        layer: Layer,
        findings: Option<Vec<EarlierFinding>>,
    }
    #[derive(Deserialize)]
    struct EarlierFinding {
        fingerprint: String,
        #[serde(flatten)]
        about: Earlier,
    }
    let shown = path.display();
    let hint = "give the JSON that --format json of an earlier audit wrote";
    let unreadable = |error: io::Error| argument(format!("--baseline {shown} cannot be read: {error}"), hint);
    let file = input::open(path).map_err(unreadable)?;
    let mut file = BufReader::new(file.take(MAX_BASELINE_BYTES));
    // Programs of Windows mark UTF-8 so, and PowerShell writes UTF-16 where a shell's > does.
    match file.fill_buf().map_err(unreadable)? {
        [0xef, 0xbb, 0xbf, ..] => file.consume(UTF_8_MARK),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            let hint = "write the report with --output, not with > of PowerShell";
            return Err(argument(format!("--baseline {shown} is text in UTF-16; accepted is UTF-8"), hint));
        }
        _ => {}
    }
    let earlier: EarlierReport = serde_json::from_reader(file).map_err(|error| {
        argument(format!("--baseline {shown} is not a report of an audit: {error}"), hint)
    })?;
    if earlier.schema != SCHEMA {
        let found = one_line(&earlier.schema, MAX_SHOWN);
        let error = format!("--baseline {shown} has the schema '{found}', accepted is {SCHEMA}");
        return Err(argument(error, hint));
    }
    let Some(findings) = earlier.findings else {
        return Err(argument(
            format!("--baseline {shown} is not a report of an audit: it has no findings"),
            hint,
        ));
    };
    let findings = findings.into_iter().map(|finding| (finding.fingerprint, finding.about));
    Ok(Baseline { layer: earlier.layer, findings: findings.collect() })
}

/// The requests of a folder: its files that end in .yaml, .yml or .json, by name.
fn requests(folder: &Path, talk: &Progress) -> Result<Vec<Request>, Failure> {
    let shown = folder.display();
    let hint = "name a folder of request files: .yaml, .yml or .json";
    let unreadable = |error| argument(format!("--requests {shown} cannot be read: {error}"), hint);
    let (mut paths, mut folders) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
        if path.is_dir() {
            folders += 1;
        } else if ["yaml", "yml", "json"].contains(&end.as_str()) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.len() > MAX_REQUESTS {
        return Err(argument(format!("--requests {shown} has more than {MAX_REQUESTS} files"), hint));
    }
    // Nothing would be compared, and nothing would say so.
    if paths.is_empty() {
        return Err(argument(
            format!("--requests {shown} has no file that ends in .yaml, .yml or .json"),
            hint,
        ));
    }
    if folders > 0 {
        talk.say(&format!("--requests {shown}: the folders in it are not read"));
    }
    files::requests(paths.iter().map(PathBuf::as_path))
}

/// The worst severity of what counts.
fn worst(report: &Report, fail_on: FailOn) -> Option<Severity> {
    let counts = |severity| fail_on.level.is_some_and(|level| severity >= level);
    let counted =
        report.open().filter(|finding| counts(finding.severity) && (finding.new || !fail_on.only_new));
    counted.map(|finding| finding.severity).max()
}

/// 11 faults, 12 gaps, 10 warnings, 0: the worst of what counts.
fn exit_code(report: &Report, worst: Option<Severity>, allow_gaps: bool) -> u8 {
    match worst {
        Some(Severity::Fault) => 11,
        _ if !allow_gaps && report.gaps().next().is_some() => 12,
        Some(_) => 10,
        None => 0,
    }
}

/// In a job: the run's summary, and an issue for each rule.
fn tell_job(report: &Report, host: &mut Host<'_>) -> Result<(), Failure> {
    let issues = job::issues(report);
    let folder = host.env.get("AGENT_TEMPDIRECTORY").filter(|folder| !folder.is_empty());
    let summary = folder.map(|folder| summary(report, folder.as_ref()));
    let mut commands = Commands::new(&mut *host.out, host.env);
    let told =
        issues.iter().try_for_each(|Issue { is_error, code, text }| commands.issue(*is_error, code, text));
    let told = told.and_then(|()| match &summary {
        Some(Ok(path)) => commands.upload_summary(&path.to_string_lossy()),
        Some(Err(failure)) => {
            commands.warning(&format!("The run has no summary of this: {}", failure.story()))
        }
        None => commands.warning("The run has no summary of this: the agent did not set AGENT_TEMPDIRECTORY"),
    });
    told.map_err(unwritable)
}

/// Writes the run's summary into a private folder of its own: the agent reads it some time after it hears of it, and so a later
/// audit of the job must not write to the same file. The file stays until the agent empties its temporary folder.
fn summary(report: &Report, temp_folder: &Path) -> Result<PathBuf, Failure> {
    let mut text = Vec::new();
    markdown::write(report, &mut text).map_err(unwritable)?;
    let folder = Folder::create(Folder::propose(temp_folder)?)?;
    let path = folder.write(SUMMARY_FILE, &Secret::new(String::from_utf8_lossy(&text).into_owned()))?;
    folder.keep();
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rule::Context,
        testing::{Planted, settings, store_secret},
    };

    fn report_of(planted: Planted) -> Report {
        judge(&planted.snapshot(), &settings(), &Selection::default())
    }

    fn level(level: Option<Severity>) -> FailOn {
        FailOn { level, only_new: false }
    }

    #[test]
    fn the_exit_code_is_the_worst_of_what_counts() {
        let fault = report_of(Planted::new().with(2, store_secret));
        let mut warning = report_of(Planted::new().with(2, |connection, _| connection.description = None));
        let exit_code =
            |report: &Report, fail_on, allow_gaps| exit_code(report, worst(report, fail_on), allow_gaps);
        assert_eq!(exit_code(&fault, level(Some(Severity::Warning)), false), 11);
        assert_eq!(exit_code(&fault, level(Some(Severity::Fault)), false), 11);
        assert_eq!(exit_code(&fault, level(None), false), 0);
        assert_eq!(exit_code(&fault, FailOn { level: Some(Severity::Note), only_new: true }, false), 0);
        assert_eq!(exit_code(&warning, level(Some(Severity::Note)), false), 10);
        assert_eq!(exit_code(&warning, level(Some(Severity::Warning)), false), 0);
        warning.coverage[0].state = crate::snapshot::State::Denied;
        assert_eq!(exit_code(&warning, level(Some(Severity::Note)), false), 12);
        assert_eq!(exit_code(&warning, level(None), false), 12);
        assert_eq!(exit_code(&warning, level(Some(Severity::Note)), true), 10);
        assert_eq!(exit_code(&warning, level(None), true), 0);
    }

    #[test]
    fn an_inventory_has_no_findings() {
        let (snapshot, settings) = (Planted::new().with(2, store_secret).snapshot(), settings());
        let report = crate::judge::inventory(&Context::new(&snapshot, &settings));
        assert_eq!((report.connections.len(), report.findings.len()), (2, 0));
    }
}
