//! What must hold before any request is sent: the guards, and what the inputs may ask for together.

mod error;

use std::collections::BTreeSet;

use url::Url;
use wif_core::{
    azure::{
        hosts::{AllowedHosts, HTTPS},
        resource::Resource,
    },
    exports::{Family, Need, Variable, expires_on},
    foreign_text::one_line,
};

use self::error::GuardError;
use crate::agent::{
    connection::{Connection, Scheme},
    inputs::{Inputs, env_name},
    script_inputs::Script,
};

/// The longest host that an error shows, in characters.
const MAX_HOST: usize = 100;

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
    if !allowed_tenants.allows(|tenant| *tenant == connection.identity.tenant) {
        return Err(GuardError::Tenant {
            tenant: connection.identity.tenant,
            allowed: allowed_tenants.clone(),
        });
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
    let families = asked_or_default(inputs);
    let all_but_none = !families.is_empty();
    let gives_it = families.iter().copied().find(|family| family.needs(Need::IdToken));
    if let Some(family) = gives_it.filter(|_| inputs.limits_resources()) {
        return Err(GuardError::IdTokenUnlimited { family });
    }
    if inputs.limits_resources() && !inputs.refresh && all_but_none {
        return Err(GuardError::SnapshotUnlimited);
    }
    if scheme == Scheme::WorkloadIdentityFederation {
        return Ok(());
    }
    if let Some(family) = gives_it {
        return Err(GuardError::NoIdToken { family, scheme });
    }
    if !inputs.refresh && all_but_none {
        return Err(GuardError::NoSnapshot { scheme, families: inputs.exports.clone() });
    }
    Ok(())
}

/// A script may not have the id token where resources are limited.
pub(super) fn script(inputs: &Inputs, script: Option<&Script>, scheme: Scheme) -> Result<(), GuardError> {
    let wants_id_token =
        scheme == Scheme::WorkloadIdentityFederation && script.is_some_and(|script| script.wants_identity);
    if wants_id_token && inputs.limits_resources() {
        return Err(GuardError::IdentityUnlimited);
    }
    Ok(())
}

/// The families that the input names, or those that it stands for when it is empty.
fn asked_or_default(inputs: &Inputs) -> BTreeSet<Family> {
    let default = if inputs.refresh { Family::of_session } else { Family::of_snapshot };
    inputs.exports.clone().unwrap_or_else(default)
}

/// The families to export.
pub(super) fn families(inputs: &Inputs) -> Result<BTreeSet<Family>, GuardError> {
    let families = asked_or_default(inputs);
    if inputs.refresh {
        return Ok(families);
    }
    match families.iter().find(|family| !family.has_snapshot()) {
        Some(family) => Err(GuardError::NeedsBroker { family: *family }),
        None => Ok(families),
    }
}

/// Other clouds take the id token of a federated connection, and what they give has to be renewed.
pub(super) fn targets(inputs: &Inputs, scheme: Scheme) -> Result<(), GuardError> {
    for family in inputs.targets.families() {
        let (input, name) = (family.asked_by().unwrap_or_default(), family.as_str());
        let registries = inputs.targets.registries.iter().map(|registry| registry.server.as_str());
        let names: Vec<_> = if family == Family::Docker { registries.collect() } else { vec![name] };
        if let Some(name) = names.into_iter().find(|name| !inputs.allows_target(name)) {
            return Err(GuardError::TargetNotAllowed { input, name: name.to_owned() });
        }
        if !inputs.refresh {
            return Err(GuardError::TargetNeedsBroker { input });
        }
        // A registry of Azure's takes an access token.
        if scheme != Scheme::WorkloadIdentityFederation && family != Family::Docker {
            return Err(GuardError::TargetNeedsIdToken { input, scheme });
        }
    }
    vault(inputs)
}

/// Vault's host is the pipeline's to say, and gets the id token. Where resources are limited, it has to be known.
fn vault(inputs: &Inputs) -> Result<(), GuardError> {
    // An access token for another application opens that one alone.
    let gets_id_token = inputs.targets.vault.as_ref().filter(|_| inputs.targets.assertion.is_none());
    let url = gets_id_token.and_then(|vault| Url::parse(&vault.address).ok());
    let Some(url) = url.filter(|_| inputs.limits_resources()) else { return Ok(()) };
    let host = url.host_str().unwrap_or_default();
    let is_known = inputs.allowed_authorities.names(host, url.port_or_known_default().unwrap_or(HTTPS));
    if is_known { Ok(()) } else { Err(GuardError::VaultNotAllowed { host: one_line(host, MAX_HOST) }) }
}

