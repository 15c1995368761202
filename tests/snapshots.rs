//! Whole texts that users read, each in a file of `tests/snapshots`. What differs from run to run is replaced.
//!
//! To accept new texts, and to look at them: `INSTA_UPDATE=always cargo test --test main snapshots`, then `git diff`.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use clap::CommandFactory as _;
use regex_lite::Regex;
use wif::cli::{self, Arguments, Command, Screen};
use wif_core::code::Code;
use wif_io::{clock, env::Env};

use crate::{
    broker::{KEY, open},
    clouds::behind,
    doctor::reader,
    shown::{as_on_the_page, public, subject},
    support::{Case, Run, run},
    terminal::{self, PERSONAL, known},
};

/// A test for each text, and the names of all.
macro_rules! snapshots {
    ($($name:ident,)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        mod each {
            $(
                #[test]
                fn $name() {
                    super::check(stringify!($name), &super::$name());
                }
            )*
        }
    };
}

snapshots! {
    help,
    failure_of_an_input,
    failure_of_trust,
    failure_of_the_network,
    failure_of_the_agent,
    failure_of_a_caller_of_the_broker,
    failure_in_the_log,
    diagnosis_as_text,
    diagnosis_as_markdown,
    diagnosis_as_json,
    summary_of_a_sign_in,
}

fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_snapshot_is_compared_with_a_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let expected = NAMES.iter().map(|name| format!("{name}.snap"));
    assert_eq!(files.collect::<BTreeSet<_>>(), expected.collect());
}

/// The help of the program, and of each of its subcommands that is not another program's.
fn help() -> String {
    fn path_of(command: &clap::Command, above: &[String], found: &mut Vec<Vec<String>>) {
        let path: Vec<_> = above.iter().cloned().chain([command.get_name().to_owned()]).collect();
        let below = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help" && !below.is_disable_help_flag_set());
        found.push(path.clone());
        below.for_each(|below| path_of(below, &path, found));
    }
    let mut paths = Vec::new();
    path_of(&Arguments::command(), &[], &mut paths);
    let one = |path: Vec<String>| {
        let asked = path.join(" ");
        let help = cli::parse::<Arguments>(path.into_iter().chain(["--help".to_owned()]).map(Into::into))
            .unwrap_err();
        assert!(!help.is_error && help.exit == 0, "{asked}");
        format!("$ {asked} --help\n{}", help.text)
    };
    paths.into_iter().map(one).collect::<Vec<_>>().join("\n")
}

/// What differs from run to run, as it is on the pages.
fn same(case: &Case, text: &str) -> String {
    replaced(&as_on_the_page(case, text))
}

fn replaced(text: &str) -> String {
    let mut text = text.to_owned();
    for (found, shown) in [
        (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"),
        (r"/[^ ':]*/wif-[0-9a-f]{32}", "/TEMP/wif-SESSION"),
        (r"/[^ ':\]]*/\.tmp[A-Za-z0-9]{6}", "/TEMP"),
        (r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "2026-11-22T06:18:50Z"),
        (r"\([0-9]+ (h|min) [0-9]+ (min|s)\)", "(59 min 59 s)"),
        ("edge Ref A: [0-9A-F]{32}", "edge Ref A: 99999999999999999999999999999999"),
        (concat!("wif ", env!("CARGO_PKG_VERSION")), "wif VERSION"),
    ] {
        text = Regex::new(found).unwrap().replace_all(&text, shown).into_owned();
    }
    text
}

fn failure_of_an_input() -> String {
    let case = Case::new().input("accessTokens", "GRAPH_TOKEN=graph\nVAULT_TOKEN=kayvault");
    same(&case, &case.fails_unasked(Code::InputInvalid))
}

fn failure_of_trust() -> String {
    let (case, _proxy) = public(subject("sc://contoso/platform/sc-prod"));
    same(&case, &case.fails(Code::SubjectNotTrusted))
}

fn failure_of_the_network() -> String {
    let proxy = emulator::Proxy::start;
    let (case, _proxy) = behind(|emulator| proxy(emulator::Proxy::leading_to(emulator).refuse_all()), |_| ());
    same(&case, &case.fails(Code::ProxyRefused))
}

fn failure_of_the_agent() -> String {
    let case = Case::new().set("AGENT_TEMPDIRECTORY", "/there/is/no/such/folder");
    same(&case, &case.fails(Code::FolderUnwritable))
}

fn failure_of_a_caller_of_the_broker() -> String {
    let case = Case::new().input("allowedResources", "arm");
    let mut text = String::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let command = Command::Token {
            resource: Some("graph".to_owned()),
            id_token: false,
            session: None,
            no_mask: false,
            json: false,
            curl: false,
        };
        let variables =
            [("WIF_URL", format!("http://127.0.0.1:{}", session.port)), ("WIF_KEY", KEY.to_owned())];
        let env: Env = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let (mut out, mut masks) = (Vec::new(), Vec::new());
        let mut screen = Screen::new(&mut out);
        let failure =
            cli::ask(&command, &env, &clock::System::new(), &mut screen, &mut masks).await.unwrap_err();
        assert_eq!(failure.code, Code::BrokerRefused);
        assert_eq!(failure.code.as_str(), "WIF5003");
        assert!(out.is_empty() && masks.is_empty());
        text = failure.to_string();
    });
    same(&case, &text)
}

/// As the agent gets it: of the program, all that it prints.
fn failure_in_the_log() -> String {
    let (case, _proxy) = public(|emulator| {
        let id = emulator.usual().connection;
        emulator.directory().connection(id).disabled = true;
    });
    let output = case.command(env!("CARGO_BIN_EXE_wif")).args(["task", "run"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    same(&case, &String::from_utf8(output.stdout).unwrap())
}

/// A diagnosis that finds a fault, warnings and facts.
fn diagnosis() -> (Case, emulator::Proxy, Run) {
    let (case, proxy) = public(subject("sc://contoso/platform/sc-prod"));
    let token = reader(&case.emulator, "https://graph.microsoft.com");
    let case = case.set("WIF_GRAPH_TOKEN", &token).input("diagnose", "true");
    let run = case.run();
    assert_eq!(run.result.as_ref().unwrap_err().code, Code::SubjectNotTrusted);
    (case, proxy, run)
}

fn diagnosis_as_text() -> String {
    let (case, _proxy, run) = diagnosis();
    same(&case, &run.lines().collect::<Vec<_>>().join("\n"))
}

fn diagnosis_as_markdown() -> String {
    let (case, _proxy, run) = diagnosis();
    let (_, path) = run.commands("task.uploadsummary").next().unwrap();
    same(&case, &fs::read_to_string(path).unwrap())
}

fn diagnosis_as_json() -> String {
    let (emulator, [graph, arm]) = known();
    let id = emulator.usual().connection;
    "sc-new".clone_into(&mut emulator.directory().connection(id).name);
    let environment =
        [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &*graph), ("WIF_ARM_TOKEN", &*arm)];
    let output = terminal::doctor(&emulator, "sc-new", &environment, &["--json"]);
    replaced(&String::from_utf8(output.stdout).unwrap())
}

/// What a person sees of a step that works; masked values and secrets left out.
fn summary_of_a_sign_in() -> String {
    let (case, _proxy) = public(|_| ());
    let case = case.input("accessTokens", "GRAPH_TOKEN=graph");
    let run = case.succeeds();
    same(&case, &run.lines().collect::<Vec<_>>().join("\n"))
}
