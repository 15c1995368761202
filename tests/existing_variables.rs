//! What is exported arrives at later steps, and wins there, or the step says so before the first request.

use wif_core::{code::Code, exports::Family};

use crate::support::Case;

/// A job in which the pipeline has set these variables, a secret one among them where its value is empty.
pub(crate) fn pipeline(case: Case, variables: &[(&str, &str)]) -> Case {
    let names = |secret| {
        let named = variables.iter().filter(|(_, value)| value.is_empty() == secret).map(|(name, _)| *name);
        serde_json::to_string(&named.collect::<Vec<_>>()).unwrap()
    };
    let case = case.set("VSTS_PUBLIC_VARIABLES", &names(false)).set("VSTS_SECRET_VARIABLES", &names(true));
    let key = |name: &str| name.replace(['.', ' '], "_").to_uppercase();
    variables.iter().fold(case, |case, (name, value)| {
        if value.is_empty() {
            case.set(&format!("SECRET_{}", key(name)), "s")
        } else {
            case.set(&key(name), value)
        }
    })
}

/// What a person reads in the log, and the warnings.
fn said(case: &Case) -> (String, Vec<String>) {
    let run = case.succeeds();
    let warnings = run.commands("task.logissue").map(|(_, text)| text.to_owned()).collect();
    (run.lines().collect::<Vec<_>>().join("\n"), warnings)
}

#[test]
fn a_secret_variable_of_an_exported_name_fails_the_step_and_the_way_out_is_named() {
    for (name, families) in [
        ("ARM_CLIENT_ID", Some("terraform")),
        ("arm.tenant.id", Some("terraform")),
        ("AZURE_CLIENT_ID", None),
        ("AZURE_FEDERATED_TOKEN_FILE", Some("azure-sdk")),
        ("AZURE_ACCESS_TOKEN_EXPIRES_ON", None),
    ] {
        let text = pipeline(Case::new(), &[(name, "")]).fails_unasked(Code::NameIsSecret);
        assert!(text.contains(name) && text.contains("session:"), "{text}");
        if let Some(family) = families {
            assert!(text.contains(&format!("leave {family} out of exports")), "{text}");
            assert!(text.contains(&format!(", and {family} of the input exports sets a variable")), "{text}");
        } else {
            assert!(text.contains(", and every session exports a variable"), "{text}");
        }
    }
    // The variable of a token is secret itself, and what is not exported does not matter.
    pipeline(Case::new(), &[("AZURE_ACCESS_TOKEN", ""), ("ARM_CLIENT_SECRET", "")]).succeeds();
    pipeline(Case::new().input("exports", "azure-sdk"), &[("ARM_CLIENT_ID", "")]).succeeds();
    pipeline(Case::new().input("session", "hub"), &[("ARM_CLIENT_ID", "")]).succeeds();
}

#[test]
fn a_value_of_the_pipeline_that_is_replaced_is_named_with_both_values() {
    let spoke = "99999999-9999-9999-9999-999999999999";
    let case = pipeline(Case::new(), &[("ARM_SUBSCRIPTION_ID", spoke)]);
    let (log, _) = said(&case);
    let own = case.emulator.usual().subscription.to_string();
    let line =
        log.lines().find(|line| line.starts_with("ARM_SUBSCRIPTION_ID=")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(spoke) && line.contains(&own) && line.contains("session:"), "{line}");
    // A token stays out of the log, as the value that it replaces does.
    let (log, _) = said(&pipeline(Case::new(), &[("AZURE_ACCESS_TOKEN", "0ld")]));
    assert!(log.contains("AZURE_ACCESS_TOKEN of the pipeline is replaced for later steps"), "{log}");
    assert!(!log.contains("0ld"), "{log}");
    // What the machine has set is not the pipeline's.
    let (log, _) = said(&Case::new().set("ARM_SUBSCRIPTION_ID", spoke));
    assert!(!log.contains("is replaced"), "{log}");
}

#[test]
fn the_old_value_of_a_variable_that_is_to_hold_a_key_is_not_shown() {
    let old = "0ld-key-of-the-pipeline";
    let names = ["ARM_MSI_ENDPOINT", "ARM_OIDC_REQUEST_TOKEN", "AZD_AUTH_KEY", "IDENTITY_HEADER", "WIF_KEY"];
    for name in names {
        let case = pipeline(Case::new().input("refresh", "true"), &[(name, old)]);
        // Without a program there is no broker; the line is out by then.
        let run = case.run();
        assert!(!run.out.contains(old), "{}", run.out);
    }
    // The broker's address is not known yet.
    let case = pipeline(Case::new().input("refresh", "true"), &[("IDENTITY_ENDPOINT", "http://own")]);
    let out = case.run().out;
    assert!(
        out.contains("IDENTITY_ENDPOINT='http://own' of the pipeline is replaced for later steps"),
        "{out}"
    );
    let case = pipeline(Case::new().input("refresh", "true"), &[("ARM_OIDC_REQUEST_TOKEN", old)]);
    assert!(case.run().out.contains("ARM_OIDC_REQUEST_TOKEN of the pipeline is replaced for later steps"));
}

