//! `diagnose: true`: what is wrong is named, and nothing else.

use std::{sync::Arc, time::Duration};

use emulator::{
    Emulator, Fault, Proxy, Service,
    directory::{App, FederatedCredential, Issuer, Kind, Tenant},
};
use serde_json::json;
use uuid::Uuid;
use wif_core::{code::Code, refusals};
use wif_io::clock::{Clock as _, Limit};

use crate::{
    clouds::behind,
    existing_variables::pipeline,
    machine,
    refusals::Again,
    support::{Case, Run},
};

/// A case whose doctor may read the federated credentials of applications.
fn sighted(case: Case) -> Case {
    let token = reader(&case.emulator, "https://graph.microsoft.com");
    case.set("WIF_GRAPH_TOKEN", &token).input("diagnose", "true")
}

/// An access token of a user who may read applications, and has a role in the subscription.
pub(crate) fn reader(emulator: &Emulator, resource: &str) -> String {
    let (client, usual) = (Uuid::from_u128(0x2222), emulator.usual());
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
    let (faults, warnings) = text.lines().next().unwrap().split_once(". ").unwrap();
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

/// Azure's answer to a request for a subscription.
fn refusal(name: &str) -> (u16, String) {
    let status = match name {
        "AuthenticationFailed"
        | "Authorization_RequestDenied"
        | "ExpiredAuthenticationToken"
        | "InvalidAuthenticationToken"
        | "InvalidAuthenticationTokenAudience"
        | "InvalidAuthenticationTokenTenant" => 401,
        "AuthorizationFailed" | "LinkedAuthorizationFailed" => 403,
        "SubscriptionNotFound" | "Request_ResourceNotFound" => 404,
        "InvalidSubscriptionId" => 400,
        "ReadOnlyDisabledSubscription" => 409,
        "TooManyRequests" => 429,
        "ServerTimeout" => 503,
        other => panic!("what does Azure send for {other}?"),
    };
    (status, format!("A sentence of Azure about {name}."))
}

#[test]
fn every_known_refusal_of_azure_is_explained() {
    for expected in crate::refusals::of_azure() {
        let name = expected.name;
        let known = refusals::named(name).unwrap();
        let by_graph = name.contains('_');
        let case = with_ids();
        let (status, message) = refusal(name);
        let service = if by_graph { Service::Graph } else { Service::Arm };
        let path = if by_graph { "/v1.0/servicePrincipals" } else { "/subscriptions/" };
        let body = json!({ "error": { "code": name, "message": message } });
        case.emulator.fault(Fault::on(service, "GET", path).always().status(status).json(&body));
        if by_graph {
            // What cannot be read is no fault.
            let found = diagnose(&case);
            assert_eq!(found.faults, Vec::<String>::new(), "{name}: {}", found.text);
            for part in [expected.says, known.meaning, known.remedy, known.command] {
                assert!(found.text.contains(part), "{name}: {}", found.text);
            }
            assert_eq!(case.emulator.count(Service::Graph, "GET /"), 1, "{name}");
            continue;
        }
        let words = [name, expected.says, known.meaning, known.remedy, known.command];
        let found = names_only(&case, expected.code, &words);
        let asked = case.emulator.count(Service::Arm, "GET /subscriptions/");
        match expected.again {
            Again::Passes => assert_eq!(asked, 11, "{name}"),
            again => assert_eq!((asked, again), (1, Again::No), "{name}: {}", found.text),
        }
        assert!(case.clock.elapsed() < Duration::from_secs(75), "{name}");
    }
}

// The job around the connection: ten jobs with one fault each, or none.

/// Exactly this is warned of, and nothing is wrong.
fn warns_only(case: &Case, code: Code, words: &[&str]) -> Found {
    let found = diagnose(case);
    assert_eq!(
        (found.faults.as_slice(), found.warnings.as_slice()),
        (&[][..], &[code.to_string()][..]),
        "{}",
        found.text
    );
    for word in words {
        assert!(found.text.contains(word), "no '{word}' in\n{}", found.text);
    }
    found
}

/// Nothing is wrong, and the report says this.
fn says(case: &Case, words: &[&str]) {
    let found = diagnose(case);
    assert_eq!((found.faults.len(), found.warnings.len()), (0, 0), "{}", found.text);
    for word in words {
        assert!(found.text.contains(word), "no '{word}' in\n{}", found.text);
    }
}

fn live() -> Case {
    with_ids().input("refresh", "true")
}

#[test]
fn job_one_a_secret_variable_of_an_exported_name() {
    let case = pipeline(live(), &[("ARM_CLIENT_ID", ""), ("OTHER", "")]);
    let words = ["a secret variable ARM_CLIENT_ID", "leave terraform out of exports"];
    let found = names_only(&case, Code::NameIsSecret, &words);
    assert_eq!(found.warnings, Vec::<String>::new());
    // It goes on, and the session's own exports count: what is not exported does not matter.
    assert!(found.text.contains("ok       exchange at Entra"), "{}", found.text);
    says(&pipeline(live().input("exports", "azure-sdk"), &[("ARM_CLIENT_ID", "")]), &[]);
}

#[test]
fn job_two_a_client_secret_that_was_left_over() {
    let case = pipeline(live(), &[("AZURE_CLIENT_SECRET", "s3cr3t-of-old")]);
    let words =
        ["The pipeline sets AZURE_CLIENT_SECRET", "DefaultAzureCredential signs in with this client secret"];
    let found = warns_only(&case, Code::VariableConflicts, &words);
    assert!(!found.text.contains("s3cr3t-of-old"), "{}", found.text);
    let case = live().set("AZURE_CLIENT_SECRET", "s3cr3t-of-old");
    warns_only(&case, Code::MachineConflicts, &["The agent's machine sets AZURE_CLIENT_SECRET"]);
}

#[test]
fn job_three_a_session_without_a_name_beside_one_with_a_name() {
    let case = live().set("WIF_URL", "http://127.0.0.1:1").set("WIF_KEY", "k").input("session", "hub");
    warns_only(&case, Code::SessionsMixed, &["Give each session a name"]);
    let case = live().set("HUB_WIF_URL", "http://127.0.0.1:1").set("HUB_WIF_KEY", "k");
    warns_only(&case, Code::SessionsMixed, &["without a name beside one with a name"]);
    says(
        &live().set("HUB_WIF_URL", "http://127.0.0.1:1").set("HUB_WIF_KEY", "k").input("session", "spoke"),
        &[],
    );
}

#[cfg(unix)]
#[test]
fn job_four_an_az_that_is_too_old() {
    let machine = Machine::new();
    machine.az("2.70.0");
    let case = live().set("PATH", &machine.path());
    let words = [
        "the az on the PATH is version 2.70.0",
        "not on the PATH: terraform, azcopy",
        "install az 2.73 or newer",
    ];
    warns_only(&case, Code::ToolTooOld, &words);
    // Where the session is not for az, its age is a fact.
    says(&case.input("exports", "terraform"), &["az 2.70.0 (", "it does not ask a session for tokens"]);
}

#[test]
fn job_five_the_workload_identity_of_an_aks_pod() {
    let case = live().set("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token");
    says(&case, &["AZURE_FEDERATED_TOKEN_FILE of the agent's machine is emptied for this job"]);
    let case = pipeline(live(), &[("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/x")]);
    warns_only(&case, Code::VariableConflicts, &["The pipeline sets AZURE_FEDERATED_TOKEN_FILE"]);
}

#[test]
fn job_six_a_scope_that_is_no_subscription() {
    let group = live().data("scopeLevel", "ManagementGroup").data("managementGroupName", "FetchResult zones");
    let group = group.data("subscriptionId", "").data("managementGroupId", "lz");
    says(
        &group,
        &[
            "scope: the management group FetchResult zones;",
            "no subscription",
            "ARM_SUBSCRIPTION_ID are not exported",
        ],
    );
    let workspace = live().data("scopeLevel", "AzureMLWorkspace").data("mlWorkspaceName", "ml##vso[x.y]1");
    let subscription = workspace.emulator.usual().subscription;
    says(
        &workspace,
        &[
            "scope: the machine learning workspace ml**vso[x.y]1",
            &format!("subscription {subscription}"),
            "ok       roles",
        ],
    );
}

#[test]
fn job_seven_a_classic_release_of_an_organization_with_its_old_url_is_well() {
    let (case, _proxy) = behind(|emulator| Proxy::start(Proxy::leading_to(emulator)), |_| ());
    let case = case
        .input("diagnose", "true")
        .set("SYSTEM_COLLECTIONURI", "https://contoso.visualstudio.com/")
        .set("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://contoso.visualstudio.com/");
    let found = diagnose(&case);
    assert_eq!((found.faults, found.warnings), (vec![], vec!["WIF2032".to_owned()]), "{}", found.text);
}

#[test]
fn job_eight_a_machine_with_several_identities() {
    let several = machine::of_machine().input("refresh", "true").input("diagnose", "true");
    let other = Uuid::from_u128(0x2222);
    machine::assign(&several, other);
    let words = ["Multiple user assigned identities", "one that has several needs msiclientId", "WIF2026"];
    let found = names_only(&several, Code::MachineIdentityRefused, &words);
    assert_eq!(found.warnings, Vec::<String>::new(), "{}", found.text);
    let named = several.data("msiclientId", &other.to_string());
    let found = diagnose(&named);
    assert!(
        found.text.contains(&format!("the machine's identity {other} is asked for, at http://")),
        "{}",
        found.text
    );
    assert!(!found.text.contains("WIF2026"), "{}", found.text);
}

#[test]
fn job_nine_a_variable_that_takes_an_inputs_place() {
    // Nothing can be believed then, the inputs of the diagnosis least of all.
    let text = pipeline(live(), &[("INPUT_EXPORTS", "terraform")]).fails_unasked(Code::VariableShadows);
    assert!(text.contains("INPUT_EXPORTS"), "{text}");
    // Two spellings of an exported name.
    let case = pipeline(live(), &[("arm.tenant.id", "x")]);
    warns_only(&case, Code::VariableConflicts, &["'arm.tenant.id' beside ARM_TENANT_ID", "Rename it"]);
}

#[test]
fn job_ten_a_file_of_certificates_that_is_not_there() {
    let case = live().set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    warns_only(&case, Code::NetworkSettings, &["SSL_CERT_FILE", "/nonexistent/ca.pem"]);
}

#[test]
fn a_value_of_the_pipeline_that_would_be_replaced_is_said() {
    let case = pipeline(live(), &[("ARM_SUBSCRIPTION_ID", "99999999-9999-9999-9999-999999999999")]);
    says(&case, &["ARM_SUBSCRIPTION_ID='99999999-9999-9999-9999-999999999999' of the pipeline is replaced"]);
}

#[test]
fn inputs_that_contradict_each_other_are_a_fault_beside_the_others() {
    let case = with_ids().input("exports", "azure-cli");
    names_only(
        &case,
        Code::InputsContradict,
        &["which refresh: false cannot serve", "ok       exchange at Entra"],
    );
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

/// Programs on a `PATH` of the test's own.
#[cfg(unix)]
pub(crate) struct Machine(tempfile::TempDir);

#[cfg(unix)]
impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(machine.0.path().join("bin")).unwrap();
        machine
    }

    /// The folder of the programs.
    pub(crate) fn path(&self) -> String {
        self.0.path().join("bin").to_str().unwrap().to_owned()
    }

    /// Installs a script.
    pub(crate) fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Installs the files by which az tells its version, and a program that must not be started for that.
    pub(crate) fn az(&self, version: &str) {
        self.script("az", "touch \"$0.started\"");
        let packages = self.0.path().join("lib/python3.11/site-packages");
        std::fs::create_dir_all(packages.join(format!("azure_cli_core-{version}.dist-info"))).unwrap();
    }

    pub(crate) fn started_az(&self) -> bool {
        self.0.path().join("bin/az.started").exists()
    }
}

