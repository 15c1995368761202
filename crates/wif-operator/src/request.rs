//! A request file (`wif.request/1`): what a connection was asked to be.

use serde::Deserialize;
use serde_saphyr::Spanned;
use uuid::Uuid;

use crate::yaml::{YamlError, parse, wrong};

/// A request, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The file that it was read from.
    pub file: String,
    /// The name of the connection.
    pub connection: String,
    /// The projects that use it; the first owns it.
    pub projects: Vec<String>,
    /// The identity.
    pub identity: RequestedIdentity,
    /// The scope that it declares, as a path of Azure Resource Manager.
    pub scope: String,
    /// The roles.
    pub access: Vec<RequestedRole>,
    /// The pipelines of the owner's project that may use it.
    pub pipelines: Vec<String>,
    /// The branches of its branch control.
    pub branches: Vec<String>,
    /// The approvers.
    pub approvers: Vec<String>,
    /// Who answers for it.
    pub owner: String,
    /// Why it exists.
    pub reason: String,
}

/// The identity that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedIdentity {
    /// A managed identity, made if it is not there.
    ManagedIdentity {
        /// Its name.
        name: String,
        /// Its resource group.
        resource_group: String,
        /// Its subscription.
        subscription: Uuid,
    },
    /// An application, made if it is not there.
    Application {
        /// Its name.
        name: String,
    },
    /// One that is there.
    Existing {
        /// Its application (client) id.
        client: Uuid,
    },
}

/// A role that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedRole {
    /// The role's name.
    pub role: String,
    /// The scope, as a path of Azure Resource Manager.
    pub scope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    api_version: Spanned<String>,
    connection: Spanned<String>,
    projects: Spanned<Vec<String>>,
    identity: Spanned<WrittenIdentity>,
    scope: Spanned<WrittenScope>,
    #[serde(default)]
    access: Vec<RequestedRole>,
    #[serde(default)]
    pipelines: Vec<String>,
    #[serde(default)]
    checks: WrittenChecks,
    owner: Spanned<String>,
    reason: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenIdentity {
    kind: String,
    name: Option<String>,
    resource_group: Option<String>,
    subscription: Option<Uuid>,
    client: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenScope {
    subscription: Option<Uuid>,
    resource_group: Option<String>,
    management_group: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChecks {
    #[serde(default)]
    branches: Vec<String>,
    #[serde(default)]
    approvers: Vec<String>,
}

impl Request {
    /// Reads a request, in YAML or JSON (which is YAML).
    ///
    /// # Errors
    ///
    /// A field is missing, unknown, or has a value that is not accepted.
    pub fn parse(text: &str, file: &str) -> Result<Self, YamlError> {
        let written: Written = parse(text, file)?;
        if written.api_version.value != "wif/v1" {
            return Err(wrong(file, &written.api_version, "apiVersion: accepted is wif/v1"));
        }
        for (name, value) in
            [("connection", &written.connection), ("owner", &written.owner), ("reason", &written.reason)]
        {
            if value.value.trim().is_empty() {
                return Err(wrong(file, value, &format!("{name}: it is empty")));
            }
        }
        if written.projects.value.is_empty() {
            return Err(wrong(file, &written.projects, "projects: at least one, which owns the connection"));
        }
        let identity = identity(&written.identity, file)?;
        let scope = scope(&written.scope, file)?;
        let WrittenChecks { branches, approvers } = written.checks;
        Ok(Self {
            file: file.to_owned(),
            connection: written.connection.value,
            projects: written.projects.value,
            identity,
            scope,
            access: written.access,
            pipelines: written.pipelines,
            branches,
            approvers,
            owner: written.owner.value,
            reason: written.reason.value,
        })
    }
}

fn identity(written: &Spanned<WrittenIdentity>, file: &str) -> Result<RequestedIdentity, YamlError> {
    let WrittenIdentity { kind, name, resource_group, subscription, client } = &written.value;
    match (kind.as_str(), name, resource_group, subscription, client) {
        ("managedIdentity", Some(name), Some(resource_group), Some(subscription), None) => {
            Ok(RequestedIdentity::ManagedIdentity {
                name: name.clone(),
                resource_group: resource_group.clone(),
                subscription: *subscription,
            })
        }
        ("application", Some(name), None, None, None) => {
            Ok(RequestedIdentity::Application { name: name.clone() })
        }
        ("existing", None, None, None, Some(client)) => Ok(RequestedIdentity::Existing { client: *client }),
        _ => {
            let why = "identity: accepted are { kind: managedIdentity, name, resourceGroup, subscription }, { kind: application, name } and { kind: existing, client }";
            Err(wrong(file, written, why))
        }
    }
}

fn scope(written: &Spanned<WrittenScope>, file: &str) -> Result<String, YamlError> {
    let WrittenScope { subscription, resource_group, management_group } = &written.value;
    match (subscription, resource_group, management_group) {
        (Some(subscription), None, None) => Ok(format!("/subscriptions/{subscription}")),
        (Some(subscription), Some(group), None) => {
            Ok(format!("/subscriptions/{subscription}/resourceGroups/{group}"))
        }
        (None, None, Some(group)) => Ok(format!("/providers/Microsoft.Management/managementGroups/{group}")),
        _ => {
            let why = "scope: accepted are { subscription }, { subscription, resourceGroup } and { managementGroup }";
            Err(wrong(file, written, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "apiVersion: wif/v1
connection: sc-platform-prod
projects: [Platform, Shop]
identity: { kind: managedIdentity, name: id-prod, resourceGroup: rg-ids, subscription: 11111111-2222-3333-4444-555555555555 }
scope: { subscription: 11111111-2222-3333-4444-555555555555, resourceGroup: rg-platform }
access:
  - { role: Contributor, scope: /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-platform }
pipelines: [Release]
checks: { branches: [refs/heads/main], approvers: [\"[Platform]\\\\Leads\"] }
owner: platform-team@contoso.com
reason: CHG-1042
";

    #[test]
    fn a_request_is_read_as_it_is_documented() {
        let request = Request::parse(GOOD, "sc.yaml").unwrap();
        assert_eq!(request.projects, ["Platform", "Shop"]);
        assert_eq!(request.approvers, ["[Platform]\\Leads"]);
        assert!(request.scope.ends_with("/resourceGroups/rg-platform"));
    }

    #[test]
    fn what_is_unknown_missing_or_wrong_is_named_with_its_place() {
        for (from, to, place, field) in [
            ("owner: platform-team@contoso.com\n", "", "sc.yaml:10:", "owner"),
            ("reason: CHG-1042", "reason: ''", "sc.yaml:11:", "reason"),
            ("pipelines: [Release]", "pipeline: [Release]", "sc.yaml:8:", "pipeline"),
            ("wif/v1", "wif/v2", "sc.yaml:1:", "apiVersion"),
            ("kind: managedIdentity", "kind: machine", "sc.yaml:4:", "identity"),
            ("resourceGroup: rg-platform", "group: rg-platform", "sc.yaml:5:", "group"),
            ("[Platform, Shop]", "[]", "sc.yaml:3:", "projects"),
        ] {
            let error = Request::parse(&GOOD.replacen(from, to, 1), "sc.yaml").unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(field), "{from}: {error}");
        }
    }

    #[test]
    fn a_document_that_grows_when_it_is_read_is_refused() {
        let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n";
        assert!(Request::parse(bomb, "sc.yaml").is_err());
    }
}
