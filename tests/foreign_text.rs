//! Foreign text is harmless wherever it is printed: every way in, to every way out.

use std::{process::Command, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emulator::{Emulator, Fault, Service, agent};
use serde_json::{Value, json};
use wif_io::clock::System;

use crate::{
    broker::{KEY, open, raw},
    doctor::reader,
    machine::of_machine,
    schemes::asked,
    support::{Case, Run},
};

/// A command, a forged line, a disguise, and what drives a terminal; `marker` finds it again.
const HOSTILE: &str = "marker ##vso[task.setvariable variable=INJECTED]by-a-stranger\n##[error]forged\r\n##vso[task.complete result=Succeeded]\r##[section]x ##\u{ad}vso[task.complete]#\u{200b}#[error]y\u{1b}[2J\u{85}\u{2028}##[group]\u{202e}\u{feff}\u{e0041} \u{ff03}\u{ff03}\u{ff56}so[a.b]";
/// The same without line ends and control characters, for what a header, a URL or an argument can hold.
const IN_A_LINE: &str = "marker##vso[task.setvariable variable=INJECTED]x##[error]##VSO[a.b]";
/// The same without blanks, for what is split at them.
const IN_A_WORD: &str = "marker##vso[task.complete]##[error]";

/// Whether an agent would find a command in the line, whatever its platform's collation is deaf to.
fn command_in(line: &str) -> bool {
    let narrow = |c: char| match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap(),
        _ => c,
    };
    let heard: String = line.chars().map(narrow).filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    let heard = heard.to_lowercase();
    heard.contains("##vso") || heard.contains("##[")
}

/// What no line of ours holds.
fn is_banned(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{202e}' | '\u{feff}' | '\u{e0041}'
        )
}

/// Text for people: no line is a command or looks like a marked one, and no line begins with foreign text.
fn assert_harmless(way: &str, text: &str) {
    for line in text.split('\n') {
        assert!(!command_in(line) && !line.contains(is_banned), "{way}: {line:?}\nin {text}");
        // What was a line of its own in foreign text is none in ours.
        for forged in ["**", "by-a-stranger", "x <U+", "y<U+"] {
            assert!(!line.trim_start().starts_with(forged), "{way}: {line:?}\nin {text}");
        }
    }
    assert!(!text.contains("eyJ"), "{way}: {text}");
}

