//! Secret-free sign-in to Azure from Azure Pipelines: the task, and the program `wif`.
//!
//! What is pure is in `wif-core`, this machine and the way out of it in `wif-io`, the clients of the services in `wif-azure`,
//! and the broker in `wif-broker`; `docs/architecture.md` has the map, with the arrows. Here is what joins them:
//!
//! - [`agent`]: the Azure Pipelines agent, and [`world`], which holds what tests replace.
//! - [`task`] (the stages of the pipeline task), `doctor` (every check of a connection), and `credential` (the same
//!   exchange for Rust callers; a default feature, which the program that ships is built without).
//! - [`user_tokens`]: tokens to read with, for the doctor and for the operators' program.
//! - [`cli`]: the command line.
#![forbid(unsafe_code)]

pub mod agent;
mod aws;
pub mod cli;
#[cfg(feature = "credential")]
pub mod credential;
mod doctor;
pub mod exec;
mod guards;
pub mod session;
mod sign_in;
pub mod sources;
mod targets;
pub mod task;
pub mod user_tokens;
pub mod world;
