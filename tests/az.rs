//! `exports: azure-cli`: az finds what it would find after `az login`, and the user's own settings.
#![cfg(target_os = "linux")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, thread};

use emulator::{
    Emulator, Fault, Service, USUAL,
    agent::{Agent, JobReport, JobResult, Step},
    directory::{Scope, Subscription},
};
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::support::{EMULATOR, task_folder};

const OTHER: Uuid = uuid!("b7a1c2d3-0e4f-4a5b-9c6d-7e8f90a1b2c3");
const LIST: &str = "GET /subscriptions";

/// A subscription that the usual connection's identity may see.
fn subscription(id: Uuid, name: &str, state: &str) -> Subscription {
    Subscription {
        id,
        name: name.to_owned(),
        state: state.to_owned(),
        tenant: USUAL.tenant,
        roles: vec![USUAL.client],
    }
}

fn with_other() -> Emulator {
    let emulator = Emulator::start();
    emulator.directory().subscriptions.push(subscription(OTHER, "Spoke", "Enabled"));
    emulator
}

/// Signs in, then shows the folder of az.
fn run(emulator: &Emulator, agent: Agent, inputs: &[(&str, &str)]) -> JobReport {
    let usual = [("azureSubscription", "sc-prod"), ("exports", "azure-cli"), EMULATOR];
    let mut all: Vec<_> =
        usual.into_iter().filter(|(name, _)| inputs.iter().all(|(own, _)| own != name)).collect();
    all.extend(inputs);
    let look = "cd \"$AZURE_CONFIG_DIR\"; echo PROFILE $(cat azureProfile.json); sed 's/^/CONFIG /' config
        [ -e clouds.config ] && sed 's/^/CLOUDS /' clouds.config; ls -l; [ -x bin/bicep ] && bin/bicep --version; true";
    let steps =
        [Step::task(task_folder(), &all).display_name("Sign in"), Step::bash(look).display_name("Look")];
    let report = agent.ca_file(emulator.ca_file()).run(&emulator.job_with(&[USUAL.connection]), &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new());
    report
}

fn usual_run(emulator: &Emulator) -> JobReport {
    run(emulator, Agent::new(), &[])
}

fn accounts(report: &JobReport) -> Vec<Value> {
    let log = &report.step("Look").raw_stdout;
    let text = log.lines().find_map(|line| line.strip_prefix("PROFILE ")).unwrap_or_else(|| panic!("{log}"));
    let profile: Value = serde_json::from_str(text).unwrap();
    profile["subscriptions"].as_array().unwrap().clone()
}

fn marked<'a>(report: &'a JobReport, mark: &str) -> Vec<&'a str> {
    report.step("Look").raw_stdout.lines().filter_map(|line| line.strip_prefix(mark)).collect()
}

/// The id of the account that commands act on, and how many there are.
fn default_of(accounts: &[Value]) -> (String, usize) {
    let default: Vec<_> = accounts.iter().filter(|account| account["isDefault"] == true).collect();
    let [default] = default[..] else { panic!("{accounts:?}") };
    (default["id"].as_str().unwrap().to_owned(), accounts.len())
}

#[test]
fn az_knows_every_subscription_that_the_identity_sees_by_one_request() {
    let emulator = with_other();
    let foreign = Subscription { roles: vec![], ..subscription(Uuid::from_u128(7), "Hidden", "Enabled") };
    emulator.directory().subscriptions.extend([foreign, subscription(Uuid::from_u128(9), "Old", "Disabled")]);
    let report = usual_run(&emulator);
    let accounts = accounts(&report);
    assert_eq!(default_of(&accounts), (USUAL.subscription.to_string(), 3));
    let tenant = USUAL.tenant.to_string();
    let user = json!({
        "name": "userAssignedIdentity", "type": "servicePrincipal",
        "assignedIdentityInfo": format!("MSIClient-{}", USUAL.client),
    });
    let other = accounts.iter().find(|account| account["id"] == OTHER.to_string()).unwrap();
    assert_eq!(
        *other,
        json!({
            "id": OTHER.to_string(), "name": "Spoke", "state": "Enabled", "user": user, "isDefault": false,
            "tenantId": tenant, "homeTenantId": tenant, "managedByTenants": [], "environmentName": "AzureCloud",
        }),
        "as az writes it after a login",
    );
    assert!(accounts.iter().any(|account| account["name"] == "Old" && account["state"] == "Disabled"));
    assert_eq!(emulator.count(Service::Arm, LIST), 1);
    let asked = emulator.journal();
    let list = asked.iter().find(|entry| entry.service == Service::Arm && entry.path == "/subscriptions");
    assert_eq!(list.unwrap().query("api-version"), Some("2022-12-01"));
}

