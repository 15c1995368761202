//! A script that is signed in alone: `scriptType`.

mod arguments;
mod command;
mod environment;
mod error_lines;
mod failure;
pub(super) mod prepared;
pub(super) mod ready;
pub(super) mod session;
