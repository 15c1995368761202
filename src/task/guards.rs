//! What must hold before any request is sent: the guards, and what the inputs may ask for together.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    agent::{
        connection::{Connection, Scheme},
        inputs::{Inputs, env_name},
    },
    exports::{Family, Variable, expires_on},
    identity::{allowed::Allowed, hosts::AllowedHosts, resource::Resource},
};

/// A guard that does not hold, or inputs that contradict each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    #[error(
        "the connection's scheme is {scheme}, and the input requireFederation accepts WorkloadIdentityFederation only"
    )]
    Federation { scheme: Scheme },
    #[error("the connection's tenant {tenant} is not one of the input allowedTenants ({})", texts(allowed))]
    Tenant { tenant: Uuid, allowed: Allowed<Uuid> },
    #[error(
        "the connection's subscription {subscription} is not one of the input allowedSubscriptions ({})",
        texts(allowed)
    )]
    Subscription { subscription: Uuid, allowed: Allowed<Uuid> },
    #[error(
        "the connection has no subscription, and the input allowedSubscriptions names some ({})",
        texts(allowed)
    )]
    NoSubscription { allowed: Allowed<Uuid> },
    #[error(
        "the connection's authority {host} is not a host of a known cloud, and not one of the input allowedAuthorities"
    )]
    Authority { host: String },
    #[error(
        "the input allowedResources limits what the session may ask for, and the input exports has token-file: with the id token in that file, access tokens for every resource could be had"
    )]
    TokenFileUnlimited,
    #[error(
        "the input allowedResources is set, and refresh: false leaves an id token in a file, with which access tokens for every resource could be had"
    )]
    SnapshotUnlimited,
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

/// Checks tenant, subscription and authority.
pub(super) fn place(inputs: &Inputs, connection: &Connection) -> Result<(), GuardError> {
    let Inputs { allowed_tenants, allowed_subscriptions, allowed_authorities, .. } = inputs;
    if !allowed_tenants.allows(|tenant| *tenant == connection.tenant) {
        return Err(GuardError::Tenant { tenant: connection.tenant, allowed: allowed_tenants.clone() });
    }
    let allowed = || allowed_subscriptions.clone();
    match &connection.subscription {
        None if allowed_subscriptions.is_set() => {
            return Err(GuardError::NoSubscription { allowed: allowed() });
        }
        Some(subscription) if !allowed_subscriptions.allows(|id| *id == subscription.id) => {
            return Err(GuardError::Subscription { subscription: subscription.id, allowed: allowed() });
        }
        _ => {}
    }
    authority(connection, allowed_authorities)
}

/// Checks that a credential may be sent to the connection's authority.
pub(crate) fn authority(connection: &Connection, allowed: &AllowedHosts) -> Result<(), GuardError> {
    match connection.foreign_authority(allowed) {
        Some(host) => Err(GuardError::Authority { host }),
        None => Ok(()),
    }
}

/// Only a federated connection has an id token, and all that is left without a broker is made of it; where resources are
/// limited, it may not leave.
pub(super) fn id_token(inputs: &Inputs, scheme: Scheme) -> Result<(), GuardError> {
    let families = inputs.exports.as_ref();
    let all_but_none = families.is_none_or(|families| !families.is_empty());
    let has_token_file = families.is_some_and(|families| families.contains(&Family::TokenFile));
    if inputs.limits_resources() && has_token_file {
        return Err(GuardError::TokenFileUnlimited);
    }
    if inputs.limits_resources() && !inputs.refresh && all_but_none {
        return Err(GuardError::SnapshotUnlimited);
    }
    if scheme == Scheme::WorkloadIdentityFederation {
        return Ok(());
    }
    if has_token_file {
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

/// Whether later steps may have the id token: it opens every resource, and so never where resources are limited.
pub(super) const fn gives_id_token(inputs: &Inputs, scheme: Scheme) -> bool {
    matches!(scheme, Scheme::WorkloadIdentityFederation) && !inputs.limits_resources()
}

/// No variable of `accessTokens` may have the name of another that the step sets.
pub(super) fn variables(tokens: &[(String, Resource)], exported: &[Variable]) -> Result<(), GuardError> {
    let mut taken: BTreeSet<_> = exported.iter().map(|variable| env_name(&variable.name)).collect();
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

fn texts(allowed: &Allowed<Uuid>) -> String {
    match allowed {
        Allowed::Any => String::new(),
        Allowed::Only(ids) => ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", "),
    }
}
