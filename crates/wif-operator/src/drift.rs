//! Where a connection is not what its request asks for: the one comparison, of WIF6601, `wif connection drift` and
//! `wif connection plan`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, slice,
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    credential::CredentialKind,
    made::{has_part, is_described, owner_of, reason_of, resource_of, unique_name},
    redact::{ADDRESS, PERSON},
    request::{Request, RequestedIdentity},
    rule::{Context, Entry},
    snapshot::{
        Coverage, Existence, Layer, Organization, State,
        connection::{CheckKind, Connection, ProjectReference},
        identity::{FederatedCredential, Identity, IdentityKind},
    },
    subject::of_entra,
};

/// One field that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The field of the request.
    pub field: String,
    /// What was asked for.
    pub requested: Value,
    /// What is there.
    pub found: Value,
}

/// What a comparison has shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The fields that are not what was asked for.
    pub differences: Vec<Difference>,
    /// What could not be compared, because it was not read.
    pub unread: Vec<Unread>,
}

/// What could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The connection does not tell its tenant.
    Tenant,
    /// The organization does not tell its id.
    OrganizationId,
    /// Mail addresses are redacted.
    Addresses,
    /// The application or managed identity.
    Identity,
    /// Its federated credentials.
    Credentials,
    /// Its role assignments.
    Roles,
    /// Approvals and checks.
    Checks,
    /// Names of people are redacted.
    Approvers,
    /// The pipelines that may use the connection.
    Pipelines,
}

impl Unread {
    /// The layer that reads it.
    #[must_use]
    pub const fn layer(self) -> Layer {
        match self {
            Self::Tenant | Self::OrganizationId | Self::Addresses => Layer::List,
            Self::Identity | Self::Credentials | Self::Roles | Self::Checks | Self::Approvers => {
                Layer::Identity
            }
            Self::Pipelines => Layer::Use,
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "the tenant, of which issuer and subject are made",
            Self::OrganizationId => "the organization's id",
            Self::Addresses => "the mail address of its owner, which is redacted",
            Self::Identity => "the identity",
            Self::Credentials => "federated credentials",
            Self::Roles => "role assignments",
            Self::Checks => "approvals and checks",
            Self::Approvers => "the approvers, whose names are redacted",
            Self::Pipelines => "pipeline permissions",
        })
    }
}

/// The requests whose projects are to be read.
pub fn asked<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Request> {
    let (snapshot, settings) = (context.snapshot, context.settings);
    settings.requests.iter().filter(move |request| {
        let owner = request.owner_project();
        let is_owner = |wanted: &String| {
            let mut projects = snapshot.organizations.iter().flat_map(|one| &one.projects);
            wanted.eq_ignore_ascii_case(owner)
                || projects.any(|one| {
                    one.name.eq_ignore_ascii_case(owner) && one.id.to_string().eq_ignore_ascii_case(wanted)
                })
        };
        snapshot.projects.is_empty() || snapshot.projects.iter().any(is_owner)
    })
}

/// Whether the connection of a request is there.
#[derive(Clone)]
pub enum Standing<'a> {
    /// It is.
    There(Entry<'a>),
    /// It is not, in this organization, whose list was read whole.
    Absent(&'a Organization),
    /// That is not known, for this reason.
    Unread(String),
}

/// Looks for the connection of a request, by its name in the project that owns it.
#[must_use]
pub fn find<'a>(context: &Context<'a>, request: &Request) -> Standing<'a> {
    let owner = request.owner_project();
    let is_it = |connection: &&Connection| {
        connection.projects.iter().any(|project| {
            let is_owner = project.is_owner || !connection.is_visible;
            is_owner
                && project.name.eq_ignore_ascii_case(owner)
                && project.connection_name.eq_ignore_ascii_case(&request.connection)
        })
    };
    for organization in &context.snapshot.organizations {
        match organization.connections.iter().find(is_it) {
            Some(connection) if connection.is_visible => {
                return Standing::There(Entry { organization, connection });
            }
            Some(_) => {
                return Standing::Unread("Azure DevOps tells only that the connection exists".to_owned());
            }
            None => {}
        }
    }
    let has_project = |organization: &&Organization| {
        organization.projects.iter().any(|project| project.name.eq_ignore_ascii_case(owner))
    };
    let is_hidden = |connection: &Connection| {
        let names = connection.projects.iter().filter(|project| project.name.eq_ignore_ascii_case(owner));
        names.map(|project| &project.connection_name).any(|name| name.contains(PERSON))
    };
    let mut connections = context.snapshot.organizations.iter().flat_map(|one| &one.connections);
    if context.snapshot.redacted && connections.any(is_hidden) {
        return Standing::Unread(
            "a connection of the project has a person in its name, which is redacted".to_owned(),
        );
    }
    match context.snapshot.organizations.iter().find(has_project) {
        Some(organization) if is_listed_whole(organization, owner) => Standing::Absent(organization),
        Some(organization) => {
            let what = format!("the connections of the project {owner} could not be listed whole");
            unlisted(&what, slice::from_ref(organization), owner)
        }
        None => {
            let what = format!("the project {owner} was not seen");
            unlisted(&what, &context.snapshot.organizations, owner)
        }
    }
}

