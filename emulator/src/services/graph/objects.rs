//! Applications, service principals, federated credentials and owners as Microsoft Graph shows them.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::world::clock::graph_moment;
use crate::world::directory::entra::{App, Kind};
use crate::world::directory::records::Person;

/// A set of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Applications,
    ServicePrincipals,
    /// Applications that were deleted, and can be restored.
    DeletedApplications,
}

impl Set {
    /// Whether an identity has an object of this set.
    pub(super) fn has(self, app: &App) -> bool {
        let is_application = app.kind == Kind::Application;
        match self {
            _ if app.record.purged => false,
            Self::Applications => is_application && !app.record.deleted,
            Self::ServicePrincipals => !app.record.deleted && !app.record.without_principal,
            Self::DeletedApplications => is_application && app.record.deleted,
        }
    }

    /// The object id.
    pub(super) fn id(self, app: &App) -> Uuid {
        match self {
            Self::Applications | Self::DeletedApplications => app.application_object(),
            Self::ServicePrincipals => app.object_id,
        }
    }

    /// The federated credentials that objects of this set show: those of an application are no matter of its service
    /// principal.
    pub(super) fn credentials(self, app: &App) -> Vec<Value> {
        if self == Self::ServicePrincipals && app.kind == Kind::Application {
            return vec![];
        }
        federated_credentials(app)
    }

    pub(super) fn object(self, app: &App) -> Value {
        match self {
            Self::Applications | Self::DeletedApplications => application(app),
            Self::ServicePrincipals => service_principal(app),
        }
    }
}

fn application(app: &App) -> Value {
    let secrets: Vec<_> = app
        .secrets
        .iter()
        .enumerate()
        .map(|(at, one)| credential(app, at, one.expires, json!({ "hint": "abc", "secretText": null })))
        .collect();
    let ends = app.certificates.iter().map(|one| one.not_after).chain(app.record.certificate_ends.clone());
    let certificates: Vec<_> = ends
        .enumerate()
        .map(|(at, end)| {
            let more = json!({ "type": "AsymmetricX509Cert", "usage": "Verify", "key": null });
            credential(app, 1000 + at, Some(end), more)
        })
        .collect();
    let audience = if app.multi_tenant { "AzureADMultipleOrgs" } else { "AzureADMyOrg" };
    json!({
        "id": app.application_object(),
        "appId": app.client_id,
        "displayName": app.name(),
        "uniqueName": app.record.unique_name,
        "signInAudience": audience,
        "createdDateTime": "2026-01-05T08:00:00Z",
        "passwordCredentials": secrets,
        "keyCredentials": certificates,
        "disabledByMicrosoftStatus": null,
        "tags": app.record.tags,
        "groupMembershipClaims": null,
        "api": {
            "acceptMappedClaims": null,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": null,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
    })
}

fn credential(app: &App, at: usize, end: Option<OffsetDateTime>, more: Value) -> Value {
    let mut one = json!({
        "keyId": derived(app.client_id, at),
        "displayName": format!("credential {at}"),
        "startDateTime": end.map(|end| graph_moment(end - Duration::days(90))),
        "endDateTime": end.map(graph_moment),
    });
    if let (Some(one), Value::Object(more)) = (one.as_object_mut(), more) {
        one.extend(more);
    }
    one
}

fn service_principal(app: &App) -> Value {
    let kind = match app.kind {
        Kind::Application => "Application",
        Kind::ManagedIdentity => "ManagedIdentity",
    };
    let audience = if app.multi_tenant { "AzureADMultipleOrgs" } else { "AzureADMyOrg" };
    let names: &[String] = &app
        .record
        .subscription
        .map(|subscription| {
            format!(
                "/subscriptions/{subscription}/resourcegroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
                app.resource_group(),
                app.name()
            )
        })
        .into_iter()
        .collect::<Vec<_>>();
    json!({
        "id": app.object_id,
        "appId": app.client_id,
        "displayName": app.name(),
        "servicePrincipalType": kind,
        "accountEnabled": !app.disabled,
        "signInAudience": audience,
        "alternativeNames": names,
        "appOwnerOrganizationId": app.record.home_tenant,
    })
}

fn federated_credentials(app: &App) -> Vec<Value> {
    let plain = app.credentials_read().into_iter().map(|one| {
        json!({
            "id": app.credential_id(&one.name), "name": one.name, "issuer": one.issuer, "subject": one.subject,
            "description": null, "audiences": [one.audience],
        })
    });
    plain.chain(app.record.more_credentials.iter().cloned()).collect()
}

pub(super) fn owner(person: &Person) -> Value {
    let is_guest = person.unique_name.contains("#EXT#");
    json!({
        "@odata.type": "#microsoft.graph.user",
        "id": person.id,
        "displayName": person.name,
        "userPrincipalName": person.unique_name,
        "userType": if is_guest { "Guest" } else { "Member" },
        "accountEnabled": !person.disabled,
    })
}

/// The same id each time, made of another one and a number.
fn derived(id: Uuid, at: usize) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ (0xc4ed << 96) ^ at as u128)
}
