//! Refusals of the other clouds, and inputs that are refused before any request.

use emulator::{
    Proxy, Service,
    directory::clouds::{AWS_ROLE, GOOGLE_ACCOUNT, GOOGLE_PROVIDER, VAULT_ROLE},
};
use wif_core::code::Code;

use super::{REGION, program, refuse, trusting, with_aws, with_google, with_vault};
use crate::{existing_variables::pipeline, refusals::of_clouds, support::Case};

#[test]
fn inputs_of_other_clouds_that_cannot_be_meant_are_named_before_any_request() {
    let provider = "googleProvider";
    for (given, input, accepted) in [
        (&[("awsRole", "deploy")][..], "awsRole", "the ARN of a role"),
        (&[("awsRole", AWS_ROLE)], "awsRegion", "a region such as eu-central-1"),
        (&[("awsRole", AWS_ROLE), ("awsRegion", "Frankfurt")], "awsRegion", "a region such as"),
        (&[("awsRole", AWS_ROLE), ("awsRegion", "cn-north-1")], "awsRegion", "of the partition of awsRole"),
        (
            &[("awsRole", AWS_ROLE), ("awsRegion", "us-iso-east-1")],
            "awsRegion",
            "of the partition of awsRole",
        ),
        (&[("awsRegion", REGION)], "awsRole", "with awsRegion beside it"),
        (
            &[("awsRole", AWS_ROLE), ("awsRegion", REGION), ("awsSessionDuration", "899")],
            "awsSessionDuration",
            "900 to 43200",
        ),
        (
            &[("awsRole", AWS_ROLE), ("awsRegion", REGION), ("awsSessionDuration", "1h")],
            "awsSessionDuration",
            "900 to 43200",
        ),
        (&[(provider, "azure")], provider, "projects/NUMBER/locations/global"),
        (&[("googleServiceAccount", GOOGLE_ACCOUNT)], provider, "the full name"),
        (&[(provider, GOOGLE_PROVIDER), ("googleServiceAccount", "deploy")], "googleServiceAccount", "mail"),
        (&[("vaultAddress", "http://vault.example")], "vaultAddress", "loopback"),
        (&[("vaultAddress", "vault.example")], "vaultAddress", "https://"),
        (&[("vaultRole", "deploy")], "vaultAddress", "https://"),
        (&[("vaultMount", "ci")], "vaultAddress", "https://"),
        (&[("awsSessionDuration", "7200")], "awsRole", "the ARN of a role"),
        (&[("vaultAddress", "https://v.example"), ("vaultMount", "../sys")], "vaultMount", "such as jwt"),
    ] {
        let case = given.iter().fold(trusting(Case::new()), |case, (name, value)| case.input(name, value));
        let text = case.fails_unasked(Code::InputInvalid);
        assert!(text.contains(&format!("the input {input} is")) && text.contains(accepted), "{text}");
    }
}

