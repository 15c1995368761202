//! A whole organization, as a client reads it that audits.

use std::collections::BTreeSet;

use emulator::directory::{
    BadToken, Execution, Kind, SecurityRole, SharedWith, Sight, UnknownConnection, UnknownProject,
};
use emulator::organization::{MadeOrganization, OrganizationPlan, Planted, approval, branch_control};
use emulator::{Emulator, USUAL};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::client::{body, client};

const NAME: &str = "fabrikam";

struct Fixture {
    emulator: Emulator,
    client: Client,
    made: MadeOrganization,
}

impl Fixture {
    fn of(plan: &OrganizationPlan) -> Self {
        let emulator = Emulator::start();
        let (client, made) = (client(&emulator), emulator.add_organization(plan));
        Self { emulator, client, made }
    }

    async fn devops(&self, path: &str) -> Response {
        let url = format!("{}/{NAME}/{path}", self.emulator.devops_url());
        let token = Some(&self.made.personal_token);
        self.client
            .get(url)
            .basic_auth("", token)
            .header("x-tfs-fedauthredirect", "Suppress")
            .send()
            .await
            .unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        body(self.devops(path).await).await
    }

    fn project(&self, at: usize) -> Uuid {
        self.made.projects[at]
    }

    async fn graph(&self, url: &str, eventual: bool) -> (u16, Value) {
        let token = self.emulator.access_token(self.made.auditor, "https://graph.microsoft.com");
        let mut request = self.client.get(url).bearer_auth(token);
        if eventual {
            request = request.header("ConsistencyLevel", "eventual");
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), body(answer).await)
    }

    async fn arm_query(&self, asked: &Value) -> (u16, Value) {
        let token = self.emulator.access_token(self.made.auditor, "https://management.azure.com");
        let url = format!(
            "{}/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01",
            self.emulator.arm_url()
        );
        let request = self.client.post(url).bearer_auth(token).header("content-type", "application/json");
        let answer = request.body(asked.to_string()).send().await.unwrap();
        (answer.status().as_u16(), body(answer).await)
    }
}

fn continuation(answer: &Response) -> Option<String> {
    answer.headers().get("x-ms-continuationtoken").map(|value| value.to_str().unwrap().to_owned())
}

fn ids(list: &Value) -> Vec<String> {
    list["value"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_thousand_projects_come_in_pages_that_a_header_names() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).projects(1001));
    let (mut seen, mut pages, mut token) = (BTreeSet::new(), 0, None::<String>);
    loop {
        let next = token.map(|token| format!("&continuationToken={token}")).unwrap_or_default();
        let answer = fixture.devops(&format!("_apis/projects?api-version=7.1&$top=500{next}")).await;
        token = continuation(&answer);
        pages += 1;
        seen.extend(ids(&body(answer).await));
        if token.is_none() {
            break;
        }
    }
    assert_eq!((pages, seen.len()), (11, 1001), "a page never has more than a hundred");
    let first = fixture.json("_apis/projects?api-version=7.2-preview.4").await;
    assert_eq!((&first["count"], &first["value"][0]["visibility"]), (&json!(100), &json!("private")));
    assert_eq!(fixture.devops("_apis/projects?api-version=7.2").await.status(), 400, "7.2 is a preview");
}

#[tokio::test]
async fn the_slash_of_a_base_address_may_stand_beside_that_of_a_path() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).projects(3));
    let url = format!("{}//{NAME}/_apis/projects?api-version=7.1&$top=2", fixture.emulator.devops_url());
    let request = fixture.client.get(url).basic_auth("", Some(&fixture.made.personal_token));
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), continuation(&answer)), (200, Some("2".to_owned())));
}

