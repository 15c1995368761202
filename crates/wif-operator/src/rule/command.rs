//! The next command, with everything filled in: names from outside are quoted for a POSIX shell.

use uuid::Uuid;
use wif_core::azure::{cloud::Cloud, resource::DEVOPS_APPLICATION};

use super::Entry;
use crate::snapshot::identity::{FederatedCredential, Identity};

/// A word of a command, as a POSIX shell reads it back.
#[must_use]
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A command of this program for one connection: `wif convert plan --organization contoso --connection ID`.
#[must_use]
pub fn wif(verb: &str, cloud: Cloud, entry: Entry<'_>) -> String {
    let organization = in_organization(&entry.organization.name, cloud);
    format!("wif {verb} {organization} --connection {}", entry.connection.id)
}

/// The arguments that lead a command of this program to an organization, and to the cloud that it was audited in.
#[must_use]
pub fn in_organization(name: &str, cloud: Cloud) -> String {
    let cloud = match cloud {
        Cloud::Public => "",
        Cloud::UsGovernment => " --cloud usgovernment",
        Cloud::China => " --cloud china",
    };
    format!("--organization {}{cloud}", quote(name))
}

/// The command that makes a connection as a request file asks for it, or gives one that is there what it asks for.
#[must_use]
pub fn by_request(cloud: Cloud, entry: Entry<'_>) -> String {
    format!("wif connection plan request.yaml {}", in_organization(&entry.organization.name, cloud))
}

/// The page of a connection in the project that owns it.
#[must_use]
pub fn page(entry: Entry<'_>) -> String {
    let organization = &entry.organization.name;
    match entry.connection.owner() {
        Some(project) => page_in(organization, project.id, entry.connection.id),
        None => format!("https://dev.azure.com/{}", encode(organization)),
    }
}

/// The page of a connection in a project of an organization.
#[must_use]
pub fn page_in(organization: &str, project: Uuid, connection: Uuid) -> String {
    let organization = encode(organization);
    format!("https://dev.azure.com/{organization}/{project}/_settings/adminservices?resourceId={connection}")
}

/// A command of `az devops service-endpoint` for one connection.
#[must_use]
pub fn endpoint(verb: &str, entry: Entry<'_>, more: &str) -> String {
    let project = entry.connection.owner().map(|project| quote(&project.name)).unwrap_or_default();
    let organization = format!("https://dev.azure.com/{}", encode(&entry.organization.name));
    format!(
        "az devops service-endpoint {verb} --id {} --organization {organization} --project {project}{more}",
        entry.connection.id
    )
}

/// The command that takes a pipeline's authorization back.
#[must_use]
pub fn unauthorize(entry: Entry<'_>, project: Uuid, pipelines: &[u64]) -> String {
    let organization = encode(&entry.organization.name);
    let id = entry.connection.id;
    let pipelines: Vec<_> =
        pipelines.iter().map(|id| format!("{{\"id\":{id},\"authorized\":false}}")).collect();
    let pipelines = pipelines.join(",");
    format!(
        "az rest --method patch --resource {DEVOPS_APPLICATION} --url 'https://dev.azure.com/{organization}/{project}/_apis/pipelines/pipelinePermissions/endpoint/{id}?api-version=7.1-preview.1' --body '{{\"pipelines\":[{pipelines}]}}'"
    )
}

/// The command that shows, makes, changes or deletes federated credentials of an application or managed identity.
#[must_use]
pub fn federated_credential(verb: &str, identity: &Identity, name: Option<&str>) -> String {
    if let Some((subscription, group, identity)) = identity.resource.as_deref().and_then(of_resource) {
        let name = name.map(|name| format!(" --name {}", quote(name))).unwrap_or_default();
        return format!(
            "az identity federated-credential {verb}{name} --identity-name {} --resource-group {} --subscription {}",
            quote(identity),
            quote(group),
            quote(subscription)
        );
    }
    let name = match (name, verb) {
        (Some(name), "delete" | "update" | "show") => format!(" --federated-credential-id {}", quote(name)),
        _ => String::new(),
    };
    format!("az ad app federated-credential {verb} --id {}{name}", identity.client)
}

/// The command that makes or changes a federated credential so that it trusts an issuer and a subject.
#[must_use]
pub fn trust(
    cloud: Cloud,
    identity: &Identity,
    nearest: Option<&FederatedCredential>,
    (issuer, subject): (&str, &str),
) -> String {
    let audience = cloud.token_exchange_audience();
    let verb = if nearest.is_some() { "update" } else { "create" };
    let name = nearest.map_or("azure-devops", |credential| credential.name.as_str());
    let command = federated_credential(verb, identity, Some(name));
    if identity.resource.is_some() {
        let (issuer, subject) = (quote(issuer), quote(subject));
        return format!("{command} --issuer {issuer} --subject {subject} --audiences {audience}");
    }
    let parameters =
        serde_json::json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": [audience] });
    format!("{command} --parameters {}", quote(&parameters.to_string()))
}

/// Subscription, resource group and name of a managed identity's path.
fn of_resource(path: &str) -> Option<(&str, &str, &str)> {
    let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        [_, subscription, _, group, .., name] => Some((subscription, group, name)),
        _ => None,
    }
}

/// A name as a segment of a URL.
#[must_use]
pub fn encode(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_and_starts_nothing() {
        assert_eq!(quote("sc-prod"), "sc-prod");
        assert_eq!(quote("Team Platform"), "'Team Platform'");
        assert_eq!(quote("a'; rm -rf ~ #"), r"'a'\''; rm -rf ~ #'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("$(x)"), "'$(x)'");
    }

    #[test]
    fn a_name_is_one_segment_of_a_url() {
        assert_eq!(encode("a/b c?é"), "a%2Fb%20c%3F%C3%A9");
    }
}
