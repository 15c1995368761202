//! Steps of public repositories that use `AzureCLI@2`, told anew: each runs with the task's name changed and nothing else, but for
//! the input that lets tokens go to the emulator. Programs of Azure are stand-ins that sign in as they do.
#![cfg(target_os = "linux")]

use std::{collections::BTreeSet, fs, path::Path};

use emulator::{
    Emulator, Service,
    agent::{Agent, StepResult, pipeline_from_yaml},
    job::Variable,
};

use crate::support::task_folder;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azure_cli_steps");

/// What is expected of a step.
struct Expected {
    file: &'static str,
    /// Beginnings of commands of `az`, and their answers.
    answers: &'static [(&'static str, &'static str)],
    /// How often Azure Resource Manager is asked: once by each command of `az` that acts on Azure.
    resource_manager: usize,
    /// How often Entra is asked for a token beside those, after the one of the sign-in.
    tokens: usize,
    /// Something that the step says.
    says: &'static str,
    result: StepResult,
}

const fn step(file: &'static str, resource_manager: usize, says: &'static str) -> Expected {
    Expected { file, answers: &[], resource_manager, tokens: 0, says, result: StepResult::Succeeded }
}

fn expected() -> Vec<Expected> {
    vec![
        step("01-identity-into-variables.yml", 0, "for subscription SUBSCRIPTION"),
        step("02-workspace-file.yml", 0, "\"workspace_name\": \"mlw-dev\""),
        step("03-cluster-if-missing.yml", 2, "There is no such cluster"),
        Expected {
            answers: &[("ml online-endpoint list", "taxi-fare")],
            ..step("04-endpoint-if-missing.yml", 2, "The endpoint exists")
        },
        Expected {
            answers: &[
                ("ml job create", "job-1"),
                ("ml job show -n job-1 --query", "Running"),
                ("ml job show -n job-1 --query", "Completed"),
            ],
            ..step("05-job-until-it-ends.yml", 4, "Completed")
        },
        step("06-extension.yml", 0, "exited with return code: 0"),
        Expected {
            answers: &[("ml batch-endpoint invoke", "job-2"), ("ml job show -n job-2 --query", "Failed")],
            result: StepResult::Failed,
            ..step("07-batch-endpoint-that-fails.yml", 4, "Script failed with exit code: 1")
        },
        step("08-traffic.yml", 1, "exited with return code: 0"),
        step("09-traced-deployment.yml", 1, "+ az ml online-deployment create --name blue"),
        step("10-data-asset.yml", 1, "exited with return code: 0"),
        step("11-subscription-deployment.yml", 1, "deploying bicep..."),
        step("12-script-of-the-repository.yml", 1, "set up conda-env for SUBSCRIPTION"),
        step("13-federated-token-for-later.yml", 0, "exited with return code: 0"),
        step("14-web-app.yml", 2, "exited with return code: 0"),
        Expected {
            answers: &[("synapse spark pool show", "transform-1.0-py3-none-any.whl")],
            ..step("15-wheel-of-a-spark-pool.yml", 3, "exited with return code: 0")
        },
        Expected {
            answers: &[("iot hub", "HostName=iot-asa-dev"), ("storage account", "AccountName=stasadev")],
            ..step("16-tests-with-connection-strings.yml", 2, "npm tests with HostName=iot-asa-dev")
        },
        step("17-database-as-it-was.yml", 1, "exited with return code: 0"),
        Expected { tokens: 1, ..step("18-token-of-another-service.yml", 0, "exited with return code: 0") },
        Expected { tokens: 1, ..step("19-tests-and-their-report.yml", 0, "PASS") },
        Expected { tokens: 1, ..step("20-provider-with-an-id-token.yml", 0, "PASS") },
    ]
}

#[test]
fn twenty_steps_of_azure_cli_2_run_with_the_tasks_name_changed_and_nothing_else() {
    let all = expected();
    let files = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_step = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "yml");
    let files: BTreeSet<_> = files.filter(is_step).collect();
    assert_eq!(files, all.iter().map(|step| step.file.to_owned()).collect());
    assert_eq!(all.len(), 20);
    for step in all {
        run(&step);
    }
}

