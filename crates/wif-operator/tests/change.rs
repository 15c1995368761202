//! Plans, applications and the way back, from the arguments to the exit code, against an emulated organization that really
//! does what is asked for.

use std::fs;

use emulator::{
    Fault, Gate, Service,
    directory::{Issuer, Quirks},
    organization::Planted,
};
use serde_json::Value;

use crate::support::NAME;
use crate::support::kills::{kill_at, moments};
use crate::support::pages::blocks;
use crate::support::scene::Scene;

const SECRET: &str = "ServicePrincipal";
const FEDERATION: &str = "WorkloadIdentityFederation";

#[test]
fn a_plan_looks_at_as_many_connections_at_once_as_jobs_says() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    let gate = Gate::new();
    let look = Fault::on(Service::DevOps, "GET", "/_apis/serviceendpoint/endpoints/");
    scene.fixture.emulator.fault(look.gate(&gate).always());
    let (reached, code) = std::thread::scope(|scope| {
        let plan = scope.spawn(|| scene.convert_plan(&["--all-eligible", "--jobs", "2"]));
        // One after the other, the second would never come.
        let reached = std::panic::catch_unwind(|| gate.wait_until_reached(2));
        gate.open();
        (reached, plan.join().unwrap().0)
    });
    assert!(reached.is_ok(), "one connection was looked at after the other");
    assert_eq!(code, 10);
}

#[test]
fn a_stored_secret_becomes_federation_and_the_audit_finds_none_any_more() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 1);
    let (code, said) = scene.convert_plan(&["--all-eligible"]);
    assert_eq!(code, 10, "{said}");
    assert_eq!(scene.writes(), 0);
    assert!(said.contains("2 connections to change, 10 steps, 1 not changed"), "{said}");
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!(code, 0, "{said}");
    for planted in [Planted::StoredSecret, Planted::SecretEndsSoon] {
        let id = scene.id(planted);
        assert_eq!(scene.scheme(id), FEDERATION);
        let trusted = scene.trusted(id);
        assert!(trusted.len() == 1 && trusted[0].ends_with(&id.to_string()), "{trusted:?}");
    }
    let (_, audit) = scene.code(&["audit", "--org", NAME, "--format", "json"]);
    assert!(!audit.contains("WIF6101"), "{audit}");
    // A second plan has nothing to do, a second apply is refused, and a finished journal needs nothing more.
    let writes = scene.writes();
    assert_eq!(scene.apply(&["--yes"]).0, 2);
    assert_eq!(scene.apply(&["--yes", "--resume"]).0, 0);
    assert_eq!(scene.apply(&["--yes", "--resume", "--now", "2099-01-01T00:00:00Z"]).0, 0);
    assert_eq!(scene.writes(), writes);
    fs::remove_file(scene.journal()).unwrap();
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(scene.plan()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_commands_of_the_page_leave_no_secret_in_their_order() {
    let page = include_str!("../../../docs/change.md");
    let scene = Scene::new(&[Planted::StoredSecret], 2);
    let id = scene.id(Planted::StoredSecret);
    let mut ended = Vec::new();
    for block in blocks(page) {
        scene.follow(block, |code| ended.push((code, scene.scheme(id) == SECRET)));
    }
    assert_eq!(ended, [(11, true), (10, true), (0, false), (0, false), (0, false)]);
}

#[test]
fn a_conversion_ends_well_under_every_setting_of_what_is_not_documented() {
    type Change = fn(&mut Quirks);
    let changes: [Change; 7] = [
        |quirks| quirks.conversion_yields = Issuer::DevOps,
        |quirks| quirks.conversion_writes_credential = false,
        |quirks| quirks.conversion_lag = 2,
        |quirks| quirks.credential_lag = 2,
        |quirks| quirks.trust_lag = 2,
        |quirks| quirks.deletion_lag = 2,
        |quirks| (quirks.only_version_7_1, quirks.other_case, quirks.empty_values) = (true, true, true),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let scene = Scene::under(&[Planted::StoredSecret], change);
        assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10, "setting {number}");
        let (code, said) = scene.apply_within(&["--yes"]);
        assert_eq!(code, 0, "setting {number}: {said}");
        let id = scene.id(Planted::StoredSecret);
        assert_eq!((scene.scheme(id).as_str(), scene.trusted(id).len()), (FEDERATION, 1), "setting {number}");
    }
}

