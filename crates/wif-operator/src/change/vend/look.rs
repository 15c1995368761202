//! What is there now of what a request asks for.

use serde_json::Value;
use uuid::Uuid;

use super::asked::{Asked, mark_beside};
use crate::{
    change::{
        ids::Ids,
        observe::in_any_case,
        plan::Credential,
        service::{CallError, Holder, Services},
    },
    made::{MARK, unique_name},
    request::RequestedIdentity,
};

/// The identity of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its client id.
    pub client: Uuid,
    /// The object id of its application, where that was read.
    pub application: Option<Uuid>,
    /// The object id of its service principal, if it has one.
    pub principal: Option<Uuid>,
    /// Where its federated credentials are.
    pub holder: Holder,
    /// Whether it was made for this request.
    pub is_own: bool,
}

/// The connection of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// There is none.
    Absent,
    /// It is there.
    There(Value),
    /// Another one has its name.
    Foreign,
}

impl Identity {
    /// By which the services know it.
    #[must_use]
    pub fn ids(&self) -> Ids {
        let resource = match &self.holder {
            Holder::ManagedIdentity(path) => Some(path.clone()),
            Holder::Application(_) => None,
        };
        let (client, application, principal) = (Some(self.client), self.application, self.principal);
        Ids { client, application, principal, resource, ..Ids::default() }
    }
}

impl Found {
    /// The connection, if it is there.
    #[must_use]
    pub fn connection(self) -> Option<Value> {
        match self {
            Self::There(raw) => Some(raw),
            Self::Absent | Self::Foreign => None,
        }
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A GUID of an object.
#[must_use]
pub fn id(value: &Value, name: &str) -> Option<Uuid> {
    Uuid::try_parse(text(value, name)).ok()
}

/// A parameter of a connection's authorization.
#[must_use]
pub fn parameter(raw: &Value, name: &str) -> Option<String> {
    in_any_case(raw.pointer("/authorization/parameters")?.as_object()?, name)
}

/// The tag of what is made for a request.
#[must_use]
pub fn tag(key: &str) -> String {
    format!("wif:{key}")
}

/// Looks for the identity of a request.
///
/// # Errors
///
/// It cannot be read.
pub async fn identity(
    services: &Services,
    requested: &RequestedIdentity,
    key: &str,
) -> Result<Option<Identity>, CallError> {
    match requested {
        RequestedIdentity::Application { name } => {
            let Some(object) = services.application_named(&unique_name(name)).await? else { return Ok(None) };
            let client = id(&object, "appId").ok_or(CallError::Unusable(200))?;
            let principal = services.principal(client).await?.and_then(|one| id(&one, "id"));
            let tags = object.get("tags").and_then(Value::as_array).into_iter().flatten();
            let is_own = tags.filter_map(Value::as_str).any(|one| one == tag(key));
            let (application, holder) = (id(&object, "id"), Holder::Application(client));
            Ok(Some(Identity { client, application, principal, holder, is_own }))
        }
        RequestedIdentity::ManagedIdentity { name, resource_group, subscription } => {
            let path = crate::made::resource_of(*subscription, resource_group, name);
            let Some(object) = services.managed_identity(&path).await? else { return Ok(None) };
            let properties = object.get("properties").cloned().unwrap_or_default();
            let client = id(&properties, "clientId").ok_or(CallError::Unusable(200))?;
            let is_own = object.pointer("/tags/wif").and_then(Value::as_str) == Some(key);
            let principal = id(&properties, "principalId");
            let holder = Holder::ManagedIdentity(path);
            Ok(Some(Identity { client, application: None, principal, holder, is_own }))
        }
        RequestedIdentity::Existing { client } => {
            let Some(object) = services.principal(*client).await? else { return Ok(None) };
            let names = object.get("alternativeNames").and_then(Value::as_array).into_iter().flatten();
            let mut paths =
                names.filter_map(Value::as_str).filter(|one| one.contains("/userAssignedIdentities/"));
            let holder = match paths.next() {
                Some(path) => Holder::ManagedIdentity(path.to_owned()),
                None => Holder::Application(*client),
            };
            let principal = id(&object, "id");
            Ok(Some(Identity { client: *client, application: None, principal, holder, is_own: false }))
        }
    }
}

/// Looks for the connection of a request: by its id, where that is known, else by its mark among those of its name, and in a migration
/// among those of the old one's name, too.
///
/// # Errors
///
/// It cannot be read.
pub async fn connection(services: &Services, asked: &Asked, known: Uuid) -> Result<Found, CallError> {
    if asked.is_there {
        let raw = services.connection(asked.owner(), known).await?;
        return Ok(raw.map_or(Found::Absent, Found::There));
    }
    let named = services.connections_named(asked.owner(), &asked.request.connection).await?;
    let is_taken = !named.is_empty();
    if let Some(own) = named.into_iter().find(|one| is_marked(one, asked)) {
        return Ok(Found::There(own));
    }
    // It may have the name of the old one by now.
    if let Some(beside) = &asked.beside {
        let named = services.connections_named(asked.owner(), &beside.name).await?;
        if let Some(own) = named.into_iter().find(|one| is_marked(one, asked)) {
            return Ok(Found::There(own));
        }
    }
    Ok(if is_taken { Found::Foreign } else { Found::Absent })
}

/// Whether a connection was made for a request; in a migration, beside this very old one.
pub(super) fn is_marked(connection: &Value, asked: &Asked) -> bool {
    let mark = match &asked.beside {
        Some(beside) => format!("{}{}", mark_beside(beside.connection), asked.key),
        None => format!("{MARK}{}", asked.key),
    };
    text(connection, "description").contains(&mark)
}

/// The federated credentials of an identity that can be read as plain ones.
///
/// # Errors
///
/// They cannot be read.
pub async fn credentials(services: &Services, holder: &Holder) -> Result<Vec<Credential>, CallError> {
    Ok(plain(&services.credentials(holder).await?))
}

/// Those federated credentials that can be read as plain ones.
#[must_use]
pub fn plain(all: &[Value]) -> Vec<Credential> {
    all.iter().filter_map(crate::change::observe::credential).collect()
}
