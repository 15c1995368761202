//! Who may ask, in which protocol, and what the answer is.

use std::sync::Arc;

use emulator::{Fault, Service};
use time::OffsetDateTime;
use wif_io::clock;

use super::{KEY, head, open, raw};
use crate::support::{Case, run};

#[test]
fn a_caller_that_may_not_ask_gets_a_reason_and_no_token() {
    let case = Case::new().input("allowedResources", "arm");
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let key = format!("X-IDENTITY-HEADER: {KEY}\r\n");
        let get = |path: &str, headers: &str| head(&format!("GET {path}"), port, headers);
        let identity = "/identity?resource=https://management.azure.com/&api-version=2019-08-01";
        let foreign = |extra: &str| get(identity, &format!("{key}{extra}"));
        let refused: Vec<(&str, String)> = vec![
            ("401", get(identity, "")),
            ("401", get(identity, "X-IDENTITY-HEADER: wrong\r\n")),
            ("401", get(identity, &format!("Authorization: Bearer {KEY}\r\n"))),
            ("401", get("/wrong/identity?resource=https://management.azure.com/", "Metadata: true\r\n")),
            ("401", get("/id-token?session=1", "")),
            ("401", head("POST /azd/token", port, "Content-Length: 0\r\n")),
            ("401", get("/status", "")),
            ("401", head("POST /end", port, "Content-Length: 0\r\n")),
            ("403", foreign("Origin: https://evil.example\r\n")),
            ("403", foreign("X-Forwarded-For: 10.0.0.1\r\n")),
            ("403", foreign("Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: cross-site\r\n")),
            ("403", head(&format!("GET http://evil.example{identity}"), port, &key)),
            (
                "403",
                format!("GET {identity} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n{key}\r\n"),
            ),
            ("403", format!("GET {identity} HTTP/1.0\r\n{key}\r\n")),
            ("403", get("/identity?resource=https://vault.azure.net", &key)),
            ("403", get(&format!("/{KEY}/identity?resource=https://vault.azure.net"), "")),
            ("400", get("/identity", &key)),
            ("400", get("/identity?resource=nonsense", &key)),
            ("400", get(&format!("{identity}&resource=x"), &key)),
            ("400", get(&format!("{identity}&client_id=11111111-1111-1111-1111-111111111111"), &key)),
            ("400", get(&format!("{identity}&mi_res_id=/subscriptions/x"), &key)),
            ("404", get("/", &key)),
            ("404", get("/identity/", &key)),
            ("405", head("DELETE /identity?resource=arm", port, &key)),
            ("405", head("PUT /id-token", port, &format!("Authorization: Bearer {KEY}\r\n"))),
            (
                "415",
                head(
                    "POST /azd/token",
                    port,
                    &format!("Authorization: Bearer {KEY}\r\nContent-Length: 2\r\n"),
                ) + "{}",
            ),
            ("431", get(identity, &format!("X-Long: {}\r\n", "x".repeat(20_000)))),
            ("431", get(identity, &"X-Many: x\r\n".repeat(100))),
            (
                "413",
                head(
                    "POST /azd/token",
                    port,
                    &format!(
                        "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n"
                    ),
                ) + &" ".repeat(65_537),
            ),
        ];
        let count = refused.len();
        for (status, request) in refused {
            let answer = raw(port, &request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}"))
                    || answer.starts_with(&format!("HTTP/1.0 {status}")),
                "{request}\n{answer}"
            );
            assert!(!answer.contains("eyJ") && !answer.contains(KEY), "{answer}");
        }
        assert!(case.emulator.journal().is_empty(), "{}", case.emulator.journal_text());
        let status = raw(port, &get("/status", &key)).await;
        // The two heads that were too large were never requests.
        assert!(status.contains(&format!("\"refused\":{}", count - 2)), "{status}");
    });
}

