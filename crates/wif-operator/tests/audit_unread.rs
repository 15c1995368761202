//! Audits that read nothing, or not all: wrong arguments and files, no tokens, and an interruption.

use std::fs;
#[cfg(unix)]
use std::{
    path::Path,
    process::{Command, Stdio},
};

#[cfg(unix)]
use emulator::Gate;
use emulator::{Fault, Service, organization::OrganizationPlan};
use serde_json::json;

use crate::{
    audit::{offline, run, text},
    support::{Fixture, NAME},
};

#[test]
fn a_mistake_in_arguments_or_files_ends_with_2_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let broken =
        file("waivers.yaml", "- rule: WIF6101\n  name: '*'\n  reason: x\n  owner: y\n  until: 2099-01-01\n");
    let other = file("audit.json", "{\"schema\":\"wif.audit/2\",\"findings\":[]}");
    let snapshot = file("snapshot", "{\"schema\":\"wif.snapshot/9\"}\n");
    let bytes = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let utf16 = bytes("utf16", b"\xff\xfe[\0]\0");
    let latin = bytes("latin1", b"# ok\n- rule: \xe4\n");
    let long = file("long.json", &format!("{{\"schema\":\"{}\",\"findings\":[]}}", "x".repeat(5000)));
    let inventory = file("inventory.json", "{\"schema\":\"wif.inventory/1\",\"connections\":[]}");
    let list = file("list.json", "[]");
    let here = folder.path().display().to_string();
    let cases: [(&[&str], &str); 16] = [
        (&["--waivers", &utf16], "utf16:1:1: it is text in UTF-16; accepted is UTF-8"),
        (&["--waivers", &latin], "latin1:2:9: the byte 0xe4 is not text in UTF-8"),
        (&["--baseline", &utf16], "utf16 is text in UTF-16; accepted is UTF-8"),
        (&["--baseline", &long], "xxx…', accepted is wif.audit/1"),
        (&["--baseline", &inventory], "has the schema 'wif.inventory/1', accepted is wif.audit/1"),
        (&["--baseline", &list], "expected an object with schema and findings"),
        (&["--offline", &here], "cannot be"),
        (&["--waivers", &broken], "waivers.yaml:5:10: until: 2099-01-01 is more than a year ahead"),
        (&["--baseline", &other], "has the schema 'wif.audit/2', accepted is wif.audit/1"),
        (&["--fail-on", "new:fault"], "--baseline is not given"),
        (&["--rule", "WIF6102x"], "--rule 'WIF6102x' is not a rule"),
        (&["--format", "json", "--format", "csv"], "more than one --format would go to standard output"),
        (&["--output", "x", "--output", "y"], "more --output than --format: 2 and 1"),
        (&["--offline", &snapshot], "it is of version 'wif.snapshot/9'"),
        (&["--now", "yesterday"], "accepted is a moment as 2026-11-26T12:00:00Z is"),
        (&["--jobs", "65"], "65 is not in 1..=64"),
    ];
    for (arguments, expected) in cases {
        let output = offline(&[&["audit", "--organization", NAME], arguments].concat());
        let errors = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anything_is_asked() {
    let fixture = Fixture::new(&OrganizationPlan::new(NAME));
    let folder = tempfile::tempdir().unwrap();
    let (here, nowhere) =
        (folder.path().display().to_string(), folder.path().join("no/file").display().to_string());
    let good = folder.path().join("good").display().to_string();
    for command in ["audit", "inventory"] {
        for (name, place) in
            [("--output", &nowhere), ("--output", &here), ("--save", &nowhere), ("--save", &here)]
        {
            let other = if name == "--save" { "--output" } else { "--save" };
            let output =
                run(&fixture, &[command, "--org", NAME, "--format", "json", name, place, other, &good]);
            let errors = text(&output.stderr);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
            assert!(errors.contains(&format!("{place} could not be written")), "{errors}");
        }
    }
    assert_eq!((fixture.emulator.journal().len(), fs::read_dir(&here).unwrap().count()), (0, 0));
}

#[test]
fn a_folder_of_requests_is_read_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    let here = folder.path().display().to_string();
    let refused = |words: &[&str]| {
        let output = offline(&["audit", "--organization", NAME, "--requests", &here]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(words.iter().all(|word| errors.contains(word)), "{words:?}: {errors}");
    };
    write("readme.md", "no request");
    fs::create_dir(folder.path().join("more.yaml")).unwrap();
    refused(&["has no file that ends in .yaml, .yml or .json"]);
    let request = "apiVersion: wif/v1\nconnection: sc-a\nprojects: [Shop]\nowner: o\nreason: r\n\
        identity: { kind: application, name: a }\n\
        scope: { subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: rg }\n";
    write("good.yaml", request);
    write("low.yml", &request.replace("owner", "ower"));
    write("open.json", "{");
    refused(&["low.yml:4:1: unknown field `ower`", "also  ", "open.json:1:"]);
    fs::remove_file(folder.path().join("open.json")).unwrap();
    write("low.yml", &request.replace("sc-a", "SC-A").replace("Shop", "shop"));
    refused(&["good.yaml and ", "low.yml ask for the same connection, 'SC-A' in shop"]);
    write("low.yml", &request.replace("sc-a", "sc-b"));
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(1).connections(1));
    let output = run(&fixture, &["audit", "--org", NAME, "--requests", &here]);
    let errors = text(&output.stderr);
    assert!(errors.contains("the folders in it are not read"), "{errors}");
    assert!(text(&output.stdout).contains("good.yaml"), "{}", text(&output.stdout));
}

