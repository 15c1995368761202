//! The schemes beside federation: a stored secret and a stored certificate, and what holds for every one.

use std::time::Duration;

use emulator::{
    ClientCertificate, Emulator, Entry, Service, USUAL,
    directory::{ClientSecret, Connection, Issuer},
};
use uuid::Uuid;
use wif_core::code::Code;

use crate::{
    machine::{IMDS, MACHINE, of_machine},
    support::{Case, Run},
};

const SECRET: &str = "kX8~correct.horse-battery_staple8Q";
pub(crate) fn case(client: Uuid, change: impl FnOnce(Connection) -> Connection) -> Case {
    let emulator = Emulator::start();
    let id = {
        let mut directory = emulator.directory();
        let plain = Connection::federated("sc-old", Issuer::DevOps, USUAL.tenant, client, USUAL.subscription);
        directory.add_connection(USUAL.project_id, change(plain))
    };
    Case::with(emulator, |_| id).input("exports", "none")
}

pub(crate) fn with_secret() -> Case {
    let case = case(USUAL.client, |connection| connection.with_secret(SECRET));
    let secret = ClientSecret { value: SECRET.to_owned(), expires: None };
    case.emulator.directory().app(USUAL.client).secrets.push(secret);
    case
}

fn storing(pem: &str) -> Case {
    let case = case(USUAL.client, |connection| connection.with_certificate(pem));
    let registered = ClientCertificate::usual().registered.clone();
    case.emulator.directory().app(USUAL.client).certificates.push(registered);
    case
}

pub(crate) fn with_certificate() -> Case {
    storing(&ClientCertificate::usual().pem())
}

pub(crate) fn warnings(run: &Run) -> Vec<&str> {
    run.commands("task.logissue").map(|(_, text)| text).collect()
}

pub(crate) fn asked(case: &Case, service: Service) -> Vec<Entry> {
    case.emulator.journal().into_iter().filter(|entry| entry.service == service).collect()
}

