//! `wif doctor`, as a program, without a job.

use std::process::{Command, Output};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emulator::{Emulator, Fault, Service, directory::Kind};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use crate::doctor::reader;

pub(crate) const PERSONAL: &str = "personal-access-token-of-an-administrator";

/// Runs it with this environment and nothing else, and checks that nothing leaked.
pub(crate) fn doctor(
    emulator: &Emulator,
    connection: &str,
    environment: &[(&str, &str)],
    more: &[&str],
) -> Output {
    let url = format!("{}/contoso", emulator.devops_url());
    let arguments = ["doctor", "--organization", &url, "--project", "Platform", "--connection", connection];
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif"));
    command.args(arguments).args(more).env_clear().env("AGENT_CAINFO", emulator.ca_file());
    let output = command.envs(environment.iter().copied()).output().unwrap();
    for stream in [&output.stdout, &output.stderr] {
        assert_eq!(emulator::leaks(&emulator.issued(), stream), Vec::<String>::new());
    }
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap()
}

/// An emulator, with tokens for all that a person may read.
pub(crate) fn known() -> (Emulator, [String; 2]) {
    let emulator = Emulator::start();
    emulator.directory().personal_tokens.push(PERSONAL.to_owned());
    let tokens = ["https://graph.microsoft.com", "https://management.azure.com"];
    let tokens = tokens.map(|resource| reader(&emulator, resource));
    (emulator, tokens)
}

#[test]
fn without_a_token_it_says_which_one_it_wants() {
    let emulator = Emulator::start();
    let output = doctor(&emulator, "sc-prod", &[], &[]);
    assert_eq!(output.status.code(), Some(3));
    let text = text(&output);
    assert!(
        text.starts_with("error WIF7005: there is no token for Azure DevOps")
            && text.contains("AZURE_DEVOPS_EXT_PAT"),
        "{text}"
    );
    // A session that is named and is not there is a mistake of the arguments, in a job and elsewhere.
    let output = doctor(&emulator, "sc-prod", &[("AZURE_DEVOPS_EXT_PAT", PERSONAL)], &["--session", "hub"]);
    assert_eq!(output.status.code(), Some(2));
    let text = self::text(&output);
    assert!(text.starts_with("error WIF1012: this step finds no session HUB; it finds: none"), "{text}");
    assert!(emulator.journal().is_empty());
}

#[test]
fn a_token_that_is_refused_and_a_connection_that_is_not_there() {
    let (emulator, _tokens) = known();
    let output =
        doctor(&emulator, "sc-prod", &[("AZURE_DEVOPS_EXT_PAT", "a-token-of-no-user-in-particular")], &[]);
    assert_eq!(output.status.code(), Some(11));
    let said = text(&output);
    assert!(said.contains("1 fault: WIF2002, the caller of this command."), "{said}");
    assert!(said.contains("fix: sign in again with az login, or set AZURE_DEVOPS_EXT_PAT"), "{said}");
    assert!(!said.contains("a job token"), "{said}");
    let output = doctor(&emulator, "sc-absent", &[("AZURE_DEVOPS_EXT_PAT", PERSONAL)], &[]);
    assert_eq!(output.status.code(), Some(11));
    assert!(text(&output).contains("1 fault: WIF2004"), "{}", text(&output));
}

#[test]
fn the_exit_code_says_how_bad_it_is() {
    let (emulator, [graph, arm]) = known();
    let environment =
        [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &*graph), ("WIF_ARM_TOKEN", &*arm)];
    let output = doctor(&emulator, "sc-entra", &environment, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        text(&output).contains("'for-sc-entra' of the application")
            && text(&output).contains("Contributor at"),
        "{}",
        text(&output)
    );
    let output = doctor(&emulator, "sc-prod", &environment, &[]);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output));
    assert!(
        text(&output).starts_with("no fault. 1 warning: WIF2032, the service connection.\n"),
        "{}",
        text(&output)
    );
    emulator.directory().connection(emulator.usual().connection).name = "sc-new".to_owned();
    let output = doctor(&emulator, "sc-new", &environment, &[]);
    assert_eq!(output.status.code(), Some(11));
    assert!(text(&output).contains("the connection was renamed"), "{}", text(&output));
    assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 0);
}

