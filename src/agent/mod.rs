//! The Azure Pipelines agent: what it gives a task, and how it is spoken to.

pub mod addresses;
pub mod azure_cli;
pub mod commands;
pub mod connection;
mod failure;
pub mod inputs;
pub mod job;
pub mod job_variables;
pub mod network;
pub mod organization;
pub mod reserved;
pub mod sessions;
pub mod shadowed;
pub mod target_inputs;
pub(crate) mod task_variables;
pub mod tools;
