//! `wif connection drift`: from request files to the exit code, against an emulated organization. It changes nothing.

use std::{fs, process::Command};

use emulator::{
    Fault, Service,
    directory::{Connection, Directory, FederatedCredential, Issuer, Sight},
    organization::OrganizationPlan,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Fixture, NAME, published::assert_published};

/// An organization with one connection that is as its request asks for.
struct Scene {
    fixture: Fixture,
    folder: tempfile::TempDir,
    connection: Uuid,
}

impl Scene {
    fn new() -> Self {
        let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(2).connections(1));
        let connection = fixture.made.healthy[0];
        let scene = Self { fixture, folder: tempfile::tempdir().unwrap(), connection };
        scene.change(|one| {
            "Owner: team@contoso.com; Reason: CHG-1; more".clone_into(&mut one.record.description);
        });
        scene.write("sc.yaml", &scene.request());
        scene
    }

    fn change(&self, change: impl FnOnce(&mut Connection)) {
        change(self.fixture.emulator.directory().connection(self.connection));
    }

    fn request(&self) -> Value {
        let mut directory = self.fixture.emulator.directory();
        let connection = directory.connection(self.connection);
        let (name, client) = (connection.name.clone(), connection.client);
        let subscription = self.fixture.made.subscription;
        json!({
            "apiVersion": "wif/v1",
            "connection": name,
            "projects": ["Project 0000"],
            "identity": { "kind": "existing", "client": client },
            "scope": { "subscription": subscription, "resourceGroup": "rg-app" },
            "access": [{ "role": "Reader", "scope": format!("/subscriptions/{subscription}/resourceGroups/rg-app") }],
            "pipelines": ["pipeline-1"],
            "owner": "team@contoso.com",
            "reason": "CHG-1",
        })
    }

    fn write(&self, name: &str, request: &Value) {
        fs::write(self.folder.path().join(name), request.to_string()).unwrap();
    }

    fn drift(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
        command.current_dir(&self.folder).args(["connection", "drift", "--org", NAME]).args(arguments);
        let output = command.env_clear().envs(self.fixture.env().iter()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(emulator::leaks(&self.fixture.emulator.issued(), &said), Vec::<String>::new());
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}

#[test]
fn what_is_as_requested_ends_with_0_and_nothing_is_written() {
    let scene = Scene::new();
    let (code, said) = scene.drift(&["sc.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("as requested"), "{said}");
    let journal = scene.fixture.emulator.journal();
    let is_reading = |one: &emulator::Entry| {
        one.method == "GET"
            || one.path.contains("query")
            || one.path.contains("batch")
            || one.path.contains("ResourceGraph")
    };
    let written: Vec<_> = journal.iter().filter(|one| !is_reading(one)).collect();
    assert!(written.is_empty(), "{}", scene.fixture.emulator.journal_text());
}

#[test]
fn what_could_not_be_compared_says_why() {
    let scene = Scene::new();
    let list = || Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints");
    scene.fixture.emulator.fault(list().status(403).always());
    let (code, said) = scene.drift(&["sc.yaml"]);
    assert_eq!(code, 3, "{said}");
    for sentence in ["could not be listed whole", "nothing was read of fabrikam"] {
        let sentence = format!("{sentence}: connections: Azure DevOps refused (it answered 403)");
        assert!(said.contains(&sentence), "{said}");
    }
    scene.fixture.emulator.mend();
    scene.fixture.emulator.fault(Fault::on_such(|_, path| path.contains("_apis")).status(401).always());
    let (code, said) = scene.drift(&["sc.yaml"]);
    assert_eq!(code, 3, "{said}");
    for sentence in
        ["was not seen: projects: Azure DevOps refused the token", "nothing was read of fabrikam: projects: "]
    {
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn each_drift_is_found_and_ends_with_10() {
    type Drift = fn(&mut Directory, Uuid);
    let drifts: [(&str, Drift); 13] = [
        ("reason", |directory, id| {
            let record = &mut directory.connection(id).record;
            record.description = record.description.replace("CHG-1;", "CHG-11;");
        }),
        ("issuer", |directory, id| directory.connection(id).issuer = Issuer::DevOps),
        ("subject", |directory, id| directory.connection(id).issuer = Issuer::DevOps),
        ("credential", |directory, id| {
            let client = directory.connection(id).client;
            directory.app(client).federated_credentials[0].subject.push(' ');
        }),
        ("credentials", |directory, id| {
            let client = directory.connection(id).client;
            let one = FederatedCredential {
                name: "more".to_owned(),
                issuer: "https://token.actions.githubusercontent.com".to_owned(),
                subject: "repo:a/b:ref:refs/heads/main".to_owned(),
                audience: "api://AzureADTokenExchange".to_owned(),
            };
            directory.app(client).federated_credentials.push(one);
        }),
        ("identity", |directory, id| directory.connection(id).client = Uuid::from_u128(9)),
        ("access", |directory, _| directory.role_assignments[0].scope.push_str("-more")),
        ("pipelines", |directory, id| directory.connection(id).record.pipelines.push(2)),
        ("pipelines: requested", |directory, id| directory.connection(id).record.open_to_all = true),
        ("owner", |directory, id| directory.connection(id).record.description.clear()),
        ("reason", |directory, id| {
            "Owner: team@contoso.com".clone_into(&mut directory.connection(id).record.description);
        }),
        ("scope", |directory, id| {
            directory.connection(id).parameters.insert("scope".to_owned(), "/subscriptions/x".to_owned());
        }),
        ("checks.branches", |directory, id| {
            directory.connection(id).record.checks.push(json!({
                "type": { "id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check" },
                "settings": {
                    "definitionRef": { "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b" },
                    "inputs": { "allowedBranches": "refs/heads/main" },
                },
            }));
        }),
    ];
    for (field, drift) in drifts {
        let scene = Scene::new();
        drift(&mut scene.fixture.emulator.directory(), scene.connection);
        let (code, said) = scene.drift(&["sc.yaml"]);
        assert_eq!(code, 10, "{field}: {said}");
        assert!(said.contains(&format!("~ {field}")), "{field}: {said}");
    }
}

#[test]
fn a_connection_that_does_not_exist_is_drift() {
    let scene = Scene::new();
    let mut request = scene.request();
    request["connection"] = json!("sc-new");
    scene.write("new.yaml", &request);
    let (code, said) = scene.drift(&["sc.yaml", "new.yaml", "--format", "json"]);
    assert_eq!(code, 10, "{said}");
    let (_, printed) = said.split_once('{').unwrap();
    let (printed, _) = printed.rsplit_once('}').unwrap();
    let printed: Value = serde_json::from_str(&format!("{{{printed}}}")).unwrap();
    assert_published(&printed, "drift");
    assert_eq!(printed["schema"], "wif.drift/1");
    let states: Vec<_> = printed["requests"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["same", "absent"]);
}

#[test]
fn what_cannot_be_seen_is_12_and_never_as_requested() {
    let scene = Scene::new();
    scene.change(|one| one.record.sight = Sight::Partial);
    let (code, said) = scene.drift(&["sc.yaml"]);
    assert!(code == 12 && said.contains("tells only that the connection exists"), "{said}");
    let mut scene = Scene::new();
    scene.fixture = scene.fixture.unset("WIF_ARM_TOKEN");
    for (more, expected) in [(&["sc.yaml"][..], 12), (&["sc.yaml", "--allow-gaps"][..], 0)] {
        let (code, said) = scene.drift(more);
        assert_eq!(code, expected, "{said}");
        assert!(said.contains("not read: role assignments"), "{said}");
    }
}

#[test]
fn roles_that_were_read_in_part_and_an_unknown_tenant_are_not_as_requested() {
    // The lists of subscriptions show what was asked for, and say nothing of the rest.
    let scene = Scene::new();
    scene.fixture.emulator.directory().quirks.resource_graph_denied = true;
    let (code, said) = scene.drift(&["sc.yaml"]);
    assert!(code == 12 && said.contains("not read: role assignments"), "{code} {said}");
    let scene = Scene::new();
    scene.change(|one| drop(one.parameters.insert("tenantid".to_owned(), String::new())));
    let (code, said) = scene.drift(&["sc.yaml"]);
    assert!(code == 12 && said.contains("not read: the tenant"), "{code} {said}");
}

#[test]
fn wrong_files_and_projects_are_argument_errors() {
    let scene = Scene::new();
    let mut request = scene.request();
    request["projects"] = json!(["Project 000"]);
    scene.write("project.yaml", &request);
    scene.write("twice.yaml", &scene.request());
    fs::write(scene.folder.path().join("bad.yaml"), "apiVersion: wif/v1\n").unwrap();
    for (arguments, expected) in [
        (&["bad.yaml"][..], "bad.yaml:1:"),
        (&["none.yaml"], "none.yaml"),
        (&["sc.yaml", "twice.yaml"], "same connection"),
        (&["project.yaml"], "Project 0000"),
    ] {
        let (code, said) = scene.drift(arguments);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn without_a_token_for_azure_devops_nothing_is_compared() {
    let mut scene = Scene::new();
    scene.fixture = scene.fixture.unset("AZURE_DEVOPS_EXT_PAT");
    let (code, said) = scene.drift(&["sc.yaml"]);
    let told = "WIF7005: there is no token for Azure DevOps";
    assert!(code == 3 && said.contains(told), "{code} {said}");
}

#[test]
fn a_redacted_audit_compares_what_is_redacted_and_shows_no_address() {
    let scene = Scene::new();
    let audit = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
        command.current_dir(&scene.folder).args([
            "audit",
            "--org",
            NAME,
            "--requests",
            ".",
            "--rule",
            "WIF6601",
        ]);
        command.args(["--format", "json"]).args(more).env_clear().envs(scene.fixture.env().iter());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(audit(&[]).0, 0, "{}", audit(&[]).1);
    let (code, said) = audit(&["--redact"]);
    assert!(code == 0 && !said.contains("WIF6601\""), "{code} {said}");
    // Another address, which looks the same when both are redacted.
    scene.change(|one| {
        one.record.description = one.record.description.replace("@contoso.com", "@fabrikam.com");
    });
    let (code, said) = audit(&["--redact"]);
    assert!(code == 10 && !said.contains("@contoso.com") && !said.contains("@fabrikam.com"), "{code} {said}");
    scene.change(|one| "Owner: other@contoso.com; Reason: CHG-2".clone_into(&mut one.record.description));
    let (code, said) = audit(&["--redact"]);
    assert!(code >= 10 && said.contains("CHG-2") && !said.contains("@contoso.com"), "{code} {said}");
}
