//! An emulated organization behind its public names, and a clock that waits in no time.

pub(crate) mod artifacts;
pub(crate) mod kills;
pub(crate) mod migration;
pub(crate) mod old_issuer;
pub(crate) mod pages;
pub(crate) mod published;
pub(crate) mod request;
pub(crate) mod scene;

use std::{
    cell::Cell,
    io::{self, Write},
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use emulator::{
    Emulator, Proxy, Service, USUAL,
    organization::{MadeOrganization, OrganizationPlan},
};
use time::OffsetDateTime;
use tokio::sync::watch;
use wif_core::{azure::cloud::Cloud, failure::Failure};
use wif_io::{
    clock::{Clock, Limit, Wait},
    env::Env,
};
use wif_operator::{
    cli::{self, Arguments, Command, Host},
    look::Look,
    read::{ReadOptions, network, progress::Progress, read},
    snapshot::{Coverage, Layer, Organization, Snapshot, State, connection::Connection},
    tokens::{Needs, Tokens},
};

/// Runs a command that changes something within this process, where waiting takes no time. Tells its exit code, and what it said.
pub(crate) fn within(fixture: &Fixture, words: &[&str]) -> (i32, String) {
    let words = ["wif-operator"].iter().chain(words).map(|word| (*word).into());
    let arguments = cli::parse::<Arguments>(words).map_err(|error| error.text).unwrap();
    let Command::Change(command) = &arguments.command else { panic!("it changes nothing") };
    let (env, said) = (fixture.env(), Written::default());
    let clock: Arc<dyn Clock> = Arc::clone(&fixture.clock) as _;
    let talk = Progress::new(Box::new(said.clone()), false, Arc::clone(&clock));
    let mut out = Vec::new();
    let ended = {
        let mut host = Host {
            env: &env,
            clock: &clock,
            out: &mut out,
            talk: &talk,
            tokens: None,
            look: Look::default(),
            is_interrupted: Cell::new(false),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(cli::change(command, &mut host))
    };
    let code = match &ended {
        Ok(code) => i32::from(*code),
        Err(failure) => i32::from(failure.exit_code()),
    };
    let said = format!("{}{}{ended:?}", String::from_utf8(out).unwrap(), said.text());
    assert_eq!(emulator::leaks(&fixture.emulator.issued(), said.as_bytes()), Vec::<String>::new());
    (code, said)
}

/// The organization of the tests.
pub(crate) const NAME: &str = "fabrikam";

/// Time passes only by what is waited for; limits are real, and longer than any test takes, but for those that a test ends.
#[derive(Default)]
pub(crate) struct Jumps {
    passed: Mutex<Duration>,
    sleeps: Mutex<Vec<Duration>>,
    /// Limits up to this one end at once.
    ended: watch::Sender<Duration>,
}

impl Jumps {
    /// Ends each limit that is no longer than this, now and from now on.
    pub(crate) fn end_limits(&self, longest: Duration) {
        self.ended.send_replace(longest);
    }

    /// Every wait, in order.
    pub(crate) fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.lock().unwrap().clone()
    }
}

impl Clock for Jumps {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.passed.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        *self.passed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.sleeps.lock().unwrap().push(duration);
        *self.passed.lock().unwrap() += duration;
        Box::pin(tokio::task::yield_now())
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn limit(&self, _what: Limit, duration: Duration) -> Wait {
        let mut ended = self.ended.subscribe();
        Box::pin(async move {
            let is_ended = ended.wait_for(|longest| !longest.is_zero() && duration <= *longest);
            let _ = tokio::time::timeout(Duration::from_secs(60), is_ended).await;
        })
    }

    fn jitter(&self) -> u8 {
        0
    }
}

#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An organization, and what reads it.
pub(crate) struct Fixture {
    pub(crate) emulator: Emulator,
    pub(crate) made: MadeOrganization,
    pub(crate) clock: Arc<Jumps>,
    pub(crate) said: Written,
    pub(crate) options: ReadOptions,
    variables: Vec<(String, String)>,
    _proxy: Proxy,
}

impl Fixture {
    pub(crate) fn new(plan: &OrganizationPlan) -> Self {
        let emulator = Emulator::start();
        let made = emulator.add_organization(plan);
        // A token of USUAL's tenant for each service, as users would get them.
        let token = |resource: &str| emulator.access_token(made.auditor, resource);
        let proxy = Proxy::start(Proxy::leading_to(&emulator));
        let set = |name: &str, value: String| (name.to_owned(), value);
        let variables = vec![
            set("HTTPS_PROXY", proxy.url()),
            set("SSL_CERT_FILE", emulator.ca_file().display().to_string()),
            set("AZURE_DEVOPS_EXT_PAT", made.personal_token.clone()),
            set("WIF_GRAPH_TOKEN", token("https://graph.microsoft.com")),
            set("WIF_ARM_TOKEN", token("https://management.azure.com")),
        ];
        let options = ReadOptions {
            organizations: vec![plan.name.clone()],
            projects: vec![],
            depth: Layer::Use,
            jobs: 16,
            cloud: Cloud::Public,
        };
        let (clock, said) = (Arc::default(), Written::default());
        Self { emulator, made, clock, said, options, variables, _proxy: proxy }
    }

    /// With the tokens of an identity that may change applications, and what is in the subscription. Tells its client id.
    pub(crate) fn of_operator(plan: &OrganizationPlan) -> (Self, uuid::Uuid) {
        let fixture = Self::new(plan);
        let operator = fixture.emulator.add_operator(fixture.made.subscription);
        let token = |resource: &str| fixture.emulator.access_token(operator, resource);
        let (graph, arm) = (token("https://graph.microsoft.com"), token("https://management.azure.com"));
        (fixture.set("WIF_GRAPH_TOKEN", &graph).set("WIF_ARM_TOKEN", &arm), operator)
    }

    pub(crate) fn depth(mut self, depth: Layer) -> Self {
        self.options.depth = depth;
        self
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn env(&self) -> Env {
        self.variables.iter().cloned().collect()
    }

    /// Reads, until `stop` ends.
    pub(crate) fn try_read(&self, stop: impl Future<Output = ()>) -> Result<Snapshot, Failure> {
        let env = self.env();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            let (http, _) = network::client(&env, &clock)?;
            let progress = Progress::new(Box::new(self.said.clone()), false, Arc::clone(&clock));
            let needs = Needs { identities: self.options.depth > Layer::List };
            let mut say = |line: &str| progress.say(line);
            let tokens = Tokens::find(&env, &clock, self.options.cloud, None, needs, &mut say).await;
            let stop = pin!(stop);
            read(&self.options, &env, &http, &tokens, &progress, stop).await
        });
        let said = format!("{}{:?}", self.said.text(), result);
        assert_eq!(emulator::leaks(&self.emulator.issued(), said.as_bytes()), Vec::<String>::new(), "{said}");
        result
    }

    pub(crate) fn read(&self) -> Snapshot {
        self.try_read(std::future::pending()).unwrap()
    }

    /// The one organization that is read.
    pub(crate) fn organization(&self) -> Organization {
        self.read().organizations.into_iter().next().unwrap()
    }

    pub(crate) fn calls(&self, service: Service, what: &str) -> usize {
        self.emulator.count(service, what)
    }

    pub(crate) fn tenant() -> uuid::Uuid {
        USUAL.tenant
    }
}

/// The gaps, without those parts that say that all was read.
pub(crate) fn gaps(organization: &Organization) -> Vec<&Coverage> {
    organization.coverage.iter().filter(|one| one.state != State::Read).collect()
}

pub(crate) fn find(organization: &Organization, id: uuid::Uuid) -> &Connection {
    organization.connections.iter().find(|one| one.id == id).unwrap()
}
