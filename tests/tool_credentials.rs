//! Tools that ask a program for credentials: Docker, git, pip and kubectl, as later steps of a job, and how long they find one.
#![cfg(target_os = "linux")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use emulator::{
    Emulator, Service,
    agent::{Agent, JobReport, Step},
    directory::clouds::{AWS_ROLE, Clouds, Cluster},
};
use wif_core::code::Code;

use crate::support::{Case, EMULATOR, task_folder};

pub(crate) fn job(
    inputs: &[(&str, &str)],
    script: &str,
    change: impl FnOnce(&Emulator, Agent) -> Agent,
) -> (Emulator, JobReport) {
    let emulator = Emulator::start();
    let connection = emulator.usual().connection;
    let host = emulator.clouds_url().replace("https://", "");
    let usual = [("azureSubscription", "sc-prod"), ("accessTokens", ""), EMULATOR];
    let inputs: Vec<_> =
        inputs.iter().map(|(name, value)| (*name, value.replace("REGISTRY", &host))).collect();
    let inputs = inputs.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<_> = usual.into_iter().chain(inputs).collect();
    let steps = [
        Step::task(task_folder(), &all).display_name("Sign in"),
        Step::bash(script.replace("REGISTRY", &host)).display_name("Look"),
    ];
    let agent = Agent::new()
        .ca_file(emulator.ca_file())
        .machine_env("SSL_CERT_FILE", emulator.ca_file().display().to_string());
    let agent = change(&emulator, agent);
    let report = agent.run(&emulator.job(connection), &steps);
    let log = &report.log;
    assert_eq!(emulator::leaks(&emulator.issued(), log.as_bytes()), Vec::<String>::new(), "{log}");
    assert_eq!(report.left_in_temp, Vec::<PathBuf>::new(), "{log}");
    (emulator, report)
}

pub(crate) fn has(report: &JobReport, emulator: &Emulator, lines: &[&str]) {
    for line in lines {
        assert!(report.log.contains(line), "no '{line}' in\n{}\n{}", report.log, emulator.journal_text());
    }
}

#[test]
fn what_cannot_be_a_registry_a_feed_or_an_application_is_refused_before_any_request() {
    for (given, input, accepted) in [
        (&[("registries", "docker.io")][..], "registries", "NAME.azurecr.io"),
        (&[("registries", "contoso.azurecr.io/app")], "registries", "login servers"),
        (&[("registries", "europe-west3-docker.pkg.dev")], "registries", "with googleProvider"),
        (&[("registries", ECR)], "registries", "with awsRole"),
        (&[("feeds", "https://pkgs.dev.azure.com/contoso")], "feeds", "artifacts among the exports"),
        (&[("feeds", "https://nuget.org"), ("exports", "artifacts")], "feeds", "pkgs.dev.azure.com"),
        (&[("assertion", "api://my-aws")], "assertion", "awsRole"),
        (
            &[("assertion", "arm"), ("awsRole", AWS_ROLE), ("awsRegion", "eu-central-1")],
            "assertion",
            "the URI or GUID of an application",
        ),
    ] {
        let case = given
            .iter()
            .fold(Case::new().input("refresh", "true"), |case, (name, value)| case.input(name, value));
        let text = case.fails_unasked(Code::InputInvalid);
        assert!(text.contains(&format!("the input {input} is")) && text.contains(accepted), "{text}");
    }
}

