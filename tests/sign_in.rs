//! A sign-in that works: what is asked, what is exported, what is said.

use std::{sync::Arc, time::Duration};

use emulator::{Fault, Gate, Service};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use wif_io::clock::Limit;

use crate::support::{Case, block_until};

#[test]
fn one_id_token_and_one_access_token_cost_one_request_each() {
    let case = Case::new();
    let usual = case.emulator.usual();
    let run = case.succeeds();
    assert_eq!(case.asked(), (1, 1));
    for (name, value) in [
        ("AZURE_CLIENT_ID", usual.client.to_string()),
        ("AZURE_TENANT_ID", usual.tenant.to_string()),
        ("AZURE_SUBSCRIPTION_ID", usual.subscription.to_string()),
        ("AZURE_AUTHORITY_HOST", format!("{}/", case.emulator.entra_url())),
        ("ARM_CLIENT_ID", usual.client.to_string()),
        ("ARM_TENANT_ID", usual.tenant.to_string()),
        ("ARM_SUBSCRIPTION_ID", usual.subscription.to_string()),
        ("ARM_ENVIRONMENT", "public".to_owned()),
        ("ARM_USE_OIDC", "true".to_owned()),
    ] {
        assert_eq!(run.variable(name), value, "{name}");
    }
    let file = run.variable("ARM_OIDC_TOKEN_FILE_PATH");
    assert_eq!(run.variable("AZURE_FEDERATED_TOKEN_FILE"), file);
    let id_token = std::fs::read_to_string(file).unwrap();
    assert!(case.emulator.issued().iter().any(|issued| issued.value == id_token));
    let expires = OffsetDateTime::parse(&run.variable("AZURE_ACCESS_TOKEN_EXPIRES_ON"), &Rfc3339).unwrap();
    let life = expires - case.emulator.now();
    assert!((3500..=3600).contains(&life.whole_seconds()), "{life}");
}

#[test]
fn both_issuers_are_signed_in_with() {
    let case = Case::with_entra_issuer();
    let run = case.succeeds();
    assert_eq!(case.asked(), (1, 1));
    assert_eq!(run.variable("AZURE_CLIENT_ID"), case.emulator.usual().entra_client.to_string());
    assert!(run.out.contains("https://login.microsoftonline.com (Entra)"), "{}", run.out);
}

#[test]
fn a_value_is_masked_before_anything_that_holds_it() {
    let case = Case::new().input("accessTokens", "A=arm\nB=keyvault");
    let run = case.succeeds();
    for issued in case.emulator.issued() {
        let Some(first) = run.out.find(&issued.value) else { continue };
        let line_begin = run.out[..first].rfind('\n').map_or(0, |at| at + 1);
        assert!(
            run.out[line_begin..].starts_with("##vso[task.setsecret]"),
            "{:?} comes unmasked",
            issued.kind
        );
    }
    assert_eq!(run.commands("task.setsecret").count(), 3);
}

#[test]
fn the_log_is_short_and_says_who_what_and_until_when() {
    let case = Case::new();
    let usual = case.emulator.usual();
    let run = case.succeeds();
    let plain: Vec<_> = run.out.lines().filter(|line| !line.starts_with("##vso[")).collect();
    assert!(plain.len() <= 16, "{plain:#?}");
    let text = plain.join("\n");
    for word in [
        usual.tenant.to_string().as_str(),
        &usual.subscription.to_string(),
        usual.subscription_name,
        "https://vstoken.dev.azure.com (Azure DevOps)",
        usual.organization,
        usual.project,
        usual.connection_name,
        "AZURE_ACCESS_TOKEN",
        "https://management.core.windows.net until ",
        "ARM_OIDC_TOKEN_FILE_PATH",
    ] {
        assert!(text.contains(word), "no {word} in\n{text}");
    }
    for whole in ["sc://", "https://vstoken.dev.azure.com/"] {
        assert!(!text.contains(whole), "the agent masks {whole}… as a whole");
    }
}

#[test]
fn any_number_of_resources_goes_over_one_connection_in_parallel() {
    let case = Case::new().input("accessTokens", "A=arm\nB=keyvault\nC=storage\nD=graph\nE=devops");
    let gate = Gate::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").times(5).gate(&gate));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // All five are at the gate before any is answered.
            gate.wait_until_reached(5);
            gate.open();
        });
        case.succeeds();
    });
    assert_eq!(case.asked(), (1, 5));
    assert_eq!(case.emulator.connections(Service::Entra), 1);
}

#[test]
fn the_connection_to_entra_is_made_while_the_id_token_is_on_its_way() {
    let case = Case::new();
    let gate = Gate::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", "/oidctoken").gate(&gate));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            gate.wait_until_reached(1);
            block_until(
                "a connection to Entra",
                || case.emulator.journal_text(),
                || case.emulator.connections(Service::Entra) > 0,
            );
            gate.open();
        });
        case.succeeds();
    });
    assert_eq!(case.emulator.connections(Service::Entra), 1);
}