#[test]
fn every_protocol_has_the_fields_that_its_strictest_reader_wants() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let json = async |request: String| {
            let answer = raw(port, &request).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
            serde_json::from_str::<serde_json::Value>(body).unwrap()
        };
        let client = emulator::USUAL.client;
        for request in [
            head(
                &format!(
                    "GET /identity?api-version=2017-09-01&resource=https://vault.azure.net&client_id={client}"
                ),
                port,
                &format!("X-IDENTITY-HEADER: {KEY}\r\nMetadata: true\r\n"),
            ),
            head(
                &format!("GET /{KEY}/identity?api-version=2018-02-01&resource=https://vault.azure.net"),
                port,
                "Metadata: true\r\n",
            ),
        ] {
            let answer = json(request).await;
            for field in ["access_token", "expires_on", "expires_in", "resource", "token_type", "client_id"] {
                assert!(answer[field].is_string(), "{field} in {answer}");
            }
            let expires: i64 = answer["expires_on"].as_str().unwrap().parse().unwrap();
            assert!(expires > case.emulator.now().unix_timestamp() + 20 * 60);
            assert!(answer["expires_in"].as_str().unwrap().parse::<u64>().unwrap() > 20 * 60);
            assert_eq!(
                (&answer["resource"], &answer["token_type"]),
                (&"https://vault.azure.net".into(), &"Bearer".into())
            );
        }
        let bearer = format!("Authorization: Bearer {KEY}\r\n");
        let github =
            json(head("GET /id-token?session=1&audience=api://AzureADTokenExchange", port, &bearer)).await;
        let devops =
            json(head("POST /id-token?session=1", port, &format!("{bearer}Content-Length: 0\r\n"))).await;
        assert_eq!(github["value"], devops["oidcToken"]);
        let body = r#"{"scopes":["https://vault.azure.net/.default"]}"#;
        let headers = format!("{bearer}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let azd = json(head("POST /azd/token?api-version=2023-07-12-preview", port, &headers) + body).await;
        assert_eq!(azd["status"], "success");
        assert!(
            OffsetDateTime::parse(
                azd["expiresOn"].as_str().unwrap(),
                &time::format_description::well_known::Rfc3339
            )
            .is_ok()
        );
        assert_eq!(case.asked(), (1, 1), "{}", case.emulator.journal_text());
    });
}

#[test]
fn the_longest_resource_can_be_asked_for_by_its_scope_and_stands_whole_in_the_answer() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let scope = format!("https://{}.blob.core.windows.net/.default", "a".repeat(370));
        assert_eq!(scope.len(), 400 + "/.default".len());
        let request = format!("GET /identity?api-version=2017-09-01&resource={scope}");
        let answer =
            raw(session.port, &head(&request, session.port, &format!("X-IDENTITY-HEADER: {KEY}\r\n"))).await;
        assert!(answer.contains(&format!("\"resource\":\"{scope}\"")), "{answer}");
    });
}

