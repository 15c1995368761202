//! The commands that plan changes, and those that apply them and take them back.

mod apply;
mod arguments;
mod files;
mod hand_over;
mod plan;
mod rollback;
mod services;

pub use apply::apply;
pub(super) use arguments::AskArguments;
pub use arguments::{ApplyArguments, HandOffArguments, JournalCommand, Kind, PlanCommand, RollbackArguments};
pub use hand_over::{hand_off, journal};
pub use plan::plan;
pub use rollback::rollback;
