//! Azure DevOps, Entra, the slices of ARM and of blob storage that clients need, and the Azure Pipelines agent, on
//! loopback.
//!
//! [`Emulator::start`] gives all of these services over real TLS, in a landscape that works ([`USUAL`]). They check what
//! they are sent as strictly as the real ones: keys, issuers, subjects, audiences, times, roles. A test spoils what it
//! wants to see spoilt, in the [`Directory`] (what is registered) or by a [`Fault`] (what happens on the wire), and
//! ends with the journal: who was asked, how often, by how many connections.

pub mod agent;
mod answer;
mod arm;
mod bearer;
pub mod blob;
mod certificate;
mod clock;
mod devops;
pub mod directory;
mod distance;
mod emulator;
mod entra;
mod fault;
mod gate;
mod graph;
pub mod identity;
pub mod job;
mod jobs;
mod journal;
mod keys;
mod leak;
mod machine;
mod proxy;
mod record;
mod server;
mod tls;
mod usual;
mod world;

pub use certificate::ClientCertificate;
pub use directory::Directory;
pub use emulator::{Builder, Emulator};
pub use fault::Fault;
pub use gate::Gate;
pub use journal::{Entry, Service};
pub use leak::leaks;
pub use proxy::{Proxy, ProxyEntry, ProxyOptions};
pub use usual::{USUAL, Usual};
pub use world::{Issued, IssuedKind};
