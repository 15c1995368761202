//! The arrows: who may use whom.

use std::path::{Path, PathBuf};

use crate::support::sources;

/// Parts that are pure: no I/O, no clock, no globals.
const PURE: [&str; 7] = ["secret", "error", "foreign_text", "pem", "retry", "identity", "exports"];
/// What a pure part may not even name.
const OUTSIDE: [&str; 8] =
    ["tokio", "reqwest", "hyper", "std::fs", "std::env", "std::process", "std::net", "async "];
/// Edges that do not know each other; a use-case joins them.
const STRANGERS: [&str; 5] = ["devops", "entra", "management", "agent", "broker"];

/// Path, line number and text of every line of `src/` before its tests; an import is one line.
fn lines() -> Vec<(PathBuf, usize, String)> {
    let mut lines = Vec::new();
    for (path, text) in sources() {
        let mut import = None;
        for (at, line) in text.lines().enumerate() {
            // A group of imports over several lines is one statement.
            let (begin, statement) = import.take().unwrap_or((at + 1, String::new()));
            let statement = statement + line.trim();
            let open = statement.starts_with("use ") || statement.starts_with("pub use ");
            if open && !statement.ends_with(';') {
                import = Some((begin, statement));
            } else {
                lines.push((path.clone(), begin, statement));
            }
        }
    }
    lines
}

fn part(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Lines outside of comments that break a rule, as `file:line: text`.
fn broken(rule: impl Fn(&str, &str) -> bool) -> Vec<String> {
    lines()
        .into_iter()
        .filter(|(path, _, line)| !line.starts_with("//") && rule(&part(path), line))
        .map(|(path, at, line)| format!("src/{}:{at}: {}", path.display(), line.trim()))
        .collect()
}

/// The parts of this crate that a statement names, alone or in a group of imports.
fn named(statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, marker) in statement.match_indices("crate::") {
        let rest = &statement[at + marker.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(top_level(group)),
            None => found.extend(first_word(rest)),
        }
    }
    found
}

/// The first word of each member of a group, whose braces may nest.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut members) = (0, vec![String::new()]);
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            other => members.last_mut().unwrap().push(other),
        }
    }
    members.iter().filter_map(|member| first_word(member.trim())).collect()
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

#[test]
fn every_way_to_name_a_part_is_understood() {
    let of = |text: &str| named(text).join(" ");
    assert_eq!(of("use crate::cli::Arguments;"), "cli");
    assert_eq!(of("use crate::{agent::{a, b}, cli, task::x::{y}};"), "agent cli task");
    assert_eq!(of("let x = crate::entra::token::f(crate::http::g());"), "entra http");
    assert_eq!(of("use super::x;"), "");
}

#[test]
fn pure_parts_do_nothing_outside() {
    let found = broken(|part, line| PURE.contains(&part) && OUTSIDE.iter().any(|word| line.contains(word)));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn pure_parts_use_pure_parts_only() {
    let found = broken(|part, line| {
        PURE.contains(&part) && named(line).iter().any(|other| !PURE.contains(&other.as_str()))
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn edges_do_not_know_each_other_and_nobody_knows_the_command_line() {
    let found = broken(|part, line| {
        let strangers = STRANGERS.contains(&part);
        named(line).iter().any(|other| {
            let other = other.as_str();
            (other == "cli" && part != "cli")
                || (strangers && other != part && STRANGERS.contains(&other))
                || (strangers && ["task", "credential", "cli"].contains(&other))
        })
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_command_writer_and_main_write_to_the_user() {
    let found = broken(|part, line| {
        !matches!(part, "main" | "process")
            && (line.contains("io::stdout") || line.contains("println!") || line.contains("eprint"))
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_command_is_written_by_hand() {
    let found = lines()
        .into_iter()
        .filter(|(path, _, line)| {
            line.contains("\"##vso")
                && !path.ends_with("agent/commands.rs")
                && !line.trim_start().starts_with("//")
        })
        .collect::<Vec<_>>();
    assert_eq!(found, Vec::new());
}

/// The agent reads what scripts print, so that text of the command line must pass its filter.
#[test]
fn the_command_line_writes_through_its_screen_only() {
    let writes = ["writeln!", "write!(", "write_all", ".write("];
    let found = lines()
        .into_iter()
        .filter(|(path, _, line)| {
            let is_cli = path.starts_with("cli") && !path.ends_with("cli/screen.rs");
            (is_cli || path.ends_with("main.rs")) && writes.iter().any(|write| line.contains(write))
        })
        .map(|(path, at, line)| format!("src/{}:{at}: {}", path.display(), line.trim()))
        .collect::<Vec<_>>();
    assert_eq!(found, Vec::<String>::new());
}

/// One rule for foreign text: no other place decides which characters may be shown.
#[test]
fn only_one_module_makes_foreign_text_printable() {
    let found = lines()
        .into_iter()
        .filter(|(path, _, line)| {
            let decides = line.contains("is_control") && !path.ends_with("identity/resource.rs");
            decides && !path.ends_with("foreign_text.rs") && !line.trim_start().starts_with("//")
        })
        .map(|(path, at, line)| format!("src/{}:{at}: {}", path.display(), line.trim()))
        .collect::<Vec<_>>();
    assert_eq!(found, Vec::<String>::new());
}
