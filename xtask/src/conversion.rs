//! `demo convert`: an organization of stored secrets becomes one of federation, with one interruption.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use emulator::{
    Emulator, Fault, Gate, Proxy, Service,
    directory::ClientSecret,
    organization::{MadeOrganization, OrganizationPlan},
};
use serde_json::Value;

use crate::{operator, process::Result};

/// As many as a team was published to have moved by hand, 18 minutes each.
const CONNECTIONS: usize = 43;
const ORGANIZATION: &str = "fabrikam";
/// The conversion at which the program is killed.
const KILLED_AT: usize = 20;
/// The last lines of an output that are shown.
const SHOWN: usize = 6;

/// The program, the services that it asks, and a folder for its files.
struct Scene {
    program: PathBuf,
    emulator: Emulator,
    variables: [(&'static str, String); 5],
    folder: tempfile::TempDir,
    _proxy: Proxy,
}

/// Compiles the operators' program, and lets it convert the organization as an operator would.
pub(crate) fn convert() -> Result<()> {
    let program = operator::program()?;
    let emulator = Emulator::start();
    let made =
        emulator.add_organization(&OrganizationPlan::new(ORGANIZATION).projects(18).connections(CONNECTIONS));
    store_secrets(&emulator, &made);
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    let client = emulator.add_operator(made.subscription);
    let variables = operator::variables(&emulator, &proxy, &made, client);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let scene = Scene { program, emulator, variables, folder, _proxy: proxy };
    println!("{CONNECTIONS} connections of an emulated organization store a secret each\n");

    let audit = ["audit", "--organization", ORGANIZATION, "--format", "json", "--output", "audit.json"];
    scene.wif(&audit, 11)?;
    let begun = now();
    let from =
        ["--from", "audit.json", "--rule", "WIF6101", "--managed-by", "none", "--output", "convert.json"];
    let plan = [&["convert", "plan", "--organization", ORGANIZATION][..], &from].concat();
    scene.wif(&plan, 10)?;
    scene.killed(&["apply", "convert.json", "--yes"])?;
    scene.wif(&["apply", "convert.json", "--yes", "--resume"], 0)?;
    let took = begun.elapsed().as_secs_f32();
    scene
        .wif(&["audit", "--organization", ORGANIZATION, "--format", "json", "--output", "after.json"], 10)?;
    let (before, after) = (scene.secrets("audit.json")?, scene.secrets("after.json")?);
    let conversions = scene.conversions();
    println!(
        "{before} connections stored a secret, and {after} do now; {conversions} conversions were done for them; plan, apply and resume \
         took {took:.1} s, against services on this machine"
    );
    if (before, after, conversions) == (CONNECTIONS, 0, CONNECTIONS) {
        Ok(())
    } else {
        Err(format!("it did not come out as expected\n{}", scene.emulator.journal_text()))
    }
}

/// Gives each connection a secret in place of its federation.
pub(crate) fn store_secrets(emulator: &Emulator, made: &MadeOrganization) {
    let mut directory = emulator.directory();
    for id in &made.healthy {
        let connection = directory.connection(*id);
        let (client, value) = (connection.client, format!("client-secret-{}", id.simple()));
        *connection = connection.clone().with_secret(&value);
        connection.data.insert("creationMode".to_owned(), "Automatic".to_owned());
        let app = directory.app(client);
        app.federated_credentials.clear();
        app.secrets.push(ClientSecret { value, expires: None });
    }
}

impl Scene {
    fn command(&self, arguments: &[&str]) -> Command {
        println!("$ wif {}", arguments.join(" "));
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command, and shows the end of what it prints.
    fn wif(&self, arguments: &[&str], expected: i32) -> Result<()> {
        let output = self.command(arguments).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
        let hidden = lines.len().saturating_sub(SHOWN);
        if hidden > 0 {
            println!("  … {hidden} lines");
        }
        for line in lines.iter().skip(hidden) {
            println!("  {line}");
        }
        println!("  ends with {}\n", output.status);
        if output.status.code() == Some(expected) {
            return Ok(());
        }
        Err(format!("it did not end with {expected}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Runs a command, and kills it while Azure DevOps is at work on a conversion.
    fn killed(&self, arguments: &[&str]) -> Result<()> {
        let gate = Gate::new();
        let conversion = Fault::on(Service::DevOps, "PUT", "/endpoints/").nth(KILLED_AT);
        self.emulator.fault(conversion.answer_gate(&gate));
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        gate.wait_until_reached(1);
        let killed = child.kill().and_then(|()| child.wait());
        self.emulator.mend();
        killed.map_err(|error| error.to_string())?;
        println!("  killed as the answer to conversion {KILLED_AT} was on its way\n");
        Ok(())
    }

    /// How many connections store a secret, by an audit.
    fn secrets(&self, audit: &str) -> Result<usize> {
        let path: &Path = &self.folder.path().join(audit);
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let audit: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let secrets = audit["totals"]["secret"].as_u64().and_then(|count| usize::try_from(count).ok());
        secrets.ok_or_else(|| "the audit counts no secrets".to_owned())
    }

    /// How many conversions Azure DevOps has done.
    fn conversions(&self) -> usize {
        let journal = self.emulator.journal();
        journal.iter().filter(|entry| entry.service == Service::DevOps && entry.method == "PUT").count()
    }
}

#[expect(clippy::disallowed_methods, reason = "a chore takes the time of the programs that it runs")]
fn now() -> Instant {
    Instant::now()
}
