//! Azure DevOps.

pub mod oidc;
