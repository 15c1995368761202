//! Every refusal of Entra that has a meaning: the step fails with its code, cause and remedy, and only what may
//! pass is tried again.

use std::time::Duration;

use emulator::{Fault, Service};
use wif::{clock::Clock as _, error::Code, identity::aadsts, retry::Outcome};

use crate::support::Case;

fn refused_with(number: u32) -> Case {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().aadsts(number));
    case
}

#[test]
fn every_known_refusal_is_explained() {
    for number in aadsts::known() {
        let meaning = aadsts::meaning(number).unwrap();
        let case = refused_with(number);
        let text = case.fails(meaning.code);
        assert!(text.contains(&format!("AADSTS{number}")), "{text}");
        assert!(text.contains(meaning.cause) && text.contains(meaning.remedy), "{text}");
        assert!(text.contains("correlation ") && text.contains("trace "), "{text}");
        let waited: Duration = case.clock.sleeps().iter().sum();
        let (id_tokens, access_tokens) = case.asked();
        match meaning.outcome {
            Outcome::Busy { .. } => {
                assert!(access_tokens > 3 && waited < Duration::from_secs(60), "{number}");
            }
            Outcome::Doubtful => {
                assert_eq!((access_tokens, waited.as_secs()), (4, 14), "{number}");
                assert!(case.clock.elapsed() < Duration::from_secs(20), "{number}");
            }
            _ => assert_eq!(access_tokens, 1 + usize::from(meaning.fresh_assertion), "{number}"),
        }
        assert_eq!(id_tokens, 1 + usize::from(meaning.fresh_assertion), "{number}");
    }
}

#[test]
fn an_unknown_refusal_is_quoted_without_its_ids_twice() {
    let case = refused_with(900_561);
    let text = case.fails(Code::EntraRefused);
    assert!(text.contains("AADSTS900561") && text.matches("Trace ID").count() == 0, "{text}");
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
        ["subject organisation  contoso", "subject project       Platform", "subject connection    sc-prod"]
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
