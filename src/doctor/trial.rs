//! Starting tools as a step would, and asking each for a token in its own cheapest way.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use futures_util::future::join;
use regex_lite::Regex;
use time::OffsetDateTime;
use wif_core::{
    azure::cloud::Cloud,
    code::Code,
    exports,
    fact::Fact,
    failure::Failure,
    foreign_text::{one_line, service_message},
    human_time::format_moment,
    secret::Secret,
};
use wif_io::{
    clock::Clock,
    env::Env,
    private_folder::Folder,
    program::{Answer, Call},
    random,
};

use super::report::{NO_FACTS, Report, Topic};
use crate::agent::tools::Tool;

/// Which tools to start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trial {
    /// The tools.
    pub(crate) tools: Vec<TrialTool>,
    /// Whether the user named them: one that is not installed is then a warning.
    pub(crate) named: bool,
    /// The container that Terraform is to open.
    pub(crate) backend: Option<Backend>,
    /// What the names of the session's variables begin with, where the tools are not to find them as they are.
    pub(crate) session: Option<String>,
}

/// What can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrialTool {
    /// The Azure CLI.
    AzureCli,
    /// Terraform's azurerm backend.
    Terraform,
    /// azure-identity of Python, and of Node.
    Sdk,
}

/// A blob container that Terraform may keep a state in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    account: String,
    container: String,
}

/// How long a tool may take.
const TOOL_TIMEOUT: Duration = Duration::from_secs(30);
/// The scripts end with it when the library is not installed.
const NO_LIBRARY: i32 = 42;
/// How many lines a tool may say.
const MAX_LINES: usize = 10;
/// A variable with a shorter value holds no secret.
const SHORTEST_SECRET: usize = 8;
/// Python, with the scope as its argument. Neither script prints a token.
const PYTHON: &str = "\
import sys
try:
    from azure.identity import DefaultAzureCredential
except ModuleNotFoundError as error:
    if (error.name or '').split('.')[0] != 'azure':
        raise
    sys.exit(42)
print(DefaultAzureCredential().get_token(sys.argv[1]).expires_on)
";
const NODE: &str = "\
let identity;
try { identity = require('@azure/identity'); } catch (error) { if (error.code !== 'MODULE_NOT_FOUND') throw error; process.exit(42); }
new identity.DefaultAzureCredential().getToken(process.argv[1]).then(
  (token) => console.log(Math.floor(token.expiresOnTimestamp / 1000)),
  (error) => { console.error(String(error.message)); process.exit(1); });
";
/// They change what Terraform does, and nothing of how it signs in.
const TERRAFORM_BEHAVIOR_VARIABLES: [&str; 4] = ["TF_CLI_ARGS", "TF_CLI_ARGS_init", "TF_WORKSPACE", "TF_LOG"];

impl TrialTool {
    /// Every tool.
    pub(crate) const ALL: [Self; 3] = [Self::AzureCli, Self::Terraform, Self::Sdk];

    /// Its name in `--try`.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AzureCli => "az",
            Self::Terraform => "terraform",
            Self::Sdk => "sdk",
        }
    }

    /// The tool of a name.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.as_str() == name)
    }
}

impl Backend {
    /// Reads `ACCOUNT/CONTAINER`. Azure's rules for both names are narrower: this one keeps everything else out.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (account, container) = text.split_once('/')?;
        let is_name = |text: &str, more: &[u8]| {
            let allowed =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
            (3..=63).contains(&text.len()) && text.bytes().all(allowed)
        };
        let is_good = is_name(account, b"") && account.len() <= 24 && is_name(container, b"-$");
        is_good.then(|| Self { account: account.to_owned(), container: container.to_owned() })
    }
}

/// What came of a trial.
enum TrialResult {
    /// It works.
    Works(String),
    /// It could not be tried.
    Absent(String),
    /// It was not tried, and that is no finding.
    Skipped(String),
    /// It does not work.
    Fails(Box<Failure>),
}

