//! What one connection and its identity are now: the facts of a plan, and what is read back after each step.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    plan::{Credential, Facts, IdentityFacts, PlannedProject},
    service::{CallError, Holder, Services},
};
use crate::moment::Moment;

/// Where a connection and its identity are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The connection.
    pub connection: Uuid,
    /// The project that owns it.
    pub project: Uuid,
    /// The client id.
    pub client: Uuid,
    /// The path of a managed identity.
    pub resource: Option<String>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The connection, as it was read.
    pub raw: Value,
    /// What steps depend on.
    pub facts: Facts,
    /// Whether Azure DevOps is still at work on it.
    pub is_in_progress: bool,
}

/// Why nothing was read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unobserved {
    /// There is no such connection.
    #[error("the connection is not there")]
    NoConnection,
    /// Only its id and name can be seen.
    #[error("Azure DevOps tells only that the connection exists")]
    Invisible,
    /// There is no such application.
    #[error("the application is not there")]
    NoApplication,
    /// A service did not let it be read.
    #[error("{0} could not be read: {1}")]
    Call(&'static str, CallError),
}

/// The federated credentials of an identity.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Those that are plain ones, sorted.
    pub known: Vec<Credential>,
    /// How many others there are.
    pub other: usize,
    ids: Vec<(Credential, Uuid)>,
}

impl Listed {
    /// The id of the first that is meant.
    pub fn id_of(&self, is_it: impl Fn(&Credential) -> bool) -> Option<Uuid> {
        self.ids.iter().find(|(one, _)| is_it(one)).map(|(_, id)| *id)
    }
}

impl Target {
    /// Where the identity's federated credentials are.
    #[must_use]
    pub fn holder(&self) -> Holder {
        match &self.resource {
            Some(path) => Holder::ManagedIdentity(path.clone()),
            None => Holder::Application(self.client),
        }
    }
}

/// Reads a connection and its identity.
///
/// # Errors
///
/// One of them is not there, or cannot be read.
pub async fn observe(services: &Services, target: &Target) -> Result<Observed, Unobserved> {
    let raw = connection(services, target).await?;
    let credentials = credentials(services, target).await?;
    let object = if target.resource.is_some() {
        None
    } else {
        let object = services.application(target.client).await;
        let object = object.map_err(|error| Unobserved::Call("the application", error))?;
        Some(object.ok_or(Unobserved::NoApplication)?)
    };
    let text = |name: &str| text_of(object.as_ref()?.get(name)?);
    let secrets = object.as_ref().and_then(|object| object.get("passwordCredentials")?.as_array());
    let ends = secrets.into_iter().flatten().filter_map(|one| {
        // A secret without an end never ends.
        let never = Moment::parse("9999-12-31T23:59:59Z");
        one.get("endDateTime").and_then(Value::as_str).map_or(never, Moment::parse)
    });
    let identity = IdentityFacts {
        name: text("displayName"),
        application_object: text("id").and_then(|id| Uuid::try_parse(&id).ok()),
        resource: target.resource.clone(),
        sign_in_audience: text("signInAudience"),
        last_secret_ends: ends.max(),
        other_credentials: credentials.other,
        credentials: credentials.known,
    };
    let state = raw.pointer("/operationStatus/state").and_then(Value::as_str).unwrap_or_default();
    let is_in_progress = state.eq_ignore_ascii_case("InProgress");
    let facts = facts(&raw, identity);
    Ok(Observed { raw, facts, is_in_progress })
}

/// Reads a connection alone.
///
/// # Errors
///
/// It is not there, or cannot be read.
pub async fn connection(services: &Services, target: &Target) -> Result<Value, Unobserved> {
    let raw = services.connection(target.project, target.connection).await;
    let raw =
        raw.map_err(|error| Unobserved::Call("the connection", error))?.ok_or(Unobserved::NoConnection)?;
    let is_visible = ["data", "authorization", "type"]
        .iter()
        .all(|name| raw.get(*name).is_some_and(|part| !part.is_null()));
    if is_visible { Ok(raw) } else { Err(Unobserved::Invisible) }
}

/// Reads the federated credentials, and how many there are that are no plain ones.
///
/// # Errors
///
/// They cannot be read.
pub async fn credentials(services: &Services, target: &Target) -> Result<Listed, Unobserved> {
    let all = services.credentials(&target.holder()).await;
    let all = all.map_err(|error| match error {
        error if error.is_absent() => Unobserved::NoApplication,
        error => Unobserved::Call("the federated credentials", error),
    })?;
    let mut known: Vec<_> = all.iter().filter_map(credential).collect();
    known.sort();
    let other = all.len().saturating_sub(known.len());
    let ids = all.iter().filter_map(|one| Some((credential(one)?, credential_id(one)?))).collect();
    Ok(Listed { known, other, ids })
}

/// By which Microsoft Graph knows a federated credential; those of managed identities have a path and no such id.
pub(super) fn credential_id(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.get("id")?.as_str()?).ok()
}

pub(super) fn credential(value: &Value) -> Option<Credential> {
    let of = value.get("properties").unwrap_or(value);
    // Compared character by character: not even white space is taken away.
    let exact = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Credential {
        name: exact(value, "name")?,
        issuer: exact(of, "issuer")?,
        subject: exact(of, "subject")?,
        audience: of.pointer("/audiences/0").and_then(Value::as_str)?.to_owned(),
    })
}

pub(super) fn facts(raw: &Value, identity: IdentityFacts) -> Facts {
    let parameters = raw.pointer("/authorization/parameters").and_then(Value::as_object);
    let data = raw.get("data").and_then(Value::as_object);
    let parameter = |name: &str| in_any_case(parameters?, name);
    let datum = |name: &str| in_any_case(data?, name);
    let id = |text: Option<String>| text.and_then(|text| Uuid::try_parse(text.trim()).ok());
    let references = raw.get("serviceEndpointProjectReferences").and_then(Value::as_array);
    let mut projects: Vec<_> = references.into_iter().flatten().filter_map(reference).collect();
    projects.sort();
    Facts {
        scheme: raw.pointer("/authorization/scheme").and_then(text_of),
        authentication_type: parameter("authenticationType"),
        issuer: parameter("workloadIdentityFederationIssuer"),
        subject: parameter("workloadIdentityFederationSubject"),
        tenant: id(parameter("tenantid")),
        client: id(parameter("serviceprincipalid")),
        scope: parameter("scope"),
        environment: datum("environment"),
        creation_mode: datum("creationMode"),
        revert_until: datum("revertSchemeDeadline").as_deref().and_then(Moment::parse),
        modified: raw.get("modificationDate").and_then(Value::as_str).and_then(Moment::parse),
        disabled: raw.get("isDisabled").and_then(Value::as_bool),
        projects,
        identity,
        around: None,
    }
}

fn reference(value: &Value) -> Option<PlannedProject> {
    let project = value.get("projectReference")?;
    Some(PlannedProject {
        id: project.get("id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok())?,
        name: value.get("name").and_then(text_of).unwrap_or_default(),
    })
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

pub(super) fn in_any_case(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| text_of(value))
}
