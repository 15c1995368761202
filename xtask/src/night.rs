//! `demo audit`: a night's audit of an emulated organization in which something is wrong.

use std::process::Command;

use emulator::{
    Emulator, Proxy,
    organization::{OrganizationPlan, Planted},
};

use crate::process::{Result, cargo, run, target};

/// The code with which an audit ends that has found faults, of which every kind is planted.
const FAULTS: i32 = 11;

/// Compiles the operators' program, and lets it audit the organization as a nightly job would.
pub(crate) fn audit() -> Result<()> {
    audit_with(&[])
}

/// The same, with further arguments.
pub(crate) fn audit_with(more: &[&str]) -> Result<()> {
    run(&mut cargo(&["build", "--quiet", "--locked", "--package", "wif-operator"]))?;
    let program = target()?.join("debug").join("wif-operator");
    let emulator = Emulator::start();
    let plan = OrganizationPlan::new("fabrikam").projects(18).connections(43).planted(&Planted::ALL);
    let made = emulator.add_organization(&plan);
    // The program asks dev.azure.com, graph.microsoft.com and so on: the proxy leads these names to the emulator.
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    println!(
        "Auditing an emulated organization of 18 projects, in which {} things are planted\n",
        Planted::ALL.len()
    );
    let status = Command::new(program)
        .args(["audit", "--organization", "fabrikam"])
        .args(more)
        .env_clear()
        .env("HTTPS_PROXY", proxy.url())
        .env("SSL_CERT_FILE", emulator.ca_file())
        .env("AZURE_DEVOPS_EXT_PAT", &made.personal_token)
        .env("WIF_GRAPH_TOKEN", emulator.access_token(made.auditor, "https://graph.microsoft.com"))
        .env("WIF_ARM_TOKEN", emulator.access_token(made.auditor, "https://management.azure.com"))
        .status()
        .map_err(|error| error.to_string())?;
    println!("\nIt ended with {status}, after {} calls", emulator.journal().len());
    match status.code() {
        Some(FAULTS) => Ok(()),
        _ => Err(format!("the audit ended with {status}\n{}", emulator.journal_text())),
    }
}
