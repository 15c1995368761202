//! A step in this process: the real use-case, an environment as an agent makes it, and the emulator.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
};

use emulator::{Emulator, Service, job::JobMessage};
use uuid::Uuid;
use wif::{task, world::World};
use wif_core::{code::Code, failure::Failure};
use wif_io::{child::Signals, env::Env};

use super::{EMULATOR, Manual};

/// A step that is about to run.
pub(crate) struct Case {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) clock: Arc<Manual>,
    pub(crate) connection: Uuid,
    env: BTreeMap<String, String>,
    program: Option<PathBuf>,
    temp: tempfile::TempDir,
}

/// How it ended.
pub(crate) struct Run {
    pub(crate) result: Result<(), Failure>,
    pub(crate) out: String,
}

impl Case {
    /// The usual connection, with `refresh: false`.
    pub(crate) fn new() -> Self {
        Self::with(Emulator::start(), |emulator| emulator.usual().connection)
    }

    /// The usual connection with the Entra issuer.
    pub(crate) fn with_entra_issuer() -> Self {
        Self::with(Emulator::start(), |emulator| emulator.usual().entra_connection)
    }

    pub(crate) fn with(emulator: Emulator, connection: impl FnOnce(&Emulator) -> Uuid) -> Self {
        let connection = connection(&emulator);
        let message = emulator.job(connection);
        let temp = tempfile::tempdir().unwrap();
        let env = environment(&message, connection);
        let emulator = Arc::new(emulator);
        let case = Self { emulator, clock: Manual::new(), connection, env, program: None, temp };
        let (ca, temp) =
            (case.emulator.ca_file().display().to_string(), case.temp.path().display().to_string());
        case.set("AGENT_CAINFO", &ca)
            .set("AGENT_TEMPDIRECTORY", &temp)
            .input("refresh", "false")
            .input(EMULATOR.0, EMULATOR.1)
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub(crate) fn input(self, name: &str, value: &str) -> Self {
        self.set(&format!("INPUT_{}", name.to_uppercase()), value)
    }

    pub(crate) fn parameter(self, name: &str, value: &str) -> Self {
        let name = format!("ENDPOINT_AUTH_PARAMETER_{}_{}", self.connection, name.to_uppercase());
        self.set(&name, value)
    }

    pub(crate) fn data(self, name: &str, value: &str) -> Self {
        let name = format!("ENDPOINT_DATA_{}_{}", self.connection, name.to_uppercase());
        self.set(&name, value)
    }

    /// What the step starts its broker from.
    pub(crate) fn program(self, program: PathBuf) -> Self {
        Self { program: Some(program), ..self }
    }

    /// Looks for a service of the emulator at another host and port.
    pub(crate) fn moved(mut self, service: Service, to: &str) -> Self {
        let from = format!("127.0.0.1:{}", self.emulator.port(service));
        for value in self.env.values_mut() {
            *value = value.replace(&from, to);
        }
        self
    }

    pub(crate) fn env(&self) -> Env {
        self.env.clone().into_iter().collect()
    }

    /// A process with this environment and nothing else but a `PATH`.
    #[expect(clippy::disallowed_methods, reason = "a shell has to be found")]
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs the main stage, and checks that nothing leaked.
    pub(crate) fn run(&self) -> Run {
        let out = Shared::default();
        let mut world = World {
            env: self.env(),
            program: self.program.clone(),
            clock: Arc::clone(&self.clock) as _,
            out: Box::new(out.clone()),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            task::run::run(&mut world, &mut signals).await.map(|_ended| ())
        });
        let out = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let run = Run { result, out };
        self.check_leaks(&run);
        end_broker(&run);
        run
    }

    /// Runs the main stage, which must fail with this code: nothing is exported, no file is left.
    pub(crate) fn fails(&self, code: Code) -> String {
        let run = self.run();
        let failure = run.result.as_ref().err().unwrap_or_else(|| panic!("it worked:\n{}", run.out));
        let text = failure.to_string();
        assert_eq!(failure.code, code, "{text}\n{}", self.emulator.journal_text());
        let is_exported = ["task.setvariable", "prependpath"].iter().any(|command| run.out.contains(command));
        assert!(!is_exported, "exported: {}", run.out);
        assert!(self.files().is_empty(), "left: {:?}", self.files());
        text
    }

    /// The same, and no service was asked anything.
    pub(crate) fn fails_unasked(&self, code: Code) -> String {
        let text = self.fails(code);
        assert!(self.emulator.journal().is_empty(), "{}", self.emulator.journal_text());
        for service in [Service::DevOps, Service::Entra, Service::Arm, Service::Machine] {
            assert_eq!(self.emulator.connections(service), 0, "not even connected");
        }
        text
    }