#[test]
fn a_list_of_several_pages_is_read_to_its_end_and_no_more_than_1000_subscriptions() {
    let emulator = Emulator::start();
    let many =
        (1..1_500).map(|number| subscription(Uuid::from_u128(number), &format!("S{number}"), "Enabled"));
    emulator.directory().subscriptions.extend(many);
    emulator.directory().subscriptions_per_page = Some(400);
    let report = usual_run(&emulator);
    assert_eq!(default_of(&accounts(&report)), (USUAL.subscription.to_string(), 1_000));
    assert_eq!(emulator.count(Service::Arm, LIST), 3, "what would be left out is not asked for");
    let log = &report.step("Sign in").log;
    assert_eq!(log.matches("the first 1000").count(), 1, "{log}");

    // One page of 1,000 is larger than any other answer.
    let emulator = Emulator::start();
    let many =
        (1..1_000).map(|number| subscription(Uuid::from_u128(number), &format!("S{number}"), "Enabled"));
    emulator.directory().subscriptions.extend(many);
    let report = usual_run(&emulator);
    assert_eq!(accounts(&report).len(), 1_000);
    assert!(!report.step("Sign in").log.contains("the first 1000"), "{}", report.log);
}

#[test]
fn where_the_resource_manager_is_blocked_or_refuses_the_sign_in_works_and_one_line_says_so() {
    let list = || Fault::on(Service::Arm, "GET", "/subscriptions").always();
    let rows = [
        (Fault::connect(Service::Arm).always().refuse(), "no answer"),
        (list().hang(), "longer than 3 s"),
        (Fault::connect(Service::Arm).always().hang(), "longer than 3 s"),
        (list().status(503), "503"),
        (list().status(403), "403"),
        (list().html("<h1>blocked</h1>"), "something that is not what was asked for"),
        (list().status(302).header("Location", "https://elsewhere.example/"), "302"),
    ];
    let check = |fault, reason: &str| {
        let emulator = with_other();
        emulator.fault(fault);
        let report = usual_run(&emulator);
        let took = report.step("Sign in").seconds;
        assert!(took < 10.0, "the list takes 3 s at the most, not {took}: {}", report.log);
        assert_eq!(default_of(&accounts(&report)), (USUAL.subscription.to_string(), 1), "{reason}");
        let log = &report.step("Sign in").log;
        let lines: Vec<_> = log.lines().filter(|line| line.contains("did not list")).collect();
        let [line] = lines[..] else { panic!("{log}") };
        assert!(
            line.contains(reason) && line.contains("the connection's own subscription"),
            "{reason}: {line}"
        );
        assert_eq!(report.step("Sign in").warnings(), Vec::<&str>::new(), "{log}");
        assert!(emulator.count(Service::Arm, LIST) <= 1, "tried again");
    };
    // Side by side, since some of them wait for an answer that does not come.
    let check = &check;
    thread::scope(|scope| {
        for (fault, reason) in rows {
            scope.spawn(move || check(fault, reason));
        }
    });
}

#[test]
fn a_page_that_leads_to_another_host_is_not_followed() {
    let emulator = with_other();
    let elsewhere = Emulator::start();
    let first = json!({
        "value": [{ "subscriptionId": OTHER.to_string(), "displayName": "Spoke", "state": "Enabled", "tenantId": USUAL.tenant.to_string() }],
        "nextLink": format!("{}/subscriptions?api-version=2022-12-01&$skiptoken=1", elsewhere.arm_url()),
    });
    emulator.fault(Fault::on(Service::Arm, "GET", "/subscriptions").json(&first));
    let report = usual_run(&emulator);
    assert_eq!(default_of(&accounts(&report)), (USUAL.subscription.to_string(), 2));
    assert_eq!(elsewhere.connections(Service::Arm), 0);
    let log = &report.step("Sign in").log;
    assert!(log.contains("another host"), "{log}");
}

