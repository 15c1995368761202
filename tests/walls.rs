//! Steps on the other side of a wall: `sudo`, an empty environment, a container, another job; and where the mask of a token
//! goes when its standard output is captured.

use std::fs;

use emulator::{
    Emulator,
    agent::{Agent, JobReport, JobResult, Step, StepReport},
    job::Variable,
};

use crate::support::{EMULATOR, task_folder};

fn sign_in(inputs: &[(&str, &str)]) -> Step {
    let usual = [("azureSubscription", "sc-prod"), ("exports", "none"), ("accessTokens", ""), EMULATOR];
    let inputs: Vec<_> = usual.iter().chain(inputs).copied().collect();
    Step::task(task_folder(), &inputs).display_name("Sign in")
}

/// A job that signs in, and then runs this step. Nothing may be seen in the log.
fn run(emulator: &Emulator, step: Step) -> JobReport {
    let message = emulator.job(emulator.usual().connection);
    let agent = Agent::new().ca_file(emulator.ca_file());
    let report = agent.run(&message, &[sign_in(&[]), step.display_name("Look")]);
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
    report
}

fn look(emulator: &Emulator, script: &str) -> StepReport {
    let report = run(emulator, Step::bash(script));
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    report.step("Look").clone()
}

/// A script task as Azure Pipelines has them: Node starts the shell, and passes on what it prints. `failOnStderr` makes
/// such a task fail for every line of standard error.
#[cfg(target_os = "linux")]
fn script_task() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let definition = r#"{"id": "6c731c3c-3c68-459a-a5c9-bde6e6595b5b", "name": "Bash", "friendlyName": "Bash", "description": "d",
        "author": "a", "version": {"Major": 3, "Minor": 0, "Patch": 0}, "inputs": [{"name": "script", "type": "string", "label": "s"}],
        "execution": {"Node20_1": {"target": "main.js"}}}"#;
    let main = "const shell = require('child_process').spawn('bash', ['-c', process.env.INPUT_SCRIPT]);
        let errors = false;
        shell.stdout.on('data', (data) => process.stdout.write(data));
        shell.stderr.on('data', (data) => { errors = true; process.stderr.write(data); });
        shell.on('close', (code) => process.exit(errors ? 1 : code));";
    fs::write(folder.path().join("task.json"), definition).unwrap();
    fs::write(folder.path().join("main.js"), main).unwrap();
    folder
}

const SETS_SECRET: &str = "##vso[task.setsecret]";

/// The token is shown masked, its mask came by standard output, and nothing came by standard error.
#[cfg(target_os = "linux")]
fn is_masked_by_standard_output(step: &StepReport) {
    assert_eq!(step.raw_stderr, "", "{}", step.log);
    let (mask, token) = (step.raw_stdout.find(SETS_SECRET), step.raw_stdout.find("token: ey"));
    assert!(mask.is_some() && mask < token, "the mask comes first: {}", step.log);
    assert!(step.log.contains("token: ***"), "{}", step.log);
}

#[cfg(target_os = "linux")]
#[test]
fn a_captured_token_is_masked_by_the_steps_standard_output_and_standard_error_stays_empty() {
    let emulator = Emulator::start();
    let step =
        look(&emulator, "set -e; printf 'half a line'; token=$(wif token arm); echo; echo \"token: $token\"");
    is_masked_by_standard_output(&step);
    assert!(step.log.contains("half a line"), "the agent drops nothing: {}", step.log);
}

