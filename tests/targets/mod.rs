//! Other clouds from the same connection: what later steps find, who is refused and why, and what is left at the end.
#![cfg(target_os = "linux")]

mod clients;
mod node;
mod refusals;

use std::{path::PathBuf, sync::Arc, time::Duration};

use emulator::{
    Emulator, Fault, Proxy, ProxyOptions, Service,
    agent::{Agent, Step},
    directory::{
        SourceIssuer,
        clouds::{AWS_ROLE, Clouds, GOOGLE_ACCOUNT, GOOGLE_PROVIDER, VAULT_ROLE},
    },
};
use serde_json::{Value, json};
use wif::session::serve;
use wif_broker::{cache::CachedToken, session::Session};
use wif_core::{code::Code, secret::Secret};
use wif_io::clock::Clock as _;

use crate::support::{Case, EMULATOR, ExecCase, Virtual, idle, run, task_folder, wait_for};

const REGION: &str = "eu-central-1";

pub(crate) fn trusting(case: Case) -> Case {
    case.emulator.trust_in_clouds(case.connection);
    case.input("refresh", "true").input("accessTokens", "").input("exports", "none")
}

pub(crate) fn with_aws(case: Case) -> Case {
    let url = case.emulator.clouds_url();
    case.set("AWS_ENDPOINT_URL_STS", &url).input("awsRole", AWS_ROLE).input("awsRegion", REGION)
}

pub(crate) fn with_vault(case: Case) -> Case {
    let url = case.emulator.clouds_url();
    case.input("vaultAddress", &url).input("vaultRole", VAULT_ROLE)
}

/// A proxy that leads Google's names to the emulator.
fn leading_to_google(emulator: &Emulator) -> ProxyOptions {
    let port = emulator.clouds_port();
    let hosts = ["sts.googleapis.com:443", "iamcredentials.googleapis.com:443"];
    hosts.into_iter().fold(Proxy::leading_to(emulator), |all, host| all.lead(host, port))
}

/// A step whose proxy leads Google's names to the emulator.
fn with_google(case: Case) -> (Case, Proxy) {
    let proxy = Proxy::start(leading_to_google(&case.emulator));
    (case.set("AGENT_PROXYURL", &proxy.url()).input("googleProvider", GOOGLE_PROVIDER), proxy)
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_wif"))
}

/// The answer, or what is registered, that makes a service refuse by this name.
fn refuse(case: &Case, name: &str) {
    let mut directory = case.emulator.directory();
    let clouds = &mut directory.clouds;
    let vault = |status: u16, text: &str| {
        Some(
            Fault::on(Service::Clouds, "POST", "/v1/auth/")
                .always()
                .status(status)
                .json(&json!({"errors": [text]})),
        )
    };
    let aws = |status: u16, code: &str| {
        let error = json!({"Error": {"Code": code, "Message": "m", "Type": "Sender"}, "RequestId": "r"});
        Some(Fault::on(Service::Clouds, "POST", "/").always().status(status).json(&error))
    };
    let google = |status: u16, error: &str, text: &str| {
        let body = json!({"error": error, "error_description": text});
        Some(Fault::on(Service::Clouds, "POST", "/v1/token").always().status(status).json(&body))
    };
    let mut fault = None;
    match name {
        "AccessDenied" => "sc://contoso/Platform/other".clone_into(&mut clouds.aws.roles[0].subject),
        "InvalidIdentityToken" => clouds.aws.providers[0].1 = vec!["other".to_owned()],
        "ExpiredTokenException" | "IDPCommunicationError" | "Throttling" => fault = aws(400, name),
        "IDPRejectedClaim" | "RegionDisabledException" => fault = aws(403, name),
        "ValidationError" => clouds.aws.roles[0].max_seconds = 900,
        "google-subject-length" => {
            let provider = &mut clouds.google.providers[0];
            provider.maps_part = false;
            fault = google(
                400,
                "invalid_grant",
                "The size of mapped attribute google.subject exceeds the 127 bytes limit.",
            );
        }
        "google-audience" => clouds.google.providers[0].audiences.clear(),
        "google-issuer" => {
            "https://login.microsoftonline.com/other/v2.0".clone_into(&mut clouds.google.providers[0].issuer);
        }
        "google-condition" => clouds.google.providers[0].condition = Some("sc://other".to_owned()),
        "google-provider" => clouds.google.providers[0].disabled = true,
        "google-expired" => {
            fault = google(400, "invalid_grant", "ID Token issued at 1 is stale to sign-in.");
        }
        "google-impersonation" => clouds.google.accounts.clear(),
        "vault-audience" => clouds.vault.mounts[0].roles[0].audiences.clear(),
        "vault-subject" => "sc://other".clone_into(&mut clouds.vault.mounts[0].roles[0].subject),
        "vault-claims" => {
            fault = vault(
                400,
                "error validating claims: claim \"x\" does not match any associated bound claim values",
            );
        }
        "vault-issuer" => "https://other.example".clone_into(&mut clouds.vault.mounts[0].issuer),
        "vault-signature" => {
            fault = vault(
                400,
                "error validating token: error verifying token signature: no known key successfully validated the token signature",
            );
        }
        "vault-expired" => {
            fault =
                vault(400, "error validating token: invalid expiration time (exp) claim: token is expired");
        }
        "vault-role" => clouds.vault.mounts[0].roles.clear(),
        "vault-mount" => clouds.vault.mounts.clear(),
        "vault-sealed" => clouds.vault.sealed = true,
        other => panic!("what makes a cloud refuse by {other}?"),
    }
    drop(directory);
    if let Some(fault) = fault {
        case.emulator.fault(fault);
    }
}

