//! `wif hand-off`: for every command's plan, each side's part is whole, its commands are complete, and after `apply` its ids are real.

use std::{collections::BTreeSet, fs};

use emulator::{Emulator, organization::Planted};
use serde_json::Value;

use crate::support::{
    migration,
    old_issuer::{OldIssuer as _, planned},
    request,
    scene::Scene,
};

/// Runs a command of one of the scenes, in the folder of its plans.
type Run<'a> = &'a dyn Fn(&[&str]) -> (i32, String);

/// The sides whose part is commands.
const PEOPLE: [&str; 3] = ["entra", "azure", "devops"];

fn hand_off(run: Run<'_>, plan: &str, side: &str) -> String {
    let (code, said) = run(&["hand-off", plan, "--to", side]);
    assert_eq!(code, 0, "{side}: {said}");
    said
}

/// A step's title is in the part of exactly one side, or of all where a person decides, and every command is whole.
fn is_whole(run: Run<'_>, plan: &str, file: &[u8]) {
    let plan_file: Value = serde_json::from_slice(file).unwrap();
    let parts: Vec<_> = PEOPLE.iter().map(|side| hand_off(run, plan, side)).collect();
    for item in plan_file["items"].as_array().unwrap() {
        for step in item["steps"].as_array().unwrap() {
            let title = step["title"].as_str().unwrap();
            let open = format!("# open: {title}");
            let told = parts.iter().filter(|part| part.lines().any(|line| line == open)).count();
            assert!(
                told == 1 || told == 3 && step["sign"] == "!",
                "{told} sides are told: {title}\n{parts:#?}"
            );
            if step["sign"] == "!" {
                continue;
            }
            let part = parts.iter().find(|part| part.lines().any(|line| line == open)).unwrap();
            let next = part.lines().skip_while(|line| *line != open).nth(1).unwrap();
            assert!(next.starts_with("az ") || next.starts_with("# "), "{title}: {next}");
            assert!(!next.starts_with("# open"), "nothing is said of how to do it: {title}\n{part}");
        }
    }
    for line in parts.iter().flat_map(|part| part.lines()) {
        let command = line.strip_prefix("# ").unwrap_or(line);
        if !command.starts_with("az ") {
            continue;
        }
        // No option without its value.
        assert!(!command.contains("  ") && !command.contains(" ''") && !command.ends_with(' '), "{command}");
        assert!(!command.contains(" --id --") && !command.contains("//_apis"), "{command}");
        for body in command.split(" --body '").skip(1) {
            let body = body.trim_end_matches('\'').replace("'\\''", "'");
            serde_json::from_str::<Value>(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        }
    }
    // A ticket has the same steps, each with a box.
    for (side, part) in PEOPLE.iter().zip(&parts) {
        let (code, ticket) = run(&["hand-off", plan, "--to", side, "--format", "markdown"]);
        let open = part.lines().filter(|line| line.starts_with("# open: ")).count();
        assert_eq!((code, ticket.matches("- [ ] ").count()), (0, open), "{ticket}");
    }
}

/// Everything that has an id, as the services know it.
fn ids(emulator: &Emulator) -> BTreeSet<String> {
    let directory = emulator.directory();
    let mut ids = BTreeSet::new();
    for connection in directory.connections() {
        ids.insert(connection.id.to_string());
        let checks = connection.record.checks.iter();
        ids.extend(checks.filter_map(|check| check["id"].as_u64()).map(|id| id.to_string()));
    }
    for app in directory.tenants.iter().flat_map(|tenant| &tenant.apps) {
        ids.extend([app.object_id, app.application_object()].map(|id| id.to_string()));
        for credential in &app.federated_credentials {
            ids.extend([credential.name.clone(), app.credential_id(&credential.name).to_string()]);
        }
    }
    ids.extend(directory.role_assignments.iter().map(|one| one.id.to_string()));
    ids
}

/// Nothing is open, nothing stands for an id, and what is to be imported is there.
fn is_real(run: Run<'_>, plan: &str, emulator: &Emulator) -> usize {
    for side in PEOPLE {
        let part = hand_off(run, plan, side);
        assert!(!part.contains("# open") && !part.contains("\naz "), "{side}: {part}");
        assert!(!part.contains("-ID"), "{side}: {part}");
        let (_, ticket) = run(&["hand-off", plan, "--to", side, "--format", "markdown"]);
        assert!(!ticket.contains("- [ ]"), "{ticket}");
    }
    let code = hand_off(run, plan, "terraform");
    assert!(!code.contains("-ID") && !code.contains("PATH-OF"), "{code}");
    let ids = ids(emulator);
    let imports: Vec<_> = code.lines().filter_map(|line| line.strip_prefix("  id = ")).collect();
    for id in &imports {
        let last = id.trim_matches('"').rsplit('/').next().unwrap();
        assert!(ids.contains(last) || id.contains("/userAssignedIdentities/"), "{id} is not there: {ids:#?}");
    }
    imports.len()
}

#[test]
fn each_side_of_a_conversion_of_its_reversion_and_of_its_rollback_is_whole() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    let emulator = &scene.fixture.emulator;
    let (plan, back) = (scene.plan(), scene.folder.path().join("back.json"));
    let (plan, back) = (plan.to_str().unwrap(), back.to_str().unwrap());
    let run: Run<'_> = &|words| scene.code(words);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    is_whole(run, plan, &fs::read(plan).unwrap());
    let before = hand_off(run, plan, "terraform");
    assert!(before.contains("/federatedIdentityCredential/CREDENTIAL-ID"), "{before}");
    // One that Azure DevOps made the application of has no block credentials in its code.
    assert!(before.contains("# and in its block credentials, if it has one: serviceprincipalid"), "{before}");
    // Terraform refuses an import of what its code does not have.
    let needs = "# each import needs its resource in the code: write it, or let terraform plan -generate-config-out=FILE draft it, and mend what it says conflicts";
    assert_eq!(before.lines().next(), Some(needs));
    let (_, ticket) = run(&["hand-off", plan, "--to", "terraform", "--format", "markdown"]);
    assert!(ticket.contains("Each import needs its resource in the code"), "{ticket}");
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    // Of the two that each has got one is left.
    assert_eq!(is_real(run, plan, emulator), 2);
    let id = scene.id(Planted::StoredSecret).to_string();
    let journal = scene.journal();
    for words in [
        &["revert", "plan", "--org", "fabrikam", "--connection", &id, "--output", back][..],
        &["rollback", journal.to_str().unwrap(), "--connection", &id, "--output", back],
    ] {
        assert_eq!(run(words).0, 10);
        is_whole(run, back, &fs::read(back).unwrap());
        let code = hand_off(run, back, "terraform");
        assert!(code.contains("service_endpoint_authentication_scheme = \"ServicePrincipal\""), "{code}");
        fs::remove_file(back).unwrap();
    }
    assert_eq!(run(&["rollback", journal.to_str().unwrap(), "--output", back]).0, 10);
    assert_eq!(run(&["apply", back, "--yes"]).0, 0);
    assert_eq!(is_real(run, back, emulator), 0);
}