#[test]
fn what_a_tool_asks_for_has_to_be_allowed_and_kept_fresh() {
    let registry = ("registries", "contoso.azurecr.io");
    for (given, words) in [
        (&[registry, ("refresh", "false")][..], &["registries", "refresh: false"][..]),
        (&[registry, ("allowedResources", "arm")], &["registries", "leaves out contoso.azurecr.io"]),
        (&[("exports", "git"), ("refresh", "false")], &["exports", "git", "refresh: true"]),
        (&[("exports", "artifacts"), ("refresh", "false")], &["exports", "artifacts", "refresh: true"]),
        (&[("exports", "git"), ("allowedResources", "arm")], &["exports", "leaves out devops"]),
    ] {
        let case = Case::new().input("refresh", "true").input("accessTokens", "");
        let case = given.iter().fold(case, |case, (name, value)| case.input(name, value));
        let text = case.fails_unasked(Code::InputsContradict);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn docker_is_signed_in_to_the_registries_that_are_named_and_keeps_the_users_own_settings() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".docker/cli-plugins")).unwrap();
    let own = r#"{"auths": {"other.example": {"auth": "dTpw"}}, "credHelpers": {"third.example": "third"}, "psFormat": "x"}"#;
    fs::write(home.path().join(".docker/config.json"), own).unwrap();
    let (emulator, report) = job(
        // The registry is all that the session may serve.
        &[("registries", "REGISTRY"), ("exports", "none"), ("allowedResources", "REGISTRY")],
        r#"set -e
           stat -c 'modes %a' "$DOCKER_CONFIG" "$DOCKER_CONFIG/config.json"
           python3 - <<'END'
import json, os
settings = json.load(open(os.environ['DOCKER_CONFIG'] + '/config.json'))
print('helpers', settings['credHelpers'].get('REGISTRY'), settings['credHelpers'].get('third.example'))
print('kept', 'other.example' in settings['auths'], settings['psFormat'], len(settings['cliPluginsExtraDirs']))
END
           for server in REGISTRY https://REGISTRY/v2/; do
             printf %s "$server" | docker-credential-wif get | python3 -c 'import json, sys; all = json.load(sys.stdin); print("user", all["Username"], all["ServerURL"])'
           done
           echo "login $(printf %s REGISTRY | docker-credential-wif get | python3 -c '
import base64, json, sys, urllib.request
all = json.load(sys.stdin)
login = base64.b64encode((all["Username"] + ":" + all["Secret"]).encode()).decode()
request = urllib.request.Request("https://REGISTRY/oauth2/token?service=REGISTRY", headers={"Authorization": "Basic " + login})
print(json.load(urllib.request.urlopen(request))["expires_in"])')"
           echo "other: $(printf %s docker.io | docker-credential-wif get; echo $?)"
           printf '{}' | docker-credential-wif store; echo "store $?"
           echo "list $(docker-credential-wif list </dev/null)"
           echo "without a session $(env -u DOCKER_CONFIG docker-credential-wif list </dev/null)"
           if wif token arm; then echo 'arm was given'; fi 2>/dev/null"#,
        |_, agent| agent.machine_env("HOME", home.path().display().to_string()),
    );
    let user = "user 00000000-0000-0000-0000-000000000000";
    has(
        &report,
        &emulator,
        &[
            "modes 700",
            "modes 600",
            "helpers wif third",
            "kept True x 1",
            user,
            "login 4500",
            "other: credentials not found in native keychain",
            "store 0",
            &format!(r#"list {{"{}":"00000000-0000-0000-0000-000000000000"}}"#, emulator.clouds_url()),
            "without a session {}",
        ],
    );
    let log = &report.log;
    assert!(!log.contains("arm was given"), "{log}");
    // The docker CLI itself is not asked: it takes a registry on a loopback address without TLS only.
    assert_eq!(emulator.count(Service::Clouds, "POST /oauth2/exchange"), 1, "{}", emulator.journal_text());
}

