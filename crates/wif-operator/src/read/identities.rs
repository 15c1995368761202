//! Identities, from Microsoft Graph: their federated credentials by a handful of lists, everything else in batches.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;
use wif_azure::rest::{BatchAnswer, BatchCall};

use super::{
    error::ReadError,
    organization::Reader,
    service::{Ask, Service},
    wire::{flag, id, list, moment, plain, text},
};
use crate::snapshot::{
    Existence, Layer, State,
    identity::{FederatedCredential, Identity, IdentityKind, Owner, StoredCredential},
};

const APPLICATION: &str = "id,appId,displayName,uniqueName,signInAudience,passwordCredentials,keyCredentials";
const PRINCIPAL: &str =
    "id,appId,displayName,servicePrincipalType,accountEnabled,alternativeNames,appOwnerOrganizationId";
const OWNERS: &str = "owners($select=id,displayName,userPrincipalName,userType,accountEnabled)";
/// The most ids in one filter.
const MAX_ALTERNATIVES: usize = 15;
/// Said where there is no token for Microsoft Graph.
const NO_GRAPH: &str = "Microsoft Graph: no token; sign in with az login, or set WIF_GRAPH_TOKEN";
/// What is lost without Microsoft Graph.
const ALL: &str = "applications, managed identities and their credentials";

/// What the lists by issuer and subject have told of an identity.
#[derive(Default)]
struct Trusting {
    object: Value,
    is_principal: bool,
}

