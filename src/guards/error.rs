//! A guard that does not hold, and what to do then.

use std::collections::BTreeSet;

use uuid::Uuid;
use wif_core::{azure::allowed::Allowed, code::Code, exports::Family, failure::Failure};

use crate::agent::connection::Scheme;

/// A guard that does not hold, or inputs that contradict each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    #[error(
        "the connection's scheme is {scheme}, and the input requireFederation accepts WorkloadIdentityFederation only"
    )]
    Federation { scheme: Scheme },
    #[error(
        "the connection's tenant {tenant} is not one of the input allowedTenants ({})",
        join_ids(allowed)
    )]
    Tenant { tenant: Uuid, allowed: Allowed<Uuid> },
    #[error(
        "the connection's subscription {subscription} is not one of the input allowedSubscriptions ({})",
        join_ids(allowed)
    )]
    Subscription { subscription: Uuid, allowed: Allowed<Uuid> },
    #[error(
        "the connection has no subscription, and the input allowedSubscriptions names some ({})",
        join_ids(allowed)
    )]
    NoSubscription { allowed: Allowed<Uuid> },
    #[error(
        "the connection's authority {host} is not a host of a known cloud, and not one of the input allowedAuthorities"
    )]
    Authority { host: String },
    #[error(
        "the input allowedResources limits what the session may ask for, and the input exports has {}: with the id token in that file, access tokens for every resource could be had",
        family.as_str()
    )]
    IdTokenUnlimited { family: Family },
    #[error(
        "the input allowedResources is set, and refresh: false leaves an id token in a file, with which access tokens for every resource could be had"
    )]
    SnapshotUnlimited,
    #[error(
        "the input allowedResources is set, and addSpnToEnvironment: true gives the script an id token, with which access tokens for every resource could be had"
    )]
    IdentityUnlimited,
    #[error("the input exports has {}, which refresh: false cannot serve", family.as_str())]
    NeedsBroker { family: Family },
    #[error(
        "the input {input} is given, and refresh: false leaves no broker that keeps its credentials fresh"
    )]
    TargetNeedsBroker { input: &'static str },
    #[error("the input {input} is given, and a connection with the scheme {scheme} has no id token")]
    TargetNeedsIdToken { input: &'static str, scheme: Scheme },
    #[error("the input {input} is given, and the input allowedResources leaves out {name}")]
    TargetNotAllowed { input: &'static str, name: String },
    #[error(
        "the input allowedResources limits what the session may ask for, and Vault at {host} gets the connection's id token, with which access tokens for every resource could be had: the host is not one of the input allowedAuthorities"
    )]
    VaultNotAllowed { host: String },
    #[error("the input accessTokens has the variable {variable}, which the step sets itself")]
    Clash { variable: String },
    #[error("the input exports has {}, and a connection with the scheme {scheme} has no id token", family.as_str())]
    NoIdToken { family: Family, scheme: Scheme },
    #[error(
        "the input exports {}, which refresh: false cannot serve: a connection with the scheme {scheme} has no id token to leave",
        describe_families(families.as_ref())
    )]
    NoSnapshot { scheme: Scheme, families: Option<BTreeSet<Family>> },
}

fn describe_families(families: Option<&BTreeSet<Family>>) -> String {
    let names = |families: &BTreeSet<Family>| {
        families.iter().map(|family| family.as_str()).collect::<Vec<_>>().join(", ")
    };
    match families {
        Some(families) => format!("has {}", names(families)),
        None => format!("is empty, which stands for {}", names(&Family::of_snapshot())),
    }
}

fn join_ids(allowed: &Allowed<Uuid>) -> String {
    match allowed {
        Allowed::Any => String::new(),
        Allowed::Only(ids) => ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", "),
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        let leave_out = |family: &Family| format!("take {} out of exports", family.as_str());
        let (code, hint) = match &error {
            GuardError::Federation { .. } => (
                Code::FederationRequired,
                "convert the connection to workload identity federation (Convert, on the connection's page)",
            ),
            GuardError::Tenant { .. } => {
                (Code::TenantNotAllowed, "use a connection of an allowed tenant, or allow this one")
            }
            GuardError::Subscription { .. } | GuardError::NoSubscription { .. } => (
                Code::SubscriptionNotAllowed,
                "use a connection of an allowed subscription, or allow this one",
            ),
            GuardError::Authority { .. } => (
                Code::AuthorityNotAllowed,
                "if you know this host, name it in the input allowedAuthorities; if it was not configured by your team, look for a step or a person that changed the connection",
            ),
            GuardError::VaultNotAllowed { .. } => (
                Code::AuthorityNotAllowed,
                "name the host in the input allowedAuthorities, or give Vault an access token for an application of yours (the input assertion)",
            ),
            GuardError::IdentityUnlimited => (
                Code::InputsContradict,
                "set addSpnToEnvironment: false (the script finds AZURE_CLIENT_ID and AZURE_TENANT_ID), or leave allowedResources empty",
            ),
            GuardError::IdTokenUnlimited { family } => {
                let instead = family.instead().map(|instead| format!("; {instead}")).unwrap_or_default();
                let hint = format!("{}, or leave allowedResources empty{instead}", leave_out(family));
                return Self::new(Code::InputsContradict, error, hint);
            }
            GuardError::SnapshotUnlimited => (
                Code::InputsContradict,
                "set refresh: true, or exports: none, or leave allowedResources empty",
            ),
            GuardError::NeedsBroker { family } => {
                let why = family.why_no_snapshot().map(|why| format!("; {why}")).unwrap_or_default();
                let hint = format!("{}, or set refresh: true{why}", leave_out(family));
                return Self::new(Code::InputsContradict, error, hint);
            }
            GuardError::TargetNeedsBroker { .. } => {
                (Code::InputsContradict, "set refresh: true, or leave the input empty")
            }
            GuardError::TargetNeedsIdToken { .. } => (
                Code::InputsContradict,
                "convert the connection to workload identity federation, or leave the input empty",
            ),
            GuardError::TargetNotAllowed { .. } => {
                (Code::InputsContradict, "add the name to allowedResources, or leave the input empty")
            }
            GuardError::Clash { .. } => (Code::InputsContradict, "give the variable another name"),
            GuardError::NoIdToken { family, .. } => {
                let hint = format!(
                    "{}, or convert the connection to workload identity federation",
                    leave_out(family)
                );
                return Self::new(Code::InputsContradict, error, hint);
            }
            GuardError::NoSnapshot { .. } => (
                Code::InputsContradict,
                "set exports: none (accessTokens work), or refresh: true, or convert the connection to workload identity federation",
            ),
        };
        Self::new(code, error, hint)
    }
}
