//! Azure DevOps.

pub mod oidc;
pub mod service_connections;
