//! Azure DevOps, Entra, the slices of ARM and of blob storage that clients need, and the Azure Pipelines agent, on
//! loopback.
//!
//! [`Emulator::start`] gives all of these services over real TLS, in a landscape that works ([`USUAL`]). They check what
//! they are sent as strictly as the real ones: keys, issuers, subjects, audiences, times, roles. A test spoils what it
//! wants to see spoilt, in the [`Directory`] (what is registered) or by a [`Fault`] (what happens on the wire), and
//! ends with the journal: who was asked, how often, by how many connections.

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
pub use world::leak::leaks;
pub use world::storage as blob;
pub use world::usual::{USUAL, Usual};
