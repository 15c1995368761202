//! What is refused before the script runs, and what the guards allow.

use emulator::{Emulator, Fault, Service, agent::JobResult};
use wif_core::code::Code;

use super::{has_line, inline, lines, run, script};
use crate::support::Case;

fn case(inputs: &[(&str, &str)]) -> Case {
    let path = std::env::split_paths("/usr/bin:/bin").map(|folder| folder.display().to_string());
    let case = Case::new().set("PATH", &path.collect::<Vec<_>>().join(":"));
    inputs.iter().fold(case, |case, (name, value)| case.input(name, value))
}

#[test]
fn what_cannot_be_run_is_refused_before_any_request() {
    let bash = ("scriptType", "bash");
    for (inputs, code, says) in [
        (&[("inlineScript", "x")][..], Code::InputInvalid, "the input scriptType is empty"),
        (
            &[("scriptType", "python"), ("inlineScript", "x")],
            Code::InputInvalid,
            "'python', accepted: bash, pscore, ps or batch",
        ),
        (&[bash], Code::InputInvalid, "the input scriptPath is empty"),
        (&[bash, ("scriptLocation", "inlineScript")], Code::InputInvalid, "the input inlineScript is empty"),
        (
            &[bash, ("scriptPath", "/absent/a.sh")],
            Code::InputInvalid,
            "'/absent/a.sh', and there is no such file",
        ),
        (&[bash, ("scriptPath", "/bin/true")], Code::InputInvalid, "a file whose name ends in .sh"),
        (
            &[("scriptType", "batch"), ("inlineScript", "x")],
            Code::InterpreterMissing,
            "the input scriptType is batch",
        ),
        (
            &[("scriptType", "ps"), ("inlineScript", "x")],
            Code::InterpreterMissing,
            "the input scriptType is ps",
        ),
        (
            &[bash, ("inlineScript", "x"), ("workingDirectory", "/dev/null/x")],
            Code::InputInvalid,
            "the input workingDirectory is '/dev/null/x'",
        ),
        (
            &[
                bash,
                ("inlineScript", "x"),
                ("refresh", "true"),
                ("allowedResources", "arm"),
                ("addSpnToEnvironment", "true"),
            ],
            Code::InputsContradict,
            "addSpnToEnvironment: true gives the script an id token",
        ),
    ] {
        let text = case(inputs).fails_unasked(code);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn the_guards_hold_for_a_script_too() {
    let elsewhere = "33333333-3333-3333-3333-333333333333";
    let guarded = |guard: &str, value: &str| {
        case(&[("scriptType", "bash"), ("inlineScript", "echo it runs"), (guard, value)])
    };
    guarded("allowedTenants", elsewhere).fails_unasked(Code::TenantNotAllowed);
    guarded("allowedSubscriptions", elsewhere).fails_unasked(Code::SubscriptionNotAllowed);
    guarded("allowedSubscriptions", elsewhere)
        .data("scopeLevel", "ManagementGroup")
        .fails_unasked(Code::SubscriptionNotAllowed);
    let federated = guarded("requireFederation", "true");
    let scheme = format!("ENDPOINT_AUTH_SCHEME_{}", federated.connection);
    for other in ["ServicePrincipal", "ManagedServiceIdentity"] {
        let text =
            guarded("requireFederation", "true").set(&scheme, other).fails_unasked(Code::FederationRequired);
        assert!(text.contains("requireFederation"), "{text}");
    }
}

#[test]
fn what_the_guards_allow_runs_and_limited_resources_are_limited_for_the_script() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let text = "wif token graph > /dev/null && echo graph
        wif token keyvault > /dev/null 2>&1 || echo 'keyvault refused'
        wif token --id-token > /dev/null 2>&1 || echo 'id token refused'
        curl -s -o /dev/null -w 'by hand %{http_code}\\n' -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \"$IDENTITY_ENDPOINT?resource=https://vault.azure.net&api-version=2019-08-01\"
        echo \"request <$ARM_OIDC_REQUEST_URL$ARM_OIDC_REQUEST_TOKEN> msi <$ARM_USE_MSI>\"";
    let report = run(
        &emulator,
        &[script(&[
            ("inlineScript", text),
            ("requireFederation", "true"),
            ("allowedSubscriptions", &usual.subscription.to_string()),
            ("allowedTenants", &usual.tenant.to_string()),
            ("allowedResources", "arm, graph"),
            ("accessTokens", ""),
        ])],
    );
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    for line in ["graph", "keyvault refused", "id token refused", "by hand 403", "request <> msi <true>"] {
        has_line(&report, line);
    }
}

#[test]
fn a_refused_sign_in_runs_nothing() {
    let emulator = Emulator::start();
    emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().aadsts(7_002_138));
    let report = run(&emulator, &[inline("echo it runs")]);
    assert_eq!(report.result, JobResult::Failed, "{}", report.log);
    assert!(!lines(&report).contains(&"it runs"), "{}", report.log);
    let [error] = report.step("Script").errors()[..] else { panic!("{}", report.log) };
    assert!(error.starts_with("WIF2013: "), "{error}");
}
