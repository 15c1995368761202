//! The commands that plan changes, and those that apply them and take them back.

mod apply;
mod arguments;
mod files;
mod hand_over;
mod issuer;
mod plan;
mod rollback;
mod services;

pub use apply::apply;
pub use arguments::{
    ApplyArguments, HandOffArguments, IssuerCommand, JournalCommand, Kind, PlanCommand, RollbackArguments,
};
pub use hand_over::{hand_off, journal};
pub use issuer::issuer_plan;
pub use plan::plan;
pub use rollback::rollback;
