//! What could not be read: nothing unread that is not told.

use std::time::Duration;

use emulator::{
    Fault, Service,
    directory::{BadToken, Sight, UnknownProject},
    organization::{OrganizationPlan, Planted},
};
use serde_json::{Value, json};
use uuid::Uuid;
use wif_core::code::Code;
use wif_operator::snapshot::{Existence, Layer, Organization, State};

use crate::support::{Fixture, NAME, find, gaps};

fn plan() -> OrganizationPlan {
    OrganizationPlan::new(NAME)
}

#[test]
fn a_project_that_is_denied_or_vanishes_is_a_gap_and_the_others_are_read() {
    let fixture = Fixture::new(&plan().projects(3).connections(3));
    {
        let mut directory = fixture.emulator.directory();
        directory.project(fixture.made.projects[0]).record.sight = Sight::Partial;
        directory.project(fixture.made.projects[1]).record.sight = Sight::Nothing;
        directory.quirks.unknown_project = UnknownProject::BadRequest;
    }
    let organization = fixture.organization();
    assert_eq!(organization.connections.len(), 1);
    let list: Vec<_> = gaps(&organization).into_iter().filter(|gap| gap.layer == Layer::List).collect();
    assert_eq!(list.len(), 2, "{list:#?}");
    assert_eq!((list[0].project.as_deref(), list[0].state), (Some("Project 0000"), State::Denied));
    assert!(list[0].why.contains("answered 403") && list[0].why.contains("TF400813"), "{}", list[0].why);
    assert_eq!(list[1].project.as_deref(), Some("Project 0001"));
    assert!(list[1].why.contains("gone meanwhile"), "{}", list[1].why);
}

#[test]
fn a_wait_of_more_than_five_minutes_is_a_failed_layer_and_nothing_more_is_asked() {
    let mut fixture = Fixture::new(&plan().projects(50)).depth(Layer::List);
    fixture.options.jobs = 1;
    let busy = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").status(429);
    fixture.emulator.fault(busy.header("retry-after", "301").nth(3).always());
    let organization = fixture.organization();
    assert_eq!(fixture.calls(Service::DevOps, "/serviceendpoint/endpoints"), 3);
    let gaps = gaps(&organization);
    assert_eq!(gaps.len(), 48, "the two that were read are none");
    assert!(gaps.iter().all(|gap| gap.state == State::Failed && gap.why.contains("asks to wait for 301 s")));
    assert!(fixture.clock.sleeps().iter().all(|sleep| *sleep < Duration::from_secs(301)));
}

#[test]
fn a_page_that_is_lost_is_told() {
    let fixture = Fixture::new(&plan().projects(250)).depth(Layer::List);
    fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/_apis/projects").nth(3).status(500).always());
    let organization = fixture.organization();
    assert_eq!(organization.projects.len(), 200);
    let gaps = gaps(&organization);
    assert_eq!((gaps.len(), gaps[0].state, gaps[0].project.as_deref()), (1, State::Failed, None));
    assert!(gaps[0].why.starts_with("projects after the first pages: Azure DevOps"), "{}", gaps[0].why);
}

#[test]
fn answers_that_are_cut_short_are_asked_for_again_and_then_told() {
    let fixture = Fixture::new(&plan().projects(2).connections(2)).depth(Layer::List);
    let cut = || Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").truncate();
    fixture.emulator.fault(cut());
    assert_eq!(gaps(&fixture.organization()), Vec::<&_>::new());
    fixture.emulator.fault(cut().always());
    let organization = fixture.organization();
    assert!(organization.connections.is_empty());
    let gaps = gaps(&organization);
    assert_eq!(gaps.len(), 2);
    assert!(
        gaps.iter().all(|gap| gap.state == State::Failed && gap.why.contains("gave no answer")),
        "{gaps:#?}"
    );
}

