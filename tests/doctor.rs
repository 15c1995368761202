//! `diagnose: true`: what is wrong is named, and nothing else.

use std::time::Duration;

use emulator::{
    Emulator, Fault, Proxy, Service,
    directory::{App, FederatedCredential, Issuer, Kind, Tenant},
};
use serde_json::json;
use uuid::Uuid;
use wif::{
    clock::Clock as _,
    error::Code,
    identity::refusals::{self, Again, Name},
};

use crate::{
    clouds::behind,
    support::{Case, Run},
};

/// A case whose doctor may read whom applications trust.
fn sighted(case: Case) -> Case {
    let token = reader(&case.emulator, "https://graph.microsoft.com");
    case.set("WIF_GRAPH_TOKEN", &token).input("diagnose", "true")
}

/// An access token of somebody who may read applications, and has a role in the subscription.
pub(crate) fn reader(emulator: &Emulator, resource: &str) -> String {
    let (client, usual) = (Uuid::new_v4(), emulator.usual());
    let app = App { reads_applications: true, ..App::new(client, Kind::Application) };
    emulator.directory().tenant(usual.tenant).apps.push(app);
    emulator.directory().subscription(usual.subscription).roles.push(client);
    emulator.access_token(client, resource)
}

fn with_names() -> Case {
    sighted(Case::new())
}

fn with_ids() -> Case {
    sighted(Case::with_entra_issuer())
}

/// The federated credential of the case's application.
fn trusted(case: &Case, change: impl FnOnce(&mut FederatedCredential)) {
    let mut directory = case.emulator.directory();
    let client = directory.find(case.connection).unwrap().connection.client;
    change(&mut directory.app(client).federated_credentials[0]);
}

/// What a diagnosis found: the report, the codes of faults and of warnings.
struct Found {
    run: Run,
    text: String,
    faults: Vec<String>,
    warnings: Vec<String>,
}

fn diagnose(case: &Case) -> Found {
    let run = case.run();
    assert!(run.variables().is_empty() && !run.out.contains("prependpath"), "exported: {}", run.out);
    let report: Vec<_> = run.out.lines().filter(|line| !line.starts_with("##vso[")).collect();
    let text = report.join("\n");
    let (faults, warnings) = text.lines().last().unwrap().split_once(". ").unwrap();
    let codes = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.starts_with("WIF")).map(str::to_owned).collect()
    };
    let found = Found { faults: codes(faults), warnings: codes(warnings), text, run };
    let failed = found.run.result.as_ref().err().map(|failure| failure.code.to_string());
    assert_eq!(failed.as_ref(), found.faults.first(), "{}", found.text);
    let Found { text, .. } = &found;
    assert_eq!(text.matches("\nFAULT ").count() > 0, failed.is_some(), "{text}");
    found
}

/// Exactly this is wrong, and the report says so in these words.
fn names_only(case: &Case, code: Code, words: &[&str]) -> Found {
    let found = diagnose(case);
    assert_eq!(found.faults, [code.to_string()], "{}\n{}", found.text, case.emulator.journal_text());
    for word in words {
        assert!(found.text.contains(word), "no '{word}' in\n{}", found.text);
    }
    found
}

/// The verdict and the subject of each check.
fn verdicts(found: &Found) -> Vec<String> {
    let is_verdict =
        |line: &&str| ["ok ", "warning ", "FAULT ", "skipped "].iter().any(|word| line.starts_with(word));
    let squeezed = |line: &str| line[..35].split_whitespace().collect::<Vec<_>>().join(" ");
    found.text.lines().filter(is_verdict).map(squeezed).collect()
}

