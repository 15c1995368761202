//! The program, from its arguments to its exit code: against an emulated organization, and against what it saved of one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Output},
};

use emulator::organization::{OrganizationPlan, Planted};
use serde_json::Value;

use crate::support::{Fixture, NAME, published::assert_published};

/// The rules that find each planted fault at its connection, by what the rules promise.
const EXPECTED: [(Planted, &[&str]); 42] = [
    (Planted::StoredSecret, &["WIF6101"]),
    (Planted::StoredCertificate, &["WIF6102"]),
    (Planted::SecretEnded, &["WIF6101", "WIF6103"]),
    (Planted::SecretEndsSoon, &["WIF6101", "WIF6103"]),
    (Planted::ClassicType, &["WIF6104"]),
    (Planted::PublishProfile, &["WIF6104"]),
    (Planted::MachineIdentity, &["WIF6104"]),
    (Planted::OtherTypeWithSecret, &["WIF6105"]),
    (Planted::SecretBesideFederation, &["WIF6106"]),
    (Planted::RevertOpen, &["WIF6107"]),
    (Planted::OldIssuer, &["WIF6201"]),
    (Planted::NoMatchingCredential, &["WIF6202"]),
    // It is its application's fault.
    (Planted::CredentialOfGoneConnection, &[]),
    (Planted::ManyCredentials, &["WIF6204"]),
    (Planted::FlexibleCredential, &[]),
    // Its credential trusts what the subject should be.
    (Planted::WrongSubject, &["WIF6202", "WIF6205"]),
    (Planted::MultiTenantApplication, &["WIF6206"]),
    (Planted::DisabledApplication, &["WIF6206"]),
    (Planted::DeletedApplication, &["WIF6206"]),
    (Planted::NoOwner, &["WIF6206"]),
    (Planted::GuestOwner, &["WIF6206"]),
    // The other has the same scope, too.
    (Planted::SharedIdentity, &["WIF6207", "WIF6501"]),
    (Planted::SubscriptionGone, &["WIF6208"]),
    (Planted::SubscriptionRenamed, &["WIF6208"]),
    (Planted::OpenToAll, &["WIF6301"]),
    (Planted::GonePipeline, &["WIF6302"]),
    (Planted::SharedWithProject, &["WIF6303"]),
    (Planted::SharedWithPublicProject, &["WIF6303"]),
    (Planted::BroadGroup, &["WIF6304"]),
    (Planted::ProductionWithoutChecks, &["WIF6305"]),
    (Planted::OwnerRole, &["WIF6311"]),
    (Planted::ContributorOnSubscription, &["WIF6311"]),
    (Planted::RoleOutsideScope, &["WIF6312"]),
    (Planted::NoRole, &["WIF6313"]),
    (Planted::NeverUsed, &["WIF6401"]),
    (Planted::UnusedForLong, &["WIF6401"]),
    (Planted::Disabled, &["WIF6402"]),
    (Planted::CreationFailed, &["WIF6402"]),
    (Planted::NoDescription, &["WIF6501"]),
    (Planted::CreatorGone, &["WIF6501"]),
    // What cannot be seen is a gap, and no rule calls it good or bad.
    (Planted::PartlyVisible, &[]),
    (Planted::ManagedIdentity, &[]),
];

pub(crate) fn run(fixture: &Fixture, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
    let output = command.args(arguments).env_clear().envs(fixture.env().iter()).output().unwrap();
    let said = [&*output.stdout, &*output.stderr].concat();
    assert_eq!(emulator::leaks(&fixture.emulator.issued(), &said), Vec::<String>::new());
    output
}

/// Runs without a network.
pub(crate) fn offline(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
    command.args(arguments).env_clear().output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

/// The rules of the findings about each connection, and of those about none.
fn rules(report: &Value) -> BTreeMap<Option<String>, BTreeSet<&str>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    for finding in report["findings"].as_array().unwrap() {
        let connection = finding["connection"].as_str().map(str::to_owned);
        found.entry(connection).or_default().insert(finding["rule"].as_str().unwrap());
    }
    found
}

