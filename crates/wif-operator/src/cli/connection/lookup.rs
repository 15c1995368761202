//! What the plan of a request looks up: ids of roles, pipelines, approvers and projects, and what is there.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    privileged::refuse_privileged_identity,
    unplanned::{Unplanned, unread, wrong},
};
use crate::{
    change::{
        convert::MAX_CREDENTIALS,
        ids::Ids,
        plan::{Action, Item, PlannedProject, Step},
        service::Services,
        vend::{
            asked::{Asked, Change, guid, key},
            facts::{Looked, look_at},
            known::{Assigned, Known},
            look::{self, Identity},
            steps::steps,
        },
    },
    made::MARK,
    nearest::nearest,
    request::{Request, RequestedIdentity},
    snapshot::{Organization, connection::Connection, identity::RoleAssignment},
};

/// What is asked, and where.
pub(super) struct Lookup<'a> {
    pub(super) services: &'a Services,
    pub(super) organization: &'a Organization,
    /// The organization's id.
    pub(super) id: Uuid,
    /// Whether an identity that is there may have privileged roles.
    pub(super) allows_privileged: bool,
}

impl Lookup<'_> {
    /// The item of a request, with what was read of its connection. None, if nothing is to be done.
    pub(super) async fn item(
        &self,
        request: &Request,
        there: Option<(&Connection, Vec<RoleAssignment>)>,
        earlier: &[Item],
    ) -> Result<Option<Item>, Unplanned> {
        let services = self.services;
        let asked = self.asked(request, there.as_ref().map(|(connection, _)| *connection)).await?;
        let connection = there.as_ref().map_or_else(|| guid(&asked.key), |(connection, _)| connection.id);
        let looked = look_at(services, &asked, connection).await;
        let looked = looked.map_err(|error| unread("what the steps follow from", &error))?;
        let Looked { facts, raw, identity, permissions, checks } = looked;
        if let (RequestedIdentity::Existing { client }, None) = (&request.identity, &identity) {
            let why = format!("there is no service principal with the client id {client}");
            return Err(wrong(request, "identity", &why, "name one that is there"));
        }
        refuse_foreign(request, identity.as_ref(), raw.as_ref())?;
        if !self.allows_privileged {
            refuse_privileged_identity(services, request, identity.as_ref()).await?;
        }
        let all_credentials = match &identity {
            Some(identity) => services
                .credentials(&identity.holder)
                .await
                .map_err(|error| unread("the federated credentials", &error))?,
            None => Vec::new(),
        };
        let definitions = self.definitions(request).await?;
        // What was read are the roles of the identity that the connection has, which may be another one.
        let client = identity.as_ref().map(|one| one.client);
        let roles = there.filter(|(connection, _)| connection.client == client).map(|(_, roles)| roles);
        let roles = roles.unwrap_or_default();
        let assignments = self.assignments(request, identity.as_ref(), &roles).await?;
        let known = Known {
            asked: &asked,
            identity: identity.as_ref(),
            credentials: look::plain(&all_credentials),
            assignments,
            definitions,
            raw: raw.as_ref(),
            permissions,
            pipelines: self.pipelines(request, asked.owner()).await?,
            checks,
            approvers: self.approvers(request).await?,
        };
        let mut steps = steps(&known);
        if steps.is_empty() {
            return Ok(None);
        }
        let ids = self.ids(identity.as_ref(), raw.as_ref()).await;
        for step in &mut steps {
            step.ids = ids.clone();
        }
        refuse_shared(request, &steps, all_credentials.len(), earlier)?;
        let digest = facts.digest(&[]);
        let project = asked.projects.first().cloned();
        let project = project.unwrap_or(PlannedProject { id: Uuid::nil(), name: String::new() });
        let (name, asked) = (request.connection.clone(), Some(Box::new(asked)));
        let note = "its sides may need different people: wif hand-off PLAN --to entra|azure|devops prints the part of each; a plan that is made afterwards finds what they have done";
        let notes = vec![note.to_owned()];
        Ok(Some(Item { connection, name, project, facts, digest, steps, notes, asked }))
    }

    /// By which the services know what is there.
    async fn ids(&self, identity: Option<&Identity>, raw: Option<&Value>) -> Ids {
        let mut ids = identity.map(Identity::ids).unwrap_or_default();
        ids.connection = raw.and_then(|raw| look::id(raw, "id"));
        // Of one that is named by its client id alone. It is for what people read: the steps do without.
        if let (Some(client), None, None) = (ids.client, ids.application, &ids.resource) {
            let object = self.services.application(client).await.ok().flatten();
            ids.application = object.and_then(|object| look::id(&object, "id"));
        }
        ids
    }

    async fn asked(&self, request: &Request, there: Option<&Connection>) -> Result<Asked, Unplanned> {
        let mut projects = Vec::new();
        for name in &request.projects {
            let found = self.organization.projects.iter().find(|one| one.name.eq_ignore_ascii_case(name));
            let Some(project) = found else {
                let why = format!("the token sees no project '{name}'");
                return Err(wrong(request, "projects", &why, "use a token that sees it"));
            };
            projects.push(PlannedProject { id: project.id, name: project.name.clone() });
        }
        let owner = projects.first().map(|one| one.id).unwrap_or_default();
        let root = match request.scope.split('/').collect::<Vec<_>>().as_slice() {
            ["", "subscriptions", id, ..] => format!("/subscriptions/{id}"),
            _ => request.scope.clone(),
        };
        let scope = self.services.scope_root(&root).await.map_err(|error| unread("the scope", &error))?;
        let Some(scope) = scope else {
            return Err(wrong(request, "scope", &format!("{root} is not there"), "name one that is there"));
        };
        let of = |path: &str| scope.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let tenant = of("/tenantId").or_else(|| of("/properties/tenantId"));
        let tenant = tenant.and_then(|id| Uuid::try_parse(&id).ok()).ok_or_else(|| {
            Unplanned::Skipped(format!("{root} does not tell its tenant"), "try again".to_owned(), true)
        })?;
        let name = of("/displayName").or_else(|| of("/properties/displayName")).unwrap_or_default();
        let key = key(self.id, owner, &request.connection);
        let mark = format!("{MARK}{key}");
        let region = self.region(request).await?;
        Ok(Asked {
            request: request.clone(),
            is_there: there.is_some(),
            is_own: there
                .is_none_or(|one| one.description.as_deref().is_some_and(|text| text.contains(&mark))),
            key,
            tenant,
            scope_name: name,
            projects,
            region,
            beside: None,
        })
    }

    /// The region of the resource group of a managed identity.
    async fn region(&self, request: &Request) -> Result<Option<String>, Unplanned> {
        let RequestedIdentity::ManagedIdentity { resource_group, subscription, .. } = &request.identity
        else {
            return Ok(None);
        };
        let group = format!("/subscriptions/{subscription}/resourceGroups/{resource_group}");
        let region =
            self.services.region(&group).await.map_err(|error| unread("the resource group", &error))?;
        if region.is_none() {
            let why = format!("the resource group {group} is not there");
            return Err(wrong(
                request,
                "identity",
                &why,
                "make the resource group, or name one that is there",
            ));
        }
        Ok(region)
    }

    async fn definitions(&self, request: &Request) -> Result<Vec<Uuid>, Unplanned> {
        let mut ids = Vec::new();
        for (number, one) in request.access.iter().enumerate() {
            let found = self.services.role_definitions(&one.scope, &one.role).await;
            let found = found.map_err(|error| unread("the role definitions", &error))?;
            let id = match found.as_slice() {
                [one] => look::id(one, "name"),
                _ => None,
            };
            ids.push(id.ok_or_else(|| {
                let why = format!("there is no role '{}' at {}", one.role, one.scope);
                wrong(request, &format!("access[{number}]"), &why, "name a role as the portal shows it")
            })?);
        }
        Ok(ids)
    }

    /// The role assignments at the scopes that were asked for, and those that the reading of the organization has shown.
    async fn assignments(
        &self,
        request: &Request,
        identity: Option<&look::Identity>,
        known: &[RoleAssignment],
    ) -> Result<Vec<Assigned>, Unplanned> {
        let Some(principal) = identity.and_then(|one| one.principal) else { return Ok(Vec::new()) };
        let mut all: Vec<Assigned> = known
            .iter()
            .filter_map(|one| {
                let value = json!({
                    "id": one.id.as_ref()?,
                    "properties": { "roleDefinitionId": one.role_id?, "scope": one.scope },
                });
                Some(Assigned { value, role: one.role.clone() })
            })
            .collect();
        for one in &request.access {
            let listed = self.services.role_assignments(&one.scope, principal).await;
            let listed = listed.map_err(|error| unread("the role assignments", &error))?;
            let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_lowercase);
            for value in listed {
                // What lies elsewhere than at the scope itself is the matter of the whole list.
                let scope = value.pointer("/properties/scope").and_then(Value::as_str).unwrap_or_default();
                let is_here = scope.eq_ignore_ascii_case(&one.scope);
                if is_here && !all.iter().any(|known| id(&known.value) == id(&value)) {
                    all.push(Assigned { value, role: None });
                }
            }
        }
        Ok(all)
    }

    async fn pipelines(&self, request: &Request, owner: Uuid) -> Result<Vec<u64>, Unplanned> {
        if request.pipelines.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.services.pipelines(owner).await.map_err(|error| unread("the pipelines", &error))?;
        let name = |one: &Value| one.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut ids = Vec::new();
        for wanted in &request.pipelines {
            let mut found = all.iter().filter(|one| name(one).eq_ignore_ascii_case(wanted));
            let id = found.next().and_then(|one| one.get("id")?.as_u64());
            match (id, found.next()) {
                (Some(id), None) => ids.push(id),
                (Some(_), Some(_)) => {
                    let why = format!("several pipelines have the name '{wanted}'");
                    return Err(wrong(request, "pipelines", &why, "give them names of their own"));
                }
                (None, _) => {
                    let names: Vec<_> = all.iter().map(name).collect();
                    let near = nearest(wanted, names.iter().map(String::as_str));
                    let why = format!("there is no pipeline '{wanted}' in {}", request.owner_project());
                    let hint = if near.is_empty() {
                        "name one that is there".to_owned()
                    } else {
                        format!("did you mean {}?", near.join(", "))
                    };
                    return Err(wrong(request, "pipelines", &why, &hint));
                }
            }
        }
        Ok(ids)
    }

    async fn approvers(&self, request: &Request) -> Result<Vec<Uuid>, Unplanned> {
        let mut ids = Vec::new();
        for wanted in &request.approvers {
            let found = self.services.identities(wanted).await;
            let found = found.map_err(|error| unread("the approvers", &error))?;
            let id = match found.as_slice() {
                [one] if names(one, wanted) => look::id(one, "id"),
                _ => None,
            };
            ids.push(id.ok_or_else(|| {
                let why = format!("{} people or groups are called '{wanted}'", found.len());
                let hint = "name one as Azure DevOps shows it: [Project]\\Group, or a mail address";
                wrong(request, "checks.approvers", &why, hint)
            })?);
        }
        Ok(ids)
    }
}

