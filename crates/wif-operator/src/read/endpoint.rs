//! A service connection as Azure DevOps lists it in one project.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::wire::{flag, id, in_any_case, list, moment, text};
use crate::{
    moment::Moment,
    snapshot::{
        Existence, Project,
        connection::{Connection, Person, ProjectReference},
    },
};

/// One connection as one project's list has it.
pub(super) struct Listed {
    connection: Connection,
    /// `serviceEndpointProjectReferences`, in their order: the first one owns it.
    references: Vec<Reference>,
    /// Where it was listed.
    project: Uuid,
}

struct Reference {
    project: Uuid,
    project_name: String,
    name: String,
    description: Option<String>,
}

/// The lists of all projects put together: each connection once.
#[derive(Default)]
pub(super) struct Connections(BTreeMap<Uuid, Merged>);

struct Merged {
    /// What tells most.
    best: Listed,
    /// The projects that list it, with its names there.
    listed: BTreeMap<Uuid, (String, String)>,
}

impl Listed {
    /// Reads an element of the list. None, if it has no id.
    pub(super) fn read(value: &Value, project: &Project) -> Option<Self> {
        let id = id(value, "id")?;
        let mut connection = Connection::new(id, text(value, "name").unwrap_or_default());
        connection.kind = text(value, "type");
        let authorization = value.get("authorization").filter(|one| one.is_object());
        let data = value.get("data").and_then(Value::as_object);
        connection.is_visible = connection.kind.is_some() && authorization.is_some() && data.is_some();
        let references = list(value, "serviceEndpointProjectReferences").iter().filter_map(reference);
        let references: Vec<_> = references.collect();
        if connection.is_visible {
            read_object(&mut connection, value);
            read_authorization(&mut connection, authorization.unwrap_or(&Value::Null));
            read_data(&mut connection, data.unwrap_or(&Map::new()));
            connection.description = text(value, "description");
        }
        Some(Self { connection, references, project: project.id })
    }

    /// Its id.
    pub(super) const fn id(&self) -> Uuid {
        self.connection.id
    }

    /// What tells more wins, whatever came first.
    fn rank(&self) -> (bool, usize, std::cmp::Reverse<Uuid>) {
        (self.connection.is_visible, self.references.len(), std::cmp::Reverse(self.project))
    }
}

impl Connections {
    /// Adds what one project's list has.
    pub(super) fn add(&mut self, listed: Listed, project: &Project) {
        let names = (project.name.clone(), listed.connection.name.clone());
        let id = listed.id();
        if let Some(known) = self.0.get_mut(&id) {
            known.listed.insert(project.id, names);
            if listed.rank() > known.best.rank() {
                known.best = listed;
            }
        } else {
            self.0.insert(id, Merged { best: listed, listed: BTreeMap::from([(project.id, names)]) });
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The connections, with the projects that can use them.
    pub(super) fn finish(self) -> Vec<Connection> {
        let mut connections: Vec<_> = self.0.into_values().map(Merged::finish).collect();
        connections.iter_mut().for_each(Connection::shrink);
        connections
    }
}

impl Merged {
    fn finish(self) -> Connection {
        let Self { best: Listed { mut connection, references, .. }, listed } = self;
        let of = |project, name, connection_name, is_owner| ProjectReference {
            id: project,
            name,
            connection_name,
            is_owner,
            pipelines: None,
            runs: None,
            members: None,
        };
        let mut projects = Vec::new();
        for (number, one) in references.into_iter().enumerate() {
            if number == 0 {
                connection.name.clone_from(&one.name);
                connection.description = one.description.clone().or(connection.description);
            }
            let is_new = projects.iter().all(|known: &ProjectReference| known.id != one.project);
            if is_new {
                projects.push(of(one.project, one.project_name, one.name, number == 0));
            }
        }
        for (project, (name, connection_name)) in listed {
            if let Some(known) = projects.iter_mut().find(|known| known.id == project) {
                // The list of projects has the name of today.
                known.name = name;
            } else {
                let is_owner = projects.is_empty();
                projects.push(of(project, name, connection_name, is_owner));
            }
        }
        connection.projects = projects;
        connection
    }
}

/// What a connection of its kind has, and Azure DevOps did not tell of this one. One that was never completed may have none of it.
pub(super) fn untold(connection: &Connection) -> Vec<&'static str> {
    let Connection { kind, scheme, tenant, client, issuer, subject, operation_state, .. } = connection;
    let is_azure = kind.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("azurerm"));
    let is_ready = operation_state.as_ref().is_none_or(|state| state.eq_ignore_ascii_case("Ready"));
    if !connection.is_visible || !is_azure || connection.is_draft || !is_ready {
        return Vec::new();
    }
    let scheme = scheme.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_federated = scheme == "workloadidentityfederation";
    let has_client = is_federated || scheme == "serviceprincipal";
    let parts = [
        ("scheme", scheme.is_empty()),
        ("tenant", has_client && tenant.is_none()),
        ("client id", has_client && client.is_none()),
        ("issuer", is_federated && issuer.is_none()),
        ("subject", is_federated && subject.is_none()),
    ];
    parts.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect()
}