#[test]
fn a_sign_in_page_in_any_form_is_a_refused_token_and_no_empty_organization() {
    let fixture = Fixture::new(&plan().projects(2)).set("AZURE_DEVOPS_EXT_PAT", "ended");
    for form in [BadToken::Unauthorized, BadToken::PageWith203, BadToken::PageWith200, BadToken::Redirect] {
        fixture.emulator.directory().quirks.bad_token = form;
        let organization = fixture.organization();
        let list: Vec<_> = gaps(&organization).into_iter().filter(|gap| gap.layer == Layer::List).collect();
        assert!(!list.is_empty(), "{form:?}");
        assert!(
            list.iter().all(|gap| gap.state == State::Denied && gap.why.contains("refused the token")),
            "{form:?} {list:#?}"
        );
        assert!(
            organization.coverage.iter().all(|one| one.state != State::Read),
            "{:#?}",
            organization.coverage
        );
    }
}

#[test]
fn an_organization_that_does_not_exist_is_denied() {
    let mut fixture = Fixture::new(&plan());
    fixture.options.organizations = vec!["nobody-has-this".to_owned()];
    let organization = fixture.organization();
    assert_eq!(organization.id, None);
    assert!(
        organization.coverage.iter().all(|one| one.state == State::Denied),
        "{:#?}",
        organization.coverage
    );
}

#[test]
fn a_missing_token_is_a_gap_of_what_it_would_have_told_and_of_nothing_else() {
    let fixture = Fixture::new(&plan().connections(2)).unset("WIF_GRAPH_TOKEN").unset("WIF_ARM_TOKEN");
    let organization = fixture.organization();
    let told = gaps(&organization);
    assert!(told.iter().all(|gap| gap.layer == Layer::Identity && gap.state == State::Denied), "{told:#?}");
    assert!(told.iter().any(|gap| gap.why.contains("Microsoft Graph: no token")));
    assert!(told.iter().any(|gap| gap.why.contains("Azure Resource Manager: no token")));
    assert!(
        organization.identities.iter().all(|one| one.existence == Existence::Unknown && one.roles.is_none())
    );
    assert!(
        organization.connections.iter().all(|one| one.checks.is_some() && one.projects[0].runs.is_some())
    );
    assert!(fixture.said.text().contains("Microsoft Graph: no token"), "{}", fixture.said.text());
    let without = Fixture::new(&plan().connections(2)).unset("AZURE_DEVOPS_EXT_PAT");
    let organization = without.organization();
    assert!(
        organization.coverage.iter().all(|one| one.state == State::Denied),
        "{:#?}",
        organization.coverage
    );
    assert_eq!(without.emulator.journal().len(), 0, "no service is asked without an organization");
}

#[test]
fn a_token_that_may_not_read_graph_or_resource_graph_is_a_gap() {
    let fixture = Fixture::new(&plan().connections(2)).depth(Layer::Identity);
    {
        let mut directory = fixture.emulator.directory();
        directory.app(fixture.made.auditor).reads_applications = false;
        directory.quirks.resource_graph_denied = true;
    }
    let organization = fixture.organization();
    let told = gaps(&organization);
    assert!(
        told.iter().any(|gap| gap
            .why
            .contains("Microsoft Graph refused (it answered 403, Authorization_RequestDenied")),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|gap| gap.state == State::Denied && gap.why.contains("roles outside"))
            || told.iter().any(|gap| gap.why.contains("roles outside of the subscriptions")),
        "{told:#?}"
    );
    assert!(organization.identities.iter().all(|one| one.existence == Existence::Unknown));
    assert_eq!(fixture.calls(Service::Arm, "roleAssignments"), 1, "each subscription is asked instead");
}

#[test]
fn a_subscription_that_may_not_be_seen_is_neither_gone_nor_without_roles() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    fixture.emulator.directory().subscription(fixture.made.subscription).roles.clear();
    let organization = fixture.organization();
    assert_eq!(organization.subscriptions[0].existence, Existence::Unknown);
    assert_eq!(organization.identities[0].roles, None);
    assert!(
        gaps(&organization)
            .iter()
            .any(|gap| gap.state == State::Denied && gap.why.contains("AuthorizationFailed"))
    );
}

#[test]
fn identities_of_another_tenant_are_unknown_and_not_gone() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    let other = Uuid::from_u128(77);
    fixture.emulator.directory().connection(fixture.made.healthy[0]).tenant = other;
    let organization = fixture.organization();
    let identity = organization.identities.iter().find(|one| one.tenant == Some(other)).unwrap();
    assert_eq!(identity.existence, Existence::Unknown);
    assert!(
        gaps(&organization).iter().any(|gap| gap.why.contains(&format!("identities of the tenant {other}")))
    );
    assert_eq!(organization.tenants.iter().find(|one| one.id == other).unwrap().existence, Existence::Gone);
}

