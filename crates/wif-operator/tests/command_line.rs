//! What all commands have in common on their command line.

use std::fs;

use emulator::{
    Fault, Service,
    organization::{OrganizationPlan, Planted},
};
use serde_json::json;

use crate::support::{Fixture, NAME, request, scene};

const NOW: [&str; 2] = ["--now", "2026-11-27T00:00:00Z"];

#[test]
fn every_command_takes_the_moment() {
    let scene = scene::Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let (plan, journal) = (scene.plan().display().to_string(), scene.journal().display().to_string());
    for words in [
        &["schema", "request"][..],
        &["explain", "WIF6101"],
        &["hand-off", &plan, "--to", "entra"],
        &["journal", "show", &journal],
    ] {
        let (code, said) = scene.code(&[words, &NOW].concat());
        assert_eq!(code, 0, "{words:?}: {said}");
        let (code, _) = scene.code(&[words, &["--now", "yesterday"]].concat());
        assert_eq!(code, 2, "{words:?}");
    }
}

#[test]
fn outside_of_a_job_a_mistake_is_the_callers() {
    let scene = scene::Scene::new(&[], 0);
    let here = scene.folder.path().display().to_string();
    let absent = format!("{here}/none.yaml");
    for words in [
        &["audit", "--org", NAME, "--waivers", &absent][..],
        &["audit", "--org", NAME, "--rule", "WIF0000"],
        &["audit", "--org", NAME, "--project", "Project 9999"],
        &["audit", "--offline", &absent],
        &["inventory", "--org", "not a name"],
        &["connection", "drift", "--org", NAME, &absent],
    ] {
        let (code, said) = scene.code(words);
        assert!(
            code == 2 && said.contains("at fault: the caller of this command"),
            "{words:?}: {code} {said}"
        );
    }
    let fixture = Fixture::new(&OrganizationPlan::new(NAME)).set("TF_BUILD", "True");
    let in_job = scene::Scene { fixture, operator: scene.operator, folder: tempfile::tempdir().unwrap() };
    let (_, said) = in_job.code(&["audit", "--org", NAME, "--waivers", &absent]);
    assert!(said.contains("at fault: the pipeline"), "{said}");
}

#[test]
fn a_plan_that_was_not_kept_says_how_to_keep_it() {
    let scene = scene::Scene::new(&[Planted::StoredSecret], 1);
    for format in ["text", "markdown"] {
        let words = ["convert", "plan", "--org", NAME, "--all-eligible", "--format", format];
        let (code, said) = scene.code(&words);
        assert_eq!(code, 10, "{said}");
        let printed =
            said.lines().filter(|line| line.contains("Nothing was kept; keep the plan with")).count();
        assert_eq!(printed, 1, "{format}: {said}");
    }
    let (code, said) = scene.code(&["convert", "plan", "--org", NAME, "--all-eligible", "--output", "-"]);
    assert!(code == 2 && said.contains("--output"), "{code} {said}");
}