/// What became of listing the connections of a project.
fn listing<'a>(organization: &'a Organization, project: &str) -> impl Iterator<Item = &'a Coverage> {
    organization.coverage.iter().filter(move |entry| {
        entry.layer == Layer::List
            && entry.connection.is_none()
            && entry.project.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(project))
    })
}

/// Whether every connection of a project was listed, so that one that is not there does not exist.
fn is_listed_whole(organization: &Organization, project: &str) -> bool {
    let mut list = listing(organization, project).peekable();
    list.peek().is_some() && list.all(|entry| entry.state == State::Read)
}

/// What was not listed, with the first reason.
fn unlisted(what: &str, organizations: &[Organization], project: &str) -> Standing<'static> {
    let mut entries = organizations.iter().flat_map(|one| listing(one, project));
    let why = entries.find(|entry| entry.state != State::Read && !entry.why.is_empty());
    Standing::Unread(what.to_owned() + &why.map(|entry| format!(": {}", entry.why)).unwrap_or_default())
}

/// That there is no connection at all.
#[must_use]
pub fn absent(request: &Request) -> Difference {
    difference("connection", json!(request.connection), Value::Null)
}

/// Compares a connection with its request.
#[must_use]
pub fn compare(context: &Context<'_>, request: &Request, entry: Entry<'_>) -> Compared {
    let connection = entry.connection;
    let mut compared = Compared::default();
    let mut addresses_unread = false;
    let mut differs = |field: &str, requested: Value, found: Value| {
        compared.differences.push(difference(field, requested, found));
    };
    if entry.credential() != CredentialKind::Federated {
        differs("scheme", json!("WorkloadIdentityFederation"), json!(connection.scheme));
    }
    let projects: BTreeSet<_> = connection.projects.iter().map(|one| one.name.to_lowercase()).collect();
    if projects != request.projects.iter().map(|name| name.to_lowercase()).collect() {
        let there: Vec<_> = connection.projects.iter().map(|project| &project.name).collect();
        differs("projects", json!(request.projects), json!(there));
    }
    if !connection.scope.as_deref().is_some_and(|scope| scope.eq_ignore_ascii_case(&request.scope)) {
        differs("scope", json!(request.scope), json!(connection.scope));
    }
    let description = connection.description.as_deref().unwrap_or_default();
    if !has_part(description, &owner_of(request)) {
        differs("owner", json!(request.owner), json!(connection.description));
    }
    if !has_part(description, &reason_of(request)) {
        differs("reason", json!(request.reason), json!(connection.description));
    }
    // Two addresses that are redacted look the same.
    let known = context.settings.differing.as_ref().and_then(|all| all.get(&request.file));
    for (field, text) in [("owner", &request.owner), ("reason", &request.reason)] {
        if is_described(description, request) && text.contains(ADDRESS) {
            match known.map(|fields| fields.contains(field)) {
                Some(true) => differs(field, json!(text), json!(connection.description)),
                Some(false) => {}
                None => addresses_unread = true,
            }
        }
    }
    if addresses_unread {
        compared.unread.push(Unread::Addresses);
    }
    // Of another identity than the one that was asked for nothing more is compared.
    let is_identity = identity(context, request, connection, &mut compared);
    trust(context, request, entry, is_identity, &mut compared);
    if is_identity {
        roles(context, request, connection, &mut compared);
    }
    pipelines(request, connection, &mut compared);
    checks(request, connection, known, &mut compared);
    compared
}

