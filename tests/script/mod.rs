//! `scriptType`: one script is signed in, and nothing of it reaches later steps. Whole jobs, with the machine's own bash.
#![cfg(target_os = "linux")]

mod cancellation;
mod refusals;
mod run;

use emulator::{
    Emulator, Service,
    agent::{Agent, Condition, JobReport, JobResult, Stage, Step, StepResult},
    directory::{ClientSecret, Connection, Issuer},
    job::{JobMessage, Variable},
};

use crate::support::{EMULATOR, task_folder};

/// The step, named `Script`. The family `azure-cli` is left out where a test does not need it.
fn script(inputs: &[(&str, &str)]) -> Step {
    let usual = [
        ("azureSubscription", "sc-prod"),
        ("scriptType", "bash"),
        ("scriptLocation", "inlineScript"),
        ("exports", "terraform, azure-sdk"),
        EMULATOR,
    ];
    let mut all: Vec<_> =
        usual.into_iter().filter(|(name, _)| inputs.iter().all(|(own, _)| own != name)).collect();
    all.extend(inputs);
    Step::task(task_folder(), &all).display_name("Script")
}

fn inline(text: &str) -> Step {
    script(&[("inlineScript", text)])
}

/// A later step that prints what it finds of a session: variables, files, programs.
fn look() -> Step {
    Step::bash(
        "env | grep -E '^(HUB_)?(ARM_|AZURE|AZD_|AZCOPY|WIF_|IDENTITY_|servicePrincipal|tenantId|idToken|NO_PROXY|no_proxy)' | cut -d= -f1
         ls -A \"$AGENT_TEMPDIRECTORY\" | grep -E '^wif'
         command -v wif
         echo looked",
    )
    .condition(Condition::Always)
    .display_name("Look")
}

/// Runs a job, and checks that nothing leaked, and that nothing of the session reached the steps after the script.
fn run_with(agent: &Agent, emulator: &Emulator, message: &JobMessage, steps: &[Step]) -> JobReport {
    let steps: Vec<_> = steps.iter().cloned().chain([look()]).collect();
    let report = agent.run(message, &steps);
    check(emulator, &report);
    report
}

fn check(emulator: &Emulator, report: &JobReport) {
    let issued = emulator.issued();
    assert_eq!(emulator::leaks(&issued, report.log.as_bytes()), Vec::<String>::new(), "{}", report.log);
    for process in &report.observed {
        let arguments = process.arguments.join(" ");
        assert_eq!(emulator::leaks(&issued, arguments.as_bytes()), Vec::<String>::new(), "{arguments}");
    }
    let after = report.step("Look");
    let lines: Vec<_> = after.raw_stdout.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["looked"], "a later step finds something\n{}", report.log);
    assert!(report.path_prepended.is_empty(), "{:?}", report.path_prepended);
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new());
    assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
    let ours = ["AZURE_CLIENT_ID", "WIF_URL", "ARM_CLIENT_ID", "AZURE_ACCESS_TOKEN", "PATH"];
    assert!(ours.iter().all(|name| report.variable(name).is_none()), "{:?}", report.variables.keys());
    let post = report.steps.iter().find(|step| step.stage == Stage::Post).unwrap();
    assert!(post.log.contains("Nothing to remove"), "{}", post.log);
    assert_eq!(post.result, StepResult::Succeeded, "{}", post.log);
}

fn agent(emulator: &Emulator) -> Agent {
    Agent::new().ca_file(emulator.ca_file())
}

fn run(emulator: &Emulator, steps: &[Step]) -> JobReport {
    run_with(&agent(emulator), emulator, &emulator.job(emulator.usual().connection), steps)
}

/// What the agent is told at the end of the step.
fn completion(report: &JobReport) -> (String, String) {
    let last = report.step("Script").commands.last().unwrap();
    assert!(last.is("task", "complete"), "{last:?}");
    (last.property("result").unwrap().to_owned(), last.data.clone())
}

fn lines(report: &JobReport) -> Vec<&str> {
    report.step("Script").raw_stdout.lines().collect()
}

