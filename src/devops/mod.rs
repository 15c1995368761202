//! Azure DevOps.

pub mod connections;
pub mod oidc;
