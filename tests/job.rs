//! Whole jobs: the real shim and the real program, run by the emulated agent.

use std::{fs, path::Path, time::Duration};

use emulator::{
    Emulator, Fault, Service,
    agent::{Agent, JobReport, JobResult, ProcessRecord, Stage, Step, StepResult, pipeline_from_yaml},
    job::{JobMessage, Variable},
};

use crate::support::{EMULATOR, node24, task_folder};

const ARGUMENT: &str = "task";

fn agent(emulator: &Emulator) -> Agent {
    Agent::new().ca_file(emulator.ca_file())
}

fn sign_in(inputs: &[(&str, &str)]) -> Step {
    let usual = [("azureSubscription", "sc-prod"), ("refresh", "false"), EMULATOR];
    let inputs: Vec<_> = usual.iter().chain(inputs).copied().collect();
    Step::task(task_folder(), &inputs).display_name("Sign in")
}

/// Runs a job, and checks that nothing leaked: in the log as the web page shows it, in what the steps printed other
/// than commands that mask, in arguments of processes, in what is left.
fn run(emulator: &Emulator, agent: &Agent, message: &JobMessage, steps: &[Step]) -> JobReport {
    let report = agent.run(message, steps);
    let issued = emulator.issued();
    let mut seen = report.log.clone();
    // A script may print what it was given; the task may not.
    for step in report.steps.iter().filter(|step| !step.commands.is_empty()) {
        let shown =
            |line: &&str| !line.contains("##vso[task.setsecret]") && !line.contains(";issecret=true]");
        // `wif token` masks there, since its standard output is the token.
        let errors = step.raw_stderr.lines().filter(shown).collect::<Vec<_>>();
        assert_eq!(errors, Vec::<&str>::new(), "{}: all goes to standard output", step.display_name);
        step.raw_stdout.lines().filter(shown).for_each(|line| seen.push_str(line));
    }
    for process in &report.observed {
        seen.push_str(&process.arguments.join(" "));
    }
    assert_eq!(emulator::leaks(&issued, seen.as_bytes()), Vec::<String>::new(), "{seen}");
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new(), "left after the job");
    report
}

#[test]
fn later_steps_find_what_was_exported_and_the_post_job_stage_removes_it() {
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let look = Step::bash(
        "echo \"client ${#AZURE_CLIENT_ID}, token ${AZURE_ACCESS_TOKEN:-not here}, mapped ${TOKEN:0:2}\"
         stat -c 'file %a' \"$ARM_OIDC_TOKEN_FILE_PATH\"; stat -c 'folder %a' \"$(dirname \"$ARM_OIDC_TOKEN_FILE_PATH\")\"
         wif --version",
    );
    let look = look.display_name("Look").env("TOKEN", "$(AZURE_ACCESS_TOKEN)");
    let agent = agent(&emulator);
    let report = run(&emulator, &agent, &message, &[sign_in(&[]), look]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Look").log;
    assert!(log.contains("client 36, token not here, mapped ey"), "{log}");
    assert!(log.contains("file 600") && log.contains("folder 700"), "{log}");
    assert!(log.contains(concat!("wif ", env!("CARGO_PKG_VERSION"))), "wif is on the PATH: {log}");
    let post = report.steps.iter().find(|step| step.stage == Stage::Post).unwrap();
    assert!(post.log.contains("Signed out"), "{}", post.log);
    assert_eq!((post.result, post.exit_code), (StepResult::Succeeded, Some(0)));
    assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 1);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 1);
}

#[test]
fn a_failure_is_one_error_with_its_code_and_no_failure_of_the_process() {
    let emulator = Emulator::start();
    emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().aadsts(7_002_138));
    let message = emulator.job(emulator.usual().connection);
    let after = Step::bash("env | grep -cE '^(ARM_|AZURE_)' || true").display_name("After");
    let steps = [sign_in(&[]), after.condition(emulator::agent::Condition::Always)];
    let report = run(&emulator, &agent(&emulator), &message, &steps);
    assert_eq!(report.result, JobResult::Failed);
    let step = report.step("Sign in");
    assert_eq!((step.result, step.exit_code), (StepResult::Failed, Some(0)));
    let errors = step.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("WIF2013: ") && errors[0].contains("AADSTS7002138"), "{}", errors[0]);
    assert!(
        errors[0].contains("correlation ") && errors[0].contains("subject project       Platform"),
        "{}",
        errors[0]
    );
    assert!(
        report.step("After").log.lines().any(|line| line.ends_with(" 0")),
        "{}",
        report.step("After").log
    );
    let last = step.commands.last().unwrap();
    assert!(last.is("task", "complete") && last.property("result") == Some("Failed"));
}

