//! Applies a plan: each step is announced in the journal, sent, and read back. Only what was read back counts.
//!
//! The engine goes from connection to connection and from step to step. The file of steps knows what does each kind, and those
//! beside it do them; another puts back what has failed.

mod conversion;
mod credential;
mod ended;
mod engine;
mod issuer;
mod proof;
mod request;
mod run;
mod step;
mod undo;
mod wait;

pub use ended::{Applied, Outcome};
pub use engine::{Engine, Options};
