//! `wif connection`: connections as their requests ask for them.

mod arguments;
mod drift;
mod lookup;
mod plan;
mod privileged;
mod requests;
mod rollback;

pub use arguments::ConnectionCommand;
pub use drift::drift;
pub use plan::connection_plan;
pub(super) use requests::parse_all;
pub(super) use rollback::rollback_requests;