/// What every scheme leaves with `exports: none`.
pub(crate) fn exports(run: &Run) {
    let names: Vec<_> = run.variables().into_keys().collect();
    let expected = [
        "AZURE_ACCESS_TOKEN",
        "AZURE_ACCESS_TOKEN_EXPIRES_ON",
        "AZURE_AUTHORITY_HOST",
        "AZURE_CLIENT_ID",
        "AZURE_SUBSCRIPTION_ID",
        "AZURE_TENANT_ID",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_stored_secret_signs_in_and_one_warning_says_that_it_need_not_be_stored() {
    let case = with_secret();
    let run = case.succeeds();
    exports(&run);
    assert_eq!(run.variable("AZURE_CLIENT_ID"), USUAL.client.to_string());
    let [warning] = warnings(&run)[..] else { panic!("{}", run.out) };
    assert!(warning.contains("client secret") && warning.contains("Convert"), "{warning}");
    assert!(run.out.contains("Signed in to Azure with the scheme ServicePrincipal"), "{}", run.out);
    assert!(!run.out.contains("id token"), "{}", run.out);
    assert_eq!(case.asked(), (0, 1));
    let [request] = &asked(&case, Service::Entra)[..] else { panic!("{}", case.emulator.journal_text()) };
    assert_eq!(request.form("client_secret"), Some("<client secret>"));
    assert_eq!(request.form("client_assertion"), None);
}

#[test]
fn several_tokens_share_one_connection() {
    for case in [with_secret(), with_certificate()] {
        let case = case.input("accessTokens", "A=arm\nV=keyvault\nG=graph");
        let run = case.succeeds();
        assert_eq!(run.variables().len(), 10);
        assert_eq!(case.asked(), (0, 3));
        assert_eq!(case.emulator.connections(Service::Entra), 1);
    }
}

#[test]
fn a_secret_that_is_wrong_or_has_expired_is_told_without_it() {
    let wrong = with_secret();
    wrong.emulator.directory().app(USUAL.client).secrets.clear();
    let text = wrong.fails(Code::CredentialRefused);
    assert!(text.contains("Entra refused the client secret (AADSTS7000215)"), "{text}");
    assert!(text.contains("34 characters") && text.contains("Convert") | text.contains("convert"), "{text}");
    let expired = with_secret();
    let end = expired.emulator.now() - Duration::from_secs(60);
    expired.emulator.directory().app(USUAL.client).secrets[0].expires = Some(end);
    let text = expired.fails(Code::CredentialRefused);
    assert!(text.contains("AADSTS7000222") && text.contains("fix: convert the connection"), "{text}");
    assert_eq!((wrong.asked(), expired.asked()), ((0, 1), (0, 1)), "neither is tried again");
}

#[test]
fn a_stored_certificate_signs_an_assertion() {
    let usual = ClientCertificate::usual();
    let chain = format!("{}{}{}", ClientCertificate::another().certificate, usual.certificate, usual.key);
    let windows = usual.pem().replace('\n', "\r\n");
    let (certificate, key) = (usual.certificate.trim(), usual.key.trim());
    let marked = format!("\u{feff}{certificate}\n\u{feff}{key}");
    let joined = [format!("{certificate}{key}"), format!("{key}{certificate}")];
    let usual = [usual.pem(), format!("{}{}", usual.certificate, usual.older_key), chain, windows, marked];
    for pem in usual.into_iter().chain(joined) {
        let case = storing(&pem);
        let run = case.succeeds();
        exports(&run);
        let [warning] = warnings(&run)[..] else { panic!("{}", run.out) };
        assert!(warning.contains("stores a certificate"), "{warning}");
        assert_eq!(case.asked(), (0, 1));
        let [request] = &asked(&case, Service::Entra)[..] else { panic!("{}", case.emulator.journal_text()) };
        let claims = request.form("client_assertion").unwrap();
        assert!(claims.contains(&format!("{}/oauth2/v2.0/token", USUAL.tenant)), "{claims}");
        assert_eq!(request.form("client_secret"), None);
    }
}

#[test]
fn a_certificate_that_is_not_registered_or_has_ended_is_named_by_its_thumbprint() {
    let another =
        case(USUAL.client, |connection| connection.with_certificate(&ClientCertificate::another().pem()));
    let ended = with_certificate();
    ended.emulator.directory().app(USUAL.client).certificates[0].not_after = another.emulator.now();
    for case in [another, ended] {
        let text = case.fails(Code::CredentialRefused);
        assert!(text.contains("Entra refused the certificate (AADSTS700027)"), "{text}");
        let line = text.lines().find_map(|line| line.trim().strip_prefix("certificate")).unwrap().trim();
        assert!(line.len() == 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
        assert_eq!(case.asked(), (0, 1));
    }
}

#[test]
fn a_stored_certificate_that_cannot_be_used_fails_before_any_request() {
    let usual = ClientCertificate::usual();
    let encrypted = usual.pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let strangers = format!("{}{}", ClientCertificate::another().certificate, usual.key);
    for (pem, words) in [
        (usual.certificate.clone(), "no private key"),
        (usual.key.clone(), "no certificate"),
        (encrypted, "encrypted"),
        (strangers, "does not belong to its certificate"),
        (format!("\u{feff}{}", usual.key), "no certificate"),
        (usual.pem().replace("-----END", "----END"), "not whole PEM"),
    ] {
        let text = storing(&pem).fails_unasked(Code::ConnectionIncomplete);
        assert!(text.contains("servicePrincipalCertificate") && text.contains(words), "{text}");
    }
}

#[test]
fn a_parameter_that_is_missing_or_unknown_is_named() {
    let text = with_secret().parameter("serviceprincipalkey", "").fails_unasked(Code::ConnectionIncomplete);
    assert!(text.contains("no client secret (parameter serviceprincipalkey)"), "{text}");
    let text =
        with_secret().parameter("authenticationType", "kerberos").fails_unasked(Code::ConnectionIncomplete);
    assert!(text.contains("'kerberos', accepted: spnKey, spnCertificate"), "{text}");
    let text = of_machine().data("msiclientId", "me").fails_unasked(Code::ConnectionIncomplete);
    assert!(text.contains("msiclientId"), "{text}");
}

#[test]
fn without_an_id_token_nothing_can_be_left_but_access_tokens() {
    for case in [with_secret, with_certificate, of_machine] {
        let text = case().input("exports", "").fails_unasked(Code::InputsContradict);
        for words in ["stands for terraform, azure-sdk", "no id token", "exports: none"] {
            assert!(text.contains(words), "no '{words}' in {text}");
        }
        for family in ["terraform", "azure-sdk", "azure-cli"] {
            let text = case().input("exports", family).fails_unasked(Code::InputsContradict);
            assert!(text.contains(family) && text.contains("no id token"), "{text}");
        }
        let text = case().input("exports", "token-file").fails_unasked(Code::InputsContradict);
        assert!(text.contains("token-file") && text.contains("no id token"), "{text}");
        let text = case().input("requireFederation", "true").fails_unasked(Code::FederationRequired);
        assert!(text.contains("requireFederation"), "{text}");
    }
}

#[test]
fn a_sign_in_that_leaves_nothing_is_proved_all_the_same() {
    let case = with_secret().input("accessTokens", "");
    case.succeeds();
    assert_eq!(case.asked(), (0, 1));
    let case = of_machine().input("accessTokens", "");
    let run = case.succeeds();
    assert_eq!(run.variable("AZURE_CLIENT_ID"), MACHINE.to_string());
    assert_eq!(case.emulator.count(Service::Machine, IMDS), 1);
    let text =
        of_machine().input("accessTokens", "AZURE_CLIENT_ID=arm").fails_unasked(Code::InputsContradict);
    assert!(text.contains("AZURE_CLIENT_ID"), "{text}");
}
