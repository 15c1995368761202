//! Rights that are missing are named by the plan, with the party that has them: before anything is changed.

use emulator::organization::Planted;

use crate::support::{Fixture, migration, request, scene};

const NOT_ADMINISTRATOR: &str =
    "Azure DevOps does not let you change this connection; who may: an administrator";
const NO_ROLES: &str = "you may not assign roles at /subscriptions/";

#[test]
fn a_connection_that_the_caller_may_not_change_is_named_by_its_plan() {
    for (planted, command) in [(Planted::StoredSecret, "convert"), (Planted::OldIssuer, "issuer")] {
        for read_only in [true, false] {
            let scene = scene::Scene::new(&[planted], 1);
            let id = scene.id(planted);
            scene.fixture.emulator.directory().connection(id).record.read_only = read_only;
            let (code, said) = scene.plan_of(command, &["--all-eligible"]);
            assert_eq!((code, said.contains(NOT_ADMINISTRATOR)), (10, read_only), "{command}: {said}");
            assert_eq!(scene.writes(), 0);
        }
    }
    // A migration leaves the old connection as it is, unless the names are swapped.
    for (more, is_told) in [(&[][..], false), (&["--swap-names"], true)] {
        let scene = migration::Scene::new();
        let id = scene.old;
        scene.fixture.emulator.directory().connection(id).record.read_only = true;
        let (code, said) = scene.plan(&[&["--connection", &id.to_string()][..], more].concat());
        assert_eq!((code, said.contains(NOT_ADMINISTRATOR)), (10, is_told), "{said}");
    }
}

/// The operator may do everything in its subscriptions but assign roles.
fn be_contributor(fixture: &Fixture, yes: bool) {
    let mut directory = fixture.emulator.directory();
    let apps = directory.tenants.iter_mut().flat_map(|tenant| &mut tenant.apps);
    for operator in apps.filter(|app| app.writes_applications) {
        operator.record.assigns_no_roles = yes;
    }
}

#[test]
fn roles_that_the_caller_may_not_assign_are_named_with_their_scope() {
    for may in [true, false] {
        let scene = migration::Scene::new();
        be_contributor(&scene.fixture, !may);
        let (code, said) = scene.plan_to("application");
        assert_eq!((code, said.contains(NO_ROLES)), (10, !may), "{said}");
        assert!(may || said.contains("who may: Role Based Access Control Administrator"), "{said}");

        let scene = request::Scene::new();
        be_contributor(&scene.fixture, !may);
        scene.write(&scene.request("application"));
        let (code, said) = scene.plan(&[]);
        assert_eq!((code, said.contains(NO_ROLES)), (10, !may), "{said}");
    }
}

#[test]
fn a_command_that_writes_needs_its_tokens_from_the_beginning() {
    for (variable, service) in
        [("AZURE_DEVOPS_EXT_PAT", "Azure DevOps"), ("WIF_GRAPH_TOKEN", "Microsoft Graph")]
    {
        for command in ["convert", "issuer"] {
            let mut scene = scene::Scene::new(&[Planted::StoredSecret, Planted::OldIssuer], 0);
            scene.fixture = scene.fixture.unset(variable);
            let (code, said) = scene.plan_of(command, &["--all-eligible"]);
            let told = format!("there is no token for {service}");
            assert!(
                code == 3 && said.contains("WIF7005") && said.contains(&told),
                "{command}: {code} {said}"
            );
        }
    }
    // Arguments come first: without an organization there is nothing to have a token for.
    let mut scene = scene::Scene::new(&[], 0);
    scene.fixture = scene.fixture.unset("AZURE_DEVOPS_EXT_PAT");
    assert_eq!(scene.code(&["convert", "plan", "--all-eligible"]).0, 2);
    // A managed identity is made without Graph.
    let mut scene = request::Scene::new();
    scene.fixture = scene.fixture.unset("WIF_GRAPH_TOKEN");
    scene.write(&scene.request("managedIdentity"));
    let (code, said) = scene.plan(&[]);
    assert_eq!(code, 10, "{said}");
    for variable in ["AZURE_DEVOPS_EXT_PAT", "WIF_GRAPH_TOKEN", "WIF_ARM_TOKEN"] {
        let mut scene = migration::Scene::new();
        scene.fixture = scene.fixture.unset(variable);
        let (code, said) = scene.plan_to("application");
        assert!(code == 3 && said.contains("WIF7005"), "{variable}: {code} {said}");
        let mut scene = request::Scene::new();
        scene.fixture = scene.fixture.unset(variable);
        scene.write(&scene.request("application"));
        let (code, said) = scene.plan(&[]);
        assert!(code == 3 && said.contains("WIF7005"), "{variable}: {code} {said}");
    }
}

#[test]
fn an_apply_that_has_no_token_for_one_of_its_steps_does_none_of_them() {
    for variable in ["WIF_GRAPH_TOKEN", "WIF_ARM_TOKEN"] {
        let mut scene = request::Scene::new();
        scene.write(&scene.request("application"));
        assert_eq!(scene.plan(&[]).0, 10);
        scene.fixture = scene.fixture.unset(variable);
        let (code, said) = scene.apply(&[]);
        assert!(code == 3 && said.contains("WIF7005"), "{variable}: {code} {said}");
        assert_eq!(scene.writes(), 0, "{variable}");
        let mut scene = migration::Scene::new();
        assert_eq!(scene.plan_to("managedIdentity").0, 10);
        scene.fixture = scene.fixture.unset(variable);
        let (code, said) = scene.apply(&[]);
        assert!(code == 3 && said.contains("WIF7005"), "{variable}: {code} {said}");
        assert_eq!(scene.writes(), 0, "{variable}");
    }
}