#[test]
fn every_planted_fault_is_found_where_it_is_and_nowhere_else() {
    let plan = OrganizationPlan::new(NAME).projects(3).connections(4).planted(&Planted::ALL);
    let fixture = Fixture::new(&plan);
    let output = run(&fixture, &["audit", "--org", NAME, "--format", "json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(11), "{}", text(&output.stderr));
    let mut found = rules(&report);
    let mut wrong = Vec::new();
    for (planted, expected) in EXPECTED {
        let id = fixture.made.planted[&planted].to_string();
        let there = found.remove(&Some(id)).unwrap_or_default();
        if there != expected.iter().copied().collect() {
            wrong.push(format!("{planted:?}: expected {expected:?}, found {there:?}"));
        }
    }
    assert_eq!(found.remove(&None).unwrap_or_default(), BTreeSet::from(["WIF6203"]));
    // The connection that shares its identity with the planted one.
    let is_shared = |rules: &BTreeSet<_>| *rules == BTreeSet::from(["WIF6207", "WIF6501"]);
    let shared: Vec<_> =
        found.iter().filter(|(_, rules)| is_shared(rules)).map(|(id, _)| id.clone()).collect();
    for id in &shared {
        found.remove(id);
    }
    assert_eq!(shared.len(), 1, "{shared:?}");
    assert!(wrong.is_empty() && found.is_empty(), "{wrong:#?}\n{found:#?}");
    let unseen = fixture.made.planted[&Planted::PartlyVisible].to_string();
    let coverage = report["coverage"].as_array().unwrap();
    assert!(coverage.iter().any(|entry| entry["connection"] == *unseen && entry["state"] != "read"));
    assert_eq!(report["totals"]["unknown"], 1);
}

/// What a finding says to run next is a command that plans something, or says why it does not: never a mistake in its arguments.
#[test]
fn each_command_of_a_finding_is_taken() {
    let plan = OrganizationPlan::new(NAME).projects(3).connections(4).planted(&Planted::ALL);
    let (fixture, _) = Fixture::of_operator(&plan);
    let report = json(&run(&fixture, &["audit", "--org", NAME, "--format", "json"]));
    let findings = report["findings"].as_array().unwrap();
    let next = |finding: &Value| {
        let command = finding["command"].as_str()?.strip_prefix("wif ")?.to_owned();
        Some((finding["rule"].as_str()?.to_owned(), command))
    };
    let all: BTreeSet<_> = findings.iter().filter_map(next).collect();
    let page = include_str!("../../../docs/errors.md");
    let mut rules = BTreeSet::new();
    for (rule, command) in &all {
        // A request file is a person's work.
        if command.starts_with("connection plan ") {
            continue;
        }
        let words: Vec<_> = command.split(' ').collect();
        let output = run(&fixture, &words);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 10)), "{rule}: wif {command}: {code:?} {}", text(&output.stderr));
        let (_, section) = page.split_once(&format!("\n### {rule}\n")).unwrap();
        let form = section.split("```sh\nwif ").nth(1).unwrap().lines().next().unwrap();
        let form = form.replace("contoso", NAME);
        assert!(
            command.starts_with(form.trim_end_matches("ID")),
            "{rule}: the page has {form}, and it says {command}"
        );
        rules.insert(rule.as_str());
    }
    for rule in ["WIF6101", "WIF6102", "WIF6103", "WIF6107", "WIF6201", "WIF6207"] {
        assert!(rules.contains(rule), "{rule}: {all:?}");
    }
}

#[test]
fn a_healthy_organization_has_nothing_to_say() {
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(2).connections(3));
    let output = run(&fixture, &["audit", "--organization", NAME]);
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{errors}");
    assert!(out.contains("3 connections: 3 federated\n0 faults, 0 warnings, 0 notes\n"), "{out}");
    assert!(out.contains("Nothing to say"), "{out}");
    assert!(errors.contains("Azure DevOps: ") && errors.contains("Microsoft Graph: "), "{errors}");
}