/// The fields that differ, of each request whose connection is there, by the request's file.
#[must_use]
pub fn differing(context: &Context<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let requests = context.settings.requests.iter();
    let fields = requests.filter_map(|request| match find(context, request) {
        Standing::There(entry) => {
            let differences = compare(context, request, entry).differences.into_iter();
            Some((request.file.clone(), differences.map(|one| one.field).collect()))
        }
        _ => None,
    });
    fields.collect()
}

fn difference(field: &str, requested: Value, found: Value) -> Difference {
    Difference { field: field.to_owned(), requested, found }
}

/// Issuer and subject, and the federated credential for them.
fn trust(
    context: &Context<'_>,
    request: &Request,
    Entry { organization, connection }: Entry<'_>,
    is_identity: bool,
    compared: &mut Compared,
) {
    let Some(tenant) = connection.tenant else {
        compared.unread.push(Unread::Tenant);
        return;
    };
    let issuer = format!("{}/{tenant}/v2.0", context.snapshot.cloud.authority().trim_end_matches('/'));
    if connection.issuer.as_deref() != Some(&issuer) {
        compared.differences.push(difference("issuer", json!(issuer), json!(connection.issuer)));
    }
    let Some(id) = organization.id else {
        compared.unread.push(Unread::OrganizationId);
        return;
    };
    let subject = of_entra(tenant, id, connection.id);
    if connection.subject.as_deref() != Some(&subject) {
        compared.differences.push(difference("subject", json!(subject), json!(connection.subject)));
    }
    if !is_identity {
        return;
    }
    let credentials = context.identity(connection).and_then(|one| one.federated_credentials.as_deref());
    let Some(credentials) = credentials else {
        compared.unread.push(Unread::Credentials);
        return;
    };
    let audience = context.snapshot.cloud.token_exchange_audience();
    let is_it = |one: &&FederatedCredential| is_credential(one, (&issuer, &subject, audience));
    let wanted = json!({ "issuer": issuer, "subject": subject });
    let there = |one: &FederatedCredential| json!({ "issuer": one.issuer, "subject": one.subject });
    if !credentials.iter().any(|one| is_it(&one)) {
        let found: Vec<_> = credentials.iter().map(there).collect();
        compared.differences.push(difference("credential", wanted, json!(found)));
    } else if let Some(beyond) = credentials.iter().find(|one| !is_it(one) && !serves_another(request, one)) {
        let requested = json!([wanted]);
        compared.differences.push(difference("credentials", requested, json!([wanted, there(beyond)])));
    }
}

/// An identity that wif did not make may serve other connections, too.
fn serves_another(request: &Request, credential: &FederatedCredential) -> bool {
    matches!(request.identity, RequestedIdentity::Existing { .. })
        && is_of_a_connection(
            credential.issuer.as_deref().unwrap_or_default(),
            credential.subject.as_deref().unwrap_or_default(),
        )
}

/// Whether issuer and subject are those of a service connection: the form of the subject alone says nothing, any issuer may use it.
#[must_use]
pub fn is_of_a_connection(issuer: &str, subject: &str) -> bool {
    let is_old = issuer.starts_with("https://vstoken.dev.azure.com/") && subject.starts_with("sc://");
    let is_entra = issuer.starts_with("https://login.microsoftonline.com/") && subject.contains("/sc/");
    is_old || is_entra
}

/// Whether a federated credential trusts exactly this issuer, subject and audience.
#[must_use]
pub fn is_credential(one: &FederatedCredential, (issuer, subject, audience): (&str, &str, &str)) -> bool {
    one.issuer.as_deref() == Some(issuer)
        && one.subject.as_deref() == Some(subject)
        && one.audiences.len() == 1
        && one.audiences.iter().all(|known| known == audience)
}

/// Whether the identity is the one that was asked for. What is not known is no difference.
fn identity(
    context: &Context<'_>,
    request: &Request,
    connection: &Connection,
    compared: &mut Compared,
) -> bool {
    let found = context.identity(connection);
    if found.is_none_or(|one| one.existence == Existence::Unknown) && connection.client.is_some() {
        match &request.identity {
            RequestedIdentity::Existing { client } if connection.client != Some(*client) => {}
            _ => {
                compared.unread.push(Unread::Identity);
                return true;
            }
        }
    }
    let is_it = |one: &&Identity| one.existence == Existence::Found && is_identity(&request.identity, one);
    if found.is_some_and(|one| is_it(&one)) {
        return true;
    }
    let found = found.map(|one| json!({ "kind": one.kind, "name": one.name, "existence": one.existence }));
    let found = json!({ "client": connection.client, "identity": found });
    compared.differences.push(difference("identity", json!(request.identity), found));
    false
}

