//! The job of one row: sign in, then the client.

use std::path::Path;

use emulator::{
    Emulator, Proxy,
    agent::{Agent, Step, StepResult},
    blob::{ACCOUNT, CONTAINER},
    directory::Issuer,
    job::Variable,
};

use super::{
    install::Installed,
    judge,
    table::Outcome,
    tools::{Client, Tool},
};

/// Runs it, and tells what came of it.
pub(super) fn run(
    task: &Path,
    tool: &Tool,
    installed: &Installed,
    client: &Client,
    issuer: Issuer,
) -> Outcome {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let (connection, name) = match issuer {
        Issuer::DevOps => (usual.connection, usual.connection_name),
        Issuer::Entra => (usual.entra_connection, usual.entra_connection_name),
    };
    let mut message = emulator.job(connection);
    let job_token = message.job_token.clone();
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    for (name, value, secret) in [
        ("ARM_URL", emulator.arm_url(), false),
        ("proxyUrl", proxy.url(), false),
        ("storageAccount", ACCOUNT.to_owned(), false),
        ("storageContainer", CONTAINER.to_owned(), false),
        ("serviceConnectionId", connection.to_string(), false),
        ("System.AccessToken", job_token, true),
    ] {
        message.variables.push(Variable { name: name.to_owned(), value, secret });
    }

    let mut inputs = vec![("azureSubscription", name)];
    inputs.extend(client.inputs);
    let sign_in = Step::task(task, &inputs).display_name("Sign in");
    let mut ask = Step::bash(format!("{} {}", installed.command, client.credential))
        .display_name("Client")
        .env(tool.trust, emulator.ca_file().to_string_lossy());
    for (name, value) in client.env {
        ask = ask.env(*name, *value);
    }
    let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &[sign_in, ask]);

    let step = report.step("Client");
    let mut complaints = Vec::new();
    if step.result != StepResult::Succeeded {
        complaints.push(format!("the client's step is {:?}", step.result));
    } else if let Err(complaint) = judge::printed(&step.raw_stdout, &installed.version, client) {
        complaints.push(complaint);
    }
    complaints.extend(judge::asked(&emulator.journal(), tool, client, issuer));
    complaints.extend(judge::stored(&emulator.storage(), client));
    let seen = format!("{}\n{}", step.raw_stdout, step.raw_stderr);
    let leaks = emulator::leaks(&emulator.issued(), seen.as_bytes());
    complaints.extend(leaks.into_iter().map(|leak| format!("the client printed a secret: {leak}")));
    if complaints.is_empty() {
        return Outcome::Ok;
    }
    let (complaints, journal) = (complaints.join("\n"), emulator.journal_text());
    Outcome::Failed(format!("{complaints}\n\n{}\nWhat the services were asked:\n{journal}", report.log))
}