#[test]
fn what_cannot_be_kept_fresh_or_is_not_allowed_fails_with_both_inputs_named() {
    for (given, words) in [
        (&[("refresh", "false")][..], &["awsRole", "refresh: false"][..]),
        (&[("allowedResources", "arm, google")], &["awsRole", "allowedResources", "leaves out aws"]),
        (&[("allowedResources", "vault")], &["awsRole", "allowedResources"]),
    ] {
        let case =
            given.iter().fold(with_aws(trusting(Case::new())), |case, (name, value)| case.input(name, value));
        let text = case.fails_unasked(Code::InputsContradict);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn what_would_win_over_a_session_of_aws_fails_the_step_and_is_named() {
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ] {
        let text = with_aws(trusting(Case::new())).set(name, "x").fails_unasked(Code::MachineConflicts);
        assert!(text.contains(name) && text.contains("awsRole"), "{text}");
    }
    for name in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"] {
        let text =
            pipeline(with_aws(trusting(Case::new())), &[(name, "x")]).fails_unasked(Code::VariableConflicts);
        assert!(text.contains(name) && text.contains("awsRole") && text.contains("the pipeline"), "{text}");
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let file = home.path().join(".aws/credentials");
    let at_home = || with_aws(trusting(Case::new())).set("HOME", &home.path().display().to_string());
    std::fs::write(&file, "[default]\naws_access_key_id = AKIA1\n").unwrap();
    let text = at_home().fails_unasked(Code::MachineConflicts);
    assert!(text.contains(&file.display().to_string()) && text.contains("[default]"), "{text}");
    std::fs::write(&file, "[default]\nregion = eu-west-1\n").unwrap();
    at_home().program(program()).succeeds();
}

/// `VAULT_*` and `GOOGLE_*` that the session does not set itself.
fn with_vault_or_google(name: &str) -> (Case, Option<Proxy>) {
    if name.contains("GOOGLE") || name.contains("CLOUDSDK") || name.contains("GCLOUD") {
        let (case, proxy) = with_google(trusting(Case::new()));
        return (case.program(program()), Some(proxy));
    }
    (with_vault(trusting(Case::new())).program(program()), None)
}

#[test]
fn what_would_win_over_a_session_of_google_or_vault_is_emptied_or_warned_of_by_who_has_set_it() {
    for name in [
        "VAULT_AGENT_ADDR",
        "BAO_AGENT_ADDR",
        "VAULT_NAMESPACE",
        "BAO_NAMESPACE",
        "GOOGLE_OAUTH_ACCESS_TOKEN",
        "GOOGLE_CREDENTIALS",
        "GOOGLE_CLOUD_KEYFILE_JSON",
        "GCLOUD_KEYFILE_JSON",
        "GOOGLE_BACKEND_CREDENTIALS",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    ] {
        let (case, _proxy) = with_vault_or_google(name);
        let run = case.set(name, "0ld").succeeds();
        assert_eq!(run.variable(name), "", "{name}");
        assert!(
            run.out.contains(&format!("{name} of the agent's machine is emptied for this job: ")),
            "{}",
            run.out
        );
        assert!(!run.out.contains("0ld") && run.commands("task.logissue").next().is_none(), "{}", run.out);

        let (case, _proxy) = with_vault_or_google(name);
        let run = pipeline(case, &[(name, "0ld")]).succeeds();
        assert!(!run.variables().contains_key(name), "{name} is the pipeline's: {}", run.out);
        let warnings: Vec<_> = run.commands("task.logissue").map(|(_, text)| text).collect();
        let [warning] = warnings[..] else { panic!("{name}: {warnings:?}") };
        assert!(
            warning.contains(&format!("The pipeline sets {name}: ")) && !run.out.contains("0ld"),
            "{warning}"
        );
        // No export asks for these.
        assert!(warning.contains("leave the input empty") && !warning.contains("exports"), "{warning}");
    }
}

#[test]
fn a_namespace_of_the_job_does_not_matter_where_the_input_names_one() {
    let case = with_vault(trusting(Case::new())).set("VAULT_NAMESPACE", "x").input("vaultNamespace", "team");
    // Vault was asked: it has no such namespace.
    let run = case.program(program()).fails(Code::TargetUnusable);
    assert!(!run.contains("VAULT_NAMESPACE of"), "{run}");
}

#[test]
fn a_variable_of_the_session_that_the_pipeline_has_set_otherwise_is_named_as_replaced() {
    for (name, shown) in [
        ("VAULT_ADDR", true),
        ("BAO_ADDR", true),
        ("VAULT_TOKEN", false),
        ("GOOGLE_APPLICATION_CREDENTIALS", true),
        ("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", true),
    ] {
        let (case, _proxy) = with_vault_or_google(name);
        let run = pipeline(case, &[(name, "0ld")]).succeeds();
        assert_ne!(run.variable(name), "0ld");
        let old = if shown {
            format!("{name}='0ld' of the pipeline is replaced")
        } else {
            format!("{name} of the pipeline is replaced")
        };
        assert!(run.out.contains(&old) && run.out.contains("0ld") == shown, "{}", run.out);
    }
}

#[test]
fn an_id_token_goes_to_no_other_host_than_that_of_the_service() {
    let case = with_aws(trusting(Case::new())).set("AWS_ENDPOINT_URL_STS", "https://sts.evil.example");
    let text = case.fails_unasked(Code::AuthorityNotAllowed);
    assert!(text.contains("AWS_ENDPOINT_URL_STS") && text.contains("allowedAuthorities"), "{text}");
    let case = trusting(Case::new()).set("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "evil.example");
    let text = case.input("googleProvider", GOOGLE_PROVIDER).fails_unasked(Code::AuthorityNotAllowed);
    assert!(text.contains("GOOGLE_CLOUD_UNIVERSE_DOMAIN"), "{text}");
}

#[test]
fn where_resources_are_limited_only_a_vault_that_is_named_gets_the_id_token() {
    let case =
        || trusting(Case::new()).input("allowedResources", "arm, vault").input("vaultRole", VAULT_ROLE);
    let elsewhere = || case().input("vaultAddress", "https://vault.example:8200");
    for allowed in ["127.0.0.1", "127.0.0.1, vault.example:443"] {
        let text = elsewhere().input("allowedAuthorities", allowed).fails_unasked(Code::AuthorityNotAllowed);
        for word in ["vault.example", "allowedResources", "allowedAuthorities", "id token"] {
            assert!(text.contains(word), "{text}");
        }
    }
    // The emulator is named, and so it is asked: it has no such mount.
    let named = case();
    let url = named.emulator.clouds_url();
    let named = named.input("vaultAddress", &url).input("vaultMount", "other");
    named.program(program()).fails(Code::TargetUnusable);
}

#[test]
fn every_known_refusal_of_another_cloud_is_explained() {
    for expected in of_clouds() {
        let name = expected.name;
        let case = trusting(Case::new());
        let (case, _proxy) = if name.starts_with("google") {
            let (case, proxy) = with_google(case);
            (case.input("googleServiceAccount", GOOGLE_ACCOUNT), Some(proxy))
        } else if name.starts_with("vault") {
            (with_vault(case), None)
        } else {
            (with_aws(case), None)
        };
        refuse(&case, name);
        let text = case.fails(expected.code);
        let first = text.lines().next().unwrap();
        assert!(first.contains(expected.says), "{name}: no '{}' in\n{text}", expected.says);
        let known = wif_core::refusals::named(name).unwrap();
        assert!(first.contains(known.meaning), "{text}");
        assert!(text.contains(&format!("\n  fix: {}\n  run: {}\n", known.remedy, known.command)), "{text}");
        // What was presented, in parts that no mask hits.
        assert!(text.contains("subject organization  contoso") && text.contains("audience "), "{text}");
        assert!(
            !text.contains("sc://contoso/") && !text.contains("https://vstoken.dev.azure.com/"),
            "{text}"
        );
        let exchanges =
            case.emulator.count(Service::Clouds, "POST /") - usize::from(name == "google-impersonation");
        expected.again.check(name, exchanges, &case.clock.sleeps());
    }
}

#[test]
fn a_subject_that_no_mapping_can_take_is_said() {
    let case = trusting(Case::with_entra_issuer());
    case.emulator.directory().clouds.google.providers[0].maps_part = false;
    let (case, _proxy) = with_google(case);
    let text = case.fails(Code::TargetTrustMissing);
    assert!(text.contains("the subject has 138 bytes, 127 are allowed"), "{text}");
}
