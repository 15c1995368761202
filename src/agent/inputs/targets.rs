//! The inputs that ask for other clouds, and what `allowedResources` says of these.

use std::collections::BTreeSet;

use uuid::Uuid;
use wif_core::{
    azure::{allowed::Allowed, hosts::AllowedHosts},
    exports::Family,
};
use wif_io::env::Env;

use super::{
    declared::{self, Input},
    error::InputError,
    values::{list, refuse, text},
};
use crate::{
    agent::target_inputs::{self, AwsInputs, GoogleInputs, TargetInputs, VaultInputs},
    aws::partition,
};

/// The resources of `allowedResources`, and the other clouds and registries.
pub(super) fn without_targets(
    entries: Allowed<String>,
    allowed: &AllowedHosts,
) -> (Allowed<String>, BTreeSet<String>) {
    let Allowed::Only(entries) = entries else { return (Allowed::Any, BTreeSet::new()) };
    let mut targets = BTreeSet::new();
    let mut is_resource = |entry: &String| {
        let clouds = [Family::Aws, Family::Google, Family::Vault].map(Family::as_str);
        let cloud = clouds.into_iter().find(|name| name.eq_ignore_ascii_case(entry)).map(str::to_owned);
        let target = cloud.or_else(|| {
            Some(target_inputs::registry(entry, allowed).filter(|_| !entry.contains("://"))?.server)
        });
        let is_resource = target.is_none();
        targets.extend(target);
        is_resource
    };
    let resources = entries.into_iter().filter(|entry| is_resource(entry)).collect();
    (Allowed::Only(resources), targets)
}

/// The inputs that ask for other clouds. One that says more of a cloud which is not asked for was meant for something.
pub(super) fn targets(env: &Env, allowed: &AllowedHosts) -> Result<TargetInputs, InputError> {
    let given = |input: Input| text(env, input).map(|text| (!text.is_empty()).then_some(text));
    let checked = |input: Input, is_valid: fn(&str) -> bool| match given(input)? {
        Some(text) if !is_valid(text) => Err(refuse(input, text)),
        text => Ok(text.map(str::to_owned)),
    };
    let parsed = |input: Input, parse: fn(&str) -> Option<String>| {
        given(input)?.map(|text| parse(text).ok_or_else(|| refuse(input, text))).transpose()
    };
    let missing = |input: Input| Err(refuse(input, ""));
    let role = checked(declared::AWS_ROLE, target_inputs::is_role)?;
    let region = checked(declared::AWS_REGION, target_inputs::is_region)?;
    let duration = text(env, declared::AWS_SESSION_DURATION)?;
    // What is said of a role that is not asked for was meant for something.
    if role.is_none() && !["", declared::AWS_SESSION_DURATION.default].contains(&duration) {
        return missing(declared::AWS_ROLE);
    }
    let duration = duration.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
    let aws = match (role, region) {
        (Some(role), Some(region)) => {
            // A role is assumed in its own partition.
            if role.split(':').nth(1) != Some(partition(&region).name) {
                return Err(refuse(declared::AWS_REGION, &region));
            }
            let refused = || {
                refuse(
                    declared::AWS_SESSION_DURATION,
                    text(env, declared::AWS_SESSION_DURATION).unwrap_or_default(),
                )
            };
            Some(AwsInputs { role, region, duration: duration.ok_or_else(refused)? })
        }
        (Some(_), None) => return missing(declared::AWS_REGION),
        (None, Some(_)) => return missing(declared::AWS_ROLE),
        (None, None) => None,
    };
    let provider = parsed(declared::GOOGLE_PROVIDER, target_inputs::provider)?;
    let service_account = checked(declared::GOOGLE_SERVICE_ACCOUNT, target_inputs::is_service_account)?;
    let project = checked(declared::GOOGLE_PROJECT, target_inputs::is_project)?;
    let google = match provider {
        Some(provider) => Some(GoogleInputs { provider, service_account, project }),
        None if service_account.is_some() || project.is_some() => return missing(declared::GOOGLE_PROVIDER),
        None => None,
    };
    let address = parsed(declared::VAULT_ADDRESS, target_inputs::address)?;
    let role = checked(declared::VAULT_ROLE, target_inputs::is_vault_role)?;
    let mount = checked(declared::VAULT_MOUNT, target_inputs::is_path)?;
    let namespace = checked(declared::VAULT_NAMESPACE, target_inputs::is_path)?;
    let vault = match address {
        Some(address) => {
            let mount = mount.ok_or_else(|| refuse(declared::VAULT_MOUNT, ""))?;
            Some(VaultInputs { address, role, mount, namespace })
        }
        None if role.is_some()
            || namespace.is_some()
            || mount.is_some_and(|mount| mount != declared::VAULT_MOUNT.default) =>
        {
            return missing(declared::VAULT_ADDRESS);
        }
        None => None,
    };
    let mut registries = Vec::new();
    for entry in list(text(env, declared::REGISTRIES)?) {
        let registry = target_inputs::registry(entry, allowed).filter(|registry| match registry.cloud {
            Family::Google => google.is_some(),
            Family::Aws => aws.is_some(),
            _ => true,
        });
        let registry = registry.ok_or_else(|| refuse(declared::REGISTRIES, entry))?;
        if !registries.contains(&registry) {
            registries.push(registry);
        }
    }
    let feeds =
        text(env, declared::FEEDS)?.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let feeds =
        feeds.map(|line| target_inputs::feed(line, allowed).ok_or_else(|| refuse(declared::FEEDS, line)));
    let feeds = feeds.collect::<Result<_, _>>()?;
    let assertion = given(declared::ASSERTION)?.filter(|text| !text.eq_ignore_ascii_case("connection"));
    if let Some(application) = assertion {
        let is_application = application.contains(':') || Uuid::try_parse(application).is_ok();
        if !is_application || (aws.is_none() && google.is_none() && vault.is_none()) {
            return Err(refuse(declared::ASSERTION, application));
        }
    }
    let assertion = assertion.map(str::to_owned);
    Ok(TargetInputs { aws, google, vault, registries, feeds, assertion })
}
