//! `demo audit`: a night's audit of an emulated organization in which something is wrong.

use std::process::Command;

use emulator::{
    Emulator, Proxy,
    organization::{OrganizationPlan, Planted},
};

use crate::{operator, process::Result};

/// The code with which an audit ends that has found faults, of which every kind is planted.
const FAULTS: i32 = 11;

/// Compiles the operators' program, and lets it audit the organization as a nightly job would.
pub(crate) fn audit() -> Result<()> {
    audit_with(&[])
}

/// The same, with further arguments.
pub(crate) fn audit_with(more: &[&str]) -> Result<()> {
    let program = operator::program()?;
    let emulator = Emulator::start();
    let plan = OrganizationPlan::new("fabrikam").projects(18).connections(43).planted(&Planted::ALL);
    let made = emulator.add_organization(&plan);
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    println!(
        "Auditing an emulated organization of 18 projects, in which {} things are planted\n",
        Planted::ALL.len()
    );
    let status = Command::new(program)
        .args(["audit", "--organization", "fabrikam"])
        .args(more)
        .env_clear()
        .envs(operator::variables(&emulator, &proxy, &made, made.auditor))
        .status()
        .map_err(|error| error.to_string())?;
    println!("\nIt ended with {status}, after {} calls", emulator.journal().len());
    match status.code() {
        Some(FAULTS) => Ok(()),
        _ => Err(format!("the audit ended with {status}\n{}", emulator.journal_text())),
    }
}
