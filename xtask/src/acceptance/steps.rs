//! Steps of public repositories that use `AzureCLI@2`, with the real az: each runs as a step of the task, with the name changed and
//! nothing else, and once more after a plain `az login --service-principal --federated-token`. What az asks Azure for must be the
//! same, and all else that can be seen of the script.

use std::{
    fs,
    path::{Path, PathBuf},
};

use emulator::agent::{Pipeline, StepResult, pipeline_from_yaml};

use super::{
    install::{self, Found, Installed},
    step_machine::{Machine, User, kept},
    step_seen::Seen,
    table::{CloudRow, Outcome},
};
use crate::process::{Result, root};

/// A step, and what must be seen of it after a plain login: the comparison of two scripts that did nothing would prove nothing.
struct Compared {
    /// The row's name ends with the name of its file in `tests/azure_cli_steps/`, without `.yml`.
    row: &'static str,
    ends: StepResult,
    proofs: &'static [Proof],
}

/// Something that is seen of a step.
enum Proof {
    /// az sent a request with this method and a path that ends like that, and was answered with success.
    Request(&'static str, &'static str),
    /// Entra was asked for a token for this resource.
    Resource(&'static str),
    /// A host was asked for, which nothing answers for.
    Host(&'static str),
    /// The script exchanged its id token.
    Exchange,
    /// The script set this variable, to more than nothing.
    Variable(&'static str),
    /// The script wrote this file.
    File(&'static str),
    /// The agent's user has this extension of az.
    Extension(&'static str),
    /// go was given this variable.
    Given(&'static str),
}

use Proof::{Exchange, Extension, File, Given, Host, Request, Resource, Variable};

const fn step(row: &'static str, proofs: &'static [Proof]) -> Compared {
    Compared { row, ends: StepResult::Succeeded, proofs }
}

/// In the names of rows whose commands are those of the stand-in for az's extension `ml`.
const WITH_STAND_IN: &str = "stand-in of ml";

const STEPS: &[Compared] = &[
    step("AzureCLI@2, 01-identity-into-variables", &[Variable("TF_CLIENT"), Variable("TF_TENANT")]),
    step("AzureCLI@2, 02-workspace-file", &[Variable("current_subscription"), File("config.json")]),
    step(
        "AzureCLI@2, stand-in of ml, 03-cluster-if-missing",
        &[Request("PUT", "/workspaces/mlw-dev/computes/cpu-cluster")],
    ),
    step(
        "AzureCLI@2, stand-in of ml, 04-endpoint-if-missing",
        &[Request("GET", "/workspaces/mlw-dev/onlineEndpoints")],
    ),
    step(
        "AzureCLI@2, stand-in of ml, 05-job-until-it-ends",
        &[
            Request("PUT", "/workspaces/mlw-dev/jobs/nightly"),
            Request("GET", "/workspaces/mlw-dev/jobs/nightly"),
        ],
    ),
    step("AzureCLI@2, stand-in of ml, 06-extension", &[Extension("ml")]),
    Compared {
        ends: StepResult::Failed,
        ..step(
            "AzureCLI@2, stand-in of ml, 07-batch-endpoint-that-fails",
            &[Request("GET", "/workspaces/mlw-dev/jobs/taxi-batch-blue")],
        )
    },
    step(
        "AzureCLI@2, stand-in of ml, 08-traffic",
        &[Request("PUT", "/workspaces/mlw-dev/onlineEndpoints/taxi-fare")],
    ),
    step(
        "AzureCLI@2, stand-in of ml, 09-traced-deployment",
        &[Request("PUT", "/workspaces/mlw-dev/onlineEndpoints/taxi-fare/deployments/blue")],
    ),
    step(
        "AzureCLI@2, stand-in of ml, 10-data-asset",
        &[Request("PUT", "/workspaces/mlw-dev/data/taxi/versions/1")],
    ),
    step("AzureCLI@2, 11-subscription-deployment", &[Request("PUT", "/deployments/infrastructure")]),
    step("AzureCLI@2, 12-script-of-the-repository", &[Request("GET", "/resourcegroups/ml-dev")]),
    step(
        "AzureCLI@2, 13-federated-token-for-later",
        &[Variable("LATER_CLIENT"), Variable("LATER_TENANT"), Variable("LATER_ID_TOKEN")],
    ),
    step(
        // The upload goes to a host of the app, which nothing answers for.
        "AzureCLI@2, 14-web-app",
        &[
            Request("PUT", "/sites/flask-hello"),
            Resource("https://appservice.azure.com"),
            Host("flask-hello.scm.azurewebsites.net:443"),
            Request("PATCH", "/sites/flask-hello/config/web"),
        ],
    ),
    Compared {
        // The package itself is on a host of the workspace, which nothing answers for.
        ends: StepResult::Failed,
        ..step(
            "AzureCLI@2, 15-wheel-of-a-spark-pool",
            &[
                Request("PUT", "/bigDataPools/spark1"),
                Resource("https://dev.azuresynapse.net"),
                Host("syn-dev.dev.azuresynapse.net:443"),
            ],
        )
    },
    step("AzureCLI@2, 16-tests-with-connection-strings", &[Request("POST", "/stasadev/listKeys")]),
    step("AzureCLI@2, 17-database-as-it-was", &[Request("PUT", "/databases/orders-restored")]),
    step(
        "AzureCLI@2, 18-token-of-another-service",
        &[Resource("https://storage.azure.com"), Variable("BEARER_OF_SERVICE")],
    ),
    step("AzureCLI@2, 19-tests-and-their-report", &[Given("idToken"), Exchange, File("tests.xml")]),
    step("AzureCLI@2, 20-provider-with-an-id-token", &[Given("ARM_OIDC_TOKEN"), Exchange]),
];

/// Runs those that are asked for, by a part of their names.
pub(super) fn run(task: &Path, folder: &Path, only: Option<&str>) -> Vec<CloudRow> {
    let wanted: Vec<_> =
        STEPS.iter().filter(|step| only.is_none_or(|only| step.row.contains(only))).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    println!("steps of AzureCLI@2");
    let found = install::azure_cli(folder);
    let mut rows = Vec::new();
    for step in wanted {
        let (version, outcome) = match &found {
            Found::Ready(az) => {
                (az.version.clone(), step.run(task, az, folder).unwrap_or_else(Outcome::Failed))
            }
            Found::Missing(what) => (String::new(), Outcome::Skipped(what.clone())),
            Found::Broken(log) => (String::new(), Outcome::Failed(log.clone())),
        };
        println!("  {}: {}", step.row, outcome.word());
        rows.push(CloudRow { client: step.row, version, outcome });
    }
    rows
}

impl Compared {
    /// Runs the script twice. The logs of both are kept beside the tools, whatever comes of it.
    fn run(&self, task: &Path, az: &Installed, folder: &Path) -> Result<Outcome> {
        let text = fs::read_to_string(self.file()).map_err(|error| format!("{}: {error}", self.row))?;
        let changed = text.replace("AzureCLI@2", "AzureWorkloadIdentity@1");
        let workspace = self.row.contains(WITH_STAND_IN);
        // Step 06 installs the extension itself.
        let extension = workspace && !self.proofs.iter().any(Proof::is_extension);
        let user = User { workspace, extension };
        let ours = Machine::new(az, user)?;
        let report = ours.run(&pipeline(&changed, task)?);
        let ours = Seen::of(&ours, &report, 0)?;

        let plain = Machine::new(az, user)?;
        plain.log_in()?;
        let before = plain.emulator.journal().len();
        let report = plain.run(&pipeline(&text, &kept(""))?);
        let plain = Seen::of(&plain, &report, before)?;

        let log = format!(
            "in the step of the task:\n{}\n\nafter a plain login:\n{}\n\nasked for:\n{}\n",
            ours.log,
            plain.log,
            plain.requests.join("\n")
        );
        let logs = folder.join("steps");
        fs::create_dir_all(&logs).map_err(|error| error.to_string())?;
        fs::write(logs.join(format!("{}.log", self.name())), &log).map_err(|error| error.to_string())?;

        let mut complaints = ours.beside(&plain);
        if plain.result != Some(self.ends) {
            complaints.push(format!("the script ended as {:?}", plain.result));
        }
        for proof in self.proofs {
            let missing = [("a plain login", &plain), ("our sign-in", &ours)];
            let missing = missing.iter().filter(|(_, seen)| !proof.is_in(seen));
            complaints
                .extend(missing.map(|(after, _)| format!("after {after} there is no {}", proof.words())));
        }
        if complaints.is_empty() {
            return Ok(Outcome::Ok);
        }
        Ok(Outcome::Failed(format!("{}\n\n{log}", complaints.join("\n"))))
    }

    fn name(&self) -> &'static str {
        self.row.rsplit_once(' ').map_or(self.row, |(_task, name)| name)
    }

    fn file(&self) -> PathBuf {
        root().join("tests").join("azure_cli_steps").join(format!("{}.yml", self.name()))
    }
}

impl Proof {
    fn is_in(&self, seen: &Seen) -> bool {
        match *self {
            Request(method, path) => seen.requests.iter().any(|line| {
                let sent = line.contains(&format!(": {method} /")) && line.contains(&format!("{path}?"));
                sent && line.rsplit_once("-> ").is_some_and(|(_, status)| status.starts_with('2'))
            }),
            Resource(resource) => seen.scopes.iter().any(|scope| scope.starts_with(resource)),
            Host(host) => seen.unanswered.contains(host),
            Exchange => seen.exchanges.iter().any(|line| line.ends_with("-> 200")),
            Variable(name) => {
                seen.variables.get(name).is_some_and(|value| !value.trim_matches('\'').is_empty())
            }
            File(name) => seen.files.get(name).is_some_and(|text| !text.is_empty()),
            Extension(name) => seen.extensions.contains(name),
            Given(name) => seen.given.get(name).is_some_and(|value| !value.is_empty()),
        }
    }

    fn is_extension(&self) -> bool {
        matches!(self, Extension(_))
    }

    fn words(&self) -> String {
        match self {
            Request(method, path) => format!("request {method} …{path} with an answer"),
            Resource(resource) => format!("question to Entra for {resource}"),
            Host(host) => format!("question to {host}"),
            Exchange => "exchange of an id token".to_owned(),
            Variable(name) => format!("variable {name}"),
            File(name) => format!("file {name}"),
            Extension(name) => format!("extension {name}"),
            Given(name) => format!("{name} for go"),
        }
    }
}

fn pipeline(text: &str, task: &Path) -> Result<Pipeline> {
    pipeline_from_yaml(text, &|_name| Some(task.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_step_of_the_tests_is_compared() {
        let files = fs::read_dir(root().join("tests/azure_cli_steps")).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let files: BTreeSet<_> =
            files.filter(|path| path.extension().is_some_and(|end| end == "yml")).collect();
        assert_eq!(STEPS.iter().map(Compared::file).collect::<BTreeSet<_>>(), files);
        assert!(STEPS.iter().all(|step| !step.proofs.is_empty()));
    }

    #[test]
    fn a_proof_is_missed_where_there_is_nothing_of_it() {
        let nothing = Seen::default();
        let proofs = || STEPS.iter().flat_map(|step| step.proofs);
        assert!(proofs().all(|proof| !proof.is_in(&nothing)));
        let request = |status: u16| Seen {
            requests: vec![format!("Arm: PUT /a/databases/one?api-version=1 {{}} -> {status}")],
            ..Seen::default()
        };
        let meant = Request("PUT", "/databases/one");
        assert!(meant.is_in(&request(201)));
        assert!(!meant.is_in(&request(404)));
        assert!(!Request("GET", "/databases/one").is_in(&request(201)));
        assert!(!Request("PUT", "/databases").is_in(&request(201)));
    }
}
