//! `wif connection`: connections as their requests ask for them.

mod arguments;
mod drift;
mod lookup;
mod plan;
mod privileged;
mod requests;
mod rollback;
mod unplanned;

pub(super) use arguments::ConnectionCommand;
pub(super) use drift::drift;
pub(super) use plan::connection_plan;
pub(super) use rollback::rollback_requests;
