//! Reading whole organizations, over TLS: as few calls as there can be, and all that there is.

use std::{collections::BTreeSet, time::Duration};

use emulator::{
    Fault, Gate, Service,
    organization::{OrganizationPlan, Planted, approval, branch_control},
};
use wif_core::{code::Code, trust::subject::Subject};
use wif_operator::snapshot::{
    Existence, Layer, State,
    connection::CheckKind,
    identity::{Identity, IdentityKind},
};

use crate::support::{Fixture, NAME, find, gaps};

fn plan() -> OrganizationPlan {
    OrganizationPlan::new(NAME)
}

#[test]
fn a_healthy_organization_is_read_whole_and_every_layer_says_so() {
    let fixture = Fixture::new(&plan().projects(3).connections(7));
    let organization = fixture.organization();
    assert_eq!(gaps(&organization), Vec::<&_>::new());
    assert_eq!(organization.id, Some(fixture.made.id));
    assert_eq!((organization.projects.len(), organization.connections.len()), (3, 7));
    let layers: Vec<_> =
        organization.coverage.iter().filter(|one| one.project.is_none()).map(|one| one.layer).collect();
    assert_eq!(layers, [Layer::List, Layer::Identity, Layer::Use]);
    let projects = organization.coverage.iter().filter(|one| one.project.is_some());
    assert_eq!(projects.filter(|one| one.layer == Layer::List && one.state == State::Read).count(), 3);
    for connection in &organization.connections {
        assert!(connection.is_visible && connection.projects.len() == 1 && connection.projects[0].is_owner);
        assert!(
            matches!(Subject::parse(connection.subject.as_ref().unwrap()), Subject::Ids { connection: id, .. } if id == connection.id)
        );
        let project = &connection.projects[0];
        assert_eq!(project.runs.as_ref().unwrap()[0].pipeline, Some(1));
        let permissions = project.pipelines.as_ref().unwrap();
        assert!(!permissions.is_open_to_all);
        assert_eq!(permissions.pipelines[0].existence, Existence::Found);
        assert_eq!(permissions.pipelines[0].name.as_deref(), Some("pipeline-1"));
        assert_eq!(project.members.as_ref().unwrap()[0].role, "Administrator");
        assert_eq!(connection.checks.as_deref(), Some(&[][..]));
        let client = connection.client.unwrap();
        let identity = organization.identities.iter().find(|one| one.client == client).unwrap();
        assert_eq!((identity.kind, identity.existence), (IdentityKind::Application, Existence::Found));
        assert_eq!(identity.federated_credentials.as_ref().unwrap()[0].subject, connection.subject);
        assert_eq!(identity.owners.as_ref().unwrap()[0].is_guest, Some(false));
        assert_eq!(identity.roles.as_ref().unwrap()[0].role.as_deref(), Some("Reader"));
        assert_eq!(identity.secrets.as_deref(), Some(&[][..]));
    }
    assert_eq!(organization.subscriptions[0].existence, Existence::Found);
    assert_eq!(
        (organization.tenants[0].id, organization.tenants[0].existence),
        (Fixture::tenant(), Existence::Found)
    );
}

#[test]
fn the_list_layer_costs_one_call_a_project_and_one_for_each_hundred_projects() {
    let fixture = Fixture::new(&plan().projects(1001).connections(5)).depth(Layer::List);
    let organization = fixture.organization();
    assert_eq!((organization.projects.len(), organization.connections.len()), (1001, 5));
    assert_eq!(fixture.calls(Service::DevOps, "/_apis/projects"), 11);
    assert_eq!(fixture.calls(Service::DevOps, "/serviceendpoint/endpoints"), 1001);
    assert_eq!(fixture.emulator.journal().len(), 1001 + 11 + 1, "and one for the organization's id");
    assert!(fixture.emulator.connections(Service::DevOps) <= 16);
    assert_eq!(gaps(&organization), Vec::<&_>::new());
    assert!(organization.coverage.iter().all(|one| one.layer == Layer::List));
}

#[test]
fn identities_cost_a_handful_of_calls_and_twenty_share_one() {
    let fixture = Fixture::new(&plan().projects(2).connections(100)).depth(Layer::Identity);
    let organization = fixture.organization();
    assert_eq!(gaps(&organization), Vec::<&_>::new());
    // A hundred applications, and seven questions for fifteen service principals each.
    assert_eq!(fixture.calls(Service::Graph, "POST /v1.0/$batch"), 6);
    assert_eq!(fixture.calls(Service::Arm, "Microsoft.ResourceGraph"), 1);
    assert_eq!(fixture.calls(Service::DevOps, "/checks/queryconfigurations"), 2);
    assert_eq!(fixture.calls(Service::DevOps, "executionhistory"), 0);
    assert!(
        organization.identities.iter().all(|one| one.roles.as_ref().is_some_and(|roles| !roles.is_empty()))
    );
}

