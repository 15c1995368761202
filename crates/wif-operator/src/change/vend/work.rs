//! One step of a request: how far it is, the call that does it, and the call that undoes it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    asked::{Asked, Change, assignment_name},
    look::{self, Found, Identity},
};
use crate::{
    change::{
        plan::{AUDIENCE, Credential},
        service::{CallError, NotChanged, Services},
    },
    drift::unique_name,
    request::RequestedIdentity,
    subject::of_entra,
};

/// A step, or its inverse.
pub struct Work<'a> {
    /// The services.
    pub services: &'a Services,
    /// The organization's id.
    pub organization: Uuid,
    /// The request.
    pub asked: &'a Asked,
    /// The id of the connection, or what stands for it.
    pub connection: Uuid,
    /// What is changed.
    pub change: &'a Change,
    /// Whether it is undone.
    pub is_undone: bool,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// A service is still at it.
    UnderWay,
    /// It is to be done.
    Open,
}

/// Why it is not known how far a step is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stuck {
    /// A service did not let it be read.
    #[error("{0}")]
    Call(#[from] CallError),
    /// What the step depends on is not there.
    #[error("{0} is not there")]
    Missing(&'static str),
    /// Something else than what was asked for is there.
    #[error("{0}")]
    Wrong(String),
}

type Sent = Result<Option<String>, NotChanged>;

impl Change {
    /// Whether there is a call that undoes it.
    #[must_use]
    pub const fn has_inverse(&self) -> bool {
        matches!(
            self,
            Self::MakeApplication
                | Self::MakeManagedIdentity
                | Self::AssignRole { .. }
                | Self::MakeConnection
                | Self::Share { .. }
                | Self::Unshare { .. }
                | Self::Trust
                | Self::Authorize { .. }
                | Self::MakeBranchControl { .. }
                | Self::MakeApproval { .. }
        )
    }
}

impl Work<'_> {
    async fn identity(&self) -> Result<Option<Identity>, CallError> {
        look::identity(self.services, &self.asked.request.identity, &self.asked.key).await
    }

    async fn there(&self) -> Result<Identity, Stuck> {
        self.identity().await?.ok_or(Stuck::Missing("the identity"))
    }

    async fn raw(&self) -> Result<Value, Stuck> {
        let found = look::connection(self.services, self.asked, self.connection).await?;
        found.connection().ok_or(Stuck::Missing("the connection"))
    }

    async fn id(&self) -> Result<Uuid, Stuck> {
        look::id(&self.raw().await?, "id").ok_or(Stuck::Missing("the connection"))
    }

    /// How far it is.
    ///
    /// # Errors
    ///
    /// That cannot be read, or what is there is not what was asked for.
    pub async fn progress(&self) -> Result<Progress, Stuck> {
        let is_there = match self.change {
            Change::MakeConnection => return self.connection_made().await,
            Change::MakeApplication | Change::MakeManagedIdentity => self.identity().await?.is_some(),
            Change::MakePrincipal => self.there().await?.principal.is_some(),
            Change::AssignRole { definition, scope, .. } => match self.identity().await? {
                Some(Identity { principal: Some(principal), .. }) => {
                    self.has_role(*definition, scope, principal).await?
                }
                _ => false,
            },
            Change::RemoveRole { assignment, scope } => {
                let principal =
                    self.there().await?.principal.ok_or(Stuck::Missing("the service principal"))?;
                let all = self.services.role_assignments(scope, principal).await?;
                let is_it = |one: &Value| text(one, "id").eq_ignore_ascii_case(assignment);
                !all.iter().any(is_it)
            }
            Change::SaveConnection => {
                let (raw, identity) = (self.raw().await?, self.there().await?);
                self.is_saved(&raw, identity.client)
            }
            Change::Share { project } => self.is_shared(project.id).await?,
            Change::Unshare { project } => !self.is_shared(project.id).await?,
            Change::Trust if self.is_undone => {
                match look::connection(self.services, self.asked, self.connection).await? {
                    Found::There(raw) => self.is_trusted(&raw).await?,
                    Found::Absent | Found::Foreign => false,
                }
            }
            Change::Trust => {
                let raw = self.raw().await?;
                self.check_pair(&raw)?;
                self.is_trusted(&raw).await?
            }
            Change::RemoveTrust { name } => {
                let all = look::credentials(self.services, &self.there().await?.holder).await?;
                !all.iter().any(|one| one.name == *name)
            }
            Change::Authorize { project, add, remove, closes } => {
                let now = self.services.permissions(*project, self.id().await?).await?;
                let (open, allowed) = (is_open(&now), allowed(&now));
                let (add, remove) = if self.is_undone { (remove, add) } else { (add, remove) };
                let is_done = add.iter().all(|id| allowed.contains(id))
                    && !remove.iter().any(|id| allowed.contains(id))
                    && (!closes || open == self.is_undone);
                return Ok(if is_done { Progress::Done } else { Progress::Open });
            }
            Change::MakeBranchControl { .. } | Change::MakeApproval { .. } => {
                self.own_check().await?.is_some()
            }
            Change::RemoveCheck { id } => {
                let all = self.services.checks(self.asked.owner(), self.id().await?).await?;
                !all.iter().any(|one| one.get("id").and_then(Value::as_u64) == Some(*id))
            }
            Change::Report => true,
        };
        Ok(if is_there == self.is_undone { Progress::Open } else { Progress::Done })
    }

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
            (Change::MakeConnection, false) => {
                services.make_connection(&asked.connection(self.there().await?.client)).await
            }
            (Change::MakeConnection, true) => {
                let projects: Vec<_> = asked.projects.iter().map(|one| one.id).collect();
                services.take_connection(self.id().await?, &projects).await
            }
            (Change::SaveConnection, _) => {
                let (raw, identity) = (self.raw().await?, self.there().await?);
                let id = look::id(&raw, "id").ok_or(Stuck::Missing("the connection"))?;
                services.save_connection(id, &self.saved(raw, identity.client)).await
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
            (Change::Trust, false) => {
                let credential = self.credential(&self.raw().await?)?;
                services.add_credential(&self.there().await?.holder, &credential).await
            }
            (Change::Trust, true) => {
                let (name, holder) = (self.credential(&self.raw().await?)?.name, self.there().await?.holder);
                services.remove_credential(&holder, &name).await
            }
            (Change::RemoveTrust { name }, _) => {
                services.remove_credential(&self.there().await?.holder, name).await
            }
            (Change::Authorize { project, add, remove, closes }, _) => {
                let (add, remove) = if is_undone { (remove, add) } else { (add, remove) };
                let one = |id: &u64, is: bool| json!({ "id": id, "authorized": is });
                let pipelines =
                    add.iter().map(|id| one(id, true)).chain(remove.iter().map(|id| one(id, false)));
                let mut body = json!({ "pipelines": pipelines.collect::<Vec<_>>() });
                // Never opened: not even what was open is opened again.
                if *closes && !is_undone {
                    body["allPipelines"] =
                        json!({ "authorized": false, "authorizedBy": null, "authorizedOn": null });
                }
                services.authorize(*project, self.id().await?, &body).await
            }
            (Change::MakeBranchControl { .. } | Change::MakeApproval { .. }, false) => {
                services.make_check(owner, &self.check(self.id().await?)).await
            }
            (Change::MakeBranchControl { .. } | Change::MakeApproval { .. }, true) => {
                match self.own_check().await? {
                    Some(id) => services.remove_check(owner, id).await,
                    None => Ok(None),
                }
            }
            (Change::RemoveCheck { id }, _) => services.remove_check(owner, *id).await,
            (Change::MakePrincipal | Change::Report, _) => Ok(None),
        })
    }

    async fn connection_made(&self) -> Result<Progress, Stuck> {
        let raw = match look::connection(self.services, self.asked, self.connection).await? {
            Found::There(raw) => raw,
            Found::Absent => return Ok(if self.is_undone { Progress::Done } else { Progress::Open }),
            Found::Foreign if self.is_undone => return Ok(Progress::Done),
            Found::Foreign => {
                let name = &self.asked.request.connection;
                let text = format!(
                    "another connection has the name {name} by now, and was not made for this request"
                );
                return Err(Stuck::Wrong(text));
            }
        };
        if self.is_undone {
            return Ok(Progress::Open);
        }
        let state = raw.pointer("/operationStatus/state").and_then(Value::as_str).unwrap_or_default();
        if state.eq_ignore_ascii_case("Failed") {
            return Err(Stuck::Wrong("Azure DevOps says that making the connection has failed".to_owned()));
        }
        let is_ready = raw.get("isReady").and_then(Value::as_bool) != Some(false);
        let is_done = is_ready && !state.eq_ignore_ascii_case("InProgress");
        Ok(if is_done { Progress::Done } else { Progress::UnderWay })
    }

    async fn has_role(&self, definition: Uuid, scope: &str, principal: Uuid) -> Result<bool, CallError> {
        let all = self.services.role_assignments(scope, principal).await?;
        Ok(all.iter().any(|one| is_assignment(one, definition, scope)))
    }

    fn is_saved(&self, raw: &Value, client: Uuid) -> bool {
        let asked = self.asked;
        let parameter = |name: &str| look::parameter(raw, name).unwrap_or_default();
        let scope = parameter("scope");
        let is_scope = scope.eq_ignore_ascii_case(&asked.request.scope)
            || scope.is_empty() && asked.request.scope.matches('/').count() == 2;
        let description = text(raw, "description");
        let own = asked.description("");
        parameter("serviceprincipalid").eq_ignore_ascii_case(&client.to_string())
            && (is_scope || asked.request.scope.starts_with("/providers/"))
            && own.split("; ").all(|part| description.contains(part) || part.starts_with(crate::drift::MARK))
    }

    fn saved(&self, mut raw: Value, client: Uuid) -> Value {
        let wanted = self.asked.connection(client);
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
            reference["description"] = json!(description);
        }
        raw["description"] = json!(description);
        raw
    }

    async fn is_shared(&self, project: Uuid) -> Result<bool, Stuck> {
        let raw = self.raw().await?;
        let all = raw.get("serviceEndpointProjectReferences").and_then(Value::as_array);
        let is_it =
            |one: &Value| one.get("projectReference").and_then(|one| look::id(one, "id")) == Some(project);
        Ok(all.into_iter().flatten().any(is_it))
    }

    /// The credential that the connection needs: its issuer and subject as they are read.
    fn credential(&self, raw: &Value) -> Result<Credential, Stuck> {
        let of = |name: &str| look::parameter(raw, name).filter(|text| !text.is_empty());
        let issuer =
            of("workloadIdentityFederationIssuer").ok_or(Stuck::Missing("the connection's issuer"))?;
        let subject =
            of("workloadIdentityFederationSubject").ok_or(Stuck::Missing("the connection's subject"))?;
        let id = look::id(raw, "id").ok_or(Stuck::Missing("the connection"))?;
        Ok(Credential { name: format!("wif-{id}"), issuer, subject, audience: AUDIENCE.to_owned() })
    }

    /// Whether issuer and subject are those that can be computed.
    fn check_pair(&self, raw: &Value) -> Result<(), Stuck> {
        let Credential { issuer, subject, .. } = self.credential(raw)?;
        let id = look::id(raw, "id").ok_or(Stuck::Missing("the connection"))?;
        let tenant = self.asked.tenant;
        let (own, of) = (
            format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            of_entra(tenant, self.organization, id),
        );
        if issuer == own && subject == of {
            return Ok(());
        }
        let text = format!(
            "the connection has the issuer {issuer} and the subject {subject}, and those of its tenant, organization and id are {own} and {of}"
        );
        Err(Stuck::Wrong(text))
    }

    async fn is_trusted(&self, raw: &Value) -> Result<bool, Stuck> {
        let wanted = self.credential(raw)?;
        let Some(identity) = self.identity().await? else { return Ok(false) };
        let all = look::credentials(self.services, &identity.holder).await?;
        Ok(all.iter().any(|one| {
            one.issuer == wanted.issuer && one.subject == wanted.subject && one.audience == wanted.audience
        }))
    }

    /// The check as it is to be made.
    fn check(&self, connection: Uuid) -> Value {
        let resource = json!({ "type": "endpoint", "id": connection, "name": self.asked.request.connection });
        match self.change {
            Change::MakeApproval { approvers } => json!({
                "type": { "id": APPROVAL, "name": "Approval" },
                "settings": {
                    "approvers": approvers.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
                    "executionOrder": "anyOrder", "minRequiredApprovers": 0, "instructions": "",
                    "requesterCannotBeApprover": false, "blockedApprovers": [],
                },
                "resource": resource,
                "timeout": 43200,
            }),
            Change::MakeBranchControl { branches } => json!({
                "type": { "id": TASK_CHECK, "name": "Task Check" },
                "settings": {
                    "definitionRef": { "id": BRANCHES, "name": "evaluatebranchProtection", "version": "0.0.1" },
                    "displayName": "Branch control",
                    "inputs": {
                        "allowedBranches": branches.join(","), "ensureProtectionOfBranch": "true",
                        "allowUnknownStatusBranch": "false",
                    },
                    "retryInterval": 5,
                },
                "resource": resource,
                "timeout": 1440,
            }),
            _ => Value::Null,
        }
    }

    /// The check that is exactly what is to be made, by its id.
    async fn own_check(&self) -> Result<Option<u64>, Stuck> {
        let raw = match look::connection(self.services, self.asked, self.connection).await? {
            Found::There(raw) => raw,
            _ if self.is_undone => return Ok(None),
            _ => return Err(Stuck::Missing("the connection")),
        };
        let id = look::id(&raw, "id").ok_or(Stuck::Missing("the connection"))?;
        let all = self.services.checks(self.asked.owner(), id).await?;
        let is_it = |one: &&Value| match self.change {
            Change::MakeApproval { approvers } => {
                approvers_of(one).is_some_and(|known| same(&known, approvers))
            }
            Change::MakeBranchControl { branches } => {
                branches_of(one).is_some_and(|known| same(&known, branches))
            }
            _ => false,
        };
        Ok(all.iter().find(is_it).and_then(|one| one.get("id")?.as_u64()))
    }
}