#[test]
fn a_connection_with_nothing_wrong() {
    let case = with_ids();
    let found = diagnose(&case);
    assert_eq!((found.faults.len(), found.warnings.len()), (0, 0), "{}", found.text);
    assert_eq!(
        verdicts(&found),
        [
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
    let other = Uuid::new_v4();
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
    // Somebody who may read connections sees it as well.
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
        verdicts(&found).iter().skip(2).all(|line| !line.starts_with("ok") || line.contains("connection")),
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
    for service in [Service::DevOps, Service::Entra, Service::Arm, Service::Graph] {
        case.emulator.fault(Fault::connect(service).always().hang());
    }
    case.clock.be_impatient();
    let found = diagnose(&case);
    assert_eq!(found.faults, ["WIF3005"], "{}", found.text);
    assert!(case.clock.elapsed() < Duration::from_secs(75), "{:?}", case.clock.elapsed());
}

#[test]
fn a_managed_identity_is_read_from_azure_resource_manager() {
    let case = with_ids();
    let client = case.emulator.usual().entra_client;
    case.emulator.directory().app(client).kind = Kind::ManagedIdentity;
    let token = reader(&case.emulator, "https://management.azure.com");
    let case = case.set("WIF_ARM_TOKEN", &token);
    trusted(&case, |trusted| trusted.subject = trusted.subject.to_uppercase());
    names_only(&case, Code::SubjectNotTrusted, &["of the managed identity 'id-", "differs by case only"]);
}

#[test]
fn a_connection_that_leads_elsewhere_gets_no_token() {
    let case = with_ids().data("microsoftGraphUrl", "https://graph.evil.example/");
    let found = diagnose(&case);
    let words = "leads to graph.evil.example, which is not a known host of Azure; no token is sent there unless allowedAuthorities names it";
    assert!(found.text.contains(words), "{}", found.text);
    assert_eq!(case.emulator.count(Service::Graph, ""), 0);
    // An address of this machine is no better than another.
    let case = with_ids();
    let named = [Service::DevOps, Service::Entra, Service::Graph];
    let named = named.map(|service| format!("127.0.0.1:{}", case.emulator.port(service))).join(",");
    let case = case.input("allowedAuthorities", &named);
    let found = diagnose(&case);
    assert!(found.text.contains("no token is sent there"), "{}", found.text);
    assert_eq!(case.emulator.count(Service::Arm, "GET /subscriptions"), 0);
}

#[test]
fn without_a_token_for_graph_it_says_how_to_get_one() {
    let case = with_ids().unset("WIF_GRAPH_TOKEN");
    trusted(&case, |trusted| trusted.subject.push('x'));
    let words = ["no token for Microsoft Graph; set WIF_GRAPH_TOKEN to that of: az account get-access-token"];
    names_only(&case, Code::SubjectNotTrusted, &words);
    let case = with_ids().unset("WIF_GRAPH_TOKEN");
    let found = diagnose(&case);
    assert!(
        found.faults.is_empty() && found.text.contains("Entra has found one that matches"),
        "{}",
        found.text
    );
}

#[test]
fn other_schemes_are_checked_as_far_as_they_go() {
    let secret = "s3cr3t-of-the-app-that-nobody-may-see";
    let emulator = Emulator::start();
    let usual = emulator.usual();
    {
        let mut directory = emulator.directory();
        let connection = directory.connection(usual.connection).clone().with_secret(secret);
        *directory.connection(usual.connection) = connection;
    }
    let case = sighted(Case::with(emulator, |emulator| emulator.usual().connection));
    names_only(&case, Code::CredentialRefused, &["AADSTS7000215", "has none", "Convert"]);
}

/// Azure's answer to whoever reads a subscription.
fn refusal(name: &str) -> (u16, String) {
    let status = match name {
        "AuthorizationFailed" | "LinkedAuthorizationFailed" => 403,
        "SubscriptionNotFound" => 404,
        "InvalidSubscriptionId" => 400,
        "ReadOnlyDisabledSubscription" => 409,
        "TooManyRequests" => 429,
        "ServerTimeout" => 503,
        _ => 401,
    };
    (status, format!("A sentence of Azure about {name}."))
}

#[test]
fn every_known_refusal_of_azure_is_explained() {
    let mut entries = 0;
    for known in refusals::all() {
        let Name::ResourceManager(name) = known.name else { continue };
        entries += 1;
        let by_graph = name.contains('_');
        let case = with_ids();
        let (status, message) = refusal(name);
        let status = if name == "Request_ResourceNotFound" { 404 } else { status };
        let service = if by_graph { Service::Graph } else { Service::Arm };
        let path = if by_graph { "/v1.0/servicePrincipals" } else { "/subscriptions/" };
        let body = json!({ "error": { "code": name, "message": message } });
        case.emulator.fault(Fault::on(service, "GET", path).always().status(status).json(&body));
        if by_graph {
            // What cannot be read is no fault.
            let found = diagnose(&case);
            assert_eq!(found.faults, Vec::<String>::new(), "{name}: {}", found.text);
            for part in [known.means, known.remedy, known.command] {
                assert!(found.text.contains(part), "{name}: {}", found.text);
            }
            assert_eq!(case.emulator.count(Service::Graph, "GET /"), 1, "{name}");
            continue;
        }
        let found = names_only(&case, known.code, &[name, known.means, known.remedy, known.command]);
        let asked = case.emulator.count(Service::Arm, "GET /subscriptions/");
        match known.again {
            Again::Passing => assert!(asked > 3, "{name}: {asked}"),
            _ => assert_eq!(asked, 1, "{name}: {}", found.text),
        }
        assert!(case.clock.elapsed() < Duration::from_secs(75), "{name}");
    }
    assert!(entries >= 12, "{entries}");
}