fn reference(value: &Value) -> Option<Reference> {
    let project = value.get("projectReference")?;
    Some(Reference {
        project: id(project, "id")?,
        project_name: text(project, "name").unwrap_or_default(),
        name: text(value, "name").unwrap_or_default(),
        description: text(value, "description"),
    })
}

/// A person. Azure DevOps says of those only who have left that they have.
///
/// Source: `IdentityRef` of the REST API: `inactive` (out of the organization), `isDeletedInOrigin` (out of Entra).
fn person(value: &Value) -> Person {
    let is_gone = ["inactive", "isDeletedInOrigin"].iter().any(|name| flag(value, name) == Some(true));
    Person {
        id: text(value, "id"),
        name: text(value, "displayName"),
        unique_name: text(value, "uniqueName"),
        existence: if is_gone { Existence::Gone } else { Existence::Unknown },
    }
}

fn read_object(connection: &mut Connection, value: &Value) {
    connection.url = text(value, "url");
    connection.created = moment(value, "creationDate");
    connection.created_by = value.get("createdBy").filter(|one| one.is_object()).map(person);
    connection.modified = moment(value, "modificationDate");
    connection.is_disabled = flag(value, "isDisabled");
    connection.is_ready = flag(value, "isReady");
    if let Some(status) = value.get("operationStatus") {
        connection.operation_state = text(status, "state");
        connection.operation_message = text(status, "statusMessage");
    }
}

fn read_authorization(connection: &mut Connection, authorization: &Value) {
    connection.scheme = text(authorization, "scheme");
    let Some(parameters) = authorization.get("parameters").and_then(Value::as_object) else { return };
    let get = |name: &str| in_any_case(parameters, name);
    let guid = |name: &str| get(name).and_then(|text| Uuid::try_parse(text.trim()).ok());
    connection.authentication_type = get("authenticationType");
    connection.issuer = get("workloadIdentityFederationIssuer");
    connection.subject = get("workloadIdentityFederationSubject");
    connection.tenant = guid("tenantid");
    connection.client = guid("serviceprincipalid");
    connection.scope = get("scope");
}

fn read_data(connection: &mut Connection, data: &Map<String, Value>) {
    let get = |name: &str| in_any_case(data, name);
    let guid = |name: &str| get(name).and_then(|text| Uuid::try_parse(text.trim()).ok());
    connection.environment = get("environment");
    connection.scope_level = get("scopeLevel");
    connection.scope_name = get("subscriptionName").or_else(|| get("managementGroupName"));
    let subscription = || Some(format!("/subscriptions/{}", guid("subscriptionId")?));
    let group =
        || Some(format!("/providers/Microsoft.Management/managementGroups/{}", get("managementGroupId")?));
    connection.scope = connection.scope.take().or_else(subscription).or_else(group);
    connection.creation_mode = get("creationMode");
    connection.identity_type = get("identityType");
    connection.application_object = guid("appObjectId");
    connection.principal_object = guid("spnObjectId");
    connection.revert_deadline = get("revertSchemeDeadline").as_deref().and_then(Moment::parse);
    connection.is_draft = get("isDraft").is_some_and(|text| text.eq_ignore_ascii_case("true"));
}
