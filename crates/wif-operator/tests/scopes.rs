//! What is read of scopes and roles, where Azure or Entra tell only a part.

use emulator::{Fault, Service, directory::Scope, organization::OrganizationPlan};
use serde_json::json;
use uuid::Uuid;
use wif_operator::snapshot::{Coverage, Existence, Layer, Organization, State};

use crate::support::{Fixture, NAME, find, gaps};

fn plan() -> OrganizationPlan {
    OrganizationPlan::new(NAME)
}

#[test]
fn a_management_group_is_gone_only_where_the_answer_says_so_of_it() {
    let fixture = Fixture::new(&plan().connections(1)).depth(Layer::Identity);
    {
        let mut directory = fixture.emulator.directory();
        let connection = directory.connection(fixture.made.healthy[0]);
        connection.scope = Scope::ManagementGroup("platform".to_owned(), "Platform".to_owned());
        connection.parameters.remove("scope");
    }
    assert_eq!(fixture.organization().subscriptions[0].existence, Existence::Found);
    // So Azure answers also one who may not look (JulianHayward/Azure-MG-Sub-Governance-Reporting, issue 109).
    fixture.emulator.directory().management_groups = Some(Vec::new());
    let organization = fixture.organization();
    assert_eq!(organization.subscriptions[0].existence, Existence::Unknown);
    let told = gaps(&organization);
    let path = "the scope /providers/microsoft.management/managementgroups/platform: ";
    assert!(
        told.iter()
            .any(|gap| gap.state == State::Denied && gap.why.starts_with(path) && gap.why.contains("Reader")),
        "{told:#?}"
    );
    let gone = Fault::on(Service::Arm, "GET", "/managementGroups/").status(404);
    let error = json!({ "error": { "code": "ManagementGroupNotFound", "message": "It cannot be found." } });
    fixture.emulator.fault(gone.json(&error));
    let organization = fixture.organization();
    assert_eq!(organization.subscriptions[0].existence, Existence::Gone);
    assert_eq!(gaps(&organization), Vec::<&Coverage>::new());
}

#[test]
fn without_graph_the_roles_of_a_principal_that_its_connection_names_are_read_and_the_others_are_told() {
    let fixture = Fixture::new(&plan().connections(2)).depth(Layer::Identity);
    let whole = fixture.organization();
    let (named, other) = (fixture.made.healthy[0], fixture.made.healthy[1]);
    let of = |organization: &Organization, id: Uuid| {
        let client = find(organization, id).client.unwrap();
        organization.identities.iter().find(|one| one.client == client).unwrap().clone()
    };
    let name = |connection: Uuid, principal: Uuid| {
        let principal = principal.to_string();
        let mut directory = fixture.emulator.directory();
        directory.connection(connection).data.insert("spnObjectId".to_owned(), principal);
    };
    name(named, of(&whole, named).principal_object.unwrap());
    let fixture = fixture.unset("WIF_GRAPH_TOKEN");
    let organization = fixture.organization();
    let (roles, unread) = (of(&organization, named), of(&organization, other));
    assert!(roles.roles.as_ref().is_some_and(|roles| !roles.is_empty()), "{roles:#?}");
    assert_eq!((&roles.roles, roles.may_have_more_roles), (&of(&whole, named).roles, true));
    assert_eq!(unread.roles, None);
    let told = |organization: &Organization| {
        let told = gaps(organization).into_iter().cloned();
        told.filter(|gap| gap.why.starts_with("roles: its service principal")).collect::<Vec<_>>()
    };
    let of_roles = told(&organization);
    assert_eq!((of_roles.len(), of_roles[0].connection, of_roles[0].state), (1, Some(other), State::Partial));
    // A principal without a role may be one of former times: that is not "no role".
    fixture
        .emulator
        .directory()
        .connection(other)
        .data
        .insert("spnObjectId".to_owned(), Uuid::from_u128(7).to_string());
    let organization = fixture.organization();
    assert_eq!((of(&organization, other).roles, told(&organization).len()), (None, 1));
}
