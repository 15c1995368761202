//! The Azure Pipelines agent: what it gives a task, and how it is spoken to.

pub(crate) mod addresses;
pub(crate) mod azure_cli;
pub mod commands;
pub mod connection;
pub(crate) mod docker_registries;
mod failure;
pub mod inputs;
pub mod job;
pub(crate) mod job_variables;
pub mod network;
pub(crate) mod organization;
pub mod reserved;
pub mod script_inputs;
pub(crate) mod session_hours;
pub(crate) mod sessions;
pub mod shadowed;
pub mod target_inputs;
pub(crate) mod task_variables;
pub(crate) mod tools;
