//! Every refusal of Entra that has a meaning: the step fails with its code, cause and remedy, and only what may
//! pass is tried again.

mod expected;

use std::{collections::BTreeSet, time::Duration};

use emulator::{Fault, Service};
use serde_json::json;
use wif_core::{
    code::Code,
    refusals::{self, Name},
};

use self::expected::Expected;
pub(crate) use self::expected::{Again, of_azure, of_clouds};
use crate::support::Case;

fn refused_with(number: u32) -> Case {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().aadsts(number));
    case
}

/// The names of the catalogue that are of this kind.
pub(crate) fn known(is_of: impl Fn(Name) -> bool) -> BTreeSet<String> {
    refusals::all().map(|known| known.name).filter(|name| is_of(*name)).map(|name| name.to_string()).collect()
}

/// What the catalogue says of it stands in the text.
fn check_text(expected: &Expected, text: &str) {
    let first = text.lines().next().unwrap();
    assert!(first.contains(expected.says), "{}: no '{}' in\n{text}", expected.name, expected.says);
    let known = refusals::named(expected.name).unwrap();
    assert!(first.contains(known.meaning), "{text}");
    assert!(text.contains(&format!("\n  at fault: {}\n", expected.code.party())), "{text}");
    assert!(text.contains(&format!("\n  fix: {}\n  run: {}\n", known.remedy, known.command)), "{text}");
}

#[test]
fn every_refusal_that_is_known_is_expected_and_no_other() {
    let names = |expected: Vec<Expected>| expected.iter().map(|expected| expected.name.to_owned()).collect();
    let all: [(BTreeSet<String>, _); 4] = [
        (names(expected::of_entra()), known(|name| matches!(name, Name::Entra(_)))),
        (names(expected::of_devops()), known(|name| matches!(name, Name::DevOps(_)))),
        (names(expected::of_azure()), known(|name| matches!(name, Name::ResourceManager(_)))),
        (
            names(expected::of_clouds()),
            known(|name| matches!(name, Name::Aws(_) | Name::Google(_) | Name::Vault(_))),
        ),
    ];
    for (expected, known) in all {
        assert_eq!(expected, known);
    }
}

#[test]
fn every_known_refusal_is_explained() {
    for expected in expected::of_entra() {
        let name = expected.name;
        let case = refused_with(name.trim_start_matches("AADSTS").parse().unwrap());
        let text = case.fails(expected.code);
        check_text(&expected, &text);
        assert!(text.lines().next().unwrap().contains(&format!("({name})")), "{text}");
        assert!(text.contains("correlation ") && text.contains("trace "), "{text}");
        let (id_tokens, access_tokens) = case.asked();
        expected.again.check(name, access_tokens, &case.clock.sleeps());
        assert_eq!(id_tokens, if expected.again == Again::Fresh { 2 } else { 1 }, "{name}");
    }
}

/// The answer of Azure DevOps that has this name.
fn answer(name: &str) -> Fault {
    let fault = Fault::on(Service::DevOps, "POST", "/oidctoken").always();
    let says = |fault: Fault, status: u16, kind: &str, message: &str| {
        fault.status(status).json(&json!({"$id": "1", "message": message, "typeKey": kind, "errorCode": 0}))
    };
    let page = "<html><head><title>Object moved</title></head></html>";
    match name {
        "no-explicit-reference" => fault.status(400).json(&json!({"count": 151, "value": "There is no explicit reference to service connection \
            a3c1f0de-1b52-4c8e-b0d7-2e9f4a6c8b13 from current stage Deploy.Job.__default."})),
        "oidctoken-401" => fault.status(401),
        "oidctoken-302" => fault.status(302).html(page).header("location", "https://spsprodweu1.vssps.visualstudio.com/_signin"),
        "oidctoken-203" => fault.status(203).html(page),
        "oidctoken-404" => fault.status(404),
        "oidctoken-405" => fault.status(405).json(&json!({"count": 1, "value": {"Message": "The requested resource does not support http method 'GET'."}})),
        "oidctoken-503" => fault.status(503),
        "TF400733" => says(fault, 429, "", "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource."),
        "TF400813" => says(fault, 403, "UnauthorizedRequestException", "TF400813: The user is not authorized to access this resource."),
        "TF401444" => says(fault, 403, "AccessDeniedException", "TF401444: Please sign-in at least once in a web browser."),
        "VS800075" => says(fault, 404, "ProjectDoesNotExistException", "VS800075: The project with id 'x' does not exist, or you do not have permission to access it."),
        "connection-not-shared" => says(fault, 404, "ServiceEndpointException", "The service connection is not shared with this project."),
        "connection-not-authorized" => says(fault, 403, "PipelineValidationException", "The service connection does not exist, has been disabled or has not been \
            authorized for use. For authorization details, refer to https://aka.ms/yamlauthz."),
        "connection-disabled" => says(fault, 403, "ServiceEndpointException", "The service connection sc-prod is disabled."),
        "connection-unused" => says(fault, 403, "ServiceEndpointException", "The service connection sc-prod was disabled: it has not been used for 100 days."),
        "approval-pending" => says(fault, 403, "CheckException", "The approval of the service connection is still pending."),
        "TaskOrchestrationPlanSecurityException" => says(fault, 400, "TaskOrchestrationPlanSecurityException", "An exception with a type of its own."),
        "VssInvalidPreviewVersionException" => says(fault, 400, "VssInvalidPreviewVersionException", "The requested version \"7.1\" of the resource is under preview."),
        other => panic!("what does Azure DevOps send for {other}?"),
    }
}

