//! What Azure Resource Manager and Entra tell: roles of all identities in one query, subscriptions, management groups, tenants.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use futures_util::{
    future::join3,
    stream::{self, StreamExt as _},
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use wif_core::azure::role;
use wif_io::http::Request;

use super::{
    error::ReadError,
    gaps::why,
    known::{KnownRoles, Roles},
    organization::Reader,
    service::{Ask, Service},
    wire::{id, moment, text},
};
use crate::snapshot::{
    Existence, Layer, State,
    identity::{RoleAssignment, Subscription, Tenant},
};

/// The role assignments of all service principals, with the names of the roles. The name stands in the definition, which is found
/// by the GUID at the end of its path: the paths differ.
const ROLES: &str = "\
authorizationresources
| where type =~ 'microsoft.authorization/roleassignments'
| where tostring(properties.principalType) =~ 'ServicePrincipal'
| extend role = tolower(extract('([^/]+)$', 1, tostring(properties.roleDefinitionId)))
| join kind=leftouter (
    authorizationresources
    | where type =~ 'microsoft.authorization/roledefinitions'
    | extend role = tolower(extract('([^/]+)$', 1, id))
    | summarize roleName = take_any(tostring(properties.roleName)) by role
  ) on role
| extend principalId = tostring(properties.principalId), scope = tostring(properties.scope), condition = tostring(properties.condition), description = tostring(properties.description), createdOn = tostring(properties.createdOn)
| order by id asc
| project id, principalId, scope, role, roleName, condition, description, createdOn";
/// Said where there is no token for Azure Resource Manager.
const NO_ARM: &str = "Azure Resource Manager: no token; sign in with az login, or set WIF_ARM_TOKEN";
/// Said where roles were read, and it is not known which of them are an identity's.
const NO_PRINCIPAL: &str =
    "its service principal is not known without Microsoft Graph, so that no role can be called its own";
/// How the path of a management group begins, as scopes are compared.
const GROUPS: &str = "/providers/microsoft.management/managementgroups/";
/// More pages of role assignments are not asked for.
const MAX_PAGES: usize = 10_000;
/// How long Entra may take to say whether a tenant exists.
const TENANT_TIMEOUT: Duration = Duration::from_secs(15);

