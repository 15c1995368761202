//! What must hold on every platform: whole jobs that the emulator's agent runs.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::Path,
};

use emulator::{
    Emulator, Fault, Gate, Service,
    agent::{Agent, JobReport, JobResult, Step, StepResult},
    job::{JobMessage, Variable},
};

use crate::process::Result;

/// How a platform's programs are run on this machine.
pub(super) struct Machine<'a> {
    /// The task folder, with the platform's program in it.
    pub(super) task: &'a Path,
    /// The agent, whose Node runs the shim there.
    pub(super) agent: &'a dyn Fn() -> Agent,
    /// The agent on a machine that trusts the CA in a file, by its own trust store.
    pub(super) trusting: &'a dyn Fn(&Path) -> Result<Agent>,
    /// Bash that runs the platform's program in a later step.
    pub(super) wif: &'a str,
    /// A command for `wif exec`, as words of bash, that asks the session for a token, and the exit code that says it got it.
    pub(super) command: (&'a str, i32),
    /// A `scriptType` that can run there (none: scripts are not tried), and a script of one line that asks for a token and says that it [`RAN`].
    pub(super) script: Option<(&'a str, &'a str)>,
}

/// What the script says when it got its token.
pub(super) const RAN: &str = "the script ran";
/// The command of a system with a POSIX shell, and its script.
pub(super) const SHELL_COMMAND: (&str, i32) = ("sh -c 'wif token arm > /dev/null && exit 7'", 7);
pub(super) const BASH_SCRIPT: (&str, &str) = ("bash", "wif token arm > /dev/null && echo the script ran");

/// Where a trust store is a file, its place can be named.
pub(super) fn by_file(agent: Agent, ca: &Path) -> Agent {
    agent.machine_env("SSL_CERT_FILE", ca.to_string_lossy())
}

type Check = fn(&Machine<'_>) -> Result<()>;

/// Every check, with the sentence that it holds to be true.
const CHECKS: [(&str, Check); 7] = [
    ("a step signs in and its files go with the job", signs_in),
    ("a broker keeps the job signed in, holds nothing of its step, and ends with the job", keeps),
    ("a certificate of an unknown CA is refused", refuses),
    ("a CA in the machine's own trust store is trusted", trusts),
    ("a canceled step leaves nothing", cancels),
    ("a step that fails leaves nothing to the post-job stage", fails),
    ("`wif exec` signs a command in, takes over its exit code, and leaves nothing", executes),
];

/// One more, where a script can run.
const SCRIPTS: &str = "a script that is signed in alone leaves nothing to later steps";

/// Runs them all.
pub(super) fn all(machine: &Machine<'_>) -> Result<()> {
    for (sentence, check) in CHECKS {
        check(machine).map_err(|error| format!("{sentence}: {error}"))?;
        println!("  ok  {sentence}");
    }
    if let Some(script) = machine.script {
        scripts(machine, script).map_err(|error| format!("{SCRIPTS}: {error}"))?;
        println!("  ok  {SCRIPTS}");
    } else {
        println!("  NOT TRIED  {SCRIPTS}");
    }
    Ok(())
}

fn signs_in(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    let look = look(machine, "test -n \"$ARM_CLIENT_ID\" && test -n \"$AZURE_FEDERATED_TOKEN_FILE\"");
    let message = job(&emulator);
    let report = with_ca(machine, &emulator).run(&message, &[sign_in(machine, "false"), look]);
    clean(&report, &emulator)?;
    asked(&emulator, 1, 1)
}

fn keeps(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    let look = look(
        machine,
        "echo \"port ${WIF_URL##*:}\"
         $WIF token arm > /dev/null; $WIF token keyvault > /dev/null; $WIF token --id-token > /dev/null
         $WIF status
         curl --silent --fail --header \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \
           \"$IDENTITY_ENDPOINT?resource=https://management.azure.com/&api-version=2019-08-01\" | grep --quiet access_token",
    );
    let message = job(&emulator);
    let report = with_ca(machine, &emulator).run(&message, &[sign_in(machine, "true"), look]);
    clean(&report, &emulator)?;
    let log = &report.step("Look").log;
    let port = log.lines().find_map(|line| line.split_once(" port ")?.1.trim().parse().ok());
    let port: u16 = port.ok_or("the broker's port is not in the log")?;
    if report.step("Sign in").output_held_open {
        return Err("something still holds the step's output after it ended".to_owned());
    }
    if !log.contains("https://vault.azure.net") {
        return Err(format!("`wif status` does not show the token:\n{log}"));
    }
    if !report.log.contains("Signed out") || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
        return Err(format!("the broker did not end with the job:\n{}", report.log));
    }
    asked(&emulator, 1, 2)
}

fn refuses(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    let message = job(&emulator);
    let report = (machine.agent)().run(&message, &[sign_in(machine, "false")]);
    let step = report.step("Sign in");
    if step.result != StepResult::Failed || !step.log.contains("certificate") {
        return Err(format!("it is not refused as such:\n{}", report.log));
    }
    asked(&emulator, 0, 0)
}

fn trusts(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    let agent = (machine.trusting)(emulator.ca_file())?;
    let report = agent.run(&job(&emulator), &[sign_in(machine, "true")]);
    clean(&report, &emulator)?;
    asked(&emulator, 1, 1)
}

