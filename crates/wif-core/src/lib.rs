//! The pure part of wif: the words and rules of tokens, clouds, trust and refusals, and what a session leaves for later
//! steps. No clock, no I/O, no async: its manifest has no crate that could.
#![forbid(unsafe_code)]

pub mod azure;
pub mod code;
pub mod explain;
pub mod exports;
pub mod fact;
pub mod failure;
pub mod foreign_text;
pub mod hexadecimal;
pub mod human_time;
pub mod pem;
pub mod refusals;
pub mod retry;
pub mod secret;
pub mod token;
pub mod trust;