/// An identity of the requested name that was not made for the request is taken only if the connection has it already, or the
/// request says so (`kind: existing`).
fn refuse_foreign(
    request: &Request,
    identity: Option<&look::Identity>,
    raw: Option<&Value>,
) -> Result<(), Unplanned> {
    let Some(identity) = identity.filter(|one| !one.is_own) else { return Ok(()) };
    if matches!(request.identity, RequestedIdentity::Existing { .. }) {
        return Ok(());
    }
    let client = raw.and_then(|raw| look::parameter(raw, "serviceprincipalid"));
    if client.is_some_and(|client| client.eq_ignore_ascii_case(&identity.client.to_string())) {
        return Ok(());
    }
    let reason = format!(
        "an identity of this name is there, was not made for this request, and has the client id {}",
        identity.client
    );
    let alternative = "take another name, or name it: identity: { kind: existing, client: … }";
    Err(Unplanned::Skipped(reason, alternative.to_owned(), false))
}

/// What items before this one do to the same identity: they make it, or take its last room for federated credentials.
fn refuse_shared(request: &Request, steps: &[Step], used: usize, earlier: &[Item]) -> Result<(), Unplanned> {
    let of_item =
        |item: &&Item| item.asked.as_ref().is_some_and(|asked| asked.request.identity == request.identity);
    let same: Vec<_> = earlier.iter().filter(of_item).collect();
    if let Some(first) = same.iter().find(|item| item.steps.iter().any(Step::makes_identity)) {
        let reason =
            format!("its identity is made by the request before it, for the connection {}", first.name);
        let alternative = "give it an identity of its own, or name that one when it is there: identity: { kind: existing, client: … }";
        return Err(Unplanned::Skipped(reason, alternative.to_owned(), false));
    }
    let adds = |step: &Step| step.action == Action::Follow(Change::Trust);
    let taken = same.iter().filter(|item| item.steps.iter().any(adds)).count();
    if steps.iter().any(adds) && used + taken >= MAX_CREDENTIALS {
        let by_others =
            if taken > 0 { format!(", with the {taken} of requests before it") } else { String::new() };
        let reason = format!(
            "its identity has {} of {MAX_CREDENTIALS} federated credentials{by_others}: there is no room for its own",
            used + taken
        );
        let alternative = "remove one that is not needed (WIF6203, WIF6204)";
        return Err(Unplanned::Skipped(reason, alternative.to_owned(), false));
    }
    Ok(())
}

/// Whether a person or group has exactly this name or mail address: the search of Azure DevOps finds similar ones, too.
fn names(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text.eq_ignore_ascii_case(wanted),
        Value::Object(parts) => parts.values().any(|part| names(part, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}
