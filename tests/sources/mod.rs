//! Id tokens of other issuers: each is exchanged for real, renewed by the broker, and refused with the line that mends it.
#![cfg(unix)]

mod aws;
mod pages;
mod variables;

use emulator::{Fault, Service, directory::SourceIssuer};

use crate::support::{ExecCase, errors, spire};

const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The subject that Entra was shown.
fn presented(case: &ExecCase) -> String {
    let journal = case.emulator.journal();
    let exchange = journal.iter().rev().find(|entry| entry.form("client_assertion").is_some()).unwrap();
    let claims: serde_json::Value = serde_json::from_str(exchange.form("client_assertion").unwrap()).unwrap();
    claims["sub"].as_str().unwrap().to_owned()
}

#[test]
fn every_source_that_can_be_asked_is_asked_for_the_audience_of_entra_and_exchanged() {
    for (issuer, source, asked) in [
        (SourceIssuer::GitHub, "github", "GET /github/idtoken"),
        (SourceIssuer::Buildkite, "buildkite", "POST /buildkite/v3/jobs"),
    ] {
        let case = ExecCase::of(issuer, source);
        assert_eq!(case.prints("wif token graph >/dev/null; echo $?"), "0\n", "{source}");
        assert_eq!(presented(&case), case.emulator.directory().sources.subject(issuer));
        assert_eq!(case.emulator.count(Service::Sources, asked), 1, "{}", case.emulator.journal_text());
    }
    let case = ExecCase::of(SourceIssuer::Google, "google");
    assert_eq!(case.prints("wif token graph >/dev/null; echo $?"), "0\n");
    let asked = case.emulator.journal().into_iter().find(|entry| entry.path.ends_with("/identity")).unwrap();
    assert_eq!((asked.query("audience"), asked.query("format")), (Some(AUDIENCE), Some("full")));
}

#[test]
fn a_pod_of_azure_workload_identity_is_signed_in_by_its_file_and_through_its_clusters_proxy() {
    let case = ExecCase::of(SourceIssuer::Kubernetes, "kubernetes");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("azure-identity-token");
    std::fs::write(&file, case.emulator.source_id_token(SourceIssuer::Kubernetes, AUDIENCE, 300)).unwrap();
    let file = file.display().to_string();
    let case = case.set("AZURE_FEDERATED_TOKEN_FILE", &file);
    assert_eq!(case.prints("wif token graph >/dev/null; echo $?; echo $AZURE_FEDERATED_TOKEN_FILE"), "0\n\n");
    assert_eq!(presented(&case), "system:serviceaccount:shop:orders");
    // Nothing answers at the usual address: only the proxy leads to Entra.
    let (proxy, ca) = (case.emulator.entra_url(), case.emulator.ca_file().display().to_string());
    let case = case
        .option("--authority", "https://127.0.0.1:9/")
        .set("AZURE_KUBERNETES_TOKEN_PROXY", &proxy.replace("127.0.0.1", "localhost"))
        .set("AZURE_KUBERNETES_CA_FILE", &ca)
        .set("AZURE_KUBERNETES_SNI_NAME", "localhost");
    let before = case.emulator.count(Service::Entra, "POST");
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("WIF1013") && said.contains("localhost") && said.contains("--allowed-authorities"),
        "{said}"
    );
    assert_eq!(case.emulator.count(Service::Entra, "POST"), before, "no id token was sent");
    let case = case.option("--allowed-authorities", "127.0.0.1,localhost");
    assert_eq!(
        case.prints("wif token graph >/dev/null; echo $?; echo $AZURE_AUTHORITY_HOST"),
        "0\nhttps://127.0.0.1:9/\n"
    );
    let (code, said) = case.set("AZURE_KUBERNETES_CA_FILE", "/no/file").refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("AZURE_KUBERNETES_CA_FILE"), "{said}");
}

#[test]
fn a_workload_of_spiffe_is_asked_for_at_its_socket() {
    let case = ExecCase::of(SourceIssuer::Spiffe, "spiffe");
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let token = case.emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, 300);
    let asked = spire::serve(&socket, Ok(token));
    let address = format!("unix://{}", socket.display());
    let case = case.set("SPIFFE_ENDPOINT_SOCKET", &address);
    assert_eq!(case.prints("wif token graph >/dev/null; echo $?"), "0\n");
    assert_eq!(presented(&case), "spiffe://contoso.example/ns/shop/sa/orders");
    let expected = spire::Asked {
        path: "/SpiffeWorkloadAPI/FetchJWTSVID".to_owned(),
        security_header: Some("true".to_owned()),
        audience: AUDIENCE.to_owned(),
    };
    assert_eq!(asked.recv().unwrap(), expected);
    let (code, said) = case.set("SPIFFE_ENDPOINT_SOCKET", "unix:///no/such/socket").refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("WIF2040") && said.contains("/no/such/socket"), "{said}");
}

