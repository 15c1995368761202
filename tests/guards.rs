//! Guards fail closed: what a guard names is what is enforced, credentials go to hosts that are known or named, and what a
//! step can set is not taken for what the agent said.

use std::sync::Arc;

use emulator::Service;
use wif::session;
use wif_core::{azure::resource::Resource, code::Code, secret::Secret};
use wif_io::clock;

use crate::support::Case;

/// Entries that the step reads, and what a session that is limited to them must and must not serve.
const ENTRIES: [(&str, &str); 9] = [
    ("urn:ms-drs:enterpriseregistration.windows.net/.default", "https://vault.azure.net"),
    ("urn:ms-drs:enterpriseregistration.windows.net", "https://vault.azure.net"),
    ("myapp/.default", "https://management.azure.com"),
    ("api://myapp", "https://storage.azure.com"),
    ("https://vault.azure.net/", "https://storage.azure.com"),
    ("499b84ac-1321-427f-aa17-267ca6975798", "arm"),
    ("disk", "arm"),
    ("https://management.core.windows.net//.default", "keyvault"),
    ("storage", "keyvault"),
];

fn limited(list: &str) -> Case {
    Case::new().input("refresh", "true").input("exports", "azure-sdk").input("allowedResources", list)
}

/// Whether the session that such a step leaves serves a resource.
fn serves(case: &Case, resource: &str) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = Secret::new("key".to_owned());
        let clock = Arc::new(clock::System::new());
        let (_listener, session) = session::serve::open_session(case.env(), None, key, clock).await.unwrap();
        let resource = Resource::parse(resource, &session.tokens.audiences).unwrap();
        session.tokens.is_allowed(&resource)
    })
}

#[test]
fn every_entry_that_a_step_accepts_is_enforced_by_its_broker() {
    for (entry, other) in ENTRIES {
        let case = limited(entry);
        assert!(serves(&case, entry), "{entry} is not served");
        assert!(!serves(&case, other), "{entry} lets {other} through");
        let both = limited(&format!("{entry}, sql"));
        assert!(serves(&both, entry) && serves(&both, "sql") && !serves(&both, other), "{entry}, sql");
    }
}

#[test]
fn a_list_that_names_nothing_or_something_else_fails_the_step() {
    for list in
        [",", ", \n ,", "https:///.default", "keyvault, nothing", "/.default", "http://vault.azure.net"]
    {
        let text = limited(list).fails_unasked(Code::InputInvalid);
        assert!(text.contains("allowedResources"), "{text}");
    }
}

#[test]
fn a_limited_session_leaves_no_id_token_by_any_family() {
    let text = limited("arm").input("exports", "terraform, token-file").fails_unasked(Code::InputsContradict);
    assert!(text.contains("allowedResources") && text.contains("token-file"), "{text}");
    for exports in ["", "terraform", "azure-sdk"] {
        let case = limited("arm").input("exports", exports).input("refresh", "false");
        let text = case.fails_unasked(Code::InputsContradict);
        assert!(text.contains("allowedResources") && text.contains("refresh: false"), "{text}");
    }
    // Nothing is left that could ask.
    limited("arm").input("exports", "none").input("refresh", "false").succeeds();
}

#[test]
fn an_authority_that_is_neither_known_nor_named_gets_nothing_whatever_the_scheme() {
    let schemes: [fn(Case) -> Case; 4] = [
        |case| case,
        |case| {
            scheme(case, "ServicePrincipal")
                .parameter("serviceprincipalkey", "a-client-secret-of-thirty-two-ch")
        },
        |case| {
            scheme(case, "ServicePrincipal")
                .parameter("authenticationType", "spnCertificate")
                .parameter("servicePrincipalCertificate", "p")
        },
        |case| scheme(case, "ManagedServiceIdentity"),
    ];
    for with_scheme in schemes {
        for diagnose in ["true", "false"] {
            let case = with_scheme(Case::new()).input("diagnose", diagnose).input("allowedAuthorities", "");
            // The emulator's own authority is on loopback.
            let text = case.fails_unasked(Code::AuthorityNotAllowed);
            assert!(text.contains("127.0.0.1:") && text.contains("allowedAuthorities"), "{text}");
            let case = with_scheme(Case::new()).input("diagnose", diagnose);
            let text = case
                .data("activeDirectoryAuthority", "https://evil.example/")
                .fails_unasked(Code::AuthorityNotAllowed);
            assert!(text.contains("evil.example"), "{text}");
        }
    }
    let other_port = Case::new().input("allowedAuthorities", "127.0.0.1:1");
    other_port.fails_unasked(Code::AuthorityNotAllowed);
}

fn scheme(case: Case, scheme: &str) -> Case {
    let name = format!("ENDPOINT_AUTH_SCHEME_{}", case.connection);
    case.set(&name, scheme)
}

#[test]
fn a_server_of_azure_devops_that_is_neither_known_nor_named_gets_no_job_token() {
    let case = Case::new();
    let entra = format!("127.0.0.1:{}", case.emulator.port(Service::Entra));
    let text = case.input("allowedAuthorities", &entra).fails_unasked(Code::AuthorityNotAllowed);
    assert!(text.contains("not a known host of Azure DevOps"), "{text}");
}

