//! A request file (`wif.request/1`): what a connection was asked to be.

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use uuid::Uuid;
use wif_core::foreign_text::is_one_line;

use crate::yaml::{YamlError, parse, wrong};

/// The JSON schema of requests, `wif.request/1`.
pub const SCHEMA: &str = include_str!("../../../docs/schemas/request.schema.json");

/// A request, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind", deny_unknown_fields)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    projects: Spanned<Vec<Spanned<String>>>,
    identity: Spanned<WrittenIdentity>,
    scope: Spanned<WrittenScope>,
    #[serde(default)]
    access: Vec<WrittenRole>,
    #[serde(default)]
    pipelines: Vec<Spanned<String>>,
    #[serde(default)]
    checks: WrittenChecks,
    owner: Spanned<String>,
    reason: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRole {
    role: Spanned<String>,
    scope: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenIdentity {
    kind: String,
    name: Option<Spanned<String>>,
    resource_group: Option<Spanned<String>>,
    subscription: Option<Uuid>,
    client: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenScope {
    subscription: Option<Uuid>,
    resource_group: Option<Spanned<String>>,
    management_group: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChecks {
    #[serde(default)]
    branches: Vec<Spanned<String>>,
    #[serde(default)]
    approvers: Vec<Spanned<String>>,
}

impl Request {
    /// What stands for a request where no file was written: a connection that another command makes or ends. `of` names it in errors.
    #[must_use]
    pub fn unwritten(
        of: String,
        connection: &str,
        projects: Vec<String>,
        identity: RequestedIdentity,
        scope: &str,
    ) -> Self {
        Self {
            file: of,
            connection: connection.to_owned(),
            projects,
            identity,
            scope: scope.to_owned(),
            access: Vec::new(),
            pipelines: Vec::new(),
            branches: Vec::new(),
            approvers: Vec::new(),
            owner: String::new(),
            reason: String::new(),
        }
    }

    /// The name of the project that owns the connection.
    #[must_use]
    pub fn owner_project(&self) -> &str {
        self.projects.first().map(String::as_str).unwrap_or_default()
    }

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
        let single =
            [("connection", &written.connection), ("owner", &written.owner), ("reason", &written.reason)];
        let projects = written.projects.value.iter().map(|one| ("projects", one));
        let roles = written.access.iter().map(|one| ("role", &one.role));
        let pipelines = written.pipelines.iter().map(|one| ("pipelines", one));
        let approvers = written.checks.approvers.iter().map(|one| ("approvers", one));
        for (name, value) in single.into_iter().chain(projects).chain(roles).chain(pipelines).chain(approvers)
        {
            if value.value.trim().is_empty() {
                return Err(wrong(file, value, &format!("{name}: it is empty")));
            }
            // What is printed for another person to run has one line for each.
            if !is_one_line(&value.value) {
                return Err(wrong(
                    file,
                    value,
                    &format!("{name}: it has a line end or another control character"),
                ));
            }
        }
        if written.projects.value.is_empty() {
            return Err(wrong(file, &written.projects, "projects: at least one, which owns the connection"));
        }
        for (at, one) in written.projects.value.iter().enumerate() {
            let before = written.projects.value.iter().take(at);
            if before.into_iter().any(|other| other.value.eq_ignore_ascii_case(&one.value)) {
                return Err(wrong(file, one, &format!("projects: '{}' is named twice", one.value)));
            }
        }
        for one in &written.access {
            if !is_scope(&one.scope.value) {
                let why = "scope: accepted are /subscriptions/ID, what is below it, and /providers/Microsoft.Management/managementGroups/NAME";
                return Err(wrong(file, &one.scope, why));
            }
        }
        for one in &written.checks.branches {
            if one.value.is_empty() || one.value.contains(|c: char| c == ',' || c.is_whitespace()) {
                return Err(wrong(file, one, "branches: accepted is a branch in full: refs/heads/main"));
            }
        }
        let identity = identity(&written.identity, file)?;
        let scope = scope(&written.scope, file)?;
        let WrittenChecks { branches, approvers } = written.checks;
        let values = |all: Vec<Spanned<String>>| all.into_iter().map(|one| one.value).collect::<Vec<_>>();
        let role = |one: WrittenRole| RequestedRole { role: one.role.value, scope: one.scope.value };
        Ok(Self {
            file: file.to_owned(),
            connection: written.connection.value,
            projects: values(written.projects.value),
            identity,
            scope,
            access: written.access.into_iter().map(role).collect(),
            pipelines: values(written.pipelines),
            branches: values(branches),
            approvers: values(approvers),
            owner: written.owner.value,
            reason: written.reason.value,
        })
    }
}

/// Whether a text can be one segment of a path of Azure Resource Manager. What ends in a dot would not stay one.
fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && !text.ends_with('.')
        && !text.contains(|c: char| c.is_whitespace() || "/?#\\\'%".contains(c))
}

fn is_scope(text: &str) -> bool {
    let segments: Vec<_> = text.split('/').collect();
    let are_segments = |all: &[&str]| all.iter().all(|one| is_segment(one));
    match segments.as_slice() {
        ["", first, id, rest @ ..] if first.eq_ignore_ascii_case("subscriptions") => {
            Uuid::try_parse(id).is_ok() && are_segments(rest)
        }
        ["", first, second, third, name] => {
            first.eq_ignore_ascii_case("providers")
                && second.eq_ignore_ascii_case("Microsoft.Management")
                && third.eq_ignore_ascii_case("managementGroups")
                && is_segment(name)
        }
        _ => false,
    }
}

/// A name that becomes one segment of a path.
fn segment(file: &str, field: &str, value: &Spanned<String>) -> Result<String, YamlError> {
    if is_segment(&value.value) {
        return Ok(value.value.clone());
    }
    let why = format!("{field}: it is empty, ends in a dot, or has a slash, a quote or white space");
    Err(wrong(file, value, &why))
}

fn identity(written: &Spanned<WrittenIdentity>, file: &str) -> Result<RequestedIdentity, YamlError> {
    let WrittenIdentity { kind, name, resource_group, subscription, client } = &written.value;
    match (kind.as_str(), name, resource_group, subscription, client) {
        ("managedIdentity", Some(name), Some(resource_group), Some(subscription), None) => {
            Ok(RequestedIdentity::ManagedIdentity {
                name: segment(file, "name", name)?,
                resource_group: segment(file, "resourceGroup", resource_group)?,
                subscription: *subscription,
            })
        }
        ("application", Some(name), None, None, None) => {
            Ok(RequestedIdentity::Application { name: segment(file, "name", name)? })
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
            let group = segment(file, "resourceGroup", group)?;
            Ok(format!("/subscriptions/{subscription}/resourceGroups/{group}"))
        }
        (None, None, Some(group)) => {
            let group = segment(file, "managementGroup", group)?;
            Ok(format!("/providers/Microsoft.Management/managementGroups/{group}"))
        }
        _ => {
            let why = "scope: accepted are { subscription }, { subscription, resourceGroup } and { managementGroup }";
            Err(wrong(file, written, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;
    use serde_json::{Value, json};

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
            // A value of another kind is told in plain words.
            ("[Platform, Shop]", "Platform", "sc.yaml:3:", "it is no list"),
            ("[Platform, Shop]", "[Platform, [Shop]]", "sc.yaml:3:", "it is no text"),
            ("owner: platform-team@contoso.com", "owner: [one, two]", "sc.yaml:10:", "it is no text"),
            ("{ role: Contributor", "{ role: [Contributor]", "sc.yaml:7:", "it is no text"),
            ("checks: {", "checks: none # {", "sc.yaml:9:", "it has no fields"),
        ] {
            let error = Request::parse(&GOOD.replacen(from, to, 1), "sc.yaml").unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(field), "{from}: {error}");
        }
    }

    /// Whether a document has the form that the schema describes. It knows the words that the schema uses, and no others.
    fn fits(value: &Value, schema: &Value) -> bool {
        let schema = schema.as_object().unwrap();
        schema.iter().all(|(word, asked)| match word.as_str() {
            "$schema" | "$id" | "title" | "description" => true,
            "type" => match asked.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                other => panic!("type {other}"),
            },
            "const" => value == asked,
            "format" => value.as_str().is_none_or(|text| Uuid::try_parse(text).is_ok()),
            "pattern" => {
                value.as_str().is_none_or(|text| Regex::new(asked.as_str().unwrap()).unwrap().is_match(text))
            }
            "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= asked.as_u64().unwrap()),
            "uniqueItems" => value
                .as_array()
                .is_none_or(|all| all.iter().enumerate().all(|(at, one)| !all[..at].contains(one))),
            "items" => value.as_array().is_none_or(|all| all.iter().all(|one| fits(one, asked))),
            "required" => value.as_object().is_none_or(|all| {
                asked.as_array().unwrap().iter().all(|name| all.contains_key(name.as_str().unwrap()))
            }),
            "additionalProperties" => value
                .as_object()
                .is_none_or(|all| all.keys().all(|name| schema["properties"].get(name).is_some())),
            "properties" => value.as_object().is_none_or(|all| {
                all.iter().all(|(name, one)| asked.get(name).is_none_or(|asked| fits(one, asked)))
            }),
            "oneOf" => asked.as_array().unwrap().iter().filter(|asked| fits(value, asked)).count() == 1,
            other => panic!("the test does not know '{other}'"),
        })
    }

    #[test]
    fn the_schema_and_the_parser_accept_and_refuse_the_same() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let good: Value = serde_saphyr::from_str(GOOD).unwrap();
        let set = |path: &str, value: Value| {
            let mut changed = good.clone();
            *changed.pointer_mut(path).unwrap() = value;
            changed
        };
        let without = |name: &str| {
            let mut changed = good.clone();
            changed.as_object_mut().unwrap().remove(name).unwrap();
            changed
        };
        let subscription = json!("11111111-2222-3333-4444-555555555555");
        let accepted = [
            good.clone(),
            without("access"),
            without("pipelines"),
            without("checks"),
            set("/checks", json!({})),
            set("/access", json!([])),
            set("/identity", json!({ "kind": "application", "name": "app" })),
            set("/identity", json!({ "kind": "existing", "client": subscription })),
            set("/scope", json!({ "managementGroup": "root" })),
            set("/scope", json!({ "subscription": subscription })),
            set("/access/0/scope", json!("/providers/Microsoft.Management/managementGroups/root")),
            set("/access/0/scope", json!("/subscriptions/11111111-2222-3333-4444-555555555555")),
        ];
        let refused = [
            without("apiVersion"),
            without("connection"),
            without("projects"),
            without("identity"),
            without("scope"),
            without("owner"),
            without("reason"),
            set("/reason", json!("CHG-1\nsecond line")),
            set("/apiVersion", json!("wif/v2")),
            set("/connection", json!(" ")),
            set("/connection", json!(["sc"])),
            set("/projects", json!([])),
            set("/projects", json!(["Platform", ""])),
            set("/projects", json!(["Platform", "Platform"])),
            set("/identity/kind", json!("machine")),
            set("/identity/subscription", json!("here")),
            set("/identity/name", json!("a/b")),
            set("/identity/resourceGroup", json!("..")),
            set("/identity", json!({ "kind": "application", "name": "app", "client": subscription })),
            set("/identity", json!({ "kind": "application", "name": "it's" })),
            set("/scope", json!({})),
            set("/scope", json!({ "managementGroup": "root", "subscription": subscription })),
            set("/scope", json!({ "resourceGroup": "rg" })),
            set("/access/0/scope", json!("/")),
            set("/access/0/scope", json!("subscriptions/x")),
            set("/access/0/scope", json!("/subscriptions/11111111-2222-3333-4444-555555555555/../x")),
            set("/access/0/scope", json!("/subscriptions/11111111-2222-3333-4444-555555555555/")),
            set("/access/0/role", json!("")),
            set("/access/0", json!({ "role": "Reader" })),
            set("/pipelines", json!([""])),
            set("/pipelines", json!("all")),
            set("/checks/branches", json!(["a,b"])),
            set("/checks/approvers", json!([" "])),
            set("/checks", json!({ "hours": [] })),
        ];
        for (all, is_accepted) in [(&accepted[..], true), (&refused[..], false)] {
            for one in all {
                assert_eq!(Request::parse(&one.to_string(), "sc.json").is_ok(), is_accepted, "parser: {one}");
                assert_eq!(fits(one, &schema), is_accepted, "schema: {one}");
            }
        }
    }

    #[test]
    fn a_document_that_grows_when_it_is_read_is_refused() {
        let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n";
        assert!(Request::parse(bomb, "sc.yaml").is_err());
    }
}