#[test]
fn a_workload_that_spiffe_refuses_or_signs_by_another_algorithm_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |name: &str, answer| {
        let socket = folder.path().join(name);
        let _asked = spire::serve(&socket, answer);
        let address = format!("unix://{}", socket.display());
        ExecCase::of(SourceIssuer::Spiffe, "spiffe").set("SPIFFE_ENDPOINT_SOCKET", &address)
    };
    let (code, said) = serve("unimplemented", Err(12)).refuses();
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("WIF2042") && said.contains("no identity issued") && said.contains("JWT profile"),
        "{said}"
    );
    let rsa = ExecCase::new().emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, 300);
    // {"alg":"ES256"}
    let elliptic = format!("eyJhbGciOiJFUzI1NiJ9.{}", rsa.split_once('.').unwrap().1);
    let (code, said) = serve("elliptic", Ok(elliptic)).refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("ES256") && said.contains("rsa-2048"), "{said}");
}

#[test]
fn what_has_to_trust_an_id_token_is_printed_for_every_tool() {
    let case = ExecCase::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wif"));
    let inner = case.command(&["true"]);
    let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let usual = case.emulator.usual();
    let output = command
        .env_clear()
        .envs(variables)
        .args(["trust", "entra", "--source", "github", "--allowed-authorities", "127.0.0.1"])
        .args(["--tenant", &usual.tenant.to_string(), "--client", &usual.client.to_string()])
        .args(["--authority", &case.emulator.entra_url()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", errors(&output));
    for words in [
        "subject repository    platform",
        "az ad app federated-credential create --id",
        r#""subject":"repo:contoso/platform:ref:refs/heads/main""#,
        "--issuer 'https://token.actions.githubusercontent.com'",
        "audiences: ['api://AzureADTokenExchange']",
        "azuread_application_federated_identity_credential",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(case.emulator.count(Service::Entra, "POST"), 0);
    assert_eq!(emulator::leaks(&case.emulator.issued(), text.as_bytes()), Vec::<String>::new());
}

#[test]
fn a_source_with_one_token_tells_every_target_what_to_trust() {
    let case = ExecCase::of(SourceIssuer::GitLab, "env:TOKEN");
    let token = case.emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 300);
    let case = case.set("TOKEN", &token);
    let inner = case.command(&["true"]);
    let usual = case.emulator.usual();
    for target in ["entra", "aws", "google", "vault"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wif"));
        let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables).args(["trust", target, "--source", "env:TOKEN"]);
        command.args(["--tenant", &usual.tenant.to_string(), "--client", &usual.client.to_string()]);
        command.args(["--authority", &case.emulator.entra_url(), "--allowed-authorities", "127.0.0.1"]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(
            output.status.success() && text.contains("https://gitlab.com"),
            "{target}: {text}{}",
            errors(&output)
        );
    }
}

#[test]
fn another_cloud_is_told_without_an_identity_of_azure_and_with_its_own_names() {
    const PROVIDER: &str =
        "//iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/pool/providers/github";
    let case = ExecCase::new();
    let inner = case.command(&["true"]);
    for (given, words) in [
        (
            &["aws", "--aws-role", "arn:aws:iam::123456789012:role/deploy"][..],
            &[
                "--client-id-list 'sts.amazonaws.com'",
                "--role-name deploy",
                "iam::123456789012:oidc-provider",
            ][..],
        ),
        (
            &[
                "google",
                "--google-provider",
                PROVIDER,
                "--google-service-account",
                "deploy@p.iam.gserviceaccount.com",
            ],
            &[
                "create-oidc github --project 12 ",
                "--workload-identity-pool pool",
                "binding deploy@p.",
                PROVIDER,
            ],
        ),
        (
            &[
                "vault",
                "--vault-address",
                "https://vault.contoso.com/",
                "--vault-mount",
                "ci",
                "--vault-role",
                "r",
            ],
            &[
                "auth/ci/role/r ",
                "bound_audiences='https://vault.contoso.com'",
                "path               = \"ci\"",
            ],
        ),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wif"));
        let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables).arg("trust").args(given);
        command.args(["--source", "github", "--allowed-authorities", "127.0.0.1"]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{given:?}: {text}{}", errors(&output));
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(text.contains("# Terraform") && text.contains("repo:contoso/platform"), "{text}");
        // GitHub's issuer is one for all, and there is no second one.
        assert!(!text.contains("2027"), "{text}");
    }
    for (target, option, value) in [
        ("aws", "--aws-role", "deploy"),
        ("google", "--google-provider", "pool/github"),
        ("vault", "--vault-address", "http://vault.contoso.com"),
        ("vault", "--vault-mount", "ci;id"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wif"));
        let output = command.env_clear().args(["trust", target, option, value]).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(option) && said.contains(value) && said.contains("accepted is"), "{said}");
    }
}

#[test]
fn an_assertion_for_an_application_is_what_another_cloud_is_told_to_trust() {
    const APPLICATION: &str = "api://my-aws";
    let case = ExecCase::new();
    let usual = case.emulator.usual();
    let (issuer, subject) = {
        let mut directory = case.emulator.directory();
        let tenant = &mut directory.tenants[0];
        tenant.resources.push(APPLICATION.to_owned());
        let app = tenant.apps.iter().find(|app| app.client_id == usual.client).unwrap();
        (format!("https://sts.windows.net/{}/", tenant.id), app.object_id.to_string())
    };
    let inner = case.command(&["true"]);
    let trust = |target: &str, given: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wif"));
        let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables).args(["trust", target, "--source", "github"]).args(given);
        command.args(["--authority", &case.emulator.entra_url(), "--allowed-authorities", "127.0.0.1"]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), errors(&output))
    };
    let (tenant, client) = (usual.tenant.to_string(), usual.client.to_string());
    let identity = ["--tenant", &tenant, "--client", &client];
    for target in ["aws", "google", "vault"] {
        let (code, text, said) = trust(target, &[&identity[..], &["--assertion", APPLICATION]].concat());
        assert_eq!(code, Some(0), "{target}: {text}{said}");
        for words in
            [issuer.as_str(), &subject, APPLICATION, "# Terraform", "every application of the tenant"]
        {
            assert!(text.contains(words), "{target}: {words}: {text}");
        }
        // The id token's own issuer is not trusted at all.
        assert!(!text.contains("githubusercontent") && !text.contains("2027"), "{target}: {text}");
        assert_eq!(emulator::leaks(&case.emulator.issued(), text.as_bytes()), Vec::<String>::new());

        // The other side is shown an access token, whose holder Entra has to know first.
        let (code, _, said) = trust(target, &["--assertion", APPLICATION]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--tenant"), "{said}");
        let (code, text, said) = trust(target, &[&identity[..], &["--assertion", "api://unknown"]].concat());
        assert!(code != Some(0) && text.is_empty() && said.contains("api://unknown"), "{code:?} {said}");
        let (code, _, said) = trust(target, &[&identity[..], &["--assertion", "arm"]].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--assertion") && said.contains("accepted is the URI or GUID"), "{said}");
    }
    let (code, _, said) = trust("entra", &["--assertion", APPLICATION]);
    assert_eq!(code, Some(2), "Entra is shown the id token itself: {said}");
}

#[test]
fn the_doctor_checks_a_source_and_the_exchange() {
    let case = ExecCase::new();
    let usual = case.emulator.usual();
    let run = || {
        let inner = case.command(&["true"]);
        let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wif"));
        command
            .env_clear()
            .envs(variables)
            .args(["doctor", "--source", "github", "--allowed-authorities", "127.0.0.1"])
            .args(["--tenant", &usual.tenant.to_string(), "--client", &usual.client.to_string()])
            .args(["--authority", &case.emulator.entra_url()]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &errors(&output))
    };
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("GitHub Actions")
            && said.contains("platform")
            && said.contains("https://management.azure.com"),
        "{said}"
    );
    let changed = (SourceIssuer::GitHub, "repo:contoso/other:ref:refs/heads/main".to_owned());
    case.emulator.directory().sources.subjects.push(changed);
    let (code, said) = run();
    assert_eq!(code, Some(11), "{said}");
    assert!(said.contains("WIF2013") && said.contains("other"), "{said}");
}

