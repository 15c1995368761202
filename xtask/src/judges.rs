//! `judges`: the clients of others read and write the emulated organization, and stand beside the sources of id tokens of
//! `wif exec`, so that neither the emulator nor `wif` is judged by our reading alone; and those of what an audit writes.

mod organization;
mod reports;

use std::{fs, path::PathBuf, process::Command};

use emulator::{Emulator, directory::SourceIssuer};

use crate::{
    process::{Result, cargo, output, root, run, target},
    tools::once,
};

/// Installs the clients below `target/`, lets them read, and prints a table for each kind.
pub(crate) fn judges(only: Option<&str>) -> Result<()> {
    for (name, judge) in [
        ("organization", organization::organization as fn() -> Result<()>),
        ("sources", sources),
        ("reports", reports::reports),
    ] {
        if only.is_none_or(|only| only == name) {
            judge()?;
        }
    }
    Ok(())
}

/// The clients of other issuers, beside `wif exec`.
fn sources() -> Result<()> {
    const AUDIENCE: &str = "api://AzureADTokenExchange";
    let python = install("judges-of-sources", "sources.txt")?;
    run(&mut cargo(&["build", "--quiet", "--locked", "--package", "wif", "--bin", "wif"]))?;
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let issuers = [
        ("JUDGE_GITHUB", SourceIssuer::GitHub),
        ("JUDGE_GOOGLE", SourceIssuer::Google),
        ("JUDGE_AWS", SourceIssuer::Aws),
        ("JUDGE_SPIFFE", SourceIssuer::Spiffe),
    ];
    let options = format!(
        "--tenant {} --client {} --authority {} --resource-manager {} --allowed-authorities 127.0.0.1 --exports terraform",
        usual.tenant,
        usual.client,
        emulator.entra_url(),
        emulator.arm_url()
    );
    let mut judge = Command::new(&python);
    judge
        .arg(kept("sources.py"))
        .env("SSL_CERT_FILE", emulator.ca_file())
        .env("JUDGE_WIF", target()?.join("debug").join(format!("wif{}", std::env::consts::EXE_SUFFIX)))
        .env("JUDGE_OPTIONS", options)
        .env("JUDGE_SVID", emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, 300));
    for (name, issuer) in issuers {
        emulator.directory().trust_source(usual.client, issuer);
        let lines =
            emulator.source_variables(issuer).into_iter().map(|(name, value)| format!("{name}={value}"));
        judge.env(name, lines.collect::<Vec<_>>().join("\n"));
    }
    table();
    ask(&mut judge, &emulator)
}

/// The head of a table of clients.
fn table() {
    println!("| client | reads or writes | |\n|---|---|---|");
}

/// A file that is committed.
fn kept(name: &str) -> PathBuf {
    root().join("xtask").join("judges").join(name)
}

/// Installs what a file pins into a virtual environment, and gives its Python.
fn install(folder: &str, pins: &str) -> Result<PathBuf> {
    let (folder, pins) = (root().join("target").join(folder), kept(pins));
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
    Ok(program)
}

/// Runs the judge, and prints its rows.
fn ask(judge: &mut Command, emulator: &Emulator) -> Result<()> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    // A client keeps what it learns of a server in its user's home, and Python what it compiles beside the script.
    let judge = judge.env("HOME", home.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    let judged = judge.output().map_err(|error| error.to_string())?;
    for row in String::from_utf8_lossy(&judged.stdout).lines() {
        println!("| {row} |");
    }
    if judged.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&judged.stderr);
    Err(format!("a client does not accept the emulator, or `wif`\n{errors}\n{}", emulator.journal_text()))
}
