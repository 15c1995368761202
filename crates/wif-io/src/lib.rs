//! This machine and the way out of it: the environment, the clock, random numbers, private files, the process, and HTTP.
#![cfg_attr(not(windows), forbid(unsafe_code))]
#![cfg_attr(windows, deny(unsafe_code))] // one audited call, in `process`

pub mod child;
pub mod clock;
pub mod endpoint;
pub mod env;
pub mod failure;
pub mod http;
pub mod private_folder;
pub mod process;
pub mod program;
pub mod random;
pub mod terminal;
