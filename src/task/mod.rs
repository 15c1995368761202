//! The task's stages: `run` is the main one, `post` the one after the job.

mod azure_cli;
mod diagnose;
mod existing_variables;
mod export;
mod failure;
mod output_variables;
mod plan;
pub mod post;
mod previous_session;
pub mod run;
pub mod script;
mod summary;
