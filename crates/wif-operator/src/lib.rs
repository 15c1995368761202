//! The operators' program: audits the service connections of whole organizations.
//!
//! [`snapshot`] is what was read; everything after it is a pure function of it and of a moment.

pub mod moment;
pub mod read;
pub mod snapshot;
pub mod tokens;
