//! `diagnose: true`: what is wrong is named, and nothing else.

mod azure;
mod connection;
mod job;
#[cfg(target_os = "linux")]
mod targets;

use emulator::{
    Emulator,
    directory::{App, FederatedCredential, Kind},
};
use uuid::Uuid;
use wif_core::code::Code;

use crate::support::{Case, Run};

/// A case whose doctor may read the federated credentials of applications.
fn sighted(case: Case) -> Case {
    let token = reader(&case.emulator, "https://graph.microsoft.com");
    case.set("WIF_GRAPH_TOKEN", &token).input("diagnose", "true")
}

/// An access token of a user who may read applications, and has a role in the subscription.
pub(crate) fn reader(emulator: &Emulator, resource: &str) -> String {
    let (client, usual) = (Uuid::from_u128(0x2222), emulator.usual());
    let app = App { reads_applications: true, ..App::new(client, Kind::Application) };
    emulator.directory().tenant(usual.tenant).apps.push(app);
    emulator.directory().subscription(usual.subscription).roles.push(client);
    emulator.access_token(client, resource)
}

fn with_names() -> Case {
    sighted(Case::new())
}

fn with_ids() -> Case {
    sighted(Case::with_entra_issuer())
}

/// The federated credential of the case's application.
fn trusted(case: &Case, change: impl FnOnce(&mut FederatedCredential)) {
    let mut directory = case.emulator.directory();
    let client = directory.find(case.connection).unwrap().connection.client;
    change(&mut directory.app(client).federated_credentials[0]);
}

/// What a diagnosis found: the report, the codes of faults and of warnings.
struct Found {
    run: Run,
    text: String,
    faults: Vec<String>,
    warnings: Vec<String>,
}

fn diagnose(case: &Case) -> Found {
    let run = case.run();
    assert!(run.variables().is_empty() && !run.out.contains("prependpath"), "exported: {}", run.out);
    let report: Vec<_> = run.out.lines().filter(|line| !line.starts_with("##vso[")).collect();
    let text = report.join("\n");
    let (faults, warnings) = text.lines().next().unwrap().split_once(". ").unwrap();
    let codes = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.starts_with("WIF")).map(str::to_owned).collect()
    };
    let found = Found { faults: codes(faults), warnings: codes(warnings), text, run };
    let failed = found.run.result.as_ref().err().map(|failure| failure.code.to_string());
    assert_eq!(failed.as_ref(), found.faults.first(), "{}", found.text);
    let Found { text, .. } = &found;
    assert_eq!(text.matches("\nFAULT ").count() > 0, failed.is_some(), "{text}");
    found
}

/// Exactly this is wrong, and the report says so in these words.
fn names_only(case: &Case, code: Code, words: &[&str]) -> Found {
    let found = diagnose(case);
    assert_eq!(found.faults, [code.to_string()], "{}\n{}", found.text, case.emulator.journal_text());
    for word in words {
        assert!(found.text.contains(word), "no '{word}' in\n{}", found.text);
    }
    found
}

/// The verdict and the subject of each check.
fn verdicts(found: &Found) -> Vec<String> {
    let is_verdict =
        |line: &&str| ["ok ", "warning ", "FAULT ", "skipped "].iter().any(|word| line.starts_with(word));
    let squeezed = |line: &str| line[..35].split_whitespace().collect::<Vec<_>>().join(" ");
    found.text.lines().filter(is_verdict).map(squeezed).collect()
}

/// Exactly this is warned of, and nothing is wrong.
fn warns_only(case: &Case, code: Code, words: &[&str]) -> Found {
    let found = diagnose(case);
    assert_eq!(
        (found.faults.as_slice(), found.warnings.as_slice()),
        (&[][..], &[code.to_string()][..]),
        "{}",
        found.text
    );
    for word in words {
        assert!(found.text.contains(word), "no '{word}' in\n{}", found.text);
    }
    found
}

/// Nothing is wrong, and the report says this.
fn says(case: &Case, words: &[&str]) {
    let found = diagnose(case);
    assert_eq!((found.faults.len(), found.warnings.len()), (0, 0), "{}", found.text);
    for word in words {
        assert!(found.text.contains(word), "no '{word}' in\n{}", found.text);
    }
}

fn live() -> Case {
    with_ids().input("refresh", "true")
}

/// Programs on a `PATH` of the test's own.
#[cfg(unix)]
pub(crate) struct Machine(tempfile::TempDir);

#[cfg(unix)]
impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(machine.0.path().join("bin")).unwrap();
        machine
    }

    /// The folder of the programs.
    pub(crate) fn path(&self) -> String {
        self.0.path().join("bin").to_str().unwrap().to_owned()
    }

    /// Installs a script.
    pub(crate) fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Installs the files by which az tells its version, and a program that must not be started for that.
    pub(crate) fn az(&self, version: &str) {
        self.script("az", "touch \"$0.started\"");
        let packages = self.0.path().join("lib/python3.11/site-packages");
        std::fs::create_dir_all(packages.join(format!("azure_cli_core-{version}.dist-info"))).unwrap();
    }

    pub(crate) fn started_az(&self) -> bool {
        self.0.path().join("bin/az.started").exists()
    }
}