/// What a step printed: our commands are the only ones, and what they show is harmless.
fn assert_output_harmless(way: &str, run: &Run) {
    for line in run.out.lines() {
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

/// Runs `wif` and looks at both of its streams, of which the first is a token if it works.
fn program(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif"));
    let output = command.args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_harmless(&arguments.join(" "), &said);
    (output.status.code(), said)
}

#[test]
fn arguments() {
    let argument = HOSTILE;
    for arguments in [
        &["token", argument][..],
        &["token", "--session", argument, "arm"],
        &["token", "--id-token", argument],
        &["token", "arm", argument],
        &["token", &*format!("--{argument}")],
        &["status", "--session", argument],
        &["status", argument],
        &["explain", argument],
        &["doctor", argument],
        &["doctor", "--organization", argument, "--project", argument, "--connection", argument],
        &["doctor", "--organization", "x", "--project", argument, "--connection", argument, "--json"],
        &["task", argument],
        &[argument],
        &[&*format!("--{argument}")],
    ] {
        let environment = [("AZURE_DEVOPS_EXT_PAT", "x"), ("HTTPS_PROXY", "http://127.0.0.1:9")];
        let (code, said) = program(arguments, &environment);
        assert_ne!(code, Some(0), "{arguments:?}");
        assert!(said.len() < 10_000, "{said}");
    }
    for arguments in [&["token", "--session", HOSTILE, "arm"][..], &["explain", HOSTILE], &[HOSTILE]] {
        let said = program(arguments, &[]).1.to_lowercase();
        assert!(said.contains("marker"), "{said}");
    }
}

#[test]
fn help_and_version_are_as_before() {
    let (code, said) = program(&["--help"], &[]);
    assert!(code == Some(0) && said.contains("Usage: wif") && said.contains("explain"), "{said}");
    let (code, said) = program(&["--version"], &[]);
    assert_eq!((code, said.trim()), (Some(0), concat!("wif ", env!("CARGO_PKG_VERSION"))));
    let (code, said) = program(&[], &[]);
    assert!(code == Some(2) && said.contains("Usage: wif"), "{said}");
    let (code, said) = program(&["tokne"], &[]);
    assert!(code == Some(2) && said.contains("'tokne'"), "{said}");
}

#[test]
fn a_variable_of_the_environment_in_what_the_command_line_says() {
    for name in ["WIF_URL", "WIF_KEY", "HTTPS_PROXY", "SSL_CERT_FILE", "AGENT_CAINFO", "AGENT_PROXYURL"] {
        let value = HOSTILE;
        let environment = [("WIF_URL", "http://127.0.0.1:9/"), ("WIF_KEY", "x"), (name, value)];
        program(&["token", "arm"], &environment);
        program(&["status"], &environment);
        let environment = [("AZURE_DEVOPS_EXT_PAT", "x"), (name, value)];
        for more in [&[][..], &["--json"]] {
            let target =
                ["doctor", "--organization", "https://127.0.0.1:9/x", "--project", "p", "--connection", "c"];
            program(&[&target[..], more].concat(), &environment);
        }
    }
}

#[test]
fn what_azure_devops_says_of_a_connection_from_a_terminal() {
    let change = |body: &mut Value, path: &str| *body.pointer_mut(path).unwrap() = json!(HOSTILE);
    for path in [
        "/name",
        "/url",
        "/authorization/scheme",
        "/authorization/parameters/tenantid",
        "/data/environment",
        "/data/subscriptionName",
    ] {
        let emulator = Emulator::start();
        emulator.directory().personal_tokens.push("personal-access-token-of-no-user".to_owned());
        let id = emulator.usual().connection.to_string();
        let mut body = json!({
            "id": id, "name": "sc-prod", "url": "https://management.azure.com/", "isReady": true,
            "authorization": {"scheme": "WorkloadIdentityFederation", "parameters": {
                "tenantid": emulator.usual().tenant.to_string(), "serviceprincipalid": emulator.usual().client.to_string()}},
            "data": {"environment": "AzureCloud", "subscriptionName": "x"},
        });
        change(&mut body, path);
        emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").always().json(&body));
        let ca = emulator.ca_file().display().to_string();
        let url = format!("{}/contoso", emulator.devops_url());
        let environment =
            [("AZURE_DEVOPS_EXT_PAT", "personal-access-token-of-no-user"), ("AGENT_CAINFO", &*ca)];
        for more in [&[][..], &["--json"]] {
            let target = ["doctor", "--organization", &*url, "--project", "Platform", "--connection", &*id];
            let (_, said) = program(&[&target[..], more].concat(), &environment);
            if path.ends_with("scheme") {
                assert!(said.contains("marker"), "{said}");
            }
            if !more.is_empty() {
                serde_json::from_str::<Value>(&said).unwrap();
            }
        }
    }
}

/// The JSON of the broker's answers, and the texts of the commands that ask it.
#[test]
fn what_a_broker_tells_tools_and_the_command_line() {
    let case = Case::new().input("refresh", "true");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let session = open(&case, Arc::new(System::new())).await;
        let body = json!({"error": "invalid_request", "error_description": format!("AADSTS9999123: {HOSTILE}")});
        case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().status(400).json(&body));
        let port = session.port;
        let head = format!("HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nX-IDENTITY-HEADER: {KEY}\r\n");
        let resource = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
        let word = url::form_urlencoded::byte_serialize(format!("{IN_A_WORD}://x/.default").as_bytes()).collect::<String>();
        let mut requests = ["storage", &resource, &word].map(|resource| format!("GET /identity?resource={resource} {head}\r\n")).to_vec();
        let asked = json!({"scopes": [format!("{IN_A_WORD}://x/.default")]}).to_string();
        for asked in [asked, json!({"scopes": [HOSTILE]}).to_string(), json!({"scopes": ["https://vault.azure.net/.default"]}).to_string()] {
            requests.push(format!("POST /azd/token {head}Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{asked}", asked.len()).replace(&format!("X-IDENTITY-HEADER: {KEY}\r\n"), ""));
        }
        requests.push(format!("GET /status {head}\r\n"));
        for request in requests {
            let answer = raw(port, &request).await;
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            assert_harmless(&request, body);
            let value: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
            for field in ["message", "error"] {
                let text = value.get(field).and_then(Value::as_str).unwrap_or_default();
                assert_harmless(&request, text);
            }
        }
        let guarded = Case::new().input("refresh", "true").input("allowedResources", "arm");
        let session = open(&guarded, Arc::new(System::new())).await;
        let head = head.replace(&port.to_string(), &session.port.to_string());
        let answer = raw(session.port, &format!("GET /identity?resource={word} {head}\r\n")).await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(answer.starts_with("HTTP/1.1 400") && body.contains("marker"), "{answer}");
        assert_harmless("allowedResources", body);
        let (url, key) = (format!("http://127.0.0.1:{port}"), KEY);
        let run = move |arguments: Vec<String>| {
            let environment = [("WIF_URL", url.as_str()), ("WIF_KEY", key)];
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            program(&arguments, &environment)
        };
        let said = tokio::task::spawn_blocking(move || {
            let own = |arguments: &[&str]| arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>();
            [own(&["token", "storage"]), own(&["token", HOSTILE]), own(&["token", &format!("{IN_A_WORD}://x/.default")]), own(&["status"])].map(run)
        });
        let said = said.await.unwrap();
        for (code, text) in &said {
            assert!(code.is_some(), "{text}");
        }
        assert!(said[..3].iter().all(|(_, text)| text.contains("marker")), "{said:?}");
        assert!(said[0].1.contains("AADSTS9999123"), "{}", said[0].1);
    });
}