#[tokio::test]
async fn the_list_of_a_project_has_what_is_shared_with_it_and_half_made_connections_only_when_asked() {
    let planted =
        [Planted::SharedWithProject, Planted::CreationFailed, Planted::PartlyVisible, Planted::StoredSecret];
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).projects(3).connections(3).planted(&planted));
    let list = async |project: usize, more: &str| {
        let project = fixture.project(project);
        fixture
            .json(&format!("{project}/_apis/serviceendpoint/endpoints?api-version=7.2-preview.4{more}"))
            .await
    };
    let id = |what| fixture.made.planted[&what].to_string();
    let plain = ids(&list(0, "").await);
    assert!(!plain.contains(&id(Planted::CreationFailed)));
    let all = list(0, "&includeFailed=true").await;
    assert!(ids(&all).contains(&id(Planted::CreationFailed)));
    let find =
        |id: String| all["value"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone();
    let shared = find(id(Planted::SharedWithProject));
    assert_eq!(shared["isShared"], true);
    assert_eq!(
        shared["serviceEndpointProjectReferences"][0]["projectReference"]["id"],
        fixture.project(0).to_string()
    );
    assert!(ids(&list(2, "").await).contains(&id(Planted::SharedWithProject)));
    assert!(!ids(&list(1, "").await).contains(&id(Planted::SharedWithProject)));
    let partial = find(id(Planted::PartlyVisible));
    assert_eq!((&partial["data"], &partial["authorization"]), (&json!(null), &json!(null)));
    let secret = find(id(Planted::StoredSecret));
    assert_eq!(secret["authorization"]["parameters"]["serviceprincipalkey"], json!(null));
    assert_eq!(secret["authorization"]["parameters"]["authenticationType"], "spnKey");
    assert_eq!(secret["createdBy"]["displayName"], "Ada Bauer");
    assert_eq!(emulator::leaks(&fixture.emulator.issued(), all.to_string().as_bytes()), Vec::<String>::new());
    assert_eq!(ids(&list(0, "&type=dockerregistry").await), Vec::<String>::new());
}

#[tokio::test]
async fn a_connection_that_is_made_says_who_made_it() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).connections(1));
    let (project, known) = (fixture.project(0), fixture.made.healthy[0]);
    let path = |id: &str| format!("{project}/_apis/serviceendpoint/endpoints/{id}?api-version=7.1");
    let mut wanted = fixture.json(&path(&known.to_string())).await;
    wanted["name"] = json!("made");
    wanted["data"]["creationMode"] = json!("Manual");
    wanted["createdBy"] = json!(null);
    let url =
        format!("{}/{NAME}/_apis/serviceendpoint/endpoints?api-version=7.1", fixture.emulator.devops_url());
    let request = fixture.client.post(url).basic_auth("", Some(&fixture.made.personal_token));
    let request = request.header("content-type", "application/json").body(wanted.to_string());
    let made = body(request.send().await.unwrap()).await;
    let read = fixture.json(&path(made["id"].as_str().unwrap())).await;
    assert_eq!(read["name"], "made", "{read}");
    assert!(read["createdBy"]["displayName"].is_string(), "{read}");
}

#[tokio::test]
async fn each_way_to_say_no_is_a_switch() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).projects(3).connections(3));
    let project = fixture.project(0);
    let path = |version: &str| format!("{project}/_apis/serviceendpoint/endpoints?api-version={version}");
    let unknown = format!("{project}/_apis/serviceendpoint/endpoints/{}?api-version=7.1", Uuid::from_u128(1));
    assert_eq!(fixture.json(&unknown).await, json!(null));
    fixture.emulator.directory().quirks.unknown_connection = UnknownConnection::NullId;
    assert_eq!(fixture.json(&unknown).await["id"], json!(null));
    fixture.emulator.directory().quirks.unknown_connection = UnknownConnection::NotFound;
    assert_eq!(fixture.devops(&unknown).await.status(), 404);
    fixture.emulator.directory().quirks.only_version_7_1 = true;
    let refused = fixture.devops(&path("7.2-preview.4")).await;
    assert_eq!(
        (refused.status().as_u16(), &body(refused).await["typeKey"]),
        (400, &json!("VssVersionOutOfRangeException"))
    );
    fixture.emulator.directory().quirks.version_7_1_tells_less = true;
    assert_eq!(fixture.json(&path("7.1")).await["value"][0]["creationDate"], json!(null));
    fixture.emulator.directory().quirks.other_case = true;
    let connection = fixture.json(&path("7.1")).await["value"][0].clone();
    assert_eq!(connection["type"], "AzureRM");
    assert_eq!(connection["authorization"]["parameters"]["tenantId"], json!(USUAL.tenant));
    fixture.emulator.directory().project(project).record.sight = Sight::Partial;
    assert_eq!(fixture.devops(&path("7.1")).await.status(), 403);
    fixture.emulator.directory().project(project).record.sight = Sight::Nothing;
    assert_eq!(fixture.devops(&path("7.1")).await.status(), 404);
    fixture.emulator.directory().quirks.unknown_project = UnknownProject::BadRequest;
    fixture.emulator.directory().quirks.byte_order_mark = true;
    let refused = fixture.devops(&path("7.1")).await;
    assert_eq!(refused.status(), 400);
    let bytes = refused.bytes().await.unwrap();
    assert!(bytes.starts_with(b"\xef\xbb\xbf{") && bytes.windows(8).any(|part| part == b"VS800075"));
    fixture.emulator.directory().personal_tokens.clear();
    for (quirk, status) in [
        (BadToken::Unauthorized, 401),
        (BadToken::PageWith203, 203),
        (BadToken::PageWith200, 200),
        (BadToken::Redirect, 302),
    ] {
        fixture.emulator.directory().quirks.bad_token = quirk;
        let answer = fixture.devops("_apis/projects").await;
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_busy_organization_asks_to_wait_with_success() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME));
    fixture.emulator.directory().quirks.slow_down = Some((2, 7));
    let mut waits = vec![];
    for _ in 0..4 {
        let answer = fixture.devops("_apis/projects?api-version=7.1").await;
        waits.push(answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned()));
    }
    assert_eq!(waits, [None, Some("7".to_owned()), None, Some("7".to_owned())]);
}

