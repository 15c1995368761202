//! The broker: one process for each session, on 127.0.0.1, that gives fresh tokens to the job's later steps.
//!
//! It knows neither Azure DevOps nor Entra: the process that serves passes in how tokens are fetched.
#![forbid(unsafe_code)]

mod answer;
pub mod cache;
pub mod client;
mod connections;
mod dialects;
mod guard;
mod proof;
mod routes;
pub mod server;
pub mod session;
mod stream;
pub mod target;
pub mod tokens;

/// The paths of the protocols; all but the last three are an interface to other people's programs.
pub mod paths {
    /// App Service managed identity: `IDENTITY_ENDPOINT`.
    pub const IDENTITY: &str = wif_core::exports::IDENTITY_PATH;
    /// Both dialects of the id token: `ARM_OIDC_REQUEST_URL`. Clients append `&audience=…`, so it has a query already.
    pub const ID_TOKEN: &str = "/id-token";
    /// azd's external authentication: `AZD_AUTH_ENDPOINT`, to which azd appends `/token`.
    pub const AZD: &str = "/azd";
    /// AWS' container credentials: `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub const AWS: &str = wif_core::exports::AWS_PATH;
    /// Google's token exchange, for clients that may not have the id token.
    pub const GOOGLE: &str = wif_core::exports::GOOGLE_PATH;
    /// The name of the account behind the access token, for gcloud.
    pub const GOOGLE_ACCOUNT: &str = wif_core::exports::GOOGLE_ACCOUNT_PATH;
    /// The id token for Google's clients.
    pub const GOOGLE_ID_TOKEN: &str = "/google-id-token";
    /// Credentials of a registry of container images.
    pub const REGISTRY: &str = "/registry";
    /// Proves to a caller that has not shown the key that the broker has it.
    pub(crate) const PROOF: &str = "/proof";
    /// What `wif status` shows.
    pub const STATUS: &str = "/status";
    /// Ends the broker.
    pub const END: &str = "/end";
}
