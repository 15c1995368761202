//! The commands that plan changes, and those that apply them and take them back.

mod apply;
mod arguments;
mod files;
mod hand_over;
mod plan;
mod rollback;
mod services;

pub use apply::apply;
pub use arguments::{ApplyArguments, HandOffArguments, JournalCommand, Kind, PlanCommand, RollbackArguments};
pub(super) use arguments::{AskArguments, ShownArguments};
pub use hand_over::{hand_off, journal};
pub(super) use plan::keep_and_show;
pub use plan::plan;
pub use rollback::rollback;
pub(super) use services::services;
