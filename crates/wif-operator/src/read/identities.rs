//! Identities, from Microsoft Graph: their federated credentials by a handful of lists, everything else in batches.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;
use wif_azure::rest::{BatchAnswer, BatchCall, MAX_BATCH};

use super::{
    error::ReadError,
    graph_objects::{Principal, application, credential, credentials, has_next, list_of, principal},
    organization::Reader,
    service::{Ask, Service},
    wire::{id, text},
};
use crate::snapshot::{
    Existence, Layer, State,
    identity::{FederatedCredential, Identity, IdentityKind},
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
struct Trusting {
    /// Its federated credentials, where they came with it.
    credentials: Option<Vec<FederatedCredential>>,
    is_principal: bool,
}

/// What came of a call in a batch; none, where the batch itself was lost, which is noted with it.
type Answered<T> = Option<Result<T, ReadError>>;

/// There is no such object (404).
struct Absent;

/// What a batch has told. Of ten thousand identities, the answers themselves are too much to keep.
enum Told {
    Application(Box<Identity>),
    Principals { found: Vec<Principal>, has_more: bool },
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
            if of.credentials.iter().flatten().any(|one| self.is_of_here(one)) {
                identities.insert((*client, home), Identity::new(*client, home));
            }
        }
        let clients: BTreeSet<_> =
            identities.keys().filter(|(_, tenant)| is_own(tenant)).map(|(client, _)| *client).collect();
        let clients: Vec<_> = clients.into_iter().collect();
        // Of interrupted reading at least the names remain.
        *self.identities.borrow_mut() = identities.values().cloned().collect();
        let facts = self.facts(graph, &clients, trusting).await;
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
        let found: RefCell<BTreeMap<Uuid, Trusting>> = RefCell::default();
        let answers = join_all(questions.map(async |(is_principal, ask)| {
            let mut take = |objects: Vec<Value>| {
                for object in objects {
                    let Some(client) = id(&object, "appId") else { continue };
                    let mut found = found.borrow_mut();
                    // An application has more to tell than its service principal.
                    if found.get(&client).is_none_or(|known| known.is_principal) {
                        found.insert(client, Trusting { credentials: credentials(&object), is_principal });
                    }
                }
            };
            graph.each_page(&ask.query("$top", "100"), &mut take).await
        }));
        let (mut is_usable, mut last) = (false, None);
        for end in answers.await {
            match end {
                Ok(()) => is_usable = true,
                Err(error) => {
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
            _ => Ok(found.into_inner()),
        }
    }

    /// Everything about these clients.
    async fn facts(
        &self,
        graph: &Service<'_>,
        clients: &[Uuid],
        trusting: BTreeMap<Uuid, Trusting>,
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
        let read = |at: usize, body: Value| match clients.get(at) {
            Some(client) => Ok(Told::Application(Box::new(application(*client, &body)))),
            None => Ok(Told::Principals {
                found: list_of(&body)?.iter().filter_map(principal).collect(),
                has_more: has_next(&body),
            }),
        };
        let mut applications = self.batches(graph, &calls, &read).await;
        let principals = applications.split_off(clients.len().min(applications.len()));
        // Which clients have no application, and which no service principal, as far as the answers tell.
        let (mut without_application, mut without_principal) = (BTreeSet::new(), BTreeSet::new());
        for (client, answer) in clients.iter().zip(applications) {
            match self.judge(graph, answer, "an application") {
                Some(Ok(Told::Application(identity))) => {
                    self.note_untold_of(&identity);
                    identities.insert(*client, *identity);
                }
                Some(Err(Absent)) => {
                    without_application.insert(*client);
                }
                _ => {}
            }
        }
        let mut again = Vec::new();
        for (group, answer) in groups.iter().zip(principals) {
            let Some(Told::Principals { found, has_more }) =
                self.judge_list(graph, answer, "service principals")
            else {
                continue;
            };
            let clients: BTreeSet<_> = found.iter().map(|one| one.client).collect();
            for one in found {
                one.note_in(&mut identities);
            }
            let missing = group.iter().filter(|client| !clients.contains(client));
            // What is not on the first page may be on the next one, so that it is asked for by itself.
            if has_more {
                again.extend(missing.copied());
            } else {
                without_principal.extend(missing.copied());
            }
        }
        let one = |client: &Uuid| {
            BatchCall::get(format!("/servicePrincipals(appId='{client}')?$select={PRINCIPAL}"))
        };
        let calls: Vec<_> = again.iter().map(one).collect();
        let answers = self.batches(graph, &calls, &|_, body| Ok(principal(&body))).await;
        for (client, answer) in again.iter().zip(answers) {
            match self.judge(graph, answer, "service principals") {
                Some(Ok(Some(principal))) => principal.note_in(&mut identities),
                Some(Err(Absent)) => {
                    without_principal.insert(*client);
                }
                _ => {}
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
        mut trusting: BTreeMap<Uuid, Trusting>,
        without_application: &BTreeSet<Uuid>,
    ) {
        let mut missing = Vec::new();
        for (client, identity) in &mut *identities {
            let known = trusting.remove(client).and_then(|of| of.credentials);
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
        let (clients, calls): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let read = |_, body: Value| Ok(list_of(&body)?.iter().map(credential).collect());
        for (client, answer) in clients.iter().zip(self.batches(graph, &calls, &read).await) {
            let Some(identity) = identities.get_mut(client) else { continue };
            if let Some(all) = self.judge_list(graph, answer, "federated credentials") {
                identity.federated_credentials = Some(all);
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
        let read = |_, body: Value| Ok(list_of(&body)?.first().cloned());
        for (client, answer) in gone.iter().zip(self.batches(graph, &calls, &read).await) {
            let Some(identity) = identities.get_mut(client) else { continue };
            let object = self.judge_list(graph, answer, "deleted applications").flatten();
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
                identity.application_object = id(&object, "id");
                identity.name = text(&object, "displayName");
            }
        }
    }

    /// Sends calls, twenty in a request, several requests at once. Of each answer stays what is read of it, when it comes.
    async fn batches<T>(
        &self,
        graph: &Service<'_>,
        calls: &[BatchCall],
        read: &dyn Fn(usize, Value) -> Result<T, ReadError>,
    ) -> Vec<Answered<T>> {
        let parts = calls.chunks(MAX_BATCH).enumerate().map(async |(number, part)| {
            let (answers, end) = graph.batch(part).await;
            let answers = answers.into_iter().enumerate().map(|(at, answer)| {
                let BatchAnswer { status, body, .. } = answer?;
                Some(match status {
                    200..=299 => read(number * MAX_BATCH + at, body),
                    status @ (429 | 500..=599) => Err(ReadError::Busy { status, retry_after: None }),
                    status => Err(ReadError::refused(status, Some(&body))),
                })
            });
            (answers.collect::<Vec<_>>(), end)
        });
        let mut all = Vec::new();
        for (answers, end) in join_all(parts).await {
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

    /// What came of a call for a list, whose absence is a gap, too: gaps are noted.
    fn judge_list<T>(&self, graph: &Service<'_>, answer: Answered<T>, what: &str) -> Option<T> {
        let told = answer?.map_err(|error| self.lost(Layer::Identity, None, None, what, (graph, &error)));
        told.ok()
    }

    /// What came of a call: what was read, its absence (404), or a gap, which is noted.
    fn judge<T>(&self, graph: &Service<'_>, answer: Answered<T>, what: &str) -> Option<Result<T, Absent>> {
        match answer? {
            Ok(told) => Some(Ok(told)),
            Err(ReadError::Refused { status: 404, .. }) => Some(Err(Absent)),
            Err(error) => {
                self.lost(Layer::Identity, None, None, what, (graph, &error));
                None
            }
        }
    }
}
