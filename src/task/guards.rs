//! What must hold before any request is sent: the guards, and what the inputs may ask for together.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    agent::{
        connection::{Connection, Scheme},
        inputs::{Inputs, env_name},
    },
    env::Env,
    exports::{Family, Variable, expires_on},
    identity::resource::Resource,
};

/// A guard that does not hold, or inputs that contradict each other.
#[derive(Debug, thiserror::Error)]
pub(super) enum GuardError {
    #[error(
        "the connection's scheme is {scheme}, and the input requireFederation accepts WorkloadIdentityFederation only"
    )]
    Federation { scheme: Scheme },
    #[error("the connection's tenant {tenant} is not one of the input allowedTenants ({})", texts(allowed))]
    Tenant { tenant: Uuid, allowed: Vec<Uuid> },
    #[error(
        "the connection's subscription {subscription} is not one of the input allowedSubscriptions ({})",
        texts(allowed)
    )]
    Subscription { subscription: Uuid, allowed: Vec<Uuid> },
    #[error(
        "the connection has no subscription, and the input allowedSubscriptions names some ({})",
        texts(allowed)
    )]
    NoSubscription { allowed: Vec<Uuid> },
    #[error("the input exports has azure-cli, which refresh: false cannot serve")]
    AzureCliSnapshot,
    #[error("the input accessTokens has the variable {variable}, which the step sets itself")]
    Clash { variable: String },
    #[error("the input {input} is true, which this version does not serve yet")]
    NotYet { input: &'static str },
    #[error("the connection's scheme is {scheme}, which this version does not sign in with yet")]
    SchemeNotYet { scheme: Scheme },
}

/// A pipeline variable that opens what is built but does not serve every tool and scheme yet.
const PREVIEW: &str = "WIF_PREVIEW";

/// Checks the scheme, before the rest of the connection is read.
pub(super) fn scheme(inputs: &Inputs, scheme: Scheme) -> Result<(), GuardError> {
    match federated(scheme) {
        Err(_) if inputs.require_federation => Err(GuardError::Federation { scheme }),
        result => result,
    }
}

/// Only federated connections are signed in with, for now.
pub(super) fn federated(scheme: Scheme) -> Result<(), GuardError> {
    match scheme {
        Scheme::WorkloadIdentityFederation => Ok(()),
        Scheme::ServicePrincipal | Scheme::ManagedServiceIdentity => Err(GuardError::SchemeNotYet { scheme }),
    }
}

/// Checks tenant and subscription, and what this version can do.
pub(super) fn connection(inputs: &Inputs, connection: &Connection, env: &Env) -> Result<(), GuardError> {
    let Inputs { allowed_tenants, allowed_subscriptions, .. } = inputs;
    if !allowed_tenants.is_empty() && !allowed_tenants.contains(&connection.tenant) {
        return Err(GuardError::Tenant { tenant: connection.tenant, allowed: allowed_tenants.clone() });
    }
    match &connection.subscription {
        _ if allowed_subscriptions.is_empty() => {}
        None => return Err(GuardError::NoSubscription { allowed: allowed_subscriptions.clone() }),
        Some(subscription) if !allowed_subscriptions.contains(&subscription.id) => {
            let allowed = allowed_subscriptions.clone();
            return Err(GuardError::Subscription { subscription: subscription.id, allowed });
        }
        Some(_) => {}
    }
    if inputs.diagnose {
        return Err(GuardError::NotYet { input: "diagnose" });
    }
    if inputs.refresh && !env.is_true(PREVIEW) {
        return Err(GuardError::NotYet { input: "refresh" });
    }
    Ok(())
}

/// The families to export.
pub(super) fn families(inputs: &Inputs) -> Result<BTreeSet<Family>, GuardError> {
    if inputs.refresh {
        return Ok(inputs.exports.clone().unwrap_or_else(Family::of_session));
    }
    let families = inputs.exports.clone().unwrap_or_else(Family::of_snapshot);
    if families.contains(&Family::AzureCli) {
        return Err(GuardError::AzureCliSnapshot);
    }
    Ok(families)
}

/// No variable of `accessTokens` may have the name of another that the step sets, or of `PATH`.
pub(super) fn variables(tokens: &[(String, Resource)], exported: &[Variable]) -> Result<(), GuardError> {
    let mut taken: BTreeSet<_> = exported.iter().map(|variable| env_name(&variable.name)).collect();
    taken.insert("PATH".to_owned());
    for (variable, _) in tokens {
        for name in [variable.clone(), expires_on(variable)] {
            if !taken.insert(env_name(&name)) {
                return Err(GuardError::Clash { variable: name });
            }
        }
    }
    Ok(())
}

fn texts(ids: &[Uuid]) -> String {
    ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")
}