#[test]
fn what_was_saved_is_judged_again_without_a_network_and_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let plan = OrganizationPlan::new(NAME)
        .projects(2)
        .connections(2)
        .planted(&[Planted::StoredSecret, Planted::OpenToAll]);
    let fixture = Fixture::new(&plan);
    let now = ["--now", "2026-12-01T00:00:00Z"];
    let (snapshot, first) = (path("snapshot"), path("first.json"));
    let live = ["audit", "--org", NAME, "--save", &snapshot, "--format", "json", "--output", &first];
    let output = run(&fixture, &[&live[..], &now].concat());
    assert_eq!(output.status.code(), Some(11), "{}", text(&output.stderr));
    drop(fixture);
    let formats = ["json", "sarif", "csv", "markdown", "html", "text"];
    for round in ["a", "b"] {
        let mut arguments = vec!["audit".to_owned(), "--offline".to_owned(), snapshot.clone()];
        arguments.extend(now.map(str::to_owned));
        for format in formats {
            arguments.extend(
                ["--format", format, "--output", &path(&format!("{round}.{format}"))].map(str::to_owned),
            );
        }
        let output = offline(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(11), 0), "{}", text(&output.stderr));
    }
    let read = |name: &str| fs::read(Path::new(&path(name))).unwrap();
    assert!(read("first.json") == read("a.json"), "read and read again");
    for format in formats {
        assert!(read(&format!("a.{format}")) == read(&format!("b.{format}")), "{format}");
    }
    // With the report as baseline nothing is new.
    let base =
        ["audit", "--offline", &snapshot, "--baseline", &first, "--fail-on", "new:note", "--format", "json"];
    let output = offline(&[&base[..], &now].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(json(&output)["baseline"]["new"], 0);
    // What is accepted does not count.
    let waivers = path("waivers.yaml");
    let content = "- { rule: WIF6101, name: '*', reason: known, owner: team, until: 2026-12-31 }\n- { rule: WIF6302, name: '*', reason: none, owner: team, until: 2026-12-31 }\n";
    fs::write(&waivers, content).unwrap();
    let output = offline(
        &[&["audit", "--offline", &snapshot, "--waivers", &waivers, "--format", "json"][..], &now].concat(),
    );
    let report = json(&output);
    assert_eq!((output.status.code(), &report["totals"]["waived"]), (Some(10), &1.into()));
    assert!(text(&output.stderr).contains("waiver WIF6302 name: * until 2026-12-31: it matches nothing"));
}

