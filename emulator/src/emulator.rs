//! Starts the services, and gives tests access to what is in them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::{self, Runtime};
use uuid::Uuid;

use crate::agent::message::{JobMessage, ServiceEndpoint};
use crate::front::distance;
use crate::front::server::Server;
use crate::services::{arm, blob, clouds, devops, entra, graph, jobs, managed_identity, sources};
use crate::world::clock::Clock;
use crate::world::directory::entra::{App, Kind, Tenant};
use crate::world::directory::sources::SourceIssuer;
use crate::world::directory::{self, Directory};
use crate::world::fault::Fault;
use crate::world::identity::{DEVOPS_APPLICATION, EXCHANGE_AUDIENCE, EXCHANGE_AUDIENCE_ID};
use crate::world::issued::Issued;
use crate::world::journal::{Entry, Service};
use crate::world::organization::{MadeOrganization, OrganizationPlan};
use crate::world::storage::Storage;
use crate::world::tls::Trust;
use crate::world::usual::{self, USUAL, Usual};
use crate::world::{Urls, World};

/// The running services on loopback; they end when it is dropped.
pub struct Emulator {
    world: Arc<World>,
    trust: Trust,
    ca_file: PathBuf,
    ports: [u16; 6],
    runtime: Option<Runtime>,
    /// The port of what signs id tokens for others, once it is asked for.
    sources: OnceLock<u16>,
    /// The port of the other clouds, and that without TLS, once they are asked for.
    clouds: OnceLock<(u16, u16)>,
}

/// Options of an emulator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builder {
    require_client_certificate: bool,
    http1_only: bool,
    round_trip: Duration,
}

impl Builder {
    /// Refuses clients without a certificate of this emulator's CA: [`Emulator::client_identity`].
    #[must_use]
    pub fn require_client_certificate(self, yes: bool) -> Self {
        Self { require_client_certificate: yes, ..self }
    }

    /// Does not offer HTTP/2.
    #[must_use]
    pub fn http1_only(self, yes: bool) -> Self {
        Self { http1_only: yes, ..self }
    }

    /// Delays each connection and each answer by this time, as a distant service would.
    #[must_use]
    pub fn round_trip(self, time: Duration) -> Self {
        Self { round_trip: time, ..self }
    }

    /// Starts the services, which listen when this returns.
    #[must_use]
    pub fn start(self) -> Emulator {
        Emulator::with(self)
    }
}