fn cancels(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    let gate = Gate::new();
    emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().gate(&gate));
    let message = job(&emulator);
    let job = with_ca(machine, &emulator).start(&message, &[sign_in(machine, "true")]);
    gate.wait_until_reached(1);
    job.cancel();
    let report = job.finish();
    let step = report.step("Sign in");
    if step.result != StepResult::Canceled
        || step.raw_stdout.contains("task.setvariable")
        || !step.raw_stdout.contains("Canceled: nothing is left behind")
    {
        return Err(format!("it is not canceled as it should be:\n{}", report.log));
    }
    nothing_left(&report, &emulator)
}

fn fails(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().aadsts(700_016));
    let message = job(&emulator);
    let report = with_ca(machine, &emulator).run(&message, &[sign_in(machine, "true")]);
    if report.result != JobResult::Failed || !report.log.contains("AADSTS700016") {
        return Err(format!("it does not fail as it should:\n{}", report.log));
    }
    if report.step("Post-job: Sign in").result != StepResult::Succeeded {
        return Err(format!("the post-job stage fails:\n{}", report.log));
    }
    nothing_left(&report, &emulator)
}

fn executes(machine: &Machine<'_>) -> Result<()> {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let (command, code) = machine.command;
    let named = |url: String| url.replace("127.0.0.1", "localhost");
    // The sign-in step has put the program on the PATH; its session is another.
    let look = look(
        machine,
        &format!(
            "code=0
             $WIF exec --source azure-pipelines --connection {} --tenant {} --client {} --authority {} \\
               --resource-manager {} --allowed-authorities 127.0.0.1,localhost --exports terraform,azure-sdk \\
               -- {command} > /dev/null || code=$?
             test $code = {code}",
            usual.connection,
            usual.tenant,
            usual.client,
            named(emulator.entra_url()),
            named(emulator.arm_url()),
        ),
    );
    let look = look.env("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)");
    let mut message = job(&emulator);
    let (name, value) = ("System.AccessToken".to_owned(), message.job_token.clone());
    message.variables.push(Variable { name, value, secret: true });
    let agent = (machine.trusting)(emulator.ca_file())?;
    let report = agent.run(&message, &[sign_in(machine, "false"), look]);
    clean(&report, &emulator)?;
    asked(&emulator, 2, 2)
}

fn scripts(machine: &Machine<'_>, (kind, text): (&str, &str)) -> Result<()> {
    let emulator = Emulator::start();
    let inputs = [
        ("azureSubscription", "sc-prod"),
        ("scriptType", kind),
        ("scriptLocation", "inlineScript"),
        ("inlineScript", text),
        ("exports", "terraform, azure-sdk"),
        ("allowedAuthorities", "127.0.0.1, localhost"),
    ];
    let script = Step::task(machine.task, &inputs).display_name("Script");
    let look = Step::bash("test -z \"$ARM_CLIENT_ID$AZURE_CLIENT_ID$WIF_URL\"").display_name("Look");
    let report = with_ca(machine, &emulator).run(&job(&emulator), &[script, look]);
    clean(&report, &emulator)?;
    if report.step("Script").raw_stdout.lines().all(|line| line.trim() != RAN) {
        return Err(format!("the script did not get a token:\n{}", report.log));
    }
    asked(&emulator, 1, 1)
}

fn sign_in(machine: &Machine<'_>, refresh: &str) -> Step {
    let inputs = [
        ("azureSubscription", "sc-prod"),
        ("refresh", refresh),
        ("exports", "terraform, azure-sdk"),
        ("allowedAuthorities", "127.0.0.1, localhost"),
    ];
    Step::task(machine.task, &inputs).display_name("Sign in")
}

fn look(machine: &Machine<'_>, script: &str) -> Step {
    let wif = machine.wif;
    Step::bash(format!("set -e\nWIF='{wif}'\n{script}")).display_name("Look")
}

/// The agent's CA file is the emulator's, which no other program trusts.
fn with_ca(machine: &Machine<'_>, emulator: &Emulator) -> Agent {
    (machine.agent)().ca_file(emulator.ca_file())
}

/// A job in which every service has a name that has to be resolved: Wine 8 knows certificates of names only.
fn job(emulator: &Emulator) -> JobMessage {
    let mut message = emulator.job(emulator.usual().connection);
    let named = |text: &mut String| *text = text.replace("127.0.0.1", "localhost");
    named(&mut message.system_connection_url);
    message.variables.iter_mut().for_each(|variable| named(&mut variable.value));
    message.endpoints.iter_mut().flat_map(|endpoint| endpoint.data.values_mut()).for_each(named);
    message
}

fn clean(report: &JobReport, emulator: &Emulator) -> Result<()> {
    if report.result != JobResult::Succeeded {
        return Err(format!("the job {:?}\n{}\n{}", report.result, report.log, emulator.journal_text()));
    }
    nothing_left(report, emulator)
}

fn nothing_left(report: &JobReport, emulator: &Emulator) -> Result<()> {
    let leaks = emulator::leaks(&emulator.issued(), report.log.as_bytes());
    if leaks.is_empty() && report.left_in_temp.is_empty() && report.killed_orphans.is_empty() {
        return Ok(());
    }
    let (files, processes) = (&report.left_in_temp, &report.killed_orphans);
    Err(format!("leaks {leaks:?}, files {files:?}, processes {processes:?}\n{}", report.log))
}

fn asked(emulator: &Emulator, id_tokens: usize, access_tokens: usize) -> Result<()> {
    let counts = (emulator.count(Service::DevOps, "/oidctoken"), emulator.count(Service::Entra, "POST /"));
    if counts == (id_tokens, access_tokens) {
        return Ok(());
    }
    Err(format!("{counts:?} tokens were asked for\n{}", emulator.journal_text()))
}