fn roles(context: &Context<'_>, request: &Request, connection: &Connection, compared: &mut Compared) {
    let whole = context.identity(connection).filter(|identity| !identity.may_have_more_roles);
    let Some(roles) = whole.and_then(|identity| identity.roles.as_ref()) else {
        compared.unread.push(Unread::Roles);
        return;
    };
    let fold = |role: &str, scope: &str| (role.to_lowercase(), scope.trim_end_matches('/').to_lowercase());
    let there: BTreeSet<_> =
        roles.iter().map(|role| fold(role.role.as_deref().unwrap_or_default(), &role.scope)).collect();
    let requested: BTreeSet<_> = request.access.iter().map(|role| fold(&role.role, &role.scope)).collect();
    if there != requested {
        let there: Vec<_> = roles.iter().map(|one| json!({ "role": one.role, "scope": one.scope })).collect();
        compared.differences.push(difference("access", json!(request.access), json!(there)));
    }
}

/// Whether an identity is the one that a request makes.
#[must_use]
pub fn is_identity(requested: &RequestedIdentity, identity: &Identity) -> bool {
    match requested {
        RequestedIdentity::Existing { client } => identity.client == *client,
        RequestedIdentity::Application { name } => {
            identity.kind == IdentityKind::Application
                && identity.unique_name.as_deref() == Some(&unique_name(name))
        }
        RequestedIdentity::ManagedIdentity { name, resource_group, subscription } => {
            let path = resource_of(*subscription, resource_group, name);
            identity.resource.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&path))
        }
    }
}

/// Pipelines belong to the owner's project; other projects authorize none.
fn pipelines(request: &Request, connection: &Connection, compared: &mut Compared) {
    for project in &connection.projects {
        let Some(permissions) = &project.pipelines else {
            compared.unread.push(Unread::Pipelines);
            continue;
        };
        let requested: &[String] = if project.is_owner { &request.pipelines } else { &[] };
        let name = |one: &crate::snapshot::connection::Pipeline| {
            one.name.clone().unwrap_or_else(|| one.id.to_string())
        };
        let names: Vec<_> = permissions.pipelines.iter().map(name).collect();
        // Two pipelines in different folders can have one name.
        let fold = |names: &[String]| {
            let mut all: Vec<_> = names.iter().map(|name| name.to_lowercase()).collect();
            all.sort();
            all
        };
        let there = if permissions.is_open_to_all {
            json!("all")
        } else if fold(&names) != fold(requested) {
            json!(names)
        } else {
            continue;
        };
        compared.differences.push(difference(&field_of(project), json!(requested), there));
    }
}

fn field_of(project: &ProjectReference) -> String {
    if project.is_owner { "pipelines".to_owned() } else { format!("pipelines of {}", project.name) }
}

fn checks(
    request: &Request,
    connection: &Connection,
    known: Option<&BTreeSet<String>>,
    compared: &mut Compared,
) {
    let Some(checks) = &connection.checks else {
        compared.unread.push(Unread::Checks);
        return;
    };
    let of = |kind: CheckKind| checks.iter().filter(move |check| check.kind == kind && !check.is_disabled);
    let branches: BTreeSet<_> = of(CheckKind::BranchControl).flat_map(|check| &check.branches).collect();
    if branches != request.branches.iter().collect() {
        compared.differences.push(difference("checks.branches", json!(request.branches), json!(branches)));
    }
    let fold = |name: &String| name.to_lowercase();
    let approvers: Vec<_> = of(CheckKind::Approval).flat_map(|check| &check.approvers).collect();
    let mut there: Vec<_> = approvers.iter().map(|name| fold(name)).collect();
    let mut asked: Vec<_> = request.approvers.iter().map(fold).collect();
    // A redacted person is any person: of these only the number can be compared.
    let is_redacted = [&there, &asked].iter().any(|all| all.iter().any(|name| name == PERSON));
    for all in [&mut there, &mut asked] {
        all.sort();
        if !is_redacted {
            all.dedup();
        }
    }
    let field = "checks.approvers";
    let differed = known.map(|fields| fields.contains(field));
    if there != asked || (is_redacted && differed == Some(true)) {
        compared.differences.push(difference(field, json!(request.approvers), json!(approvers)));
    } else if is_redacted && differed.is_none() {
        compared.unread.push(Unread::Approvers);
    }
}
