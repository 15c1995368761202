//! One binary, a module for each promise.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::use_debug,
    clippy::format_push_string,
    reason = "a test stops at the first surprise, and says what it saw"
)]

mod support;

mod architecture;
mod ask;
mod az;
mod azure_cli_steps;
mod bad_answers;
mod bad_input;
mod broker;
mod cancellation;
mod clouds;
mod command_line;
mod conformance;
mod doctor;
mod documents;
mod earlier;
mod examples;
mod exec;
mod existing_variables;
mod explain;
mod faults;
mod foreign_bytes;
mod foreign_text;
mod guards;
mod handover;
mod hostile;
mod job;
mod live;
mod machine;
mod network;
mod no_answer;
#[cfg(unix)]
mod operator;
mod pages;
mod process;
mod reference;
mod refusals;
mod retries;
mod schemes;
mod script;
mod shipped;
mod shown;
mod sign_in;
#[cfg(unix)]
mod snapshots;
mod soak;
mod sources;
#[cfg(target_os = "linux")]
mod targets;
mod terminal;
mod time_limits;
#[cfg(target_os = "linux")]
mod tool_clients;
mod tool_credentials;
#[cfg(target_os = "linux")]
mod try_tools;
mod upgrade;
#[cfg(target_os = "linux")]
mod vault;
mod walls;