#[test]
fn a_source_that_ends_soon_is_asked_again_while_the_command_runs() {
    let case = ExecCase::new();
    case.emulator.directory().sources.lifetime = 4;
    let found = case.prints(
        "first=$(wif token --id-token); n=0
         while [ \"$(wif token --id-token)\" = \"$first\" ]; do n=$((n+1)); [ $n -gt 300 ] && exit 9; sleep 0.1; done
         wif token --id-token; wif token arm >/dev/null; wif status | grep 'id token'",
    );
    assert!(found.starts_with("eyJ"), "{found}");
    assert!(
        case.emulator.count(Service::Sources, "GET /github/idtoken") >= 2,
        "{}",
        case.emulator.journal_text()
    );
}

#[test]
fn a_job_of_github_without_the_right_is_told_the_line_that_gives_it() {
    let unset = ExecCase::new().unset("ACTIONS_ID_TOKEN_REQUEST_URL").unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    for case in [
        unset.option("--source", "github"),
        ExecCase::new().unset("ACTIONS_ID_TOKEN_REQUEST_URL").option("--source", "auto"),
    ] {
        let (code, said) = case.refuses();
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("WIF2040") && said.contains("permissions: id-token: write"), "{said}");
        assert!(said.contains("ACTIONS_ID_TOKEN_REQUEST_URL"), "{said}");
    }
    let case = ExecCase::new();
    case.emulator.directory().sources.is_permitted = false;
    let (code, said) = case.refuses();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("WIF2042") && said.contains("no permission"), "{said}");
    let forgejo = ExecCase::new().set("FORGEJO_ACTIONS", "true").unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let (_, said) = forgejo.refuses();
    assert!(said.contains("enable-openid-connect: true"), "{said}");
    let gitea = ExecCase::new().set("GITEA_ACTIONS", "true").unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let (_, said) = gitea.refuses();
    assert!(said.contains("permissions: id-token: write") && !said.contains("enable-openid"), "{said}");
}