#[test]
fn what_is_left_out_is_listed_with_its_reason_also_where_no_connection_is_named() {
    let scene = scene::Scene::new(&[Planted::StoredSecret], 1);
    let (code, said) = scene.convert_plan(&["--all-eligible"]);
    assert!(code == 10 && said.contains("it is federated already"), "{code} {said}");
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let late = ["--all-eligible", "--now", "2099-01-01T00:00:00Z"];
    let words = [&["revert", "plan", "--org", NAME][..], &late].concat();
    let (code, said) = scene.code(&words);
    assert!(code == 0 && said.contains("its way back ended on"), "{code} {said}");
    // A text has room for some; JSON has all.
    let plan = OrganizationPlan::new(NAME).connections(40);
    let (fixture, operator) = Fixture::of_operator(&plan);
    let many = scene::Scene { fixture, operator, folder: tempfile::tempdir().unwrap() };
    let words = ["convert", "plan", "--org", NAME, "--all-eligible"];
    let (code, said) = many.code(&words);
    assert!(code == 0 && said.contains("… 10 more"), "{code} {said}");
    let (_, said) = many.code(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(said.matches("it is federated already").count(), 40, "{said}");
}

#[test]
fn a_rollback_takes_back_what_is_selected_and_no_more() {
    let scene = request::Scene::new();
    scene.vend(&scene.request("application"));
    let roll_back = |more: &[&str]| scene.run(&[&["rollback", "plan.json.journal"][..], more].concat());
    for (more, code, told) in [
        (&["--connection", "sc-platform-prod"][..], 10, "- take back: make the connection"),
        (&["--name", "sc-plat*", "--project", "Project 0000"], 10, "- take back: make the connection"),
        (&["--connection", "sc-platform-pro"], 2, "is not in the journal"),
        (&["--name", "other-*"], 0, "0 connections to change"),
        (&["--project", "Project 0001"], 0, "0 connections to change"),
    ] {
        let (found, said) = roll_back(more);
        assert!(found == code && said.contains(told), "{more:?}: {found} {said}");
    }
}

#[test]
fn what_patterns_and_findings_select_is_not_complete_where_a_project_could_not_be_read() {
    let scene = request::Scene::new();
    let audit = json!({
        "schema": "wif.audit/1",
        "findings": [{ "rule": "WIF6101", "connection": "00000000-0000-0000-0000-0000000000ff" }],
    });
    fs::write(scene.folder.path().join("audit.json"), audit.to_string()).unwrap();
    let plan = |more: &[&str]| scene.run(&[&["convert", "plan", "--org", NAME][..], more].concat());
    let (name, from) = (["--name", "sc-nothing-*"], ["--from", "audit.json", "--rule", "WIF6101"]);
    assert_eq!((plan(&name).0, plan(&from).0), (0, 0));
    let list = "/_apis/serviceendpoint/endpoints";
    for more in [&name[..], &from] {
        scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", list).nth(2).status(403));
        let (code, said) = plan(more);
        assert!(code == 12 && said.contains("could not all be read"), "{more:?} {code}: {said}");
        scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", list).nth(2).status(403));
        assert_eq!(plan(&[more, &["--allow-gaps"]].concat()).0, 0);
    }
}

#[test]
fn a_chain_is_text_and_a_waiver_without_an_effect_is_in_the_summary_too() {
    let scene = scene::Scene::new(&[Planted::StoredSecret], 1);
    let chain = |format: &str| scene.code(&["inventory", "--org", NAME, "--chain", "--format", format]);
    assert_eq!(chain("text").0, 0, "{}", chain("text").1);
    assert_eq!(chain("json").0, 2);
    let waivers = scene.folder.path().join("waivers.yaml");
    let waiver = json!([{
        "rule": "WIF6301", "connection": "sc-nowhere", "reason": "CHG-1", "owner": "team", "until": "2027-11-27",
    }]);
    fs::write(&waivers, waiver.to_string()).unwrap();
    let audit = |now: &str| {
        let words = ["audit", "--org", NAME, "--format", "markdown", "--now", now, "--waivers"];
        scene.code(&[&words[..], &[waivers.to_str().unwrap()]].concat())
    };
    let (_, said) = audit("2026-11-27T12:00:00Z");
    assert!(said.contains("| WIF6301 | ") && said.contains("matches nothing"), "{said}");
    // A year and a day ahead.
    let (code, said) = audit("2026-11-26T12:00:00Z");
    assert!(code == 2 && said.contains("more than a year ahead"), "{code} {said}");
}

#[test]
fn a_job_in_which_no_folder_is_named_is_told_that_its_run_has_no_summary() {
    let scene = scene::Scene::new(&[Planted::StoredSecret], 0);
    let told = |folder: Option<&str>| {
        let fixture = Fixture::new(&OrganizationPlan::new(NAME).planted(&[Planted::StoredSecret]));
        let fixture = fixture.set("TF_BUILD", "True").set("AGENT_TEMPDIRECTORY", folder.unwrap_or_default());
        let scene = scene::Scene { fixture, operator: scene.operator, folder: tempfile::tempdir().unwrap() };
        let (code, said) = scene.code(&["audit", "--org", NAME]);
        assert_eq!(code, 11, "{said}");
        (said.contains("##vso[task.uploadsummary]"), said.contains("AGENT_TEMPDIRECTORY"), said)
    };
    let (has_summary, is_said, said) = told(None);
    assert!(!has_summary && is_said && said.contains("The run has no summary of this"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let (has_summary, is_said, said) = told(folder.path().to_str());
    assert!(has_summary && !is_said, "{said}");
}