const APPROVAL: &str = "8c6f20a7-a545-4486-9777-f762fafe0d4d";
const TASK_CHECK: &str = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7";
const BRANCHES: &str = "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b";

fn same<T: Ord + Clone>(one: &[T], other: &[T]) -> bool {
    let sorted = |all: &[T]| {
        let mut all = all.to_vec();
        all.sort();
        all
    };
    sorted(one) == sorted(other)
}

fn is_switched_on(check: &Value) -> bool {
    check.get("isDisabled").and_then(Value::as_bool) != Some(true)
}

/// The approvers of an approval that is switched on.
#[must_use]
pub fn approvers_of(check: &Value) -> Option<Vec<Uuid>> {
    let is_it =
        check.pointer("/type/id").and_then(Value::as_str).is_some_and(|id| id.eq_ignore_ascii_case(APPROVAL));
    let all = check.pointer("/settings/approvers").and_then(Value::as_array)?;
    (is_it && is_switched_on(check)).then(|| all.iter().filter_map(|one| look::id(one, "id")).collect())
}

/// The branches of a branch control that is switched on.
#[must_use]
pub fn branches_of(check: &Value) -> Option<Vec<String>> {
    let of = |path: &str| check.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let is_it = of("/settings/definitionRef/id").eq_ignore_ascii_case(BRANCHES);
    let all = of("/settings/inputs/allowedBranches").split(',').map(str::trim).filter(|one| !one.is_empty());
    (is_it && is_switched_on(check)).then(|| all.map(str::to_owned).collect())
}

/// Whether a role assignment is this role at exactly this scope.
#[must_use]
pub fn is_assignment(one: &Value, definition: Uuid, scope: &str) -> bool {
    let of =
        |name: &str| one.pointer(&format!("/properties/{name}")).and_then(Value::as_str).unwrap_or_default();
    let role = of("roleDefinitionId").rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok());
    role == Some(definition)
        && of("scope").trim_end_matches('/').eq_ignore_ascii_case(scope.trim_end_matches('/'))
}

/// Whether every pipeline may use the connection.
#[must_use]
pub fn is_open(permissions: &Value) -> bool {
    permissions.pointer("/allPipelines/authorized").and_then(Value::as_bool) == Some(true)
}

/// The pipelines that may use the connection by themselves.
#[must_use]
pub fn allowed(permissions: &Value) -> Vec<u64> {
    let all = permissions.get("pipelines").and_then(Value::as_array);
    let is_allowed = |one: &&Value| one.get("authorized").and_then(Value::as_bool) == Some(true);
    all.into_iter().flatten().filter(is_allowed).filter_map(|one| one.get("id")?.as_u64()).collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
