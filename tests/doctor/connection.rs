//! The service connection and the way to its tokens: ten connections with one fault each, or none, and what a diagnosis does beside.

use std::{sync::Arc, time::Duration};

use emulator::{
    Emulator, Fault, Proxy, Service,
    directory::{Issuer, Tenant},
};
use uuid::Uuid;
use wif_core::code::Code;
use wif_io::clock::{Clock as _, Limit};

use super::{Found, diagnose, names_only, sighted, trusted, verdicts, with_ids, with_names};
use crate::{clouds::behind, support::Case};

#[test]
fn a_connection_with_nothing_wrong() {
    let case = with_ids();
    let found = diagnose(&case);
    assert_eq!((found.faults.len(), found.warnings.len()), (0, 0), "{}", found.text);
    assert_eq!(
        verdicts(&found),
        [
            "ok variables of the job",
            "ok tools",
            "ok agent's network settings",
            "ok network",
            "ok clock",
            "ok token for Azure DevOps",
            "ok service connection",
            "skipped service connection",
            "ok id token",
            "ok federated credentials",
            "ok exchange at Entra",
            "ok subscription",
            "ok roles",
        ],
        "{}",
        found.text
    );
    assert!(found.text.contains("Contributor at /subscriptions/"), "{}", found.text);
    assert_eq!(case.asked().0, 1);
    // One without a name, which shows that Entra is reached, and one exchange.
    assert_eq!(case.asked().1, 2);
    let old = diagnose(&with_names());
    assert_eq!((old.faults.len(), old.warnings), (0, vec!["WIF2032".to_owned()]), "{}", old.text);
}

#[test]
fn the_summary_of_the_run_is_the_report() {
    let case = with_ids().input("accessTokens", "A=arm\nV=keyvault");
    let found = diagnose(&case);
    let (_, path) = found.run.commands("task.uploadsummary").next().unwrap();
    let markdown = std::fs::read_to_string(path).unwrap();
    assert!(
        markdown.starts_with("# Diagnosis of the service connection\n\nno fault. no warning.\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| exchange at Entra | ok |") && markdown.contains("https://vault.azure.net until"),
        "{markdown}"
    );
    assert_eq!(found.run.commands("task.uploadsummary").count(), 1);
}

#[test]
fn one_subject_in_wrong_case() {
    let case = with_names();
    trusted(&case, |trusted| trusted.subject = "sc://contoso/platform/sc-prod".to_owned());
    let words = [
        "differs by case only, in the name of the project",
        "presented  Platform",
        "trusted    platform",
        "^",
    ];
    let found = names_only(&case, Code::SubjectNotTrusted, &words);
    assert_eq!(found.warnings, ["WIF2032"]);
    assert!(!found.text.contains("sc://"), "the agent masks it as a whole: {}", found.text);
}

#[test]
fn two_a_renamed_connection() {
    let case = with_names();
    case.emulator.directory().connection(case.connection).name = "sc-production".to_owned();
    let words = ["the connection was renamed", "presented  sc-production", "trusted    sc-prod"];
    let found = names_only(&case, Code::SubjectNotTrusted, &words);
    // The connection itself has the old subject still, until it is saved.
    assert_eq!(found.warnings, ["WIF2032", "WIF2031"], "{}", found.text);
}

#[test]
fn three_the_old_issuer_on_the_application() {
    let case = with_ids();
    trusted(&case, |trusted| {
        trusted.issuer = "https://vstoken.dev.azure.com/0f3e5a52-8f0c-4f5e-9d3a-6f6f2f1b7c10".to_owned();
        trusted.subject = "sc://contoso/Platform/sc-entra".to_owned();
    });
    let words = ["trusted is the old Azure DevOps issuer, retired on 2027-07-01", "trusted one by names"];
    let found = names_only(&case, Code::IssuerNotTrusted, &words);
    assert_eq!(found.warnings, Vec::<String>::new());
}

