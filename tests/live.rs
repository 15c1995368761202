//! `refresh: true`: one process for each session, and every later step is signed in until the job ends.
#![cfg(target_os = "linux")]

use std::{
    fs,
    process::{Command, Stdio},
};

use emulator::{
    Emulator, Service,
    agent::{Agent, Condition, JobReport, JobResult, Step},
    directory::{App, ClientSecret, Connection, Issuer, Kind},
};

use crate::support::{Case, EMULATOR, block_until, task_folder};

fn sign_in(inputs: &[(&str, &str)]) -> Step {
    let usual = [("azureSubscription", "sc-prod"), ("exports", "terraform, azure-sdk"), EMULATOR];
    let mut all: Vec<_> =
        usual.into_iter().filter(|(name, _)| inputs.iter().all(|(own, _)| own != name)).collect();
    all.extend(inputs);
    Step::task(task_folder(), &all).display_name("Sign in")
}

fn run(emulator: &Emulator, steps: &[Step]) -> JobReport {
    let usual = emulator.usual();
    let message = emulator.job_with(&[usual.connection, usual.entra_connection]);
    let report = Agent::new().ca_file(emulator.ca_file()).run(&message, steps);
    let issued = emulator.issued();
    assert_eq!(emulator::leaks(&issued, report.log.as_bytes()), Vec::<String>::new(), "{}", report.log);
    for process in report.observed.iter().filter(|process| is_broker(&process.arguments)) {
        assert_eq!(process.arguments.len(), 2, "{:?}", process.arguments);
        let names: Vec<_> = process.environment.keys().collect();
        assert!(names.iter().all(|name| *name == "VSTS_PROCESS_LOOKUP_ID"), "{names:?}");
    }
    for process in &report.observed {
        let arguments = process.arguments.join(" ");
        assert_eq!(emulator::leaks(&issued, arguments.as_bytes()), Vec::<String>::new(), "{arguments}");
        if !is_task(&process.arguments) {
            let environment: Vec<_> = process.environment.values().map(String::as_str).collect();
            let found = emulator::leaks(&issued, environment.join(" ").as_bytes());
            assert_eq!(found, Vec::<String>::new(), "in the environment of {arguments}");
        }
    }
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new());
    report
}

/// The task's own processes, which the agent gives what a task is given: the shim, and the program that it starts.
fn is_task(arguments: &[String]) -> bool {
    let shim = |argument: &String| argument.ends_with("index.js") || argument.ends_with("post.js");
    arguments.iter().any(shim) || arguments.get(1).is_some_and(|argument| argument == "task")
}

fn is_broker(arguments: &[String]) -> bool {
    arguments.get(1).is_some_and(|argument| argument == "broker")
}

/// The process that listens on the port of a `WIF_URL`.
fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Bash that finds the broker's process by the port it listens on.
const FIND: &str = r#"
broker_of() { ss -ltnp | grep ":${1##*:} " | sed 's/.*pid=\([0-9]*\).*/\1/'; }
"#;

