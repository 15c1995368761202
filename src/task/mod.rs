//! The task's stages: `run` is the main one, `post` the one after the job.

mod arrival;
pub(crate) mod azure_cli;
mod diagnose;
pub(crate) mod export;
mod failure;
mod output_variables;
pub(crate) mod plan;
pub mod post;
mod previous_session;
pub mod run;
mod summary;