/// Files of the repository that steps use.
fn check_out(sources: &Path) {
    for folder in ["drop", "e2e", "internal/acceptancetests"] {
        fs::create_dir_all(sources.join(folder)).unwrap();
    }
    let script = "echo \"set up $1 for $2\"; az ml component create --file component.yml";
    fs::write(sources.join("quick-setup.bash"), script).unwrap();
}

fn run(step: &Expected) {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let text = fs::read_to_string(format!("{FOLDER}/{}", step.file)).unwrap();
    assert_eq!(text.matches("AzureCLI@2").count(), 1, "{}", step.file);
    let text = text.replace("AzureCLI@2", "AzureWorkloadIdentity@1");
    let text = text.replacen("    inputs:\n", "    inputs:\n      allowedAuthorities: 127.0.0.1\n", 1);
    let ours = |name: &str| (name == "AzureWorkloadIdentity@1").then(|| task_folder().to_owned());
    let pipeline = pipeline_from_yaml(&text, &ours).unwrap_or_else(|error| panic!("{}: {error}", step.file));

    let answers = tempfile::NamedTempFile::new().unwrap();
    let lines = step.answers.iter().map(|(command, answer)| format!("{command}\t{answer}\n"));
    fs::write(answers.path(), lines.collect::<String>()).unwrap();
    let agent = Agent::new()
        .ca_file(emulator.ca_file())
        .path(&Path::new(FOLDER).join("stand-ins"))
        .machine_env("AZ_ANSWERS", answers.path().to_str().unwrap());
    check_out(&agent.sources_folder());
    let mut message = emulator.job(usual.connection);
    message.variables.push(Variable { name: "ARM_URL".to_owned(), value: emulator.arm_url(), secret: false });
    pipeline.add_variables(&mut message);
    let report = agent.run(&message, &pipeline.steps);

    let (file, main) = (step.file, report.steps.first().unwrap());
    let forgiven = if text.contains("continueOnError") && step.result == StepResult::Failed {
        StepResult::SucceededWithIssues
    } else {
        step.result
    };
    assert_eq!(main.result, forgiven, "{file}\n{}", report.log);
    let says = step.says.replace("SUBSCRIPTION", &usual.subscription.to_string());
    assert!(main.raw_stdout.contains(&says), "{file}: no '{says}'\n{}", main.raw_stdout);
    let own = format!("GET /subscriptions/{}", usual.subscription);
    let asked = emulator.count(Service::Arm, &own);
    assert_eq!(asked, step.resource_manager, "{file}\n{}", emulator.journal_text());
    let of_az = usize::from(step.resource_manager > 0);
    let tokens = emulator.count(Service::Entra, "POST /");
    assert!(
        (1 + step.tokens..=1 + step.tokens + of_az).contains(&tokens),
        "{file}\n{}",
        emulator.journal_text()
    );
    assert_eq!(emulator.count(Service::DevOps, "/oidctoken"), 1, "{file}");
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new(), "{file}");
    assert_eq!(report.left_in_temp, Vec::<std::path::PathBuf>::new(), "{file}");
    assert!(report.killed_orphans.is_empty(), "{file}: {:?}", report.killed_orphans);
    assert_eq!(report.variable("AZURE_CLIENT_ID"), None, "{file}");
    match file {
        "01-identity-into-variables.yml" => {
            assert_eq!(report.variable("TF_CLIENT"), Some(format!("'{}'", usual.client).as_str()));
            assert_eq!(report.variable("TF_SECRET"), Some("''"));
        }
        "02-workspace-file.yml" => {
            let subscription = usual.subscription.to_string();
            assert_eq!(report.variable("current_subscription"), Some(subscription.as_str()));
        }
        "13-federated-token-for-later.yml" => {
            assert!(report.variable("LATER_ID_TOKEN").is_some_and(|token| token.starts_with("ey")));
        }
        "18-token-of-another-service.yml" => {
            assert!(report.variable("BEARER_OF_SERVICE").is_some_and(|token| token.starts_with("ey")));
        }
        _ => {}
    }
}
