//! The operators' program: audits the service connections of whole organizations.
//!
//! [`snapshot`] is what was read of organizations. [`judge`] makes a [`report`] of it: a pure function of the snapshot, of a
//! moment, and of what the caller accepts ([`waiver`]). Each of the [`rules`] is a pure function too, and so is each of the
//! [`formats`]. [`read`] asks the services, with the [`tokens`] that are found. [`cli`] puts them together, and is the only part that reads and writes files.

mod azure_cli;
#[cfg(feature = "change")]
pub mod change;
pub mod cli;
mod cloud_name;
pub mod credential;
pub mod drift;
pub mod formats;
pub mod glob;
mod input;
pub mod job;
pub mod judge;
pub mod look;
pub mod made;
pub mod moment;
pub mod nearest;
pub mod read;
pub mod redact;
pub mod report;
pub mod request;
pub mod rule;
pub mod rules;
pub mod severity;
pub mod snapshot;
pub mod subject;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
pub mod usage;
pub mod waiver;
pub mod yaml;
