//! The task's stages: `run` is the main one, `post` the one after the job.

mod account;
pub(crate) mod azure_cli;
pub(crate) mod child_changes;
pub(crate) mod conflicts;
pub mod connection_tokens;
mod diagnose;
mod docker;
mod existing_variables;
pub(crate) mod export;
mod failure;
mod output_variables;
pub(crate) mod plan;
pub mod post;
mod previous_session;
mod programs;
pub mod run;
mod script;
mod summary;
pub(crate) mod targets;