#[test]
fn the_registries_of_a_second_session_leave_those_of_the_first_signed_in() {
    let emulator = Emulator::start();
    let registry = emulator.clouds_url().replace("https://", "");
    let sign_in = |given: &[(&str, &str)]| {
        let usual = [("azureSubscription", "sc-prod"), ("accessTokens", ""), ("exports", "none"), EMULATOR];
        Step::task(task_folder(), &[&usual, given].concat())
    };
    let script = r#"
        of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/config.json"))["credHelpers"].get(sys.argv[2], "none"))' "$1" "$2"; }
        ask() { helper=$(of "$1" "$2"); echo "$3: $helper $(printf %s "$2" | "docker-credential-$helper" get | sed 's/.*"Username":"\([0-9-]*\)".*/as \1/')"; }
        ask "$DOCKER_CONFIG" REGISTRY first
        ask "$HUB_DOCKER_CONFIG" REGISTRY second
        echo "both list $(docker-credential-wif list </dev/null) $(docker-credential-wif-hub list </dev/null)"
        echo "version $(docker-credential-wif version </dev/null)""#;
    let steps = [
        sign_in(&[("registries", &registry)]).display_name("Sign in"),
        sign_in(&[("registries", &registry), ("session", "hub")]).display_name("Sign in to the hub"),
        Step::bash(script.replace("REGISTRY", &registry)).display_name("Look"),
    ];
    let agent = Agent::new()
        .ca_file(emulator.ca_file())
        .machine_env("SSL_CERT_FILE", emulator.ca_file().display().to_string());
    let report = agent.run(&emulator.job(emulator.usual().connection), &steps);
    let user = "as 00000000-0000-0000-0000-000000000000";
    let own = [format!("first: wif {user}"), format!("second: wif-hub {user}")];
    let one = format!(r#"{{"https://{registry}":"{}"}}"#, &user[3..]);
    let listed = format!("both list {one} {one}");
    has(&report, &emulator, &[&own[0], &own[1], &listed, "version docker-credential-wif ("]);
}

#[test]
fn a_registry_that_refuses_is_told_to_docker_and_is_not_passed_over() {
    let (emulator, report) = job(
        &[("registries", "REGISTRY"), ("exports", "none")],
        r#"echo "said: $(printf %s REGISTRY | docker-credential-wif get; echo "code $?")""#,
        |emulator, agent| {
            let body = serde_json::json!({"errors": [{"code": "DENIED", "message": "public network access is not allowed"}]});
            emulator.fault(
                emulator::Fault::on(Service::Clouds, "POST", "/oauth2/exchange")
                    .always()
                    .status(403)
                    .json(&body),
            );
            agent
        },
    );
    has(&report, &emulator, &["public network access is not allowed", "code 1"]);
    assert!(!report.log.contains("credentials not found"), "{}", report.log);
}

const ECR: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

/// A job that signs in to a role of AWS, with the registry of its account.
fn ecr_job(script: &str, change: impl FnOnce(&Emulator)) -> (Emulator, JobReport) {
    job(
        &[
            ("registries", ECR),
            ("exports", "none"),
            ("awsRole", AWS_ROLE),
            ("awsRegion", "eu-central-1"),
            ("allowedResources", &format!("aws, {ECR}")),
        ],
        script,
        |emulator, agent| {
            emulator.trust_in_clouds(emulator.usual().connection);
            change(emulator);
            let url = emulator.clouds_url();
            agent.machine_env("AWS_ENDPOINT_URL_STS", &url).machine_env("AWS_ENDPOINT_URL_ECR", &url)
        },
    )
}

#[test]
fn docker_is_signed_in_to_a_registry_of_aws_with_the_role() {
    let (emulator, report) = ecr_job(
        &r#"set -e
           for try in 1 2; do
           echo "status $(printf %s ECR | docker-credential-wif get | python3 -c '
import base64, json, sys, urllib.request
all = json.load(sys.stdin)
login = base64.b64encode((all["Username"] + ":" + all["Secret"]).encode()).decode()
request = urllib.request.Request("https://REGISTRY/v2/", headers={"Authorization": "Basic " + login})
print(urllib.request.urlopen(request).status, all["Username"])')"
           done
           echo "list $(docker-credential-wif list </dev/null)"
           echo "other: $(printf %s 210987654321.dkr.ecr.eu-central-1.amazonaws.com | docker-credential-wif get; echo $?)""#
            .replace("ECR", ECR),
        |_| {},
    );
    let listed = format!(r#"list {{"https://{ECR}":"AWS"}}"#);
    has(&report, &emulator, &["status 200 AWS", "other: credentials not found in native keychain", &listed]);
    // The step itself has tried the role; the registry has a role of its own, and one login serves both times.
    let logins = emulator.directory().clouds.aws.registry_passwords.len();
    assert_eq!(logins, 1, "{}", emulator.journal_text());
}

#[test]
fn a_role_without_the_right_to_a_registry_is_told_to_docker_in_awss_words() {
    let (emulator, report) = ecr_job(
        &r#"echo "said: $(printf %s ECR | docker-credential-wif get; echo "code $?")""#.replace("ECR", ECR),
        |emulator| emulator.directory().clouds.aws.denies_registries = true,
    );
    let said = [
        "Amazon ECR refused the role's credentials",
        "not authorized to perform: ecr:GetAuthorizationToken",
        "code 1",
    ];
    has(&report, &emulator, &said);
}

#[test]
fn the_address_of_a_registrys_logins_is_awss_or_one_that_the_user_names() {
    let case = Case::new().input("refresh", "true").input("accessTokens", "").input("exports", "none");
    let case = case.input("registries", ECR).input("awsRole", AWS_ROLE).input("awsRegion", "eu-central-1");
    let text =
        case.set("AWS_ENDPOINT_URL_ECR", "https://ecr.evil.example").fails_unasked(Code::AuthorityNotAllowed);
    assert!(text.contains("AWS_ENDPOINT_URL_ECR") && text.contains("allowedAuthorities"), "{text}");
}

#[test]
fn git_finds_a_helper_for_azure_repos_beside_what_is_there_and_uses_what_it_can() {
    let (emulator, report) = job(
        &[("exports", "git")],
        r#"set -e
           echo "name $(git config user.name) count $GIT_CONFIG_COUNT"
           ask() { printf '%s\n' "$@" '' | GIT_TERMINAL_PROMPT=0 git credential fill; }
           ask protocol=https host=dev.azure.com path=contoso/_git/app username=contoso | sed 's/^password=eyJ.*/password is a token/'
           ask protocol=https host=contoso.visualstudio.com | grep -c '^password=eyJ'
           ask 'capability[]=authtype' protocol=https host=dev.azure.com | sed 's/^credential=eyJ.*/credential is a token/'
           if ask protocol=https host=github.com 2>/dev/null; then echo 'another host got one'; fi
           printf 'protocol=https\nhost=evil.example\n\n' | wif credential git get; echo "evil $?"
           printf 'protocol=http\nhost=dev.azure.com\n\n' | wif credential git get; echo "plain $?""#,
        |_, agent| {
            agent
                .machine_env("GIT_CONFIG_COUNT", "1")
                .machine_env("GIT_CONFIG_KEY_0", "user.name")
                .machine_env("GIT_CONFIG_VALUE_0", "somebody")
                .machine_env("GIT_CONFIG_NOSYSTEM", "1")
        },
    );
    // Two hosts that are known and the emulator's own, with two entries each.
    has(
        &report,
        &emulator,
        &["name somebody count ", "username=contoso", "password is a token", "evil 0", "plain 0"],
    );
    let log = &report.log;
    assert!(!log.contains("another host got one"), "{log}");
    let version = report.log.contains("capability[]=authtype");
    assert!(!version || (log.contains("authtype=Bearer") && log.contains("credential is a token")), "{log}");
}

#[test]
fn a_feed_is_opened_by_the_session_that_names_it_whichever_keyring_comes_first() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let feed =
        |name: &str| format!("https://pkgs.dev.azure.com/contoso/_packaging/{name}/nuget/v3/index.json");
    let (platform, hub) = (feed("platform"), feed("hub"));
    let sign_in = |connection, given: &[(&str, &str)]| {
        let usual =
            [("azureSubscription", connection), ("accessTokens", ""), ("exports", "artifacts"), EMULATOR];
        Step::task(task_folder(), &[&usual, given].concat())
    };
    let script = r#"
        who() { keyring get "https://pkgs.dev.azure.com/contoso/_packaging/$1" VssSessionToken | cut -d. -f2 \
          | python3 -c 'import base64, json, sys; text = sys.stdin.read().strip(); print(json.loads(base64.urlsafe_b64decode(text + "=="))["appid"])'; }
        is() { test "$(who "$1")" = "$2" && echo "$1 is of $3"; }
        is platform/pypi/simple/ "$AZURE_CLIENT_ID" 'the first'
        is HUB/pypi/simple/ "$HUB_AZURE_CLIENT_ID" 'the second'
        is hub2/pypi/simple/ "$HUB_AZURE_CLIENT_ID" 'the second'"#;
    let steps = [
        sign_in("sc-prod", &[("feeds", &platform)]).display_name("Sign in"),
        sign_in("sc-entra", &[("feeds", &hub), ("session", "hub")]).display_name("Sign in to the hub"),
        Step::bash(script).display_name("Look"),
    ];
    let report = Agent::new()
        .ca_file(emulator.ca_file())
        .run(&emulator.job_with(&[usual.connection, usual.entra_connection]), &steps);
    let of_the_second = ["HUB/pypi/simple/ is of the second", "hub2/pypi/simple/ is of the second"];
    has(&report, &emulator, &["platform/pypi/simple/ is of the first", of_the_second[0], of_the_second[1]]);
}

#[test]
fn pip_and_uv_find_a_keyring_that_hands_on_what_is_not_azure_artifacts() {
    let other = tempfile::tempdir().unwrap();
    let program = other.path().join("keyring");
    fs::write(&program, "#!/bin/sh\necho \"the next keyring heard $*\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let (emulator, report) = job(
        &[
            ("exports", "artifacts"),
            ("feeds", "https://pkgs.dev.azure.com/contoso/_packaging/main/nuget/v3/index.json"),
        ],
        r#"set -e
           echo "providers $PIP_KEYRING_PROVIDER $UV_KEYRING_PROVIDER"
           echo "feeds $ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS" | sed "s/$AZURE_CLIENT_ID/CLIENT/"
           test "$IDENTITY_ENDPOINT" = "$WIF_URL/identity"
           feed=https://pkgs.dev.azure.com/contoso/_packaging/main/pypi/simple/
           keyring get $feed VssSessionToken | sed 's/^eyJ.*/a token/'
           keyring get --mode creds $feed VssSessionToken | sed 's/^eyJ.*/another token/'
           for output in --output=json "--output json"; do
             keyring --mode=creds $output get $feed VssSessionToken | python3 -c 'import json, sys; all = json.load(sys.stdin); print("json", *sorted(all), all["username"], all["password"][:3])'
           done
           keyring --output=json get $feed x | python3 -c 'import json, sys; print("json", *json.load(sys.stdin))'
           keyring get pkgs.dev.azure.com x | sed 's/^eyJ.*/a third token/'
           keyring get https://pypi.example/simple user
           keyring --list-backends"#,
        |_, agent| agent.path(other.path()),
    );
    let feeds = r#"feeds {"endpointCredentials":[{"clientId":"CLIENT","endpoint":"https://pkgs.dev.azure.com/contoso/_packaging/main/nuget/v3/index.json"}]}"#;
    has(
        &report,
        &emulator,
        &[
            "providers subprocess subprocess",
            feeds,
            "a token",
            "VssSessionToken",
            "another token",
            "json password username VssSessionToken eyJ",
            "json password\n",
            "a third token",
            "the next keyring heard get https://pypi.example/simple user",
            "the next keyring heard --list-backends",
        ],
    );
}

#[test]
fn kubectl_is_signed_in_by_a_kubeconfig_and_a_cluster_without_entra_is_told() {
    let id = "/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters";
    let script = r#"set -e
        wif kubeconfig "ID/prod" --output kubeconfig
        cmp kubeconfig <(wif kubeconfig "ID/prod" --resource-manager "$ARM") && echo 'the same'
        wif kubeconfig "ID/prod" --resource-manager https://arm.example || echo "elsewhere $?"
        stat -c 'mode %a' kubeconfig
        KUBERNETES_EXEC_INFO='{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{}}' wif credential kubernetes \
          | python3 -c 'import json, sys; all = json.load(sys.stdin); print("exec", all["apiVersion"], all["kind"], len(all["status"]["token"]) > 100, all["status"]["expirationTimestamp"][-1])'
        if command -v kubectl >/dev/null; then kubectl --kubeconfig kubeconfig get --raw /kubernetes/api/self; else echo 'NOT TESTED: no kubectl'; fi
        wif kubeconfig "ID/old" || echo "old $?"
        wif kubeconfig "ID/missing" || echo "missing $?"
        wif kubeconfig prod || echo "wrong $?""#;
    let (emulator, report) =
        job(&[("exports", "none")], &script.replace("ID/", &format!("{id}/")), |emulator, agent| {
            let authority = STANDARD.encode(fs::read(emulator.ca_file()).unwrap());
            let server = format!("{}/kubernetes", emulator.clouds_url());
            let cluster = |name: &str, takes_entra_tokens| Cluster {
                name: name.to_owned(),
                server: server.clone(),
                certificate_authority: authority.clone(),
                takes_entra_tokens,
            };
            emulator.directory().clusters = vec![cluster("prod", true), cluster("old", false)];
            agent.machine_env("ARM", emulator.arm_url())
        });
    has(
        &report,
        &emulator,
        &[
            "mode 600",
            "the same",
            "neither the session's Azure Resource Manager nor that of a known cloud",
            "elsewhere 2",
            "exec client.authentication.k8s.io/v1beta1 ExecCredential True Z",
            "takes no token of Entra",
            "old 3",
            "missing 3",
            "is not the resource id of an AKS cluster",
            "wrong 2",
        ],
    );
    let log = &report.log;
    assert!(log.contains("SelfSubjectReview") || log.contains("NOT TESTED: no kubectl"), "{log}");
}

#[test]
fn another_application_can_be_what_other_clouds_are_shown() {
    let application = "api://wif-aws";
    let case = Case::new().input("refresh", "true").input("accessTokens", "").input("exports", "none");
    let url = case.emulator.clouds_url();
    {
        let mut directory = case.emulator.directory();
        let tenant = &mut directory.tenants[0];
        tenant.resources.push(application.to_owned());
        let issuer = format!("https://sts.windows.net/{}/", tenant.id);
        let client = case.emulator.usual().client;
        let subject = tenant.apps.iter().find(|app| app.client_id == client).unwrap().object_id.to_string();
        directory.clouds = Clouds::trusting(&issuer, &subject, &[application]);
    }
    let case = case
        .set("AWS_ENDPOINT_URL_STS", &url)
        .input("awsRole", AWS_ROLE)
        .input("awsRegion", "eu-central-1")
        .program(PathBuf::from(env!("CARGO_BIN_EXE_wif")));
    let refused = case.fails(Code::TargetTrustMissing);
    assert!(refused.contains("vstoken.dev.azure.com") || refused.contains("issuer"), "{refused}");
    case.input("assertion", application).succeeds();
}