impl Reader<'_> {
    /// The identities that connections name, and those that trust this organization.
    pub(super) async fn read_identities(&self) {
        let wanted: BTreeSet<(Uuid, Option<Uuid>)> = {
            let connections = self.connections.borrow();
            connections.iter().filter_map(|one| Some((one.client?, one.tenant))).collect()
        };
        let Some(graph) = self.graph else {
            *self.identities.borrow_mut() =
                wanted.iter().map(|(client, tenant)| Identity::new(*client, *tenant)).collect();
            self.gap(Layer::Identity, None, State::Denied, (ALL, NO_GRAPH));
            return;
        };
        let home = self.known.graph_tenant;
        let is_own = |tenant: &Option<Uuid>| tenant.is_none() || home.is_none() || *tenant == home;
        let (own, foreign): (BTreeSet<_>, BTreeSet<_>) =
            wanted.into_iter().partition(|(_, tenant)| is_own(tenant));
        let tenants: BTreeSet<_> = foreign.iter().filter_map(|(_, tenant)| *tenant).collect();
        for tenant in tenants {
            let why = format!(
                "Microsoft Graph: the token is for another tenant; sign in to the tenant {tenant}, and audit again"
            );
            self.gap(
                Layer::Identity,
                None,
                State::Denied,
                (&format!("identities of the tenant {tenant}"), &why),
            );
        }
        let mut identities: BTreeMap<(Uuid, Option<Uuid>), Identity> = own
            .iter()
            .chain(&foreign)
            .map(|(client, tenant)| ((*client, *tenant), Identity::new(*client, *tenant)))
            .collect();
        let Ok(trusting) = self.trusting(graph).await else {
            *self.identities.borrow_mut() = identities.into_values().collect();
            return;
        };
        let asked: BTreeSet<_> = own.iter().map(|(client, _)| *client).collect();
        for (client, of) in trusting.iter().filter(|(client, _)| !asked.contains(client)) {
            if credentials(&of.object).iter().flatten().any(|one| self.is_of_here(one)) {
                identities.insert((*client, home), Identity::new(*client, home));
            }
        }
        let clients: BTreeSet<_> =
            identities.keys().filter(|(_, tenant)| is_own(tenant)).map(|(client, _)| *client).collect();
        let clients: Vec<_> = clients.into_iter().collect();
        // Of interrupted reading at least the names remain.
        *self.identities.borrow_mut() = identities.values().cloned().collect();
        let facts = self.facts(graph, &clients, &trusting).await;
        for ((client, tenant), identity) in &mut identities {
            if is_own(tenant)
                && let Some(facts) = facts.get(client)
            {
                *identity = Identity { tenant: *tenant, ..facts.clone() };
            }
        }
        *self.identities.borrow_mut() = identities.into_values().collect();
    }

    /// Whether a federated credential names this organization.
    fn is_of_here(&self, credential: &FederatedCredential) -> bool {
        let of_issuer = |issuer: &String| {
            let issuer = issuer.to_ascii_lowercase();
            self.id.get().is_some_and(|id| {
                issuer.trim_end_matches('/') == format!("https://vstoken.dev.azure.com/{id}")
            })
        };
        let of_subject = |subject: &String| {
            let subject = subject.to_ascii_lowercase();
            let by_name = subject.starts_with(&format!("sc://{}/", self.name.to_ascii_lowercase()));
            by_name || self.id.get().is_some_and(|id| subject.contains(&format!("/sc/{id}/")))
        };
        credential.issuer.as_ref().is_some_and(of_issuer)
            || credential.subject.as_ref().is_some_and(of_subject)
    }

    /// The applications and managed identities that trust an issuer of service connections, by client id.
    async fn trusting(&self, graph: &Service<'_>) -> Result<BTreeMap<Uuid, Trusting>, ReadError> {
        let authority = self.cloud.authority();
        let mut filters = vec![
            format!("startsWith(f/issuer,'{authority}/')"),
            format!("startsWith(f/subject,'sc://{}/')", self.name.replace('\'', "''")),
        ];
        if let Some(id) = self.id.get() {
            filters.push(format!("startsWith(f/issuer,'https://vstoken.dev.azure.com/{id}')"));
        }
        let questions = ["applications", "servicePrincipals"].into_iter().flat_map(|set| {
            let select = if set == "applications" { APPLICATION } else { PRINCIPAL };
            filters.iter().map(move |filter| {
                let ask = Ask::get(["v1.0", set])
                    .query("$filter", format!("federatedIdentityCredentials/any(f:{filter})"))
                    .query("$expand", "federatedIdentityCredentials")
                    .query("$select", select)
                    .query("$count", "true")
                    .header("consistencylevel", "eventual");
                (set == "servicePrincipals", ask)
            })
        });
        let answers =
            join_all(questions.map(async |(is_principal, ask)| {
                (is_principal, graph.list(&ask.query("$top", "100")).await)
            }));
        let mut found = BTreeMap::new();
        let (mut is_usable, mut last) = (false, None);
        for (is_principal, (objects, end)) in answers.await {
            for object in objects {
                if let Some(client) = id(&object, "appId") {
                    let of: &mut Trusting = found.entry(client).or_default();
                    // An application has more to tell than its service principal.
                    if of.object.is_null() || of.is_principal {
                        *of = Trusting { object, is_principal };
                    }
                }
            }
            match end {
                None => is_usable = true,
                Some(error) => {
                    let what = "identities that trust this organization, and that no connection names";
                    self.lost(Layer::Identity, None, None, what, (graph, &error));
                    last = Some(error);
                }
            }
        }
        match last {
            // Nothing can be read here at all, so that nothing more is asked.
            Some(error) if !is_usable && !matches!(error, ReadError::Refused { status: 400, .. }) => {
                self.lost(Layer::Identity, None, None, ALL, (graph, &error));
                Err(error)
            }
            _ => Ok(found),
        }
    }

    /// Everything about these clients.
    async fn facts(
        &self,
        graph: &Service<'_>,
        clients: &[Uuid],
        trusting: &BTreeMap<Uuid, Trusting>,
    ) -> BTreeMap<Uuid, Identity> {
        let mut identities: BTreeMap<Uuid, Identity> =
            clients.iter().map(|client| (*client, Identity::new(*client, None))).collect();
        let one = |client: &Uuid| {
            BatchCall::get(format!("/applications(appId='{client}')?$select={APPLICATION}&$expand={OWNERS}"))
        };
        let mut calls: Vec<_> = clients.iter().map(one).collect();
        let groups: Vec<_> = clients.chunks(MAX_ALTERNATIVES).collect();
        calls.extend(groups.iter().map(|group| {
            let ids: Vec<_> = group.iter().map(|client| format!("'{client}'")).collect();
            let filter = format!("appId%20in%20({})", ids.join(","));
            BatchCall::get(format!("/servicePrincipals?$filter={filter}&$select={PRINCIPAL}"))
        }));
        let answers = self.batches(graph, &calls).await;
        let (applications, principals) = answers.split_at(clients.len().min(answers.len()));
        // Which clients have no application, and which no service principal, as far as the answers tell.
        let (mut without_application, mut without_principal) = (BTreeSet::new(), BTreeSet::new());
        for (client, answer) in clients.iter().zip(applications) {
            let Some(identity) = identities.get_mut(client) else { continue };
            match self.judge(graph, answer.as_ref(), "an application") {
                Some(Ok(object)) => {
                    read_application(identity, &object);
                    self.note_untold_of(identity);
                }
                Some(Err(_absent)) => {
                    without_application.insert(*client);
                }
                None => {}
            }
        }
        let mut again = Vec::new();
        for (group, answer) in groups.iter().zip(principals) {
            let Some(page) = self.judge_list(graph, answer.as_ref(), "service principals") else { continue };
            let objects = list(&page, "value");
            let found: BTreeSet<_> = objects.iter().filter_map(|object| id(object, "appId")).collect();
            for object in objects {
                read_principal(&mut identities, object);
            }
            let missing = group.iter().filter(|client| !found.contains(client));
            // What is not on the first page may be on the next one, so that it is asked for by itself.
            if has_next(&page) {
                again.extend(missing.copied());
            } else {
                without_principal.extend(missing.copied());
            }
        }
        let one = |client: &Uuid| {
            BatchCall::get(format!("/servicePrincipals(appId='{client}')?$select={PRINCIPAL}"))
        };
        let calls: Vec<_> = again.iter().map(one).collect();
        for (client, answer) in again.iter().zip(self.batches(graph, &calls).await) {
            match self.judge(graph, answer.as_ref(), "service principals") {
                Some(Ok(object)) => read_principal(&mut identities, &object),
                Some(Err(_absent)) => {
                    without_principal.insert(*client);
                }
                None => {}
            }
        }
        self.credentials_of(graph, &mut identities, trusting, &without_application).await;
        let gone: Vec<_> = without_application.intersection(&without_principal).copied().collect();
        self.deleted(graph, &mut identities, &gone).await;
        for client in without_application.difference(&without_principal) {
            if let Some(identity) = identities.get(client)
                && identity.kind == IdentityKind::Application
            {
                let why = format!(
                    "Microsoft Graph: the application {client} is registered in another tenant, which this token cannot read"
                );
                self.gap(
                    Layer::Identity,
                    None,
                    State::Denied,
                    ("credentials and owners of an application", &why),
                );
            }
        }
        identities
    }

    /// Federated credentials: from the lists by issuer where they are there, else by a call for each identity.
    async fn credentials_of(
        &self,
        graph: &Service<'_>,
        identities: &mut BTreeMap<Uuid, Identity>,
        trusting: &BTreeMap<Uuid, Trusting>,
        without_application: &BTreeSet<Uuid>,
    ) {
        let mut missing = Vec::new();
        for (client, identity) in &mut *identities {
            let known = trusting.get(client).and_then(|of| credentials(&of.object));
            match known {
                Some(known) => identity.federated_credentials = Some(known),
                None if identity.existence == Existence::Found => {
                    let set = match identity.kind {
                        IdentityKind::ManagedIdentity => "servicePrincipals",
                        _ if without_application.contains(client) => continue,
                        _ => "applications",
                    };
                    let url = format!("/{set}(appId='{client}')/federatedIdentityCredentials");
                    missing.push((*client, BatchCall::get(url)));
                }
                None => {}
            }
        }
        let calls: Vec<_> = missing.iter().map(|(_, call)| call.clone()).collect();
        for ((client, _), answer) in missing.iter().zip(self.batches(graph, &calls).await) {
            let Some(identity) = identities.get_mut(client) else { continue };
            if let Some(page) = self.judge_list(graph, answer.as_ref(), "federated credentials") {
                identity.federated_credentials = Some(list(&page, "value").iter().map(credential).collect());
            }
        }
    }

    /// Which of these identities, of which nothing is left, can still be restored.
    async fn deleted(&self, graph: &Service<'_>, identities: &mut BTreeMap<Uuid, Identity>, gone: &[Uuid]) {
        let is_certain = self.known.graph_tenant.is_some();
        let url = |client: &Uuid| {
            format!(
                "/directory/deletedItems/microsoft.graph.application?$filter=appId%20eq%20'{client}'&$count=true&$select=id,appId,displayName"
            )
        };
        let call = |client: &Uuid| {
            let mut call = BatchCall::get(url(client));
            call.headers.insert("ConsistencyLevel", "eventual");
            call
        };
        let calls: Vec<_> = gone.iter().map(call).collect();
        for (client, answer) in gone.iter().zip(self.batches(graph, &calls).await) {
            let Some(identity) = identities.get_mut(client) else { continue };
            let found = self.judge_list(graph, answer.as_ref(), "deleted applications");
            let object = found.as_ref().and_then(|page| list(page, "value").first());
            // A token whose tenant is not known may simply be for another one.
            if is_certain || object.is_some() {
                identity.existence = Existence::Gone;
            } else {
                let why = format!(
                    "Microsoft Graph: its tenant has no {client}, and it is not known which tenant the token is for"
                );
                self.gap(Layer::Identity, None, State::Partial, ("an identity", &why));
            }
            if let Some(object) = object {
                identity.is_deleted = true;
                identity.kind = IdentityKind::Application;
                identity.application_object = id(object, "id");
                identity.name = text(object, "displayName");
            }
        }
    }

    /// Sends calls, twenty in a request, several requests at once.
    async fn batches(&self, graph: &Service<'_>, calls: &[BatchCall]) -> Vec<Option<BatchAnswer>> {
        let parts = join_all(calls.chunks(wif_azure::rest::MAX_BATCH).map(|part| graph.batch(part))).await;
        let mut all = Vec::new();
        for (answers, end) in parts {
            if let Some(error) = end {
                self.lost(Layer::Identity, None, None, "identities", (graph, &error));
            }
            all.extend(answers);
        }
        all
    }

    /// Notes what an application did not tell of itself, although it was asked for: what is missing could be what is wrong.
    fn note_untold_of(&self, identity: &Identity) {
        let parts = [
            ("secrets", identity.secrets.is_none()),
            ("certificates", identity.certificates.is_none()),
            ("owners", identity.owners.is_none()),
            ("sign-in audience", identity.sign_in_audience.is_none()),
        ];
        let parts: Vec<_> =
            parts.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
        if !parts.is_empty() {
            let why = format!("Microsoft Graph does not tell {} of {}", parts.join(", "), identity.client);
            self.gap(Layer::Identity, None, State::Partial, ("an application", &why));
        }
    }

    /// A page of a list. An answer without its list is not one that is empty: it is a gap, which is noted.
    fn judge_list(&self, graph: &Service<'_>, answer: Option<&BatchAnswer>, what: &str) -> Option<Value> {
        let error = match self.judge(graph, answer, what)? {
            Ok(page) if page.get("value").is_some_and(Value::is_array) => return Some(page),
            Ok(_) => ReadError::Unusable { status: 200, kind: "JSON without a list" },
            Err(_absent) => ReadError::refused(404, answer.map(|answer| &answer.body)),
        };
        self.lost(Layer::Identity, None, None, what, (graph, &error));
        None
    }

    /// What came of a call: an object, its absence (404), or a gap, which is noted.
    fn judge(
        &self,
        graph: &Service<'_>,
        answer: Option<&BatchAnswer>,
        what: &str,
    ) -> Option<Result<Value, ()>> {
        // The reason is noted with the batch.
        let answer = answer?;
        match answer.status {
            200..=299 => Some(Ok(answer.body.clone())),
            404 => Some(Err(())),
            status @ (429 | 500..=599) => {
                let error = ReadError::Busy { status, retry_after: None };
                self.lost(Layer::Identity, None, None, what, (graph, &error));
                None
            }
            status => {
                let error = ReadError::refused(status, Some(&answer.body));
                self.lost(Layer::Identity, None, None, what, (graph, &error));
                None
            }
        }
    }
}

