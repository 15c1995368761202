//! Every way into a step: tokens, answers of the services, the connection, inputs and the environment.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emulator::{Emulator, Fault, Service, agent};
use serde_json::{Value, json};

use super::{HOSTILE, IN_A_LINE, IN_A_WORD, assert_harmless};
use crate::{
    doctor::reader,
    machine::of_machine,
    schemes::asked,
    support::{Case, Run},
};

/// The lines between which the page folds what a sign-in tells: nothing foreign is in them.
const GROUP: [&str; 2] = ["##[group]What it signed in to, and what it set", "##[endgroup]"];

/// What a step printed: our commands are the only ones, and what they show is harmless.
fn assert_output_harmless(way: &str, run: &Run) {
    for line in run.out.lines().filter(|line| !GROUP.contains(line)) {
        let Some(command) = agent::Command::parse(line, true) else {
            assert_harmless(way, line.strip_prefix("##[debug]").unwrap_or(line));
            continue;
        };
        assert!(line.starts_with("##vso["), "{way}: {line}");
        assert_ne!(command.property("variable"), Some("INJECTED"), "{way}: {line}");
        // A variable's value is what it is: the agent takes the first command of a line, which is ours.
        if command.is("task", "logissue") {
            assert_eq!(line.matches("##vso[").count(), 1, "{way}: {line}");
            assert_harmless(way, &command.data);
        }
    }
    if let Err(failure) = &run.result {
        // As `main` tells the agent.
        let mut out = Vec::new();
        let mut commands = wif::agent::commands::Commands::new(&mut out, &wif_io::env::Env::default());
        commands.error(failure.code, &failure.to_string()).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_harmless(way, &agent::Command::parse(line.trim_end(), true).unwrap().data);
        assert_harmless(way, &failure.to_string());
        assert!(failure.to_string().len() < 8000, "{way}: {failure}");
    }
}

/// Everything that the step said to people.
fn said(run: &Run) -> String {
    let failure = run.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    format!("{}\n{failure}", run.out)
}

/// Runs the step, in which the text is shown somewhere, harmlessly.
fn shows(way: &str, case: &Case) -> Run {
    let run = case.run();
    assert_output_harmless(way, &run);
    assert!(said(&run).contains("marker"), "{way}: not shown at all: {}", said(&run));
    run
}

/// Runs the step, in which the text may be left out.
fn harmless(way: &str, case: &Case) -> Run {
    let run = case.run();
    assert_output_harmless(way, &run);
    run
}

/// An id token with these claims, which no service has issued.
fn id_token(issuer: &str, subject: &str, audience: &str) -> String {
    let claims = json!({"iss": issuer, "sub": subject, "aud": audience, "exp": 4_000_000_000_u64});
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn presenting(token: &str) -> Case {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", "/oidctoken").always().replace_id_token(token));
    case
}

fn refusing(service: Service, path: &str, status: u16, body: &Value) -> Case {
    let case = Case::new();
    case.emulator.fault(Fault::on(service, "*", path).always().status(status).json(body));
    case
}

#[test]
fn claims_of_an_id_token() {
    for number in [700_213, 700_211, 700_212, 7_002_138, 70025, 500_011] {
        for token in [
            id_token(HOSTILE, HOSTILE, HOSTILE),
            id_token(
                &format!("https://vstoken.dev.azure.com/{HOSTILE}"),
                &format!("sc://a/{HOSTILE}/c"),
                "x",
            ),
            id_token("https://x", &format!("/eid1/c/{HOSTILE}/t/x/a/y/sc/z/z"), "x"),
        ] {
            let case = presenting(&token);
            let registered = case
                .parameter("workloadIdentityFederationIssuer", HOSTILE)
                .parameter("workloadIdentityFederationSubject", &format!("sc://b/{HOSTILE}"));
            registered.emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().aadsts(number));
            shows("claims, refused", &registered);
        }
    }
    let case = presenting(&id_token(HOSTILE, &format!("sc://a/b/{HOSTILE}"), HOSTILE));
    let body =
        json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque-access-token-of-no-user"});
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().json(&body));
    let run = shows("claims, accepted", &case);
    assert!(run.result.is_ok());
}

#[test]
fn answers_of_entra() {
    for (status, number) in [(400, 9_999_123), (400, 700_213), (503, 90_099), (401, 7_000_215)] {
        let body = json!({
            "error": HOSTILE,
            "error_description": format!("AADSTS{number}: {HOSTILE} Trace ID: {HOSTILE}"),
            "error_codes": [number], "trace_id": HOSTILE, "correlation_id": HOSTILE,
        });
        harmless("Entra", &refusing(Service::Entra, "/oauth2/v2.0/token", status, &body));
    }
    let body = json!({"error": "invalid_request", "error_description": format!("AADSTS9999123: {HOSTILE}")});
    shows("Entra's sentence", &refusing(Service::Entra, "/oauth2/v2.0/token", 400, &body));
    let body = json!({"token_type": HOSTILE, "expires_in": HOSTILE, "access_token": HOSTILE});
    harmless("Entra's token", &refusing(Service::Entra, "/oauth2/v2.0/token", 200, &body));
}

