//! `wif migrate`: connections put beside old ones, what runs on either, and the end of the old ones.

mod arguments;
mod plan;
mod retire;
mod status;

pub(super) use arguments::{MigrateCommand, RetireCommand};
pub(super) use plan::migrate_plan;
pub(super) use retire::retire_plan;
pub(super) use status::status;
