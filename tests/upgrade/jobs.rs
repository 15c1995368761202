//! Jobs run as on a machine of Azure Pipelines: the clouds' public names lead to the emulator through the agent's proxy, so
//! that no line of a job has to change. Terraform, az, python and what installs them are stand-ins, which sign in by the
//! variables that the real ones read, in their order.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use emulator::{
    Emulator, Proxy,
    agent::{Agent, JobReport, JobResult, Pipeline, ProxySettings, StepReport, jobs_from_yaml},
    directory::{App, Connection, Issuer, Kind, Subscription},
    job::Variable,
};
use uuid::{Uuid, uuid};

use super::{FORMER, PAGE, read};
use crate::{examples::written_out, support::task_folder};

/// Connections that the jobs name, and their subscriptions: `environments.yml` allows each stage its own.
const CONNECTIONS: [(&str, Uuid); 6] = [
    ("sc-dev", uuid!("11111111-1111-1111-1111-111111111111")),
    ("sc-test", uuid!("22222222-2222-2222-2222-222222222222")),
    ("sc-prod", uuid!("33333333-3333-3333-3333-333333333333")),
    ("sc-spoke", uuid!("44444444-4444-4444-4444-444444444444")),
    ("sc-hub", uuid!("55555555-5555-5555-5555-555555555555")),
    ("sc-pr", uuid!("66666666-6666-6666-6666-666666666666")),
];

