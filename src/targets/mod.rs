//! Other clouds that the connection's id token opens: each gives a credential of its own for it.

mod ask;
mod aws;
mod aws_files;
pub(crate) mod ecr;
mod error;
mod google;
pub(crate) mod registries;
pub(crate) mod registry;
mod target;
mod vault;

use std::{sync::Arc, time::Duration};

use wif_broker::cache::CachedToken;
use wif_core::{
    azure::{hosts::AllowedHosts, resource::Resource},
    exports::GoogleProvider,
    failure::Failure,
    foreign_text::one_line,
    human_time::rfc3339,
    secret::Secret,
    token::claims::Unverified,
};
use wif_io::{
    clock::{Deadline, Limit, timeout},
    env::Env,
    http::Http,
};

use self::{aws::Aws, google::Google, registries::RegistryTarget, vault::Vault};
pub(crate) use self::{
    aws_files::check_files,
    target::{Granted, Target},
};
use crate::agent::target_inputs::TargetInputs;

/// What the targets read of the environment, beside the inputs.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    aws::VARIABLES.into_iter().chain(google::VARIABLES).chain(vault::VARIABLES)
}

/// Those of [`variables`] that name files.
pub(crate) const FILES: [&str; 1] = vault::VARIABLES;

/// Everything beside Azure that a session gives credentials for.
#[derive(Clone, Default)]
pub(crate) struct TargetSet {
    /// Other clouds, in the order in which they are tried.
    pub(crate) clouds: Vec<Arc<dyn Target>>,
    /// Registries of container images.
    pub(crate) registries: Vec<RegistryTarget>,
    /// The application whose access token other clouds get in place of the id token.
    pub(crate) assertion: Option<Resource>,
}

/// The clouds that the inputs ask for, in the order in which they are tried. `allowed` are the hosts that the user names.
///
/// # Errors
///
/// A variable leads to a host that may not get an id token.
pub(crate) fn read(
    inputs: &TargetInputs,
    env: &Env,
    allowed: &AllowedHosts,
    assertion: Option<Resource>,
) -> Result<TargetSet, Failure> {
    let mut targets: Vec<Arc<dyn Target>> = Vec::new();
    if let Some(inputs) = &inputs.aws {
        targets.push(Arc::new(Aws::new(inputs, env, allowed)?));
    }
    if let Some(inputs) = &inputs.google {
        targets.push(Arc::new(Google::new(inputs, env, allowed)?));
    }
    // The last one, since its token is the only one that has to be revoked.
    if let Some(inputs) = &inputs.vault {
        targets.push(Arc::new(Vault::new(inputs, env)?));
    }
    let registries = inputs.registries.iter().map(|registry| RegistryTarget::new(registry, env, allowed));
    let registries = registries.collect::<Result<_, _>>()?;
    Ok(TargetSet { clouds: targets, registries, assertion })
}

/// How long the end of a credential is waited for.
const REVOCATION_TIMEOUT: Duration = Duration::from_millis(1500);

/// What a broker needs of a provider of Google Cloud to write a credential file.
pub(crate) fn google_provider(inputs: &TargetInputs, env: &Env) -> Option<GoogleProvider> {
    inputs.google.as_ref().map(|inputs| google::provider(inputs, env))
}

/// Gets a credential with an id token, and says why not.
///
/// # Errors
///
/// With what was presented, and what would trust it.
pub(crate) async fn exchange(
    target: &dyn Target,
    http: &Http,
    deadline: Deadline,
    id_token: &Secret,
) -> Result<CachedToken, Failure> {
    let exchanged = target.exchange(http, deadline, id_token).await;
    exchanged.map_err(|error| {
        let claims = Unverified::read(id_token).ok();
        let facts = claims.as_ref().map(|claims| target.facts(claims)).unwrap_or_default();
        error.explain(claims.as_ref(), facts)
    })
}

/// Ends a credential, or says why it may live on.
pub(crate) async fn revoke(target: &dyn Target, http: &Http, credential: &CachedToken) -> Result<(), String> {
    let deadline = Deadline::after(http.clock(), REVOCATION_TIMEOUT);
    let Some(revocation) = target.revoke(http, deadline, &credential.token) else { return Ok(()) };
    let why = match timeout(http.clock(), Limit::Request, REVOCATION_TIMEOUT, revocation).await {
        Some(Ok(())) => return Ok(()),
        Some(Err(error)) => error.to_string(),
        None => format!("no answer within {} s", REVOCATION_TIMEOUT.as_secs_f32()),
    };
    let (name, until) = (target.service(), rfc3339(credential.lifetime.until));
    Err(format!("The token of {name} was not revoked, and may work until {until}: {}", one_line(&why, 300)))
}