#[test]
fn roles_that_are_not_told_are_unread_and_told_once() {
    let fixture = Fixture::new(&plan().projects(1).connections(5));
    fixture.emulator.directory().quirks.roles_are_hidden = true;
    let organization = fixture.organization();
    let told = gaps(&organization);
    assert_eq!((told.len(), told[0].layer, told[0].state), (1, Layer::Use, State::Partial));
    assert!(told[0].why.starts_with("members of roles of 5 connections: "), "{}", told[0].why);
    assert!(organization.connections.iter().all(|one| one.projects[0].members.is_none()));
}

#[test]
fn a_token_that_sees_no_project_is_a_gap_and_a_project_that_is_named_then_is_an_argument_error() {
    let mut fixture = Fixture::new(&plan().projects(2).connections(2));
    let empty = Fault::on(Service::DevOps, "GET", "/_apis/projects").status(200);
    fixture.emulator.fault(empty.json(&json!({ "count": 0, "value": [] })).always());
    let organization = fixture.organization();
    let told = gaps(&organization);
    let list: Vec<_> = told.iter().filter(|gap| gap.layer == Layer::List).collect();
    assert_eq!(list.len(), 1, "{told:#?}");
    assert_eq!(list[0].state, State::Denied, "{told:#?}");
    assert!(list[0].why.contains("the token sees no project"), "{told:#?}");
    assert!(told.iter().any(|gap| gap.layer == Layer::Use), "{told:#?}");
    fixture.options.projects = vec!["Project 0001".to_owned()];
    let failure = fixture.try_read(std::future::pending()).unwrap_err();
    assert_eq!((failure.code, failure.exit_code()), (Code::ArgumentInvalid, 2));
    assert!(failure.to_string().contains("the token sees no project 'Project 0001'"), "{failure}");
}

#[test]
fn a_job_token_sees_one_project_and_what_it_does_not_see_is_told() {
    let fixture = Fixture::new(&plan().projects(3).connections(3)).unset("AZURE_DEVOPS_EXT_PAT");
    let job = fixture.emulator.job(fixture.made.healthy[0]).job_token;
    let fixture = fixture.set("SYSTEM_ACCESSTOKEN", &job).depth(Layer::List);
    let organization = fixture.organization();
    assert!(
        fixture
            .said
            .text()
            .contains("Azure DevOps: token of SYSTEM_ACCESSTOKEN, which as a rule sees one project")
    );
    assert_eq!((organization.projects.len(), organization.connections.len()), (1, 1));
    let told = gaps(&organization);
    assert!(told.iter().any(|gap| gap.connection == Some(fixture.made.healthy[0])), "{told:#?}");
    assert!(
        told.iter().any(|gap| gap.connection.is_none() && gap.why.contains("SYSTEM_ACCESSTOKEN")),
        "{told:#?}"
    );
}

