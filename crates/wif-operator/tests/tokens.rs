//! Where tokens come from, in the order of the promise.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use wif::user_tokens::{AzureCli as _, StartsAz};
use wif_azure::rest::Token;
use wif_core::azure::cloud::Cloud;
use wif_io::{
    clock::{Clock, System},
    env::Env,
};
use wif_operator::tokens::{Needs, Tokens};

/// A folder with a program `az` in it.
fn az(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("az");
    fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What `az` prints for a token, as a line of a script.
fn printing(token: &str) -> String {
    format!(
        r#"echo "{{\"accessToken\": \"{token}\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}""#
    )
}

fn find(cloud: Cloud, session: Option<&str>, variables: &[(&str, &str)]) -> (Tokens, Vec<String>) {
    let env: Env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut said = Vec::new();
    let mut say = |line: &str| said.push(line.to_owned());
    let needs = Needs { identities: true };
    let clock: Arc<dyn Clock> = Arc::new(System::new());
    let tokens = runtime.block_on(Tokens::find(&env, &clock, cloud, session, needs, &mut say));
    (tokens, said)
}

fn text(token: Option<&Token>) -> Option<(&'static str, String)> {
    token.map(|token| match token {
        Token::Bearer(token) => ("bearer", token.expose().to_owned()),
        Token::Personal(token) => ("personal", token.expose().to_owned()),
    })
}

fn path(folder: &Path) -> String {
    format!("{}:/usr/bin:/bin", folder.display())
}

#[test]
fn variables_come_first_then_the_azure_cli_and_the_jobs_token_last() {
    let az = az(&format!(
        "test \"$1 $2 $3 $4 $5\" = 'account get-access-token -o json --scope' || exit 9\n{}",
        printing("of-$6")
    ));
    let path = path(az.path());
    let all = [
        ("PATH", path.as_str()),
        ("AZURE_DEVOPS_EXT_PAT", "personal"),
        ("WIF_DEVOPS_TOKEN", "other"),
        ("WIF_GRAPH_TOKEN", "graph"),
        ("SYSTEM_ACCESSTOKEN", "job"),
    ];
    let (tokens, said) = find(Cloud::Public, None, &all);
    assert_eq!(text(tokens.devops.as_ref()), Some(("personal", "personal".to_owned())));
    assert_eq!(text(tokens.graph.as_ref()), Some(("bearer", "graph".to_owned())));
    assert_eq!(
        text(tokens.arm.as_ref()),
        Some(("bearer", "of-https://management.azure.com/.default".to_owned()))
    );
    let expected = [
        "Azure DevOps: token of AZURE_DEVOPS_EXT_PAT",
        "Microsoft Graph: token of WIF_GRAPH_TOKEN",
        "Azure Resource Manager: token of the Azure CLI",
    ];
    assert_eq!(said, expected);
    let (tokens, _) = find(Cloud::Public, None, &all[2..]);
    assert_eq!(text(tokens.devops.as_ref()), Some(("bearer", "other".to_owned())));
    let (tokens, said) = find(Cloud::UsGovernment, None, &[all[0], all[4]]);
    let devops = "of-499b84ac-1321-427f-aa17-267ca6975798/.default";
    assert_eq!(text(tokens.devops.as_ref()), Some(("bearer", devops.to_owned())));
    assert_eq!(
        text(tokens.graph.as_ref()),
        Some(("bearer", "of-https://graph.microsoft.us/.default".to_owned()))
    );
    assert!(!tokens.is_job_token(), "{said:?}");
}

#[test]
fn both_programs_ask_the_azure_cli_the_same() {
    let kept = tempfile::tempdir().unwrap();
    let kept = kept.path().join("asked");
    let az = az(&format!("printf '%s\\n' \"$*\" >> {}\n{}", kept.display(), printing("t")));
    let path = path(az.path());
    let (tokens, _) = find(Cloud::Public, None, &[("PATH", &path)]);
    assert!(tokens.arm.is_some());
    let env: Env = [("PATH".to_owned(), path)].into_iter().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (clock, program) = (System::new(), az.path().join("az"));
    let ours = StartsAz(&clock);
    let token = runtime.block_on(ours.token(&env, &program, "https://management.azure.com/.default"));
    assert_eq!(token.unwrap().expose(), "t");
    let asked = fs::read_to_string(&kept).unwrap();
    let asked: Vec<_> = asked.lines().filter(|line| line.contains("management.azure.com")).collect();
    assert_eq!(asked, ["account get-access-token -o json --scope https://management.azure.com/.default"; 2]);
}

#[test]
fn a_cli_without_a_sign_in_is_told_and_the_jobs_token_is_for_azure_devops_only() {
    let az = az("echo 'ERROR: Please run az login to setup account.' >&2; exit 1");
    let path = path(az.path());
    let (tokens, said) = find(Cloud::Public, None, &[("PATH", &path), ("SYSTEM_ACCESSTOKEN", "job")]);
    assert_eq!(text(tokens.devops.as_ref()), Some(("bearer", "job".to_owned())));
    assert!(tokens.is_job_token() && tokens.graph.is_none() && tokens.arm.is_none());
    assert_eq!(said[0], "Azure DevOps: token of SYSTEM_ACCESSTOKEN, which as a rule sees one project");
    assert!(said[1].starts_with("Azure DevOps: tried before: the Azure CLI has none: "), "{}", said[1]);
    assert!(said[2].starts_with("Microsoft Graph: no token (the Azure CLI has none: "), "{}", said[2]);
    assert!(said[2].contains("az login"), "{}", said[2]);
}

#[test]
fn what_the_cli_prints_instead_of_a_token_is_no_token_and_is_not_shown() {
    let az = az("echo 'WARNING two words'");
    let path = path(az.path());
    let (tokens, said) = find(Cloud::Public, None, &[("PATH", &path)]);
    assert!(tokens.devops.is_none() && tokens.graph.is_none() && tokens.arm.is_none());
    assert!(said.iter().all(|line| line.contains("something else than a token")), "{said:?}");
    assert!(!said.concat().contains("two words"));
}

#[test]
fn a_session_that_is_named_and_not_there_is_told() {
    let (tokens, said) =
        find(Cloud::Public, Some("hub"), &[("WIF_URL", "http://127.0.0.1:1"), ("WIF_KEY", "k")]);
    assert!(tokens.devops.is_none());
    assert!(
        said[0].contains("the session hub is not there: HUB_WIF_URL and HUB_WIF_KEY are not set"),
        "{}",
        said[0]
    );
    let (_, said) = find(Cloud::Public, None, &[("WIF_URL", "http://evil.example:1"), ("WIF_KEY", "k")]);
    assert!(said[0].contains("WIF_URL is not the address of a broker"), "{}", said[0]);
}

#[test]
fn a_named_session_that_gives_no_token_is_not_replaced_by_another_identity() {
    let az = az(&printing("of-the-cli"));
    let path = path(az.path());
    let variables = [
        ("PATH", path.as_str()),
        ("HUB_WIF_URL", "http://127.0.0.1:1"),
        ("HUB_WIF_KEY", "k"),
        ("WIF_GRAPH_TOKEN", "graph"),
        ("SYSTEM_ACCESSTOKEN", "job"),
    ];
    let (tokens, said) = find(Cloud::Public, Some("hub"), &variables);
    assert!(tokens.devops.is_none() && tokens.arm.is_none(), "{said:?}");
    assert_eq!(text(tokens.graph.as_ref()), Some(("bearer", "graph".to_owned())));
    assert!(said[0].starts_with("Azure DevOps: no token (the session hub: "), "{said:?}");
}

#[test]
fn what_was_tried_before_the_token_that_is_taken_is_told() {
    let az = az(&printing("of-the-cli"));
    let path = path(az.path());
    let variables = [
        ("PATH", path.as_str()),
        ("WIF_URL", "http://127.0.0.1:1"),
        ("WIF_KEY", "k"),
        ("WIF_ARM_TOKEN", "arm"),
    ];
    let (_, said) = find(Cloud::Public, None, &variables);
    assert_eq!(said[0], "Azure DevOps: token of the Azure CLI");
    let tried = said.iter().filter(|line| line.contains("the session of this job: "));
    let tried: Vec<_> = tried.collect();
    assert_eq!(tried.len(), 2, "{said:?}");
    assert!(tried[0].starts_with("Azure DevOps: tried before: "), "{said:?}");
    assert!(tried[1].starts_with("Microsoft Graph: tried before: "), "{said:?}");
}