#[test]
fn azd_gets_a_token_for_one_scope_of_the_connections_own_tenant() {
    let case = Case::new();
    let scope = "https://vault.azure.net/.default";
    let own = emulator::USUAL.tenant;
    let long = format!(r#"{{"scopes":["{scope}"]}}{}"#, " ".repeat(60_000));
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        for (status, body) in [
            ("200", format!(r#"{{"scopes":["{scope}"],"tenantId":""}}"#)),
            ("200", format!(r#"{{"scopes":["{scope}"],"tenantId":"{own}"}}"#)),
            ("200", long),
            ("400", format!(r#"{{"scopes":["{scope}"],"tenantId":"11111111-1111-1111-1111-111111111111"}}"#)),
            ("400", format!(r#"{{"scopes":["{scope}"],"tenantId":"contoso.com"}}"#)),
            ("400", format!(r#"{{"scopes":["{scope}","{scope}"]}}"#)),
            ("400", r#"{"scopes":[]}"#.to_owned()),
            ("400", "{}".to_owned()),
        ] {
            let headers = format!(
                "Authorization: Bearer {KEY}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n",
                body.len()
            );
            let answer = raw(session.port, &(head("POST /azd/token", session.port, &headers) + &body)).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}\n{answer}", body.trim_end());
            assert_eq!(answer.contains("eyJ"), status == "200", "{answer}");
        }
    });
}

#[test]
fn an_empty_client_id_stands_for_the_only_identity_of_the_session() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let own = emulator::USUAL.client.to_string();
        for client in ["", &own, &own.to_uppercase()] {
            let path = format!("GET /identity?resource=https://management.azure.com&client_id={client}");
            let key = format!("X-IDENTITY-HEADER: {KEY}\r\n");
            let answer = raw(session.port, &head(&path, session.port, &key)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "'{client}': {answer}");
        }
    });
}

#[test]
fn the_id_token_never_leaves_where_resources_are_limited() {
    let limited = || Case::new().input("refresh", "true").input("allowedResources", "arm");
    for (case, status) in [
        (limited().input("exports", "azure-sdk"), "403"),
        (limited().input("exports", "terraform"), "403"),
        (limited().input("exports", "token-file"), "403"),
        (limited(), "403"),
        (Case::new().input("exports", "azure-sdk"), "200"),
        (Case::new(), "200"),
    ] {
        run(async {
            let session = open(&case, Arc::new(clock::System::new())).await;
            let bearer = format!("Authorization: Bearer {KEY}\r\n");
            for method in ["POST", "GET"] {
                let request = head(&format!("{method} /id-token?session=1"), session.port, &bearer);
                let answer = raw(session.port, &request).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            }
        });
    }
}

#[test]
fn another_tools_token_in_place_of_the_key_is_explained_and_not_repeated() {
    let case = Case::new();
    let job_token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2IifQ.c2lnbmF0dXJl";
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let request = |bearer: &str| {
            let path = "GET /id-token?session=1&audience=api://AzureADTokenExchange";
            head(path, session.port, &format!("Authorization: Bearer {bearer}\r\n"))
        };
        let answer = raw(session.port, &request(job_token)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        for word in
            ["TerraformTask@5", "ARM_OIDC_REQUEST_TOKEN", "ARM_OIDC_REQUEST_URL", "session:", "exports"]
        {
            assert!(answer.contains(word), "{word}: {answer}");
        }
        assert!(!job_token.split('.').any(|part| answer.contains(part)), "{answer}");
        let elsewhere = head("GET /status", session.port, &format!("Authorization: Bearer {job_token}\r\n"));
        let answer = raw(session.port, &elsewhere).await;
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("TerraformTask"), "{answer}");
        let answer = raw(session.port, &request("wrong")).await;
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("TerraformTask"), "{answer}");
        assert!(case.emulator.journal().is_empty(), "{}", case.emulator.journal_text());
    });
}

#[test]
fn nodes_fetch_is_not_taken_for_a_browser() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let headers = format!("X-IDENTITY-HEADER: {KEY}\r\nSec-Fetch-Mode: cors\r\n");
        let answer = raw(session.port, &head("GET /status", session.port, &headers)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}

#[test]
fn azd_reads_the_reason_in_an_answer_that_says_200() {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", "/oidctoken").always().status(418));
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let body = r#"{"scopes":["https://vault.azure.net/.default"]}"#;
        let headers = format!(
            "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let answer = raw(session.port, &(head("POST /azd/token", session.port, &headers) + body)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(r#""code":"GetTokenError""#) && answer.contains("WIF2"), "{answer}");
    });
}

#[test]
fn callers_are_told_whether_to_come_back() {
    for (status, expected) in [(503, "HTTP/1.1 503"), (418, "HTTP/1.1 403")] {
        let case = Case::new();
        case.emulator.fault(
            Fault::on(Service::DevOps, "POST", "/oidctoken")
                .always()
                .status(status)
                .header("Retry-After", "300"),
        );
        run(async {
            let session = open(&case, Arc::new(clock::System::new())).await;
            let path = "GET /identity?resource=https://management.azure.com";
            let answer =
                raw(session.port, &head(path, session.port, &format!("X-IDENTITY-HEADER: {KEY}\r\n"))).await;
            assert!(answer.starts_with(expected), "{answer}");
        });
    }
}
