//! Answers of Azure DevOps and Entra that are not what the protocol says.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emulator::{Fault, Service};
use proptest::prelude::*;
use serde_json::json;
use wif_core::code::Code;
use wif_io::clock::Clock as _;

use crate::support::Case;

const OIDC: &str = "/oidctoken";
const TOKEN: &str = "/oauth2/v2.0/token";
/// An upstream that stays down ends the step within this.
const MOST: Duration = Duration::from_secs(75);

fn from_devops(fault: impl FnOnce(Fault) -> Fault) -> Case {
    let case = Case::new();
    case.emulator.fault(fault(Fault::on(Service::DevOps, "POST", OIDC).always()));
    case
}

fn from_entra(fault: impl FnOnce(Fault) -> Fault) -> Case {
    let case = Case::new();
    case.emulator.fault(fault(Fault::on(Service::Entra, "POST", TOKEN).always()));
    case
}

#[test]
fn a_job_token_that_is_refused() {
    let case = Case::new().set("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "wrong");
    let text = case.fails(Code::JobTokenRefused);
    assert!(text.contains("401") && text.contains("activity "), "{text}");
    assert_eq!(case.asked(), (1, 0));
    for (status, words) in [(302, "302"), (203, "203 with a sign-in page"), (200, "200 with a sign-in page")]
    {
        let page = "<html><title>Azure DevOps Services | Sign In</title></html>";
        let case = from_devops(|fault| {
            fault.status(status).header("Location", "https://127.0.0.1:1/_signin").html(page)
        });
        let text = case.fails(Code::JobTokenRefused);
        assert!(text.contains(words), "{text}");
        assert_eq!(case.asked(), (1, 0), "no redirect is followed, no refusal is retried");
    }
}

#[test]
fn a_connection_that_the_stage_does_not_refer_to() {
    let case = Case::new();
    for job in &mut case.emulator.directory().jobs {
        job.connections.clear();
    }
    let text = case.fails(Code::ConnectionNotReferenced);
    assert!(text.contains("no explicit reference") && text.contains("stage"), "{text}");
    assert_eq!(case.asked(), (1, 0));
}

#[test]
fn a_connection_that_azure_devops_does_not_know() {
    let case = from_devops(|fault| fault.status(404));
    let text = case.fails(Code::ConnectionUnknown);
    assert!(text.contains("404"), "{text}");
    assert_eq!(case.asked(), (1, 0));
}

#[test]
fn a_refusal_without_a_meaning_of_its_own() {
    for (status, body, words) in [
        (405, json!({"count": 1, "value": {"Message": "no GET"}}), "405"),
        (
            400,
            json!({"typeKey": "VssInvalidPreviewVersionException", "message": "m"}),
            "VssInvalidPreviewVersion",
        ),
        (403, json!({"typeKey": "a token: eyJ0", "message": "eyJ0"}), "403"),
    ] {
        let case = from_devops(|fault| fault.status(status).json(&body));
        let text = case.fails(Code::IdTokenRefused);
        assert!(text.contains(words) && !text.contains("eyJ"), "{text}");
        assert_eq!(case.asked(), (1, 0));
    }
}

#[test]
fn a_plan_that_is_not_ready_is_waited_for() {
    let case = Case::new();
    let body = json!({"typeKey": "TaskOrchestrationPlanSecurityException", "message": "not yet"});
    case.emulator.fault(Fault::on(Service::DevOps, "POST", OIDC).times(2).status(403).json(&body));
    case.succeeds();
    assert_eq!(case.asked(), (3, 1));
}

#[test]
fn a_body_that_is_empty_or_something_else_is_asked_for_again_and_named_when_it_lasts() {
    for (body, words) in [
        ("", "empty"),
        ("{}", "not the JSON"),
        ("[1]", "not the JSON"),
        ("{\"oidcToken\":\"\"}", "JSON"),
        ("<html>", "a page for people"),
    ] {
        let case = from_devops(|fault| fault.status(200).body("application/json", body));
        let text = case.fails(Code::AnswerUnusable);
        assert!(text.contains(words), "{text}");
        assert!(case.asked().0 > 10 && case.clock.elapsed() < MOST, "{:?}", case.asked());
    }
    for (body, words) in [("", "empty"), ("{}", "not the JSON"), ("<html>", "a page for people")] {
        let case = from_entra(|fault| fault.status(200).body("application/json", body));
        let text = case.fails(Code::AnswerUnusable);
        assert!(text.contains(words), "{text}");
        assert!(case.asked().1 > 10 && case.clock.elapsed() < MOST, "{:?}", case.asked());
    }
}

#[test]
fn a_page_or_redirect_of_a_portal_is_no_refusal_of_the_job_token() {
    const PORTAL: &str = "<html><title>Sign In</title><h1>Welcome to the guest network</h1></html>";
    for location in ["https://portal.corp/login", "http://10.0.0.1:1000/fgtauth?x", "/blocked", ""] {
        let once = |fault: Fault| fault.status(302).header("Location", location).html(PORTAL);
        let case = Case::new();
        case.emulator.fault(once(Fault::on(Service::DevOps, "POST", OIDC)));
        case.succeeds();
        assert_eq!(case.asked(), (2, 1));
        let text = from_devops(once).fails(Code::AnswerUnusable);
        assert!(text.contains("302") && !text.contains("portal.corp"), "{text}");
    }
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", OIDC).html(PORTAL));
    case.succeeds();
    for location in [
        "https://spsprodweu1.vssps.visualstudio.com/_signin?realm=dev.azure.com",
        "https://login.microsoftonline.com/common/oauth2/authorize?x",
        "https://dev.azure.com/_signin",
    ] {
        let case = from_devops(|fault| fault.status(302).header("Location", location));
        case.fails(Code::JobTokenRefused);
        assert_eq!(case.asked(), (1, 0));
    }
}

#[test]
fn an_access_token_that_could_not_be_passed_on() {
    for token in ["", "a b", "a\r\n##vso[task.complete]", "$(x)", "a;]%", "a", "true", "nineteen-characters"]
    {
        let body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token});
        let case = from_entra(|fault| fault.json(&body));
        let run = case.run();
        let failure = run.result.as_ref().unwrap_err();
        assert_eq!(failure.code, Code::AnswerUnusable, "{failure}");
        let masked: Vec<_> = run.commands("task.setsecret").map(|(_, value)| value).collect();
        assert!(!masked.contains(&token), "{masked:?}");
    }
    let body = json!({"token_type": "pop", "expires_in": 3599, "access_token": "opaque-access-token"});
    from_entra(|fault| fault.json(&body)).fails(Code::AnswerUnusable);
}