#[test]
fn what_ends_unproven_is_put_back() {
    let scene = Scene::under(&[Planted::StoredSecret], |quirks| quirks.trust_lag = 1000);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let (code, said) = scene.apply(&["--yes", "--prove-within", "1s"]);
    assert_eq!(code, 11, "{said}");
    assert!(said.contains("WIF7008") && said.contains("as it was before"), "{said}");
    let id = scene.id(Planted::StoredSecret);
    assert_eq!((scene.scheme(id).as_str(), scene.trusted(id)), (SECRET, vec![]));
    assert!(scene.phases().contains(&"putBack".to_owned()));
    let (code, told) = scene.code(&["journal", "show", scene.journal().to_str().unwrap()]);
    assert!(code == 0 && told.contains("failed, and put back"), "{told}");
}

#[test]
fn an_identity_without_a_role_is_proven_with_a_note() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    scene.fixture.emulator.directory().role_assignments.clear();
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!(code, 0, "{said}");
    let told = scene.code(&["journal", "show", scene.journal().to_str().unwrap()]).1;
    assert!(told.contains("assign a role"), "{told}");
}

#[test]
fn an_issuer_without_a_credential_is_put_back() {
    let scene = Scene::under(&[Planted::StoredSecret], |quirks| {
        (quirks.conversion_yields, quirks.conversion_writes_credential) = (Issuer::DevOps, false);
    });
    let id = scene.id(Planted::StoredSecret);
    {
        let mut directory = scene.fixture.emulator.directory();
        let client = directory.connection(id).client;
        for number in 0..19 {
            let other = emulator::directory::FederatedCredential {
                name: format!("other-{number}"),
                issuer: "https://issuer.example".to_owned(),
                subject: format!("subject-{number}"),
                audience: "api://AzureADTokenExchange".to_owned(),
            };
            directory.app(client).federated_credentials.push(other);
        }
    }
    let (code, said) = scene.convert_plan(&["--all-eligible"]);
    assert!(code == 10 && said.contains("no room"), "{said}");
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!(code, 11, "{said}");
    assert_eq!((scene.scheme(id).as_str(), scene.trusted(id).len()), (SECRET, 19));
}

#[test]
fn a_plan_that_cannot_be_used_is_refused_and_nothing_is_done() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let (code, said) = scene.apply(&[]);
    assert!(code == 2 && said.contains("--yes"), "{said}");
    assert_eq!(scene.apply(&["--yes", "--max-changes", "1"]).0, 2);
    let (code, said) = scene.apply(&["--yes", "--now", "2099-01-01T00:00:00Z"]);
    assert!(code == 13 && said.contains("WIF7001"), "{said}");
    let good = fs::read_to_string(scene.plan()).unwrap();
    for edited in
        [good.replacen("api://", "api:\\u002f/", 1), good.replacen("wif-", "wef-", 1), format!("{good} ")]
    {
        fs::write(scene.plan(), edited).unwrap();
        let (code, said) = scene.apply(&["--yes"]);
        assert!(code == 13 && said.contains("WIF7001"), "{said}");
    }
    fs::write(scene.plan(), "{}").unwrap();
    assert_eq!(scene.apply(&["--yes"]).0, 2);
    fs::write(scene.plan(), &good).unwrap();
    assert!(!scene.journal().exists());
    assert_eq!(scene.writes(), 0);
    // The world has changed for the first of the two.
    let id = scene.id(Planted::StoredSecret);
    scene.fixture.emulator.directory().connection(id).disabled = true;
    let (code, said) = scene.apply(&["--yes"]);
    assert!(code == 13 && said.contains("disabled"), "{said}");
    assert_eq!((scene.scheme(id).as_str(), scene.trusted(id)), (SECRET, vec![]));
    assert_eq!(scene.scheme(scene.id(Planted::SecretEndsSoon)), FEDERATION);
}

