//! `wif exec` as a process: an environment made from nothing, the emulator, and a folder for temporary files.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Output, Stdio},
};

use emulator::{Emulator, directory::SourceIssuer};

/// A command that is about to run under `wif exec`.
pub(crate) struct ExecCase {
    pub(crate) emulator: Emulator,
    pub(crate) temp: tempfile::TempDir,
    env: BTreeMap<String, String>,
    options: Vec<String>,
}

impl ExecCase {
    /// The usual identity, which trusts what GitHub signs, in a job of GitHub Actions.
    pub(crate) fn new() -> Self {
        Self::of(SourceIssuer::GitHub, "github")
    }

    /// The usual identity, which trusts this issuer, where its job, pod or machine is.
    pub(crate) fn of(issuer: SourceIssuer, source: &str) -> Self {
        let emulator = Emulator::start();
        let usual = emulator.usual();
        emulator.directory().trust_source(usual.client, issuer);
        let temp = tempfile::tempdir().unwrap();
        let mut env: BTreeMap<_, _> = emulator.source_variables(issuer).into_iter().collect();
        env.insert("SSL_CERT_FILE".to_owned(), emulator.ca_file().display().to_string());
        env.insert("TMPDIR".to_owned(), temp.path().display().to_string());
        env.insert("PATH".to_owned(), path());
        let (tenant, client) = (usual.tenant.to_string(), usual.client.to_string());
        let subscription = usual.subscription.to_string();
        let (authority, arm) = (emulator.entra_url(), emulator.arm_url());
        let case = Self { emulator, temp, env, options: Vec::new() };
        case.option("--source", source)
            .option("--tenant", &tenant)
            .option("--client", &client)
            .option("--subscription", &subscription)
            .option("--authority", &authority)
            .option("--resource-manager", &arm)
            .option("--allowed-authorities", "127.0.0.1")
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Gives an option this value, and no other.
    pub(crate) fn option(self, name: &str, value: &str) -> Self {
        let mut case = self.without(name);
        case.options.extend([name.to_owned(), value.to_owned()]);
        case
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        if let Some(at) = self.options.iter().position(|one| one == name) {
            self.options.drain(at..at + 2);
        }
        self
    }

    /// The environment of the process.
    pub(crate) const fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The process: `wif exec … -- COMMAND`.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wif"));
        process.env_clear().envs(&self.env).arg("exec").args(&self.options).arg("--").args(command);
        process.stdin(Stdio::null());
        process
    }

    /// Runs it to its end, and checks that nothing is left and that nothing leaked but what the command printed.
    pub(crate) fn run(&self, command: &[&str]) -> Output {
        let output = self.command(command).output().unwrap();
        let left: Vec<_> =
            fs::read_dir(self.temp.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "left: {left:?}");
        let leaked = emulator::leaks(&self.emulator.issued(), &output.stderr);
        assert_eq!(leaked, Vec::<String>::new(), "{}", errors(&output));
        output
    }

    /// Runs a shell script, which must end with 0, and gives what it printed.
    pub(crate) fn prints(&self, script: &str) -> String {
        let output = self.run(&["sh", "-c", script]);
        assert_eq!(output.status.code(), Some(0), "{}\n{}", errors(&output), self.emulator.journal_text());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Must not run the command; gives the exit code and what is said.
    pub(crate) fn refuses(&self) -> (i32, String) {
        let output = self.run(&["sh", "-c", "echo it ran"]);
        assert!(output.stdout.is_empty(), "it ran: {}", errors(&output));
        (output.status.code().unwrap(), errors(&output))
    }
}

/// What a process wrote to standard error.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[expect(clippy::disallowed_methods, reason = "a shell has to be found")]
fn path() -> String {
    std::env::var("PATH").unwrap()
}