#[test]
fn every_known_refusal_of_azure_devops_is_explained() {
    for expected in expected::of_devops() {
        let case = Case::new();
        case.emulator.fault(answer(expected.name));
        check_text(&expected, &case.fails(expected.code));
        let (id_tokens, access_tokens) = case.asked();
        expected.again.check(expected.name, id_tokens, &case.clock.sleeps());
        assert_eq!(access_tokens, 0, "{}", expected.name);
    }
}

#[test]
fn a_wrong_clock_is_told_beside_a_job_token_that_is_refused() {
    let case = Case::new();
    case.clock.wrong_by(1200);
    case.emulator.fault(answer("oidctoken-401"));
    let text = case.fails(Code::JobTokenRefused);
    assert!(text.contains("this machine's clock is 20 min ahead"), "{text}");
    assert_eq!(case.asked(), (1, 0));
}

#[test]
fn a_disabled_connection_of_the_emulated_azure_devops_is_named() {
    let case = Case::new();
    case.emulator.directory().connection(case.connection).disabled = true;
    let text = case.fails(Code::ConnectionDisabled);
    assert!(text.contains("at fault: the service connection") && text.contains("> Enable"), "{text}");
    assert_eq!(case.asked(), (1, 0));
}

#[test]
fn an_unknown_refusal_is_quoted_without_its_ids_twice() {
    let case = refused_with(999_999);
    let text = case.fails(Code::EntraRefused);
    assert!(text.contains("AADSTS999999") && text.matches("Trace ID").count() == 0, "{text}");
    assert_eq!(case.asked(), (1, 1));
}

#[test]
fn what_was_presented_is_shown_in_parts_that_no_mask_hits() {
    let case = Case::new();
    let usual = case.emulator.usual();
    case.emulator.directory().app(usual.client).federated_credentials[0].subject =
        "sc://contoso/platform/sc-prod".to_owned();
    let text = case.fails(Code::SubjectNotTrusted);
    for line in
        ["subject organization  contoso", "subject project       Platform", "subject connection    sc-prod"]
    {
        assert!(text.contains(line), "no '{line}' in\n{text}");
    }
    assert!(!text.contains("sc://") && !text.contains("https://vstoken.dev.azure.com/"), "{text}");
}

#[test]
fn a_federated_credential_that_is_still_on_its_way_is_waited_for() {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").times(2).aadsts(700_213));
    case.succeeds();
    assert_eq!(case.asked(), (1, 3));
    assert_eq!(case.clock.sleeps(), [2, 4].map(Duration::from_secs));
}

#[test]
fn the_audience_of_an_entra_issued_id_token_is_no_fault() {
    let case = Case::with_entra_issuer();
    case.succeeds();
    let case = Case::with_entra_issuer();
    let client = emulator::USUAL.entra_client;
    case.emulator.directory().app(client).federated_credentials[0].audience =
        emulator::identity::EXCHANGE_AUDIENCE_ID.to_string();
    let text = case.fails(Code::AudienceNotTrusted);
    assert!(text.contains("api://AzureADTokenExchange"), "{text}");
}

#[test]
fn one_refused_resource_exports_nothing_of_the_others() {
    let case = Case::new().input("accessTokens", "A=arm\nB=https://unknown.example");
    let text = case.fails(Code::ResourceUnknown);
    assert!(text.contains("https://unknown.example"), "{text}");
}
