//! The job of one row: sign in, then the client, and later once more.

use std::path::{Path, PathBuf};

use emulator::{
    Emulator, Proxy, Service,
    agent::{Agent, Step, StepResult},
    blob::{ACCOUNT, CONTAINER},
    directory::Subscription,
    job::{JobMessage, Variable},
};

use uuid::Uuid;

use super::{
    azurite,
    bash::word,
    broker,
    container::{Container, Place, run_line},
    install::{Installed, Instead},
    judge, organization,
    scheme::Scheme,
    table::Outcome,
    tools::{ACCESS_TOKEN_LIVES, Client, Mode, STATUS, Tool},
};
use crate::{
    process::Result,
    stage::{self, EMULATOR},
};

/// Runs it, and tells what came of it.
pub(super) fn run(
    task: &Path,
    tool: &Tool,
    installed: &Installed,
    client: &Client,
    scheme: Scheme,
) -> Outcome {
    let emulator = Emulator::start();
    let (connection, name) = scheme.connect(&emulator);
    let second = client.two_sessions.then(|| scheme.other().connect(&emulator));
    prepare(&emulator, client);
    let other_subscription = see_another_subscription(&emulator);
    let server = match &installed.instead {
        Instead::Nothing => None,
        Instead::Azurite(program) => Some((azurite::start(program, &emulator), azurite::HOST)),
        Instead::Organization => Some((organization::start(&emulator, scheme.client()), organization::HOST)),
    };
    let server = match server.map(|(started, host)| started.map(|server| (server, host))).transpose() {
        Ok(server) => server,
        Err(error) => return Outcome::Failed(error),
    };
    let connections: Vec<_> = [connection].into_iter().chain(second.map(|(id, _)| id)).collect();
    let mut message = emulator.job_with(&connections);
    let mut leading = Proxy::leading_to(&emulator);
    if let Some((server, host)) = &server {
        leading = leading.lead(host, server.port());
    }
    let proxy = Proxy::start(leading);
    announce(&mut message, &emulator, &proxy, (connection, other_subscription));

    let names: Vec<_> = [name].into_iter().chain(second.map(|(_, name)| name)).collect();
    let mut agent = Agent::new().ca_file(emulator.ca_file());
    if let Some(path) = &installed.path {
        agent = agent.path(path);
    }
    if scheme == Scheme::Machine {
        let (endpoint, header) = emulator.app_service();
        agent = agent.machine_env("IDENTITY_ENDPOINT", endpoint).machine_env("IDENTITY_HEADER", header);
    }
    let ca = emulator.ca_file().parent().unwrap_or(emulator.ca_file());
    let ports: Vec<_> = SERVICES.iter().map(|service| emulator.port(*service)).collect();
    let container = match Container::start(tool.place, &[agent.root_folder(), task, ca], &ports) {
        Ok(container) => container,
        Err(error) => return Outcome::Failed(error),
    };
    let enter = container.as_ref().map(Container::enter).unwrap_or_default();
    let command = match command(tool.place, installed, client, &enter, ca) {
        Ok(command) => command,
        Err(error) => return Outcome::Failed(error),
    };
    let command = match client.mode {
        Mode::Exec(source) => source.around(&program(task), &emulator, client.inputs, &command),
        Mode::Snapshot | Mode::Broker => command,
    };
    if tool.place != Place::SharedNetwork {
        agent = agent.container(&enter.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let steps = match steps(&emulator, task, tool, client, &command, &names) {
        Ok(steps) => steps,
        Err(error) => return Outcome::Failed(error),
    };
    let report = agent.run(&message, &steps);

    let ran: Vec<_> = report.steps.iter().filter(|step| step.display_name == CLIENT).collect();
    let mut complaints = Vec::new();
    for step in &ran {
        if step.result != StepResult::Succeeded {
            complaints.push(format!("a step of the client is {:?}", step.result));
        }
    }
    if complaints.is_empty() {
        let stdout: String = ran.iter().map(|step| step.raw_stdout.as_str()).collect();
        complaints.extend(judge::printed(&stdout, &installed.version, client).err());
    }
    complaints.extend(judge::asked(&emulator.journal(), tool, client, scheme));
    complaints.extend(judge::stored(&emulator.storage(), client));
    let log = server.map(|(server, _host)| server.log()).unwrap_or_default();
    complaints.extend(match installed.instead {
        Instead::Nothing => Vec::new(),
        Instead::Azurite(_) => azurite::copied(&log, client.steps),
        Instead::Organization => organization::read(&log),
    });
    if client.mode.has_broker() {
        complaints.extend(broker::kept(&emulator.journal(), client, scheme));
        complaints.extend(broker::ended(&report, client));
    }
    let seen = ran.iter().flat_map(|step| [&step.raw_stdout, &step.raw_stderr]);
    // `wif token` has the agent mask what it prints; a command is no print.
    let seen = seen.flat_map(|text| text.lines()).filter(|line| !line.starts_with("##vso[task.setsecret]"));
    let leaks = emulator::leaks(&emulator.issued(), seen.collect::<Vec<_>>().join("\n").as_bytes());
    complaints.extend(leaks.into_iter().map(|leak| format!("the client printed a secret: {leak}")));
    if complaints.is_empty() {
        return Outcome::Ok;
    }
    let (complaints, journal) = (complaints.join("\n"), emulator.journal_text());
    Outcome::Failed(format!(
        "{complaints}\n\n{}\nWhat the services were asked:\n{journal}\n{}",
        report.log,
        log.join("\n")
    ))
}

/// The client's line of bash. Where the job is not in a container and the client is, it begins with how that one is entered.
fn command(
    place: Place,
    installed: &Installed,
    client: &Client,
    enter: &[String],
    ca: &Path,
) -> Result<String> {
    let command = format!("{} {}", installed.command, word(client.credential));
    let enter = match place {
        Place::Machine | Place::Namespaces | Place::ContainerJob => return Ok(command),
        Place::SharedNetwork => enter.iter().map(|text| word(text)).collect::<Vec<_>>().join(" "),
        Place::Run => run_line(ca)?,
    };
    Ok(format!("{enter} bash -c {}", word(&command)))
}

/// The program of this platform.
fn program(task: &Path) -> PathBuf {
    let platform = stage::platform().unwrap_or_default();
    task.join("bin").join(platform).join(format!("wif{}", std::env::consts::EXE_SUFFIX))
}

/// A second subscription, in which everyone with a role in the first has one.
fn see_another_subscription(emulator: &Emulator) -> Uuid {
    let mut directory = emulator.directory();
    let first = directory.subscription(emulator.usual().subscription).clone();
    let id = Uuid::from_u128(0x5eb5_c21b_0002);
    directory.subscriptions.push(Subscription { id, name: "Platform test".to_owned(), ..first });
    id
}

/// What the client's steps read of the services, as variables of the job.
fn announce(
    message: &mut JobMessage,
    emulator: &Emulator,
    proxy: &Proxy,
    (connection, other_subscription): (Uuid, Uuid),
) {
    let job_token = message.job_token.clone();
    for (name, value, secret) in [
        ("ARM_URL", emulator.arm_url(), false),
        ("proxyUrl", proxy.url(), false),
        ("storageAccount", ACCOUNT.to_owned(), false),
        ("storageContainer", CONTAINER.to_owned(), false),
        ("otherSubscription", other_subscription.to_string(), false),
        ("serviceConnectionId", connection.to_string(), false),
        ("System.AccessToken", job_token, true),
    ] {
        message.variables.push(Variable { name: name.to_owned(), value, secret });
    }
}

/// Signs in, runs the client as often as it says, and has the broker tell what it was asked.
fn steps(
    emulator: &Emulator,
    task: &Path,
    tool: &Tool,
    client: &Client,
    command: &str,
    connections: &[&str],
) -> Result<Vec<Step>> {
    let refresh = if client.mode == Mode::Broker { "true" } else { "false" };
    let sign_in = |(number, connection): (usize, &&str)| {
        let mut inputs = vec![("azureSubscription", *connection), ("refresh", refresh), EMULATOR];
        inputs.extend(client.inputs);
        inputs.extend((number > 0).then_some(("session", "hub")));
        Step::task(task, &inputs).display_name("Sign in")
    };
    let of_source = match client.mode {
        Mode::Exec(source) => source.variables(emulator)?,
        Mode::Snapshot | Mode::Broker => Vec::new(),
    };
    let signing_in = connections.iter().enumerate().filter(|_| !matches!(client.mode, Mode::Exec(_)));
    let mut steps: Vec<_> = signing_in.map(sign_in).collect();
    for number in 0..client.steps {
        if number > 0 {
            let wait = format!("sleep {}", ACCESS_TOKEN_LIVES + 1);
            steps.push(Step::bash(wait).display_name("Wait until every token ended"));
        }
        let mut ask = Step::bash(command)
            .display_name(CLIENT)
            .env(tool.trust, emulator.ca_file().to_string_lossy())
            .env("ROUNDS", client.rounds.to_string())
            .env("PAUSE", PAUSE.to_string());
        for (name, value) in client.env {
            ask = ask.env(*name, *value);
        }
        if let Mode::Exec(_) = client.mode {
            // `wif` itself asks the emulator, and no proxy for it.
            ask = ask.env("SSL_CERT_FILE", emulator.ca_file().to_string_lossy());
            ask = ask.env("NO_PROXY", "127.0.0.1,localhost");
            ask = of_source.iter().fold(ask, |ask, (name, value)| ask.env(name, value));
        }
        steps.push(ask);
    }
    if client.mode == Mode::Broker {
        steps.push(Step::bash("wif status").display_name(STATUS));
    }
    Ok(steps)
}

/// Lets tokens end all the time where there is a broker, and the source of `wif exec` be trusted.
fn prepare(emulator: &Emulator, client: &Client) {
    if client.mode.has_broker() {
        shorten(emulator);
    }
    if let Mode::Exec(source) = client.mode {
        source.trust(emulator);
    }
    emulator.directory().deployment_seconds = DEPLOYMENT_TAKES;
}

/// Several of each end in a row's few seconds, and few of them live for as long as a client's own margin.
fn shorten(emulator: &Emulator) {
    let mut directory = emulator.directory();
    directory.sources.lifetime = ID_TOKEN_LIVES;
    let lifetimes = &mut directory.lifetimes;
    lifetimes.devops_id_token = ID_TOKEN_LIVES;
    lifetimes.entra_id_token = ID_TOKEN_LIVES;
    lifetimes.access_token = ACCESS_TOKEN_LIVES;
    lifetimes.managed_identity_access_token = ACCESS_TOKEN_LIVES;
}

/// What a step in a container of its own must reach.
const SERVICES: [Service; 6] =
    [Service::DevOps, Service::Entra, Service::Arm, Service::Blob, Service::Machine, Service::Graph];
/// The display name of the client's steps.
const CLIENT: &str = "Client";
/// Seconds, beside a broker.
const ID_TOKEN_LIVES: i64 = 6;
/// Seconds, longer than an access token lives.
const DEPLOYMENT_TAKES: i64 = 12;
/// Seconds between the rounds of a client.
const PAUSE: i64 = 3;