#[test]
fn each_side_of_a_move_to_the_issuer_of_entra_is_whole() {
    let scene = planned(|_| {}, &[]);
    let (run, plan): (Run<'_>, _) = (&|words| scene.code(words), scene.plan());
    let plan = plan.to_str().unwrap();
    is_whole(run, plan, &fs::read(plan).unwrap());
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    let entra = hand_off(run, plan, "entra");
    assert!(entra.contains("# done: add the federated credential"), "{entra}");
    assert!(entra.contains("# open: remove the federated credential"), "{entra}");
    let code = hand_off(run, plan, "terraform");
    assert!(code.contains("/federatedIdentityCredential/") && !code.contains("CREDENTIAL-ID"), "{code}");
    scene.run_of_pipeline(time::Duration::seconds(1), "succeeded");
    assert_eq!(scene.apply(&["--yes", "--resume"]).0, 0);
    assert_eq!(is_real(run, plan, &scene.fixture.emulator), 1);
}

#[test]
fn each_side_of_a_request_and_of_its_rollback_is_whole() {
    for (kind, imported) in [("application", 7), ("managedIdentity", 6), ("existing", 4)] {
        let scene = request::Scene::new();
        let (run, file): (Run<'_>, _) = (&|words| scene.run(words), |name| scene.folder.path().join(name));
        scene.write(&scene.request(kind));
        assert_eq!(scene.plan(&[]).0, 10);
        is_whole(run, "plan.json", &fs::read(file("plan.json")).unwrap());
        let code = hand_off(run, "plan.json", "terraform");
        for resource in ["serviceendpoint_azurerm", "check_approval", "check_branch_control"] {
            assert!(code.contains(resource), "{resource}: {code}");
        }
        assert!(code.contains("/CONNECTION-ID\""), "{code}");
        // The provider replaces a connection of a resource group whose code has credentials, and takes no resource_group beside them.
        assert!(code.contains("lifecycle {\n  ignore_changes = [resource_group]\n}"), "{code}");
        assert_eq!(scene.apply(&[]).0, 0);
        assert_eq!(is_real(run, "plan.json", &scene.fixture.emulator), imported, "{kind}");
        assert_eq!(run(&["rollback", "plan.json.journal", "--output", "back.json"]).0, 10);
        is_whole(run, "back.json", &fs::read(file("back.json")).unwrap());
        // All that is to be taken back is there: nothing stands for an id.
        for side in PEOPLE {
            let part = hand_off(run, "back.json", side);
            assert!(!part.contains("-ID"), "{kind} {side}: {part}");
        }
        assert_eq!(run(&["apply", "back.json", "--yes"]).0, 0);
        assert_eq!(is_real(run, "back.json", &scene.fixture.emulator), 0, "{kind}");
    }
}

#[test]
fn a_managed_identity_that_is_named_by_its_client_id_is_handed_off_to_azure() {
    let scene = request::Scene::new();
    scene.vend(&scene.request("managedIdentity"));
    let client = scene.vended()[0].client;
    let mut request = scene.request("managedIdentity");
    request["connection"] = "sc-platform-test".into();
    request["identity"] = serde_json::json!({ "kind": "existing", "client": client });
    scene.write(&request);
    let (code, said) = scene.plan(&[]);
    assert_eq!(code, 10, "{said}");
    let run: Run<'_> = &|words| scene.run(words);
    is_whole(run, "plan.json", &fs::read(scene.folder.path().join("plan.json")).unwrap());
    let azure = hand_off(run, "plan.json", "azure");
    assert!(azure.contains("--identity-name 'id-platform-prod' --name 'wif-CONNECTION-ID'"), "{azure}");
    assert!(hand_off(run, "plan.json", "entra").contains("nothing is to be done"));
}

#[test]
fn each_side_of_a_migration_of_its_end_and_of_their_rollbacks_is_whole() {
    for kind in ["application", "managedIdentity"] {
        let scene = migration::Scene::new();
        let (run, file): (Run<'_>, _) = (&|words| scene.run(words), |name| scene.folder.path().join(name));
        let emulator = &scene.fixture.emulator;
        assert_eq!(scene.plan_to(kind).0, 10);
        is_whole(run, "plan.json", &fs::read(file("plan.json")).unwrap());
        assert_eq!(scene.apply(&[]).0, 0);
        assert!(is_real(run, "plan.json", emulator) > 5);
        migration::run_on(&scene, scene.new_one().id, 2, 1, "succeeded");
        assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
        is_whole(run, "end.json", &fs::read(file("end.json")).unwrap());
        let code = hand_off(run, "end.json", "terraform");
        assert!(code.contains("take out of the code") && !code.contains("import {"), "{code}");
        if kind == "managedIdentity" {
            assert_eq!(run(&["rollback", "plan.json.journal", "--output", "back.json"]).0, 10);
            is_whole(run, "back.json", &fs::read(file("back.json")).unwrap());
            continue;
        }
        assert_eq!(scene.retire(&[]).0, 0);
        assert_eq!(is_real(run, "end.json", emulator), 0);
        assert_eq!(run(&["rollback", "end.json.journal", "--output", "back.json"]).0, 10);
        is_whole(run, "back.json", &fs::read(file("back.json")).unwrap());
        assert_eq!(run(&["apply", "back.json", "--yes"]).0, 0);
        // The application and its roles are there again.
        assert!(is_real(run, "back.json", emulator) > 1);
    }
}

#[test]
fn each_side_of_a_swap_of_names_and_of_its_rollback_is_whole() {
    let scene = migration::Scene::new();
    let (run, file): (Run<'_>, _) = (&|words| scene.run(words), |name| scene.folder.path().join(name));
    assert_eq!(scene.plan(&["--connection", &scene.old.to_string(), "--swap-names"]).0, 10);
    is_whole(run, "plan.json", &fs::read(file("plan.json")).unwrap());
    let code = hand_off(run, "plan.json", "terraform");
    assert!(code.contains("service_endpoint_name = \"sc-stored-secret-before-wif\""), "{code}");
    assert_eq!(scene.apply(&[]).0, 0);
    is_real(run, "plan.json", &scene.fixture.emulator);
    assert_eq!(run(&["rollback", "plan.json.journal", "--output", "back.json"]).0, 10);
    is_whole(run, "back.json", &fs::read(file("back.json")).unwrap());
    let back = hand_off(run, "back.json", "devops");
    assert!(back.contains("sc-stored-secret-before-wif becomes sc-stored-secret in"), "{back}");
}