#[test]
fn a_resource_manager_that_is_not_known_gets_no_token() {
    let emulator = with_other();
    let message = {
        let mut message = emulator.job_with(&[USUAL.connection]);
        for endpoint in message.endpoints.iter_mut().filter(|endpoint| endpoint.id == USUAL.connection) {
            // Another name for this machine: no address of the loopback, and no host that is known.
            endpoint.url = format!("https://arm.example:{}", emulator.port(Service::Arm));
        }
        message
    };
    let inputs = [("azureSubscription", "sc-prod"), ("exports", "azure-cli"), EMULATOR];
    let look = Step::bash("cat \"$AZURE_CONFIG_DIR\"/clouds.config");
    let steps = [Step::task(task_folder(), &inputs).display_name("Sign in"), look];
    let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    assert!(
        report.log.contains("endpoint_resource_manager = https://management.azure.com"),
        "{}",
        report.log
    );
    assert_eq!(emulator.connections(Service::Arm), 0);
    assert_eq!(report.log.matches("no token is sent there").count(), 1, "{}", report.log);
    // Nor does az learn of it, which would send its tokens there.
    assert!(!report.log.contains("arm.example:"), "{}", report.log);
}

#[test]
fn the_list_is_read_without_a_token_for_the_resource_manager_among_access_tokens() {
    let emulator = with_other();
    let report = run(&emulator, Agent::new(), &[("accessTokens", "V=keyvault")]);
    assert_eq!(accounts(&report).len(), 2);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 2, "one exchange more, beside the other");

    // The additional exchange is no condition of the sign-in.
    let emulator = with_other();
    let unknown =
        ("activeDirectoryServiceEndpointResourceId".to_owned(), "https://unknown.example".to_owned());
    emulator.directory().connection(USUAL.connection).data.extend([unknown]);
    let report = run(&emulator, Agent::new(), &[("accessTokens", "V=keyvault")]);
    assert_eq!(accounts(&report).len(), 1);
    assert_eq!(report.step("Sign in").log.matches("did not list").count(), 1, "{}", report.log);
}

#[test]
fn without_azure_cli_or_where_the_resource_manager_is_not_allowed_no_list_is_asked_for() {
    for (inputs, said) in [
        (&[("exports", "terraform, azure-sdk")][..], false),
        (&[("exports", "azure-cli"), ("allowedResources", "keyvault"), ("accessTokens", "V=keyvault")], true),
    ] {
        let emulator = with_other();
        let usual = [("azureSubscription", "sc-prod"), EMULATOR];
        let inputs: Vec<_> = usual.into_iter().chain(inputs.iter().copied()).collect();
        let steps = [Step::task(task_folder(), &inputs).display_name("Sign in")];
        let report =
            Agent::new().ca_file(emulator.ca_file()).run(&emulator.job_with(&[USUAL.connection]), &steps);
        assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
        assert_eq!(emulator.connections(Service::Arm), 0, "not even connected");
        assert_eq!(report.log.contains("allowedResources leaves out"), said, "{}", report.log);
    }
}

