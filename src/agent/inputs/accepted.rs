//! What an input may be, for its errors.

use wif_core::{azure::resource::ALIASES, exports::Family};

use super::declared::{self, Input};

/// What an input may be, for its errors.
pub(super) fn accepted(input: Input) -> String {
    let families = || {
        format!(
            "{}, or none alone",
            Family::named_in_exports().map(Family::as_str).collect::<Vec<_>>().join(", ")
        )
    };
    match input.name {
        name if name == declared::AZURE_SUBSCRIPTION.name => "an Azure Resource Manager service connection".to_owned(),
        name if name == declared::EXPORTS.name => families(),
        name if name == declared::ACCESS_TOKENS.name => {
            "lines VARIABLE=resource, each VARIABLE once and made of letters, digits, _ and ., not beginning with a digit or a dot"
                .to_owned()
        }
        name if name == declared::SESSION.name => {
            "letters, digits and _, beginning with a letter, at most 40, since it begins the names of variables".to_owned()
        }
        name if name == declared::ALLOWED_RESOURCES.name => {
            format!("{}, aws, google, vault, registries that the input registries names, or https:// resources", ALIASES.join(", "))
        }
        name if name == declared::ALLOWED_TENANTS.name || name == declared::ALLOWED_SUBSCRIPTIONS.name => {
            "ids (GUIDs), separated by commas or line ends".to_owned()
        }
        name if name == declared::ALLOWED_AUTHORITIES.name => {
            "hosts, each with or without a port (login.example or login.example:8443), separated by commas or line ends".to_owned()
        }
        name if name == declared::SCRIPT_TYPE.name => "bash, pscore, ps or batch".to_owned(),
        name if name == declared::SCRIPT_LOCATION.name => "inlineScript or scriptPath".to_owned(),
        name if name == declared::POWER_SHELL_ERROR_ACTION_PREFERENCE.name => {
            "stop, continue or silentlyContinue".to_owned()
        }
        name if name == declared::SCRIPT_PATH.name || name == declared::WORKING_DIRECTORY.name => "a path".to_owned(),
        name => accepted_of_target(name).unwrap_or("true or false").to_owned(),
    }
}

/// What an input may be that asks for another cloud.
fn accepted_of_target(name: &str) -> Option<&'static str> {
    let all = [
        (
            declared::AWS_ROLE,
            "the ARN of a role, such as arn:aws:iam::123456789012:role/deploy, with awsRegion beside it",
        ),
        (
            declared::AWS_REGION,
            "a region such as eu-central-1, of the partition of awsRole and always with awsRole",
        ),
        (declared::AWS_SESSION_DURATION, "whole seconds, 900 to 43200"),
        (
            declared::GOOGLE_PROVIDER,
            "the full name of a workload identity provider: projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
        ),
        (
            declared::GOOGLE_SERVICE_ACCOUNT,
            "the mail address of a service account, such as deploy@my-project.iam.gserviceaccount.com, with googleProvider beside it",
        ),
        (declared::GOOGLE_PROJECT, "the id of a project, with googleProvider beside it"),
        (
            declared::VAULT_ADDRESS,
            "an https:// address, or http:// on a loopback address, without a user, a query or a fragment",
        ),
        (
            declared::VAULT_ROLE,
            "the name of a role, of letters, digits and - _ . @, with vaultAddress beside it",
        ),
        (declared::VAULT_MOUNT, "the path of an auth method, such as jwt"),
        (declared::VAULT_NAMESPACE, "the path of a namespace, with vaultAddress beside it"),
        (
            declared::REGISTRIES,
            "login servers, separated by commas or line ends: NAME.azurecr.io, with googleProvider those of Google (REGION-docker.pkg.dev, gcr.io), with awsRole those of AWS (ACCOUNT.dkr.ecr.REGION.amazonaws.com), and hosts that allowedAuthorities names",
        ),
        (
            declared::FEEDS,
            "https:// URLs of feeds at pkgs.dev.azure.com, ORGANIZATION.pkgs.visualstudio.com or a host that allowedAuthorities names, one a line, with artifacts among the exports",
        ),
        (
            declared::ASSERTION,
            "connection, or the URI or GUID of an application in Entra (api://my-app), with awsRole, googleProvider or vaultAddress beside it",
        ),
    ];
    all.into_iter().find(|(input, _)| input.name == name).map(|(_, accepted)| accepted)
}
