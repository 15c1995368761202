//! The job around the connection: ten jobs with one fault each, or none.

use emulator::Proxy;
use uuid::Uuid;
use wif_core::code::Code;

#[cfg(unix)]
use super::Machine;
use super::{diagnose, live, names_only, says, warns_only, with_ids};
use crate::{clouds::behind, existing_variables::pipeline, machine};

#[test]
fn job_one_a_secret_variable_of_an_exported_name() {
    let case = pipeline(live(), &[("ARM_CLIENT_ID", ""), ("OTHER", "")]);
    let words = ["a secret variable ARM_CLIENT_ID", "leave terraform out of exports"];
    let found = names_only(&case, Code::NameIsSecret, &words);
    assert_eq!(found.warnings, Vec::<String>::new());
    // It goes on, and the session's own exports count: what is not exported does not matter.
    assert!(found.text.contains("ok       exchange at Entra"), "{}", found.text);
    says(&pipeline(live().input("exports", "azure-sdk"), &[("ARM_CLIENT_ID", "")]), &[]);
}

#[test]
fn job_two_a_client_secret_that_was_left_over() {
    let case = pipeline(live(), &[("AZURE_CLIENT_SECRET", "s3cr3t-of-old")]);
    let words =
        ["The pipeline sets AZURE_CLIENT_SECRET", "DefaultAzureCredential signs in with this client secret"];
    let found = warns_only(&case, Code::VariableConflicts, &words);
    assert!(!found.text.contains("s3cr3t-of-old"), "{}", found.text);
    let case = live().set("AZURE_CLIENT_SECRET", "s3cr3t-of-old");
    warns_only(&case, Code::MachineConflicts, &["The agent's machine sets AZURE_CLIENT_SECRET"]);
}

#[test]
fn job_three_a_session_without_a_name_beside_one_with_a_name() {
    let case = live().set("WIF_URL", "http://127.0.0.1:1").set("WIF_KEY", "k").input("session", "hub");
    warns_only(&case, Code::SessionsMixed, &["Give each session a name"]);
    let case = live().set("HUB_WIF_URL", "http://127.0.0.1:1").set("HUB_WIF_KEY", "k");
    warns_only(&case, Code::SessionsMixed, &["without a name beside one with a name"]);
    says(
        &live().set("HUB_WIF_URL", "http://127.0.0.1:1").set("HUB_WIF_KEY", "k").input("session", "spoke"),
        &[],
    );
}

#[cfg(unix)]
#[test]
fn job_four_an_az_that_is_too_old() {
    let machine = Machine::new();
    machine.az("2.70.0");
    let case = live().set("PATH", &machine.path());
    let words = [
        "the az on the PATH is version 2.70.0",
        "not on the PATH: terraform, azcopy",
        "install az 2.73 or newer",
    ];
    warns_only(&case, Code::ToolTooOld, &words);
    // Where the session is not for az, its age is a fact.
    says(&case.input("exports", "terraform"), &["az 2.70.0 (", "it does not ask a session for tokens"]);
}

#[test]
fn job_five_the_workload_identity_of_an_aks_pod() {
    let case = live().set("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token");
    says(&case, &["AZURE_FEDERATED_TOKEN_FILE of the agent's machine is emptied for this job"]);
    let case = pipeline(live(), &[("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/x")]);
    warns_only(&case, Code::VariableConflicts, &["The pipeline sets AZURE_FEDERATED_TOKEN_FILE"]);
}

#[test]
fn job_six_a_scope_that_is_no_subscription() {
    let group = live().data("scopeLevel", "ManagementGroup").data("managementGroupName", "Landing zones");
    let group = group.data("subscriptionId", "").data("managementGroupId", "lz");
    says(
        &group,
        &[
            "scope: the management group Landing zones;",
            "no subscription",
            "ARM_SUBSCRIPTION_ID are not exported",
        ],
    );
    let workspace = live().data("scopeLevel", "AzureMLWorkspace").data("mlWorkspaceName", "ml##vso[x.y]1");
    let subscription = workspace.emulator.usual().subscription;
    says(
        &workspace,
        &[
            "scope: the machine learning workspace ml**vso[x.y]1",
            &format!("subscription {subscription}"),
            "ok       roles",
        ],
    );
}