#[tokio::test]
async fn uses_come_newest_first_in_pages_that_count_down() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).projects(2).connections(2));
    let id = fixture.made.healthy[0];
    let uses: Vec<_> = (0..5)
        .map(|day| {
            let started = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000 - day);
            Execution {
                pipeline: 2,
                started,
                finished: (day > 0).then_some(started),
                result: "succeeded".to_owned(),
            }
        })
        .collect();
    fixture.emulator.directory().connection(id).record.history = uses;
    let project = fixture.project(0);
    let path =
        |more: &str| format!("{project}/_apis/serviceendpoint/{id}/executionhistory?api-version=7.1{more}");
    let answer = fixture.devops(&path("&top=2")).await;
    assert_eq!(continuation(&answer).as_deref(), Some("3"));
    let first = body(answer).await;
    assert_eq!(
        (&first["value"][0]["data"]["finishTime"], &first["value"][0]["data"]["id"]),
        (&json!(null), &json!(5))
    );
    let last = fixture.devops(&path("&top=3&continuationToken=3")).await;
    assert_eq!(continuation(&last), None);
    assert_eq!(body(last).await["value"].as_array().unwrap().len(), 3);
    assert_eq!(fixture.devops(&path("").replace("=7.1", "=7.1-preview.4")).await.status(), 400);
}

#[tokio::test]
async fn pipelines_checks_and_roles_say_who_may_use_a_connection() {
    let fixture =
        Fixture::of(&OrganizationPlan::new(NAME).projects(2).connections(2).planted(&[Planted::OpenToAll]));
    let (id, project) = (fixture.made.healthy[0], fixture.project(0));
    {
        let mut directory = fixture.emulator.directory();
        let record = &mut directory.connection(id).record;
        record.checks = vec![approval("[Project 0000]\\Leads"), branch_control("refs/heads/main")];
        record.roles.push(SecurityRole {
            role: "User".to_owned(),
            identity: "[Project 0000]\\Contributors".to_owned(),
            inherited: false,
        });
        let project = directory.projects_of(NAME)[1].id;
        directory.connection(id).record.shared_with.push(SharedWith { project, name: "other".to_owned() });
    }
    let permissions = async |id: Uuid| {
        let path =
            format!("{project}/_apis/pipelines/pipelinePermissions/endpoint/{id}?api-version=7.1-preview.1");
        fixture.json(&path).await
    };
    let closed = permissions(id).await;
    assert_eq!((&closed["allPipelines"], &closed["pipelines"][0]["id"]), (&json!(null), &json!(1)));
    assert_eq!(
        permissions(fixture.made.planted[&Planted::OpenToAll]).await["allPipelines"]["authorized"],
        true
    );
    let path = format!(
        "_apis/securityroles/scopes/distributedtask.serviceendpointrole/roleassignments/resources/{project}_{id}?api-version=7.1-preview.1"
    );
    let roles = fixture.json(&path).await;
    assert_eq!(roles["value"][1]["identity"]["displayName"], "[Project 0000]\\Contributors");
    assert_eq!(roles["value"][0]["access"], "inherited");
    // As azure-devops-node-api asks.
    assert_eq!(fixture.json(&path.replace("7.1-preview.1", "3.2-preview.1")).await, roles);
    fixture.emulator.directory().quirks.roles_are_hidden = true;
    assert_eq!(fixture.json(&path).await["count"], 0);
    let url = format!(
        "{}/{NAME}/{project}/_apis/pipelines/checks/queryconfigurations?$expand=settings&api-version=7.1-preview.1",
        fixture.emulator.devops_url()
    );
    let asked = json!([{ "type": "endpoint", "id": id, "name": "x" }]).to_string();
    let request = fixture.client.post(url).basic_auth("", Some(&fixture.made.personal_token));
    let checks =
        body(request.header("content-type", "application/json").body(asked).send().await.unwrap()).await;
    assert_eq!((&checks["count"], &checks["value"][1]["resource"]["id"]), (&json!(2), &json!(id)));
    assert_eq!(checks["value"][1]["settings"]["inputs"]["allowedBranches"], "refs/heads/main");
    let pipelines = fixture.json(&format!("{project}/_apis/build/definitions?api-version=7.1&$top=2")).await;
    assert_eq!(pipelines["count"], 2);
}