#[test]
fn every_planted_fault_can_be_seen_in_the_snapshot() {
    let fixture = Fixture::new(&plan().projects(3).connections(2).planted(&Planted::ALL));
    {
        let mut directory = fixture.emulator.directory();
        let checks =
            vec![approval("[Project 0000]\\Leads"), branch_control("refs/heads/main,refs/heads/release/*")];
        directory.connection(fixture.made.planted[&Planted::OldIssuer]).record.checks = checks;
    }
    let organization = fixture.organization();
    let connection = |what| find(&organization, fixture.made.planted[&what]);
    let identity = |what| -> &Identity {
        let client = connection(what).client.unwrap();
        organization.identities.iter().find(|one| one.client == client).unwrap()
    };
    let secret = connection(Planted::StoredSecret);
    assert_eq!(secret.authentication_type.as_deref(), Some("spnKey"));
    assert_eq!(secret.creation_mode.as_deref(), Some("Automatic"));
    assert!(identity(Planted::SecretEnded).secrets.as_ref().unwrap()[0].ends.is_some());
    assert_eq!(connection(Planted::StoredCertificate).authentication_type.as_deref(), Some("spnCertificate"));
    assert_eq!(identity(Planted::StoredCertificate).certificates.as_ref().unwrap().len(), 1);
    assert_eq!(connection(Planted::ClassicType).kind.as_deref(), Some("azure"));
    assert_eq!(connection(Planted::PublishProfile).scheme.as_deref(), Some("PublishProfile"));
    assert_eq!(connection(Planted::MachineIdentity).scheme.as_deref(), Some("ManagedServiceIdentity"));
    assert_eq!(connection(Planted::OtherTypeWithSecret).kind.as_deref(), Some("dockerregistry"));
    assert!(connection(Planted::RevertOpen).revert_deadline.is_some());
    let old = connection(Planted::OldIssuer);
    assert_eq!(
        old.issuer.as_deref(),
        Some(format!("https://vstoken.dev.azure.com/{}", fixture.made.id).as_str())
    );
    let kinds: Vec<_> = old.checks.as_ref().unwrap().iter().map(|check| check.kind).collect();
    assert_eq!(kinds, [CheckKind::Approval, CheckKind::BranchControl]);
    assert_eq!(old.checks.as_ref().unwrap()[1].branches, ["refs/heads/main", "refs/heads/release/*"]);
    assert_eq!(
        identity(Planted::CredentialOfGoneConnection).federated_credentials.as_ref().unwrap().len(),
        2
    );
    assert_eq!(identity(Planted::ManyCredentials).federated_credentials.as_ref().unwrap().len(), 19);
    let flexible = identity(Planted::FlexibleCredential).federated_credentials.as_ref().unwrap();
    assert!(flexible.iter().any(|one| one.is_flexible && one.subject.is_none()));
    assert_eq!(
        identity(Planted::MultiTenantApplication).sign_in_audience.as_deref(),
        Some("AzureADMultipleOrgs")
    );
    assert_eq!(identity(Planted::DisabledApplication).is_enabled, Some(false));
    let deleted = identity(Planted::DeletedApplication);
    assert_eq!((deleted.existence, deleted.is_deleted), (Existence::Gone, true));
    assert_eq!(identity(Planted::NoOwner).owners.as_deref(), Some(&[][..]));
    assert_eq!(identity(Planted::GuestOwner).owners.as_ref().unwrap()[0].is_guest, Some(true));
    let gone = connection(Planted::SubscriptionGone).scope.clone().unwrap();
    assert_eq!(
        organization.subscriptions.iter().find(|one| one.scope == gone).unwrap().existence,
        Existence::Gone
    );
    assert!(connection(Planted::OpenToAll).projects[0].pipelines.as_ref().unwrap().is_open_to_all);
    let pipelines = &connection(Planted::GonePipeline).projects[0].pipelines.as_ref().unwrap().pipelines;
    assert_eq!(pipelines.iter().find(|one| one.id == 999).unwrap().existence, Existence::Gone);
    let shared = connection(Planted::SharedWithProject);
    assert_eq!(shared.projects.iter().map(|one| one.is_owner).collect::<Vec<_>>(), [true, false]);
    let public =
        organization.projects.iter().filter(|one| one.is_public).map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(public, [connection(Planted::SharedWithPublicProject).projects[1].id]);
    let members = connection(Planted::BroadGroup).projects[0].members.as_ref().unwrap();
    assert!(
        members.iter().any(|one| one.name.ends_with("\\Contributors")
            && !one.is_inherited
            && one.is_group == Some(true))
    );
    let roles = |what| {
        identity(what)
            .roles
            .as_ref()
            .unwrap()
            .iter()
            .map(|one| one.role.clone().unwrap())
            .collect::<BTreeSet<_>>()
    };
    assert!(roles(Planted::OwnerRole).contains("Owner"));
    assert_eq!(identity(Planted::NoRole).roles.as_deref(), Some(&[][..]));
    assert_eq!(connection(Planted::NeverUsed).projects[0].runs.as_deref(), Some(&[][..]));
    assert_eq!(connection(Planted::Disabled).is_disabled, Some(true));
    let failed = connection(Planted::CreationFailed);
    assert_eq!((failed.is_ready, failed.operation_state.as_deref()), (Some(false), Some("Failed")));
    assert_eq!(connection(Planted::NoDescription).description, None);
    assert_eq!(identity(Planted::ManagedIdentity).kind, IdentityKind::ManagedIdentity);
    assert_eq!(identity(Planted::ManagedIdentity).federated_credentials.as_ref().unwrap().len(), 1);
    // Only what cannot be seen is a gap.
    let partly = fixture.made.planted[&Planted::PartlyVisible];
    assert!(!find(&organization, partly).is_visible);
    let all: Vec<_> = gaps(&organization).iter().map(|gap| (gap.layer, gap.connection, gap.state)).collect();
    assert_eq!(all, [(Layer::List, Some(partly), State::Partial)], "{:#?}", gaps(&organization));
}

