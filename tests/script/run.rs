//! How the script is run, as `AzureCLI@2` runs it.

use std::{fs, path::Path};

use emulator::{
    Emulator,
    agent::{JobResult, Step, StepResult},
    job::Variable,
};

use super::{agent, completion, has_line, inline, lines, run, run_with, script};
use crate::support::{EMULATOR, task_folder};

#[test]
fn a_script_in_a_file_gets_its_arguments_and_its_folder_by_the_names_of_azure_cli_2() {
    let emulator = Emulator::start();
    let agent = agent(&emulator);
    let scripts = agent.sources_folder().join("scripts");
    fs::create_dir_all(&scripts).unwrap();
    fs::write(
        scripts.join("deploy.sh"),
        "printf '<%s>' \"$@\"; echo; echo \"in $PWD\"; wif token arm > /dev/null",
    )
    .unwrap();
    let step = Step::task(
        task_folder(),
        &[
            ("connectedServiceNameARM", "sc-prod"),
            ("scriptType", "bash"),
            ("scriptPath", "scripts/deploy.sh"),
            ("scriptArguments", r#"-n "two words" $(stage) *"#),
            ("cwd", "new/folder"),
            EMULATOR,
        ],
    );
    let mut message = emulator.job(emulator.usual().connection);
    message.variables.push(Variable { name: "stage".to_owned(), value: "test".to_owned(), secret: false });
    let report = run_with(&agent, &emulator, &message, &[step.display_name("Script")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "<-n><two words><test><*>");
    has_line(&report, &format!("in {}", agent.sources_folder().join("new/folder").display()));
}

#[test]
fn the_exit_code_of_the_script_fails_the_step_and_is_named() {
    let emulator = Emulator::start();
    let report = run(&emulator, &[inline("echo before; exit 3")]);
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    has_line(&report, "before");
    assert_eq!(completion(&report), ("Failed".to_owned(), "Script failed with exit code: 3".to_owned()));
    let step = report.step("Script");
    assert_eq!((step.result, step.exit_code), (StepResult::Failed, Some(0)));
    let [error] = step.errors()[..] else { panic!("{:?}", step.errors()) };
    assert!(error.starts_with("WIF1030: Script failed with exit code: 3\n"), "{error}");
}

#[test]
fn a_script_that_a_signal_ends_fails_with_the_exit_code_of_shells() {
    let emulator = Emulator::start();
    let report = run(&emulator, &[inline("kill -KILL $$")]);
    let (result, text) = completion(&report);
    assert_eq!(result, "Failed");
    assert_eq!(text, "Script failed with exit code: 137, since signal 9 ended it");
}

#[test]
fn as_in_azure_cli_2_a_command_that_fails_in_the_middle_does_not_end_a_script() {
    let emulator = Emulator::start();
    let report = run(&emulator, &[inline("false\necho after")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "after");
}

#[test]
fn standard_error_is_a_part_of_the_log_in_its_order_and_fails_the_step_only_where_it_is_asked_to() {
    let emulator = Emulator::start();
    let text = "for n in $(seq 50); do echo \"out $n\"; echo \"err $n\" >&2; done; printf 'no line end' >&2";
    let report = run(&emulator, &[inline(text)]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let step = report.step("Script");
    assert_eq!(step.raw_stderr, "", "all goes to standard output");
    let written: Vec<_> =
        step.raw_stdout.lines().filter(|line| line.starts_with("out ") || line.starts_with("err ")).collect();
    let expected: Vec<_> = (1..=50).flat_map(|n| [format!("out {n}"), format!("err {n}")]).collect();
    assert_eq!(written, expected);
    has_line(&report, "no line end");

    let report = run(&emulator, &[script(&[("inlineScript", text), ("failOnStandardError", "true")])]);
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    let [error] = report.step("Script").errors()[..] else { panic!("{}", report.log) };
    assert!(error.starts_with("WIF1030: Script wrote to standard error"), "{error}");
    assert!(error.contains("err 1\n") && error.contains("err 10\n") && !error.contains("err 11"), "{error}");
    let out = &report.step("Script").raw_stdout;
    assert!(out.contains("err 50\n") && out.contains("no line end"), "{out}");
    assert_eq!(report.step("Script").raw_stderr, "");
}

#[test]
fn a_script_that_writes_no_error_succeeds_with_fail_on_standard_error_and_wif_token_is_no_error() {
    let emulator = Emulator::start();
    let text = "token=$(wif token arm); echo \"length ${#token}\"";
    let report = run(&emulator, &[script(&[("inlineScript", text), ("failOnStandardError", "true")])]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
}

#[test]
fn processes_that_the_script_leaves_behind_end_with_the_step() {
    let emulator = Emulator::start();
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().display();
    // A child, one in a session of its own, one that has lost its environment too, and one that ignores SIGTERM.
    let text = format!(
        r#"cp "$(command -v sleep)" {folder}/marker-of-test
        {folder}/marker-of-test 600 & echo $! > {folder}/child
        setsid {folder}/marker-of-test 600 & echo $! > {folder}/session
        ( setsid env -i {folder}/marker-of-test 600 < /dev/null > /dev/null 2>&1 & )
        setsid bash -c 'trap "" TERM HUP INT; echo $$ > {folder}/stubborn; while :; do {folder}/marker-of-test 1; done' &
        until test -s {folder}/stubborn; do :; done
        echo "$WIF_URL" > {folder}/url
        echo left"#
    );
    let report = run(&emulator, &[inline(&text)]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "left");
    let said =
        lines(&report).into_iter().find(|line| line.starts_with("Processes that the script left behind"));
    let said = said.unwrap_or_else(|| panic!("{}", report.log));
    assert!(said.matches("marker-of-test").count() >= 3 && said.contains("bash"), "{said}");
    assert!(!report.step("Script").output_held_open);
    for name in ["child", "session", "stubborn"] {
        let id = fs::read_to_string(temp.path().join(name)).unwrap();
        assert!(!Path::new(&format!("/proc/{}", id.trim())).exists(), "{name} {id}");
    }
    let url = fs::read_to_string(temp.path().join("url")).unwrap();
    let port = url.trim().rsplit(':').next().unwrap().parse().unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    assert!(std::net::TcpStream::connect(address).is_err(), "the broker has ended: {url}");
}