#[test]
fn a_connection_that_is_told_in_part_is_a_gap_that_names_it() {
    let fixture = Fixture::new(&plan()).depth(Layer::List);
    let (whole, without_trust, without_identity) =
        (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let connection = |id: Uuid, parameters: Value| {
        json!({
            "id": id, "name": format!("sc-{id}"), "type": "azurerm", "data": { "environment": "AzureCloud" },
            "authorization": { "scheme": "WorkloadIdentityFederation", "parameters": parameters },
            "serviceEndpointProjectReferences":
                [{ "name": "sc", "projectReference": { "id": fixture.made.projects[0], "name": "Project 0000" } }],
        })
    };
    let (tenant, client) = (Fixture::tenant(), Uuid::from_u128(9));
    let (issuer, subject) = ("https://login.microsoftonline.com/x/v2.0", "/eid1/c/pub/t/x/a/x/sc/x/x");
    let list = json!({ "value": [
        connection(whole, json!({
            "tenantid": tenant, "serviceprincipalid": client,
            "workloadIdentityFederationIssuer": issuer, "workloadIdentityFederationSubject": subject,
        })),
        connection(without_trust, json!({ "tenantid": tenant, "serviceprincipalid": client })),
        connection(without_identity, json!({
            "workloadIdentityFederationIssuer": issuer, "workloadIdentityFederationSubject": subject,
        })),
    ] });
    fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").json(&list));
    let organization = fixture.organization();
    assert_eq!(organization.connections.len(), 3);
    let told: Vec<_> = gaps(&organization).iter().map(|gap| (gap.layer, gap.connection, gap.state)).collect();
    assert_eq!(
        told,
        [
            (Layer::List, Some(without_trust), State::Partial),
            (Layer::List, Some(without_identity), State::Partial)
        ],
        "{:#?}",
        gaps(&organization)
    );
    let why = |id: Uuid| {
        gaps(&organization).iter().find(|gap| gap.connection == Some(id)).map(|gap| gap.why.clone()).unwrap()
    };
    assert!(why(without_trust).contains("issuer") && why(without_trust).contains("subject"));
    assert!(why(without_identity).contains("tenant") && why(without_identity).contains("client"));
}

#[test]
fn an_identity_that_is_told_in_part_is_a_gap_that_names_it() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    let client = fixture.emulator.directory().connection(fixture.made.healthy[0]).client;
    let principal = json!({ "id": Uuid::from_u128(7), "appId": client, "displayName": "app",
        "servicePrincipalType": "Application", "accountEnabled": true });
    let answers = json!({ "responses": [
        { "id": "0", "status": 200, "body": { "id": Uuid::from_u128(8), "appId": client, "displayName": "app" } },
        { "id": "1", "status": 200, "body": { "value": [principal] } },
    ] });
    fixture.emulator.fault(Fault::on(Service::Graph, "POST", "/v1.0/$batch").json(&answers));
    let organization = fixture.organization();
    let identity = organization.identities.iter().find(|one| one.client == client).unwrap();
    assert_eq!((identity.existence, &identity.secrets), (Existence::Found, &None));
    let told = gaps(&organization);
    let is_told = |what: &str| {
        told.iter().any(|gap| {
            gap.layer == Layer::Identity
                && gap.state == State::Partial
                && gap.why.contains(&client.to_string())
                && gap.why.contains(what)
        })
    };
    assert!(["secrets", "certificates", "owners"].into_iter().all(is_told), "{told:#?}");
}

#[test]
fn an_answer_without_its_list_does_not_say_that_an_identity_or_its_credentials_are_gone() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    let client = fixture.emulator.directory().connection(fixture.made.healthy[0]).client;
    let answers = json!({ "responses": [
        { "id": "0", "status": 404, "body": { "error": { "code": "Request_ResourceNotFound" } } },
        { "id": "1", "status": 200, "body": {} },
    ] });
    fixture.emulator.fault(Fault::on(Service::Graph, "POST", "/v1.0/$batch").json(&answers));
    let organization = fixture.organization();
    let identity = organization.identities.iter().find(|one| one.client == client).unwrap();
    assert_eq!(identity.existence, Existence::Unknown);
    let told = gaps(&organization);
    assert!(told.iter().any(|gap| gap.why.contains("service principals")), "{told:#?}");
}

#[test]
fn connections_on_later_pages_are_read_and_a_page_that_is_lost_is_told() {
    let fixture = Fixture::new(&plan().projects(1).connections(3)).depth(Layer::List);
    let first_page = || {
        let empty = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints");
        empty.json(&json!({ "value": [] })).header("x-ms-continuationtoken", "page2")
    };
    fixture.emulator.fault(first_page());
    let organization = fixture.organization();
    assert_eq!((organization.connections.len(), gaps(&organization).len()), (3, 0));
    assert_eq!(fixture.calls(Service::DevOps, "/serviceendpoint/endpoints"), 2);
    fixture.emulator.fault(first_page());
    let lost = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").nth(2).status(500);
    fixture.emulator.fault(lost.always());
    let organization = fixture.organization();
    let told = gaps(&organization);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(
        (told[0].layer, told[0].state, told[0].project.as_deref()),
        (Layer::List, State::Failed, Some("Project 0000"))
    );
}

