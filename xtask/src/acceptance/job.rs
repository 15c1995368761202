//! The job of one row: sign in, then the client, and later once more.

use std::path::Path;

use emulator::{
    Emulator, Proxy,
    agent::{Agent, Step, StepResult},
    blob::{ACCOUNT, CONTAINER},
    directory::{Lifetimes, Subscription},
    job::Variable,
};

use uuid::Uuid;

use super::{
    azurite::{self, Azurite},
    broker,
    container::Container,
    install::Installed,
    judge,
    scheme::Scheme,
    table::Outcome,
    tools::{Client, Mode, Tool},
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
    if client.mode == Mode::Broker {
        shorten(&mut emulator.directory().lifetimes);
    }
    emulator.directory().deployment_seconds = DEPLOYMENT_TAKES;
    let other_subscription = see_another_subscription(&emulator);
    let azurite = installed.azurite.as_deref().map(|program| Azurite::start(program, &emulator)).transpose();
    let azurite = match azurite {
        Ok(azurite) => azurite,
        Err(error) => return Outcome::Failed(error),
    };
    let connections: Vec<_> = [connection].into_iter().chain(second.map(|(id, _)| id)).collect();
    let mut message = emulator.job_with(&connections);
    let job_token = message.job_token.clone();
    let mut leading = Proxy::leading_to(&emulator);
    if let Some(azurite) = &azurite {
        leading = leading.lead("*.blob.core.windows.net:443", azurite.port());
    }
    let proxy = Proxy::start(leading);
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

    let names: Vec<_> = [name].into_iter().chain(second.map(|(_, name)| name)).collect();
    let steps = steps(&emulator, task, tool, installed, client, &names);
    let mut agent = Agent::new().ca_file(emulator.ca_file());
    if let Some(path) = &installed.path {
        agent = agent.path(path);
    }
    if scheme == Scheme::Machine {
        let (endpoint, header) = emulator.app_service();
        agent = agent.machine_env("IDENTITY_ENDPOINT", endpoint).machine_env("IDENTITY_HEADER", header);
    }
    let container = match tool.container.then(Container::start).transpose() {
        Ok(container) => container,
        Err(error) => return Outcome::Failed(error),
    };
    if let Some(container) = &container {
        agent = agent.container(&container.enter());
    }
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
    if let Some(azurite) = &azurite {
        complaints.extend(azurite::copied(&azurite.log()));
    }
    if client.mode == Mode::Broker {
        complaints.extend(broker::kept(&emulator.journal(), client, scheme));
        complaints.extend(broker::ended(&report));
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
    let azurite = azurite.map(|azurite| azurite.log().join("\n")).unwrap_or_default();
    Outcome::Failed(format!(
        "{complaints}\n\n{}\nWhat the services were asked:\n{journal}\n{azurite}",
        report.log
    ))
}

/// A second subscription, in which everyone with a role in the first has one.
fn see_another_subscription(emulator: &Emulator) -> Uuid {
    let mut directory = emulator.directory();
    let first = directory.subscription(emulator.usual().subscription).clone();
    let id = Uuid::from_u128(0x5eb5_c21b_0002);
    directory.subscriptions.push(Subscription { id, name: "Platform test".to_owned(), ..first });
    id
}

/// Signs in, runs the client as often as it says, and has the broker tell what it was asked.
fn steps(
    emulator: &Emulator,
    task: &Path,
    tool: &Tool,
    installed: &Installed,
    client: &Client,
    connections: &[&str],
) -> Vec<Step> {
    let refresh = if client.mode == Mode::Broker { "true" } else { "false" };
    let sign_in = |(number, connection): (usize, &&str)| {
        let mut inputs =
            vec![("azureSubscription", *connection), ("refresh", refresh), crate::stage::EMULATOR];
        inputs.extend(client.inputs);
        inputs.extend((number > 0).then_some(("session", "hub")));
        Step::task(task, &inputs).display_name("Sign in")
    };
    let mut steps: Vec<_> = connections.iter().enumerate().map(sign_in).collect();
    for number in 0..client.steps {
        if number > 0 {
            let wait = format!("sleep {}", ACCESS_TOKEN_LIVES + 1);
            steps.push(Step::bash(wait).display_name("Wait until every token ended"));
        }
        let mut ask = Step::bash(format!("{} '{}'", installed.command, client.credential))
            .display_name(CLIENT)
            .env(tool.trust, emulator.ca_file().to_string_lossy())
            .env("ROUNDS", client.rounds.to_string())
            .env("PAUSE", PAUSE.to_string());
        for (name, value) in client.env {
            ask = ask.env(*name, *value);
        }
        steps.push(ask);
    }
    if client.mode == Mode::Broker {
        steps.push(Step::bash("wif status").display_name(broker::STATUS));
    }
    steps
}

/// Several of each end in a row's few seconds, and few of them live for as long as a client's own margin.
fn shorten(lifetimes: &mut Lifetimes) {
    lifetimes.devops_id_token = ID_TOKEN_LIVES;
    lifetimes.entra_id_token = ID_TOKEN_LIVES;
    lifetimes.access_token = ACCESS_TOKEN_LIVES;
    lifetimes.managed_identity_access_token = ACCESS_TOKEN_LIVES;
}

/// The display name of the client's steps.
const CLIENT: &str = "Client";
/// Seconds, beside a broker.
const ID_TOKEN_LIVES: i64 = 6;
/// Seconds, beside a broker.
pub(super) const ACCESS_TOKEN_LIVES: i64 = 8;
/// Seconds, longer than an access token lives.
const DEPLOYMENT_TAKES: i64 = 12;
/// Seconds between the rounds of a client.
const PAUSE: i64 = 3;