/// Starts every tool of the trial, at the same time, and reports what each said.
pub(super) async fn report(report: &mut Report, trial: &Trial, env: &Env, clock: &dyn Clock) {
    let of_session = trial.session.as_ref().map(|prefix| without_prefix(env, prefix));
    let context = TrialContext { env: of_session.as_ref().unwrap_or(env), clock, secrets: secrets(env) };
    let wants = |tool| trial.tools.contains(&tool);
    let az = async { if wants(TrialTool::AzureCli) { vec![context.azure_cli().await] } else { Vec::new() } };
    let terraform = async {
        if wants(TrialTool::Terraform) {
            vec![context.terraform(trial.backend.as_ref()).await]
        } else {
            Vec::new()
        }
    };
    let sdk = async { if wants(TrialTool::Sdk) { context.sdk().await } else { Vec::new() } };
    let (az, (terraform, sdk)) = join(az, join(terraform, sdk)).await;
    for result in az.into_iter().chain(terraform).chain(sdk) {
        match result {
            TrialResult::Works(fact) => report.good(Topic::Trials, vec![fact]),
            TrialResult::Absent(reason) if trial.named => {
                let hint = "install it on the agent, or leave it out of --try";
                report.warning(Topic::Trials, Failure::new(Code::ToolMissing, reason, hint), NO_FACTS);
            }
            TrialResult::Skipped(reason) | TrialResult::Absent(reason) => {
                report.skipped(Topic::Trials, reason);
            }
            TrialResult::Fails(failure) => report.fault(Topic::Trials, *failure, NO_FACTS),
        }
    }
}

/// The environment of a step that maps each variable of a named session to the name that tools look for (`env:`).
fn without_prefix(env: &Env, prefix: &str) -> Env {
    let names = exports::every_name();
    // Nothing of a session without a name stays beside it.
    let own = env.iter().filter(|(name, _)| !names.contains(*name));
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let of_session = names.iter().filter_map(|name| {
        let value = env.get(&format!("{prefix}{name}"))?.to_owned();
        Some((name.clone(), value))
    });
    own.chain(of_session).collect()
}

/// What every trial needs.
struct TrialContext<'a> {
    env: &'a Env,
    clock: &'a dyn Clock,
    /// What no report may hold, the longest first.
    secrets: Vec<String>,
}