impl Reader<'_> {
    /// Subscriptions, management groups and tenants that connections name, and the roles of all identities.
    pub(super) async fn read_scopes(&self) {
        let (scopes, tenants): (BTreeSet<_>, BTreeSet<_>) = {
            let connections = self.connections.borrow();
            let scopes = connections.iter().filter_map(|one| root(one.scope.as_deref()?)).collect();
            (scopes, connections.iter().filter_map(|one| one.tenant).collect())
        };
        let of_arm = async {
            let Some(arm) = self.arm else {
                let unknown = |scope: &String| unknown(scope.clone());
                *self.subscriptions.borrow_mut() = scopes.iter().map(unknown).collect();
                self.gap(Layer::Identity, None, State::Denied, ("roles and subscriptions", NO_ARM));
                return;
            };
            self.read_subscriptions(arm, &scopes).await;
        };
        let of_roles = async {
            let Some(arm) = self.arm else { return };
            // One answer holds the roles of every organization's identities.
            let known = self.known.roles.borrow().clone();
            let roles = match known {
                Some(roles) => Some(roles),
                None => self.read_roles(arm, &scopes).await,
            };
            for (what, why) in roles.iter().flat_map(|roles| &roles.gaps) {
                self.gap(Layer::Identity, None, State::Partial, (what, why));
            }
            *self.roles.borrow_mut() = roles;
        };
        join3(of_arm, of_roles, self.read_tenants(tenants)).await;
    }

    /// Gives each identity its roles, now that both are known.
    pub(super) fn join_roles(&self) {
        let roles = self.roles.borrow();
        let Some(KnownRoles { by_principal, gaps }) = roles.as_deref() else { return };
        let hidden: BTreeSet<_> = {
            let subscriptions = self.subscriptions.borrow();
            let hidden = subscriptions.iter().filter(|one| one.existence == Existence::Unknown);
            hidden.map(|one| one.scope.clone()).collect()
        };
        // Where a connection's own scope cannot be seen, or the list has a gap, no role is not "none".
        let mut blind = BTreeSet::new();
        for connection in &*self.connections.borrow() {
            let scope = connection.scope.as_deref().and_then(root);
            if scope.is_some_and(|scope| hidden.contains(&scope)) {
                blind.extend(connection.client);
            }
        }
        let named = self.named_principals();
        let mut unknown = BTreeSet::new();
        for identity in &mut *self.identities.borrow_mut() {
            let is_told = identity.principal_object.is_some();
            let of_connection = || named.get(&(identity.client, identity.tenant)).copied();
            let Some(principal) = identity.principal_object.or_else(of_connection) else {
                if identity.existence == Existence::Unknown {
                    unknown.insert((identity.client, identity.tenant));
                }
                continue;
            };
            let own = by_principal.get(&principal).cloned().unwrap_or_default();
            // What a connection says of its principal may be old: it proves roles, and never that there are none.
            identity.may_have_more_roles = !gaps.is_empty() || blind.contains(&identity.client) || !is_told;
            identity.roles = if own.is_empty() && identity.may_have_more_roles { None } else { Some(own) };
            if identity.roles.is_none() && !is_told {
                unknown.insert((identity.client, identity.tenant));
            }
            identity.shrink();
        }
        for connection in &*self.connections.borrow() {
            let Some(client) = connection.client else { continue };
            if unknown.contains(&(client, connection.tenant)) {
                let what = ("roles", NO_PRINCIPAL);
                self.gaps.note(Layer::Identity, None, Some(connection.id), State::Partial, what);
            }
        }
    }

    /// The service principals that connections name, for identities of which Microsoft Graph tells nothing. Connections that name
    /// several for one identity name none.
    fn named_principals(&self) -> BTreeMap<(Uuid, Option<Uuid>), Uuid> {
        let mut named = BTreeMap::<_, BTreeSet<_>>::new();
        for connection in &*self.connections.borrow() {
            if let (Some(client), Some(principal)) = (connection.client, connection.principal_object) {
                named.entry((client, connection.tenant)).or_default().insert(principal);
            }
        }
        let single = named.into_iter().filter(|(_, principals)| principals.len() == 1);
        single.filter_map(|(of, principals)| Some((of, principals.into_iter().next()?))).collect()
    }

    async fn read_subscriptions(&self, arm: &Service<'_>, scopes: &BTreeSet<String>) {
        let (items, end) = arm.list(&Ask::get(["subscriptions"]).query("api-version", "2022-12-01")).await;
        let mut known = BTreeMap::new();
        for item in &items {
            if let Some(id) = id(item, "subscriptionId") {
                known.insert(format!("/subscriptions/{id}"), subscription(item));
            }
        }
        if let Some(error) = &end {
            self.lost(Layer::Identity, None, None, "subscriptions", (arm, error));
        }
        // A service that cannot be asked at all is not asked for each one.
        let may_ask =
            end.as_ref().is_none_or(|error| matches!(error, ReadError::Refused { .. } | ReadError::Page(_)));
        let of = stream::iter(scopes).map(async |scope| match known.get(scope) {
            Some(known) => known.clone(),
            None if may_ask => self.one_scope(arm, scope).await,
            None => unknown(scope.clone()),
        });
        let found: Vec<_> = of.buffer_unordered(self.jobs).collect().await;
        *self.subscriptions.borrow_mut() = found;
    }

    /// A subscription that is not in the list, or a management group.
    async fn one_scope(&self, arm: &Service<'_>, scope: &str) -> Subscription {
        let group = scope.strip_prefix(GROUPS);
        let is_group = group.is_some();
        let version = if is_group { "2021-04-01" } else { "2022-12-01" };
        let path = match group {
            Some(id) => vec!["providers", "Microsoft.Management", "managementGroups", id],
            None => scope.trim_matches('/').split('/').collect(),
        };
        match arm.json(&Ask::get(path).query("api-version", version)).await {
            Ok(answer) if is_group => {
                let properties = answer.get("properties").unwrap_or(&Value::Null);
                Subscription {
                    scope: scope.to_owned(),
                    existence: Existence::Found,
                    name: text(properties, "displayName"),
                    tenant: id(properties, "tenantId"),
                    state: None,
                }
            }
            Ok(answer) => Subscription { scope: scope.to_owned(), ..subscription(&answer) },
            Err(error) => {
                // Of a management group that the token may not see, Azure says "NotFound", too, and of one that is gone it often says
                // 403 (Azure/azure-rest-api-specs, issue 9549): only a code that is about such a thing proves that it is gone.
                let gone = if is_group { "ManagementGroupNotFound" } else { "SubscriptionNotFound" };
                let says_gone = error.status() == Some(404)
                    && error.code().is_some_and(|code| code.eq_ignore_ascii_case(gone));
                let existence = if says_gone { Existence::Gone } else { Existence::Unknown };
                if !says_gone {
                    self.lost(Layer::Identity, None, None, &format!("the scope {scope}"), (arm, &error));
                }
                Subscription { existence, ..unknown(scope.to_owned()) }
            }
        }
    }

    /// One query for all; where it is refused, a list for each subscription. None, if neither can be read.
    async fn read_roles(&self, arm: &Service<'_>, scopes: &BTreeSet<String>) -> Option<Rc<KnownRoles>> {
        let path = ["providers", "Microsoft.ResourceGraph", "resources"];
        let (mut roles, mut skip) = (Roles::new(), None::<String>);
        let mut gaps = Vec::new();
        let mut unreadable = 0_usize;
        for _ in 0..MAX_PAGES {
            let body = json!({ "query": ROLES, "options": {
                "resultFormat": "objectArray", "$top": 1000, "$skipToken": skip,
                "authorizationScopeFilter": "AtScopeAboveAndBelow",
            } });
            let asked = arm.json_and_headers(&Ask::post(path, body).query("api-version", "2022-10-01")).await;
            let (answer, response) = match asked {
                Ok(answer) => answer,
                Err(error) if skip.is_none() && matches!(error, ReadError::Refused { .. }) => {
                    return self.roles_by_subscription(arm, scopes, &error).await;
                }
                Err(error) => {
                    self.lost(Layer::Identity, None, None, "roles", (arm, &error));
                    return None;
                }
            };
            if response.header("x-ms-tenant-subscription-limit-hit").is_some_and(|value| value == "true") {
                let why = "Azure Resource Graph left out subscriptions, since there are more than 10,000";
                gaps.push(("roles", why.to_owned()));
            }
            let Some(rows) = answer.get("data").and_then(Value::as_array) else {
                let error = ReadError::Unusable { status: response.status, kind: "JSON without rows" };
                self.lost(Layer::Identity, None, None, "roles", (arm, &error));
                return None;
            };
            for row in rows {
                match id(row, "principalId") {
                    Some(principal) => roles.entry(principal).or_default().push(queried_role(row)),
                    None => unreadable += 1,
                }
            }
            skip = text(&answer, "$skipToken");
            if skip.is_none() {
                if text(&answer, "resultTruncated").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
                    let why = "Azure Resource Graph cut its answer off, and named no next page";
                    gaps.push(("roles", why.to_owned()));
                }
                break;
            }
        }
        if skip.is_some() {
            gaps.push(("roles", "Azure Resource Graph never came to an end".to_owned()));
        }
        if unreadable > 0 {
            let why = format!("Azure Resource Graph sent {unreadable} without the principal that has it");
            gaps.push(("roles", why));
        }
        gaps.dedup();
        let roles = Rc::new(KnownRoles { by_principal: roles, gaps });
        *self.known.roles.borrow_mut() = Some(Rc::clone(&roles));
        Some(roles)
    }

    async fn roles_by_subscription(
        &self,
        arm: &Service<'_>,
        scopes: &BTreeSet<String>,
        refused: &ReadError,
    ) -> Option<Rc<KnownRoles>> {
        let subscriptions = scopes.iter().filter(|scope| scope.starts_with("/subscriptions/"));
        let asked = stream::iter(subscriptions).map(async |scope| {
            let path = scope.trim_matches('/').split('/').chain([
                "providers",
                "Microsoft.Authorization",
                "roleAssignments",
            ]);
            (scope, arm.list(&Ask::get(path).query("api-version", "2022-04-01")).await)
        });
        let answers: Vec<_> = asked.buffer_unordered(self.jobs).collect().await;
        let (mut roles, mut is_read) = (Roles::new(), false);
        for (scope, (items, end)) in answers {
            match end {
                None => is_read = true,
                Some(error) => {
                    // One that is gone has no roles, and is told elsewhere.
                    if error.status() != Some(404) {
                        self.lost(Layer::Identity, None, None, &format!("roles in {scope}"), (arm, &error));
                    }
                }
            }
            for item in items {
                let properties = item.get("properties").unwrap_or(&Value::Null);
                let Some(principal) = id(properties, "principalId") else {
                    let why = "Azure Resource Manager listed one without the principal that has it";
                    let what = format!("roles in {scope}");
                    self.gap(Layer::Identity, None, State::Partial, (&what, why));
                    continue;
                };
                let of = roles.entry(principal).or_default();
                let assignment = listed_role(&item, properties);
                // What is assigned above repeats in each subscription.
                if !of.contains(&assignment) {
                    of.push(assignment);
                }
            }
        }
        let what = "roles outside of the subscriptions that connections name";
        let gap = (what, why("Azure Resource Graph", refused));
        if is_read {
            // These are the roles of this organization's subscriptions only, so that no other takes them over.
            return Some(Rc::new(KnownRoles { by_principal: roles, gaps: vec![gap] }));
        }
        self.gap(Layer::Identity, None, State::Partial, (gap.0, &gap.1));
        None
    }

    /// Entra tells everyone which tenants there are.
    async fn read_tenants(&self, tenants: BTreeSet<Uuid>) {
        let asked = stream::iter(tenants).map(async |tenant| {
            let known = self.known.tenants.borrow().get(&tenant).copied();
            if let Some(existence) = known {
                return Tenant { id: tenant, existence };
            }
            let tenant = self.one_tenant(tenant).await;
            self.known.tenants.borrow_mut().insert(tenant.id, tenant.existence);
            tenant
        });
        let found: Vec<_> = asked.buffer_unordered(self.jobs).collect().await;
        *self.tenants.borrow_mut() = found;
    }

    async fn one_tenant(&self, tenant: Uuid) -> Tenant {
        let key = tenant.to_string();
        let url = self.known.authority.join([key.as_str(), "v2.0", ".well-known", "openid-configuration"]);
        let answer = self.known.http.send(Request::new(Method::GET, url), TENANT_TIMEOUT).await;
        self.progress.called();
        let lost = |error: &ReadError| {
            let what = format!("the tenant {tenant}");
            self.gap(Layer::Identity, None, error.state(), (&what, &why("Microsoft Entra", error)));
            Existence::Unknown
        };
        let existence = match answer {
            Ok(answer) if answer.status == 200 => Existence::Found,
            Ok(answer) => {
                let body = answer.json::<Value>();
                let message = body.as_ref().and_then(|body| text(body, "error_description"));
                if message.is_some_and(|text| text.starts_with("AADSTS90002")) {
                    Existence::Gone
                } else {
                    lost(&ReadError::Unusable { status: answer.status, kind: answer.kind() })
                }
            }
            Err(error) => lost(&ReadError::Http(error)),
        };
        Tenant { id: tenant, existence }
    }
}