#[test]
fn without_a_token_for_a_service_that_is_changed_nothing_is_done() {
    let mut scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    scene.fixture = scene.fixture.unset("WIF_GRAPH_TOKEN");
    let (code, said) = scene.apply(&["--yes"]);
    assert!(code == 3 && said.contains("WIF7005") && said.contains("Microsoft Graph"), "{said}");
    assert!(!scene.journal().exists());
}

#[test]
fn a_second_process_is_refused_with_the_id_of_the_first() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let gate = Gate::new();
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "PUT", "/endpoints/").gate(&gate));
    let mut first = scene.spawn_apply(&["--yes"]);
    gate.wait_until_reached(1);
    for more in [&["--yes"][..], &["--yes", "--resume"]] {
        let (code, said) = scene.apply(more);
        assert_eq!(code, 13, "{said}");
        assert!(said.contains("WIF7003") && said.contains(&first.id().to_string()), "{said}");
    }
    gate.open();
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn lost_answers_are_looked_up() {
    for (service, method, path) in [
        (Service::Graph, "PATCH", "/federatedIdentityCredentials"),
        (Service::DevOps, "PUT", "/endpoints/"),
        (Service::Graph, "DELETE", "/federatedIdentityCredentials"),
    ] {
        let scene = Scene::new(&[Planted::StoredSecret], 0);
        assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
        scene.fixture.emulator.fault(Fault::on(service, method, path).lose_answer());
        let (code, said) = scene.apply(&["--yes"]);
        assert_eq!(code, 0, "{method}: {said}");
        let id = scene.id(Planted::StoredSecret);
        assert_eq!((scene.scheme(id).as_str(), scene.trusted(id).len()), (FEDERATION, 1), "{method}");
        assert_eq!(scene.done(Service::DevOps, "PUT"), 1, "{method}");
    }
}

#[test]
fn if_the_first_fails_nothing_else_starts_and_what_is_refused_is_handed_off() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    for planted in [Planted::StoredSecret, Planted::SecretEndsSoon] {
        let id = scene.id(planted);
        scene.fixture.emulator.directory().connection(id).record.read_only = true;
    }
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!(code, 11, "{said}");
    assert!(said.contains("WIF7006") && said.contains("1 failed") && said.contains("1 not begun"), "{said}");
    assert!(said.contains("wif hand-off"), "{said}");
    assert_eq!(scene.fixture.emulator.count(Service::DevOps, "PUT /"), 1);
    assert!(scene.trusted(scene.id(Planted::StoredSecret)).is_empty());
    // Nothing at all was done where the first call is refused.
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let operator = scene.operator;
    scene.fixture.emulator.directory().app(operator).writes_applications = false;
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!(code, 3, "{said}");
}