#[test]
fn an_identity_that_trusts_the_organization_and_that_no_connection_names_is_found() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    let client = {
        let mut directory = fixture.emulator.directory();
        let id = fixture.made.healthy[0];
        let client = directory.connection(id).client;
        let organization = directory.organizations.iter_mut().find(|one| one.name == NAME).unwrap();
        organization.projects[0].connections.clear();
        client
    };
    let organization = fixture.organization();
    let found: Vec<_> = organization.identities.iter().map(|one| one.client).collect();
    // The emulator's other organization has identities in the same tenant, which are none of this one's.
    assert_eq!(found, [client]);
    assert!(organization.identities[0].roles.is_some());
}

#[test]
fn the_order_of_answers_changes_nothing() {
    let plan = plan().projects(6).connections(30).planted(&Planted::ALL);
    let mut fixture = Fixture::new(&plan);
    let first = fixture.read();
    fixture.options.jobs = 1;
    fixture.emulator.directory().quirks.batch_reversed = true;
    let second = fixture.read();
    assert_eq!(first.organizations, second.organizations);
}

#[test]
fn every_spelling_and_version_of_the_service_reads_the_same() {
    let fixture = Fixture::new(&plan().projects(2).connections(4).planted(&[Planted::StoredSecret]));
    let usual = fixture.organization();
    {
        let mut directory = fixture.emulator.directory();
        directory.quirks.other_case = true;
        directory.quirks.empty_values = true;
        directory.quirks.only_version_7_1 = true;
        directory.quirks.byte_order_mark = true;
        directory.quirks.graph_page = 1;
        directory.quirks.resource_graph_page = 1;
        directory.quirks.projects_per_page = 1;
        directory.quirks.pipelines_per_page = 1;
    }
    let mut other = fixture.organization();
    for connection in &mut other.connections {
        connection.kind = connection.kind.as_ref().map(|kind| kind.to_lowercase());
    }
    assert_eq!(usual, other);
}

#[test]
fn a_service_that_asks_to_wait_is_obeyed_also_with_a_success() {
    let fixture = Fixture::new(&plan().projects(40)).depth(Layer::List);
    fixture.emulator.directory().quirks.slow_down = Some((10, 7));
    let organization = fixture.organization();
    assert_eq!(gaps(&organization), Vec::<&_>::new());
    assert!(fixture.clock.sleeps().contains(&Duration::from_secs(7)), "{:?}", fixture.clock.sleeps());
    let said = fixture.said.text();
    assert!(said.contains("Azure DevOps asks to wait 7 s"), "{said}");
    let waits = said.matches("asks to wait 7 s").count();
    let total = format!("waited {} s in all, because services asked for it\n", 7 * waits);
    assert!(waits > 1 && said.ends_with(&total), "{said}");
}