#[test]
fn a_connection_without_a_subscription_has_the_first_that_is_enabled_as_after_a_login() {
    let group = |emulator: &Emulator| {
        emulator.directory().connection(USUAL.connection).scope =
            Scope::ManagementGroup("platform".to_owned(), "Platform".to_owned());
    };
    let emulator = with_other();
    group(&emulator);
    emulator.directory().subscription(USUAL.subscription).state = "Disabled".to_owned();
    let report = usual_run(&emulator);
    assert_eq!(default_of(&accounts(&report)), (OTHER.to_string(), 2));
    let log = &report.step("Sign in").log;
    assert!(log.contains("az acts on") && log.contains("Spoke"), "{log}");

    let emulator = Emulator::start();
    group(&emulator);
    emulator.directory().subscriptions.clear();
    let report = usual_run(&emulator);
    let accounts = accounts(&report);
    assert_eq!(default_of(&accounts), (USUAL.tenant.to_string(), 1));
    assert_eq!(accounts[0]["name"], "N/A(tenant level account)");

    let emulator = with_other();
    group(&emulator);
    emulator.fault(Fault::on(Service::Arm, "GET", "/subscriptions").always().status(403));
    let report = usual_run(&emulator);
    let log = &report.step("Sign in").log;
    assert!(log.contains("az knows no subscription, only the tenant: Azure Resource Manager"), "{log}");
}

/// A user's own folder, with settings, another cloud, and a Bicep.
fn home(temp: &Path) {
    let own = temp.join(".azure");
    fs::create_dir_all(own.join("bin")).unwrap();
    let config = "[defaults]\ngroup = rg-own\nlocation: westeurope\n\n[core]\noutput = table\ncollect_telemetry = yes\n\
                  [bicep]\nuse_binary_from_path = false\n[extension]\nuse_dynamic_install = yes_without_prompt\n\
                  [storage]\naccount = stown\nkey = c2VjcmV0LW9mLXRoZS11c2Vy\n";
    fs::write(own.join("config"), config).unwrap();
    fs::write(own.join("clouds.config"), "[OwnCloud]\nendpoint_resource_manager = https://own.example\n")
        .unwrap();
    let bicep = own.join("bin").join("bicep");
    fs::write(&bicep, "#!/bin/sh\necho BICEP of the user\n").unwrap();
    fs::set_permissions(&bicep, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn the_users_own_settings_clouds_and_bicep_are_there() {
    let temp = tempfile::tempdir().unwrap();
    home(temp.path());
    let emulator = with_other();
    let agent = Agent::new().machine_env("HOME", temp.path().to_str().unwrap());
    let report = run(&emulator, agent, &[]);
    let config = marked(&report, "CONFIG ");
    for line in [
        "group = rg-own",
        "location = westeurope",
        "output = table",
        "use_binary_from_path = false",
        "use_dynamic_install = yes_without_prompt",
        "account = stown",
        "collect_telemetry = no",
        "use_msal_managed_identity = true",
    ] {
        assert_eq!(config.iter().filter(|one| **one == line).count(), 1, "{line}: {config:?}");
    }
    assert_eq!(config.iter().filter(|line| **line == "[core]").count(), 1, "{config:?}");
    assert!(!report.step("Look").raw_stdout.contains("c2VjcmV0"), "a secret of the user's is copied");
    assert!(marked(&report, "CLOUDS ").contains(&"[OwnCloud]"), "{}", report.log);
    assert!(report.step("Look").raw_stdout.contains("BICEP of the user"), "{}", report.log);
    let bicep = temp.path().join(".azure").join("bin").join("bicep");
    assert!(bicep.is_file(), "the end of the job took the user's own program away");
}

#[test]
fn an_az_that_cannot_be_signed_in_is_warned_of_once() {
    let temp = tempfile::tempdir().unwrap();
    for (version, warned) in [("2.60.0", true), ("2.70.0", true), ("2.71.0", false), ("2.91.0", false)] {
        let prefix = temp.path().join(version);
        let core = format!("azure_cli_core-{version}.dist-info");
        fs::create_dir_all(prefix.join("lib/python3.11/site-packages").join(core)).unwrap();
        fs::create_dir_all(prefix.join("bin")).unwrap();
        let program = prefix.join("bin/az");
        fs::write(&program, "").unwrap();
        // A shell passes over a file without the right to start it.
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let report = run(&with_other(), Agent::new().path(&prefix.join("bin")), &[]);
        let log = &report.step("Sign in").raw_stdout;
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("type=warning")).collect();
        assert_eq!(warnings.len(), usize::from(warned), "{version}: {log}");
        if warned {
            assert!(warnings[0].contains(version) && warnings[0].contains("2.71"), "{}", warnings[0]);
        }
    }
}
