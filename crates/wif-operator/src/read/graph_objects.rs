//! Objects of Microsoft Graph: applications, service principals and their credentials.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{
    error::ReadError,
    wire::{flag, id, list, moment, plain, text},
};
use crate::snapshot::{
    Existence,
    identity::{FederatedCredential, Identity, IdentityKind, Owner, StoredCredential},
};

/// A service principal.
pub(super) struct Principal {
    pub(super) client: Uuid,
    object: Option<Uuid>,
    name: Option<String>,
    is_enabled: Option<bool>,
    kind: Option<IdentityKind>,
    resource: Option<String>,
}

impl Principal {
    /// Adds what it tells to its identity.
    pub(super) fn note_in(self, identities: &mut BTreeMap<Uuid, Identity>) {
        let Some(identity) = identities.get_mut(&self.client) else { return };
        identity.existence = Existence::Found;
        identity.principal_object = self.object;
        identity.is_enabled = self.is_enabled;
        if let Some(kind) = self.kind {
            identity.kind = kind;
        }
        if self.kind == Some(IdentityKind::ManagedIdentity) {
            identity.resource = self.resource;
        }
        if identity.name.is_none() {
            identity.name = self.name;
        }
    }
}

pub(super) fn application(client: Uuid, object: &Value) -> Identity {
    let stored = |name: &str| {
        let all = object.get(name)?.as_array()?;
        Some(all.iter().map(stored_credential).collect())
    };
    let owners = object.get("owners").and_then(Value::as_array);
    Identity {
        kind: IdentityKind::Application,
        existence: Existence::Found,
        name: text(object, "displayName"),
        unique_name: text(object, "uniqueName"),
        application_object: id(object, "id"),
        sign_in_audience: text(object, "signInAudience"),
        secrets: stored("passwordCredentials"),
        certificates: stored("keyCredentials"),
        owners: owners.map(|owners| owners.iter().filter_map(owner).collect()),
        ..Identity::new(client, None)
    }
}

pub(super) fn principal(object: &Value) -> Option<Principal> {
    let kind = text(object, "servicePrincipalType").unwrap_or_default();
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    let names = list(object, "alternativeNames").iter().filter_map(plain);
    let mut paths = names.filter(|name| name.to_ascii_lowercase().contains("/userassignedidentities/"));
    Some(Principal {
        client: id(object, "appId")?,
        object: id(object, "id"),
        name: text(object, "displayName"),
        is_enabled: flag(object, "accountEnabled"),
        kind: match () {
            () if is("ManagedIdentity") => Some(IdentityKind::ManagedIdentity),
            () if is("Application") => Some(IdentityKind::Application),
            () => None,
        },
        resource: paths.next(),
    })
}

/// The items of a page. An answer without its list is not one that is empty.
pub(super) fn list_of(page: &Value) -> Result<&[Value], ReadError> {
    match page.get("value").and_then(Value::as_array) {
        Some(items) => Ok(items),
        None => Err(ReadError::Unusable { status: 200, kind: "JSON without a list" }),
    }
}

/// Whether a list goes on.
pub(super) fn has_next(page: &Value) -> bool {
    text(page, "@odata.nextLink").is_some()
}

fn stored_credential(value: &Value) -> StoredCredential {
    StoredCredential {
        ends: moment(value, "endDateTime"),
        starts: moment(value, "startDateTime"),
        id: id(value, "keyId"),
        name: text(value, "displayName"),
    }
}

fn owner(value: &Value) -> Option<Owner> {
    let kind = text(value, "@odata.type").unwrap_or_default();
    let name = text(value, "userPrincipalName");
    let is_guest = text(value, "userType").map(|kind| kind.eq_ignore_ascii_case("guest"));
    Some(Owner {
        id: id(value, "id")?,
        name: text(value, "displayName"),
        // The name of a guest says so, where the type is not told.
        is_guest: is_guest.or_else(|| name.as_ref().map(|name| name.contains("#EXT#"))),
        user_principal_name: name,
        is_enabled: flag(value, "accountEnabled"),
        is_service: kind.to_ascii_lowercase().ends_with("serviceprincipal"),
    })
}

/// The federated credentials of an object, where it came with them.
pub(super) fn credentials(object: &Value) -> Option<Vec<FederatedCredential>> {
    let all = object.get("federatedIdentityCredentials")?.as_array()?;
    Some(all.iter().map(credential).collect())
}

/// A federated credential as Graph has it, and as the resource manager has it below `properties`.
pub(super) fn credential(value: &Value) -> FederatedCredential {
    let of = value.get("properties").unwrap_or(value);
    // Compared character by character: not even white space is taken away.
    let exact = |name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    FederatedCredential {
        name: text(value, "name").unwrap_or_default(),
        id: text(value, "id"),
        issuer: exact("issuer"),
        subject: exact("subject"),
        audiences: list(of, "audiences").iter().filter_map(plain).collect(),
        is_flexible: of.get("claimsMatchingExpression").is_some_and(|one| !one.is_null()),
    }
}