#[test]
fn a_public_variable_that_has_our_value_is_not_set_again() {
    let case = Case::new();
    let own = case.emulator.usual().subscription.to_string();
    let case = pipeline(case, &[("ARM_SUBSCRIPTION_ID", &own)]);
    let run = case.succeeds();
    assert!(
        !run.variables().contains_key("ARM_SUBSCRIPTION_ID") && run.variables().contains_key("ARM_TENANT_ID")
    );
    assert!(!run.out.contains("is replaced"), "{}", run.out);
    // Under another spelling it is not sure that a step finds it.
    let case = pipeline(Case::new(), &[("arm.subscription.id", &own)]);
    let run = case.succeeds();
    assert!(run.variables().contains_key("ARM_SUBSCRIPTION_ID"));
    let warned = run
        .commands("task.logissue")
        .any(|(_, text)| text.contains("'arm.subscription.id' beside ARM_SUBSCRIPTION_ID"));
    assert!(warned, "{}", run.out);
}

#[test]
fn what_would_win_is_a_warning_where_the_pipeline_has_set_it_and_right_for_that_variable() {
    for (variable, value, words) in [
        ("ARM_CLIENT_SECRET", "s3cr3t", "Terraform signs in with this client secret"),
        ("ARM_OIDC_TOKEN", "s3cr3t", "cannot renew it"),
        ("AZURE_CLIENT_SECRET", "s3cr3t", "DefaultAzureCredential signs in with this client secret"),
        ("AZURE_TOKEN_CREDENTIALS", "dev", "WorkloadIdentityCredential do"),
    ] {
        let (log, warnings) = said(&pipeline(Case::new(), &[(variable, value)]));
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(
            warning.contains(&format!("The pipeline sets {variable}: ")) && warning.contains(words),
            "{warning}"
        );
        assert!(!log.contains("s3cr3t") && !warning.contains("Azure DevOps"), "{log}");
    }
    let (_, warnings) = said(&pipeline(Case::new(), &[("AZURE_USERNAME", "u"), ("AZURE_PASSWORD", "p")]));
    assert!(warnings[0].contains("AZURE_USERNAME and AZURE_PASSWORD"), "{warnings:?}");
    let (_, warnings) = said(&pipeline(Case::new(), &[("AZURE_USERNAME", "u")]));
    assert!(warnings.is_empty(), "one alone does nothing: {warnings:?}");
    let (_, warnings) = said(&pipeline(Case::new().input("exports", "none"), &[("ARM_CLIENT_SECRET", "s")]));
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn what_the_machine_has_set_is_emptied_and_said_where_an_empty_text_is_none_for_every_tool() {
    let case = Case::new().set("ARM_CLIENT_SECRET", "s3cr3t").set("AZURE_CLIENT_SECRET", "s3cr3t");
    let run = case.succeeds();
    assert_eq!(run.variable("ARM_CLIENT_SECRET"), "");
    assert!(
        run.out.contains("ARM_CLIENT_SECRET of the agent's machine is emptied for this job"),
        "{}",
        run.out
    );
    assert!(!run.variables().contains_key("AZURE_CLIENT_SECRET"), "Python raises when it is empty");
    let warned: Vec<_> = run.commands("task.logissue").collect();
    assert!(
        warned.len() == 1 && warned[0].1.contains("The agent's machine sets AZURE_CLIENT_SECRET"),
        "{warned:?}"
    );
    // A session with a name hides nothing and clears nothing.
    let run = Case::new().set("ARM_CLIENT_SECRET", "s").input("session", "hub").succeeds();
    assert!(!run.variables().contains_key("ARM_CLIENT_SECRET") && run.commands("task.logissue").count() == 0);
}

#[test]
fn azcopy_is_signed_in_and_what_the_pipeline_says_of_it_is_kept() {
    assert_eq!(Case::new().succeeds().variable("AZCOPY_AUTO_LOGIN_TYPE"), "WORKLOAD");
    let run = pipeline(Case::new(), &[("AZCOPY_AUTO_LOGIN_TYPE", "SPN")]).succeeds();
    assert!(!run.variables().contains_key("AZCOPY_AUTO_LOGIN_TYPE"));
    assert!(run.out.contains("AZCOPY_AUTO_LOGIN_TYPE='SPN' of the pipeline is kept"), "{}", run.out);
    assert!(
        !Case::new()
            .input("exports", "terraform")
            .succeeds()
            .variables()
            .contains_key("AZCOPY_AUTO_LOGIN_TYPE")
    );
}

#[test]
fn a_proxy_exception_that_is_there_already_is_not_set_again() {
    let names = |case: &Case| {
        let run = case.succeeds();
        let set = run
            .variables()
            .into_keys()
            .filter(|name| name.eq_ignore_ascii_case("no_proxy") || name == "NO.PROXY");
        set.collect::<Vec<_>>()
    };
    let proxied = || Case::new().set("HTTP_PROXY", "http://127.0.0.1:9");
    assert_eq!(names(&proxied()), ["NO.PROXY", "no_proxy"]);
    let both =
        proxied().set("NO_PROXY", "127.0.0.1,localhost,.corp").set("no_proxy", ".corp,127.0.0.1,localhost");
    assert_eq!(names(&both), Vec::<String>::new());
    let one = proxied().set("NO_PROXY", "127.0.0.1,localhost").set("no_proxy", ".corp");
    assert_eq!(names(&one), ["no_proxy"]);
}

#[test]
fn a_connection_without_a_subscription_says_that_none_is_exported() {
    let (log, _) = said(&Case::new().data("scopeLevel", "ManagementGroup").data("subscriptionId", ""));
    assert!(log.contains("ARM_SUBSCRIPTION_ID are not exported"), "{log}");
    let case = Case::new().data("scopeLevel", "AzureMLWorkspace").data("mlWorkspaceName", "w");
    let own = case.emulator.usual().subscription.to_string();
    assert_eq!(case.succeeds().variable("ARM_SUBSCRIPTION_ID"), own);
    case.input("allowedSubscriptions", &own).succeeds();
}

#[test]
fn the_page_lists_what_would_win_and_nothing_else() {
    let mut rows = Vec::new();
    for &family in Family::ALL {
        for conflict in family.conflicts() {
            let names: Vec<_> = conflict.variables.iter().map(|name| format!("`{name}`")).collect();
            let sessions: Vec<_> = conflict.sessions.iter().map(|kind| kind.as_str()).collect();
            let remedy = conflict.from_machine.as_str();
            let (values, effect) = (conflict.values.describe(), conflict.effect);
            rows.push(format!(
                "| `{}` | {} | {values} | {} | {remedy} | {effect} |",
                family.as_str(),
                names.join(" and "),
                sessions.join(", "),
            ));
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conflicts.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let listed: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let made = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("conflicts.txt");
    std::fs::write(&made, rows.join("\n")).unwrap();
    assert!(listed == rows, "docs/conflicts.md has another table than {}", made.display());
}

#[test]
fn a_session_without_a_name_beside_one_with_a_name_is_told_to_either_and_is_no_warning() {
    let url = "http://127.0.0.1:1";
    let tells = |inputs: &[(&str, &str)], variables: &[(&str, &str)]| {
        let case = inputs.iter().fold(Case::new(), |case, (name, value)| case.input(name, value));
        let case = variables.iter().fold(case, |case, (name, value)| case.set(name, value));
        // Without a program there is no broker; the line is out by then.
        let run = case.run();
        let text = "a sign-in session without a name beside one";
        assert!(!run.commands("task.logissue").any(|(_, issue)| issue.contains(text)), "{}", run.out);
        run.out.contains(text)
    };
    let (unnamed, named) = ([("refresh", "true")], [("refresh", "true"), ("session", "spoke")]);
    assert!(tells(&unnamed, &[("HUB_WIF_URL", url), ("HUB_WIF_KEY", "k")]));
    assert!(tells(&named, &[("WIF_URL", url), ("WIF_KEY", "k")]));
    for variables in [
        &[][..],
        &[("HUB_WIF_URL", url)],
        &[("HUB_WIF_URL", url), ("SPOKE_WIF_KEY", "k")],
        &[("HUB_WIF_URL", ""), ("HUB_WIF_KEY", "k")],
        &[("HUBWIF_URL", url), ("HUBWIF_KEY", "k")],
    ] {
        assert!(!tells(&unnamed, variables), "{variables:?}");
    }
    for variables in
        [&[][..], &[("WIF_URL", url)], &[("WIF_KEY", "k")], &[("HUB_WIF_URL", url), ("HUB_WIF_KEY", "k")]]
    {
        assert!(!tells(&named, variables), "{variables:?}");
    }
    assert!(
        !tells(&[("refresh", "false")], &[("HUB_WIF_URL", url), ("HUB_WIF_KEY", "k")]),
        "it leaves no broker"
    );
}

#[test]
fn what_the_machine_says_of_azcopy_is_kept_and_our_own_value_is_not_another() {
    let run = Case::new().set("AZCOPY_AUTO_LOGIN_TYPE", "SPN").succeeds();
    assert!(!run.variables().contains_key("AZCOPY_AUTO_LOGIN_TYPE"));
    assert!(run.out.contains("AZCOPY_AUTO_LOGIN_TYPE='SPN' of the agent's machine is kept"), "{}", run.out);
    let run = Case::new().set("AZCOPY_AUTO_LOGIN_TYPE", "workload").succeeds();
    assert_eq!(run.variable("AZCOPY_AUTO_LOGIN_TYPE"), "WORKLOAD");
    assert!(!run.out.contains("is kept"), "{}", run.out);
    let run = Case::new().input("exports", "terraform").set("AZCOPY_AUTO_LOGIN_TYPE", "SPN").succeeds();
    assert!(!run.out.contains("is kept"), "the family that would set it is not exported: {}", run.out);
}