/// Azure Repos and Azure Artifacts take access tokens of one resource.
pub(super) fn devops(families: &BTreeSet<Family>, is_allowed: bool) -> Result<(), GuardError> {
    let asked = [Family::Git, Family::Artifacts].into_iter().any(|family| families.contains(&family));
    if asked && !is_allowed {
        return Err(GuardError::TargetNotAllowed { input: "exports", name: "devops".to_owned() });
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wif_core::exports::Value;
    use wif_io::env::Env;

    use super::*;

    const ID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    const TENANT: &str = "11111111-1111-1111-1111-111111111111";
    const SUBSCRIPTION: &str = "22222222-2222-2222-2222-222222222222";
    const OTHER: &str = "33333333-3333-3333-3333-333333333333";
    const SCHEMES: [Scheme; 3] =
        [Scheme::WorkloadIdentityFederation, Scheme::ServicePrincipal, Scheme::ManagedServiceIdentity];

    fn env(usual: &[(&str, &str)], changes: &[(&str, &str)]) -> Env {
        let all = usual.iter().chain(changes);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn inputs(given: &[(&str, &str)]) -> Inputs {
        Inputs::read(&env(&[("INPUT_AZURESUBSCRIPTION", ID)], given)).unwrap()
    }

    fn connection(changes: &[(&str, &str)]) -> Connection {
        let usual = [
            ("URL", "https://management.azure.com/"),
            ("AUTH_SCHEME", "WorkloadIdentityFederation"),
            ("AUTH_PARAMETER_ID_TENANTID", TENANT),
            ("AUTH_PARAMETER_ID_SERVICEPRINCIPALID", OTHER),
        ];
        let named = usual.iter().chain(changes).map(|(name, value)| {
            let name = if name.contains("_ID_") {
                name.replace("_ID_", &format!("_{ID}_"))
            } else {
                format!("{name}_{ID}")
            };
            (format!("ENDPOINT_{name}"), (*value).to_owned())
        });
        Connection::read(&named.collect(), Uuid::try_parse(ID).unwrap()).unwrap()
    }

    #[test]
    fn where_federation_is_required_no_other_scheme_is_accepted() {
        for one in SCHEMES {
            let required = scheme(&inputs(&[("INPUT_REQUIREFEDERATION", "true")]), one);
            assert_eq!(required.is_ok(), one == Scheme::WorkloadIdentityFederation, "{one}");
            assert!(scheme(&inputs(&[("INPUT_REQUIREFEDERATION", "false")]), one).is_ok(), "{one}");
        }
    }

    #[test]
    fn a_tenant_a_subscription_or_an_authority_that_no_guard_names_is_refused() {
        let in_subscription = connection(&[("DATA_ID_SUBSCRIPTIONID", SUBSCRIPTION)]);
        let without = connection(&[]);
        let check = |guards: &[(&str, &str)], connection| {
            place(&inputs(guards), connection).map_err(|error| error.to_string())
        };
        let both = format!("{OTHER}, {TENANT}, {SUBSCRIPTION}");
        for accepted in [
            &[][..],
            &[("INPUT_ALLOWEDTENANTS", TENANT)],
            &[("INPUT_ALLOWEDTENANTS", &both), ("INPUT_ALLOWEDSUBSCRIPTIONS", &both)],
        ] {
            assert_eq!(check(accepted, &in_subscription), Ok(()), "{accepted:?}");
        }
        assert_eq!(check(&[("INPUT_ALLOWEDTENANTS", &both)], &without), Ok(()));
        for (guard, connection, refused, words) in [
            (("INPUT_ALLOWEDTENANTS", OTHER), &in_subscription, TENANT, "allowedTenants"),
            (("INPUT_ALLOWEDSUBSCRIPTIONS", OTHER), &in_subscription, SUBSCRIPTION, "allowedSubscriptions"),
            (("INPUT_ALLOWEDSUBSCRIPTIONS", OTHER), &without, "no subscription", "allowedSubscriptions"),
        ] {
            let error = check(&[guard], connection).unwrap_err();
            assert!(error.contains(refused) && error.contains(words) && error.contains(OTHER), "{error}");
        }
        let elsewhere = connection(&[("DATA_ID_ACTIVEDIRECTORYAUTHORITY", "https://login.example/")]);
        let error = check(&[], &elsewhere).unwrap_err();
        assert!(error.contains("login.example") && error.contains("allowedAuthorities"), "{error}");
        assert_eq!(check(&[("INPUT_ALLOWEDAUTHORITIES", "login.example")], &elsewhere), Ok(()));
    }

    /// What leaves an id token behind: the family that is one, and whatever is exported without a broker.
    fn leaves_id_token(exports: &str, refresh: &str) -> bool {
        exports.contains("token-file") || (refresh == "false" && exports != "none")
    }

    #[test]
    fn an_id_token_is_left_only_where_there_is_one_and_nothing_limits_it() {
        for exports in ["", "none", "azure-sdk", "token-file", "terraform, token-file"] {
            for refresh in ["true", "false"] {
                for (limit, one) in ["", "arm"].into_iter().flat_map(|limit| SCHEMES.map(|one| (limit, one)))
                {
                    let inputs = inputs(&[
                        ("INPUT_EXPORTS", exports),
                        ("INPUT_REFRESH", refresh),
                        ("INPUT_ALLOWEDRESOURCES", limit),
                    ]);
                    let row =
                        format!("exports: {exports}, refresh: {refresh}, allowedResources: {limit}, {one}");
                    let federated = one == Scheme::WorkloadIdentityFederation;
                    let refused = id_token(&inputs, one).err();
                    let names_file = exports.contains("token-file");
                    let expected = match &refused {
                        None => !leaves_id_token(exports, refresh) || (limit.is_empty() && federated),
                        Some(GuardError::IdTokenUnlimited { .. }) => !limit.is_empty() && names_file,
                        Some(GuardError::SnapshotUnlimited) => {
                            !limit.is_empty() && !names_file && refresh == "false" && exports != "none"
                        }
                        Some(GuardError::NoIdToken { .. }) => !federated && names_file,
                        Some(GuardError::NoSnapshot { .. }) => {
                            !federated && !names_file && refresh == "false" && exports != "none"
                        }
                        Some(_) => false,
                    };
                    assert!(expected, "{row}: {refused:?}");
                    assert_eq!(gives_id_token(&inputs, one), federated && limit.is_empty(), "{row}");
                }
            }
        }
    }

    #[test]
    fn what_refresh_false_cannot_serve_is_named() {
        for (exports, words) in
            [("azure-sdk", "has azure-sdk"), ("", "is empty, which stands for terraform, azure-sdk")]
        {
            let inputs = inputs(&[("INPUT_EXPORTS", exports), ("INPUT_REFRESH", "false")]);
            let error = id_token(&inputs, Scheme::ServicePrincipal).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_families_are_those_that_were_asked_for_or_the_default_that_can_be_served() {
        let families =
            |exports, refresh| families(&inputs(&[("INPUT_EXPORTS", exports), ("INPUT_REFRESH", refresh)]));
        let asked = BTreeSet::from([Family::AzureSdk, Family::TokenFile]);
        for refresh in ["true", "false"] {
            assert_eq!(families("azure-sdk, token-file", refresh).unwrap(), asked);
            assert_eq!(families("none", refresh).unwrap(), BTreeSet::new());
        }
        assert_eq!(
            families("", "true").unwrap(),
            BTreeSet::from([Family::Terraform, Family::AzureSdk, Family::AzureCli])
        );
        assert_eq!(families("", "false").unwrap(), BTreeSet::from([Family::Terraform, Family::AzureSdk]));
        assert!(families("azure-cli", "true").is_ok());
        assert!(matches!(families("azure-cli", "false"), Err(GuardError::NeedsBroker { .. })));
    }

    #[test]
    fn no_token_gets_a_name_that_the_step_sets_itself_however_it_is_written() {
        let audiences = connection(&[]).identity.audiences;
        let exported = [Variable { name: "ARM_TENANT_ID".to_owned(), value: Value::Plain(String::new()) }];
        let check = |names: &[&str]| {
            let arm = audiences.resource_manager();
            let tokens: Vec<_> = names.iter().map(|name| ((*name).to_owned(), arm.clone())).collect();
            variables(&tokens, &exported).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["ARM_TOKEN", "VAULT_TOKEN"]), Ok(()));
        for (names, clash) in [
            (&["arm.tenant.id"][..], "arm.tenant.id"),
            (&["TOKEN", "token"], "token"),
            (&["TOKEN", "TOKEN_EXPIRES_ON"], "TOKEN_EXPIRES_ON"),
            (&["TOKEN_EXPIRES_ON", "TOKEN"], "TOKEN_EXPIRES_ON"),
        ] {
            let error = check(names).unwrap_err();
            assert!(error.contains(clash), "{error}");
        }
    }
}