#[test]
fn a_later_step_is_signed_in_and_the_broker_ends_with_the_job() {
    let emulator = Emulator::start();
    let look = Step::bash(format!(
        "set -e{FIND}
         wif token arm > /dev/null; wif token keyvault > /dev/null; wif token --id-token > /dev/null
         arm=\"$IDENTITY_ENDPOINT?resource=https://management.azure.com/&api-version=2019-08-01&client_id=$AZURE_CLIENT_ID\"
         curl -sf -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \"$arm\" \"$arm\" > /dev/null
         curl -sf -H \"Authorization: Bearer $ARM_OIDC_REQUEST_TOKEN\" \"$ARM_OIDC_REQUEST_URL&audience=api://AzureADTokenExchange\" | grep -q '\"value\"'
         curl -sf -X POST -H \"Authorization: Bearer $ARM_OIDC_REQUEST_TOKEN\" -d '' \"$ARM_OIDC_REQUEST_URL\" | grep -q oidcToken
         curl -sf -H \"Authorization: Bearer $AZD_AUTH_KEY\" -H 'Content-Type: application/json' -d '{{\"scopes\":[\"https://management.azure.com//.default\"]}}' \"$AZD_AUTH_ENDPOINT/token?api-version=2023-07-12-preview\" | grep -q success
         wif status
         broker=$(broker_of \"$WIF_URL\"); echo \"broker $broker\"
         ls -l /proc/$broker/fd | grep -E ' [012] ->'
         test \"$(tr '\\0' '\\n' < /proc/$broker/environ | cut -d= -f1)\" = VSTS_PROCESS_LOOKUP_ID
         env | grep -E '^(ARM_OIDC_TOKEN|AZURE_FEDERATED|.*SERVICE_CONNECTION_ID)' && exit 1 || true",
    ));
    let report = run(&emulator, &[sign_in(&[]), look.display_name("Look")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Look").log;
    assert_eq!(log.matches("-> /dev/null").count(), 3, "{log}");
    assert!(log.contains("id token") && log.contains("https://vault.azure.net"), "{log}");
    assert!(report.killed_orphans.is_empty(), "the post-job stage ends it: {:?}", report.killed_orphans);
    assert!(report.log.contains("Signed out"), "{}", report.log);
    let usual = emulator.usual();
    let signed_in = report.step("Sign in").log.clone();
    let (headline, folded) = signed_in.split_once("##[group]").unwrap();
    // The agent masks the client's id, as part of the connection.
    let who = format!("client *** of tenant {}", usual.tenant);
    assert!(headline.contains(&format!("  as {who}, subscription ")), "{signed_in}");
    assert!(headline.contains(", renewed until the job ends"), "{signed_in}");
    assert!(folded.contains("  exported ") && folded.contains("##[endgroup]"), "{signed_in}");
    let (_, account) = report.log.split_once("Signed out").unwrap();
    assert!(account.contains(&format!(", as {who}")), "{account}");
    for line in [
        "4 × https://management.core.windows.net over 3 connections, none fetched after the sign-in",
        "1 × https://vault.azure.net over 1 connection, 1 fetched after the sign-in",
    ] {
        assert!(account.contains(line), "{line}: {account}");
    }
    assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 1);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 2, "arm and keyvault, once each");
}

#[test]
fn az_finds_a_private_folder_without_a_token_and_the_users_extensions() {
    let emulator = Emulator::start();
    let look = Step::bash(
        "cd \"$AZURE_CONFIG_DIR\"; stat -c 'folder %a' .; stat -c '%a %n' *; cat azureProfile.json config; echo \"extensions $AZURE_EXTENSION_DIR\"; grep -rl eyJ . && exit 1 || true",
    );
    let report = run(&emulator, &[sign_in(&[("exports", "azure-cli")]), look.display_name("Look")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Look").log;
    assert!(log.contains("folder 700") && log.contains("600 azureProfile.json"), "{log}");
    assert!(log.contains("\"isDefault\":true") && log.contains(emulator.usual().subscription_name), "{log}");
    assert!(log.contains("/.azure/cliextensions"), "{log}");
}

#[test]
fn two_sessions_are_two_brokers_and_neither_knows_the_other() {
    let emulator = Emulator::start();
    let hub =
        sign_in(&[("azureSubscription", "sc-entra"), ("session", "hub")]).display_name("Sign in to the hub");
    let look = Step::bash(
        "test \"$WIF_URL\" != \"$HUB_WIF_URL\" && test \"$WIF_KEY\" != \"$HUB_WIF_KEY\" && wif token arm > /dev/null && wif token --session hub arm > /dev/null
         curl -s -o /dev/null -w 'crossed %{http_code}\\n' -H \"X-IDENTITY-HEADER: $WIF_KEY\" \"$HUB_IDENTITY_ENDPOINT?resource=https://management.azure.com\"
         wif status --session hub",
    );
    let report = run(&emulator, &[sign_in(&[]), hub, look.display_name("Look")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert!(report.step("Look").log.contains("crossed 401"), "{}", report.step("Look").log);
    assert_eq!(report.log.matches("Signed out").count(), 2, "{}", report.log);
    assert!(report.killed_orphans.is_empty());
}

#[test]
fn a_broker_that_was_killed_leaves_nothing_and_the_post_job_stage_says_that_it_was_gone() {
    let emulator = Emulator::start();
    let kill =
        Step::bash(format!("{FIND} kill -9 $(broker_of \"$WIF_URL\"); wif token arm; echo \"exit $?\""));
    let report = run(&emulator, &[sign_in(&[("exports", "token-file")]), kill.display_name("Kill")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Kill").log;
    assert!(log.contains("WIF5002") && log.contains("exit 4"), "{log}");
    assert!(report.log.contains("broker was gone before the job's end"), "{}", report.log);
    assert!(!report.log.contains("Signed out"), "{}", report.log);
}

#[test]
fn a_program_that_took_the_port_of_a_broker_that_was_killed_is_told_no_key() {
    let emulator = Emulator::start();
    let take = Step::bash(format!(
        "{FIND} broker=$(broker_of \"$WIF_URL\"); kill -9 $broker
         for n in $(seq 3000); do ss -ltn | grep -q \":${{WIF_URL##*:}} \" || break; sleep 0.01; done
         cat > other.py <<'END'
import http.server, sys
class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open('heard', 'a').write(self.requestline + str(self.headers))
        body = b'{{\"access_token\":\"of another\",\"oidcToken\":\"of another\",\"proof\":\"\"}}'
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *all): pass
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Other)
open('listens', 'w').close()
server.serve_forever()
END
         env -u VSTS_PROCESS_LOOKUP_ID timeout 60 python3 other.py ${{WIF_URL##*:}} < /dev/null > /dev/null 2>&1 &
         for n in $(seq 3000); do [ -e listens ] && break; sleep 0.01; done
         for command in 'wif token arm' 'wif token --id-token' 'wif status'; do $command; echo \"exit $?\"; done
         wif token arm 2> /dev/null | grep . && exit 1
         grep -c proof heard; grep -F \"$WIF_KEY\" heard && exit 1; true",
    ));
    let report = run(&emulator, &[sign_in(&[]), take.display_name("Take")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Take").log;
    assert_eq!(log.matches("error WIF5004").count(), 3, "{log}");
    assert_eq!(log.matches("exit 4").count(), 3, "{log}");
    assert!(!log.contains("of another"), "{log}");
    assert!(report.log.contains("broker was gone before the job's end"), "{}", report.log);
    assert!(report.log.contains("another program has taken its port"), "{}", report.log);
}

#[test]
fn a_broker_that_answers_nothing_is_ended_by_the_post_job_stage_within_five_seconds() {
    let emulator = Emulator::start();
    let stop = Step::bash(format!(
        "{FIND} broker=$(broker_of \"$WIF_URL\"); echo \"broker $broker\"; kill -STOP $broker; date +begin=%s%3N"
    ));
    let report = run(&emulator, &[sign_in(&[("exports", "token-file")]), stop.display_name("Stop")]);
    let end = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Stop").log;
    let number = |name: &str| {
        let (_, rest) = log.split_once(name).unwrap_or_else(|| panic!("{log}"));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    assert!(!alive(&number("broker ")), "{}", report.log);
    assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
    assert!(report.log.contains("did not answer: it was killed"), "{}", report.log);
    assert!(report.log.contains("Signed out"), "{}", report.log);
    let took = end - number("begin=").parse::<u128>().unwrap();
    assert!(took < 5000 + MACHINE_IS_BUSY, "{took} ms");
}

/// Milliseconds that the rest of the job may take after its last step, beside other tests.
const MACHINE_IS_BUSY: u128 = 5000;

#[test]
fn the_agents_orphan_clean_up_ends_a_broker_that_no_other_process_ended() {
    let emulator = Emulator::start();
    // Without the task variable, the post-job stage finds no broker: as if it had been killed.
    let usual = emulator.usual();
    let message = emulator.job_with(&[usual.connection]);
    let broken = tempfile::tempdir().unwrap();
    copy(task_folder(), broken.path());
    fs::write(broken.path().join("post.js"), "").unwrap();
    let inputs = [("azureSubscription", "sc-prod"), ("exports", "azure-sdk"), EMULATOR];
    let look = Step::bash(format!("{FIND} echo \"broker $(broker_of \"$WIF_URL\")\"")).display_name("Look");
    let report =
        Agent::new().ca_file(emulator.ca_file()).run(&message, &[Step::task(broken.path(), &inputs), look]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(report.killed_orphans.len(), 1, "{:?}", report.killed_orphans);
    let pid = report.killed_orphans[0].pid.to_string();
    assert!(report.step("Look").log.contains(&format!("broker {pid}")), "{}", report.log);
    assert!(!alive(&pid));
}

#[test]
fn a_step_that_is_killed_after_it_started_the_broker_leaves_none() {
    // More output than a pipe holds, and no process reads it: the step hangs in its masks, before it lets the broker go on.
    let tokens: Vec<_> = (0..80).map(|n| format!("TOKEN_{n}=arm")).collect();
    let case = Case::new()
        .input("refresh", "true")
        .input("exports", "azure-sdk")
        .input("accessTokens", &tokens.join("\n"));
    let mut step = case.command(env!("CARGO_BIN_EXE_wif"));
    let mut step = step.args(["task", "run"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let id = step.id().to_string();
    let mut broker = String::new();
    block_until(
        "the step starts its broker",
        || case.emulator.journal_text(),
        || {
            let children = Command::new("pgrep").args(["-P", &id, "-a"]).output().unwrap();
            let children = String::from_utf8(children.stdout).unwrap();
            assert!(step.try_wait().unwrap().is_none(), "the step should hang");
            if let Some(line) = children.lines().find(|line| line.ends_with(" broker")) {
                line.split(' ').next().unwrap().clone_into(&mut broker);
            }
            !broker.is_empty()
        },
    );
    step.kill().unwrap();
    step.wait().unwrap();
    // It hears the end of the pipe.
    block_until("the broker ends", || case.emulator.journal_text(), || !alive(&broker));
}

#[test]
fn a_job_that_is_canceled_keeps_no_broker() {
    let emulator = Emulator::start();
    let message = emulator.job_with(&[emulator.usual().connection]);
    let wait = Step::bash(format!(
        "{FIND} echo \"broker $(broker_of \"$WIF_URL\") is here\"; exec sleep 100 > /dev/null 2>&1"
    ))
    .display_name("Wait");
    let always = Step::bash("true").condition(Condition::Always);
    let agent = Agent::new().ca_file(emulator.ca_file());
    let job = agent.start(&message, &[sign_in(&[]), wait, always]);
    let line = job.wait_for_line(|line| line.contains("is here"));
    job.cancel();
    let report = job.finish();
    let pid = line.split_whitespace().find(|word| word.chars().all(|c| c.is_ascii_digit())).unwrap();
    assert!(!alive(pid), "{}", report.log);
    assert!(report.log.contains("Signed out"), "{}", report.log);
}

#[test]
fn the_id_tokens_file_is_rewritten_before_it_ends() {
    let emulator = Emulator::start();
    emulator.directory().lifetimes.devops_id_token = 6;
    let look = Step::bash(
        "first=$(cat \"$AZURE_FEDERATED_TOKEN_FILE\"); for n in $(seq 100); do test \"$first\" != \"$(cat \"$AZURE_FEDERATED_TOKEN_FILE\")\" && exit 0; sleep 0.1; done; exit 1",
    );
    let report = run(
        &emulator,
        &[sign_in(&[("exports", "token-file"), ("accessTokens", "")]), look.display_name("Look")],
    );
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_connection_that_is_not_federated_is_kept_alive_too() {
    let emulator = Emulator::start();
    let machine = uuid::uuid!("5d0c9b1e-7a43-4f26-8e5b-c1f2a3d4b596");
    let usual = emulator.usual();
    let connections = {
        let mut directory = emulator.directory();
        let secret = "kX8~correct.horse-battery_staple8Q";
        let known = ClientSecret { value: secret.to_owned(), expires: None };
        directory.app(usual.client).secrets.push(known);
        directory.tenant(usual.tenant).apps.push(App::new(machine, Kind::ManagedIdentity));
        directory.machine.identities.push(machine);
        let plain = |name| {
            Connection::federated(name, Issuer::DevOps, usual.tenant, usual.client, usual.subscription)
        };
        [plain("sc-secret").with_secret(secret), plain("sc-machine").of_machine()]
            .map(|connection| directory.add_connection(usual.project_id, connection))
    };
    let message = emulator.job_with(&connections);
    let (endpoint, header) = emulator.app_service();
    let sign_in = |name| sign_in(&[("azureSubscription", name)]).display_name(name);
    let look = Step::bash(
        "set -e; wif token arm > /dev/null; wif token keyvault > /dev/null; test \"$ARM_USE_MSI\" = true
         curl -sf -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \"$IDENTITY_ENDPOINT?resource=https://graph.microsoft.com&api-version=2019-08-01&client_id=$AZURE_CLIENT_ID\" > /dev/null
         curl -sf -H 'Metadata: true' \"$ARM_MSI_ENDPOINT?resource=https://storage.azure.com&api-version=2018-02-01&client_id=$ARM_CLIENT_ID\" > /dev/null
         env | grep -E '^ARM_(USE_)?OIDC' && exit 1 || true",
    );
    // The second session replaces the first, whose broker is not to be taken for the machine's own service, and which
    // has taken the names by which that one is found.
    let steps = [
        sign_in("sc-secret"),
        look.clone().display_name("Look"),
        sign_in("sc-machine"),
        look.display_name("Look again"),
    ];
    let agent = Agent::new().ca_file(emulator.ca_file());
    let agent = agent.machine_env("IDENTITY_ENDPOINT", endpoint).machine_env("IDENTITY_HEADER", &header);
    let report = agent.run(&message, &steps);
    assert!(report.masks.contains(&header), "the machine's header is kept for later steps, and masked first");
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
    assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
    assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 0);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 4, "arm, keyvault, graph, storage");
    assert_eq!(emulator.count(Service::Machine, "GET /msi/token"), 4);
}
