//! Every check of a service connection and of the job around it, each with its verdict and remedy; it goes on after a fault.
//!
//! One deadline bounds all of it. Nothing secret is in a report: it is made to be pasted into a chat.

mod azure;
mod connection;
mod diagnosis;
mod identity;
mod job;
mod network;
pub(crate) mod report;
pub(crate) mod show;
mod source;
mod step;
mod targets;
mod terminal;
mod tools;
mod trial;
mod trust;
mod variables;

pub(crate) use self::{
    job::{JobCheck, in_job},
    source::of_source,
    variables::JobFindings,
};
pub(crate) use self::{
    report::Report,
    step::{SessionStatus, in_step},
    terminal::{Target, from_terminal},
    trial::{Backend, Trial, TrialTool},
};