/// To open one waits for a writer.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_no_input_and_a_mark_of_utf_8_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let here = folder.path().display().to_string();
    for (name, value) in
        [("--waivers", &pipe), ("--baseline", &pipe), ("--offline", &pipe), ("--requests", &here)]
    {
        let output = offline(&["audit", "--organization", NAME, name, value]);
        let errors = text(&output.stderr);
        assert!(output.status.code() == Some(2) && errors.contains("it is a named pipe"), "{name}: {errors}");
    }
    let endless = offline(&["audit", "--organization", NAME, "--baseline", "/dev/zero"]);
    assert!(text(&endless.stderr).contains("/dev/zero is not a report of an audit"));
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(1).connections(1));
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (first, marked) = (path("first.json"), path("marked.json"));
    run(&fixture, &["audit", "--org", NAME, "--format", "json", "--output", &first]);
    fs::write(&marked, [b"\xef\xbb\xbf", &*fs::read(&first).unwrap()].concat()).unwrap();
    let output = run(&fixture, &["audit", "--org", NAME, "--baseline", &marked]);
    assert!(text(&output.stdout).contains("0 new, 0 gone"), "{}", text(&output.stdout));
}

#[test]
fn without_any_token_nothing_is_read_and_nothing_is_good() {
    let mut fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(1).connections(1));
    for name in ["AZURE_DEVOPS_EXT_PAT", "WIF_GRAPH_TOKEN", "WIF_ARM_TOKEN"] {
        fixture = fixture.unset(name);
    }
    let output = run(&fixture, &["audit", "--org", NAME]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("Not seen, and so not judged"), "{}", text(&output.stdout));
}

#[test]
fn an_organization_that_answers_nothing_is_not_reported_as_one_that_was_read() {
    let all = || Fault::on_such(|_, path| path.contains("_apis")).always();
    let answers = [
        (all().status(401), 3),
        (all().status(403), 3),
        (all().status(404), 3),
        (all().status(203).html("<html>Sign in</html>"), 3),
        (all().status(429).header("Retry-After", "4000"), 4),
    ];
    for (answer, expected) in answers {
        let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(1).connections(1));
        let shown = format!("{answer:?}");
        fixture.emulator.fault(answer);
        for arguments in
            [&["audit"][..], &["audit", "--format", "csv"], &["inventory"], &["inventory", "--chain"]]
        {
            let output = run(&fixture, &[arguments, &["--org", NAME]].concat());
            let (said, errors) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(expected), "{shown} {arguments:?}: {errors}");
            let is_csv = arguments.contains(&"csv");
            assert!(
                is_csv || said.starts_with("Nothing was read of fabrikam: "),
                "{shown} {arguments:?}: {said}"
            );
            assert!(
                errors.contains("nothing was read of fabrikam: projects: Azure DevOps "),
                "{shown}: {errors}"
            );
        }
    }
}

#[test]
fn a_token_that_sees_no_project_has_read_nothing() {
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(1).connections(1));
    let empty = Fault::on(Service::DevOps, "GET", "/_apis/projects").status(200);
    fixture.emulator.fault(empty.json(&json!({ "count": 0, "value": [] })).always());
    for command in ["audit", "inventory"] {
        let output = run(&fixture, &[command, "--org", NAME]);
        assert_eq!(output.status.code(), Some(3), "{command}: {}", text(&output.stderr));
    }
    let output = run(&fixture, &["audit", "--org", NAME, "--project", "Project 0001"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn a_session_that_is_not_there_is_an_argument_error_and_no_other_token_is_used() {
    let fixture = Fixture::new(&OrganizationPlan::new(NAME))
        .set("HUB_WIF_URL", "http://127.0.0.1:1")
        .set("HUB_WIF_KEY", "k");
    for command in ["audit", "inventory"] {
        let output = run(&fixture, &[command, "--org", NAME, "--session", "hubb"]);
        let errors = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
        assert!(errors.contains("HUBB_WIF_URL and HUBB_WIF_KEY are not set"), "{errors}");
        assert!(errors.contains("did you mean hub?"), "{errors}");
    }
    assert_eq!(fixture.emulator.journal().len(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_ends_with_130_shows_what_it_knows_and_replaces_no_file() {
    let temp = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(&OrganizationPlan::new(NAME).projects(3).connections(3))
        .set("TF_BUILD", "True")
        .set("AGENT_TEMPDIRECTORY", temp.path().to_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (snapshot, first, second) = (path("snapshot"), path("first"), path("second"));
    for command in ["audit", "inventory"] {
        for file in [&snapshot, &first] {
            fs::write(file, "of the last run").unwrap();
        }
        fixture.emulator.mend();
        let gate = Gate::new();
        let stuck = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints").nth(2);
        fixture.emulator.fault(stuck.always().gate(&gate));
        let child = Command::new(env!("CARGO_BIN_EXE_wif-operator"))
            .args([command, "--org", NAME, "--jobs", "1", "--save", &snapshot])
            .args(["--format", "json", "--output", &first, "--format", "csv", "--output", &second])
            .env_clear()
            .envs(fixture.env().iter())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        gate.wait_until_reached(1);
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        gate.open();
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(130), "{errors}");
        let (known, unknown) = match command {
            "audit" => ("1 connection: 1 federated", "interrupted before it was read"),
            _ => ("  federated  ", "Not everything could be seen"),
        };
        assert!(said.contains(known) && said.contains(unknown), "{said}");
        assert!(errors.contains(&snapshot) && errors.contains(&first), "{errors}");
        for file in [&snapshot, &first] {
            assert_eq!(fs::read_to_string(file).unwrap(), "of the last run", "{command} {file}");
        }
        assert!(!Path::new(&second).exists(), "{command}: what is not whole is not kept");
        assert!(!said.contains("##vso["), "{said}");
        assert_eq!(
            fs::read_dir(temp.path()).unwrap().count(),
            0,
            "{command}: the run gets no summary of a part"
        );
    }
}