impl Emulator {
    /// Starts the services without options. Works in and out of async code.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Starts with options.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn with(options: Builder) -> Self {
        let clock = Clock::default();
        let trust = Trust::new(clock.now(), options.require_client_certificate, options.http1_only);
        let listeners = [(); 6].map(|()| listener());
        let ports = [0, 1, 2, 3, 4, 5].map(|at: usize| port(&listeners[at]));
        let [devops, entra, arm, ..] = ports.map(|port| format!("https://127.0.0.1:{port}"));
        // The real services on a machine speak plain HTTP too.
        let machine = format!("http://127.0.0.1:{}", ports[Service::Machine as usize]);
        let graph = format!("https://127.0.0.1:{}", ports[Service::Graph as usize]);
        let world =
            Arc::new(World::new(Urls { devops, entra, arm, machine, graph }, clock, usual::directory()));
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("emulator")
            .enable_all()
            .build()
            .expect("a runtime");
        let routers = [
            (Service::DevOps, devops::router(Arc::clone(&world))),
            (Service::Entra, entra::router(Arc::clone(&world))),
            (Service::Arm, arm::router(Arc::clone(&world))),
            (Service::Blob, blob::router(Arc::clone(&world))),
            (Service::Machine, managed_identity::router(Arc::clone(&world))),
            (Service::Graph, graph::router(Arc::clone(&world))),
        ];
        for (listener, (service, router)) in listeners.into_iter().zip(routers) {
            let tls = (service != Service::Machine).then(|| Arc::clone(&trust.server));
            let server = Server::new(service, Arc::clone(&world), router, tls);
            if options.round_trip.is_zero() {
                runtime.spawn(server.listen(listener));
                continue;
            }
            let near = self::listener();
            let to = near.local_addr().expect("a listener has an address");
            runtime.spawn(server.listen(near));
            runtime.spawn(distance::forward(listener, to, options.round_trip));
        }
        Self {
            world,
            ca_file: trust.ca_file(),
            trust,
            ports,
            runtime: Some(runtime),
            sources: OnceLock::new(),
            clouds: OnceLock::new(),
        }
    }

    /// Names and ids that are there from the start.
    #[must_use]
    pub fn usual(&self) -> Usual {
        USUAL
    }

    /// The base URL of Azure DevOps, without a trailing slash or organization.
    #[must_use]
    pub fn devops_url(&self) -> String {
        self.world.urls.devops.clone()
    }

    /// The base URL of Entra, without a trailing slash.
    #[must_use]
    pub fn entra_url(&self) -> String {
        self.world.urls.entra.clone()
    }

    /// The base URL of the resource manager, without a trailing slash.
    #[must_use]
    pub fn arm_url(&self) -> String {
        self.world.urls.arm.clone()
    }

    /// The base URL of the machine's managed identity service, without a trailing slash: what
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST` names.
    #[must_use]
    pub fn machine_url(&self) -> String {
        self.world.urls.machine.clone()
    }

    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` of the same service.
    #[must_use]
    pub fn app_service(&self) -> (String, String) {
        (
            format!("{}{}", self.world.urls.machine, managed_identity::APP_SERVICE),
            self.directory().machine.header.clone(),
        )
    }

    /// The base URL of what signs id tokens outside of Azure Pipelines, without a trailing slash. It is started when it is
    /// asked for.
    #[must_use]
    pub fn sources_url(&self) -> String {
        let port = self.sources.get_or_init(|| {
            let listener = listener();
            let port = self::port(&listener);
            let router = sources::router(Arc::clone(&self.world));
            let tls = Some(Arc::clone(&self.trust.server));
            let server = Server::new(Service::Sources, Arc::clone(&self.world), router, tls);
            self.runtime.as_ref().expect("it runs").spawn(server.listen(listener));
            port
        });
        format!("https://127.0.0.1:{port}")
    }

    /// The base URL of AWS, Google Cloud and Vault, without a trailing slash. They are started when they are asked for.
    #[must_use]
    pub fn clouds_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.clouds_ports().0)
    }

    /// The same without TLS, as a Vault may be on a machine.
    #[must_use]
    pub fn plain_clouds_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.clouds_ports().1)
    }

    /// The port of AWS, Google Cloud and Vault, for a proxy that leads their public names there.
    #[must_use]
    pub fn clouds_port(&self) -> u16 {
        self.clouds_ports().0
    }

    fn clouds_ports(&self) -> (u16, u16) {
        let start = |tls| {
            let listener = listener();
            let port = self::port(&listener);
            let router = clouds::router(Arc::clone(&self.world));
            let server = Server::new(Service::Clouds, Arc::clone(&self.world), router, tls);
            self.runtime.as_ref().expect("it runs").spawn(server.listen(listener));
            port
        };
        *self.clouds.get_or_init(|| (start(Some(Arc::clone(&self.trust.server))), start(None)))
    }

    /// Lets AWS, Google Cloud and Vault trust the id tokens of a connection.
    pub fn trust_in_clouds(&self, connection: Uuid) {
        let mut directory = self.directory();
        let place = directory.find(connection).expect("no such connection");
        let (issuer, subject) = (place.issuer(), place.subject());
        let (audience, party) = (EXCHANGE_AUDIENCE_ID.to_string(), DEVOPS_APPLICATION.to_string());
        directory.clouds =
            directory::clouds::Clouds::trusting(&issuer, &subject, &[EXCHANGE_AUDIENCE, &audience, &party]);
    }

    /// The variables by which a job, a pod or a machine of an issuer finds it.
    #[must_use]
    pub fn source_variables(&self, source: SourceIssuer) -> Vec<(String, String)> {
        sources::variables(&self.world, &self.sources_url(), source)
    }

    /// An id token of an issuer for an audience, as one that was put into a file or a variable; `lifetime` in seconds.
    #[must_use]
    pub fn source_id_token(&self, source: SourceIssuer, audience: &str, lifetime: i64) -> String {
        sources::id_token(&self.world, source, audience, lifetime)
    }

    /// The port of a service.
    #[must_use]
    pub fn port(&self, service: Service) -> u16 {
        self.ports[service as usize]
    }

    /// PEM of the CA, in a private folder that is removed with the emulator.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// PEM files of a client certificate of the CA, and of its key.
    #[must_use]
    pub fn client_identity(&self) -> (PathBuf, PathBuf) {
        self.trust.client_identity()
    }

    /// PEM files of the servers' certificate and of its key, for another server that has one of their public names.
    #[must_use]
    pub fn server_identity(&self) -> (PathBuf, PathBuf) {
        self.trust.server_identity()
    }

    /// The directory, to read and to change. Every request waits while it is held, and so do
    /// [`Emulator::job`], [`Emulator::endpoint`] and [`Emulator::issued`]: let go of it before calling them.
    pub fn directory(&self) -> MutexGuard<'_, Directory> {
        self.world.directory()
    }

    /// Makes an organization, whose identities are in the usual tenant.
    #[must_use]
    pub fn add_organization(&self, plan: &OrganizationPlan) -> MadeOrganization {
        plan.make(&mut self.directory(), USUAL.tenant, self.now())
    }

    /// Makes an identity of the usual tenant that may read and change applications, and what is in a subscription.
    #[must_use]
    pub fn add_operator(&self, subscription: Uuid) -> Uuid {
        let client = Uuid::new_v4();
        let operator = App {
            reads_applications: true,
            writes_applications: true,
            ..App::new(client, Kind::Application)
        };
        let mut directory = self.directory();
        directory.tenant(USUAL.tenant).apps.push(operator);
        directory.subscription(subscription).roles.push(client);
        client
    }

    /// The base URL of Microsoft Graph, without a trailing slash.
    #[must_use]
    pub fn graph_url(&self) -> String {
        self.world.urls.graph.clone()
    }

    /// The storage accounts, to read and to change. Every request to them waits while it is held.
    pub fn storage(&self) -> MutexGuard<'_, Storage> {
        self.world.storage()
    }

    /// Every HTTP request so far, in order.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.world.journal.entries()
    }

    /// The journal as text, with a line for each request.
    #[must_use]
    pub fn journal_text(&self) -> String {
        self.world.journal.text()
    }

    /// How many requests to a service have `what` in their `METHOD /path`.
    #[must_use]
    pub fn count(&self, service: Service, what: &str) -> usize {
        self.world.journal.count(service, what)
    }

    /// How many TCP connections a service has accepted so far.
    #[must_use]
    pub fn connections(&self, service: Service) -> usize {
        usize::try_from(self.world.connections(service)).expect("fewer connections than that")
    }

    /// Every secret that was issued so far, or that the directory knows.
    #[must_use]
    pub fn issued(&self) -> Vec<Issued> {
        self.world.issued()
    }

    /// An access token for a resource, without a sign-in. Panics if no tenant knows the client.
    #[must_use]
    pub fn access_token(&self, client: Uuid, resource: &str) -> String {
        let directory = self.directory();
        let knows = |tenant: &&Tenant| tenant.apps.iter().any(|app| app.client_id == client);
        let tenant = directory.tenants.iter().find(knows).expect("no such app").clone();
        drop(directory);
        let app = tenant.apps.iter().find(|app| app.client_id == client).expect("no such app");
        entra::grant::issue_access_token(&self.world, &tenant, app, resource).access_token
    }

    /// Registers a fault.
    pub fn fault(&self, fault: Fault) {
        self.world.faults.add(fault);
    }

    /// Removes every fault; a request that a fault has taken already keeps it.
    pub fn mend(&self) {
        self.world.faults.clear();
    }

    /// Shifts the emulator's clock, in addition to earlier shifts.
    pub fn shift_clock(&self, seconds: i64) {
        self.world.clock.shift(seconds);
    }

    /// The time of the emulator's clock.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.world.clock.now()
    }

    /// A new job whose stage refers to this connection.
    #[must_use]
    pub fn job(&self, connection: Uuid) -> JobMessage {
        self.job_with(&[connection])
    }

    /// A new job whose stage refers to these connections.
    #[must_use]
    pub fn job_with(&self, connections: &[Uuid]) -> JobMessage {
        jobs::start(&mut self.directory(), &self.world.urls, connections)
    }

    /// A connection as the server sends it in a job message.
    #[must_use]
    pub fn endpoint(&self, connection: Uuid) -> ServiceEndpoint {
        jobs::endpoint(&self.directory(), &self.world.urls, connection)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime waits for its tasks, which panics in async code.
            runtime.shutdown_background();
        }
    }
}

/// A listener on a free port of loopback.
pub(crate) fn listener() -> TcpListener {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    listener.set_nonblocking(true).expect("a listener can be non-blocking");
    listener
}

pub(crate) fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a bound listener has an address").port()
}