#[test]
fn an_answer_in_xml_is_read_too() {
    let case = with_aws(trusting(Case::new()));
    case.emulator.directory().clouds.aws.only_xml = true;
    case.program(program()).succeeds();
    let case = with_aws(trusting(Case::new()));
    case.emulator.directory().clouds.aws.only_xml = true;
    refuse(&case, "AccessDenied");
    let text = case.fails(Code::TargetTrustMissing);
    assert!(text.contains("AccessDenied: Not authorized to perform"), "{text}");
}

pub(crate) fn sign_in(inputs: &[(&str, &str)]) -> Step {
    let usual = [("azureSubscription", "sc-prod"), ("exports", "none"), ("accessTokens", ""), EMULATOR];
    let all: Vec<_> = usual.into_iter().chain(inputs.iter().copied()).collect();
    Step::task(task_folder(), &all).display_name("Sign in")
}

#[test]
fn a_job_is_signed_in_to_aws_and_vault_until_it_ends() {
    let emulator = Emulator::start();
    let connection = emulator.usual().connection;
    emulator.trust_in_clouds(connection);
    let (url, plain) = (emulator.clouds_url(), emulator.plain_clouds_url());
    let look = Step::bash(
        "set -e
         test \"$AWS_REGION\" = eu-central-1; test \"$AWS_DEFAULT_REGION\" = eu-central-1
         curl -sf -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\" \
           | python3 -c 'import json,sys; print(\"fields\", *sorted(json.load(sys.stdin)))'
         echo wrong $(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: x' \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\")
         echo no $(curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: $WIF_KEY\" \"$WIF_URL/status\")
         echo vault $(curl -s -o /dev/null -w '%{http_code}' -X POST -H \"X-Vault-Token: $VAULT_TOKEN\" \"$VAULT_ADDR/v1/auth/token/renew-self\")
         test \"$VAULT_TOKEN\" = \"$BAO_TOKEN\"; test \"$VAULT_ADDR\" = \"$BAO_ADDR\"
         wif status",
    )
    .display_name("Look");
    let inputs =
        [("awsRole", AWS_ROLE), ("awsRegion", REGION), ("vaultAddress", &*plain), ("vaultRole", VAULT_ROLE)];
    let agent = Agent::new()
        .ca_file(emulator.ca_file())
        .machine_env("AWS_ENDPOINT_URL_STS", &url)
        .machine_env("HOME", "/nonexistent");
    let report = agent.run(&emulator.job(connection), &[sign_in(&inputs), look]);
    let log = &report.log;
    for line in ["fields AccessKeyId Expiration SecretAccessKey Token", "wrong 401", "no 401", "vault 200"] {
        assert!(log.contains(line), "no '{line}' in\n{log}\n{}", emulator.journal_text());
    }
    assert!(log.contains("aws") && log.contains("vault"), "{log}");
    assert_eq!(emulator::leaks(&emulator.issued(), log.as_bytes()), Vec::<String>::new(), "{log}");
    assert_eq!(report.left_in_temp, Vec::<PathBuf>::new());
    let directory = emulator.directory();
    assert_eq!(directory.clouds.aws.sessions.len(), 1, "one exchange for the job");
    assert!(
        directory.clouds.aws.sessions[0].name.starts_with("Platform-"),
        "{:?}",
        directory.clouds.aws.sessions
    );
    let tokens = &directory.clouds.vault.tokens;
    assert!(tokens.len() == 1 && tokens[0].revoked, "revoked with the job: {tokens:?}");
}

/// `wif exec` with GitHub's id tokens, each for the audience of its cloud.
pub(crate) fn exec(audience: &str) -> ExecCase {
    let case = ExecCase::new();
    let issuer = SourceIssuer::GitHub;
    let subject = case.emulator.directory().sources.subject(issuer);
    case.emulator.directory().clouds = Clouds::trusting(issuer.issuer(), &subject, &[audience]);
    case.option("--exports", "none")
}

/// A command whose proxy leads Google's names, and its own source, to the emulator.
fn exec_with_google() -> (ExecCase, Proxy) {
    let case = exec(GOOGLE_PROVIDER);
    let sources: u16 = case.emulator.sources_url().rsplit(':').next().unwrap().parse().unwrap();
    let options = leading_to_google(&case.emulator).lead(&format!("127.0.0.1:{sources}"), sources);
    let proxy = Proxy::start(options);
    (case, proxy)
}

#[test]
fn a_command_gets_an_id_token_for_the_audience_of_each_cloud() {
    let case = exec("sts.amazonaws.com");
    let url = case.emulator.clouds_url();
    let case = case
        .set("AWS_ENDPOINT_URL_STS", &url)
        .set("AWS_PROFILE", "of-the-user")
        .option("--aws-role", AWS_ROLE)
        .option("--aws-region", REGION);
    let found = case.prints(
        "test -z \"$AWS_PROFILE\" && curl -sf -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\"",
    );
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["AccessKeyId"], case.emulator.directory().clouds.aws.sessions[0].key[0].as_str());

    let case = exec("x");
    let url = case.emulator.clouds_url();
    case.emulator.directory().clouds.vault.mounts[0].roles[0].audiences = vec![url.clone()];
    let case = case.option("--vault-address", &url).option("--vault-role", VAULT_ROLE);
    let token = case.prints("printf %s \"$VAULT_TOKEN\"");
    let directory = case.emulator.directory();
    let tokens = &directory.clouds.vault.tokens;
    assert!(tokens.len() == 1 && tokens[0].text == token && tokens[0].revoked, "{tokens:?}");
}

#[test]
fn a_diagnosis_tries_each_cloud_by_its_audience_and_runs_no_command() {
    let case = exec("x");
    let url = case.emulator.clouds_url();
    case.emulator.directory().clouds.vault.mounts[0].roles[0].audiences = vec![url.clone()];
    let case =
        case.option("--vault-address", &url).option("--vault-role", VAULT_ROLE).option("--diagnose", "true");
    let diagnose = || {
        let output = case.run(&["sh", "-c", "echo it ran"]);
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("it ran"), "{said}");
        assert_eq!(emulator::leaks(&case.emulator.issued(), said.as_bytes()), Vec::<String>::new());
        (output.status.code(), said)
    };
    let (code, said) = diagnose();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Vault gives a credential, until"), "{said}");
    assert!(matches!(&case.emulator.directory().clouds.vault.tokens[..], [token] if token.revoked));
    case.emulator.directory().clouds.vault.mounts[0].roles.clear();
    let (code, said) = diagnose();
    assert_eq!(code, Some(11), "{said}");
    assert!(said.contains("FAULT    other clouds"), "{said}");
}

#[test]
fn googles_clients_find_a_source_and_where_the_id_token_may_not_leave_an_exchange() {
    let (case, proxy) = exec_with_google();
    let case = case
        .set("HTTPS_PROXY", &proxy.url())
        .option("--google-provider", GOOGLE_PROVIDER)
        .option("--google-project", "my-project");
    let look = "test \"$GOOGLE_APPLICATION_CREDENTIALS\" = \"$CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE\"
        test \"$GOOGLE_CLOUD_PROJECT$CLOUDSDK_CORE_PROJECT\" = my-projectmy-project
        stat -c %a \"$GOOGLE_APPLICATION_CREDENTIALS\"; cat \"$GOOGLE_APPLICATION_CREDENTIALS\"; echo
        export NO_PROXY=127.0.0.1
        python3 - <<'END'
import json, os, urllib.request
file = json.load(open(os.environ['GOOGLE_APPLICATION_CREDENTIALS']))
source = file['credential_source']
answer = urllib.request.urlopen(urllib.request.Request(source['url'], headers=source['headers']))
token = json.load(answer)['value']
print('jwt' if token.startswith('eyJ') else token)
if file['token_url'].startswith('http://127.0.0.1'):
    print(urllib.request.urlopen(urllib.request.Request(file['token_url'], data=b'grant_type=x')).read().decode())
END";
    let found = case.prints(look);
    let lines: Vec<_> = found.lines().collect();
    let file: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(lines[0], "600");
    assert_eq!(file["audience"], GOOGLE_PROVIDER);
    assert_eq!(file["token_url"], "https://sts.googleapis.com/v1/token");
    assert_eq!(lines[2], "jwt");

    let limited =
        case.option("--allowed-resources", "google").option("--google-service-account", GOOGLE_ACCOUNT);
    let found = limited.prints(look);
    let lines: Vec<_> = found.lines().collect();
    assert_eq!(lines[2], "the broker has exchanged the id token", "{found}");
    let granted: Value = serde_json::from_str(lines[3]).unwrap();
    assert!(granted["access_token"].as_str().unwrap().starts_with("ya29.c."), "{granted}");
    assert!(granted["expires_in"].as_i64().unwrap() > 3000, "{granted}");
}

/// How long everything lives that clouds give out to real clients, in seconds: they go on past its end.
const LIFE: i64 = 8;

/// Where boto3 is installed, the real client finds its credentials, and new ones after their end; elsewhere nothing is proved.
#[test]
fn boto3_finds_the_credentials_and_no_others() {
    let case = exec("sts.amazonaws.com");
    case.emulator.directory().clouds.longest_life = Some(LIFE);
    let url = case.emulator.clouds_url();
    let case =
        case.set("AWS_ENDPOINT_URL_STS", &url).option("--aws-role", AWS_ROLE).option("--aws-region", REGION);
    let script = "python3 - <<'END'
import time
try:
    import boto3
except ImportError:
    print('absent')
else:
    session = boto3.Session()
    credentials = session.get_credentials()
    for turn in range(2):
        print(credentials.method, session.region_name, credentials.get_frozen_credentials().access_key)
        end = time.time() + LIFE
        while turn == 0 and time.time() <= end:
            time.sleep(0.1)
END";
    let found = case.prints(&script.replace("LIFE", &LIFE.to_string()));
    if found.trim() == "absent" {
        println!("NOT TESTED: boto3 is not installed");
        return;
    }
    let sessions = &case.emulator.directory().clouds.aws.sessions;
    let found: Vec<_> = found.lines().collect();
    assert!(found.len() == 2 && found[0] != found[1], "{found:?}");
    for line in found {
        let is_of = |key: &str| line == format!("container-role {REGION} {key}");
        assert!(sessions.iter().any(|session| is_of(&session.key[0])), "{line}");
    }
}

/// A broker of this case as its process opens it, with nothing but what is handed over, and a clock in the test's hand.
pub(crate) async fn open(case: &Case) -> (Arc<Session>, Arc<Virtual>) {
    let clock = Virtual::new(case.emulator.now());
    let env = serve::environment(&case.env(), case.connection);
    let key = Secret::new("key".to_owned());
    let (_listener, session) = serve::open_session(env, None, key, Arc::clone(&clock) as _).await.unwrap();
    session.tokens.targets().iter().for_each(|target| target.slot.keep_fresh());
    let keeper = Arc::clone(&session);
    tokio::spawn(async move { keeper.tokens.keep(|| true).await });
    (session, clock)
}

/// Lets time pass by the minute, and looks at the credential each time: its text, and how much life it has.
pub(crate) async fn pass(
    case: &Case,
    session: &Session,
    clock: &Virtual,
    hours: u64,
    mut look: impl FnMut(&CachedToken, time::Duration),
) {
    let (mut passed, target) = (Duration::ZERO, &session.tokens.targets()[0]);
    while passed < Duration::from_secs(hours * 3600) {
        let step = clock.pass(Duration::from_secs(60));
        passed += step;
        case.emulator.shift_clock(i64::try_from(step.as_secs()).unwrap());
        let fresh = target.slot.get().await.unwrap_or_else(|failure| panic!("after {passed:?}: {failure}"));
        look(&fresh, fresh.lifetime.until - clock.now());
        idle().await;
        let journal = || case.emulator.journal_text();
        wait_for("nothing is renewed", journal, || {
            session.tokens.statuses().iter().all(|token| !token.renewing)
        })
        .await;
    }
}

#[test]
fn credentials_of_aws_have_twenty_minutes_of_life_all_day_with_id_tokens_of_five() {
    for (duration, exchanges) in [("3600", 14..=18), ("1800", 48..=60)] {
        let case = with_aws(trusting(Case::new())).input("awsSessionDuration", duration);
        run(async {
            let (session, clock) = open(&case).await;
            let mut least = time::Duration::MAX;
            pass(&case, &session, &clock, 8, |_, life| least = least.min(life)).await;
            assert!(least >= time::Duration::minutes(20), "{duration}: {least}");
            let sessions = case.emulator.directory().clouds.aws.sessions.len();
            assert!(exchanges.contains(&sessions), "{duration}: {sessions}");
        });
    }
}

/// Where google-auth is installed, the real client gets access tokens in both ways; elsewhere nothing is proved.
#[test]
fn google_auth_gets_access_tokens_by_the_source_and_by_the_exchange() {
    let (case, proxy) = exec_with_google();
    case.emulator.directory().clouds.longest_life = Some(LIFE);
    case.emulator.directory().sources.lifetime = LIFE;
    let ca = case.emulator.ca_file().display().to_string();
    let case = case
        .set("HTTPS_PROXY", &proxy.url())
        .set("REQUESTS_CA_BUNDLE", &ca)
        .option("--google-provider", GOOGLE_PROVIDER)
        // Without it, the client asks Google's resource manager which project the provider is in.
        .option("--google-project", "my-project")
        .option("--google-service-account", GOOGLE_ACCOUNT);
    let look = "python3 - <<'END'
import time
try:
    import google.auth
    import google.auth.transport.requests
except ImportError:
    print('absent')
else:
    credentials, _ = google.auth.default(scopes=['https://www.googleapis.com/auth/cloud-platform'])
    seen = set()
    for turn in range(2):
        credentials.before_request(google.auth.transport.requests.Request(), 'GET', 'https://x', {})
        seen.add(credentials.token)
        print(credentials.token[:7])
        end = time.time() + LIFE
        while turn == 0 and time.time() <= end:
            time.sleep(0.1)
    print(len(seen))
END";
    let look = &look.replace("LIFE", &LIFE.to_string());
    let found = case.prints(look);
    if found.trim() == "absent" {
        println!("NOT TESTED: google-auth is not installed");
        return;
    }
    assert_eq!(found.lines().collect::<Vec<_>>(), ["ya29.c.", "ya29.c.", "2"]);
    let found = case.option("--allowed-resources", "google").prints(look);
    assert_eq!(found.lines().collect::<Vec<_>>(), ["ya29.c.", "ya29.c.", "2"], "the id token stays inside");
}
