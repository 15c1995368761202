//! Id tokens of other issuers: each is exchanged for real, renewed by the broker, and refused with the line that mends it.
#![cfg(unix)]

use emulator::{Fault, Service, directory::SourceIssuer};

use crate::support::{ExecCase, errors};

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
fn a_source_that_ends_soon_is_asked_again_while_the_command_runs() {
    let case = ExecCase::new();
    case.emulator.directory().sources.lifetime = 31;
    // Half of its life is over after 16 seconds by the clock of the services, which is the machine's here.
    let found = case.prints("wif token --id-token; wif token arm >/dev/null; wif status | grep 'id token'");
    assert!(found.starts_with("eyJ"), "{found}");
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

fn gitlab() -> ExecCase {
    ExecCase::of(SourceIssuer::GitLab, "gitlab")
}

#[test]
fn gitlabs_token_is_found_by_its_audience_and_named_where_it_is_not_the_only_one() {
    let case = gitlab();
    let token = |audience: &str| case.emulator.source_id_token(SourceIssuer::GitLab, audience, 300);
    let (fit, other) = (token(AUDIENCE), token("sigstore"));
    let case = case.set("SIGSTORE_ID_TOKEN", &other);
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    for words in ["SIGSTORE_ID_TOKEN (audience sigstore)", "id_tokens:", AUDIENCE] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let case = case.set("AZURE_TOKEN", &fit);
    assert_eq!(case.prints("wif token graph >/dev/null; echo $?"), "0\n");
    let case = case.set("SECOND_TOKEN", &fit);
    let (_, said) = case.refuses();
    assert!(
        said.contains("WIF2041")
            && said.contains("AZURE_TOKEN, SECOND_TOKEN")
            && said.contains("--source env:"),
        "{said}"
    );
    assert_eq!(case.option("--source", "env:SECOND_TOKEN").prints("echo ok"), "ok\n");
}

#[test]
fn a_variable_that_cannot_be_used_is_told_why() {
    let case = gitlab();
    let emulator = &case.emulator;
    let ended = emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, -60);
    let foreign = emulator.source_id_token(SourceIssuer::GitLab, "https://gitlab.com", 300);
    // {"alg":"ES256"}
    let elliptic = format!(
        "eyJhbGciOiJFUzI1NiJ9.{}",
        emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 300).split_once('.').unwrap().1
    );
    let mut case = case.option("--source", "env:TOKEN");
    for (token, code, words) in [
        (&*ended, "WIF2044", &["TOKEN ended", "timeout"][..]),
        (&foreign, "WIF2043", &["https://gitlab.com", AUDIENCE, "id_tokens"]),
        (&elliptic, "WIF2043", &["ES256", "RS256"]),
        ("hunter2", "WIF2043", &["not a JSON web token", "7 characters"]),
        ("", "WIF2040", &["TOKEN is not set"]),
    ] {
        case = case.set("TOKEN", token);
        let (exit, said) = case.refuses();
        assert_eq!(exit, 2, "{said}");
        assert!(said.contains(code) && words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(case.emulator.count(Service::Entra, "POST"), 0);
    }
}

#[test]
fn what_is_declared_is_fetched_at_once_and_the_end_of_a_static_token_is_said() {
    let case = gitlab();
    let token = case.emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 4);
    let case =
        case.set("TOKEN", &token).option("--source", "env:TOKEN").option("--access-tokens", "VAULT=keyvault");
    // Other resources can be had until it ends; what was declared, for as long as the access token lives.
    let script = "n=0; while wif token api://app$n 2>said >/dev/null || ! grep -q WIF2044 said; do n=$((n+1)); [ $n -gt 300 ] && exit 9; sleep 0.1; done
        cat said; rm said; wif token keyvault >/dev/null && echo kept";
    let mut command = case.command(&["sh", "-c", script]);
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", errors(&output));
    assert!(said.contains("TOKEN ended") && said.ends_with("kept\n"), "{said}");
}

#[test]
fn a_file_is_read_anew_for_each_exchange() {
    let case = ExecCase::of(SourceIssuer::Spiffe, "auto");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |lifetime| {
        std::fs::write(
            &file,
            format!("{}\n", case.emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, lifetime)),
        )
        .unwrap()
    };
    write(2);
    let next = folder.path().join("next");
    std::fs::write(&next, case.emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, 300)).unwrap();
    let source = format!("file:{}", file.display());
    let case = case.option("--source", &source);
    // The first ends, and is said to have; then its writer comes.
    let script = format!(
        "n=0; while ! wif token api://a$n 2>&1 | grep -q WIF2044; do n=$((n+1)); [ $n -gt 300 ] && exit 9; sleep 0.1; done
         mv {} {}; n=0; while ! wif token graph >/dev/null 2>&1; do n=$((n+1)); [ $n -gt 300 ] && exit 8; sleep 0.1; done; echo renewed",
        next.display(),
        file.display()
    );
    let tenant = case.emulator.usual().tenant;
    case.emulator.directory().tenant(tenant).resources.extend((0..300).map(|n| format!("api://a{n}")));
    assert_eq!(case.prints(&script), "renewed\n");
    let missing = case.option("--source", "file:/no/such/file");
    let (code, said) = missing.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("WIF2040") && said.contains("/no/such/file"), "{said}");
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
