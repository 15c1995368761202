//! What must hold before any request is sent: the guards, and what the inputs may ask for together.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    agent::{
        connection::{Connection, Scheme},
        inputs::{Inputs, env_name},
    },
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
    #[error("the input exports has token-file, and a connection with the scheme {scheme} has no id token")]
    NoIdToken { scheme: Scheme },
    #[error(
        "the input exports {}, which refresh: false cannot serve: a connection with the scheme {scheme} has no id token to leave",
        said(families.as_ref())
    )]
    NoSnapshot { scheme: Scheme, families: Option<BTreeSet<Family>> },
}

/// Checks the scheme, before the rest of the connection is read.
pub(super) fn scheme(inputs: &Inputs, scheme: Scheme) -> Result<(), GuardError> {
    if inputs.require_federation && scheme != Scheme::WorkloadIdentityFederation {
        return Err(GuardError::Federation { scheme });
    }
    Ok(())
}

/// Checks tenant and subscription, and what the inputs ask of the connection.
pub(super) fn connection(inputs: &Inputs, connection: &Connection) -> Result<(), GuardError> {
    place(inputs, connection)?;
    id_token(inputs, connection.scheme)
}

/// Checks tenant and subscription.
pub(super) fn place(inputs: &Inputs, connection: &Connection) -> Result<(), GuardError> {
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
    Ok(())
}

/// Only a federated connection has an id token, and all that is left without a broker is made of it.
fn id_token(inputs: &Inputs, scheme: Scheme) -> Result<(), GuardError> {
    let families = inputs.exports.as_ref();
    let all_but_none = families.is_none_or(|families| !families.is_empty());
    if scheme == Scheme::WorkloadIdentityFederation {
        return Ok(());
    }
    if families.is_some_and(|families| families.contains(&Family::TokenFile)) {
        return Err(GuardError::NoIdToken { scheme });
    }
    if !inputs.refresh && all_but_none {
        return Err(GuardError::NoSnapshot { scheme, families: inputs.exports.clone() });
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

/// Whether a family is exported whose tools ask for the id token itself.
pub(super) fn needs_id_token(inputs: &Inputs) -> bool {
    let needs = |family: &Family| matches!(family, Family::Terraform | Family::TokenFile);
    families(inputs).is_ok_and(|families| families.iter().any(needs))
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

fn said(families: Option<&BTreeSet<Family>>) -> String {
    let names = |families: &BTreeSet<Family>| {
        families.iter().map(|family| family.as_str()).collect::<Vec<_>>().join(", ")
    };
    match families {
        Some(families) => format!("has {}", names(families)),
        None => format!("is empty, which stands for {}", names(&Family::of_snapshot())),
    }
}

fn texts(ids: &[Uuid]) -> String {
    ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")
}