#[test]
fn throttling_is_waited_out_and_costs_no_project() {
    let fixture = Fixture::new(&plan().projects(10).connections(10)).depth(Layer::List);
    for _ in 0..3 {
        let busy = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").status(429);
        fixture.emulator.fault(busy.header("retry-after", "20").times(1));
    }
    let organization = fixture.organization();
    assert_eq!((organization.connections.len(), gaps(&organization).len()), (10, 0));
    assert_eq!(fixture.calls(Service::DevOps, "/serviceendpoint/endpoints"), 13);
}

#[test]
fn a_wait_of_a_second_is_told() {
    let fixture = Fixture::new(&plan().projects(1).connections(1)).depth(Layer::List);
    let busy = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").status(429).times(1);
    fixture.emulator.fault(busy.header("retry-after", "1"));
    assert_eq!(gaps(&fixture.organization()), Vec::<&_>::new());
    let said = fixture.said.text();
    assert!(said.contains("Azure DevOps asks to wait 1 s"), "{said}");
}

#[test]
fn a_connection_that_one_project_shows_whole_is_no_gap() {
    let shared = Planted::SharedWithProject;
    let fixture = Fixture::new(&plan().projects(2).planted(&[shared])).depth(Layer::List);
    let (id, other) = (fixture.made.planted[&shared], fixture.made.projects[1]);
    let part = serde_json::json!({ "count": 1, "value": [{ "id": id, "name": "sc-shared-with-project" }] });
    let path = format!("/{other}/_apis/serviceendpoint/endpoints");
    fixture.emulator.fault(Fault::on(Service::DevOps, "GET", &path).json(&part));
    let organization = fixture.organization();
    let connection = organization.connections.iter().find(|one| one.id == id).unwrap();
    assert!(connection.is_visible);
    assert_eq!(gaps(&organization), Vec::<&_>::new());
}

#[test]
fn a_batch_that_graph_turns_away_is_waited_for_and_told() {
    let turned_away = serde_json::json!({ "responses": [
        { "id": "0", "status": 429, "headers": { "Retry-After": "7" }, "body": {} },
        { "id": "1", "status": 429, "headers": { "Retry-After": "7" }, "body": {} },
    ] });
    let batch = || Fault::on(Service::Graph, "POST", "/v1.0/$batch").times(1);
    for busy in [batch().status(429).header("retry-after", "7"), batch().json(&turned_away)] {
        let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
        fixture.emulator.fault(busy);
        let organization = fixture.organization();
        assert_eq!(gaps(&organization), Vec::<&_>::new());
        assert!(organization.identities[0].owners.is_some());
        let said = fixture.said.text();
        assert!(said.contains("Microsoft Graph asks to wait 7 s"), "{said}");
        assert_eq!(fixture.calls(Service::Graph, "POST /v1.0/$batch"), 2);
    }
}

#[test]
fn a_graph_that_turns_every_batch_away_is_given_up() {
    let turned_away = serde_json::json!({ "responses": [
        { "id": "0", "status": 429, "headers": { "Retry-After": "200" }, "body": {} },
        { "id": "1", "status": 429, "headers": { "Retry-After": "200" }, "body": {} },
    ] });
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    fixture.emulator.fault(Fault::on(Service::Graph, "POST", "/v1.0/$batch").json(&turned_away).always());
    let organization = fixture.organization();
    assert!(gaps(&organization).iter().any(|gap| gap.why.contains("Microsoft Graph")));
    assert_eq!(fixture.calls(Service::Graph, "POST /v1.0/$batch"), 2, "two waits are longer than is waited");
}

#[test]
fn only_the_projects_that_are_named_are_read_and_one_that_is_not_there_is_an_argument_error() {
    let mut fixture = Fixture::new(&plan().projects(4).connections(4)).depth(Layer::List);
    fixture.options.projects = vec!["project 0002".to_owned()];
    let organization = fixture.organization();
    assert_eq!((organization.connections.len(), organization.projects.len()), (1, 4));
    assert_eq!(fixture.calls(Service::DevOps, "/serviceendpoint/endpoints"), 1);
    fixture.options.projects.push("Projekt 0003".to_owned());
    let failure = fixture.try_read(std::future::pending()).unwrap_err();
    assert_eq!((failure.code, failure.exit_code()), (Code::ArgumentInvalid, 2));
    assert!(failure.hint.contains("'Project 0003'"), "{failure}");
}