#[test]
fn the_post_job_stage_finds_nothing_to_remove_and_does_not_mind() {
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let never = sign_in(&[]).condition(emulator::agent::Condition::Never);
    let report = run(&emulator, &agent(&emulator), &message, &[never]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let post = report.steps.iter().find(|step| step.stage == Stage::Post).unwrap();
    assert!(post.log.contains("Nothing to remove"), "{}", post.log);
    assert!(emulator.journal().is_empty());
}

#[test]
fn a_second_session_leaves_the_first_alone() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let message = emulator.job_with(&[usual.connection, usual.entra_connection]);
    let second = Step::task(
        task_folder(),
        &[("azureSubscription", "sc-entra"), ("refresh", "false"), ("session", "hub"), EMULATOR],
    );
    let look = Step::bash(
        "test \"$ARM_OIDC_TOKEN_FILE_PATH\" != \"$HUB_ARM_OIDC_TOKEN_FILE_PATH\" && cat \"$ARM_OIDC_TOKEN_FILE_PATH\" \"$HUB_ARM_OIDC_TOKEN_FILE_PATH\" | wc -c",
    );
    let steps = [sign_in(&[]), second.display_name("Sign in to the hub"), look];
    let report = run(&emulator, &agent(&emulator), &message, &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(report.variable("AZURE_CLIENT_ID"), Some(usual.client.to_string().as_str()));
    assert_eq!(report.variable("HUB_AZURE_CLIENT_ID"), Some(usual.entra_client.to_string().as_str()));
    assert_eq!(report.steps.iter().filter(|step| step.log.contains("Signed out")).count(), 2);
}

#[test]
fn the_task_runs_as_a_vsix_install_leaves_it_and_from_a_read_only_folder() {
    for agent_of in [Agent::install_tasks, Agent::read_only_tasks] {
        let emulator = Emulator::start();
        let message = emulator.job(emulator.usual().connection);
        let report = run(&emulator, &agent_of(agent(&emulator)), &message, &[sign_in(&[])]);
        assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    }
}

#[test]
fn debug_lines_hold_no_secret_either() {
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let report = run(&emulator, &agent(&emulator).debug(), &message, &[sign_in(&[])]);
    let log = &report.step("Sign in").log;
    assert!(log.contains("##[debug]") && log.contains("/oidctoken") && log.contains("took"), "{log}");
}

#[test]
fn a_restricted_step_works_within_what_it_may_do() {
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let report = run(&emulator, &agent(&emulator), &message, &[sign_in(&[]).restricted_commands()]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert!(report.step("Sign in").warnings().is_empty(), "{:?}", report.step("Sign in").warnings());
}

#[test]
fn nothing_of_the_job_token_is_in_arguments_or_later_environments() {
    // Far enough away that the agent looks at the processes while they work.
    let emulator = Emulator::builder().round_trip(Duration::from_millis(100)).start();
    let message = emulator.job(emulator.usual().connection);
    let look = Step::bash("env | sort").display_name("Look");
    let report = run(&emulator, &agent(&emulator), &message, &[sign_in(&[]), look]);
    let printed = &report.step("Look").raw_stdout;
    assert_eq!(emulator::leaks(&emulator.issued(), printed.as_bytes()), Vec::<String>::new());
    let is_shim = |process: &ProcessRecord| process.arguments.iter().any(|a| a.ends_with("index.js"));
    assert!(report.observed.iter().any(is_shim), "{:?}", report.observed);
    for process in report.observed.iter().filter(|process| process.arguments.iter().any(|a| a == ARGUMENT)) {
        assert_eq!(process.arguments.len(), 3, "program, task, stage: {:?}", process.arguments);
    }
}

/// A name in the temporary folder that only looks like a session's, and leads elsewhere, by a slash behind it too.
#[cfg(unix)]
#[test]
fn a_later_step_cannot_have_the_post_job_stage_empty_another_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let precious = folder.path().display();
    let lead = Step::bash(format!(
        "link=\"$AGENT_TEMPDIRECTORY/wif-$(printf 0%.0s {{1..32}})\"; ln -s '{precious}' \"$link\"
         echo \"##vso[task.setvariable variable=VSTS_TASKVARIABLE_WIF_SESSION_FOLDER]$link/\""
    ));
    let sign_in = sign_in(&[("exports", "none")]);
    let report = agent(&emulator).run(&message, &[sign_in, lead.display_name("Lead")]);
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    let set = report.step("Sign in").commands.iter().filter(|command| command.is("task", "settaskvariable"));
    let set: Vec<_> = set.map(|command| (command.property("variable"), command.data.as_str())).collect();
    assert_eq!(set, [(Some("WIF_SESSION_FOLDER"), "")], "always set, so that no other variable counts");
    assert!(folder.path().join("file").exists(), "{}", report.log);
    let post = report.steps.iter().find(|step| step.stage == Stage::Post).unwrap();
    assert!(post.log.contains("Nothing to remove") && post.log.contains("WIF4007"), "{}", post.log);
}

#[cfg(unix)]
#[test]
fn the_broker_does_not_write_through_a_link_in_place_of_the_sessions_folder() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start();
    emulator.directory().lifetimes.devops_id_token = 6;
    let message = emulator.job(emulator.usual().connection);
    let other = folder.path().display();
    let swap = Step::bash(format!(
        "own=$(dirname \"$AZURE_FEDERATED_TOKEN_FILE\"); mv \"$own\" \"$own-moved\"; ln -s '{other}' \"$own\"
         first=$(cat \"$own-moved/id-token\")
         for n in $(seq 200); do test \"$first\" != \"$(cat \"$own-moved/id-token\")\" && exit 0; sleep 0.1; done; exit 1"
    ));
    let inputs = [("refresh", "true"), ("exports", "token-file"), ("accessTokens", "")];
    let report = agent(&emulator).run(&message, &[sign_in(&inputs), swap.display_name("Swap")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let written: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(written, Vec::<std::path::PathBuf>::new(), "what the link leads to");
    let post = report.steps.iter().find(|step| step.stage == Stage::Post).unwrap();
    assert!(post.warnings().iter().any(|warning| warning.contains("not a session's folder")), "{}", post.log);
}

/// A `node` that is started with a lock, and with the writing end of a pipe, as a script gets them whose own parent
/// holds both. Node itself closes what it inherits only below descriptor 16.
#[cfg(target_os = "linux")]
fn node_with_descriptors(folder: &Path, node: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let (wrapper, held) = (folder.join("node"), folder.display());
    let script = format!(
        "#!/bin/bash\ncase \"$*\" in *index.js*) exec 5>>{held}/lock 200>>{held}/lock; flock 200; exec 201<>{held}/pipe;; esac\nexec {node} \"$@\"\n"
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    wrapper
}

#[cfg(target_os = "linux")]
#[test]
fn the_broker_holds_no_lock_and_no_pipe_of_the_processes_above_it() {
    look_for_held_files("node");
}

#[cfg(target_os = "linux")]
#[test]
fn nor_does_it_where_node_24_gives_its_place_to_the_program() {
    if let Some(node24) = node24() {
        look_for_held_files(node24.to_str().unwrap());
    }
}

#[cfg(target_os = "linux")]
fn look_for_held_files(node: &str) {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let held = folder.path().display();
    // A reader sees the end of a pipe when no process has it open for writing. This reader opens it for both, so that it does not wait.
    let look = Step::bash(format!(
        "wif status > /dev/null && echo 'the broker lives'
         flock --nonblock {held}/lock true && echo 'the lock is free'
         holders=$(find /proc/[0-9]*/fd -lname '{held}/*' 2> /dev/null); echo \"holders: $holders.\"
         exec 3< <(timeout 20 cat {held}/pipe; echo $?)
         timeout 20 bash -c ': > {held}/pipe'; read -u 3 end; echo \"the reader ended with $end\""
    ));
    let agent = agent(&emulator).node(&node_with_descriptors(folder.path(), node));
    let sign_in = sign_in(&[("refresh", "true")]);
    let report = run(&emulator, &agent, &message, &[sign_in, look.display_name("Look")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Look").log;
    for expected in ["the broker lives", "the lock is free", "holders: .", "the reader ended with 0"] {
        assert!(log.contains(expected), "not '{expected}': {log}");
    }
}

#[test]
fn a_session_by_node_24_is_one_like_any_other() {
    let Some(node24) = node24() else { return };
    let emulator = Emulator::start();
    let message = emulator.job(emulator.usual().connection);
    let look = Step::bash("test $(wif token arm 2> /dev/null | wc -c) -gt 100 && wif status > /dev/null");
    let agent = agent(&emulator).node(&node24);
    let report = run(&emulator, &agent, &message, &[sign_in(&[("refresh", "true")]), look]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let step = report.step("Sign in");
    assert_eq!((step.result, step.exit_code), (StepResult::Succeeded, Some(0)));
    assert!(step.warnings().is_empty(), "{:?}", step.warnings());
    let post = report.steps.iter().find(|step| step.stage == Stage::Post).unwrap();
    assert!(post.log.contains("Signed out"), "{}", post.log);
    assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_is_killed_in_the_place_of_node_24_is_a_failure_that_the_agent_reports() {
    let Some(node24) = node24() else { return };
    let emulator = Emulator::start();
    let gate = emulator::Gate::new();
    emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().gate(&gate));
    let message = emulator.job(emulator.usual().connection);
    // A copy of the task by whose path its processes are told from those of other tests.
    let agent = agent(&emulator).node(&node24).install_tasks();
    let own = agent.root_folder().display().to_string();
    let killer = std::thread::spawn(move || {
        gate.wait_until_reached(1);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let stage = entries.filter_map(|entry| {
            let arguments = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            let ours = arguments.starts_with(&own) && arguments.ends_with("/wif\0task\0run\0");
            ours.then(|| entry.file_name())
        });
        let stages: Vec<_> = stage.collect();
        assert_eq!(stages.len(), 1, "{stages:?}");
        std::process::Command::new("kill").arg("-KILL").args(&stages).status().unwrap();
    });
    let report = agent.run(&message, &[sign_in(&[])]);
    killer.join().unwrap();
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    let step = report.step("Sign in");
    assert_eq!(step.result, StepResult::Failed);
    let errors = step.errors();
    assert!(
        errors.len() == 1 && errors[0].starts_with("Exit code 137 "),
        "the agent's own error: {errors:?}"
    );
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new(), "left after the job");
}

#[test]
fn the_example_of_the_demo_works_as_it_is() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/demo.yml")).unwrap();
    let ours = |name: &str| (name == "AzureWorkloadIdentity@1").then(|| task_folder().to_owned());
    let pipeline = pipeline_from_yaml(&text, &ours).unwrap();
    let mut message = emulator.job(usual.connection);
    message.variables.push(Variable { name: "ARM_URL".to_owned(), value: emulator.arm_url(), secret: false });
    pipeline.add_variables(&mut message);
    let agent = agent(&emulator).machine_env("NODE_EXTRA_CA_CERTS", emulator.ca_file().to_string_lossy());
    let report = run(&emulator, &agent, &message, &pipeline.steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let expected = format!("ARM answers 200: {} is Enabled", usual.subscription_name);
    assert!(report.log.contains(&expected), "{}", report.log);
    assert!(report.log.contains("The token was ***"), "{}", report.log);
    assert_eq!(emulator.count(Service::Arm, "GET /subscriptions/"), 1);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 3, "arm, keyvault, and storage by the broker");
    assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
}

#[test]
fn a_diagnosis_is_in_the_log_and_in_the_runs_summary_and_nothing_is_exported() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    emulator.directory().app(usual.entra_client).federated_credentials[0].subject.push('x');
    let message = emulator.job(usual.entra_connection);
    let inputs = [("azureSubscription", "sc-entra"), ("diagnose", "true"), EMULATOR];
    let diagnose = Step::task(task_folder(), &inputs).display_name("Diagnose");
    let agent = agent(&emulator);
    let report = agent.run(&message, &[diagnose]);
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    let step = report.step("Diagnose");
    assert_eq!((step.result, step.exit_code), (StepResult::Failed, Some(0)));
    let errors = step.errors();
    assert!(errors.len() == 1 && errors[0].starts_with("WIF2013: "), "{errors:?}");
    assert!(step.log.contains("FAULT    exchange at Entra"), "{}", step.log);
    // The parts are seen, though the agent masks the whole.
    let organization = format!("subject organization  {}", usual.organization_id);
    assert!(step.log.contains(&organization) && !step.log.contains("/eid1/c/pub/t/"), "{}", step.log);
    assert_eq!(report.summaries.len(), 1);
    let summary = report.summaries[0].content.as_deref().unwrap();
    assert!(summary.contains("1 fault: WIF2013, the federated credential."), "{summary}");
    let seen = format!("{}{summary}", report.log);
    assert_eq!(emulator::leaks(&emulator.issued(), seen.as_bytes()), Vec::<String>::new());
    assert!(report.variables.keys().all(|name| !name.starts_with("ARM_") && !name.starts_with("AZURE_")));
    // The file stays until the agent has read it, and goes with the agent's temporary folder.
    assert_eq!(report.left_in_temp.len(), 1, "{:?}", report.left_in_temp);
}