    /// The main stage works.
    pub(crate) fn succeeds(&self) -> Run {
        let run = self.run();
        if let Err(failure) = &run.result {
            panic!("{failure}\n{}", self.emulator.journal_text());
        }
        run
    }

    /// How often an id token and an access token were asked for.
    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.emulator.count(Service::DevOps, "/oidctoken"), self.emulator.count(Service::Entra, "POST /"))
    }

    /// Every file below the temporary folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.temp.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                files.push(entry.path());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        files
    }

    /// A secret may stand in a command that masks or sets it, and in the id token's private file: nowhere else.
    fn check_leaks(&self, run: &Run) {
        let issued = self.emulator.issued();
        let mut said = run.lines().collect::<Vec<_>>().join("\n");
        if let Err(failure) = &run.result {
            said.push_str(&format!("{failure}\n{failure:?}"));
        }
        for file in self.files().iter().filter(|file| file.is_file() && !file.ends_with("id-token")) {
            said.push_str(&String::from_utf8_lossy(&fs::read(file).unwrap()));
        }
        assert_eq!(emulator::leaks(&issued, said.as_bytes()), Vec::<String>::new(), "{said}");
    }
}

/// The variables of a token that every client of Vault has to find.
const TOKENS_OF_VAULT: [&str; 2] = ["VAULT_TOKEN", "BAO_TOKEN"];

impl Run {
    /// Name and value of every variable that later steps find by its own name, in order.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        self.commands("task.setvariable")
            .filter(|(properties, _)| !properties.contains(";isoutput=true"))
            .map(|(properties, value)| {
                let name = properties.split(';').find_map(|pair| pair.strip_prefix("variable=")).unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }

    pub(crate) fn variable(&self, name: &str) -> String {
        self.variables().remove(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.variables().keys()))
    }

    /// Properties and data of every such command.
    pub(crate) fn commands<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let begin = format!("##vso[{name}");
        self.out.lines().filter_map(move |line| {
            let (properties, data) = line.strip_prefix(&begin)?.split_once(']')?;
            Some((properties.trim(), data))
        })
    }

    /// What a person sees: all but the commands that hold secrets.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        // Vault's token is a plain variable, which the agent masks: what comes after the command that says so is shown as `***`.
        let masked: Vec<_> = self.commands("task.setsecret").map(|(_, secret)| secret).collect();
        self.out.lines().filter(move |line| {
            let set =
                line.strip_prefix("##vso[task.setvariable variable=").and_then(|rest| rest.split_once(']'));
            let sets_secret = set.is_some_and(|(properties, value)| {
                properties.ends_with(";issecret=true")
                    || (TOKENS_OF_VAULT.contains(&properties) && masked.contains(&value))
            });
            !sets_secret && !line.starts_with("##vso[task.setsecret]")
        })
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an agent's environment has that a sign-in reads. The process tests get theirs from the emulated agent.
fn environment(message: &JobMessage, connection: Uuid) -> BTreeMap<String, String> {
    let key = |name: &str| name.replace(['.', ' '], "_").to_uppercase();
    let mut env = BTreeMap::from([
        ("INPUT_AZURESUBSCRIPTION".to_owned(), connection.to_string()),
        ("ENDPOINT_URL_SYSTEMVSSCONNECTION".to_owned(), message.system_connection_url.clone()),
        ("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN".to_owned(), message.job_token.clone()),
    ]);
    env.extend(message.variables.iter().map(|variable| (key(&variable.name), variable.value.clone())));
    for endpoint in &message.endpoints {
        let id = endpoint.id;
        env.insert(format!("ENDPOINT_URL_{id}"), endpoint.url.clone());
        env.insert(format!("ENDPOINT_AUTH_SCHEME_{id}"), endpoint.scheme.clone());
        let parameters = endpoint.parameters.iter();
        env.extend(parameters.map(|(k, v)| (format!("ENDPOINT_AUTH_PARAMETER_{id}_{}", key(k)), v.clone())));
        env.extend(endpoint.data.iter().map(|(k, v)| (format!("ENDPOINT_DATA_{id}_{}", key(k)), v.clone())));
    }
    env
}

/// A broker that is a process of its own would live for hours after the test.
#[cfg(unix)]
fn end_broker(run: &Run) {
    let named = run.commands("task.settaskvariable").find(|(name, _)| name.contains("WIF_BROKER_PROCESS"));
    let process = named.and_then(|(_, value)| value.split(' ').next()?.parse().ok());
    if let Some(process) = process.and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end_broker(_run: &Run) {}
