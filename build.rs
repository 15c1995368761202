//! `task/task.json` is the one source of the inputs and of the version: this generates their names and defaults
//! for the code, and fails when another manifest disagrees. It also tells the code of which commit and for which platform it
//! is built.

use std::{env, error::Error, fmt::Write as _, fs, path::Path, process::Command};

use serde_json::Value;

const TASK: &str = "task/task.json";
const AUDIT_TASK: &str = "audit-task/task.json";
const EXTENSION: &str = "vss-extension.json";
/// What `wif --version` says of the sources: this variable, else what git says.
const COMMIT: &str = "WIF_COMMIT";

#[expect(clippy::disallowed_methods, reason = "Cargo speaks to build scripts through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TASK}");
    println!("cargo::rerun-if-changed={AUDIT_TASK}");
    println!("cargo::rerun-if-changed={EXTENSION}");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    println!("cargo::rustc-env={COMMIT}={}", commit());
    println!("cargo::rustc-env=WIF_TARGET={}", env::var("TARGET")?);
    let task = read(TASK)?;
    let version = version(TASK, &task)?;
    agree(AUDIT_TASK, &self::version(AUDIT_TASK, &read(AUDIT_TASK)?)?, &version)?;
    agree("Cargo.toml", &env::var("CARGO_PKG_VERSION")?, &version)?;
    let extension = read(EXTENSION)?;
    agree(EXTENSION, text(&extension, "version").unwrap_or_default(), &version)?;

    let mut code = String::new();
    let mut all = String::new();
    for input in task.get("inputs").and_then(Value::as_array).ok_or(format!("{TASK}: no inputs"))? {
        let name = text(input, "name").ok_or(format!("{TASK}: an input has no name"))?;
        let default = text(input, "defaultValue").unwrap_or_default();
        let help = first_sentence(text(input, "helpMarkDown").unwrap_or_default());
        let group = text(input, "groupName").unwrap_or_default();
        writeln!(
            code,
            "/// The input `{name}`.\npub(in crate::agent) const {}: Input = Input {{ name: {}, variable: {}, alias: {}, option: {}, help: {}, group: {}, default: {} }};",
            constant(name),
            literal(name),
            literal(&variable(name)),
            alias(input)?,
            literal(&constant(name).to_lowercase().replace('_', "-")),
            literal(&help),
            literal(group),
            literal(default),
        )?;
        write!(all, "{}, ", constant(name))?;
    }
    writeln!(code, "/// Every input.\npub(in crate::agent) const ALL: &[Input] = &[{all}];")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("task.rs"), code)?;
    Ok(())
}

/// The first sentence of a help text, without the marks of Markdown: the help of the option of the same name.
fn first_sentence(markdown: &str) -> String {
    let end = [". ", ".\n", ":\n", "\n"].into_iter().filter_map(|end| markdown.find(end)).min();
    let sentence = end.and_then(|end| markdown.get(..end)).unwrap_or(markdown);
    sentence.trim_end_matches('.').replace('`', "")
}

/// The commit that is built. Git is asked for a release only: during development every commit would compile anew.
#[expect(clippy::disallowed_methods, reason = "Cargo speaks to build scripts through the environment")]
fn commit() -> String {
    let harmless =
        |text: &String| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if let Some(given) = env::var(COMMIT).ok().filter(harmless) {
        return given;
    }
    if env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return "development".to_owned();
    }
    // An archive of the sources may lie inside of another repository, whose commit would be a lie.
    let is_top = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty());
    let described = git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|_| is_top) {
        println!("cargo::rerun-if-changed={log}");
    }
    described.filter(|text| is_top && harmless(text)).unwrap_or_else(|| "unknown".to_owned())
}

/// What git prints; none where there is no git or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

fn version(path: &str, task: &Value) -> Result<String, String> {
    let number = |part: &str| {
        let value = task.pointer(&format!("/version/{part}")).and_then(Value::as_u64);
        value.ok_or_else(|| format!("{path}: version.{part} is no number"))
    };
    Ok(format!("{}.{}.{}", number("Major")?, number("Minor")?, number("Patch")?))
}

fn read(path: &str) -> Result<Value, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?)
}

fn agree(manifest: &str, version: &str, expected: &str) -> Result<(), String> {
    if version == expected {
        return Ok(());
    }
    Err(format!("{manifest} has version {version}, {TASK} has {expected}: they must be the same"))
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// The variable in which the agent passes an input.
fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase())
}

/// The variable of an input's other name, as an expression of the type `Option<&str>`.
fn alias(input: &Value) -> Result<String, String> {
    match input.get("aliases").and_then(Value::as_array).map(Vec::as_slice) {
        None => Ok("None".to_owned()),
        Some([Value::String(name)]) => Ok(format!("Some({})", literal(&variable(name)))),
        Some(_) => Err(format!("{TASK}: an input has one other name at the most")),
    }
}

/// A Rust string literal.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

/// `accessTokens` becomes `ACCESS_TOKENS`.
fn constant(name: &str) -> String {
    let mut text = String::new();
    let mut after_small = false;
    for character in name.chars() {
        if character.is_uppercase() && after_small {
            text.push('_');
        }
        after_small = character.is_lowercase();
        text.extend(character.to_uppercase());
    }
    text
}
