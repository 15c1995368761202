//! Azure DevOps, Entra, the slices of ARM and of blob storage that clients need, and the Azure Pipelines agent, on
//! loopback.
//!
//! [`Emulator::start`] starts these services over real TLS, with a connection that works ([`USUAL`]). They check requests
//! as strictly as the real ones: keys, issuers, subjects, audiences, times, roles. A test breaks what it wants to see
//! broken, in the [`Directory`] (what is registered) or by a [`Fault`] (what happens on the wire), and ends with the
//! journal: which service was asked, how often, over how many connections.
//!
//! - [`Emulator`] and [`Proxy`] start and stop what listens.
//! - `front` takes requests in and sends answers out: connections, the journal, faults.
//! - `services` answers, with a folder or file for each service.
//! - `world` is what the services share: what is registered and stored, keys, certificates, the clock, faults.
//! - [`agent`] runs jobs, and knows only the message that the server sends to it.
//!
//! `front` uses `services`; both use `world`. The services make the message that the agent reads.

pub mod agent;
mod emulator;
mod front;
mod proxy;
mod services;
mod world;

pub use agent::message as job;
pub use emulator::{Builder, Emulator};
pub use proxy::{Proxy, ProxyEntry, ProxyOptions};
pub use world::certificate::ClientCertificate;
pub use world::directory::{self, Directory};
pub use world::fault::Fault;
pub use world::gate::Gate;
pub use world::identity;
pub use world::issued::{Issued, IssuedKind};
pub use world::journal::{Entry, Service};
pub use world::keys::unverified_claims;
pub use world::leak::leaks;
pub use world::organization;
pub use world::storage as blob;
pub use world::usual::{USUAL, Usual};
