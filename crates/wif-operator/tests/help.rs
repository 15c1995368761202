//! The help of the operators' program: groups, examples, exit codes, and lines that fit.

use std::process::Command;
#[cfg(target_os = "linux")]
use std::{fs::File, process::Stdio};

use clap::CommandFactory as _;
use wif_operator::cli::{self, Arguments};

fn operator(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
    let output = command.args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Every command, with the words that call it and its help text.
fn all() -> Vec<(Vec<String>, String)> {
    fn below(command: &clap::Command, path: &[String], found: &mut Vec<(Vec<String>, String)>) {
        found.push((path.to_vec(), command.clone().render_long_help().to_string()));
        for command in command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help")
        {
            below(command, &[path, &[command.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    below(&Arguments::command(), &[], &mut found);
    found
}

#[test]
fn every_command_is_in_a_group_with_what_it_does() {
    let program = Arguments::command();
    let help = program.clone().render_long_help().to_string();
    for command in program.get_subcommands().filter(|one| one.get_name() != "help") {
        let line = format!("  {:<12}{}", command.get_name(), command.get_about().unwrap());
        assert_eq!(help.lines().any(|one| one == line), !command.is_hide_set(), "src/cli/help.rs: '{line}'");
    }
}

#[test]
fn every_command_has_examples_that_are_commands_and_its_exit_codes() {
    let (mut seen, all) = (0, all());
    for (path, help) in &all {
        for heading in ["\nExamples:\n", "\nExit codes: "] {
            assert!(help.contains(heading), "{path:?}: {help}");
        }
        for example in help.lines().filter_map(|line| line.strip_prefix("  wif ")) {
            let words = example.split(' ').take_while(|word| !["<", ">", "#"].contains(word));
            let words = words.map(|word| word.trim_matches('\'').to_owned()).collect::<Vec<_>>();
            let arguments = [vec!["wif-operator".to_owned()], words].concat();
            let parsed = cli::parse::<Arguments>(arguments.into_iter().map(Into::into));
            assert!(parsed.is_ok(), "wif {example}: {}", parsed.unwrap_err().text);
            seen += 1;
        }
    }
    assert!(seen > 30 && all.len() > 15, "{seen}");
}

#[test]
fn options_are_in_groups() {
    let help = operator(&["convert", "plan", "--help"], &[]);
    let at = |word: &str| help.find(word).unwrap_or_else(|| panic!("{word}: {help}"));
    let order =
        ["\nOptions:", "--color", "\nWhere to ask:", "--organization", "--jobs", "\nWhich connections:"];
    let order =
        order.into_iter().chain(["--connection", "--rule", "\nThe plan:", "--output", "--allow-gaps"]);
    let places: Vec<_> = order.map(at).collect();
    assert!(places.is_sorted(), "{places:?} {help}");
}

#[test]
fn help_fits_and_the_version_has_commit_and_target() {
    for (path, _) in all() {
        let words: Vec<_> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let (mut is_example, help) = (false, operator(&words, &[("COLUMNS", "60")]));
        for line in help.lines() {
            is_example = if line.starts_with(' ') { is_example } else { line == "Examples:" };
            let is_name = line.trim().starts_with('-') || !line.trim().contains(' ');
            assert!(line.chars().count() <= 60 || is_example || is_name, "{path:?}: {line}");
        }
        assert!(!help.contains('\u{1b}'), "{help}");
    }
    let colored = operator(&["--color", "always", "convert", "plan", "--help"], &[]);
    assert!(colored.contains("\u{1b}[1m--all-eligible\u{1b}[0m"), "{colored}");
    let version = operator(&["--version"], &[]);
    assert_eq!(version, format!("wif-operator {}\n", wif::cli::VERSION));
    assert!(version.contains(&format!(", {}", std::env::consts::ARCH)), "{version}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_the_machines_fault_and_not_ours() {
    for arguments in [&["schema", "request"][..], &["explain", "WIF6101"], &["--help"], &["audit", "--help"]]
    {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
        let command = command.args(arguments).env_clear().stdout(full).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(
            error.starts_with("error WIF4020: standard output cannot be written: No space left"),
            "{error}"
        );
        assert!(error.contains("at fault: this machine"), "{error}");
    }
}