fn read_application(identity: &mut Identity, object: &Value) {
    identity.kind = IdentityKind::Application;
    identity.existence = Existence::Found;
    identity.name = text(object, "displayName");
    identity.unique_name = text(object, "uniqueName");
    identity.application_object = id(object, "id");
    identity.sign_in_audience = text(object, "signInAudience");
    let stored = |name: &str| {
        let all = object.get(name)?.as_array()?;
        Some(all.iter().map(stored_credential).collect())
    };
    identity.secrets = stored("passwordCredentials");
    identity.certificates = stored("keyCredentials");
    let owners = object.get("owners").and_then(Value::as_array);
    identity.owners = owners.map(|owners| owners.iter().filter_map(owner).collect());
}

/// Whether a list goes on.
fn has_next(page: &Value) -> bool {
    text(page, "@odata.nextLink").is_some()
}

fn read_principal(identities: &mut BTreeMap<Uuid, Identity>, object: &Value) {
    let client = id(object, "appId");
    let Some(identity) = client.and_then(|client| identities.get_mut(&client)) else { return };
    identity.existence = Existence::Found;
    identity.principal_object = id(object, "id");
    identity.is_enabled = flag(object, "accountEnabled");
    let kind = text(object, "servicePrincipalType").unwrap_or_default();
    if kind.eq_ignore_ascii_case("ManagedIdentity") {
        identity.kind = IdentityKind::ManagedIdentity;
        let names = list(object, "alternativeNames").iter().filter_map(plain);
        let mut paths = names.filter(|name| name.to_ascii_lowercase().contains("/userassignedidentities/"));
        identity.resource = paths.next();
    } else if kind.eq_ignore_ascii_case("Application") {
        identity.kind = IdentityKind::Application;
    }
    if identity.name.is_none() {
        identity.name = text(object, "displayName");
    }
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
fn credentials(object: &Value) -> Option<Vec<FederatedCredential>> {
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
