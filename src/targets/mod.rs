//! Other clouds that the connection's id token opens: each gives a credential of its own for it.

mod ask;
mod aws;
mod aws_files;
mod error;
mod google;
mod vault;

use std::{pin::Pin, sync::Arc};

use wif_broker::{cache::CachedToken, target::Dialect};
use wif_core::{
    azure::hosts::AllowedHosts, exports::Family, fact::Fact, failure::Failure, secret::Secret,
    token::claims::Unverified,
};
use wif_io::{
    clock::Deadline,
    env::Env,
    http::{Http, SetupError},
};

use self::{aws::Aws, google::Google, vault::Vault};
pub(crate) use self::{aws_files::check_files, error::TargetError};
use crate::agent::target_inputs::TargetInputs;

/// A cloud that gives a credential for an id token.
pub(crate) trait Target: Send + Sync {
    /// Which one it is.
    fn family(&self) -> Family;

    /// How the broker serves the credential.
    fn dialect(&self) -> Dialect;

    /// The audience of the id token, from a source that lets one choose.
    fn audience(&self) -> &str;

    /// What it was asked for, and which setting would trust the id token.
    fn facts(&self, claims: &Unverified) -> Vec<Fact>;

    /// Gets the credential.
    fn exchange<'a>(&'a self, http: &'a Http, deadline: Deadline, id_token: &'a Secret) -> Exchanged<'a>;

    /// What no log may show of a credential.
    fn secrets(&self, credential: &Secret) -> Vec<Secret> {
        vec![credential.clone()]
    }

    /// Makes a credential live on, without changing its text; `None` where there is no such thing.
    fn renew<'a>(&'a self, _http: &'a Http, _deadline: Deadline, _held: &'a Secret) -> Option<Exchanged<'a>> {
        None
    }

    /// Ends a credential before its time; `None` where there is no such thing.
    fn revoke<'a>(&'a self, _http: &'a Http, _deadline: Deadline, _held: &'a Secret) -> Option<Revoked<'a>> {
        None
    }
}

/// A credential that is on its way.
pub(crate) type Exchanged<'a> = Pin<Box<dyn Future<Output = Result<CachedToken, TargetError>> + Send + 'a>>;
/// A credential that is about to end.
pub(crate) type Revoked<'a> = Pin<Box<dyn Future<Output = Result<(), TargetError>> + Send + 'a>>;

/// A credential that the step has got.
pub(crate) struct Granted {
    pub(crate) family: Family,
    pub(crate) credential: CachedToken,
}

/// What the targets read of the environment, beside the inputs.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    aws::VARIABLES.into_iter().chain(google::VARIABLES).chain(vault::VARIABLES)
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
) -> Result<Vec<Arc<dyn Target>>, Failure> {
    let mut targets: Vec<Arc<dyn Target>> = Vec::new();
    if let Some(inputs) = &inputs.aws {
        targets.push(Arc::new(Aws::new(inputs, env, allowed)?));
    }
    if let Some(inputs) = &inputs.google {
        targets.push(Arc::new(Google::new(inputs, env, allowed)?));
    }
    // The last one, since its token is the only one that has to be revoked.
    if let Some(inputs) = &inputs.vault {
        targets.push(Arc::new(Vault::new(inputs, env)));
    }
    Ok(targets)
}

/// What a broker needs of a provider of Google Cloud to write a credential file.
pub(crate) fn google_provider(inputs: &TargetInputs, env: &Env) -> Option<wif_core::exports::GoogleProvider> {
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
    exchanged.map_err(|error| error.explain(target, id_token))
}

impl From<SetupError> for TargetError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}
