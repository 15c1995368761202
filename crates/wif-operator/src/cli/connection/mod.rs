//! `wif connection`: connections as their requests ask for them.

mod arguments;
mod drift;
mod requests;

pub use arguments::ConnectionCommand;
pub use drift::drift;
pub(super) use requests::parse_all;
