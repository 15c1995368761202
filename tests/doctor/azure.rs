//! What Azure Resource Manager and Microsoft Graph say of the identity, or refuse to say.

use std::time::Duration;

use emulator::{
    Fault, Service,
    directory::{App, FederatedCredential, Kind},
};
use serde_json::json;
use uuid::Uuid;
use wif_core::{code::Code, refusals};
use wif_io::clock::Clock as _;

use super::{diagnose, names_only, reader, trusted, with_ids};
use crate::refusals::Again;

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
        // The ids stand in the command where it has `<client id>` and its like.
        let command = known.command.split('<').next().unwrap_or_default();
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
            for part in [expected.says, known.meaning, known.remedy, command] {
                assert!(found.text.contains(part), "{name}: {}", found.text);
            }
            assert_eq!(case.emulator.count(Service::Graph, "GET /"), 1, "{name}");
            continue;
        }
        let words = [name, expected.says, known.meaning, known.remedy, command];
        let found = names_only(&case, expected.code, &words);
        let asked = case.emulator.count(Service::Arm, "GET /subscriptions/");
        match expected.again {
            Again::Passes => assert_eq!(asked, 11, "{name}"),
            again => assert_eq!((asked, again), (1, Again::No), "{name}: {}", found.text),
        }
        assert!(case.clock.elapsed() < Duration::from_secs(75), "{name}");
    }
}

#[test]
fn a_managed_identity_and_its_credential_are_found_on_a_later_page() {
    let case = with_ids();
    let client = case.emulator.usual().entra_client;
    {
        let mut directory = case.emulator.directory();
        directory.quirks.arm_page = Some(1);
        let tenant = case.emulator.usual().tenant;
        directory.tenant(tenant).apps.insert(0, App::new(Uuid::from_u128(0x3333), Kind::ManagedIdentity));
        let app = directory.app(client);
        app.kind = Kind::ManagedIdentity;
        let own = app.federated_credentials[0].clone();
        let other = FederatedCredential { subject: "sc://other/other/other".to_owned(), ..own };
        app.federated_credentials.insert(0, other);
    }
    let token = reader(&case.emulator, "https://management.azure.com");
    let found = diagnose(&case.set("WIF_ARM_TOKEN", &token));
    assert_eq!(found.faults, Vec::<String>::new(), "{}", found.text);
    assert!(found.text.contains("managed identity"), "{}", found.text);
}
