//! `test`: what CI runs.

mod counts;
mod table;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    compare,
    process::{Result, cargo, forget_package, node, output, root, run, target},
    stage, tools,
};
use counts::{from_doc_tests, from_junit, from_tap};
use table::{Found, Row, State};

/// Runs the tests; `.config/nextest.toml` requires this version or a later one.
const NEXTEST: &str = "0.9.143";
/// Where the profile `default` of `.config/nextest.toml` has its results. It is the workspace's `target`, wherever Cargo builds.
const JUNIT: &str = "target/nextest/default/junit.xml";

const UNREADABLE: &str = "the results cannot be read: the format of the tool may have changed";

struct Check {
    name: &'static str,
    run: fn(&mut Found) -> Result<()>,
}

/// The quick ones first.
const CHECKS: [Check; 9] = [
    Check { name: "format", run: format },
    Check { name: "lints", run: lints },
    Check { name: "documentation", run: documentation },
    Check { name: "shim", run: shim },
    Check { name: "shim with Node 24", run: shim_with_node24 },
    Check { name: "staged program", run: staged_program },
    Check { name: "tests", run: tests },
    Check { name: "doc tests", run: doc_tests },
    Check { name: "staged program beside the one with every feature", run: comparison },
];

/// Every check, or those with `only` in their names. Stops at the first that fails, and prints a table in any case.
pub(crate) fn test(only: Option<&str>) -> Result<()> {
    let checks: Vec<_> =
        CHECKS.iter().filter(|check| only.is_none_or(|only| check.name.contains(only))).collect();
    if checks.is_empty() {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        return Err(format!("no check has that in its name; there are: {}", names.join(", ")));
    }
    let mut result = Ok(());
    let mut rows = Vec::new();
    for Check { name, run } in checks {
        let mut found = Found::default();
        if result.is_err() {
            rows.push(Row { name, state: State::NotRun, found, seconds: None });
            continue;
        }
        println!("\n== {name}");
        let began = now();
        result = run(&mut found).map_err(|error| format!("{name}: {error}"));
        let state = if result.is_ok() { State::Passed } else { State::Failed };
        rows.push(Row { name, state, found, seconds: Some(began.elapsed().as_secs_f64()) });
    }
    println!("\n== what ran\n{}", table::table(&rows));
    result
}

#[expect(clippy::disallowed_methods, reason = "a chore lives in the time of the person who waits for it")]
fn now() -> Instant {
    Instant::now()
}

fn format(_found: &mut Found) -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn lints(_found: &mut Found) -> Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
}

fn documentation(_found: &mut Found) -> Result<()> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"]);
    run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
}

fn shim(found: &mut Found) -> Result<()> {
    found.note = Some(format!("Node {}", output(&mut node(&["--version"]))?));
    run_shim_tests(found, &mut node(&["--test"]))
}

fn shim_with_node24(found: &mut Found) -> Result<()> {
    let Some(node24) = tools::node24()? else {
        found.not_tested.push("npm has no Node 24 for this machine that these tests use".to_owned());
        return Ok(());
    };
    found.note = Some(format!("Node {}", output(Command::new(&node24).arg("--version"))?));
    run_shim_tests(found, node(&["--test"]).env("WIF_SHIM_NODE", node24))
}

/// Runs the shim's tests; Node writes for people as ever, and its counts into a file.
fn run_shim_tests(found: &mut Found, node: &mut Command) -> Result<()> {
    let tap = target()?.join("tmp").join("shim.tap");
    fs::create_dir_all(target()?.join("tmp")).map_err(|error| format!("target/tmp: {error}"))?;
    forget(&tap)?;
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap"]);
    node.arg(format!("--test-reporter-destination={}", tap.display())).args(shim_tests()?);
    let result = run(node);
    found.count = from_tap(&fs::read_to_string(&tap).unwrap_or_default());
    result?;
    counted(found)
}

/// Named one by one: not every Node takes a folder or a pattern.
fn shim_tests() -> Result<Vec<String>> {
    let folder = root().join("tests").join("shim");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path().to_str()?.to_owned()))
        .filter(|path| path.ends_with(".test.js"))
        .collect();
    files.sort();
    if files.is_empty() { Err(format!("no tests in {}", folder.display())) } else { Ok(files) }
}

fn staged_program(_found: &mut Found) -> Result<()> {
    stage::stage().map(|_folder| ())
}

/// All tests but those in documentation, which cargo-nextest does not know.
fn tests(found: &mut Found) -> Result<()> {
    let mut nextest = Command::new(nextest()?);
    nextest.args(["nextest", "run", "--workspace", "--locked", "--profile", "default"]).current_dir(root());
    // Half of its time a test waits for a timer or for another process.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    nextest.arg(format!("--test-threads={}", 2 * cores));
    forget_package(&mut nextest);
    // Each process would make key pairs of its own, which takes longer than most tests.
    let keys = target()?.join("tmp").join("emulator-keys");
    fs::create_dir_all(&keys).map_err(|error| format!("{}: {error}", keys.display()))?;
    nextest.env("EMULATOR_KEYS", keys);
    let junit = root().join(JUNIT);
    forget(&junit)?;
    let result = run(&mut nextest);
    if let Ok(text) = fs::read_to_string(&junit) {
        let binaries = from_junit(&text);
        found.count = binaries.iter().map(|binary| binary.count).reduce(|sum, count| sum + count);
        found.not_tested = counts::not_tested(&text);
        found.binaries = binaries;
    }
    result?;
    counted(found)
}

/// cargo-nextest as it is on the `PATH`, if it has the version that its configuration requires; or installed.
fn nextest() -> Result<PathBuf> {
    let mut version = Command::new("cargo-nextest");
    let fits = output(version.args(["nextest", "show-config", "version"]).current_dir(root()));
    let Err(error) = fits else { return Ok("cargo-nextest".into()) };
    println!(
        "The tests are run by cargo-nextest {NEXTEST} or later, which is not on the PATH: {}",
        error.trim()
    );
    println!("It is installed for this tree only, which takes some minutes once");
    tools::crate_program("cargo-nextest", NEXTEST, &["--no-default-features", "--features=default-no-update"])
}

/// The examples in documentation.
fn doc_tests(found: &mut Found) -> Result<()> {
    let mut command = cargo(&["test", "--workspace", "--locked", "--doc"]);
    let failed = |error: std::io::Error| format!("cargo test --doc: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(failed)?;
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().map_err(failed)?;
    found.count = from_doc_tests(&text);
    match (status.success(), found.count) {
        (false, _) => Err(format!("`cargo test --doc` failed ({status})")),
        (true, None) => Err(UNREADABLE.to_owned()),
        // There need not be any.
        (true, Some(_)) => Ok(()),
    }
}

fn comparison(found: &mut Found) -> Result<()> {
    found.note = Some(compare::compare(&root().join("task"))?);
    Ok(())
}

/// Removes the results of an earlier run, so that they are not taken for those of this one.
fn forget(results: &PathBuf) -> Result<()> {
    match fs::remove_file(results) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", results.display()))
        }
        _ => Ok(()),
    }
}

/// The success of a tool that ran no test, or whose results cannot be read, is none.
fn counted(found: &Found) -> Result<()> {
    match found.count {
        Some(count) if count.failed > 0 => Err(format!("{} tests failed", count.failed)),
        Some(count) if count.passed > 0 => Ok(()),
        Some(_) => Err("no test ran".to_owned()),
        None => Err(UNREADABLE.to_owned()),
    }
}