#[test]
fn json_holds_every_check() {
    let (emulator, [graph, _arm]) = known();
    let usual = emulator.usual();
    emulator.directory().app(usual.entra_client).federated_credentials.clear();
    emulator.directory().connection(usual.entra_connection).disabled = true;
    let environment = [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &*graph)];
    let id = usual.entra_connection.to_string();
    let output = doctor(&emulator, &id, &environment, &["--json"]);
    assert_eq!(output.status.code(), Some(11));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["faults"], serde_json::json!(["WIF2029", "WIF2010"]), "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let trust = checks.iter().find(|check| check["check"] == "federated credentials").unwrap();
    assert_eq!((&trust["verdict"], &trust["code"]), (&"fault".into(), &"WIF2010".into()), "{report:#}");
    assert!(
        trust["how"].as_str().unwrap().starts_with("az ad app federated-credential create"),
        "{report:#}"
    );
    let skipped = checks.iter().find(|check| check["check"] == "subscription").unwrap();
    assert!(skipped["reason"].as_str().unwrap().contains("WIF_ARM_TOKEN"), "{report:#}");
}

#[test]
fn an_access_token_of_entra_reads_and_a_managed_identity_is_found() {
    let (emulator, [graph, arm]) = known();
    let usual = emulator.usual();
    emulator.directory().app(usual.entra_client).kind = Kind::ManagedIdentity;
    let devops = reader(&emulator, "499b84ac-1321-427f-aa17-267ca6975798");
    let environment = [("WIF_DEVOPS_TOKEN", &*devops), ("WIF_GRAPH_TOKEN", &graph), ("WIF_ARM_TOKEN", &arm)];
    let output = doctor(&emulator, "sc-entra", &environment, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("of the managed identity 'id-"), "{}", text(&output));
}

#[test]
fn a_missing_role_is_reported_to_a_user_who_may_read_roles() {
    let (emulator, [graph, arm]) = known();
    let usual = emulator.usual();
    emulator
        .directory()
        .subscription(usual.subscription)
        .roles
        .retain(|client| *client != usual.entra_client);
    let environment =
        [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &*graph), ("WIF_ARM_TOKEN", &*arm)];
    let output = doctor(&emulator, "sc-entra", &environment, &[]);
    assert_eq!(output.status.code(), Some(11), "{}", text(&output));
    assert!(
        text(&output).starts_with("1 fault: WIF2027, a role or permission of the identity. no warning.\n"),
        "{}",
        text(&output)
    );
}

/// How a script prints the token `$t`, as `az` does.
#[cfg(unix)]
const PRINT: &str =
    r#"echo "{\"accessToken\": \"$t\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}""#;

