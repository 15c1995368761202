//! The operators' program against emulated services, in one program: what these tests share is compiled once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::use_debug,
    reason = "a test stops at the first surprise, and says what it saw"
)]

mod audit;
mod audit_unread;
mod change;
mod command_line;
mod doubt;
mod drift;
mod gaps;
mod hand_off;
mod help;
mod hostile_files;
mod issuer;
mod issuer_failures;
mod issuer_kills;
mod issuer_pairs;
mod migrate;
mod read;
mod retire;
mod rights;
mod rollback;
mod scopes;
mod support;
mod swap;
mod swap_back;
mod task;
#[cfg(unix)]
mod tokens;
mod vend;
mod vend_guards;
#[cfg(unix)]
mod vend_pipeline;