#[cfg(unix)]
#[test]
fn tools_are_named_with_their_versions_and_get_none_of_the_steps_secrets() {
    let machine = Machine::new();
    machine.az("2.91.0");
    let tells = |version: &str| format!("/usr/bin/env > \"$0.env\"; echo {version}");
    machine.script("terraform", &tells("Terraform v1.11.4"));
    machine.script("azcopy", &tells("azcopy version 10.32.2"));
    let case = live().set("PATH", &machine.path()).set("HOME", "/home/agent");
    says(
        &case,
        &[
            "az 2.91.0 (",
            "): signed in by azure-cli",
            "terraform 1.11.4 (",
            "): signed in by terraform",
            "azcopy 10.32.2 (",
        ],
    );
    assert!(!machine.started_az());
    for tool in ["terraform", "azcopy"] {
        let env = std::fs::read_to_string(format!("{}/{tool}.env", machine.path())).unwrap();
        let mut names: Vec<_> =
            env.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
        names.sort_unstable();
        assert_eq!(names, ["CHECKPOINT_DISABLE", "HOME", "PATH"], "{env}");
    }
    // One that says nothing of use is there all the same.
    machine.script("terraform", "echo ##vso[task.complete result=Failed]; exit 1");
    says(
        &case.input("exports", "azure-sdk"),
        &["terraform of a version that is not known (", "terraform is not exported"],
    );
}