#[test]
fn a_slow_start_at_entra_does_not_hold_the_exchange_back_for_long() {
    let case = Case::new();
    let emulator = Arc::clone(&case.emulator);
    case.clock.hangs(Limit::ConnectionAhead, move || emulator.count(Service::Entra, "/openid-configuration"));
    case.emulator.fault(Fault::on(Service::Entra, "GET", "/openid-configuration").always().hang());
    case.succeeds();
    assert_eq!(case.asked(), (1, 1));
    assert_eq!(case.clock.sleeps(), Vec::<Duration>::new());
}

#[test]
fn the_id_token_that_the_agent_brought_along_is_used_while_it_is_valid() {
    let first = Case::new();
    let file = first.succeeds().variable("ARM_OIDC_TOKEN_FILE_PATH");
    let id_token = std::fs::read_to_string(file).unwrap();
    let case = first.parameter("idToken", &id_token);
    case.succeeds();
    assert_eq!(case.asked(), (1, 2), "one of each before, one more access token now");
}

#[test]
fn an_id_token_that_the_agent_brought_along_and_that_ended_is_replaced() {
    let case = Case::new();
    case.emulator.directory().lifetimes.devops_id_token = 20;
    let file = case.succeeds().variable("ARM_OIDC_TOKEN_FILE_PATH");
    let almost_over = std::fs::read_to_string(file).unwrap();
    for (nth, unusable) in [almost_over.as_str(), "not a token"].into_iter().enumerate() {
        let run = Case::new().parameter("idToken", unusable);
        run.succeeds();
        assert_eq!(run.asked(), (1, 1), "{nth}");
    }
}

#[test]
fn an_id_token_that_entra_finds_too_old_is_asked_for_again_once() {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").aadsts(700_024));
    case.succeeds();
    assert_eq!(case.asked(), (2, 2));
}

#[test]
fn the_address_is_made_of_its_parts_where_the_agent_gives_none() {
    let case = Case::new().unset("SYSTEM_OIDCREQUESTURI");
    case.succeeds();
    assert_eq!(case.asked(), (1, 1));
}

#[test]
fn the_request_for_an_id_token_is_what_the_api_wants() {
    let case = Case::new();
    case.succeeds();
    let journal = case.emulator.journal();
    let request = journal.iter().find(|entry| entry.service == Service::DevOps).unwrap();
    assert_eq!(request.method, "POST");
    assert_eq!(request.query("api-version"), Some("7.1"));
    assert_eq!(request.query("serviceConnectionId"), Some(case.connection.to_string().as_str()));
    assert_eq!(request.header("x-tfs-fedauthredirect"), Some("Suppress"));
    assert_eq!(request.header("content-length"), Some("0"));
    let token = journal.iter().find(|entry| entry.path.ends_with("/oauth2/v2.0/token")).unwrap();
    assert_eq!(token.form("grant_type"), Some("client_credentials"));
    assert!(token.header("client-request-id").is_some());
}

#[test]
fn families_choose_what_is_exported() {
    let exported = |exports: &str| {
        let case = Case::new().input("exports", exports).input("accessTokens", "");
        let variables = case.succeeds().variables();
        (variables.into_keys().filter(|name| !name.ends_with("_ID")).collect::<Vec<_>>(), case.asked())
    };
    let always = "AZURE_AUTHORITY_HOST";
    assert_eq!(exported("none"), (vec![always.to_owned()], (1, 0)));
    assert_eq!(
        exported("token-file"),
        (vec![always.to_owned(), "AZURE_FEDERATED_TOKEN_FILE".to_owned()], (1, 0)),
        "an id token for others than Azure is not tried at Entra"
    );
    assert_eq!(
        exported("azure-sdk"),
        (
            ["AZCOPY_AUTO_LOGIN_TYPE", always, "AZURE_FEDERATED_TOKEN_FILE"].map(str::to_owned).to_vec(),
            (1, 1)
        ),
        "one for Azure is"
    );
    let (terraform, _) = exported("terraform");
    assert_eq!(
        terraform,
        ["ARM_ENVIRONMENT", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_USE_OIDC", always].map(str::to_owned)
    );
}

#[test]
fn every_variable_of_a_named_session_begins_with_its_name() {
    let case = Case::new().input("session", "hub").input("accessTokens", "vault.token=keyvault");
    let variables = case.succeeds().variables();
    assert!(variables.keys().all(|name| name.starts_with("HUB_")), "{:?}", variables.keys());
    for name in [
        "HUB_AZURE_CLIENT_ID",
        "HUB_ARM_OIDC_TOKEN_FILE_PATH",
        "HUB_VAULT.TOKEN",
        "HUB_VAULT.TOKEN_EXPIRES_ON",
    ] {
        assert!(variables.contains_key(name), "no {name} in {:?}", variables.keys());
    }
}

#[test]
fn a_connection_without_subscription_exports_none() {
    let case = Case::new().data("scopeLevel", "ManagementGroup").data("managementGroupId", "mg-root");
    let variables = case.succeeds().variables();
    assert!(!variables.keys().any(|name| name.contains("SUBSCRIPTION")), "{:?}", variables.keys());
}

#[test]
fn guards_that_hold_let_the_connection_pass() {
    let usual = emulator::USUAL;
    let case = Case::new()
        .input("requireFederation", "true")
        .input("allowedTenants", &usual.tenant.to_string().to_uppercase())
        .input("allowedSubscriptions", &format!("{}, {}", usual.client, usual.subscription));
    case.succeeds();
}
