//! `judges`: Microsoft's own clients read the emulated organization, so that the emulator is not judged by our reading alone.

use std::{fs, process::Command};

use emulator::{
    Emulator,
    organization::{OrganizationPlan, Planted, approval, branch_control},
};

use crate::{
    process::{Result, output, root},
    tools::once,
};

/// Installs the clients into `target/judges/`, lets them read, and prints a table.
pub(crate) fn judges() -> Result<()> {
    let folder = root().join("target").join("judges");
    let pins = root().join("xtask").join("judges").join("requirements.txt");
    let text = fs::read_to_string(&pins).map_err(|error| format!("{}: {error}", pins.display()))?;
    let python = output(Command::new("python3").arg("--version"))?;
    let program = folder.join("bin").join("python");
    once(&folder, &format!("{python}\n{text}"), || {
        output(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        // Nothing that is not in the file.
        let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"];
        output(Command::new(&program).args(arguments).arg(&pins))?;
        output(Command::new(&program).args(["-m", "pip", "check"])).map(|_printed| ())
    })?;
    let emulator = Emulator::start();
    let plan = OrganizationPlan::new("fabrikam").projects(250).connections(10).planted(&Planted::ALL);
    let made = emulator.add_organization(&plan);
    let connection = made.healthy[0];
    {
        let mut directory = emulator.directory();
        directory.quirks.arm_page = Some(7);
        let checks = vec![approval("[Project 0000]\\Leads"), branch_control("refs/heads/main")];
        directory.connection(connection).record.checks = checks;
    }
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let token = emulator.access_token(made.auditor, "https://management.azure.com");
    let judge = Command::new(&program)
        .arg(root().join("xtask").join("judges").join("judges.py"))
        // The client keeps what it learns of a server in its user's home.
        .env("HOME", home.path())
        .env("REQUESTS_CA_BUNDLE", emulator.ca_file())
        .env("JUDGE_ORGANIZATION_URL", format!("{}/fabrikam", emulator.devops_url()))
        .env("JUDGE_PERSONAL_TOKEN", &made.personal_token)
        .env("JUDGE_ARM_URL", emulator.arm_url())
        .env("JUDGE_ARM_TOKEN", token)
        .env("JUDGE_SUBSCRIPTION", made.subscription.to_string())
        .env("JUDGE_PROJECT", made.projects[0].to_string())
        .env("JUDGE_CONNECTION", connection.to_string())
        .output()
        .map_err(|error| error.to_string())?;
    let rows = String::from_utf8_lossy(&judge.stdout);
    println!("| client | reads | |\n|---|---|---|");
    for row in rows.lines() {
        println!("| {row} |");
    }
    if judge.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&judge.stderr);
    Err(format!("a client does not accept the emulator\n{errors}\n{}", emulator.journal_text()))
}