/// What 1.0.0 exported in a job with a broker, by the families that the step names.
const ALWAYS: [&str; 6] = [
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "WIF_KEY",
    "WIF_URL",
];
const TERRAFORM: [&str; 7] = [
    "ARM_CLIENT_ID",
    "ARM_ENVIRONMENT",
    "ARM_OIDC_REQUEST_TOKEN",
    "ARM_OIDC_REQUEST_URL",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "ARM_USE_OIDC",
];
const AZURE_SDK: [&str; 4] = ["AZD_AUTH_ENDPOINT", "AZD_AUTH_KEY", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"];
const AZURE_CLI: [&str; 4] =
    ["AZURE_CONFIG_DIR", "AZURE_EXTENSION_DIR", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"];

/// Where `accessTokens` is not given.
const ACCESS_TOKEN: [&str; 1] = ["AZURE_ACCESS_TOKEN_EXPIRES_ON"];

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn yaml_of(page: &str) -> String {
    let text = read(&format!("{FORMER}/{page}"));
    if has_extension(page, "md") {
        // Its last step is no YAML as it stands there: a text with a colon and a blank needs a block.
        return block_of(&text).replace("  - bash: curl ", "  - bash: |\n      curl ");
    }
    let is_code = |line: &&str| !line.trim_start().starts_with('#');
    written_out(&(text.lines().filter(is_code).collect::<Vec<_>>().join("\n") + "\n"))
}

fn has_extension(page: &str, extension: &str) -> bool {
    Path::new(page).extension().is_some_and(|own| own == extension)
}

/// The first job of a page in Markdown.
fn block_of(text: &str) -> String {
    text.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

fn jobs(yaml: &str) -> Vec<Pipeline> {
    let folder = |task: &str| match task {
        "AzureWorkloadIdentity@1" => Some(task_folder().to_owned()),
        "PublishPipelineArtifact@1" => Some(file("tests/upgrade/publish-artifact")),
        _ => None,
    };
    jobs_from_yaml(yaml, &folder).unwrap().into_iter().map(|(_, job)| job).collect()
}

fn landscape() -> (Emulator, Vec<Uuid>) {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let mut directory = emulator.directory();
    directory.public_names = true;
    let project = &mut directory.organizations[0].projects[0];
    project.connections.clear();
    let mut ids = Vec::new();
    for (name, subscription) in CONNECTIONS {
        let client = Uuid::from_u128(0x2222_0000 + u128::try_from(ids.len()).unwrap());
        let connection = Connection::federated(name, Issuer::Entra, usual.tenant, client, subscription);
        let id = connection.id;
        directory.organizations[0].projects[0].connections.push(connection);
        directory.tenants[0].apps.push(App::new(client, Kind::Application));
        directory.subscriptions.push(Subscription {
            id: subscription,
            name: name.to_owned(),
            state: "Enabled".to_owned(),
            tenant: usual.tenant,
            roles: vec![client],
        });
        directory.trust(id);
        ids.push(id);
    }
    drop(directory);
    (emulator, ids)
}

fn run(emulator: &Emulator, connections: &[Uuid], job: &Pipeline) -> JobReport {
    let proxy = Proxy::start(Proxy::leading_to(emulator));
    let mut message = emulator.job_with(connections);
    job.add_variables(&mut message);
    let url = Variable { name: "ARM_URL".to_owned(), value: emulator.arm_url(), secret: false };
    message.variables.push(url);
    let ca = emulator.ca_file();
    let agent = Agent::new()
        .ca_file(ca)
        .proxy(ProxySettings { url: proxy.url(), ..ProxySettings::default() })
        .path(&file("tests/upgrade/stand-ins"))
        // For the scripts: curl, and the Node of demo.yml.
        .machine_env("https_proxy", proxy.url())
        .machine_env("CURL_CA_BUNDLE", ca.to_string_lossy())
        .machine_env("NODE_EXTRA_CA_CERTS", ca.to_string_lossy());
    let report = agent.run(&message, &job.steps);
    let issued = emulator.issued();
    assert_eq!(emulator::leaks(&issued, report.log.as_bytes()), Vec::<String>::new(), "{}", report.log);
    report
}

/// Runs every job of a page, and hands out their reports.
fn run_all(page: &str) -> Vec<JobReport> {
    let (emulator, connections) = landscape();
    jobs(&yaml_of(page)).iter().map(|job| run(&emulator, &connections, job)).collect()
}

fn is_green(page: &str, report: &JobReport) {
    assert_eq!(report.result, JobResult::Succeeded, "{page}: {}", report.log);
    assert!(report.killed_orphans.is_empty(), "{page}: {:?}", report.killed_orphans);
}

/// The warnings of a job, each of which must be on the page that lists what is new.
fn warnings(report: &JobReport) -> Vec<&str> {
    let listed = read(PAGE);
    let warnings: Vec<_> = report.steps.iter().flat_map(StepReport::warnings).collect();
    for warning in &warnings {
        assert!(listed.contains(warning), "{PAGE} does not have: {warning}");
    }
    warnings
}

fn output(report: &JobReport) -> String {
    report.steps.iter().map(|step| step.raw_stdout.as_str()).collect()
}

/// Whether steps found what 1.0.0 gave them; what they find beside it must be on the page.
fn finds(page: &str, report: &JobReport, families: &[&[&str]]) {
    let output = output(report);
    let found: BTreeSet<_> = output.lines().filter_map(|line| line.strip_prefix("found ")).collect();
    let former: BTreeSet<_> = ALWAYS.into_iter().chain(families.iter().copied().flatten().copied()).collect();
    assert!(former.is_subset(&found), "{page}: missing {:?}", former.difference(&found));
    let listed = read(PAGE);
    // The second session's, and the one that demo.yml needs.
    let plain = |name: &&&str| !name.starts_with("HUB_") && **name != "ARM_URL";
    for name in found.difference(&former).filter(plain) {
        assert!(listed.contains(&format!("`{name}`")), "{page}: {name} is not in {PAGE}");
    }
}

fn says(page: &str, report: &JobReport, words: &[&str]) {
    let output = output(report);
    for word in words {
        assert!(output.contains(word), "{page}: nothing says '{word}'\n{}", report.log);
    }
}

fn subscription(of: &str) -> String {
    CONNECTIONS.iter().find(|(name, _)| *name == of).unwrap().1.to_string()
}

#[test]
fn the_jobs_on_the_first_pages_of_1_0_0_are_green_without_a_warning() {
    let own = subscription("sc-prod");
    for page in ["README.md", "overview.md"] {
        let reports = run_all(page);
        let [report] = reports.as_slice() else { panic!("{page}") };
        is_green(page, report);
        assert_eq!(warnings(report), Vec::<&str>::new(), "{page}");
        finds(page, report, &[&TERRAFORM, &AZURE_SDK, &AZURE_CLI, &ACCESS_TOKEN]);
        says(
            page,
            report,
            &[
                &format!("terraform apply acts on {own} by an id token"),
                &format!("az group acts on {own}"),
                "python has a token for https://storage.azure.com",
            ],
        );
    }
}

#[test]
fn the_examples_of_1_0_0_with_az_are_green_without_a_warning() {
    for (page, stages) in [
        ("docs/examples/bicep.yml", &["sc-prod", "sc-prod"][..]),
        ("docs/examples/environments.yml", &["sc-dev", "sc-test", "sc-prod"]),
    ] {
        let reports = run_all(page);
        assert_eq!(reports.len(), stages.len(), "{page}");
        for (report, connection) in reports.iter().zip(stages) {
            is_green(page, report);
            assert_eq!(warnings(report), Vec::<&str>::new(), "{page}");
            finds(page, report, &[&AZURE_CLI, &ACCESS_TOKEN]);
            says(page, report, &[&format!("az deployment acts on {}", subscription(connection))]);
        }
    }
}

#[test]
fn the_examples_of_1_0_0_with_terraform_are_green_without_a_warning() {
    let (page, own) = ("docs/examples/terraform.yml", subscription("sc-prod"));
    let reports = run_all(page);
    let [plan, apply] = reports.as_slice() else { panic!("{page}") };
    for (report, command) in [(plan, "plan"), (apply, "apply")] {
        is_green(page, report);
        assert_eq!(warnings(report), Vec::<&str>::new(), "{page}");
        finds(page, report, &[&TERRAFORM, &ACCESS_TOKEN]);
        says(page, report, &[&format!("terraform {command} acts on {own} by an id token")]);
    }
    says(page, plan, &["would publish 5 bytes as plan"]);
}

#[test]
fn the_example_of_1_0_0_with_two_connections_is_green_with_the_one_line_that_the_page_lists() {
    let page = "docs/examples/two-connections.yml";
    let reports = run_all(page);
    let [report] = reports.as_slice() else { panic!("{page}") };
    is_green(page, report);
    assert_eq!(warnings(report), Vec::<&str>::new(), "{page}");
    says(page, report, &["This job has a sign-in session without a name beside one"]);
    finds(page, report, &[&TERRAFORM, &ACCESS_TOKEN]);
    let (spoke, hub) = (subscription("sc-spoke"), subscription("sc-hub"));
    says(
        page,
        report,
        &[
            &format!("terraform apply acts on {spoke} by an id token"),
            &format!("terraform apply acts on {hub} by a second id token"),
            "found HUB_ARM_OIDC_REQUEST_URL",
        ],
    );
}

#[test]
fn the_other_examples_of_1_0_0_are_green_without_a_warning() {
    for (page, families, words) in [
        ("docs/examples/container.yml", None, &["\"value\":["][..]),
        ("docs/examples/demo.yml", None, &["ARM answers 200", "The id token itself", "AZURE_CONFIG_DIR="]),
        (
            "docs/examples/long-job.yml",
            Some(&AZURE_SDK),
            &["python has a token for https://management.azure.com"],
        ),
    ] {
        let reports = run_all(page);
        let [report] = reports.as_slice() else { panic!("{page}") };
        is_green(page, report);
        assert_eq!(warnings(report), Vec::<&str>::new(), "{page}");
        if let Some(families) = families {
            finds(page, report, &[families]);
        }
        says(page, report, words);
    }
}

/// The guard did not hold: Terraform had the id token, and with it every resource.
#[test]
fn terraform_beside_allowed_resources_needs_the_line_that_the_warning_and_the_page_name() {
    let page = "docs/examples/pull-requests.yml";
    let (emulator, connections) = landscape();
    let yaml = yaml_of(page);
    let [job] = <[Pipeline; 1]>::try_from(jobs(&yaml)).unwrap();
    let report = run(&emulator, &connections, &job);
    let [warning] = warnings(&report)[..] else { panic!("{}", report.log) };
    assert!(warning.contains("Add graph to allowedResources"), "{warning}");
    let refused = "could not acquire access token: 403 for https://graph.microsoft.com";
    assert!(report.step("Plan").raw_stderr.contains(refused), "{}", report.log);

    let line = ("allowedResources: arm, storage", "allowedResources: arm, graph, storage");
    assert!(read(PAGE).contains(line.1) && yaml.contains(line.0));
    let [mended] = <[Pipeline; 1]>::try_from(jobs(&yaml.replace(line.0, line.1))).unwrap();
    let report = run(&emulator, &connections, &mended);
    is_green(page, &report);
    assert_eq!(warnings(&report), Vec::<&str>::new());
    let own = subscription("sc-pr");
    says(page, &report, &[&format!("terraform plan acts on {own} by a managed identity")]);
}

#[test]
fn the_jobs_on_the_first_pages_of_today_are_green_without_a_warning() {
    let own = subscription("sc-prod");
    for page in ["README.md", "overview.md"] {
        let (emulator, connections) = landscape();
        let [job] = <[Pipeline; 1]>::try_from(jobs(&block_of(&read(page)))).unwrap();
        assert!(job.steps.len() > 3, "{page}");
        let report = run(&emulator, &connections, &job);
        is_green(page, &report);
        assert_eq!(warnings(&report), Vec::<&str>::new(), "{page}");
        says(
            page,
            &report,
            &[
                &format!("terraform apply acts on {own} by an id token"),
                &format!("az group acts on {own}"),
                "python has a token for https://storage.azure.com",
            ],
        );
    }
}

/// Each *after* on the page is a job, in which every step signs in as its tool does.
#[test]
fn the_jobs_after_a_move_are_green_without_a_warning() {
    let page = "docs/migrate.md";
    let own = subscription("sc-prod");
    let text = read(page);
    let blocks = text.split("```yaml\n# after").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<_> = blocks.map(|block| block.split_once('\n').unwrap().1).collect();
    let (terraform, az) = (format!("acts on {own} by an id token"), format!("acts on {own}"));
    let expected: [&[&str]; 7] = [
        &[&format!("az deployment {az}"), &format!("az group {az}")],
        &["pwsh connects with a token", "pwsh runs Get-AzResourceGroup"],
        &[&format!("terraform init {terraform}"), &format!("terraform apply {terraform}")],
        &[&format!("terraform plan {terraform}"), &format!("az group {az}")],
        &["azcopy copy has a token for https://storage.azure.com"],
        &[&format!("az aks {az}"), "kubectl get has a token for 6dae42f8-4368-4678-94ff-3960e28e3630"],
        &[&format!("az group {az}"), "access token: ", "id token: "],
    ];
    assert_eq!(blocks.len(), expected.len());
    for (block, words) in blocks.into_iter().zip(expected) {
        let (emulator, connections) = landscape();
        let [job] = <[Pipeline; 1]>::try_from(jobs(block)).unwrap();
        let report = run(&emulator, &connections, &job);
        is_green(page, &report);
        assert_eq!(warnings(&report), Vec::<&str>::new(), "{block}");
        says(page, &report, words);
    }
}

#[test]
fn the_job_that_ends_the_page_of_the_set_up_finds_a_connection_that_is_right() {
    let page = "docs/setup.md";
    let (emulator, connections) = landscape();
    let [job] = <[Pipeline; 1]>::try_from(jobs(&block_of(&read(page)))).unwrap();
    let report = run(&emulator, &connections, &job);
    is_green(page, &report);
    says(page, &report, &["exchange at Entra", "ok       subscription"]);
}

#[test]
fn every_page_of_1_0_0_with_a_job_is_run() {
    let folder = file(&format!("{FORMER}/docs/examples"));
    let names: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let source = include_str!("jobs.rs");
    assert_eq!(names.len(), 8);
    for name in names {
        assert!(source.contains(&format!("\"docs/examples/{name}\"")), "{name}");
    }
}