#[test]
fn job_seven_a_classic_release_of_an_organization_with_its_old_url_is_well() {
    let (case, _proxy) = behind(|emulator| Proxy::start(Proxy::leading_to(emulator)), |_| ());
    let case = case
        .input("diagnose", "true")
        .set("SYSTEM_COLLECTIONURI", "https://contoso.visualstudio.com/")
        .set("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://contoso.visualstudio.com/");
    let found = diagnose(&case);
    assert_eq!((found.faults, found.warnings), (vec![], vec!["WIF2032".to_owned()]), "{}", found.text);
}

#[test]
fn job_eight_a_machine_with_several_identities() {
    let several = machine::of_machine().input("refresh", "true").input("diagnose", "true");
    let other = Uuid::from_u128(0x2222);
    machine::assign(&several, other);
    let words = ["Multiple user assigned identities", "one that has several needs msiclientId", "WIF2026"];
    let found = names_only(&several, Code::MachineIdentityRefused, &words);
    assert_eq!(found.warnings, Vec::<String>::new(), "{}", found.text);
    let named = several.data("msiclientId", &other.to_string());
    let found = diagnose(&named);
    assert!(
        found.text.contains(&format!("the machine's identity {other} is asked for, at http://")),
        "{}",
        found.text
    );
    assert!(!found.text.contains("WIF2026"), "{}", found.text);
}

#[test]
fn job_nine_a_variable_that_takes_an_inputs_place() {
    // Nothing can be believed then, the inputs of the diagnosis least of all.
    let text = pipeline(live(), &[("INPUT_EXPORTS", "terraform")]).fails_unasked(Code::VariableShadows);
    assert!(text.contains("INPUT_EXPORTS"), "{text}");
    // Two spellings of an exported name.
    let case = pipeline(live(), &[("arm.tenant.id", "x")]);
    warns_only(&case, Code::VariableConflicts, &["'arm.tenant.id' beside ARM_TENANT_ID", "Rename it"]);
}

#[test]
fn job_ten_a_file_of_certificates_that_is_not_there() {
    let case = live().set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    warns_only(&case, Code::NetworkSettings, &["SSL_CERT_FILE", "/nonexistent/ca.pem"]);
}

#[test]
fn a_value_of_the_pipeline_that_would_be_replaced_is_said() {
    let case = pipeline(live(), &[("ARM_SUBSCRIPTION_ID", "99999999-9999-9999-9999-999999999999")]);
    says(&case, &["ARM_SUBSCRIPTION_ID='99999999-9999-9999-9999-999999999999' of the pipeline is replaced"]);
}

#[test]
fn inputs_that_contradict_each_other_are_a_fault_beside_the_others() {
    let case = with_ids().input("exports", "azure-cli");
    names_only(
        &case,
        Code::InputsContradict,
        &["which refresh: false cannot serve", "ok       exchange at Entra"],
    );
}

#[cfg(unix)]
#[test]
fn tools_are_named_with_their_versions_and_get_none_of_the_steps_secrets() {
    let machine = Machine::new();
    machine.az("2.91.0");
    let tells = |version: &str| format!("/usr/bin/env > \"$0.env\"; echo {version}");
    machine.script("terraform", &tells("Terraform v1.11.4"));
    machine.script("azcopy", &tells("azcopy version 10.32.2"));
    let case = live().set("PATH", &machine.path()).set("HOME", "/home/agent");
    says(
        &case,
        &[
            "az 2.91.0 (",
            "): signed in by azure-cli",
            "terraform 1.11.4 (",
            "): signed in by terraform",
            "azcopy 10.32.2 (",
        ],
    );
    assert!(!machine.started_az());
    for tool in ["terraform", "azcopy"] {
        let env = std::fs::read_to_string(format!("{}/{tool}.env", machine.path())).unwrap();
        let mut names: Vec<_> =
            env.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
        names.sort_unstable();
        assert_eq!(names, ["CHECKPOINT_DISABLE", "HOME", "PATH"], "{env}");
    }
    // One that says nothing of use is there all the same.
    machine.script("terraform", "echo ##vso[task.complete result=Failed]; exit 1");
    says(
        &case.input("exports", "azure-sdk"),
        &["terraform of a version that is not known (", "terraform is not exported"],
    );
}
