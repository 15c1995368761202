//! Secret-free sign-in to Azure from Azure Pipelines.
//!
//! The map, with an arrow to whatever a part may use: `main → cli → use-cases → edges → http → endpoint`, and from
//! everywhere to the pure parts, which use only `secret`, `error`, `foreign_text` and each other. A test holds the code to it.
//!
//! - Pure: [`secret`], [`error`], [`foreign_text`] (text from outside, made harmless), [`retry`], [`mod@pem`] (sections of PEM text), [`identity`] (tokens, clouds, resources, refusals), [`exports`] (what
//!   later steps find).
//! - Edges, each to one outside thing: [`mod@env`], [`clock`], [`endpoint`], [`http`], [`folder`] (private files),
//!   [`process`] (what the operating system is told of this one), [`agent`] (the Azure Pipelines agent), [`devops`] (job token to id token), [`entra`] (id token to access
//!   token), [`management`] (Azure Resource Manager and Microsoft Graph), and [`world`], which holds what tests replace.
//! - Use-cases: [`task`] (the stages of the pipeline task), [`doctor`] (every check of a connection), and `credential`
//!   (the same exchange for Rust callers; a default feature, which the program that ships is built without).
//! - [`cli`]: the command line.
#![cfg_attr(not(windows), forbid(unsafe_code))]
#![cfg_attr(windows, deny(unsafe_code))] // one audited call, in `process`

pub mod agent;
pub mod broker;
pub mod cli;
pub mod clock;
#[cfg(feature = "credential")]
pub mod credential;
pub mod devops;
pub mod doctor;
pub mod endpoint;
pub mod entra;
pub mod env;
pub mod error;
pub mod exports;
pub mod folder;
pub mod foreign_text;
pub mod http;
pub mod identity;
pub mod management;
pub mod pem;
pub mod process;
pub mod retry;
pub mod secret;
pub mod task;
pub mod world;
