//! Which credential opens a registry of container images.

use std::sync::Arc;

use wif_core::{azure::hosts::AllowedHosts, exports::Family, failure::Failure};
use wif_io::env::Env;

use super::ecr::Ecr;
use crate::agent::target_inputs::{Registry, ecr};

/// A registry of container images, and how it is signed in to.
#[derive(Clone)]
pub(crate) struct RegistryTarget {
    /// Its login server, with its port where that is not 443.
    pub(crate) server: String,
    /// By which credential.
    pub(crate) way: RegistryWay,
}

/// By which credential a registry is signed in to.
#[derive(Clone)]
pub(crate) enum RegistryWay {
    /// An access token of Entra.
    Azure,
    /// An access token of Google.
    Google,
    /// The credentials of a role of AWS.
    Aws(Arc<Ecr>),
}

impl RegistryTarget {
    /// A registry that the inputs name. `allowed` are the hosts that the user names.
    ///
    /// # Errors
    ///
    /// A variable leads to a host that may not get a credential.
    pub(super) fn new(registry: &Registry, env: &Env, allowed: &AllowedHosts) -> Result<Self, Failure> {
        let way = match (registry.cloud, ecr(&registry.server)) {
            (Family::Aws, Some(server)) => RegistryWay::Aws(Arc::new(Ecr::new(server, env, allowed)?)),
            (Family::Google, _) => RegistryWay::Google,
            _ => RegistryWay::Azure,
        };
        Ok(Self { server: registry.server.clone(), way })
    }
}
