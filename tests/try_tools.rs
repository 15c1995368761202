//! `wif doctor` in a later step of a job: what the step finds of its session, and what the tools of its machine say.

use emulator::{
    Emulator, USUAL,
    agent::{Agent, JobReport, JobResult, Step},
};

use crate::{
    doctor::Machine,
    support::{EMULATOR, task_folder},
};

/// az as it answers when the session's variables are there.
const AZ: &str = r#"[ "$*" = "account get-access-token --query expiresOn -o tsv" ] || { echo "unexpected: $*" >&2; exit 9; }
[ -n "$AZURE_CONFIG_DIR" ] && [ -n "$IDENTITY_HEADER" ] || { echo "ERROR: Please run 'az login' to setup account." >&2; exit 1; }
read -r line && echo "it has an input" >&2 && exit 8
echo "2026-11-26 08:00:00.000000""#;
const PYTHON: &str = r#"[ "$1" = -c ] && [ "$3" = https://management.azure.com/.default ] && [ -n "$IDENTITY_ENDPOINT" ] || exit 9
echo 1795680000"#;
const NO_LIBRARY: &str = "exit 42";
const TERRAFORM: &str = r#"[ "$1" = version ] && echo Terraform v1.11.4 && exit
[ "$*" = "init -input=false -no-color" ] && [ -n "$ARM_OIDC_REQUEST_TOKEN" ] && [ -z "$TF_WORKSPACE" ] || exit 9
/bin/cat main.tf.json > "$0.configuration"; pwd > "$0.folder""#;

/// A job that signs in, and runs the doctor in a later step whose `PATH` has the machine's programs and no others.
fn job(emulator: &Emulator, machine: &Machine, inputs: &[(&str, &str)], command: &str) -> (i32, JobReport) {
    let usual = [("azureSubscription", "sc-entra"), EMULATOR];
    let all: Vec<_> = usual.iter().chain(inputs).copied().collect();
    let script = format!(
        "export PATH=\"$(dirname \"$(command -v wif)\"):{}\"\n{command}\necho EXIT $?",
        machine.path()
    );
    let steps =
        [Step::task(task_folder(), &all).display_name("Sign in"), Step::bash(script).display_name("Doctor")];
    let message = emulator.job_with(&[USUAL.entra_connection]);
    let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new());
    let out = &report.step("Doctor").raw_stdout;
    let exit = out.lines().find_map(|line| line.strip_prefix("EXIT ")).unwrap_or_else(|| panic!("{out}"));
    (exit.parse().unwrap(), report)
}

fn said(report: &JobReport) -> &str {
    &report.step("Doctor").raw_stdout
}

fn whole_machine() -> Machine {
    let machine = Machine::new();
    machine.az("2.91.0");
    for (name, text) in [("az", AZ), ("python3", PYTHON), ("node", NO_LIBRARY), ("terraform", TERRAFORM)] {
        machine.script(name, text);
    }
    machine
}

#[test]
fn every_tool_is_asked_in_its_own_way_and_says_until_when_it_is_signed_in() {
    let (emulator, machine) = (Emulator::start(), whole_machine());
    let command = "TF_WORKSPACE=x wif doctor --try az,terraform,sdk --backend account1/tfstate";
    let (exit, report) = job(&emulator, &machine, &[], command);
    let text = said(&report);
    assert_eq!(exit, 0, "{text}");
    assert!(text.starts_with("no fault. no warning.\n"), "{text}");
    for words in [
        &format!("the session without a name is served: client {}", USUAL.entra_client),
        "az gets a token until 2026-11-26 08:00:00.000000",
        "azure-identity of python3 (",
        "gets a token until 2026-11-26T",
        "node has no @azure/identity",
        "terraform opens the backend account1/tfstate",
        "az 2.91.0 (",
        "): signed in by azure-cli",
        "no connection is named",
    ] {
        assert!(text.contains(words), "no '{words}' in\n{text}");
    }
    let read = |name: &str| std::fs::read_to_string(format!("{}/terraform.{name}", machine.path())).unwrap();
    let configuration = read("configuration");
    for words in [
        r#""storage_account_name":"account1""#,
        r#""container_name":"tfstate""#,
        r#""use_azuread_auth":true"#,
    ] {
        assert!(configuration.contains(words), "{configuration}");
    }
    assert!(!std::path::Path::new(read("folder").trim()).exists(), "the folder is thrown away");
}

#[test]
fn what_a_tool_says_is_shown_without_tokens_keys_and_commands() {
    let (emulator, machine) = (Emulator::start(), whole_machine());
    machine.script(
        "az",
        r###"echo "password $DEPLOY_PASSWORD" >&2
echo "ERROR: key $IDENTITY_HEADER and $WIF_KEY at ${ARM_OIDC_REQUEST_URL}" >&2
echo "##vso[task.setvariable variable=STOLEN]x" >&2; echo "token eyJ0eXAi.eyJhdWQi.c2ln" >&2
echo "ERROR: Failed to connect to MSI." >&2; exit 3"###,
    );
    let (exit, report) = job(&emulator, &machine, &[], "DEPLOY_PASSWORD=hunter22 wif doctor --try az,sdk");
    let text = said(&report);
    assert_eq!(exit, 11, "{text}");
    assert!(text.starts_with("1 fault: WIF5005, the agent. no warning.\n"), "{text}");
    assert!(text.contains("it says               ERROR: Failed to connect to MSI."), "{text}");
    assert!(
        text.contains("exit status: 3") && text.contains("ERROR: key (not shown) and (not shown) at http"),
        "{text}"
    );
    // It is too short to be known for a secret by its looks.
    assert!(text.contains("password (not shown)") && !text.contains("hunter22"), "{text}");
    assert!(
        !text.contains("eyJ") && !text.contains("##vso") && report.variable("STOLEN").is_none(),
        "{text}"
    );
    // The other tool is asked all the same.
    assert!(text.contains("azure-identity of python3 ("), "{text}");
}

