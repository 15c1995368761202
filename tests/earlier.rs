//! What is in the job already: an earlier session of the same name, and what tools would take before this one.

use emulator::directory::Scope;
use wif_core::code::Code;

use crate::support::{Case, Run};

/// What a session with a broker, of a subscription, has left.
fn after_a_session(case: Case) -> Case {
    case.set("WIF_URL", "http://127.0.0.1:1")
        .set("WIF_KEY", "k")
        .set("ARM_SUBSCRIPTION_ID", "11111111-1111-1111-1111-111111111111")
        .set("AZURE_SUBSCRIPTION_ID", "11111111-1111-1111-1111-111111111111")
        .set("ARM_OIDC_REQUEST_URL", "http://127.0.0.1:1/id-token?session=1")
        .set("ARM_OIDC_REQUEST_TOKEN", "k")
        .set("AZURE_CONFIG_DIR", "/temp/azure-cli")
        .set("AZURE_EXTENSION_DIR", "/home/cliextensions")
        .set("OTHER", "stays")
}

fn cleared(run: &Run) -> Vec<String> {
    let variables = run.variables().into_iter();
    variables.filter(|(_, value)| value.is_empty()).map(|(name, _)| name).collect()
}

#[test]
fn a_later_session_leaves_nothing_of_an_earlier_one_standing() {
    let case = after_a_session(Case::new());
    let group = Scope::ManagementGroup("mg".to_owned(), "Group".to_owned());
    case.emulator.directory().connection(case.connection).scope = group;
    let id = case.connection;
    let case = case
        .unset(&format!("ENDPOINT_DATA_{id}_SUBSCRIPTIONID"))
        .unset(&format!("ENDPOINT_DATA_{id}_SUBSCRIPTIONNAME"));
    let run = case.succeeds();
    let expected = [
        "ARM_OIDC_REQUEST_TOKEN",
        "ARM_OIDC_REQUEST_URL",
        "ARM_SUBSCRIPTION_ID",
        "AZURE_CONFIG_DIR",
        "AZURE_SUBSCRIPTION_ID",
        "WIF_KEY",
        "WIF_URL",
    ];
    assert_eq!(cleared(&run), expected, "{}", run.out);
    assert!(run.variable("ARM_OIDC_TOKEN_FILE_PATH").ends_with("id-token"));
}

#[test]
fn what_an_earlier_session_has_left_is_cleared_without_a_warning_and_the_pipelines_own_is_warned_of() {
    let warnings = |case: Case| -> Vec<String> {
        case.succeeds().commands("task.logissue").map(|(_, text)| text.to_owned()).collect()
    };
    let left = || {
        after_a_session(Case::new())
            .set("ARM_USE_MSI", "true")
            .set("ARM_MSI_ENDPOINT", "http://127.0.0.1:1/k/token")
            .set("IDENTITY_ENDPOINT", "http://127.0.0.1:1/identity")
            .set("IDENTITY_HEADER", "k")
    };
    assert_eq!(warnings(left()), Vec::<String>::new());
    let with_own = warnings(
        left().set("ARM_CLIENT_SECRET", "s3cr3t").set("VSTS_PUBLIC_VARIABLES", "[\"ARM_CLIENT_SECRET\"]"),
    );
    assert!(matches!(with_own.as_slice(), [one] if one.contains("ARM_CLIENT_SECRET")), "{with_own:?}");
    // A file of a session without a broker would win over a broker; it is cleared, and another program's is emptied.
    let said_beside_a_broker = |case: Case, file: &str| {
        let case = case.input("refresh", "true").set("AZURE_FEDERATED_TOKEN_FILE", file);
        // Without a program there is no broker; what is found in the job is said by then.
        case.run().out.contains("AZURE_FEDERATED_TOKEN_FILE")
    };
    let own = format!("/temp/wif-{}/id-token", "0".repeat(32));
    assert!(!said_beside_a_broker(after_a_session(Case::new()), &own));
    assert!(said_beside_a_broker(Case::new(), "/var/run/secrets/token"));
}

#[test]
fn what_a_session_of_another_name_or_the_pipeline_has_set_stays() {
    let named = after_a_session(Case::new()).input("session", "hub");
    assert_eq!(cleared(&named.succeeds()), Vec::<String>::new());
    let by_the_pipeline = Case::new()
        .set("ARM_SUBSCRIPTION_ID", "11111111-1111-1111-1111-111111111111")
        .set("AZURE_CONFIG_DIR", "/own")
        .input("exports", "none");
    assert_eq!(cleared(&by_the_pipeline.succeeds()), Vec::<String>::new());
}

#[test]
fn how_azcopy_signs_in_is_cleared_only_when_a_session_has_said_it() {
    let after = |value: &str| {
        let case = after_a_session(Case::new()).input("exports", "none");
        cleared(&case.set("AZCOPY_AUTO_LOGIN_TYPE", value).succeeds())
    };
    let name = "AZCOPY_AUTO_LOGIN_TYPE".to_owned();
    assert!(after("MSI").contains(&name) && after("workload").contains(&name));
    assert!(!after("SPN").contains(&name), "it is the pipeline's own");
}

#[test]
fn a_snapshot_of_an_earlier_session_does_not_switch_refreshing_off() {
    let file = format!("/temp/wif-{}/id-token", "0".repeat(32));
    let case = Case::new().input("exports", "none").set("ARM_OIDC_TOKEN_FILE_PATH", &file);
    assert_eq!(cleared(&case.succeeds()), ["ARM_OIDC_TOKEN_FILE_PATH"]);
    let elsewhere = Case::new().input("exports", "none").set("ARM_OIDC_TOKEN_FILE_PATH", "/own/id-token");
    assert_eq!(cleared(&elsewhere.succeeds()), Vec::<String>::new(), "it belongs to another program");
}

#[test]
fn a_connections_id_of_the_pipeline_is_a_warning_beside_a_broker() {
    let name = "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID";
    let case = Case::new().input("refresh", "true").set(name, "x");
    let case = case.set("VSTS_PUBLIC_VARIABLES", &format!("[\"{name}\"]"));
    // Without a program there is no broker; the warnings are out by then.
    let run = case.run();
    assert_eq!(run.result.as_ref().unwrap_err().code, Code::BrokerFailed);
    let warnings: Vec<_> = run.commands("task.logissue").map(|(_, text)| text).collect();
    let [warning] = warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning.starts_with(&format!("The pipeline sets {name}: ")) && warning.contains("this session's key"),
        "{warning}"
    );
}

#[test]
fn a_broker_lives_for_whole_hours() {
    for hours in ["0", "36h", "-1", "1.5", "337"] {
        let case = Case::new().input("refresh", "true").set("WIF_SESSION_HOURS", hours);
        let text = case.fails_unasked(Code::InputInvalid);
        assert!(text.contains(&format!("WIF_SESSION_HOURS is '{hours}'; accepted: whole hours")), "{text}");
    }
}