fn has_line(report: &JobReport, line: &str) {
    assert!(lines(report).contains(&line), "no line '{line}' in\n{}", report.step("Script").raw_stdout);
}

#[test]
fn the_script_is_signed_in_as_later_steps_would_be_and_the_next_step_finds_nothing() {
    let emulator = Emulator::start();
    let report = run(
        &emulator,
        &[inline(
            r###"set -e
            wif token arm > /dev/null
            wif status > /dev/null
            curl -sf -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?resource=https://vault.azure.net&api-version=2019-08-01&client_id=$AZURE_CLIENT_ID" > /dev/null
            curl -sf -H "Authorization: Bearer $ARM_OIDC_REQUEST_TOKEN" "$ARM_OIDC_REQUEST_URL&audience=api://AzureADTokenExchange" | grep -q '"value"'
            echo "token ${AZURE_ACCESS_TOKEN:0:2} until ${AZURE_ACCESS_TOKEN_EXPIRES_ON:0:2}"
            env | grep -E '^(INPUT_|SECRET_|ENDPOINT_AUTH_|VSTS_TASKVARIABLE_|VSTS_(PUBLIC|SECRET)_VARIABLES)' && exit 1
            env | grep SERVICE_CONNECTION_ID && exit 1
            echo "##vso[task.setvariable variable=own]set by the script"
            echo "done in $PWD""###,
        )],
    );
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "token ey until 20");
    assert_eq!(report.variable("own"), Some("set by the script"), "the script's own commands count");
    let folder = lines(&report).into_iter().find(|line| line.starts_with("done in ")).unwrap();
    assert!(folder.ends_with("/_work/1/s"), "{folder}");
    assert_eq!(completion(&report), ("Succeeded".to_owned(), "Script exited with return code: 0".to_owned()));
    let step = report.step("Script");
    let set = step.commands.iter().filter(|command| command.is("task", "setvariable"));
    assert_eq!(set.count(), 1, "the script's own");
    assert_eq!((step.raw_stderr.as_str(), step.exit_code), ("", Some(0)));
    assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 1);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 2, "arm and keyvault, once each");
}