#[test]
fn a_token_goes_to_an_https_address_only() {
    let case = ExecCase::new().set("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/x?y=1");
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("is no https URL"), "{said}");
}

#[test]
fn auto_takes_the_job_before_the_machine_and_says_what_else_it_saw() {
    let case = ExecCase::new()
        .option("--source", "auto")
        .set("GCE_METADATA_HOST", "127.0.0.1:9")
        .set("AZURE_FEDERATED_TOKEN_FILE", "/x");
    let output = case.run(&["true"]);
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "the source is github, since ACTIONS_ID_TOKEN_REQUEST_URL is set",
        "kubernetes (AZURE_FEDERATED_TOKEN_FILE is set)",
        "google (GCE_METADATA_HOST is set)",
        "--source chooses",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let nothing = ExecCase::new()
        .unset("GITHUB_ACTIONS")
        .unset("ACTIONS_ID_TOKEN_REQUEST_URL")
        .option("--source", "auto");
    let (code, said) = nothing.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--source"), "{said}");
}

#[test]
fn the_machines_identity_proves_itself_to_an_application_or_signs_in_as_itself() {
    let case = ExecCase::of(SourceIssuer::GitHub, "managed-identity");
    let usual = case.emulator.usual();
    let machine = case.emulator.machine_url();
    let case = case.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", &machine);
    case.emulator.directory().machine.identities = vec![usual.entra_client];
    // The application that is named is the machine's own identity.
    let client = usual.entra_client.to_string();
    let own = case.option("--client", &client);
    assert_eq!(own.prints("wif token graph >/dev/null; echo $?"), "0\n");
    assert_eq!(own.emulator.count(Service::Entra, "POST"), 0, "{}", own.emulator.journal_text());
    // Without one, it is the machine's.
    let unnamed = own.without("--client");
    assert_eq!(unnamed.prints("echo $AZURE_CLIENT_ID"), format!("{client}\n"));
    // An application that trusts it.
    let object = {
        let mut directory = unnamed.emulator.directory();
        let object = directory.app(usual.entra_client).object_id;
        directory.app(usual.client).federated_credentials.push(emulator::directory::FederatedCredential {
            name: "machine".to_owned(),
            issuer: emulator::identity::entra_issuer(usual.tenant),
            subject: object.to_string(),
            audience: AUDIENCE.to_owned(),
        });
        object
    };
    let client = usual.client.to_string();
    let trusting = unnamed.option("--client", &client);
    assert_eq!(trusting.prints("wif token graph >/dev/null; echo $?"), "0\n");
    assert_eq!(presented(&trusting), object.to_string());
}

#[test]
fn a_source_that_does_not_answer_is_tried_again_and_one_that_is_no_source_is_named() {
    let case = ExecCase::new();
    case.emulator.fault(Fault::on(Service::Sources, "GET", "/github").times(1).status(503));
    assert_eq!(case.prints("echo ok"), "ok\n");
    assert_eq!(case.emulator.count(Service::Sources, "GET /github"), 2);
    case.emulator.fault(
        Fault::on(Service::Sources, "GET", "/github")
            .always()
            .status(200)
            .json(&serde_json::json!({ "value": "hunter2" })),
    );
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("of GitHub Actions cannot be used: it is not a JSON web token")
            && !said.contains("hunter2"),
        "{said}"
    );
}
