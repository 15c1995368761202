//! Every way out beside a step: the command line, its JSON, and the answers of the broker.

use std::{process::Command, sync::Arc};

use emulator::{Emulator, Fault, Service};
use serde_json::{Value, json};
use wif_io::clock::System;

use super::{HOSTILE, IN_A_WORD, assert_harmless};
use crate::{
    broker::{KEY, open, raw},
    support::Case,
};

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
    // Of which commit it is, and for which platform.
    let rest = said.trim().strip_prefix(concat!("wif ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    let (commit, target) = rest.strip_suffix(')').unwrap().split_once(", ").unwrap();
    assert!(code == Some(0) && !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(target.starts_with(std::env::consts::ARCH), "{target}");
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
                // What is said on standard error follows.
                serde_json::Deserializer::from_str(&said).into_iter::<Value>().next().unwrap().unwrap();
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
