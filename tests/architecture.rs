//! The arrows: which part may use which. The manifests of the crates hold what the compiler can hold; here is the rest.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::support::{Imports, SHIPPED, circles, sources};

/// The crates of this project that each crate may use.
const CRATES: [(&str, &[&str]); 6] = [
    ("wif-core", &[]),
    ("wif-io", &["wif-core"]),
    ("wif-azure", &["wif-core", "wif-io"]),
    ("wif-broker", &["wif-core", "wif-io"]),
    ("wif", &["wif-azure", "wif-broker", "wif-core", "wif-io"]),
    ("wif-operator", &["wif", "wif-azure", "wif-core", "wif-io"]),
];

/// What the pure crate has no use for: a clock, I/O, an executor.
const IMPURE: [&str; 8] =
    ["tokio", "reqwest", "hyper", "hyper-util", "rustix", "getrandom", "tracing", "rustls"];

/// The other parts of `src` that each part may use; what a line does not name it may not use.
const PARTS: [(&str, &[&str]); 14] = [
    ("main", &["agent", "cli", "doctor", "exec", "session", "task", "world"]),
    ("cli", &["agent", "doctor", "exec", "sources"]),
    ("exec", &["agent", "doctor", "session", "sign_in", "sources", "targets", "task"]),
    ("task", &["agent", "doctor", "guards", "session", "sign_in", "sources", "targets", "world"]),
    ("credential", &["agent", "guards", "sign_in", "sources"]),
    ("doctor", &["agent", "sign_in", "sources", "targets", "user_tokens"]),
    ("user_tokens", &["agent"]),
    ("session", &["agent", "guards", "sign_in", "sources", "targets"]),
    ("sign_in", &["agent", "sources"]),
    ("sources", &["agent", "aws"]),
    ("targets", &["agent", "aws"]),
    ("aws", &[]),
    ("guards", &["agent"]),
    ("agent", &["aws"]),
];

fn metadata() -> Value {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    serde_json::from_slice(&cargo.stdout).unwrap()
}

/// The dependencies of a crate that ship.
fn shipped_dependencies(metadata: &Value, name: &str) -> BTreeSet<String> {
    let package =
        metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == name).unwrap();
    let all = package["dependencies"].as_array().unwrap().iter();
    let shipped = all.filter(|dependency| dependency["kind"].is_null());
    shipped.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn crates_use_those_below_them_and_the_pure_one_has_nothing_to_reach_the_world_with() {
    let metadata = metadata();
    for (name, below) in CRATES {
        let all = shipped_dependencies(&metadata, name);
        let ours: BTreeSet<_> =
            all.iter().filter(|name| name.starts_with("wif")).map(String::as_str).collect();
        assert_eq!(ours, below.iter().copied().collect(), "{name}");
    }
    let pure = shipped_dependencies(&metadata, "wif-core");
    assert_eq!(IMPURE.iter().filter(|name| pure.contains(**name)).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = Imports::read(sources(&["src", "crates", "emulator/src", "xtask/src"]));
    let arrows = imports.arrows();
    assert!(arrows.len() > 400, "{}", arrows.len());
    let found: Vec<_> = circles(&arrows).into_iter().map(|(from, to)| format!("{from} -> {to}")).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_part_uses_one_above_it() {
    let part = |path: &str| {
        let rest = path.strip_prefix("src/")?;
        Some(rest.split(['/', '.']).next()?.to_owned())
    };
    let mut found = Vec::new();
    for (from, to) in Imports::read(sources(&["src"])).arrows() {
        let (Some(one), Some(other)) = (part(&from), part(&to)) else { continue };
        let may = PARTS.iter().find(|(name, _)| *name == one).map(|(_, may)| *may).unwrap_or_default();
        if one != other && !may.contains(&other.as_str()) {
            found.push(format!("{from} -> {to}"));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Lines outside of comments that break a rule, as `file:line: text`.
fn broken(rule: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources(&SHIPPED) {
        for (at, line) in source.code.lines().enumerate() {
            let line = line.trim();
            if !line.starts_with("//") && rule(&source.path, line) {
                found.push(format!("{}:{}: {line}", source.path, at + 1));
            }
        }
    }
    found
}

#[test]
fn only_the_command_writer_and_main_write_to_the_user() {
    let found = broken(|path, line| {
        let may = path.ends_with("src/main.rs") || path.starts_with("crates/wif-io/src/process");
        !may && (line.contains("io::stdout") || line.contains("println!") || line.contains("eprint"))
    });
    assert_eq!(found, Vec::<String>::new());
}

/// The writer of commands.
const COMMAND_WRITER: &str = "src/agent/commands.rs";

#[test]
fn no_command_is_written_by_hand() {
    let found = broken(|path, line| line.contains("\"##vso") && path != COMMAND_WRITER);
    assert_eq!(found, Vec::<String>::new());
}

/// The agent reads what scripts print, so that text of the command line must pass its filter.
#[test]
fn the_command_line_writes_through_its_screen_only() {
    let writes = ["writeln!", "write!(", "write_all", ".write("];
    let found = broken(|path, line| {
        let is_cli = path.starts_with("src/cli/") && path != "src/cli/screen.rs";
        (is_cli || path == "src/main.rs") && writes.iter().any(|write| line.contains(write))
    });
    assert_eq!(found, Vec::<String>::new());
}

/// One rule for foreign text: no other place decides which characters may be shown.
#[test]
fn only_one_module_makes_foreign_text_printable() {
    let found = broken(|path, line| {
        line.contains("is_control")
            && !path.starts_with("crates/wif-core/src/foreign_text/")
            && !path.ends_with("azure/resource.rs")
    });
    assert_eq!(found, Vec::<String>::new());
}