#[test]
fn an_organization_that_does_not_tell_its_id_is_a_gap() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::List);
    let answer = json!({ "authenticatedUser": {} });
    fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/_apis/connectionData").json(&answer));
    let organization = fixture.organization();
    assert_eq!((organization.id, organization.connections.len()), (None, 1));
    let told = gaps(&organization);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].layer, told[0].state), (Layer::List, State::Partial));
    assert!(told[0].why.contains("instanceId"), "{}", told[0].why);
}

#[test]
fn an_answer_of_resource_graph_without_rows_is_not_no_roles() {
    let fixture = Fixture::new(&plan().connections(2)).depth(Layer::Identity);
    let answer = |body: &Value| {
        let fault = Fault::on(Service::Arm, "POST", "Microsoft.ResourceGraph").json(body);
        fixture.emulator.fault(fault);
        fixture.organization()
    };
    let organization = answer(&json!({ "count": 0 }));
    assert!(organization.identities.iter().all(|one| one.roles.is_none()));
    let told = gaps(&organization);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].layer, told[0].state), (Layer::Identity, State::Failed));
    assert!(told[0].why.starts_with("roles: "), "{}", told[0].why);
    let unreadable = json!({ "scope": "/", "role": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635" });
    let organization = answer(&json!({ "data": [unreadable] }));
    let told = gaps(&organization);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].layer, told[0].state), (Layer::Identity, State::Partial));
    assert!(told[0].why.starts_with("roles: "), "{}", told[0].why);
}

#[test]
fn checks_of_a_connection_whose_project_cannot_be_seen_are_a_gap() {
    let fixture = Fixture::new(&plan().projects(2).planted(&[Planted::SharedWithProject]));
    let fixture = fixture.depth(Layer::Identity);
    let id = fixture.made.planted[&Planted::SharedWithProject];
    let whole = fixture.organization();
    assert!(gaps(&whole).is_empty());
    let other = find(&whole, id).projects.iter().find(|project| !project.is_owner).unwrap().clone();
    let seen = json!({ "value": [{ "id": other.id, "name": other.name, "visibility": "private" }] });
    fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/_apis/projects").json(&seen));
    let organization = fixture.organization();
    let connection = find(&organization, id);
    assert_eq!((&connection.checks, connection.owner().is_some_and(|one| one.id != other.id)), (&None, true));
    let told = gaps(&organization);
    let of_checks: Vec<_> = told.iter().filter(|gap| gap.why.starts_with("approvals and checks")).collect();
    assert_eq!(of_checks.len(), 1, "{told:#?}");
    let gap = of_checks[0];
    assert_eq!((gap.layer, gap.state, gap.connection), (Layer::Identity, State::Denied, Some(id)));
}

#[test]
fn roles_are_asked_for_once_for_all_organizations_as_long_as_they_were_read_whole() {
    let mut fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    let made = fixture.emulator.add_organization(&OrganizationPlan::new("northwind").connections(1));
    let auditor = fixture.made.auditor;
    fixture.emulator.directory().subscription(made.subscription).roles.push(auditor);
    fixture.options.organizations.push("northwind".to_owned());
    let asked = |fixture: &Fixture| fixture.calls(Service::Arm, "Microsoft.ResourceGraph");
    let has_roles = |organization: &Organization| {
        organization.identities.iter().all(|one| one.roles.as_ref().is_some_and(|roles| !roles.is_empty()))
    };
    let snapshot = fixture.read();
    assert!(snapshot.organizations.iter().all(|one| has_roles(one) && gaps(one).is_empty()));
    assert_eq!(asked(&fixture), 1);
    // What one organization could not be told, the next one asks for again.
    let denied = Fault::on(Service::Arm, "POST", "Microsoft.ResourceGraph").status(401);
    fixture.emulator.fault(denied);
    let snapshot = fixture.read();
    assert_eq!(gaps(&snapshot.organizations[0]).len(), 1);
    assert!(has_roles(&snapshot.organizations[1]) && gaps(&snapshot.organizations[1]).is_empty());
    assert_eq!(asked(&fixture), 3);
    // What was left out is told of each.
    fixture.emulator.directory().quirks.resource_graph_cut = true;
    let snapshot = fixture.read();
    assert!(snapshot.organizations.iter().all(|one| gaps(one).len() == 1));
}
