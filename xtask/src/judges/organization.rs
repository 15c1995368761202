//! Microsoft's clients of Azure DevOps, Graph and Azure Resource Manager read and write an emulated organization.

use std::{process::Command, time::Duration};

use emulator::{
    Emulator,
    organization::{MadeOrganization, OrganizationPlan, Planted, approval, branch_control},
};

use super::{ask, install, kept, table};
use crate::{
    process::{Result, cargo, node, run, target},
    tools::npm,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Lets one client after the other do it, and prints a table.
pub(super) fn organization() -> Result<()> {
    let python = install("judges", "requirements.txt")?;
    let packages = npm("judges-of-the-emulator", &kept("node"))?;
    let of_rust = of_rust()?;
    let emulator = Emulator::start();
    let made = made(&emulator);
    let of_node = |script: &str| {
        let mut judge = node(&[]);
        judge.arg(kept("node").join(script)).env("NODE_PATH", &packages);
        judge
    };
    let mut of_python = Command::new(&python);
    of_python.arg(kept("judges.py"));
    let variables = variables(&emulator, &made);
    table();
    let mut faults = Vec::new();
    for mut judge in [of_python, of_node("devops.js"), of_node("graph.js"), of_rust] {
        judge.envs(variables.iter().map(|(name, value)| (name, value)));
        faults.extend(ask(&mut judge, &emulator).err());
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The client for Rust, compiled with its own lock file.
fn of_rust() -> Result<Command> {
    let manifest = kept("rust").join("Cargo.toml");
    let folder = target()?.join("judges-rust");
    let program = format!("wif-judges{}", std::env::consts::EXE_SUFFIX);
    let mut build = cargo(&["build", "--quiet", "--locked", "--manifest-path"]);
    // Half of what it takes is what a debugger would read.
    run(build.arg(manifest).arg("--target-dir").arg(&folder).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    Ok(Command::new(folder.join("debug").join(program)))
}

/// 250 projects, and in the first of them what the clients look at: a connection in which nothing is wrong, with checks and three runs.
fn made(emulator: &Emulator) -> MadeOrganization {
    let plan = OrganizationPlan::new("fabrikam").projects(250).connections(10).planted(&Planted::ALL);
    let made = emulator.add_organization(&plan);
    let mut directory = emulator.directory();
    directory.quirks.arm_page = Some(7);
    directory.quirks.graph_page = 10;
    let record = &mut directory.connection(made.healthy[0]).record;
    record.checks = vec![approval("[Project 0000]\\Leads"), branch_control("refs/heads/main")];
    for days in [1, 2] {
        let mut earlier = record.history[0].clone();
        earlier.started -= DAY * days;
        earlier.finished = earlier.finished.map(|at| at - DAY * days);
        record.history.push(earlier);
    }
    drop(directory);
    made
}

/// Where the services are, what is in the organization, and who asks.
fn variables(emulator: &Emulator, made: &MadeOrganization) -> Vec<(&'static str, String)> {
    let operator = emulator.add_operator(made.subscription);
    let token = |resource| emulator.access_token(operator, resource);
    let connection = made.healthy[0];
    let application = emulator.directory().connection(connection).client;
    let mut variables = vec![
        ("JUDGE_ORGANIZATION_URL", format!("{}/fabrikam", emulator.devops_url())),
        ("JUDGE_PERSONAL_TOKEN", made.personal_token.clone()),
        ("JUDGE_ARM_URL", emulator.arm_url()),
        ("JUDGE_ARM_TOKEN", token("https://management.azure.com")),
        ("JUDGE_GRAPH_URL", emulator.graph_url()),
        ("JUDGE_GRAPH_TOKEN", token("https://graph.microsoft.com")),
        ("JUDGE_SUBSCRIPTION", made.subscription.to_string()),
        ("JUDGE_TENANT", emulator.usual().tenant.to_string()),
        ("JUDGE_PROJECT", made.projects[0].to_string()),
        ("JUDGE_OTHER_PROJECT", made.projects[1].to_string()),
        ("JUDGE_CONNECTION", connection.to_string()),
        ("JUDGE_OTHER_CONNECTION", made.healthy[1].to_string()),
        ("JUDGE_CONNECTION_WITH_SECRET", made.planted[&Planted::StoredSecret].to_string()),
        ("JUDGE_APPLICATION", application.to_string()),
    ];
    // How Python's, Node's and Rust's clients are told whom to trust.
    for name in ["REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
        variables.push((name, emulator.ca_file().display().to_string()));
    }
    variables
}