#[test]
fn the_inventory_is_the_connections_of_the_audit_and_the_chain_is_one_screen() {
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(2).connections(3));
    let output = run(&fixture, &["inventory", "--org", NAME, "--format", "json"]);
    let inventory = json(&output);
    assert_eq!((output.status.code(), &inventory["schema"]), (Some(0), &"wif.inventory/1".into()));
    assert_eq!(inventory["connections"].as_array().unwrap().len(), 3);
    let id = fixture.made.healthy[0].to_string();
    let output = run(&fixture, &["inventory", "--org", NAME, "--chain", "--connection", &id]);
    let chain = text(&output.stdout);
    assert!(chain.contains(&id) && chain.lines().count() < 25, "{chain}");
    assert!(chain.contains("federated credential") && chain.contains("Reader at /subscriptions/"), "{chain}");
    let output = run(&fixture, &["inventory", "--org", NAME, "--connection", "nothing-like-it"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn in_a_job_the_run_gets_a_summary_and_an_issue_for_each_rule() {
    let folder = tempfile::tempdir().unwrap();
    let plan = OrganizationPlan::new(NAME)
        .projects(2)
        .connections(1)
        .planted(&[Planted::StoredSecret, Planted::OpenToAll]);
    let fixture = Fixture::new(&plan)
        .set("TF_BUILD", "True")
        .set("AGENT_TEMPDIRECTORY", folder.path().to_str().unwrap());
    let output = run(&fixture, &["audit", "--org", NAME]);
    let out = text(&output.stdout);
    assert_eq!(out.matches("##vso[task.logissue type=error;code=WIF6101]").count(), 1, "{out}");
    assert_eq!(out.matches("##vso[task.logissue type=warning;code=WIF6301]").count(), 1, "{out}");
    let summary = |out: &str| {
        let (_, path) = out.split_once("##vso[task.uploadsummary]").unwrap();
        Path::new(path.lines().next().unwrap()).to_owned()
    };
    let first = summary(out);
    assert!(first.starts_with(folder.path()), "{out}");
    // The agent reads a summary later: another audit of the job leaves it as it is.
    let output = run(&fixture, &["audit", "--org", NAME, "--rule", "WIF6301"]);
    let second = summary(text(&output.stdout));
    assert_ne!(first, second);
    assert!(fs::read_to_string(first).unwrap().contains("## Convert to federation"));
    assert!(!fs::read_to_string(second).unwrap().contains("## Convert to federation"));
    // Where data goes to standard output, nothing else does.
    let output = run(&fixture, &["audit", "--org", NAME, "--format", "json"]);
    assert_eq!(json(&output)["schema"], "wif.audit/1");
}

#[test]
fn text_has_colors_where_that_is_asked_for_and_data_never_has() {
    let plan = OrganizationPlan::new(NAME).connections(1).planted(&[Planted::StoredSecret]);
    let fixture = Fixture::new(&plan);
    let colored = run(&fixture, &["audit", "--org", NAME, "--color", "always"]);
    assert!(text(&colored.stdout).contains("WIF6101 \u{1b}[31mfault\u{1b}[0m"), "{}", text(&colored.stdout));
    // Not a terminal, and said before the command or after it.
    for arguments in [
        &["audit", "--org", NAME][..],
        &["--color", "auto", "audit", "--org", NAME],
        &["audit", "--org", NAME, "--color", "never"],
        &["audit", "--org", NAME, "--color", "always", "--format", "json"],
    ] {
        let output = run(&fixture, arguments);
        assert_eq!(output.status.code(), Some(11), "{arguments:?}");
        assert!(!text(&output.stdout).contains('\u{1b}'), "{arguments:?}");
    }
    let wrong = run(&fixture, &["audit", "--org", NAME, "--color", "green"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("always"), "{}", text(&wrong.stderr));
}

#[test]
fn explain_knows_the_rules_and_the_errors() {
    let output = offline(&["explain", "wif6202"]);
    assert!(output.status.success());
    assert!(
        text(&output.stdout).starts_with("WIF6202\n\nNo federated credential matches issuer and subject.")
    );
    assert!(text(&offline(&["explain"]).stdout).contains("\nWIF6101  A stored secret.\n"));
    assert!(offline(&["explain", "WIF2013"]).status.success());
    assert_eq!(offline(&["explain", "WIF6999"]).status.code(), Some(2));
    let explained = json(&offline(&["explain", "--json", "WIF6101"]));
    assert_eq!(
        (&explained["schema"], &explained["explained"][0]["name"]),
        (&"wif.explain/1".into(), &"WIF6101".into())
    );
}

#[test]
fn the_json_is_what_the_published_schemas_describe() {
    let plan = OrganizationPlan::new(NAME).projects(3).connections(1).planted(&Planted::ALL);
    let fixture = Fixture::new(&plan);
    let report = json(&run(&fixture, &["audit", "--org", NAME, "--format", "json"]));
    let audit = assert_published(&report, "audit");
    let inventory = json(&run(&fixture, &["inventory", "--org", NAME, "--format", "json"]));
    assert_published(&inventory, "inventory");
    // The evidence of each rule is listed.
    let rules = audit["$defs"]["finding"]["allOf"].as_array().unwrap();
    for finding in report["findings"].as_array().unwrap() {
        let rule =
            rules.iter().find(|one| one["if"]["properties"]["rule"]["const"] == finding["rule"]).unwrap();
        let listed = rule["then"]["properties"]["evidence"]["properties"].as_object().unwrap();
        for name in finding["evidence"].as_object().unwrap().keys() {
            assert!(listed.contains_key(name), "{}: {name}", finding["rule"]);
        }
    }
}

#[test]
fn a_snapshot_that_has_less_than_is_asked_for_is_a_gap_and_never_nothing_to_say() {
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(1).connections(2));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (lists, whole) = (path("lists"), path("whole"));
    let saved = run(&fixture, &["audit", "--org", NAME, "--layer", "list", "--save", &lists]);
    assert_eq!(saved.status.code(), Some(0), "{}", text(&saved.stderr));
    let everything = "every rule was asked, and all was read";
    assert!(text(&saved.stdout).contains("Nothing to say") && !text(&saved.stdout).contains(everything));
    let output = offline(&["audit", "--offline", &lists]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(12), "{said}");
    assert!(
        said.contains("fabrikam, identity, not read: the snapshot has none of it")
            && said.contains("fabrikam, use, not read: "),
        "{said}"
    );
    assert!(!said.contains("Nothing to say"), "{said}");
    assert_eq!(offline(&["inventory", "--offline", &lists]).status.code(), Some(12));
    let output = offline(&["audit", "--offline", &lists, "--layer", "list"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = offline(&["audit", "--offline", &lists, "--layer", "use"]);
    let errors = text(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
    assert!(errors.contains("--layer use") && errors.contains("--layer list"), "{errors}");

    let saved = run(&fixture, &["audit", "--org", NAME, "--save", &whole]);
    assert_eq!(saved.status.code(), Some(0), "{}", text(&saved.stderr));
    assert!(text(&saved.stdout).contains(everything), "{}", text(&saved.stdout));
    let output = offline(&["audit", "--offline", &whole, "--rule", "WIF6101"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("Nothing to say") && !said.contains(everything), "{said}");

    // A project is named or given by its id, as where the organization is read.
    let id = fixture.made.projects[0].to_string();
    for project in ["project 0000", &id] {
        let output = offline(&["inventory", "--offline", &whole, "--project", project, "--format", "csv"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout).lines().count(), 3, "{}", text(&output.stdout));
    }
    let output = offline(&["inventory", "--offline", &whole, "--project", "Project 0003"]);
    let errors = text(&output.stderr);
    assert!(output.status.code() == Some(2) && errors.contains("did you mean Project 0000?"), "{errors}");

    let header = r#"{"schema":"wif.snapshot/1","taken":"2026-11-26T12:00:00Z","depth":"use","projects":[],"redacted":false}"#;
    let bare = path("bare");
    for records in [
        "{\"organization\":{\"name\":\"contoso\",\"id\":null,\"tenant\":null}}\n{\"end\":1}\n",
        "{\"end\":0}\n",
    ] {
        fs::write(&bare, format!("{header}\n{records}")).unwrap();
        for command in ["audit", "inventory"] {
            let output = offline(&[command, "--offline", &bare]);
            let said = text(&output.stdout);
            assert_eq!(output.status.code(), Some(4), "{records}: {said}{}", text(&output.stderr));
            assert!(!said.contains("Nothing to say"), "{said}");
        }
    }
}

#[test]
fn commands_for_another_cloud_have_the_audience_of_that_cloud() {
    let plan = OrganizationPlan::new(NAME).planted(&[Planted::NoMatchingCredential]);
    let fixture = Fixture::new(&plan);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot").display().to_string();
    run(&fixture, &["audit", "--org", NAME, "--save", &path]);
    let saved = fs::read_to_string(&path).unwrap();
    let audience = |cloud: &str| {
        let changed = saved.replacen("\"cloud\":\"public\"", &format!("\"cloud\":\"{cloud}\""), 1);
        fs::write(&path, changed).unwrap();
        let report = json(&offline(&["audit", "--offline", &path, "--rule", "WIF6202", "--format", "json"]));
        let command = report["findings"][0]["command"].as_str().unwrap().to_owned();
        command
            .split("api://")
            .nth(1)
            .unwrap()
            .split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(audience("public"), "AzureADTokenExchange");
    assert_eq!(audience("usgovernment"), "AzureADTokenExchangeUSGov");
    assert_eq!(audience("china"), "AzureADTokenExchangeChina");
    // A file of before clouds were kept is of the public one.
    fs::write(&path, saved.replacen(",\"cloud\":\"public\"", "", 1)).unwrap();
    assert_eq!(offline(&["audit", "--offline", &path]).status.code(), Some(11));
}