/// A program `az` that gives these tokens.
#[cfg(unix)]
fn az(graph: &str, arm: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *graph*) t={graph};; *management*) t={arm};; *) exit 1;; esac\n{PRINT}\n"
    );
    let program = folder.path().join("az");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn a_user_of_the_azure_cli_who_may_not_read_the_subscription_is_no_fault_of_the_connection() {
    let (emulator, [graph, arm]) = known();
    for status in [401, 403, 404] {
        emulator.mend();
        let refused = Fault::on(Service::Arm, "GET", "/subscriptions/");
        emulator.fault(refused.status(status).always());
        let folder = az(&graph, &arm);
        let path = folder.path().to_str().unwrap();
        let output =
            doctor(&emulator, "sc-entra", &[("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("PATH", path)], &["--json"]);
        assert_eq!(output.status.code(), Some(0), "{status}: {}", text(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == "subscription").unwrap();
        assert_eq!(check["verdict"], "skipped", "{report:#}");
        let reason = check["reason"].as_str().unwrap();
        assert!(reason.contains("the Azure CLI may not read it"), "{reason}");
        assert!(!reason.contains("WIF_ARM_TOKEN"), "{reason}");
    }
    // What the user gives by its name is what the user means to be judged.
    let given = [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &*graph), ("WIF_ARM_TOKEN", &*arm)];
    assert_eq!(doctor(&emulator, "sc-entra", &given, &[]).status.code(), Some(11));
}

#[cfg(unix)]
#[test]
fn a_token_of_another_tenant_is_named_by_where_it_comes_from() {
    let (emulator, [_, arm]) = known();
    let payload = r#"{"tid":"99999999-9999-9999-9999-999999999999"}"#;
    let graph = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(payload));
    let folder = az(&graph, &arm);
    let path = folder.path().to_str().unwrap();
    let output = doctor(&emulator, "sc-entra", &[("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("PATH", path)], &[]);
    let said = text(&output);
    assert!(said.contains("the token of the Azure CLI is of the tenant 99999999"), "{said}");
    assert!(!said.contains("WIF_GRAPH_TOKEN"), "{said}");
}

#[test]
fn a_connection_that_is_long_unused_is_warned_of() {
    let (emulator, [graph, arm]) = known();
    let connection = emulator.usual().entra_connection;
    let environment =
        [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &*graph), ("WIF_ARM_TOKEN", &*arm)];
    for (days, code) in [(79, 0), (81, 10)] {
        let used = emulator.now() - time::Duration::days(days) - time::Duration::hours(1);
        emulator.directory().connection(connection).last_used = Some(used);
        let output = doctor(&emulator, "sc-entra", &environment, &[]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(text(&output).contains(&format!("last used {days} days ago")), "{}", text(&output));
    }
    // The moment that is given counts, and not the clock's.
    let moment = |days| (emulator.now() + time::Duration::days(days)).format(&Rfc3339).unwrap();
    for (days, code) in [(-80, 0), (0, 10)] {
        let output = doctor(&emulator, "sc-entra", &environment, &["--now", &moment(days)]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
    }
    let output = doctor(&emulator, "sc-entra", &environment, &["--now", "yesterday"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("'yesterday'") && text(&output).contains("as 2026-11-26T12:00:00Z is"));
}

fn alone(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif"));
    command.arg("doctor").args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap()
}

#[test]
fn the_old_spelling_of_the_argument_works_and_is_not_shown() {
    let (emulator, _tokens) = known();
    let url = format!("{}/contoso", emulator.devops_url());
    let ca = emulator.ca_file().display().to_string();
    let environment = [("AGENT_CAINFO", &*ca), ("AZURE_DEVOPS_EXT_PAT", PERSONAL)];
    let arguments = ["--organisation", &url, "--project", "Platform", "--connection", "sc-entra"];
    assert_eq!(alone(&environment, &arguments).status.code(), Some(0));
    let help = text(&alone(&[], &["--help"]));
    assert!(help.contains("--organization <NAME|URL>") && !help.contains("organisation"), "{help}");
}

#[test]
fn a_name_that_is_misspelled_is_answered_with_the_one_that_was_meant() {
    for (arguments, meant) in [
        (&["tokn", "arm"][..], Some("'token'")),
        (&["explian", "AADSTS700213"], Some("'explain'")),
        (&["exec", "--tennant", "x", "--", "true"], Some("'--tenant'")),
        (&["doctor", "--conection", "c"], Some("'--connection'")),
        // Nothing is near, and what is not for people is no suggestion.
        (&["deploy"], None),
        (&["brokers"], None),
        (&["tasks", "main"], None),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_wif")).args(arguments).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output);
        match meant {
            Some(meant) => assert!(said.contains("similar") && said.contains(meant), "{said}"),
            None => assert!(!said.contains("similar"), "{said}"),
        }
    }
}

#[test]
fn outside_of_a_job_no_error_blames_an_agent_or_a_pipeline() {
    let id = "8d1c7a34-0b7e-4e55-9f61-7c0e3b9a2d41";
    let exec = ["exec", "--source", "env:ID_TOKEN", "--tenant", id, "--client", id, "--", "true"];
    let bad_proxy = [("HTTPS_PROXY", "none://of-this-kind"), ("ID_TOKEN", "a.b.c")];
    for (environment, arguments, code, in_job) in [
        (&[][..], &["token", "arm"][..], "WIF5002", "the caller"),
        (&[], &["status"], "WIF5002", "the caller"),
        (&[], &["explain", "NOPE"], "WIF1012", "the pipeline"),
        (&[], &["doctor", "--project", "p"], "WIF1012", "the pipeline"),
        (&[], &["kubeconfig", "aks-prod"], "WIF1003", "the pipeline"),
        (&bad_proxy, &exec, "WIF3008", "the agent"),
    ] {
        let run = |in_job: &[(&str, &str)]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wif"));
            let environment = environment.iter().chain(in_job).copied();
            text(&command.args(arguments).env_clear().envs(environment).output().unwrap())
        };
        let said = run(&[]);
        assert!(said.starts_with(&format!("error {code}: ")), "{said}");
        assert!(said.contains("at fault: "), "{said}");
        assert!(!said.contains("the agent") && !said.contains("the pipeline"), "{said}");
        let said = run(&[("TF_BUILD", "True")]);
        assert!(said.contains(&format!("at fault: {in_job}")), "{said}");
    }
}

#[test]
fn outside_of_a_job_a_report_blames_no_agent_and_names_the_variable_that_is_wrong() {
    let report = |arguments: &[&str], more: (&str, &str)| {
        let arguments = [&["--organization", "contoso", "--project", "p", "--connection", "c"], arguments];
        let bad = [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("HTTPS_PROXY", "none://of-this-kind"), more];
        let output = alone(&bad, &arguments.concat());
        assert_eq!(output.status.code(), Some(11), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for said in [report(&[], ("LANG", "C")), report(&["--json"], ("LANG", "C"))] {
        assert!(said.contains("WIF3008") && said.contains("this machine"), "{said}");
        assert!(said.contains("correct the variable HTTPS_PROXY"), "{said}");
        assert!(!said.contains("the agent"), "{said}");
    }
    assert!(!report(&[], ("LANG", "C")).contains("agent"));
    let in_job = report(&[], ("TF_BUILD", "True"));
    assert!(in_job.starts_with("1 fault: WIF3008, the agent."), "{in_job}");
    assert!(in_job.contains("agent's network settings"), "{in_job}");
    let json: Value = serde_json::from_str(&report(&["--json"], ("LANG", "C"))).unwrap();
    assert_eq!((&json["schema"], &json["version"]), (&"wif.doctor/1".into(), &1.into()));
}

#[test]
fn outside_of_a_job_every_argument_is_needed_and_the_missing_ones_are_named() {
    for (arguments, words) in [
        (&[][..], "not given: --organization, --project, --connection"),
        (&["--project", "p", "--organization", "o"], "not given: --connection"),
        (&["--try"], "this is not a step of a job"),
    ] {
        let output = alone(&[("AZURE_DEVOPS_EXT_PAT", PERSONAL)], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output).starts_with("error WIF1012: ") && text(&output).contains(words),
            "{}",
            text(&output)
        );
    }
    for (arguments, words) in [
        (&["--try", "az,helm"][..], "accepted are az, terraform and sdk"),
        (
            &["--try", "terraform", "--backend", "account"],
            "accepted is the name of a storage account, a slash",
        ),
        (&["--backend", "account/state"], "--try"),
        (&["--organization", "a b\n##vso[x.y]z", "--project", "p", "--connection", "c"], "WIF1012"),
    ] {
        let output = alone(&[("AZURE_DEVOPS_EXT_PAT", PERSONAL)], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output).contains(words) && !text(&output).contains("##vso"), "{}", text(&output));
    }
}

#[test]
fn in_a_job_the_organization_and_the_project_are_the_jobs_and_no_token_goes_to_a_host_that_is_not_known() {
    let (emulator, _tokens) = known();
    let url = format!("{}/contoso", emulator.devops_url());
    let ca = emulator.ca_file().display().to_string();
    let environment = [
        ("AGENT_CAINFO", &*ca),
        ("AZURE_DEVOPS_EXT_PAT", PERSONAL),
        ("TF_BUILD", "True"),
        ("SYSTEM_COLLECTIONURI", &url),
        ("SYSTEM_TEAMPROJECT", "Platform"),
    ];
    let output = alone(&environment, &["--connection", "sc-entra"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("not a known host of Azure DevOps"), "{}", text(&output));
    assert!(emulator.journal().is_empty());
    let output = alone(&environment, &["--connection", "sc-entra", "--allowed-authorities", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        text(&output).contains("skipped  sign-in sessions          this step finds none"),
        "{}",
        text(&output)
    );
    // A step that finds no session is told so, and what may be the reason.
    let output = alone(&[("TF_BUILD", "True")], &[]);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output));
    assert!(
        text(&output).starts_with("no fault. 1 warning: WIF5002") && text(&output).contains("sudo"),
        "{}",
        text(&output)
    );
}

/// A program `az` that is signed in: it gives a token for each of the three services, and nothing else.
#[cfg(unix)]
fn signed_in_az(emulator: &Emulator) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let resources = [
        "499b84ac-1321-427f-aa17-267ca6975798",
        "https://graph.microsoft.com",
        "https://management.core.windows.net",
    ];
    let cases =
        resources.map(|resource| format!("{resource}/.default) t='{}';;", reader(emulator, resource)));
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2 $3 $4 $5\" = 'account get-access-token -o json --scope' ] || exit 9\ncase \"$6\" in\n{}\n*) echo 'ERROR: az login' >&2; exit 1;;\nesac\n{PRINT}\n",
        cases.join("\n")
    );
    std::fs::write(folder.path().join("az"), script).unwrap();
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder.path().join("az"), mode).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn the_azure_cli_gives_what_no_variable_gives_and_one_line_says_so() {
    let (emulator, _tokens) = known();
    let az = signed_in_az(&emulator);
    let path = format!("{}:/usr/bin:/bin", az.path().display());
    let output = doctor(&emulator, "sc-entra", &[("PATH", &path)], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let expected = ["Azure DevOps", "Microsoft Graph", "Azure Resource Manager"];
    assert_eq!(said, expected.map(|name| format!("{name}: token of the Azure CLI\n")).concat());
    assert!(text(&output).contains("'for-sc-entra' of the application"), "{}", text(&output));
    assert!(text(&output).contains("Contributor at"), "{}", text(&output));
    // A variable comes before it, and a job token after it.
    let environment =
        [("PATH", path.as_str()), ("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("SYSTEM_ACCESSTOKEN", "job")];
    let said = String::from_utf8(doctor(&emulator, "sc-entra", &environment, &[]).stderr).unwrap();
    assert!(said.starts_with("Azure DevOps: token of AZURE_DEVOPS_EXT_PAT\n"), "{said}");
    std::fs::write(az.path().join("az"), "#!/bin/sh\necho 'ERROR: Please run az login' >&2; exit 1\n")
        .unwrap();
    let said =
        String::from_utf8(doctor(&emulator, "sc-entra", &[environment[0], environment[2]], &[]).stderr);
    let said = said.unwrap();
    assert!(said.contains("Azure DevOps: token of SYSTEM_ACCESSTOKEN"), "{said}");
    assert!(said.contains("tried before: the Azure CLI has none: "), "{said}");
}

#[test]
fn its_options_are_short_and_its_commands_have_the_connections_ids() {
    let (emulator, [graph, _arm]) = known();
    let usual = emulator.usual();
    emulator.directory().app(usual.entra_client).federated_credentials.clear();
    let organization = format!("{}/contoso", emulator.devops_url());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif"));
        command.arg("doctor").args(arguments).env_clear().env("AGENT_CAINFO", emulator.ca_file());
        let tokens = [("AZURE_DEVOPS_EXT_PAT", PERSONAL), ("WIF_GRAPH_TOKEN", &graph)];
        command.envs(tokens).output().unwrap()
    };
    let output = run(&["--org", &organization, "-p", "Platform", "-c", "sc-entra"]);
    assert_eq!(output.status.code(), Some(11), "{}", text(&output));
    let shown = text(&output);
    let command = format!("run: az ad app federated-credential create --id {} ", usual.entra_client);
    assert!(shown.contains(&command) && !shown.contains("<client id>"), "{shown}");
    let output = run(&["--org", &organization, "-p", "Platform", "-c", "sc-entra", "--json"]);
    assert!(!text(&output).contains("<client id>"), "{}", text(&output));
}