/// The options that name the usual connection, by the job's own source.
#[cfg(target_os = "linux")]
fn of_connection(emulator: &Emulator) -> String {
    let usual = emulator.usual();
    format!(
        "--source azure-pipelines --connection {} --tenant {} --client {} --authority {} --resource-manager {} \\
           --allowed-authorities 127.0.0.1",
        usual.connection,
        usual.tenant,
        usual.client,
        emulator.entra_url(),
        emulator.arm_url()
    )
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_of_wif_exec_is_signed_in_by_the_jobs_token_and_its_masks_reach_the_agent_alone() {
    let emulator = Emulator::start();
    let script = format!(
        "wif exec {} --exports none --access-tokens my.token=arm -- \\
           sh -c 'echo \"token: $MY_TOKEN\"; wif token --no-mask graph > /dev/null && echo signed in' 2> said || cat said
         grep setsecret said && exit 3; rm said",
        of_connection(&emulator)
    );
    let report = run(&emulator, Step::bash(script).env("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)"));
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let step = report.step("Look");
    is_masked_by_standard_output(step);
    assert!(step.log.contains("signed in"), "{}", step.log);
}

#[cfg(target_os = "linux")]
#[test]
fn a_script_without_the_jobs_token_is_told_the_line_that_maps_it() {
    let emulator = Emulator::start();
    let script = format!("wif exec {} -- true; echo \"code $?\"", of_connection(&emulator));
    let log = run(&emulator, Step::bash(script)).log;
    for words in ["WIF2040", "env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)", "code 2"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains("needs no mapping"), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_to_trust_a_job_is_in_the_runs_summary_for_the_issuer_of_today_and_the_next() {
    for target in ["entra", "aws", "google", "vault"] {
        let emulator = Emulator::start();
        let script = format!("wif trust {target} {}", of_connection(&emulator));
        let report = run(&emulator, Step::bash(script).env("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)"));
        assert_eq!(report.result, JobResult::Succeeded, "{target}: {}", report.log);
        let all: Vec<_> = report.summaries.iter().filter_map(|summary| summary.content.as_deref()).collect();
        let summary = all.iter().find(|text| text.contains("What has to trust this job"));
        let summary = summary.unwrap_or_else(|| panic!("{target}: {all:?} {}", report.log));
        let subjects =
            (summary.contains("sc://"), summary.contains("/eid1/c/pub/t/"), summary.contains("2027-07-01"));
        assert_eq!(subjects, (true, true, true), "{target}: {summary}");
        if target != "entra" {
            // What the log hides is in the summary alone; what can never work is in both.
            for words in ["audience", "api://AzureADTokenExchange", "no wildcard"] {
                assert!(report.log.contains(words), "{target}: {words}: {}", report.log);
            }
            assert_eq!(report.log.contains("can never work"), target == "google", "{}", report.log);
            assert!(summary.contains("# Terraform"), "{summary}");
        }
        if target == "entra" {
            assert_eq!(summary.matches("az ad app federated-credential create").count(), 2, "{summary}");
            assert!(summary.contains("wif-azure-pipelines-entra"), "{summary}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn so_it_is_where_node_stands_between_the_shell_and_the_agent() {
    let emulator = Emulator::start();
    let task = script_task();
    for command in ["wif token arm", "wif token --id-token"] {
        let script = format!(
            "token=$({command}); echo \"token: $token\"; bash -c 'echo \"token: $(wif token graph)\"'"
        );
        let report = run(&emulator, Step::task(task.path(), &[("script", &script)]));
        assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
        is_masked_by_standard_output(report.step("Look"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_mask_gets_neither_into_a_pipe_nor_a_file_nor_a_value_of_the_script() {
    let emulator = Emulator::start();
    let script = "printf '%s' \"$(wif token arm)\" | cat > into-a-pipe
        value=$(printf '%s' \"$(wif token arm)\"); printf '%s' \"$value\" > into-a-value
        (exec > into-a-file; printf '%s' \"$(wif token arm)\")
        (cat <(wif token arm) > into-a-substitution)
        for file in into-*; do echo \"$file has $(grep -c . \"$file\") line, $(grep -c '^ey' \"$file\") token, $(grep -c vso \"$file\") command\"; done";
    let step = look(&emulator, script);
    for file in ["into-a-pipe", "into-a-value", "into-a-file", "into-a-substitution"] {
        assert!(step.log.contains(&format!("{file} has 1 line, 1 token, 0 command")), "{}", step.log);
    }
    assert_eq!(step.raw_stdout.matches(SETS_SECRET).count(), 4, "{}", step.log);
    assert_eq!(step.raw_stderr, "", "{}", step.log);
}

#[test]
fn where_the_steps_own_standard_output_is_not_found_the_mask_goes_to_standard_error() {
    let emulator = Emulator::start();
    for script in [
        // The first process of the step gives its output to another program, or to a file.
        "exec > >(cat); token=$(wif token arm); echo \"token: $token\"",
        "exec 3>&1 > file; token=$(wif token arm); echo \"token: $token\" >&3",
        // Nothing says which processes are the job's.
        "token=$(env -u VSTS_PROCESS_LOOKUP_ID wif token arm); echo \"token: $token\"",
        "token=$(VSTS_PROCESS_LOOKUP_ID=other wif token arm); echo \"token: $token\"",
    ] {
        let step = look(&emulator, script);
        assert!(step.raw_stderr.starts_with(SETS_SECRET), "{script}: {}", step.log);
        assert!(!step.raw_stdout.contains(SETS_SECRET), "{script}: {}", step.log);
        assert!(step.log.contains("token: ***"), "{script}: {}", step.log);
    }
}

#[test]
fn no_mask_is_written_where_the_user_asks_for_none() {
    let emulator = Emulator::start();
    let step = look(&emulator, "token=$(wif token arm --no-mask); echo \"${#token} characters\"");
    assert_eq!((step.raw_stderr.as_str(), step.raw_stdout.contains("##vso")), ("", false), "{}", step.log);
    assert!(step.log.contains(" characters") && !step.log.contains(" 0 characters"), "{}", step.log);
}

#[test]
fn a_stripped_environment_is_named_with_the_way_to_pass_the_session_on() {
    let emulator = Emulator::start();
    let step = look(
        &emulator,
        "wif=$(command -v wif)
         env -i \"$wif\" token arm; echo \"exit $?\"
         env -i SUDO_USER=vsts \"$wif\" token arm; echo \"exit $?\"
         env -i SUDO_USER=vsts \"$wif\" status --session hub; echo \"exit $?\"
         env -i WIF_URL=\"$WIF_URL\" WIF_KEY=\"$WIF_KEY\" \"$wif\" token arm > /dev/null; echo \"passed on: $?\"",
    );
    for expected in [
        "sudo has removed the variables of the step",
        "sudo --preserve-env=WIF_URL,WIF_KEY \"$(command -v wif)\" token arm",
        "passed on: 0",
    ] {
        assert!(step.log.contains(expected), "'{expected}': {}", step.log);
    }
    assert!(!step.log.contains("choose"), "{}", step.log);
    assert!(step.log.contains("--preserve-env=HUB_WIF_URL,HUB_WIF_KEY"), "{}", step.log);
    assert_eq!(step.log.matches("error WIF5002").count(), 3, "{}", step.log);
    assert_eq!(step.log.matches("exit 2").count(), 3, "{}", step.log);
}

/// A network of its own is what a container has, with a 127.0.0.1 where no broker listens.
#[cfg(target_os = "linux")]
#[test]
fn a_broker_behind_a_wall_is_told_from_a_sign_in_that_is_missing() {
    let emulator = Emulator::start();
    let step = look(
        &emulator,
        // The agent reads both streams on their own: in one, the lines keep their order.
        "exec 2>&1; env -u WIF_URL -u WIF_KEY wif token arm; echo \"exit $?\"
         wif token arm --session hub; echo \"exit $?\"; echo '-- the wall'
         unshare --net --map-root-user true 2> /dev/null || { echo 'no networks here'; exit 0; }
         unshare --net --map-root-user wif token arm; echo \"exit $?\"",
    );
    let (missing, wall) = step.log.split_once("-- the wall").unwrap_or_else(|| panic!("{}", step.log));
    assert!(
        missing.contains("no earlier step of this job has left a session that is kept alive"),
        "{missing}"
    );
    assert!(missing.contains("none of this name") && missing.contains("leave --session out"), "{missing}");
    if wall.contains("no networks here") {
        println!("NOT TESTED: this machine gives no network of its own");
        return;
    }
    assert!(wall.contains("WIF5002: the broker of this session does not answer"), "{wall}");
    assert!(wall.contains("sign in a second time") && wall.contains("docs/containers.md"), "{wall}");
    assert!(wall.contains("exit 4"), "{wall}");
}

const OUTPUTS: [&str; 6] =
    ["clientId", "tenantId", "subscriptionId", "authorityHost", "connectionId", "scheme"];

#[test]
fn other_jobs_find_who_is_signed_in_by_the_name_of_the_step() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let mut message = emulator.job(usual.connection);
    let agent = Agent::new().ca_file(emulator.ca_file());
    let look =
        Step::bash("echo \"same job: $AZURE_CLIENTID and $(azure.tenantId), plain: ${CLIENTID:-none}\"");
    let report = agent.run(&message, &[sign_in(&[]).name("azure"), look.display_name("Look")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    for (name, expected) in [
        ("clientId", usual.client.to_string()),
        ("tenantId", usual.tenant.to_string()),
        ("subscriptionId", usual.subscription.to_string()),
        ("connectionId", usual.connection.to_string()),
        ("scheme", "WorkloadIdentityFederation".to_owned()),
        ("authorityHost", report.variable("AZURE_AUTHORITY_HOST").unwrap().to_owned()),
    ] {
        let variable = &report.variables[&format!("azure.{name}")];
        assert_eq!((variable.value.as_str(), variable.secret), (expected.as_str(), false), "{name}");
        assert!(variable.read_only, "{name}: the agent sends output variables to the server, and keeps them");
        assert_eq!(report.variable(name), None, "only by the name of the step");
    }
    assert_eq!(report.variable("AZURE_CLIENT_ID"), Some(usual.client.to_string().as_str()), "as before");
    let seen = &report.step("Look").raw_stdout;
    assert_eq!(*seen, format!("same job: {} and {}, plain: none\n", usual.client, usual.tenant));

    // As `$[ dependencies.JOB.outputs['azure.clientId'] ]` hands it over.
    let value = report.variable("azure.clientId").unwrap().to_owned();
    message.variables.push(Variable { name: "client".to_owned(), value, secret: false });
    let report = agent.run(&message, &[Step::bash("echo \"$(client)\"").display_name("Look")]);
    assert_eq!(report.step("Look").raw_stdout, format!("{}\n", usual.client));
}

#[test]
fn what_the_connection_does_not_have_is_no_output_variable() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let mut message = emulator.job(usual.connection);
    message.endpoints[0].data.retain(|name, _| !name.to_lowercase().starts_with("subscription"));
    let agent = Agent::new().ca_file(emulator.ca_file());
    let report = agent.run(&message, &[sign_in(&[("refresh", "false")]).name("azure")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(report.variable("azure.subscriptionId"), None);
    assert!(report.variable("azure.clientId").is_some());
}

#[test]
fn two_sessions_have_output_variables_of_their_own_and_a_failed_one_has_none() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let message = emulator.job_with(&[usual.connection, usual.entra_connection]);
    let agent = Agent::new().ca_file(emulator.ca_file());
    let hub = sign_in(&[("azureSubscription", "sc-entra"), ("session", "hub")]).name("hub");
    let failing = sign_in(&[("allowedTenants", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"), ("session", "x")]);
    let steps = [sign_in(&[]).name("azure"), hub, failing.name("failing").continue_on_error()];
    let report = agent.run(&message, &steps);
    assert_eq!(report.variable("azure.clientId"), Some(usual.client.to_string().as_str()), "{}", report.log);
    assert_eq!(report.variable("hub.clientId"), Some(usual.entra_client.to_string().as_str()));
    assert!(
        report.variables.keys().all(|name| !name.starts_with("failing.") && !name.starts_with("HUB_client"))
    );
}

#[test]
fn a_restricted_step_signs_in_all_the_same() {
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let agent = Agent::new().ca_file(emulator.ca_file());
    let restricted = sign_in(&[]).name("azure").restricted_commands();
    let report = agent.run(&message, &[restricted]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert!(report.variable("azure.clientId").is_some(), "setvariable is one of the commands that are left");

    let settable = sign_in(&[]).name("azure").settable_variables(&["AZURE_*", "WIF_*", "PATH"]);
    let report = agent.run(&message, &[settable, Step::bash("wif status > /dev/null")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(report.variable("azure.clientId"), None);
    let warnings = report.steps[0].warnings().join("\n");
    assert_eq!(warnings.matches("has been disabled by the task or build definition").count(), OUTPUTS.len());
}

#[test]
fn the_task_declares_its_output_variables_and_every_page_names_them() {
    let read =
        |path: &str| fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let task: serde_json::Value = serde_json::from_str(&read("task/task.json")).unwrap();
    let declared: Vec<_> = task["outputVariables"].as_array().unwrap().iter().collect();
    let names: Vec<_> = declared.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, OUTPUTS);
    assert!(declared.iter().all(|variable| variable["description"].as_str().unwrap().len() > 10));
    let overview = read("overview.md");
    for name in OUTPUTS {
        assert!(overview.contains(&format!("`{name}`")), "overview.md does not name {name}");
    }
}

/// The agent publishes every variable with the name of a declared output variable, a secret one too.
#[test]
fn a_token_cannot_have_the_name_of_an_output_variable() {
    use crate::support::Case;
    use wif_core::code::Code;
    for name in ["clientId", "SCHEME"] {
        let text =
            Case::new().input("accessTokens", &format!("{name}=arm")).fails_unasked(Code::NameReserved);
        assert!(text.contains(name) && text.contains("output variable"), "{text}");
    }
    let run = Case::new().input("accessTokens", "clientId=arm").input("session", "hub").succeeds();
    assert!(run.out.contains("variable=HUB_CLIENTID;issecret=true"), "{}", run.out);
}