#[test]
fn answers_of_azure_devops() {
    for status in [400, 401, 403, 404, 405, 429, 503] {
        for body in [
            json!({"message": HOSTILE, "typeKey": HOSTILE}),
            json!({"count": 1, "value": format!("There is no explicit reference to {HOSTILE}")}),
            json!({"message": HOSTILE, "typeKey": "TaskOrchestrationPlanSecurityException"}),
            json!(HOSTILE),
        ] {
            let case = Case::new();
            let fault = Fault::on(Service::DevOps, "POST", "/oidctoken").always().status(status).json(&body);
            let fault = fault.header("x-vss-e2eid", IN_A_LINE).header("x-msedge-ref", IN_A_LINE);
            case.emulator.fault(fault);
            harmless("Azure DevOps", &case);
        }
    }
    let body = json!({"message": HOSTILE});
    shows("a message of Azure DevOps", &refusing(Service::DevOps, "/oidctoken", 400, &body));
}

#[test]
fn answers_of_the_machines_service() {
    for status in [400, 401, 404, 503] {
        let case = of_machine();
        let body = json!({"error": HOSTILE, "error_description": format!("AADSTS9999123: {HOSTILE}")});
        case.emulator.fault(Fault::on(Service::Machine, "GET", "/").always().status(status).json(&body));
        if status < 404 {
            shows("the machine's service", &case);
        } else {
            harmless("the machine's service", &case);
        }
        assert!(!asked(&case, Service::Machine).is_empty());
    }
}

/// A diagnosis with tokens for all services: its log, its Markdown and its JSON.
fn diagnosed(way: &str, change: impl FnOnce(&Emulator)) -> Case {
    let case = Case::new();
    let graph = reader(&case.emulator, "https://graph.microsoft.com");
    let case = case.set("WIF_GRAPH_TOKEN", &graph).input("diagnose", "true");
    change(&case.emulator);
    let run = harmless(way, &case);
    for (_, path) in run.commands("task.uploadsummary") {
        let markdown = std::fs::read_to_string(path).unwrap();
        assert_harmless(way, &markdown);
        assert_markdown_harmless(way, &markdown);
    }
    case
}

/// Outside of code there is neither HTML nor a link that is not ours.
fn assert_markdown_harmless(way: &str, markdown: &str) {
    let mut fenced = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside: String = line.split('`').step_by(2).collect();
            assert!(!outside.contains(['<', '!']) && !outside.contains("marker"), "{way}: {line}");
            for (_, target) in outside.match_indices("](").map(|(at, _)| outside.split_at(at + 2)) {
                assert!(target.starts_with("https://github.com/wif-azure/wif/"), "{way}: {line}");
            }
        }
    }
    assert!(!fenced, "{way}: {markdown}");
}

#[test]
fn what_a_diagnosis_finds() {
    let markup = format!("{HOSTILE}`|<img src=x>[a](https://evil.example)```\n```\n# x");
    diagnosed("a federated credential", |emulator| {
        let client = emulator.usual().client;
        let mut directory = emulator.directory();
        let trusted = &mut directory.app(client).federated_credentials[0];
        (trusted.name, trusted.issuer, trusted.subject) =
            (markup.clone(), markup.clone(), format!("sc://a/{markup}/c"));
        trusted.audience = markup.clone();
    });
    let refusal = json!({"error": {"code": markup, "message": format!("action '{markup}' scope '{markup}' object id '{markup}'")}});
    for (service, path) in
        [(Service::Graph, "/v1.0"), (Service::Arm, "/subscriptions"), (Service::Arm, "roleAssignments")]
    {
        for status in [400, 401, 403, 404] {
            diagnosed("a refusal", |emulator| {
                emulator.fault(Fault::on(service, "GET", path).always().status(status).json(&refusal));
            });
        }
    }
    let refusal = json!({"error": {"code": "Authorization_RequestDenied", "message": "marker: insufficient privileges"}});
    let case = Case::new().set("WIF_GRAPH_TOKEN", "a-token-for-graph-of-no-user").input("diagnose", "true");
    case.emulator.fault(Fault::on(Service::Graph, "GET", "/").always().status(403).json(&refusal));
    let text = said(&case.run());
    assert!(text.contains("service says: marker: insufficient privileges"), "{text}");
    let assignment = json!({"value": [{"properties": {"roleDefinitionId": markup, "scope": markup}}]});
    diagnosed("a role", |emulator| {
        emulator.fault(Fault::on(Service::Arm, "GET", "roleAssignments").always().json(&assignment));
    });
    diagnosed("a state", |emulator| {
        emulator.fault(Fault::on(Service::Arm, "GET", "/subscriptions/").json(&json!({"state": markup})));
    });
    diagnosed("a connection", |emulator| {
        let answer = json!({"id": "x", "message": markup, "typeKey": markup});
        emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").always().status(400).json(&answer));
    });
}

