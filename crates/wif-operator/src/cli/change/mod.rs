//! The commands that plan changes, and those that apply them and take them back.

mod apply;
mod arguments;
mod files;
mod hand_over;
mod issuer;
mod plan;
mod rollback;
mod services;

pub(super) use self::{
    apply::apply,
    arguments::{
        ApplyArguments, AskArguments, HandOffArguments, IssuerCommand, JournalCommand, Kind, PlanCommand,
        RollbackArguments, ShownArguments,
    },
    hand_over::{hand_off, journal},
    issuer::issuer_plan,
    plan::{keep_and_show, plan},
    rollback::rollback,
    services::services,
};