#[test]
fn an_earlier_step_that_moves_the_system_connection_gets_no_job_token() {
    let evil = "https://evil.example/";
    for diagnose in ["true", "false"] {
        let case = || {
            let case = Case::new().input("allowedAuthorities", "127.0.0.1, evil.example");
            case.input("diagnose", diagnose).set("AZURE_DEVOPS_EXT_PAT", "a-personal-access-token")
        };
        let moved = case().set("SYSTEM_OIDCREQUESTURI", "https://evil.example/x/oidctoken");
        let moved = moved.set("ENDPOINT_URL_SYSTEMVSSCONNECTION", evil);
        let empty = case().set("SYSTEM_OIDCREQUESTURI", evil).set("ENDPOINT_URL_SYSTEMVSSCONNECTION", "");
        let collection = case().set("SYSTEM_COLLECTIONURI", evil);
        for (case, code) in [
            (moved, Code::OtherOrganization),
            (empty, Code::VariableMissing),
            (collection, Code::OtherOrganization),
        ] {
            if diagnose == "true" {
                let run = case.run();
                assert!(run.out.contains(code.as_str()), "{}", run.out);
                assert!(run.result.is_err() && case.emulator.count(Service::DevOps, "") == 0, "{}", run.out);
            } else {
                case.fails_unasked(code);
            }
        }
    }
}

#[test]
fn a_variable_with_the_name_of_what_the_agent_passes_ends_the_step() {
    for diagnose in ["true", "false"] {
        for name in [
            "INPUT_ALLOWEDTENANTS",
            "input.session",
            "ENDPOINT_URL_SYSTEMVSSCONNECTION",
            "ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN",
            "VSTS_TASKVARIABLE_WIF_SESSION_FOLDER",
        ] {
            let variables = serde_json::to_string(&["system.debug", name]).unwrap();
            let case = Case::new().input("diagnose", diagnose).set("VSTS_PUBLIC_VARIABLES", &variables);
            let text = case.fails_unasked(Code::VariableShadows);
            assert!(text.contains(&format!("'{name}'")), "{text}");
        }
    }
    let case = Case::new();
    let name = format!("endpoint.data.{}.activeDirectoryAuthority", case.connection);
    let text =
        case.set("VSTS_PUBLIC_VARIABLES", &format!("[\"{name}\"]")).fails_unasked(Code::VariableShadows);
    assert!(text.contains(&format!("'{name}'")), "{text}");
    let others =
        r#"["INPUT_OTHER", "ENDPOINT_URL_6ba7b811-9dad-11d1-80b4-00c04fd430c8", "SECUREFILE_NAME_x"]"#;
    Case::new().set("VSTS_PUBLIC_VARIABLES", others).succeeds();
}

#[test]
fn names_that_the_agent_keeps_or_that_change_how_programs_start_are_refused() {
    for tokens in [
        "agent.tempdirectory=arm",
        "PATH=arm",
        "LD_PRELOAD=arm",
        "BASH_ENV=arm",
        "Git_Config_Count=arm",
        "env=arm",
    ] {
        let text = Case::new().input("accessTokens", tokens).fails_unasked(Code::NameReserved);
        assert!(text.contains("accessTokens") && text.contains(tokens.trim_end_matches("=arm")), "{text}");
    }
    for session in ["SYSTEM", "input", "endpoint_url", "vsts_taskvariable", "ld"] {
        let text = Case::new().input("session", session).fails_unasked(Code::NameReserved);
        assert!(text.contains("session") && text.contains(session), "{text}");
    }
    // The two together make the name.
    let case = Case::new().input("session", "node").input("accessTokens", "OPTIONS=arm");
    let text = case.fails_unasked(Code::NameReserved);
    assert!(text.contains("NODE_OPTIONS"), "{text}");
}

/// A job of one sign-in and one look at what it left.
#[cfg(target_os = "linux")]
fn looked(inputs: &[(&str, &str)], look: &str) -> (emulator::Emulator, emulator::agent::JobReport) {
    use crate::support::{EMULATOR, task_folder};
    use emulator::agent::{Agent, JobResult, Step};
    let emulator = emulator::Emulator::start();
    let all = [&[("azureSubscription", "sc-prod"), EMULATOR], inputs].concat();
    let message = emulator.job_with(&[emulator.usual().connection]);
    let steps = [
        Step::task(task_folder(), &all).display_name("Sign in"),
        Step::bash(format!("set -e\n{look}")).display_name("Look"),
    ];
    let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
    (emulator, report)
}

#[cfg(target_os = "linux")]
#[test]
fn a_limited_session_serves_terraform_resource_by_resource() {
    let look = r#"
        env | grep -E '^(ARM_USE_OIDC|ARM_OIDC|AZURE_FEDERATED)' && exit 1
        test "$ARM_USE_MSI" = true
        status() { curl -s -o answer -w '%{http_code}' -H 'Metadata: true' "$ARM_MSI_ENDPOINT?api-version=2018-02-01&resource=$1"; }
        test "$(status https://management.azure.com/)" = 200
        test "$(status https://acc1.blob.core.windows.net)" = 200
        test "$(status https://graph.microsoft.com)" = 403
        cat answer
        test "$(status https://vault.azure.net)" = 403
        curl -s -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?resource=https://management.azure.com" | grep -q access_token
        wif token storage > /dev/null
        wif token keyvault && exit 1
        wif token --id-token && exit 1
        true"#;
    for (exports, warns) in [("terraform", true), ("", false)] {
        let (emulator, report) = looked(&[("allowedResources", "arm, storage"), ("exports", exports)], look);
        let (log, sign_in) = (&report.step("Look").log, &report.step("Sign in").log);
        assert!(log.contains("add graph to allowedResources"), "{log}");
        assert!(sign_in.contains("allowedResources lacks graph"), "{sign_in}");
        let warnings = report.step("Sign in").warnings();
        let warning = warnings.iter().any(|text| text.contains("lacks graph"));
        assert_eq!(warning, warns, "{sign_in}");
        assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 1);
    }
    let (_, report) = looked(&[("allowedResources", "arm, graph"), ("exports", "terraform")], "true");
    assert!(!report.log.contains("lacks graph"), "{}", report.log);
}