#[tokio::test]
async fn graph_finds_identities_by_what_they_trust_in_pages_and_only_with_its_header() {
    let planted = [Planted::OldIssuer, Planted::ManagedIdentity, Planted::DeletedApplication];
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).connections(5).planted(&planted));
    fixture.emulator.directory().quirks.graph_page = 2;
    let base = fixture.emulator.graph_url();
    let filter =
        "federatedIdentityCredentials/any(f:startsWith(f/issuer,'https://login.microsoftonline.com'))";
    let url = |set: &str| {
        format!("{base}/v1.0/{set}?$count=true&$expand=federatedIdentityCredentials&$filter={filter}")
    };
    let (status, refused) = fixture.graph(&url("applications"), false).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("Request_UnsupportedQuery")));
    let (mut found, mut next) = (vec![], Some(url("applications")));
    while let Some(url) = next {
        let (_, page) = fixture.graph(&url, true).await;
        found.extend(page["value"].as_array().unwrap().clone());
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    // Five of this organization, and one that is in every emulator.
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|one| one["federatedIdentityCredentials"][0]["audiences"][0] == "api://AzureADTokenExchange"));
    let (_, managed) = fixture.graph(&url("servicePrincipals"), true).await;
    let kinds: Vec<_> =
        managed["value"].as_array().unwrap().iter().map(|one| one["servicePrincipalType"].clone()).collect();
    assert!(!kinds.is_empty());
    let client =
        fixture.emulator.directory().connection(fixture.made.planted[&Planted::DeletedApplication]).client;
    let (_, deleted) = fixture
        .graph(
            &format!(
                "{base}/v1.0/directory/deletedItems/microsoft.graph.application?$filter=appId eq '{client}'"
            ),
            false,
        )
        .await;
    assert_eq!(deleted["value"][0]["appId"], json!(client));
    assert_eq!(fixture.graph(&format!("{base}/v1.0/applications(appId='{client}')"), false).await.0, 404);
    let (status, _) = fixture
        .graph(&format!("{base}/v1.0/applications?$expand=owners,federatedIdentityCredentials"), false)
        .await;
    assert_eq!(status, 400, "one property is expanded at a time");
    let many: Vec<_> = (0..16).map(|id| format!("'{}'", Uuid::from_u128(id))).collect();
    let (status, _) = fixture
        .graph(&format!("{base}/v1.0/servicePrincipals?$filter=appId in ({})", many.join(",")), false)
        .await;
    assert_eq!(status, 400, "fifteen alternatives at a time");
}

#[tokio::test]
async fn graph_answers_a_batch_call_by_call_and_never_a_secret() {
    let planted = [Planted::SecretBesideFederation, Planted::GuestOwner, Planted::ManagedIdentity];
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).planted(&planted));
    let clients: Vec<Uuid> = {
        let mut directory = fixture.emulator.directory();
        planted.iter().map(|what| directory.connection(fixture.made.planted[what]).client).collect()
    };
    fixture.emulator.directory().quirks.batch_reversed = true;
    let requests: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(at, client)| {
            let url = format!("/applications(appId='{client}')?$select=appId,passwordCredentials&$expand=owners($select=id,userType)");
            json!({ "id": at.to_string(), "method": "GET", "url": url })
        })
        .collect();
    let token = fixture.emulator.access_token(fixture.made.auditor, "https://graph.microsoft.com");
    let send = async |requests: Value| {
        let url = format!("{}/v1.0/$batch", fixture.emulator.graph_url());
        let request = fixture.client.post(url).bearer_auth(&token).header("content-type", "application/json");
        body(request.body(json!({ "requests": requests }).to_string()).send().await.unwrap()).await
    };
    let answer = send(json!(requests)).await;
    let of = |id: &str| {
        answer["responses"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
    };
    assert_eq!(answer["responses"][0]["id"], "2");
    assert!(of("0")["body"]["passwordCredentials"][0]["endDateTime"].is_string());
    assert_eq!(of("1")["body"]["owners"][0]["userType"], "Guest");
    assert_eq!(of("1")["body"]["owners"][0].as_object().unwrap().len(), 3);
    assert_eq!(of("2")["status"], 404, "a managed identity is no application");
    assert_eq!(
        emulator::leaks(&fixture.emulator.issued(), answer.to_string().as_bytes()),
        Vec::<String>::new()
    );
    let many: Vec<_> =
        (0..21).map(|id| json!({ "id": id.to_string(), "method": "GET", "url": "/applications" })).collect();
    assert_eq!(send(json!(many)).await["error"]["code"], "BadRequest");
}

