//! Azure DevOps.

pub mod oidc;
pub mod service_connections;

/// The header without which Azure DevOps answers a bad token with a redirect to a sign-in page.
pub const SUPPRESS_SIGN_IN: (&str, &str) = ("x-tfs-fedauthredirect", "Suppress");
