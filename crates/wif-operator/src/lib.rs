//! The operators' program: audits the service connections of whole organizations.
//!
//! [`snapshot`] is what was read; everything after it is a pure function of it and of a moment.

pub mod credential;
pub mod moment;
pub mod read;
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
pub mod yaml;
