//! `wif explain`, as a program, without a pipeline and without a network.

use std::{
    fs::File,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use wif_core::refusals;

fn wif(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wif")).args(arguments).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_unknown_code_is_the_callers_fault() {
    for name in ["AADSTS1", "WIF0000", "nonsense"] {
        let output = wif(&["explain", name]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let error = text(&output.stderr);
        assert!(error.starts_with(&format!("error WIF1012: unknown code or name '{name}'")), "{error}");
        assert!(error.contains("fix: run `wif explain` alone for a list"), "{error}");
    }
}

#[test]
fn what_it_prints_is_what_the_pages_say() {
    // Without the marks of Markdown, on both sides, wherever their lines end.
    let letters = |text: &str| text.replace(['*', '`', ' ', '\n'], "");
    let page = include_str!("../docs/errors.md").replace("```text\n", "").replace("```\n", "");
    for code in ["WIF2009", "wif2009", "WIF9001"] {
        let output = wif(&["explain", code]);
        assert!(output.status.success() && output.stderr.is_empty());
        let printed = text(&output.stdout);
        assert!(letters(&page).contains(&letters(printed.trim_end())), "{printed}");
        // Scripts give the moment to all commands.
        assert_eq!(wif(&["explain", code, "--now", "2026-11-27T00:00:00Z"]).stdout, output.stdout);
        assert_eq!(wif(&["explain", code, "--now", "yesterday"]).status.code(), Some(2));
    }
    let page = include_str!("../docs/refusals.md");
    for name in ["AADSTS700213", "TF400733", "authorizationfailed", "7002138"] {
        let output = wif(&["explain", name]);
        assert!(output.status.success(), "{name}");
        assert!(page.contains(&format!("```text\n{}```", text(&output.stdout))), "{name}");
    }
}

#[test]
fn a_paragraph_of_a_page_is_one_line_and_lists_tables_and_examples_keep_theirs() {
    for entry in wif_core::explain::all() {
        let mut lines = entry.text.lines().peekable();
        while let (Some(line), Some(next)) = (lines.next(), lines.peek()) {
            // A text without a mark before it goes on nowhere.
            let is_text = |line: &str| line.starts_with(|first: char| first.is_ascii_alphabetic());
            assert!(!(is_text(line) && is_text(next)), "{}: {line}\n{next}", entry.name);
        }
    }
    let table = text(&wif(&["explain", "WIF3003"]).stdout);
    assert!(table.lines().filter(|line| line.starts_with('|')).count() > 3, "{table}");
    let list = text(&wif(&["explain", "WIF2013"]).stdout);
    assert!(
        list.lines().any(|line| line.starts_with("1. ")) && list.lines().any(|line| line.starts_with("3. "))
    );
}

#[test]
fn alone_it_lists_everything() {
    let output = wif(&["explain"]);
    assert!(output.status.success());
    let list = text(&output.stdout);
    for known in refusals::all() {
        assert!(list.contains(&format!("  {}: {}", known.name, known.meaning)), "{}", known.name);
    }
    assert!(list.contains("WIF2009  This machine's clock is wrong."), "{list}");
}

/// Gives a program a log on standard input.
fn explain_log(arguments: &[&str], log: &[u8]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_wif"));
    program.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    child.stdin.take().unwrap().write_all(log).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_pasted_message_and_a_whole_log_are_explained_by_the_names_in_them() {
    let message = "ERROR: AADSTS700213: No matching federated identity record found. Trace ID: 1234";
    assert_eq!(wif(&["explain", message]).stdout, wif(&["explain", "AADSTS700213"]).stdout);
    let log =
        b"\xff2026-01-01 ##[error]WIF2013: x\n700213 5 of 6\nTF400733: y AADSTS700213: z\nwif2013 again";
    let output = explain_log(&["explain", "-", "--json"], log);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> =
        answer["explained"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(
        (answer["schema"].as_str(), names),
        (Some("wif.explain/1"), vec!["WIF2013", "TF400733", "AADSTS700213"])
    );
    let output = explain_log(&["explain", "-"], b"all is well");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).starts_with("error WIF1012: no known code or name is on standard input"));
}

#[test]
fn a_reader_that_has_read_enough_hears_no_complaint() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_wif"));
    let output = program.arg("explain").env_clear().stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_the_machines_fault_and_not_ours() {
    for arguments in [&["explain"][..], &["explain", "WIF2013", "--json"], &["--help"], &["exec", "--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_wif"));
        let program = program.args(arguments).env_clear().stdout(full).stderr(Stdio::piped());
        let output = program.output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(
            error.starts_with("error WIF4020: standard output cannot be written: No space left"),
            "{error}"
        );
        assert!(error.contains("at fault: this machine"), "{error}");
    }
}
