//! The message about a job that the server sends to the agent.

use std::collections::BTreeMap;

use uuid::Uuid;

/// A service connection as the job message carries it.
#[derive(Clone, Debug)]
pub struct ServiceEndpoint {
    /// The connection's id; the agent spells it in lower case with hyphens.
    pub id: Uuid,
    /// The display name. The agent never passes it on; it is how a pipeline's YAML refers to the connection.
    pub name: String,
    /// The connection's URL (the resource manager's base URL for an Azure connection).
    pub url: String,
    /// `WorkloadIdentityFederation`, `ServicePrincipal`, …
    pub scheme: String,
    /// Authorization parameters, in the server's key casing.
    pub parameters: BTreeMap<String, String>,
    /// Data entries, in the server's key casing.
    pub data: BTreeMap<String, String>,
}

/// A pipeline variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The original name, dots and case included (`System.CollectionUri`).
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether it is a secret variable.
    pub secret: bool,
}

/// The server's part of a job; what the machine adds is not in it.
#[derive(Clone, Debug)]
pub struct JobMessage {
    /// The system connection's URL: the collection URL, with a trailing slash.
    pub system_connection_url: String,
    /// The job token, `System.AccessToken`: the system connection's `AccessToken` parameter.
    pub job_token: String,
    /// Every connection that a step's input refers to.
    pub endpoints: Vec<ServiceEndpoint>,
    /// Server variables: `System.CollectionUri`, `System.TeamProjectId`, `System.HostType`, `System.PlanId`,
    /// `System.JobId`, `System.OidcRequestUri`, and those of the pipeline.
    pub variables: Vec<Variable>,
}
