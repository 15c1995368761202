//! Every check of a service connection and of the job around it, each with its verdict and remedy; it goes on after a fault.
//!
//! One deadline bounds all of it. Nothing secret is in a report: it is made to be pasted into a chat.

mod azure;
mod connection;
mod identity;
mod job;
mod network;
pub mod report;
pub mod show;
mod step;
mod terminal;
mod tools;
mod tried;
mod trust;
mod variables;

use std::sync::Arc;

use uuid::Uuid;

pub(crate) use self::{
    job::{JobCheck, in_job},
    variables::JobFindings,
};
pub use self::{
    report::{Report, Topic, Verdict},
    step::{SessionStatus, in_step},
    terminal::{Target, from_terminal},
    tried::{Backend, Candidate, Trial},
};
use crate::agent::{addresses::Addresses, connection::Connection};
use wif_core::{azure::hosts::AllowedHosts, secret::Secret, trust::compare::Claims};
use wif_io::{clock::Deadline, env::Env, http::Http};

/// An access token of Entra for Azure DevOps.
const DEVOPS_TOKEN: &str = "WIF_DEVOPS_TOKEN";
/// An access token for Microsoft Graph.
const GRAPH_TOKEN: &str = "WIF_GRAPH_TOKEN";
/// An access token for Azure Resource Manager.
const ARM_TOKEN: &str = "WIF_ARM_TOKEN";

/// What a walk needs and gathers.
struct Walk<'a> {
    http: Arc<Http>,
    env: &'a Env,
    deadline: Deadline,
    /// Hosts that may get tokens beside those of the known clouds.
    allowed_hosts: AllowedHosts,
    report: Report,
    network: network::Network,
}

/// A connection that could be read, and where its services are.
struct Readable {
    connection: Connection,
    addresses: Addresses,
}

/// What is known of the identity behind a connection.
#[derive(Default)]
struct Gathered {
    /// What its id tokens present.
    claims: Option<Claims>,
    /// Whether Entra took one.
    exchanged: Option<bool>,
    /// An access token for Azure Resource Manager.
    arm: Option<Secret>,
    /// The object id of its service principal.
    object: Option<Uuid>,
}