#[test]
fn numbers_that_come_as_text() {
    let body = json!({"token_type": "bearer", "expires_in": "3599", "access_token": "opaque-access-token-x"});
    let case = from_entra(|fault| fault.json(&body));
    assert_eq!(case.succeeds().variable("AZURE_ACCESS_TOKEN"), "opaque-access-token-x");
}

#[test]
fn a_body_that_never_ends() {
    let text = from_devops(Fault::huge).fails(Code::AnswerUnusable);
    assert!(text.contains("larger than 256 KiB"), "{text}");
    from_entra(Fault::huge).fails(Code::AnswerUnusable);
}

#[test]
fn an_id_token_that_is_none() {
    for token in [
        "true",
        "opaque",
        "e30.e30.e30",
        "nineteen-characters",
        "an-opaque-text-without-any-claims",
        "a.b",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.e30.c2ln",
    ] {
        let case = from_devops(|fault| fault.replace_id_token(token));
        let text = case.fails(Code::IdTokenMalformed);
        assert!(text.contains(&format!("{} characters", token.len())), "{text}");
        assert_eq!(case.asked(), (1, 0));
    }
}

#[test]
fn an_id_token_that_ended_already() {
    let case = Case::new();
    case.emulator.directory().lifetimes.devops_id_token = -60;
    let text = case.fails(Code::IdTokenExpired);
    assert!(text.contains("ended 1 min"), "{text}");
    assert_eq!(case.asked(), (1, 0));
}

#[test]
fn an_id_token_for_another_tenant() {
    let other = "33333333-3333-3333-3333-333333333333";
    let case = Case::with_entra_issuer()
        .parameter("tenantid", other)
        .parameter("workloadIdentityFederationIssuer", "");
    let text = case.fails(Code::IdTokenOfOtherTenant);
    assert!(text.contains(other) && text.contains(&emulator::USUAL.tenant.to_string()), "{text}");
    assert_eq!(case.asked(), (1, 0));
}

#[test]
fn a_clock_that_is_wrong_is_named_before_anything_is_blamed() {
    for (seconds, words) in [(1200, "20 min"), (-1200, "20 min"), (90_000, "25 h 0 min")] {
        for case in [Case::new(), Case::with_entra_issuer()] {
            case.clock.wrong_by(seconds);
            let text = case.fails(Code::ClockWrong);
            let direction = if seconds > 0 { "ahead of" } else { "behind" };
            assert!(text.contains(words) && text.contains(direction), "{text}");
            assert_eq!(case.asked(), (1, 0));
        }
    }
    let case = Case::new();
    case.clock.wrong_by(100);
    case.succeeds();
}