impl TrialContext<'_> {
    async fn azure_cli(&self) -> TrialResult {
        let Some(program) = Tool::AzureCli.find(self.env) else { return absent("az") };
        let arguments = ["account", "get-access-token", "--query", "expiresOn", "-o", "tsv"];
        match self.start("az", &program, &arguments, None, &[]).await {
            Ok(answer) => self.result_of("az", &answer, answer.output.lines().rev().find_map(parse_moment)),
            Err(failure) => TrialResult::Fails(failure),
        }
    }

    async fn sdk(&self) -> Vec<TrialResult> {
        let resource =
            self.env.get("AZURE_AUTHORITY_HOST").and_then(Cloud::from_authority).unwrap_or(Cloud::Public);
        let scope = format!("{}/.default", resource.resource_manager().trim_end_matches('/'));
        let (python, node) = join(
            self.library(Tool::Python, "azure-identity", ["-c", PYTHON, &scope]),
            self.library(Tool::Node, "@azure/identity", ["-e", NODE, &scope]),
        )
        .await;
        match (python, node) {
            (TrialResult::Absent(one), TrialResult::Absent(other)) => {
                vec![TrialResult::Absent(format!("no Azure SDK is found to be tried: {one}; {other}"))]
            }
            // One of them is enough.
            (TrialResult::Absent(reason), other) | (other, TrialResult::Absent(reason)) => {
                vec![other, TrialResult::Skipped(reason)]
            }
            (one, other) => vec![one, other],
        }
    }

    async fn library(&self, tool: Tool, library: &str, arguments: [&str; 3]) -> TrialResult {
        let Some(program) = tool.find(self.env) else { return absent(tool.as_str()) };
        let name = format!("{library} of {} ({})", tool.as_str(), program.display());
        match self.start(&name, &program, &arguments, None, &[]).await {
            Ok(Answer { status: Some(status), .. }) if status.code() == Some(NO_LIBRARY) => {
                TrialResult::Absent(format!("{} has no {library} ({})", tool.as_str(), program.display()))
            }
            Ok(answer) => {
                let seconds = answer.output.lines().rev().find_map(|line| line.trim().parse().ok());
                let end = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
                self.result_of(&name, &answer, end.map(|end| format_moment(end, self.clock.now())))
            }
            Err(failure) => TrialResult::Fails(failure),
        }
    }

    /// `init` of a backend reads the list of its states, and writes nothing.
    async fn terraform(&self, backend: Option<&Backend>) -> TrialResult {
        let Some(program) = Tool::Terraform.find(self.env) else { return absent("terraform") };
        let Some(Backend { account, container }) = backend else {
            return TrialResult::Skipped(
                "terraform: --backend ACCOUNT/CONTAINER names a blob container for it to open".to_owned(),
            );
        };
        let temp = ["AGENT_TEMPDIRECTORY", "TMPDIR", "TEMP"].into_iter().find_map(|name| self.env.get(name));
        let temp = temp.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        let configuration = serde_json::json!({ "terraform": { "backend": { "azurerm": {
            "storage_account_name": account,
            "container_name": container,
            "key": format!("wif-doctor-{}.tfstate", random::id()),
            "use_azuread_auth": true,
        }}}});
        let made = Folder::propose(&temp).and_then(Folder::create).and_then(|folder| {
            let file = folder.write("main.tf.json", &Secret::new(configuration.to_string()))?;
            Ok((folder, file))
        });
        // The folder is there until it is dropped.
        let (folder, file) = match made {
            Ok(made) => made,
            Err(error) => return TrialResult::Fails(Box::new(error.into())),
        };
        let place = file.parent().unwrap_or(&temp);
        let data = place.join(".terraform").to_string_lossy().into_owned();
        let own = [("TF_DATA_DIR", &*data), ("TF_IN_AUTOMATION", "1"), ("CHECKPOINT_DISABLE", "1")];
        let arguments = ["init", "-input=false", "-no-color"];
        let answer = self.start("terraform", &program, &arguments, Some(place), &own).await;
        drop(folder);
        match answer {
            Ok(Answer { status: Some(status), .. }) if status.success() => {
                TrialResult::Works(format!("terraform opens the backend {account}/{container}"))
            }
            Ok(answer) => TrialResult::Fails(Box::new(self.failure("terraform", &answer))),
            Err(failure) => TrialResult::Fails(failure),
        }
    }

    /// Starts a tool with this step's own environment, in which the session's variables are.
    async fn start(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        folder: Option<&Path>,
        more: &[(&str, &str)],
    ) -> Result<Answer, Box<Failure>> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let step = self
            .env
            .iter()
            .filter(|(name, _)| folder.is_none() || !TERRAFORM_BEHAVIOR_VARIABLES.contains(name));
        let variables = step.chain(more.iter().copied());
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let call = Call { program, arguments: &arguments, folder, limit: TOOL_TIMEOUT };
        call.run(variables, self.clock).await.map_err(|error| {
            let hint = "start it in the step itself, and see what it says";
            Box::new(Failure::new(
                Code::ToolNotSignedIn,
                format!("{name} could not be started: {error}"),
                hint,
            ))
        })
    }

    fn result_of(&self, name: &str, answer: &Answer, end: Option<String>) -> TrialResult {
        match end.filter(|_| answer.status.is_some_and(|status| status.success())) {
            Some(end) => TrialResult::Works(format!("{name} gets a token until {end}")),
            None => TrialResult::Fails(Box::new(self.failure(name, answer))),
        }
    }

    fn failure(&self, name: &str, answer: &Answer) -> Failure {
        let how = match answer.status {
            None => format!("it took longer than {} s", TOOL_TIMEOUT.as_secs()),
            Some(status) if status.success() => {
                "it ended well, and said something else than the end of a token's life".to_owned()
            }
            Some(status) => status.to_string(),
        };
        let error = format!("{name} got no token in this step: {how}");
        let hint = "see what it said; `wif status` shows which tokens the session was asked for, and how often it refused";
        Failure::new(Code::ToolNotSignedIn, error, hint).with_details(self.last_lines(answer))
    }

    /// The last lines that a tool wrote, without what may be a secret.
    fn last_lines(&self, answer: &Answer) -> Vec<Fact> {
        let text = if answer.errors.trim().is_empty() { &answer.output } else { &answer.errors };
        let lines = text.lines().rev().filter_map(|line| {
            let hidden =
                self.secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, "(not shown)"));
            service_message(hidden.trim_matches(|c: char| c.is_whitespace() || "│╷╵".contains(c)))
        });
        let mut lines: Vec<_> = lines.take(MAX_LINES).map(|line| Fact::new("it says", line)).collect();
        lines.reverse();
        lines
    }
}