#[test]
fn a_conversion_can_be_reverted_and_rolled_back() {
    for command in ["revert", "rollback"] {
        let scene = Scene::new(&[Planted::StoredSecret], 0);
        let id = scene.id(Planted::StoredSecret);
        assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
        assert_eq!(scene.apply(&["--yes"]).0, 0);
        let back = scene.folder.path().join("back.json");
        let (journal, name) = (scene.journal(), id.to_string());
        let arguments = match command {
            "revert" => vec!["revert", "plan", "--org", NAME, "--connection", &name],
            _ => vec!["rollback", journal.to_str().unwrap()],
        };
        let output = ["--output", back.to_str().unwrap()];
        let (code, said) = scene.code(&[&arguments[..], &output].concat());
        assert!(code == 10 && said.contains("until"), "{said}");
        let (code, said) = scene.code(&["apply", back.to_str().unwrap(), "--yes"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(scene.scheme(id), SECRET);
        // A rollback takes back all that was made; the credential of a conversion does no harm.
        assert_eq!(scene.trusted(id).len(), usize::from(command == "revert"), "{command}");
    }
}

#[test]
fn the_way_back_ends_with_its_deadline_and_with_the_secret() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    let id = scene.id(Planted::StoredSecret).to_string();
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let revert = ["revert", "plan", "--org", NAME, "--connection", &id];
    let (code, said) = scene.code(&[&revert[..], &["--now", "2099-01-01T00:00:00Z"]].concat());
    assert!(code == 0 && said.contains("its way back ended"), "{said}");
    {
        let mut directory = scene.fixture.emulator.directory();
        let client = directory.connection(scene.id(Planted::StoredSecret)).client;
        directory.app(client).secrets.clear();
    }
    let (code, said) = scene.code(&revert);
    assert!(code == 0 && said.contains("no valid secret"), "{said}");
}

#[test]
fn what_is_selected_decides_what_is_planned() {
    let scene = Scene::new(
        &[
            Planted::StoredSecret,
            Planted::ClassicType,
            Planted::MultiTenantApplication,
            Planted::PartlyVisible,
        ],
        1,
    );
    let (code, said) = scene.convert_plan(&["--connection", "sc-stored-secrte"]);
    assert!(code == 2 && said.contains("sc-stored-secret"), "{said}");
    assert_eq!(scene.convert_plan(&[]).0, 2);
    assert_eq!(scene.convert_plan(&["--name", "nothing-*"]).0, 0);
    assert_eq!(scene.convert_plan(&["--connection", "sc-stored-secret"]).0, 10);
    let (code, said) = scene.convert_plan(&["--connection", "sc-classic-type"]);
    assert!(code == 0 && said.contains("classic type"), "{said}");
    let (code, said) = scene.convert_plan(&["--name", "sc-partly-*"]);
    assert!(code == 12 && said.contains("tells only that it exists"), "{said}");
    let audit = scene.folder.path().join("audit.json");
    let path = audit.to_str().unwrap();
    assert_eq!(scene.code(&["audit", "--org", NAME, "--format", "json", "--output", path]).0, 11);
    let (code, said) = scene.convert_plan(&["--from", path, "--rule", "WIF6101"]);
    assert!(code == 10 && said.contains("1 connections to change"), "{said}");
    for format in ["json", "markdown"] {
        let output =
            scene.run(&["convert", "plan", "--org", NAME, "--name", "sc-stored-*", "--format", format]);
        let text = String::from_utf8(output.stdout).unwrap();
        match format {
            "json" => assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["schema"], "wif.plan/1"),
            _ => assert!(text.contains("| `~` |"), "{text}"),
        }
    }
}

#[test]
fn what_another_person_has_to_do_is_printed_for_each_side() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let plan = scene.plan();
    let hand_off = |side: &str| scene.code(&["hand-off", plan.to_str().unwrap(), "--to", side]).1;
    let entra = hand_off("entra");
    assert!(
        entra.contains("az ad app federated-credential create --id ") && entra.contains("# open"),
        "{entra}"
    );
    assert!(hand_off("devops").contains("operation=ConvertAuthenticationScheme"));
    assert!(hand_off("azure").contains("nothing is to be done"));
    let terraform = hand_off("terraform");
    assert!(terraform.contains("service_endpoint_authentication_scheme = \"WorkloadIdentityFederation\""));
    assert!(terraform.contains("import {") && terraform.contains("CREDENTIAL-ID"), "{terraform}");
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    assert!(!hand_off("entra").contains("# open"));
}

#[test]
fn a_finished_journal_needs_no_token_and_no_consent() {
    let mut scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let before = fs::read(scene.journal()).unwrap();
    scene.fixture = scene.fixture.unset("WIF_GRAPH_TOKEN");
    let (code, said) = scene.apply(&["--resume", "--max-changes", "1"]);
    assert!(code == 0 && said.contains("2 done"), "{said}");
    assert_eq!(fs::read(scene.journal()).unwrap(), before);
}