#[test]
fn a_tool_that_is_not_there_is_a_warning_only_where_it_was_named() {
    let (emulator, machine) = (Emulator::start(), Machine::new());
    let both = "wif doctor --try; echo EXIT-ALL $?; wif doctor --try az,sdk,terraform --json";
    let (exit, report) = job(&emulator, &machine, &[("exports", "azure-sdk")], both);
    let text = said(&report);
    assert!(text.starts_with("no fault. no warning.\n") && text.contains("EXIT-ALL 0"), "{text}");
    for words in [
        "az is not on the PATH",
        "terraform is not on the PATH",
        "no Azure SDK is found to be tried: python3 is not",
    ] {
        assert!(
            text.contains(&format!("skipped  tools that were tried     {words}")),
            "no '{words}' in\n{text}"
        );
    }
    assert_eq!(exit, 10, "{text}");
    let (_, json) = text.split_once("EXIT-ALL 0\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json.split("EXIT").next().unwrap()).unwrap();
    assert_eq!(json["warnings"], serde_json::json!(["WIF4010"]), "{json:#}");
    // Without a container, Terraform is there and is not started.
    let machine = whole_machine();
    let (exit, report) = job(&emulator, &machine, &[], "wif doctor --try terraform");
    assert!(exit == 0 && said(&report).contains("--backend ACCOUNT/CONTAINER names"), "{}", said(&report));
}

#[test]
fn what_a_step_does_not_find_as_the_session_left_it_is_named() {
    let (emulator, machine) = (Emulator::start(), whole_machine());
    let other = "99999999-9999-9999-9999-999999999999";
    let strip = "env -u WIF_URL -u WIF_KEY -u ARM_OIDC_REQUEST_URL -u AZURE_CONFIG_DIR wif doctor"
        .replace("env ", "/usr/bin/env ");
    let commands = [
        ("wif doctor".to_owned(), "no fault. no warning.", ""),
        (
            format!("ARM_CLIENT_ID={other} wif doctor"),
            "no fault. 1 warning: WIF1016",
            "ARM_CLIENT_ID is '99999999",
        ),
        (
            "AZURE_TENANT_ID= wif doctor".to_owned(),
            "1 fault: WIF1015",
            "AZURE_TENANT_ID is not set in this step",
        ),
        (
            "AZURE_CLIENT_SECRET=old-secret wif doctor".to_owned(),
            "no fault. 1 warning: WIF1016",
            "This step finds AZURE_CLIENT_SECRET: DefaultAzureCredential",
        ),
        (
            "/usr/bin/env -u IDENTITY_HEADER wif doctor".to_owned(),
            "1 fault: WIF1015",
            "IDENTITY_HEADER is not set in this step",
        ),
        (
            "HUB_WIF_URL=http://127.0.0.1:1 HUB_WIF_KEY=k wif doctor".to_owned(),
            "1 fault: WIF5002, the caller of this command. 1 warning: WIF1017",
            "the session HUB",
        ),
        ("WIF_KEY=another-key wif doctor".to_owned(), "1 fault: WIF5004", ""),
        (strip, "no fault. 1 warning: WIF5002", "docker run"),
    ];
    for (at, (command, _, _)) in commands.iter().enumerate() {
        assert!(!command.contains('\''), "{at}");
    }
    let script: Vec<_> = commands.iter().map(|(command, ..)| format!("echo RUN; {command}")).collect();
    let (_, report) = job(&emulator, &machine, &[], &script.join("\n"));
    let runs: Vec<_> = said(&report).split("RUN\n").skip(1).collect();
    assert_eq!(runs.len(), commands.len(), "{}", said(&report));
    for (text, (command, begin, words)) in runs.iter().zip(&commands) {
        assert!(
            text.starts_with(begin) && text.contains(words),
            "{command}: expected {begin} {words}\n{text}"
        );
        assert!(!text.contains("old-secret"), "{text}");
    }
}

#[test]
fn a_snapshot_and_a_session_of_tokens_are_known_for_what_they_are() {
    let (emulator, machine) = (Emulator::start(), whole_machine());
    let (exit, report) = job(&emulator, &machine, &[("refresh", "false")], "wif doctor");
    assert!(exit == 0 && said(&report).contains("a snapshot without a name"), "{}", said(&report));
    let inputs = [("allowedResources", "arm, graph")];
    let (exit, report) = job(&emulator, &machine, &inputs, "ARM_USE_OIDC=true wif doctor");
    assert!(
        exit == 10 && said(&report).contains("This step finds ARM_USE_OIDC: Terraform prefers"),
        "{}",
        said(&report)
    );
    let (exit, report) = job(&emulator, &machine, &inputs, "wif doctor");
    assert_eq!(exit, 0, "{}", said(&report));
}

#[test]
fn the_tools_are_tried_in_the_session_that_is_named() {
    let (emulator, machine) = (Emulator::start(), whole_machine());
    let named = [("session", "hub")];
    let (exit, report) = job(&emulator, &machine, &named, "wif doctor --try az,sdk");
    assert_eq!(exit, 11, "{}", said(&report));
    let (exit, report) = job(&emulator, &machine, &named, "wif doctor --try az,sdk --session hub");
    assert!(exit < 11 && said(&report).contains("az gets a token until"), "{}", said(&report));
    let (exit, report) = job(&emulator, &machine, &named, "wif doctor --try az --session spoke 2>&1");
    assert!(exit == 2 && said(&report).contains("no session SPOKE; it finds: HUB"), "{}", said(&report));
}
