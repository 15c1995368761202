//! `wif migrate`: connections put beside old ones, what runs on either, and the end of the old ones.

mod arguments;
mod plan;

pub(super) use arguments::MigrateCommand;
pub(super) use plan::migrate_plan;
