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
    apply::{apply, check_tokens},
    arguments::{
        ApplyArguments, AskArguments, HandOffArguments, IssuerCommand, JournalCommand, Kind, PlanArguments,
        PlanCommand, RollbackArguments, ShownArguments,
    },
    files::{print, unusable},
    hand_over::{hand_off, journal},
    issuer::issuer_plan,
    plan::{Gathered, code_of, gather, has_gap, keep_and_show, no_match, plan, wanted},
    rollback::rollback,
    services::{needed, services},
};
