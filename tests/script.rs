//! `scriptType`: one script is signed in, and nothing of it reaches later steps. Whole jobs, with the machine's own bash.
#![cfg(target_os = "linux")]

use std::{fs, path::Path, time::Duration};

use emulator::{
    Emulator, Fault, Gate, Service,
    agent::{Agent, Condition, JobReport, JobResult, RunningJob, Stage, Step, StepResult},
    directory::{ClientSecret, Connection, Issuer},
    job::{JobMessage, Variable},
};
use wif_core::code::Code;

use crate::support::{Case, EMULATOR, block_until, node24, task_folder};

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

#[test]
fn a_token_whose_name_has_a_dot_is_found_as_later_steps_would_find_it() {
    let emulator = Emulator::start();
    let text = "set -e; test ${#MY_TOKEN} -gt 100; ! env | grep -q '^my[.]token'";
    let step = script(&[("inlineScript", text), ("accessTokens", "my.token=arm")]);
    let report = run(&emulator, &[step]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
}

/// A file by which a script tells a test how far it is.
fn wait_for_file(path: &Path) {
    block_until("the script is there", || path.display().to_string(), || path.exists());
}

#[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
fn cancel(job: RunningJob) -> (JobReport, Duration) {
    let begin = std::time::Instant::now();
    job.cancel();
    (job.finish(), begin.elapsed())
}

fn start(agent: &Agent, message: &JobMessage, step: Step) -> RunningJob {
    agent.start(message, &[step, look()])
}

#[test]
fn a_canceled_script_may_answer_the_signal_in_its_own_time() {
    for node in [None, node24()] {
        let emulator = Emulator::start();
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().display();
        let text = format!(
            "trap 'wif token arm > /dev/null && sleep 2.5; echo cleaned up; exit 0' INT
             touch {folder}/ready; while :; do sleep 0.1; done"
        );
        let mut agent = agent(&emulator);
        if let Some(node) = &node {
            agent = agent.node(node);
        }
        let job = start(&agent, &emulator.job(emulator.usual().connection), inline(&text));
        wait_for_file(&temp.path().join("ready"));
        let (report, took) = cancel(job);
        assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
        has_line(&report, "cleaned up");
        assert_eq!(completion(&report).0, "Canceled");
        assert!(took > Duration::from_millis(2500), "{took:?}");
        check(&emulator, &report);
    }
}

#[test]
fn a_script_that_does_not_handle_the_signal_ends_at_once() {
    let emulator = Emulator::start();
    let temp = tempfile::tempdir().unwrap();
    let text = format!("touch {}/ready; sleep 600; echo not here", temp.path().display());
    let job = start(&agent(&emulator), &emulator.job(emulator.usual().connection), inline(&text));
    wait_for_file(&temp.path().join("ready"));
    let (report, took) = cancel(job);
    assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
    assert!(!report.log.contains("not here"), "{}", report.log);
    assert!(took < Duration::from_secs(7), "before the agent's next signal: {took:?}");
    check(&emulator, &report);
}

#[test]
fn a_script_that_ignores_every_signal_is_ended() {
    let emulator = Emulator::start();
    let temp = tempfile::tempdir().unwrap();
    let text = format!(
        "trap '' INT TERM HUP; echo $$ > {0}/id; mv {0}/id {0}/ready; while :; do sleep 0.1; done",
        temp.path().display()
    );
    let mut message = emulator.job(emulator.usual().connection);
    for (name, value) in [("PROCESS_SIGINT_TIMEOUT", "1000"), ("PROCESS_SIGTERM_TIMEOUT", "60000")] {
        message.variables.push(Variable { name: name.to_owned(), value: value.to_owned(), secret: false });
    }
    let job = start(&agent(&emulator), &message, inline(&text));
    wait_for_file(&temp.path().join("ready"));
    let (report, took) = cancel(job);
    assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
    assert_eq!(completion(&report).0, "Canceled", "this process is not killed itself: {}", report.log);
    assert!(took < Duration::from_secs(30), "{took:?}");
    let id = fs::read_to_string(temp.path().join("ready")).unwrap();
    assert!(!Path::new(&format!("/proc/{}", id.trim())).exists(), "{id}");
    check(&emulator, &report);
}

#[test]
fn canceled_in_the_sign_in_the_step_stops_within_two_seconds_and_runs_nothing() {
    let emulator = Emulator::start();
    let gate = Gate::new();
    emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().gate(&gate));
    let job = start(&agent(&emulator), &emulator.job(emulator.usual().connection), inline("echo it runs"));
    gate.wait_until_reached(1);
    let (report, took) = cancel(job);
    assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!lines(&report).contains(&"it runs"), "{}", report.log);
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