#[test]
fn four_the_new_issuer_on_the_application() {
    let case = with_names();
    {
        let mut directory = case.emulator.directory();
        directory.connection(case.connection).issuer = Issuer::Entra;
        let client = directory.find(case.connection).unwrap().connection.client;
        directory.app(client).federated_credentials.clear();
        directory.trust(case.connection);
        directory.connection(case.connection).issuer = Issuer::DevOps;
    }
    let words = [
        "the id token has the old Azure DevOps issuer, retired on 2027-07-01; trusted is the new one of Entra",
    ];
    names_only(&case, Code::IssuerNotTrusted, &words);
}

#[test]
fn five_a_wrong_audience() {
    let case = with_ids();
    trusted(&case, |trusted| trusted.audience = "api://other".to_owned());
    let words = ["trusted is another audience", "(which is right: api://AzureADTokenExchange)"];
    names_only(&case, Code::AudienceNotTrusted, &words);
    let case = with_ids();
    let id = emulator::identity::EXCHANGE_AUDIENCE_ID.to_string();
    trusted(&case, |trusted| trusted.audience = id);
    names_only(&case, Code::AudienceNotTrusted, &["it must be the name that Entra equates with it"]);
}

#[test]
fn six_another_tenant() {
    let other = Uuid::from_u128(0x2222);
    let emulator = Emulator::start();
    let connection = emulator.usual().entra_connection;
    {
        let mut directory = emulator.directory();
        let domain = "fabrikam.onmicrosoft.com".to_owned();
        directory.tenants.push(Tenant { id: other, domain, apps: vec![], resources: vec![] });
        directory.connection(connection).tenant = other;
    }
    let case = sighted(Case::with(emulator, |_| connection));
    let found = names_only(&case, Code::ApplicationUnknown, &["AADSTS700016", &format!("tenant {other}")]);
    assert_eq!(found.warnings, Vec::<String>::new());
}

#[test]
fn seven_a_role_that_is_missing() {
    let case = with_ids();
    let usual = case.emulator.usual();
    case.emulator.directory().subscription(usual.subscription).roles.clear();
    let object = case.emulator.directory().app(usual.entra_client).object_id.to_string();
    let words = [
        "federation works, and the identity lacks a role",
        &object,
        "Microsoft.Resources/subscriptions/read",
    ];
    names_only(&case, Code::RoleMissing, &words);
}

#[test]
fn eight_a_disabled_connection() {
    let case = with_ids();
    case.emulator.directory().connection(case.connection).disabled = true;
    names_only(&case, Code::ConnectionDisabled, &["the connection is disabled"]);
    // A user who may read connections sees it as well.
    case.emulator.directory().personal_tokens.push("personal-access-token-of-an-administrator".to_owned());
    let case = case.set("AZURE_DEVOPS_EXT_PAT", "personal-access-token-of-an-administrator");
    let words = ["Azure DevOps says that the connection is disabled", "100 days without use"];
    names_only(&case, Code::ConnectionDisabled, &words);
}

#[test]
fn nine_a_clock_that_is_twenty_minutes_off() {
    for (seconds, words) in
        [(1200, "20 min ahead of that of Entra"), (-1200, "20 min behind that of Azure DevOps")]
    {
        let case = with_ids();
        case.clock.wrong_by(seconds);
        names_only(&case, Code::ClockWrong, &[words, "the clock must be right first"]);
        assert_eq!(case.asked().0, 0, "no token is judged by a wrong clock");
    }
}

#[test]
fn ten_a_proxy_that_breaks_tls() {
    // It leads to servers whose certificates are of another CA, as a proxy that inspects TLS has them.
    let inspecting = Emulator::start();
    let (case, _proxy) = behind(|_| Proxy::start(Proxy::leading_to(&inspecting)), |_| ());
    let case = case.input("diagnose", "true");
    let words = ["its certificate is not trusted", "--sslcacert", "the proxy of AGENT_PROXYURL"];
    let found = names_only(&case, Code::TlsFailed, &words);
    assert!(case.emulator.journal().is_empty() && inspecting.journal().is_empty());
    assert!(
        verdicts(&found).iter().skip(4).all(|line| !line.starts_with("ok") || line.contains("connection")),
        "{}",
        found.text
    );
}