#[tokio::test]
async fn resource_graph_lists_role_assignments_of_all_identities_in_pages() {
    let planted = [Planted::OwnerRole, Planted::NoRole];
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).connections(4).planted(&planted));
    let query = "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' | order by id asc | project id, principalId, scope, roleName";
    let ask = |skip: Option<&str>, query: &str| json!({ "query": query, "options": { "$top": 3, "$skipToken": skip, "resultFormat": "objectArray" } });
    let (_, first) = fixture.arm_query(&ask(None, query)).await;
    assert_eq!((&first["count"], &first["totalRecords"]), (&json!(3), &json!(7)), "{first}");
    let mut rows = first["data"].as_array().unwrap().clone();
    let mut token = first["$skipToken"].as_str().map(str::to_owned);
    while let Some(skip) = token {
        let (_, page) = fixture.arm_query(&ask(Some(&skip), query)).await;
        rows.extend(page["data"].as_array().unwrap().clone());
        token = page["$skipToken"].as_str().map(str::to_owned);
    }
    assert_eq!(rows.iter().filter(|row| row["roleName"] == "Owner").count(), 1);
    let (_, cut) = fixture.arm_query(&ask(None, &query.replace("| order by id asc", ""))).await;
    assert_eq!((&cut["$skipToken"], &cut["resultTruncated"]), (&json!(null), &json!("true")));
    assert_eq!(fixture.arm_query(&ask(None, "secrets | project id")).await.0, 400);
    fixture.emulator.directory().quirks.resource_graph_denied = true;
    assert_eq!(fixture.arm_query(&ask(None, query)).await.0, 403);
}

#[tokio::test]
async fn the_resource_manager_lists_identities_credentials_and_roles_in_pages() {
    let fixture = Fixture::of(&OrganizationPlan::new(NAME).connections(3));
    {
        let mut directory = fixture.emulator.directory();
        directory.quirks.arm_page = Some(2);
        let subscription = fixture.made.subscription;
        for id in 1..=3 {
            let mut app = emulator::directory::App::new(Uuid::from_u128(id), Kind::ManagedIdentity);
            app.record.subscription = Some(subscription);
            directory.tenant(USUAL.tenant).apps.push(app);
        }
    }
    let token = fixture.emulator.access_token(fixture.made.auditor, "https://management.azure.com");
    let all = async |path: &str| {
        let mut url = format!(
            "{}/subscriptions/{}/providers/{path}",
            fixture.emulator.arm_url(),
            fixture.made.subscription
        );
        let (mut found, mut pages) = (0, 0);
        loop {
            let page = body(fixture.client.get(&url).bearer_auth(&token).send().await.unwrap()).await;
            found += page["value"].as_array().unwrap().len();
            pages += 1;
            match page["nextLink"].as_str() {
                Some(next) => next.clone_into(&mut url),
                None => return (found, pages),
            }
        }
    };
    assert_eq!(all("Microsoft.ManagedIdentity/userAssignedIdentities?api-version=2024-11-30").await, (3, 2));
    assert_eq!(all("Microsoft.Authorization/roleAssignments?api-version=2022-04-01").await, (4, 2));
}

#[test]
fn the_same_plan_makes_the_same_organization_with_every_fault_once() {
    let plan = OrganizationPlan::new(NAME).projects(4).connections(9).planted(&Planted::ALL);
    let made: Vec<_> = [(); 2].map(|()| Emulator::start().add_organization(&plan)).into();
    assert_eq!((made[0].id, &made[0].planted), (made[1].id, &made[1].planted));
    assert_eq!(made[0].planted.len(), Planted::ALL.len());
    let all: BTreeSet<_> = made[0].planted.values().chain(&made[0].healthy).collect();
    assert_eq!(all.len(), Planted::ALL.len() + 9);
}