#[test]
fn what_a_connection_says_of_itself() {
    for name in [
        "scopeLevel",
        "subscriptionId",
        "subscriptionName",
        "environment",
        "activeDirectoryAuthority",
        "environmentAuthorityUrl",
        "activeDirectoryServiceEndpointResourceId",
        "AzureKeyVaultServiceEndpointResourceId",
        "microsoftGraphUrl",
    ] {
        for value in [HOSTILE.to_owned(), IN_A_WORD.to_owned(), format!("https://x/{HOSTILE}")] {
            let tokens = "A=arm\nV=keyvault\nG=graph";
            harmless(name, &Case::new().data(name, &value).input("accessTokens", tokens));
            harmless(name, &Case::new().data(name, &value).input("diagnose", "true"));
        }
    }
    for name in [
        "tenantid",
        "serviceprincipalid",
        "workloadIdentityFederationIssuer",
        "workloadIdentityFederationSubject",
    ] {
        harmless(name, &Case::new().parameter(name, HOSTILE));
        harmless(name, &Case::new().parameter(name, HOSTILE).input("diagnose", "true"));
    }
    shows("tenantid", &Case::new().parameter("tenantid", HOSTILE));
    shows("subscriptionName", &Case::new().data("subscriptionName", HOSTILE));
    let case = Case::new();
    let (scheme, url) =
        (format!("ENDPOINT_AUTH_SCHEME_{}", case.connection), format!("ENDPOINT_URL_{}", case.connection));
    let case = case.set(&scheme, HOSTILE);
    shows("scheme", &case);
    harmless("scheme", &case.input("diagnose", "true"));
    for value in [HOSTILE.to_owned(), format!("https://x/{HOSTILE}")] {
        harmless("url", &Case::new().set(&url, &value));
    }
    let machine = of_machine();
    shows("msiclientId", &machine.data("msiclientId", HOSTILE));
}

#[test]
fn a_subscriptions_name_is_harmless_in_what_az_reads_too() {
    let case = Case::new().data("subscriptionName", HOSTILE);
    let connection = wif::agent::connection::Connection::read(&case.env(), case.connection).unwrap();
    assert_harmless("subscriptionName", &connection.subscription.unwrap().name.unwrap());
}

#[test]
fn inputs() {
    for name in [
        "azureSubscription",
        "exports",
        "accessTokens",
        "allowedResources",
        "refresh",
        "session",
        "requireFederation",
        "diagnose",
        "allowedTenants",
        "allowedSubscriptions",
    ] {
        shows(name, &Case::new().input(name, IN_A_LINE));
        harmless(name, &Case::new().input(name, HOSTILE));
        shows(name, &Case::new().input(name, &format!("$({HOSTILE})")));
    }
    for value in [format!("A={IN_A_WORD}"), format!("A={HOSTILE}"), format!("A={IN_A_WORD}/.default")] {
        harmless("accessTokens", &Case::new().input("accessTokens", &value));
        harmless("allowedResources", &Case::new().input("allowedResources", &value[2..]));
    }
}

#[test]
fn environment() {
    let bypass = json!([format!("({HOSTILE}")]).to_string();
    let proxy = ("AGENT_PROXYURL", "http://127.0.0.1:9");
    let shown = [
        vec![proxy, ("AGENT_PROXYBYPASSLIST", &*bypass)],
        vec![("SSL_CERT_FILE", HOSTILE)],
        vec![("AGENT_CAINFO", HOSTILE)],
        vec![("AGENT_CLIENTCERT", HOSTILE)],
    ];
    for variables in shown {
        let case = variables.iter().fold(Case::new(), |case, (name, value)| case.set(name, value));
        shows(variables.last().unwrap().0, &case);
    }
    for name in [
        "AGENT_PROXYURL",
        "HTTPS_PROXY",
        "SYSTEM_OIDCREQUESTURI",
        "SYSTEM_COLLECTIONURI",
        "SYSTEM_TEAMPROJECTID",
        "SYSTEM_HOSTTYPE",
        "SYSTEM_PLANID",
        "AGENT_TEMPDIRECTORY",
        "AGENT_CLIENTCERTKEY",
        "AZURE_CONFIG_DIR",
        "ENDPOINT_URL_SYSTEMVSSCONNECTION",
        "WIF_SESSION_HOURS",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
        "IDENTITY_ENDPOINT",
    ] {
        for value in [
            HOSTILE.to_owned(),
            format!("https://127.0.0.1:9/{HOSTILE}"),
            format!("https://127.0.0.1:9/{IN_A_WORD}"),
        ] {
            harmless(name, &Case::new().set(name, &value));
            harmless(name, &Case::new().set(name, &value).input("diagnose", "true"));
            if name.starts_with("IDENTITY") || name.starts_with("AZURE_POD") {
                harmless(name, &of_machine().set("IDENTITY_HEADER", "x").set(name, &value));
            }
        }
    }
}
