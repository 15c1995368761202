//! The call of each step of a request, and of its inverse.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    asked::{Change, assignment_name},
    guards::check,
    look,
    work::{Stuck, Work, text},
};
use crate::{
    change::service::{CallError, NotChanged},
    made::unique_name,
    request::RequestedIdentity,
};

pub(super) type Sent = Result<Option<String>, NotChanged>;

impl Work<'_> {
    /// Does it, or undoes it.
    ///
    /// # Errors
    ///
    /// It was not done, or that is not known.
    pub async fn send(&self) -> Sent {
        match self.try_send().await {
            Ok(sent) => sent,
            Err(Stuck::Call(error)) => Err(NotChanged::NotDone(error)),
            Err(other) => Err(NotChanged::NotDone(CallError::Refused {
                status: 404,
                code: None,
                message: Some(other.to_string()),
            })),
        }
    }

    async fn try_send(&self) -> Result<Sent, Stuck> {
        let (services, asked) = (self.services, self.asked);
        let (owner, is_undone) = (asked.owner(), self.is_undone);
        Ok(match (self.change, is_undone) {
            (Change::MakeApplication, _) => {
                let RequestedIdentity::Application { name } = &asked.request.identity else {
                    return Err(Stuck::Missing("the application's name"));
                };
                let unique = unique_name(name);
                if is_undone {
                    services.delete_application(&unique).await
                } else {
                    let body = json!({
                        "displayName": name, "signInAudience": "AzureADMyOrg", "tags": [look::tag(&asked.key)],
                    });
                    services.make_application(&unique, &body).await
                }
            }
            (Change::MakePrincipal, false) => services.make_principal(self.there().await?.client).await,
            (Change::MakeManagedIdentity, _) => {
                let path = asked.resource().ok_or(Stuck::Missing("the managed identity's path"))?;
                if is_undone {
                    services.delete_managed_identity(&path).await
                } else {
                    let body = json!({ "location": asked.region, "tags": { "wif": asked.key } });
                    services.make_managed_identity(&path, &body).await
                }
            }
            (Change::AssignRole { definition, scope, .. }, _) => {
                let principal =
                    self.there().await?.principal.ok_or(Stuck::Missing("the service principal"))?;
                let name = assignment_name(*definition, scope, principal);
                if is_undone {
                    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
                    services.remove_role(&path).await
                } else {
                    let definition =
                        format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{definition}");
                    let body = json!({ "properties": {
                        "roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal",
                    } });
                    services.assign_role(scope, name, &body).await
                }
            }
            (Change::RemoveRole { assignment, .. }, _) => services.remove_role(assignment).await,
            (
                Change::MakeConnection
                | Change::SaveConnection
                | Change::Share { .. }
                | Change::Unshare { .. },
                _,
            ) => self.send_connection().await?,
            (Change::Trust, false) => {
                let credential = Self::credential(&self.raw().await?)?;
                services.add_credential(&self.there().await?.holder, &credential).await
            }
            (Change::Trust, true) => {
                let name = match self.raw().await {
                    Ok(raw) => Some(Self::credential(&raw)?.name),
                    Err(Stuck::Missing(_)) => self.orphan().await?,
                    Err(error) => return Err(error),
                };
                match name {
                    Some(name) => services.remove_credential(&self.there().await?.holder, &name).await,
                    None => Ok(None),
                }
            }
            (Change::RemoveTrust { name }, _) => {
                services.remove_credential(&self.there().await?.holder, name).await
            }
            (Change::Authorize { project, add, remove, closes }, _) => {
                let (add, remove) = if is_undone { (remove, add) } else { (add, remove) };
                let one = |id: &u64, is: bool| json!({ "id": id, "authorized": is });
                let pipelines =
                    add.iter().map(|id| one(id, true)).chain(remove.iter().map(|id| one(id, false)));
                let pipelines: Vec<_> = pipelines.collect();
                // Never opened: not even what was open is opened again.
                let body = if *closes && !is_undone {
                    let closed = json!({ "authorized": false, "authorizedBy": null, "authorizedOn": null });
                    json!({ "pipelines": pipelines, "allPipelines": closed })
                } else {
                    json!({ "pipelines": pipelines })
                };
                services.authorize(*project, self.id().await?, &body).await
            }
            (Change::MakeBranchControl { .. } | Change::MakeApproval { .. }, false) => {
                services
                    .make_check(owner, &check(self.change, &self.asked.request.connection, self.id().await?))
                    .await
            }
            (Change::MakeBranchControl { .. } | Change::MakeApproval { .. }, true) => {
                match self.own_check().await? {
                    Some(id) => services.remove_check(owner, id).await,
                    None => Ok(None),
                }
            }
            (Change::RemoveCheck { id }, _) => services.remove_check(owner, *id).await,
            (Change::MakePrincipal | Change::Report, _) => Ok(None),
            _ => self.send_copy_or_end().await?,
        })
    }

    async fn send_connection(&self) -> Result<Sent, Stuck> {
        let (services, asked) = (self.services, self.asked);
        Ok(match (self.change, self.is_undone) {
            (Change::MakeConnection, false) => {
                services.make_connection(&asked.connection(&self.there().await?.client.to_string())).await
            }
            (Change::MakeConnection, true) => {
                let projects: Vec<_> = asked.projects.iter().map(|one| one.id).collect();
                services.take_connection(self.id().await?, &projects).await
            }
            (Change::SaveConnection, _) => {
                let (raw, identity) = (self.raw().await?, self.there().await?);
                services.save(asked.owner(), &self.saved(raw, identity.client)).await
            }
            (Change::Share { project }, false) | (Change::Unshare { project }, true) => {
                let raw = self.raw().await?;
                let description = text(&raw, "description").to_owned();
                let id = look::id(&raw, "id").ok_or(Stuck::Missing("the connection"))?;
                services.share_connection(id, &json!([asked.reference(project, &description)])).await
            }
            (Change::Unshare { project }, false) | (Change::Share { project }, true) => {
                services.take_connection(self.id().await?, &[project.id]).await
            }
            _ => Ok(None),
        })
    }

    fn saved(&self, mut raw: Value, client: Uuid) -> Value {
        let wanted = self.asked.connection(&client.to_string());
        let description = self.asked.description(text(&raw, "description"));
        if let Some(parameters) = raw.pointer_mut("/authorization/parameters").and_then(Value::as_object_mut)
        {
            // Names differ in case; issuer and subject are Azure DevOps' own.
            parameters.retain(|name, _| {
                !["serviceprincipalid", "scope"].iter().any(|known| name.eq_ignore_ascii_case(known))
            });
            for (name, value) in
                wanted.pointer("/authorization/parameters").and_then(Value::as_object).into_iter().flatten()
            {
                parameters.insert(name.clone(), value.clone());
            }
        }
        if let (Some(data), Some(own)) = (
            raw.get_mut("data").and_then(Value::as_object_mut),
            wanted.get("data").and_then(Value::as_object),
        ) {
            data.extend(own.clone());
        }
        for reference in raw
            .get_mut("serviceEndpointProjectReferences")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            set(reference, "description", json!(description));
        }
        set(&mut raw, "description", json!(description));
        raw
    }
}

pub(super) fn set(value: &mut Value, name: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), to);
    }
}