#[test]
fn a_journal_of_another_plan_is_not_handed_over_and_one_that_is_broken_is_told() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    assert_eq!(scene.convert_plan(&["--connection", "sc-stored-secret"]).0, 10);
    let other = fs::read(scene.plan()).unwrap();
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let hand_off = || scene.code(&["hand-off", scene.plan().to_str().unwrap(), "--to", "entra"]);
    assert!(hand_off().1.contains("# done"));
    fs::write(scene.plan(), other).unwrap();
    let (code, said) = hand_off();
    assert!(code == 0 && said.contains("journal of another plan"), "{said}");
    assert!(said.contains("# open") && !said.contains("# done"), "{said}");
    fs::write(scene.journal(), "{}\n").unwrap();
    let (code, said) = hand_off();
    assert!(code != 0 && said.contains("WIF7004"), "{said}");
}

#[test]
fn a_journal_that_is_too_long_is_refused_and_stays_as_it_is() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let long = 256 * 1024 * 1024 + 1;
    fs::OpenOptions::new().write(true).open(scene.journal()).unwrap().set_len(long).unwrap();
    let path = scene.plan();
    // Not by what looks for leaks in the whole file.
    let output = scene.command(&["apply", path.to_str().unwrap(), "--yes", "--resume"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("longer than 256 MiB"), "{said}");
    assert_eq!(fs::metadata(scene.journal()).unwrap().len(), long);
}

#[test]
fn what_another_item_adds_to_another_identity_is_no_excuse() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let [first, second] = [Planted::StoredSecret, Planted::SecretEndsSoon].map(|planted| scene.id(planted));
    {
        let mut directory = scene.fixture.emulator.directory();
        let client = directory.connection(second).client;
        let other = emulator::directory::FederatedCredential {
            name: format!("wif-{first}"),
            issuer: "https://issuer.example".to_owned(),
            subject: "subject".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        };
        directory.app(client).federated_credentials.push(other);
    }
    let (code, said) = scene.apply(&["--yes"]);
    assert!(code == 13 && said.contains("1 done") && said.contains("identity"), "{said}");
    assert_eq!(scene.scheme(second), SECRET);
}

/// Kills `wif apply` at each of its requests, goes on with `--resume`, and judges by what the services have.
fn killed_at_each_request(hold: fn(Fault, &Gate) -> Fault) {
    let undisturbed = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(undisturbed.convert_plan(&["--all-eligible"]).0, 10);
    let moments = moments(&undisturbed.fixture, || {
        let (code, said) = undisturbed.apply(&["--yes"]);
        assert_eq!(code, 0, "{said}");
    });
    assert!(moments.len() > 15, "only {} moments", moments.len());
    let names = |scene: &Scene| {
        let mut directory = scene.fixture.emulator.directory();
        let client = directory.connection(scene.id(Planted::StoredSecret)).client;
        let app = directory.app(client);
        let mut names: Vec<_> = app.federated_credentials.iter().map(|one| one.name.clone()).collect();
        names.sort();
        (names, app.secrets.len())
    };
    let expected = names(&undisturbed);
    for (service, number) in moments {
        let scene = Scene::new(&[Planted::StoredSecret], 0);
        assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
        kill_at(&scene.fixture.emulator, hold, (service, number), &mut scene.apply_command(&["--yes"]));
        let (code, said) = scene.apply_within(&["--yes", "--resume"]);
        let moment = format!("{service:?} {number}: {said}\n{}", scene.fixture.emulator.journal_text());
        assert_eq!(code, 0, "{moment}");
        let id = scene.id(Planted::StoredSecret);
        assert_eq!((scene.scheme(id).as_str(), names(&scene)), (FEDERATION, expected.clone()), "{moment}");
        // A conversion is never done twice, and none is refused because it was done already.
        let puts = scene.fixture.emulator.journal().into_iter().filter(|entry| entry.method == "PUT");
        let answered: Vec<_> = puts.filter_map(|entry| entry.status).collect();
        assert!(answered.len() <= 1 && answered.iter().all(|status| *status == 200), "{moment}");
    }
}

#[test]
fn an_apply_that_was_killed_before_the_service_acted_goes_on() {
    killed_at_each_request(Fault::gate);
}

#[test]
fn an_apply_that_was_killed_after_the_service_acted_goes_on() {
    killed_at_each_request(Fault::answer_gate);
}