fn case(inputs: &[(&str, &str)]) -> Case {
    let path = std::env::split_paths("/usr/bin:/bin").map(|folder| folder.display().to_string());
    let case = Case::new().set("PATH", &path.collect::<Vec<_>>().join(":"));
    inputs.iter().fold(case, |case, (name, value)| case.input(name, value))
}

#[test]
fn what_cannot_be_run_is_refused_before_any_request() {
    let bash = ("scriptType", "bash");
    for (inputs, code, says) in [
        (&[("inlineScript", "x")][..], Code::InputInvalid, "the input scriptType is empty"),
        (
            &[("scriptType", "python"), ("inlineScript", "x")],
            Code::InputInvalid,
            "'python', accepted: bash, pscore, ps or batch",
        ),
        (&[bash], Code::InputInvalid, "the input scriptPath is empty"),
        (&[bash, ("scriptLocation", "inlineScript")], Code::InputInvalid, "the input inlineScript is empty"),
        (
            &[bash, ("scriptPath", "/absent/a.sh")],
            Code::InputInvalid,
            "'/absent/a.sh', and there is no such file",
        ),
        (&[bash, ("scriptPath", "/bin/true")], Code::InputInvalid, "a file whose name ends in .sh"),
        (
            &[("scriptType", "batch"), ("inlineScript", "x")],
            Code::InterpreterMissing,
            "the input scriptType is batch",
        ),
        (
            &[("scriptType", "ps"), ("inlineScript", "x")],
            Code::InterpreterMissing,
            "the input scriptType is ps",
        ),
        (
            &[bash, ("inlineScript", "x"), ("workingDirectory", "/dev/null/x")],
            Code::InputInvalid,
            "the input workingDirectory is '/dev/null/x'",
        ),
        (
            &[
                bash,
                ("inlineScript", "x"),
                ("refresh", "true"),
                ("allowedResources", "arm"),
                ("addSpnToEnvironment", "true"),
            ],
            Code::InputsContradict,
            "addSpnToEnvironment: true gives the script an id token",
        ),
    ] {
        let text = case(inputs).fails_unasked(code);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn the_guards_hold_for_a_script_too() {
    let elsewhere = "33333333-3333-3333-3333-333333333333";
    let guarded = |guard: &str, value: &str| {
        case(&[("scriptType", "bash"), ("inlineScript", "echo it runs"), (guard, value)])
    };
    guarded("allowedTenants", elsewhere).fails_unasked(Code::TenantNotAllowed);
    guarded("allowedSubscriptions", elsewhere).fails_unasked(Code::SubscriptionNotAllowed);
    guarded("allowedSubscriptions", elsewhere)
        .data("scopeLevel", "ManagementGroup")
        .fails_unasked(Code::SubscriptionNotAllowed);
    let federated = guarded("requireFederation", "true");
    let scheme = format!("ENDPOINT_AUTH_SCHEME_{}", federated.connection);
    for other in ["ServicePrincipal", "ManagedServiceIdentity"] {
        let text =
            guarded("requireFederation", "true").set(&scheme, other).fails_unasked(Code::FederationRequired);
        assert!(text.contains("requireFederation"), "{text}");
    }
}

#[test]
fn what_the_guards_allow_runs_and_limited_resources_are_limited_for_the_script() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let text = "wif token graph > /dev/null && echo graph
        wif token keyvault > /dev/null 2>&1 || echo 'keyvault refused'
        wif token --id-token > /dev/null 2>&1 || echo 'id token refused'
        curl -s -o /dev/null -w 'by hand %{http_code}\\n' -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \"$IDENTITY_ENDPOINT?resource=https://vault.azure.net&api-version=2019-08-01\"
        echo \"request <$ARM_OIDC_REQUEST_URL$ARM_OIDC_REQUEST_TOKEN> msi <$ARM_USE_MSI>\"";
    let report = run(
        &emulator,
        &[script(&[
            ("inlineScript", text),
            ("requireFederation", "true"),
            ("allowedSubscriptions", &usual.subscription.to_string()),
            ("allowedTenants", &usual.tenant.to_string()),
            ("allowedResources", "arm, graph"),
            ("accessTokens", ""),
        ])],
    );
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    for line in ["graph", "keyvault refused", "id token refused", "by hand 403", "request <> msi <true>"] {
        has_line(&report, line);
    }
}

#[test]
fn a_refused_sign_in_runs_nothing() {
    let emulator = Emulator::start();
    emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().aadsts(7_002_138));
    let report = run(&emulator, &[inline("echo it runs")]);
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    assert!(!lines(&report).contains(&"it runs"), "{}", report.log);
    let [error] = report.step("Script").errors()[..] else { panic!("{}", report.log) };
    assert!(error.starts_with("WIF2013: "), "{error}");
}
