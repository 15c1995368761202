//! Each source has a page, and the examples for other systems name sources that sign in.

use std::{fs, path::Path};

use clap::Parser as _;
use emulator::directory::SourceIssuer;
use wif::{
    cli::{Arguments, Command},
    sources::choice::SourceNameError,
};

use super::AUDIENCE;
use crate::support::ExecCase;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The cells of the first column of the table of sources: a name, and the page that it leads to.
fn listed() -> Vec<(String, String)> {
    let page = read("docs/sources.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| [`"));
    rows.map(|row| {
        let (name, rest) = row.split_once("`](").unwrap();
        (name.to_owned(), rest.split(')').next().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn every_source_that_the_program_takes_has_a_page_with_what_has_to_be_trusted_and_its_errors() {
    let accepted = SourceNameError.to_string();
    let accepted: Vec<_> =
        accepted.strip_prefix("accepted: auto, ").unwrap().split(", ").map(str::to_owned).collect();
    let mut names: Vec<_> = listed().into_iter().map(|(name, _)| name).collect();
    let mut expected = accepted;
    names.sort();
    expected.sort();
    assert_eq!(names, expected, "docs/sources.md");
    for (name, page) in listed() {
        let text = read(&format!("docs/{page}"));
        for part in
            ["\n## What Entra has to trust\n", "\nwif trust entra --source ", "\n## When it does not work\n"]
        {
            assert!(text.contains(part), "{page}: {part}");
        }
        let source = name.split(':').next().unwrap();
        assert!(text.contains(&format!("wif trust entra --source {source}")), "{page}: {name}");
    }
}

/// The words of the command of an example, and the source that it names.
fn command(example: &str) -> (Vec<String>, String) {
    let text = read(&format!("docs/examples/exec/{example}"));
    let line = text.lines().rev().find(|line| line.contains("wif") && line.contains("exec")).unwrap();
    let line = line.replace("\", \"", " ").replace(['[', ']', '"'], "");
    let words: Vec<_> =
        line[line.find("wif exec").unwrap()..].split_whitespace().map(str::to_owned).collect();
    let parsed = Arguments::try_parse_from(&words).unwrap_or_else(|error| panic!("{example}: {error}"));
    assert!(matches!(parsed.command, Command::Exec(_)), "{example}: {words:?}");
    let source = words.iter().skip_while(|word| *word != "--source").nth(1).unwrap().clone();
    (words, source)
}

#[test]
fn the_examples_for_other_systems_sign_in_by_the_source_that_they_name() {
    let (words, source) = command("github.yml");
    let case = ExecCase::of(SourceIssuer::GitHub, &source);
    assert_eq!(case.prints("wif token arm > /dev/null; echo $?"), "0\n", "{words:?}");
    assert!(read("docs/examples/exec/github.yml").contains("\n  id-token: write\n"));

    let (words, source) = command("gitlab.yml");
    let case = ExecCase::of(SourceIssuer::GitLab, &source);
    let token = case.emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 300);
    let text = read("docs/examples/exec/gitlab.yml");
    let (variable, rest) = text.split_once("  id_tokens:\n    ").unwrap().1.split_once(":\n").unwrap();
    assert!(rest.starts_with(&format!("      aud: {AUDIENCE}\n")), "{rest}");
    let case = case.set("GITLAB_CI", "true").set(variable, &token);
    let declared = words.iter().skip_while(|word| *word != "--access-tokens").nth(1).unwrap();
    let case = case.option("--access-tokens", declared);
    assert_eq!(case.prints("echo $VAULT_TOKEN | cut -c1-2"), "ey\n", "{words:?}");

    let (words, source) = command("kubernetes.yml");
    let case = ExecCase::of(SourceIssuer::Kubernetes, &source);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("azure-identity-token");
    fs::write(&file, case.emulator.source_id_token(SourceIssuer::Kubernetes, AUDIENCE, 300)).unwrap();
    let case = case.set("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string());
    assert_eq!(case.prints("wif token arm > /dev/null; echo $?"), "0\n", "{words:?}");
}

#[test]
fn the_image_of_the_examples_takes_a_source_and_a_command() {
    let text = read("docs/examples/exec/container.dockerfile");
    let list = |name: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let words = [list("ENTRYPOINT "), list("CMD ")].concat();
    let parsed = Arguments::try_parse_from(&words).unwrap();
    assert!(matches!(parsed.command, Command::Exec(_)), "{words:?}");
    let (_, shown) = text.split_once(" IMAGE ").unwrap();
    let shown = shown.lines().next().unwrap().split_whitespace().map(str::to_owned);
    assert!(Arguments::try_parse_from(list("ENTRYPOINT ").into_iter().chain(shown)).is_ok());
    let case = ExecCase::of(SourceIssuer::GitLab, "env:AZURE_ID_TOKEN");
    let token = case.emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 300);
    let case = case.set("AZURE_ID_TOKEN", &token);
    assert_eq!(case.prints("wif token arm > /dev/null; echo $?"), "0\n");
}
