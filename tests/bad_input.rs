//! Bad input fails before any request is sent, and says what is wrong with what.

use wif_core::code::Code;

use crate::support::{Case, block_until};

#[test]
fn a_connection_that_is_missing_or_no_id() {
    for value in ["", "sc-prod", "$(connection)"] {
        let case = Case::new().input("azureSubscription", value);
        let code = if value.contains('$') { Code::InputInvalid } else { Code::ConnectionInput };
        let text = case.fails_unasked(code);
        assert!(text.contains("azureSubscription") && text.contains("fix: "), "{text}");
    }
    let absent = Case::new().input("azureSubscription", "11111111-1111-1111-1111-111111111111");
    let text = absent.fails_unasked(Code::ConnectionAbsent);
    assert!(text.contains("11111111-1111-1111-1111-111111111111 is not part of this job"), "{text}");
}

#[test]
fn a_connection_with_the_id_in_upper_case_is_the_same() {
    let case = Case::new();
    let id = case.connection.to_string().to_uppercase();
    case.input("azureSubscription", &id).succeeds();
}

#[test]
fn an_incomplete_connection() {
    for (parameter, value, code, words) in [
        ("tenantid", "", Code::ConnectionIncomplete, "no tenant id"),
        ("tenantid", "contoso.com", Code::ConnectionIncomplete, "accepted is a GUID"),
        ("serviceprincipalid", "", Code::ConnectionIncomplete, "no client id"),
        ("serviceprincipalid", "x", Code::ConnectionIncomplete, "accepted is a GUID"),
    ] {
        let text = Case::new().parameter(parameter, value).fails_unasked(code);
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn an_authority_that_is_not_https_or_not_known() {
    for (data, value) in [
        ("activeDirectoryAuthority", "http://login.microsoftonline.com/"),
        ("activeDirectoryAuthority", "login.microsoftonline.com"),
        ("activeDirectoryAuthority", "https://user:password@login.microsoftonline.com/"),
    ] {
        let text = Case::new().data(data, value).fails_unasked(Code::AuthorityInvalid);
        assert!(text.contains(data), "{text}");
    }
    let stack = Case::new()
        .data("environment", "AzureStack")
        .data("activeDirectoryAuthority", "")
        .data("environmentAuthorityUrl", "");
    let text = stack.fails_unasked(Code::AuthorityInvalid);
    assert!(text.contains("'AzureStack'") && text.contains("AzureChinaCloud"), "{text}");
}

#[test]
fn a_scheme_that_is_unknown_or_not_federated() {
    let scheme = |name: &str| {
        let case = Case::new();
        let variable = format!("ENDPOINT_AUTH_SCHEME_{}", case.connection);
        case.set(&variable, name)
    };
    let text = scheme("Kerberos").fails_unasked(Code::SchemeUnsupported);
    assert!(text.contains("'Kerberos'") && text.contains("WorkloadIdentityFederation"), "{text}");
    for name in ["ServicePrincipal", "ManagedServiceIdentity"] {
        let text = scheme(name).input("requireFederation", "true").fails_unasked(Code::FederationRequired);
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_connection_that_points_elsewhere() {
    let elsewhere = "22222222-2222-2222-2222-222222222222";
    let text = Case::new().input("allowedTenants", elsewhere).fails_unasked(Code::TenantNotAllowed);
    assert!(text.contains(elsewhere) && text.contains("allowedTenants"), "{text}");
    let text =
        Case::new().input("allowedSubscriptions", elsewhere).fails_unasked(Code::SubscriptionNotAllowed);
    assert!(text.contains(elsewhere) && text.contains("allowedSubscriptions"), "{text}");
    let none = Case::new().data("scopeLevel", "ManagementGroup").input("allowedSubscriptions", elsewhere);
    let text = none.fails_unasked(Code::SubscriptionNotAllowed);
    assert!(text.contains("no subscription"), "{text}");
}

#[test]
fn inputs_of_every_kind_that_are_malformed() {
    for (input, value, accepted) in [
        ("exports", "terraform, kubectl", "azure-sdk"),
        ("exports", "none, terraform", "none alone"),
        ("accessTokens", "TOKEN", "VARIABLE=resource"),
        ("accessTokens", "TO KEN=arm", "VARIABLE=resource"),
        ("accessTokens", "TOKEN=management", "keyvault"),
        ("accessTokens", "TOKEN=http://vault.azure.net", "https://"),
        ("refresh", "no", "true or false"),
        ("requireFederation", "ja", "true or false"),
        ("diagnose", "maybe", "true or false"),
        ("allowedResources", "everything", "keyvault"),
        ("allowedResources", "keyvault, https:///.default", "https:///.default"),
        ("allowedAuthorities", "https://login.example", "hosts"),
        ("session", "hub-eu", "letters"),
        ("allowedTenants", "contoso", "GUIDs"),
        ("allowedSubscriptions", "prod", "GUIDs"),
    ] {
        let text = Case::new().input(input, value).fails_unasked(Code::InputInvalid);
        assert!(text.contains(input) && text.contains(accepted), "{text}");
    }
}

#[test]
fn inputs_that_contradict_each_other() {
    let text = Case::new().input("exports", "azure-cli").fails_unasked(Code::InputsContradict);
    assert!(text.contains("azure-cli") && text.contains("refresh"), "{text}");
    for (tokens, clash) in [
        ("AZURE_CLIENT_ID=arm", "AZURE_CLIENT_ID"),
        ("azure.tenant.id=arm", "azure.tenant.id"),
        ("A=arm\nA_EXPIRES_ON=graph", "A_EXPIRES_ON"),
    ] {
        let text = Case::new().input("accessTokens", tokens).fails_unasked(Code::InputsContradict);
        assert!(text.contains(clash), "{text}");
    }
}

#[test]
fn values_that_could_be_commands_stay_text() {
    for value in
        ["##vso[task.complete result=Succeeded]", "a\r\n##vso[task.setvariable variable=X]y", "%0A;]"]
    {
        let case = Case::new().input("session", value);
        let text = case.fails_unasked(Code::InputInvalid);
        let first = text.lines().next().unwrap();
        assert!(first.contains("accepted: letters"), "the value must not end the line: {text}");
    }
}

#[test]
fn a_job_without_token_or_address() {
    let case = Case::new().unset("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN");
    let text = case.fails(Code::JobTokenMissing);
    assert!(text.contains("System.AccessToken"), "{text}");
    let case = Case::new().unset("SYSTEM_OIDCREQUESTURI").unset("SYSTEM_PLANID");
    assert!(case.fails(Code::VariableMissing).contains("SYSTEM_PLANID"));
    let case = Case::new().set("SYSTEM_OIDCREQUESTURI", "http://127.0.0.1/oidctoken");
    assert!(case.fails(Code::VariableMissing).contains("SYSTEM_OIDCREQUESTURI"));
    let case = Case::new().set("SYSTEM_OIDCREQUESTURI", "https://evil.example/oidctoken");
    assert!(case.fails(Code::OtherOrganization).contains("evil.example"));
}

#[test]
fn a_temporary_folder_that_cannot_be_used() {
    Case::new().unset("AGENT_TEMPDIRECTORY").fails_unasked(Code::VariableMissing);
    let text =
        Case::new().set("AGENT_TEMPDIRECTORY", "/nonexistent/temp").fails_unasked(Code::FolderUnwritable);
    assert!(text.contains("/nonexistent/temp") && text.contains("AGENT_TEMPDIRECTORY"), "{text}");
    for (folder, what) in [("/tmp/$(Build.BuildId)", "$("), ("/tmp/a\nb", "a line end")] {
        let text = Case::new().set("AGENT_TEMPDIRECTORY", folder).fails_unasked(Code::ValueNotExportable);
        assert!(text.contains(what), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk() {
    // A file size limit of nothing fails a write as a full disk does, and needs no disk of its own.
    let case = Case::new();
    let mut shell = case.command("bash");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" task run", env!("CARGO_BIN_EXE_wif")]);
    let output = shell.output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}");
    assert!(out.contains(";code=WIF4004]") && out.contains("could not write the private file"), "{out}");
    assert!(out.contains("##vso[task.complete result=Failed]"), "{out}");
    assert!(!out.contains("task.setvariable"), "{out}");
    assert!(case.files().is_empty(), "{:?}", case.files());
}

#[test]
fn percent_semicolon_and_bracket_in_the_temporary_folder_are_carried() {
    let case = Case::new();
    let strange = tempfile::Builder::new().prefix("100%;]").tempdir().unwrap();
    let run = case.set("AGENT_TEMPDIRECTORY", strange.path().to_str().unwrap()).succeeds();
    let path = run.variable("ARM_OIDC_TOKEN_FILE_PATH").replace("%AZP25", "%");
    assert!(std::fs::exists(&path).unwrap(), "{path}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_step_that_fails_after_its_broker_started_leaves_none_and_the_post_job_stage_misses_none() {
    let case = Case::new().input("refresh", "true").input("exports", "azure-cli");
    let mut shell = case.command("bash");
    // The profile of az is the first file that is written.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" task run", env!("CARGO_BIN_EXE_wif")]);
    let output = shell.output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(";code=WIF4004]") && !out.contains("task.setvariable"), "{out}");
    for name in ["WIF_BROKER_URL", "WIF_BROKER_KEY", "WIF_BROKER_PROCESS"] {
        let set: Vec<_> = out
            .lines()
            .filter_map(|line| line.split_once(&format!("settaskvariable variable={name}]")))
            .collect();
        let [(_, first), (_, last)] = set[..] else { panic!("{name}: {out}") };
        assert!(!first.is_empty() && last.is_empty(), "{name}: {out}");
    }
    let port = out.lines().find_map(|line| line.split_once("WIF_BROKER_URL]http://127.0.0.1:")).unwrap().1;
    let port: u16 = port.parse().unwrap();
    let is_gone = || std::net::TcpStream::connect(("127.0.0.1", port)).is_err();
    block_until("the broker ends", || case.emulator.journal_text(), is_gone);
}