#[test]
fn it_goes_on_after_a_fault_and_names_each() {
    let case = with_ids();
    case.emulator.fault(Fault::on(Service::DevOps, "GET", "/connectionData").nth(2).status(401));
    let usual = case.emulator.usual();
    case.emulator.directory().subscription(usual.subscription).roles.clear();
    let found = diagnose(&case.unset("WIF_GRAPH_TOKEN"));
    assert_eq!(found.faults, ["WIF2002"], "{}", found.text);
    assert!(found.text.contains("Azure DevOps must take the job token first"), "{}", found.text);
    let case = with_ids().parameter("tenantid", "contoso.com");
    let found = diagnose(&case);
    assert_eq!(found.faults, ["WIF1005"], "{}", found.text);
    assert!(found.text.contains("ok       token for Azure DevOps"), "{}", found.text);
}

#[test]
fn guards_and_inputs_hold_before_any_request() {
    let elsewhere = "22222222-2222-2222-2222-222222222222";
    let diagnosed = |name: &str, value: &str| Case::new().input("diagnose", "true").input(name, value);
    diagnosed("allowedTenants", elsewhere).fails_unasked(Code::TenantNotAllowed);
    diagnosed("accessTokens", "A=nothing").fails_unasked(Code::InputInvalid);
    let case = diagnosed("requireFederation", "true");
    let scheme = format!("ENDPOINT_AUTH_SCHEME_{}", case.connection);
    case.set(&scheme, "ServicePrincipal").fails_unasked(Code::FederationRequired);
}

#[test]
fn a_network_that_swallows_everything_ends_in_time() {
    let case = with_ids();
    let services = [Service::DevOps, Service::Entra, Service::Arm, Service::Graph];
    for service in services {
        case.emulator.fault(Fault::connect(service).always().hang());
    }
    for what in [Limit::ConnectionAhead, Limit::Request] {
        let emulator = Arc::clone(&case.emulator);
        case.clock.hangs(what, move || services.map(|service| emulator.connections(service)).iter().sum());
    }
    let found = diagnose(&case);
    assert_eq!(found.faults, ["WIF3005"], "{}", found.text);
    assert!(case.clock.elapsed() < Duration::from_secs(75), "{:?}", case.clock.elapsed());
}

#[test]
fn other_schemes_are_checked_as_far_as_they_go() {
    let secret = "s3cr3t-of-the-app-that-no-log-may-show";
    let emulator = Emulator::start();
    let usual = emulator.usual();
    {
        let mut directory = emulator.directory();
        let connection = directory.connection(usual.connection).clone().with_secret(secret);
        *directory.connection(usual.connection) = connection;
    }
    let case = sighted(Case::with(emulator, |emulator| emulator.usual().connection)).input("refresh", "true");
    names_only(&case, Code::CredentialRefused, &["AADSTS7000215", "has none", "Convert"]);
}

#[test]
fn a_fault_that_several_checks_run_into_is_explained_once() {
    let case = with_names();
    trusted(&case, |trusted| trusted.subject = "sc://contoso/platform/sc-prod".to_owned());
    let found = names_only(&case, Code::SubjectNotTrusted, &["fix: see federated credentials"]);
    let Found { text, run, .. } = &found;
    assert_eq!(text.matches("#wif2013").count(), 1, "{text}");
    assert_eq!(text.matches("audience              api://").count(), 1, "{text}");
    let (_, path) = run.commands("task.uploadsummary").next().unwrap();
    let markdown = std::fs::read_to_string(path).unwrap();
    assert_eq!(markdown.matches("fix: see federated credentials").count(), 1, "{markdown}");
    // A connection that cannot be read is one fault too.
    let found = names_only(&with_ids().parameter("tenantid", "contoso.com"), Code::ConnectionIncomplete, &[]);
    assert_eq!(found.text.matches("\nFAULT ").count(), 1, "{}", found.text);
}