#[test]
fn a_date_from_a_cache_blames_no_clock() {
    let case = Case::new();
    let old = "Sun, 22 Nov 2020 10:00:00 GMT";
    case.emulator.fault(Fault::on(Service::Entra, "GET", "/openid-configuration").always().date(old));
    case.emulator.fault(Fault::on(Service::Entra, "POST", TOKEN).always().date(old).header("Age", "100"));
    let run = case.succeeds();
    assert_eq!(run.commands("task.logissue").count(), 0);
}

#[test]
fn a_busy_answer_keeps_what_entra_said() {
    let body = json!({"error": "temporarily_unavailable", "error_codes": [90099], "error_description": null, "trace_id": "0f3c"});
    let text = from_entra(|fault| fault.status(503).json(&body)).fails(Code::ServiceUnavailable);
    assert!(
        text.contains("AADSTS90099") && text.contains("trace 0f3c") && text.contains("request "),
        "{text}"
    );
}

#[test]
fn a_services_own_message_is_shown_below_ours_without_what_could_be_a_secret() {
    let pat = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst";
    let message = format!("Service connection(s) linked with task(s) doesn't exist. Details: '{pat}'");
    let case = from_devops(|fault| {
        fault.status(400).json(&json!({"message": message, "typeKey": "ServiceEndpointException"}))
    });
    let text = case.fails(Code::IdTokenRefused);
    let (ours, theirs) = text.split_once("\n  service says          ").unwrap();
    assert!(ours.contains("(it answered 400, ServiceEndpointException)"), "{text}");
    assert!(
        theirs
            .starts_with("Service connection(s) linked with task(s) doesn't exist. Details: '(not shown)'\n"),
        "{text}"
    );
    let body = json!({"error": "invalid_client", "error_codes": [7_000_215], "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: x"});
    let text = from_entra(|fault| fault.status(401).json(&body)).fails(Code::CredentialRefused);
    assert!(text.contains("\n  service says          Invalid client secret provided.\n"), "{text}");
    // A number without a meaning of its own: the sentence is the story, once.
    let body = json!({"error": "invalid_client", "error_codes": [9_999_123], "error_description": "AADSTS9999123: Something new."});
    let text = from_entra(|fault| fault.status(401).json(&body)).fails(Code::EntraRefused);
    assert_eq!(text.matches("Something new.").count(), 1, "{text}");
    let page = from_devops(|fault| fault.status(400).html("<html>a secret page</html>"));
    assert!(!page.fails(Code::IdTokenRefused).contains("service says"));
}

/// Bodies that are refusals, nearly so, or anything.
fn any_body() -> impl Strategy<Value = String> {
    let description = "(AADSTS[0-9]{1,8}: )?.{0,400}( bad assertion eyJ[a-z]{5,30})?( Trace ID: .{0,10})?";
    let refusal = (".{0,80}", description, any::<i64>()).prop_map(|(error, description, code)| {
        json!({"error": error, "error_description": description, "error_codes": [code], "trace_id": error}).to_string()
    });
    prop_oneof![4 => refusal, 1 => ".{0,300}", 1 => "\\{\"error\":.{0,30}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_entra_answers_is_told_in_a_line_without_a_token(status in 400_u16..600, body in any_body()) {
        let case = from_entra(|fault| fault.status(status).body("application/json", body));
        let failure = case.run().result.unwrap_err();
        let said = failure.to_string();
        prop_assert!(!said.contains("eyJ"), "{said}");
        prop_assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
        prop_assert!(said.len() < 4000 && said.lines().count() < 16, "{said}");
        prop_assert!(!said.contains("##[") && !said.to_lowercase().contains("##vso"), "{said}");
    }

    #[test]
    fn whatever_an_id_token_claims_is_told_in_its_own_lines(
        claims in prop::collection::vec("(?s)((##vso\\[a.b\\]|##\\[error\\]|[\r\n/\u{ad}\u{200b}]|https://|sc://|.){0,60})", 3),
        number in prop::sample::select(vec![700_213_u32, 700_211, 700_212, 70_025]),
    ) {
        let claims = json!({"iss": claims[0], "sub": claims[1], "aud": claims[2], "exp": 4_000_000_000_u64});
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let case = from_devops(|fault| fault.replace_id_token(&token));
        case.emulator.fault(Fault::on(Service::Entra, "POST", TOKEN).always().aadsts(number));
        let failure = case.run().result.unwrap_err();
        let said = failure.to_string();
        prop_assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
        prop_assert!(!said.contains("##[") && !said.to_lowercase().contains("##vso"), "{said}");
        let lines = 1 + failure.details.len() + 3 + usize::from(failure.command.is_some());
        prop_assert_eq!(said.split('\n').count(), lines, "{}", said);
    }
}