#[test]
fn bad_organizations_are_argument_errors_and_no_host_of_a_variable_gets_a_token() {
    let mut fixture = Fixture::new(&plan());
    for text in [
        "",
        "a b",
        "http://dev.azure.com/x",
        "https://user@dev.azure.com/x",
        "https://dev.azure.com/",
        "../x",
    ] {
        fixture.options.organizations = vec![text.to_owned()];
        let failure = fixture.try_read(std::future::pending()).unwrap_err();
        assert_eq!(failure.code, Code::ArgumentInvalid, "{text}");
    }
    fixture.options.organizations.clear();
    let failure = fixture.try_read(std::future::pending()).unwrap_err();
    assert!(failure.to_string().contains("no organization is named"), "{failure}");
    let devops = fixture.emulator.devops_url();
    let fixture = fixture.set("SYSTEM_COLLECTIONURI", &format!("{devops}/{NAME}/"));
    let failure = fixture.try_read(std::future::pending()).unwrap_err();
    assert_eq!((failure.code, failure.exit_code()), (Code::AuthorityNotAllowed, 2));
    let told = failure.to_string();
    for part in ["SYSTEM_COLLECTIONURI", "127.0.0.1", "https://dev.azure.com/NAME", "--organization"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let fixture = fixture.set("WIF_ORGANIZATION", "https://evil.example/contoso");
    let told = fixture.try_read(std::future::pending()).unwrap_err().to_string();
    assert!(told.contains("WIF_ORGANIZATION names an organization at evil.example"), "{told}");
    let fixture = fixture.set("WIF_ORGANIZATION", "a b");
    let failure = fixture.try_read(std::future::pending()).unwrap_err();
    assert!(
        failure.code == Code::ArgumentInvalid && failure.to_string().contains("WIF_ORGANIZATION"),
        "{failure}"
    );
    let fixture = fixture.unset("WIF_ORGANIZATION");
    assert_eq!(fixture.emulator.journal().len(), 0);
    let mut named = fixture.depth(Layer::List);
    named.options.organizations = vec![format!("{devops}/{NAME}")];
    assert_eq!(gaps(&named.organization()), Vec::<&_>::new(), "the user has named this host");
    named.options.organizations.clear();
    let of_job = named.set("SYSTEM_COLLECTIONURI", &format!("https://dev.azure.com/{NAME}/"));
    assert_eq!(of_job.organization().name, NAME);
}

#[test]
fn three_organizations_are_read_in_one_call() {
    let mut fixture = Fixture::new(&plan().projects(2).connections(3)).depth(Layer::Identity);
    for name in ["northwind", "tailspin"] {
        let made = fixture.emulator.add_organization(&OrganizationPlan::new(name).connections(2));
        let auditor = fixture.made.auditor;
        fixture.emulator.directory().subscription(made.subscription).roles.push(auditor);
        fixture.options.organizations.push(name.to_owned());
    }
    let snapshot = fixture.read();
    let all: Vec<_> = snapshot
        .organizations
        .iter()
        .map(|one| (one.name.as_str(), one.connections.len(), one.identities.len()))
        .collect();
    assert_eq!(all, [(NAME, 3, 3), ("northwind", 2, 2), ("tailspin", 2, 2)]);
    assert!(snapshot.organizations.iter().all(|one| gaps(one).is_empty()));
}

#[test]
fn a_signal_ends_reading_at_once_with_what_is_known() {
    let mut fixture = Fixture::new(&plan().projects(5).connections(5));
    fixture.options.jobs = 1;
    let gate = Gate::new();
    fixture
        .emulator
        .fault(Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").nth(3).gate(&gate));
    let snapshot = fixture.try_read(gate.reached(1)).unwrap();
    let organization = &snapshot.organizations[0];
    assert_eq!(organization.connections.len(), 2);
    let told = gaps(organization);
    let interrupted = told.iter().filter(|gap| gap.why.contains("interrupted"));
    assert_eq!(
        interrupted.clone().filter(|gap| gap.layer == Layer::List && gap.project.is_some()).count(),
        3
    );
    let layers: BTreeSet<_> = interrupted.map(|gap| gap.layer).collect();
    assert_eq!(layers.len(), 3, "{told:#?}");
}