#[test]
fn the_script_has_the_limits_that_the_agent_gave() {
    let emulator = Emulator::start();
    let text = "ulimit -Ha | sed 's/^/hard /'; ulimit -Sa | sed 's/^/soft /'";
    let report = run(&emulator, &[inline(text), Step::bash(text).display_name("Other")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let limits = |step: &str| -> Vec<_> {
        let lines = report.step(step).raw_stdout.lines();
        lines.filter(|line| line.starts_with("hard ") || line.starts_with("soft ")).collect()
    };
    let (found, expected) = (limits("Script"), limits("Other"));
    assert!(expected.iter().any(|line| line.starts_with("hard core file size")), "{expected:?}");
    assert_eq!(found, expected);
}

#[test]
fn what_the_steps_own_env_sets_is_not_said_to_be_of_the_machine() {
    let emulator = Emulator::start();
    let step = inline("env | grep -c SERVICE_CONNECTION_ID; env | grep AZCOPY_AUTO")
        .env("ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", "of-the-step")
        .env("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "of-the-step")
        .env("AZCOPY_AUTO_LOGIN_TYPE", "SPN");
    let report = run(&emulator, &[step]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "0");
    has_line(&report, "AZCOPY_AUTO_LOGIN_TYPE=SPN");
    let out = &report.step("Script").raw_stdout;
    for name in ["ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"] {
        let line = format!("{name} of the step's env: or the agent's machine is emptied for the script: ");
        assert!(out.contains(&line), "{out}");
    }
    let kept = "AZCOPY_AUTO_LOGIN_TYPE='SPN' of the step's env: or the agent's machine is kept: ";
    assert!(out.contains(kept), "{out}");
}

#[test]
fn az_is_signed_in_for_the_script_alone() {
    let emulator = Emulator::start();
    let report = run(
        &emulator,
        &[script(&[
            ("exports", ""),
            (
                "inlineScript",
                "stat -c 'folder %a' \"$AZURE_CONFIG_DIR\"; grep -c isDefault \"$AZURE_CONFIG_DIR/azureProfile.json\"",
            ),
        ])],
    );
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "folder 700");
}

#[test]
fn a_token_whose_name_has_a_dot_is_found_as_later_steps_would_find_it() {
    let emulator = Emulator::start();
    let text = "set -e; test ${#MY_TOKEN} -gt 100; ! env | grep -q '^my[.]token'";
    let step = script(&[("inlineScript", text), ("accessTokens", "my.token=arm")]);
    let report = run(&emulator, &[step]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
}

#[test]
fn the_identity_is_in_the_scripts_environment_only_where_it_is_asked_for() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let text =
        "echo \"id ${servicePrincipalId:-none}, tenant ${tenantId:-none}, key ${servicePrincipalKey:-none}\"
        test -z \"$idToken\" || cut -d. -f2 <<< \"$idToken\" | wc -c | grep -qx 1 || echo 'an id token'";
    let report = run(&emulator, &[inline(text)]);
    has_line(&report, "id none, tenant none, key none");
    assert!(!lines(&report).contains(&"an id token"));
    let report = run(&emulator, &[script(&[("inlineScript", text), ("addSpnToEnvironment", "true")])]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, &format!("id {}, tenant {}, key none", usual.client, usual.tenant));
    has_line(&report, "an id token");
    assert!(report.step("Script").warnings().is_empty(), "{:?}", report.step("Script").warnings());
}

#[test]
fn a_stored_secret_is_never_in_the_scripts_environment_and_a_warning_says_so() {
    let emulator = Emulator::start();
    let secret = "kX8~correct.horse-battery_staple8Q";
    let connection = {
        let usual = emulator.usual();
        let mut directory = emulator.directory();
        let known = ClientSecret { value: secret.to_owned(), expires: None };
        directory.app(usual.client).secrets.push(known);
        let plain = Connection::federated(
            "sc-secret",
            Issuer::DevOps,
            usual.tenant,
            usual.client,
            usual.subscription,
        );
        directory.add_connection(usual.project_id, plain.with_secret(secret))
    };
    let text = "echo \"id ${#servicePrincipalId}, tenant ${#tenantId}, key ${#servicePrincipalKey}, token ${#idToken}\"
        env | grep -c 'battery_staple'; wif token arm > /dev/null && echo signed in";
    let inputs =
        [("azureSubscription", "sc-secret"), ("addSpnToEnvironment", "true"), ("inlineScript", text)];
    let report = run_with(&agent(&emulator), &emulator, &emulator.job(connection), &[script(&inputs)]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "id 36, tenant 36, key 0, token 0");
    has_line(&report, "0");
    has_line(&report, "signed in");
    let warnings = report.step("Script").warnings();
    let [key, stored] = warnings[..] else { panic!("{warnings:?}") };
    assert!(stored.contains("client secret") && key.contains("no servicePrincipalKey"), "{warnings:?}");
}

#[test]
fn a_name_that_is_a_secret_of_the_job_does_not_matter_and_what_is_replaced_is_named() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let mut message = emulator.job(usual.connection);
    for (name, value, secret) in [
        ("ARM_CLIENT_ID", "the-secret-of-the-job", true),
        ("AZURE_TENANT_ID", "another-secret-1", true),
        ("ARM_TENANT_ID", "not-a-secret", false),
    ] {
        message.variables.push(Variable { name: name.to_owned(), value: value.to_owned(), secret });
    }
    let step = inline("echo \"$ARM_CLIENT_ID $AZURE_TENANT_ID $ARM_TENANT_ID\"");
    let step = step.env("ARM_CLIENT_ID", "$(ARM_CLIENT_ID)").env("ARM_SUBSCRIPTION_ID", "of-the-step");
    let steps = [step];
    let agent = agent(&emulator);
    let report = agent.run(&message, &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, &format!("{} {1} {1}", usual.client, usual.tenant));
    has_line(&report, "ARM_CLIENT_ID, which is a secret of the job, is replaced for the script");
    has_line(
        &report,
        &format!("ARM_TENANT_ID='not-a-secret' is replaced by '{}' for the script", usual.tenant),
    );
    has_line(
        &report,
        &format!("ARM_SUBSCRIPTION_ID='of-the-step' is replaced by '{}' for the script", usual.subscription),
    );
    assert!(
        !report.step("Script").raw_stdout.contains("AZURE_TENANT_ID, which"),
        "it is not in the environment"
    );
    assert!(!report.step("Script").raw_stdout.contains("the-secret-of-the-job"));
    assert_eq!(report.variable("ARM_TENANT_ID"), Some("not-a-secret"), "the job keeps its own");
}

#[test]
fn inputs_that_change_nothing_are_accepted_and_one_warning_says_that_later_steps_are_not_signed_in() {
    let emulator = Emulator::start();
    let inert = [
        ("inlineScript", "wif token arm > /dev/null"),
        ("visibleAzLogin", "false"),
        ("allowNoSubscriptions", "true"),
    ];
    let report = run(&emulator, &[script(&inert)]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert!(report.step("Script").warnings().is_empty(), "{:?}", report.step("Script").warnings());
    for (global, keep) in [("true", "false"), ("false", "true"), ("true", "true")] {
        let inputs =
            [inert.as_slice(), &[("useGlobalConfig", global), ("keepAzSessionActive", keep)]].concat();
        let report = run(&emulator, &[script(&inputs)]);
        assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
        let warnings = report.step("Script").warnings();
        let [warning] = warnings[..] else { panic!("{warnings:?}") };
        assert!(
            warning.contains("no later step") && warning.contains("A step without scriptType"),
            "{warning}"
        );
    }
}

#[test]
fn a_snapshot_and_a_named_session_are_for_the_script_alone_too() {
    let emulator = Emulator::start();
    let text = "test -s \"$HUB_AZURE_FEDERATED_TOKEN_FILE\" && test -z \"$HUB_WIF_URL$WIF_URL\" && echo \"client ${#HUB_AZURE_CLIENT_ID} token ${HUB_AZURE_ACCESS_TOKEN:0:2}\"";
    let report =
        run(&emulator, &[script(&[("inlineScript", text), ("refresh", "false"), ("session", "hub")])]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, "client 36 token ey");
}

#[test]
fn the_connections_id_is_there_as_in_azure_cli_2_where_no_terraform_is() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let text = "echo \"<$AZURESUBSCRIPTION_SERVICE_CONNECTION_ID> <$AZURESUBSCRIPTION_CLIENT_ID> <$AZURESUBSCRIPTION_TENANT_ID>\"";
    let (client, tenant) = (usual.client, usual.tenant);
    let report = run(&emulator, &[inline(text)]);
    has_line(&report, &format!("<> <{client}> <{tenant}>"));
    let report = run(&emulator, &[script(&[("inlineScript", text), ("exports", "azure-sdk")])]);
    has_line(&report, &format!("<{}> <{client}> <{tenant}>", usual.connection));
}

#[test]
fn an_earlier_session_of_the_job_is_not_changed_by_a_script() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let message = emulator.job_with(&[usual.connection, usual.entra_connection]);
    let inputs = [("azureSubscription", "sc-prod"), ("exports", "azure-sdk"), EMULATOR];
    let sign_in = Step::task(task_folder(), &inputs).display_name("Sign in");
    let other = script(&[
        ("azureSubscription", "sc-entra"),
        ("inlineScript", "echo \"script $AZURE_CLIENT_ID\"; wif token arm > /dev/null"),
    ]);
    let after =
        Step::bash("echo \"later $AZURE_CLIENT_ID\"; wif token graph > /dev/null").display_name("After");
    let report = agent(&emulator).run(&message, &[sign_in, other, after]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    has_line(&report, &format!("script {}", usual.entra_client));
    assert!(report.step("After").raw_stdout.contains(&format!("later {}", usual.client)), "{}", report.log);
}