fn absent(name: &str) -> TrialResult {
    TrialResult::Absent(format!("{name} is not on the PATH"))
}

/// A line that is a moment and nothing else, as az prints it: `2026-11-26 07:00:00.000000`.
fn parse_moment(line: &str) -> Option<String> {
    static MOMENT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[0-9.:+Z-]{0,20}$").ok());
    let line = line.trim();
    MOMENT.as_ref().filter(|moment| moment.is_match(line)).map(|_| one_line(line, 50))
}

/// The values of this step's variables that a report must not hold.
fn secrets(env: &Env) -> Vec<String> {
    let words = [
        "KEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "HEADER",
        "MSI_ENDPOINT",
        "CREDENTIAL",
        "_PAT",
        "SAS",
        "CONNECTION_STRING",
    ];
    // A path or a moment is never a secret.
    let others = ["_FILE", "_PATH", "_EXPIRES_ON"];
    let may_be_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        words.iter().any(|word| name.contains(word)) && !others.iter().any(|end| name.ends_with(end))
    };
    let values = env.iter().filter(|(name, value)| may_be_secret(name) && value.len() >= SHORTEST_SECRET);
    let mut values: Vec<_> = values.map(|(_, value)| value.to_owned()).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_two_names_and_nothing_that_a_configuration_could_read() {
        let backend = Backend::parse("account1/tf-state").unwrap();
        assert_eq!((&*backend.account, &*backend.container), ("account1", "tf-state"));
        for text in [
            "",
            "account",
            "account/",
            "/container",
            "a/b/c",
            "Account/tfstate",
            "account/${x}y",
            "acc\"ount/tfstate",
            "account/tf state",
        ] {
            assert_eq!(Backend::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_named_session_is_found_by_plain_names_and_nothing_of_another_beside_it() {
        let variables = [
            ("PATH", "/bin"),
            ("HUB_PATH", "/else"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/other"),
            ("AZURE_CONFIG_DIR", "/other"),
            ("HUB_AZURE_CONFIG_DIR", "/hub"),
        ];
        let env: Env =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let mapped = without_prefix(&env, "HUB_");
        assert_eq!(mapped.get("PATH"), Some("/bin"));
        assert_eq!(mapped.get("AZURE_CONFIG_DIR"), Some("/hub"));
        assert_eq!(mapped.get("AZURE_FEDERATED_TOKEN_FILE"), None);
    }

    #[test]
    fn a_moment_is_no_other_text() {
        for text in ["2026-11-26 07:00:00.000000", "2026-11-26T07:00:00+00:00", " 2026-11-26 07:00:00 "] {
            assert_eq!(parse_moment(text).as_deref(), Some(text.trim()));
        }
        for text in ["", "1764140400", "2026-11-26", "eyJ0.eyJ1.c2ln", "2026-11-26 07:00:00 ##vso[x]"] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }
}