/// The subscription or management group that a scope lies in, in lower case.
fn root(scope: &str) -> Option<String> {
    let lower = scope.to_ascii_lowercase();
    let segments: Vec<_> = lower.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["subscriptions", id, ..] if !id.is_empty() => Some(format!("/subscriptions/{id}")),
        ["providers", "microsoft.management", "managementgroups", id, ..] if !id.is_empty() => {
            Some(format!("{GROUPS}{id}"))
        }
        _ => None,
    }
}

fn unknown(scope: String) -> Subscription {
    Subscription { scope, existence: Existence::Unknown, name: None, tenant: None, state: None }
}

fn subscription(item: &Value) -> Subscription {
    Subscription {
        scope: format!("/subscriptions/{}", id(item, "subscriptionId").unwrap_or_default()),
        existence: Existence::Found,
        name: text(item, "displayName"),
        tenant: id(item, "tenantId"),
        state: text(item, "state"),
    }
}

fn queried_role(row: &Value) -> RoleAssignment {
    let role_id = id(row, "role");
    RoleAssignment {
        scope: text(row, "scope").unwrap_or_default(),
        role: text(row, "roleName").or_else(|| known_role(role_id)),
        role_id,
        id: text(row, "id"),
        condition: text(row, "condition"),
        description: text(row, "description"),
        created: moment(row, "createdOn"),
    }
}

fn listed_role(item: &Value, properties: &Value) -> RoleAssignment {
    let definition = text(properties, "roleDefinitionId").unwrap_or_default();
    let role_id = definition.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok());
    RoleAssignment {
        scope: text(properties, "scope").unwrap_or_default(),
        role: known_role(role_id),
        role_id,
        id: text(item, "id"),
        condition: text(properties, "condition"),
        description: text(properties, "description"),
        created: moment(properties, "createdOn"),
    }
}

/// The name of a role, for lists that have ids only.
fn known_role(id: Option<Uuid>) -> Option<String> {
    role::name_of(&id?.to_string()).map(str::to_owned)
}
