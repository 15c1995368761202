//! The step of the task `AuditServiceConnections@1`: signs in with the step's connection, audits, and fails by `failOn`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::ValueEnum;
use time::Duration;
use wif::{
    agent::commands::{Commands, Completion, OutputError},
    task::connection_tokens::ConnectionTokens,
};
use wif_core::{
    azure::hosts::{self, AllowedHosts},
    failure::Failure,
    foreign_text::one_line,
    secret::Secret,
};
use wif_io::{endpoint::Endpoint, env::Env};

use super::{
    audit::{Audited, audit},
    connect::interrupt,
    files::argument,
    options::{AuditArguments, FailOn, ReadArguments, fail_on},
    screen::{Host, INTERRUPTED},
};
use crate::{formats::Format, read::network, tokens::Tokens};

/// The stages of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskStage {
    /// The only one
    Run,
}

/// The inputs, as `audit-task/task.json` declares them.
struct Inputs {
    organizations: Vec<String>,
    projects: Vec<String>,
    fail_on: FailOn,
    /// The text of `failOn`.
    fail_on_text: String,
    waivers: Option<PathBuf>,
    baseline: Option<PathBuf>,
    /// With the file of each.
    formats: Vec<(Format, PathBuf)>,
    folder: PathBuf,
}

/// How a step ended.
enum End {
    Audited(Audited),
    Canceled,
}

/// The names of the formats' files, and the words by which the input has them.
const FORMATS: [(&str, Format, &str); 6] = [
    ("json", Format::Json, "audit.json"),
    ("sarif", Format::Sarif, "audit.sarif"),
    ("csv", Format::Csv, "audit.csv"),
    ("markdown", Format::Markdown, "audit.md"),
    ("html", Format::Html, "audit.html"),
    ("text", Format::Text, "audit.txt"),
];
/// The variables in which the agent passes the inputs of `audit-task/task.json`, and the other name of one.
const INPUT_VARIABLES: [&str; 9] = [
    "INPUT_AZURESUBSCRIPTION",
    "INPUT_CONNECTEDSERVICENAMEARM",
    "INPUT_ORGANIZATION",
    "INPUT_PROJECTS",
    "INPUT_FAILON",
    "INPUT_WAIVERS",
    "INPUT_BASELINE",
    "INPUT_FORMATS",
    "INPUT_OUTPUTFOLDER",
];
/// The organization of the job.
const COLLECTION: &str = "SYSTEM_COLLECTIONURI";
/// The longest value of an input that an error shows, in characters.
const MAX_SHOWN: usize = 60;
/// What `--jobs`, `--expires-within` and `--unused-for` have by default.
const JOBS: u8 = 16;
const EXPIRES_WITHIN: Duration = Duration::days(30);
const UNUSED_FOR: Duration = Duration::days(70);

/// Runs the step. What goes wrong is told to the agent, as is how the step ended.
///
/// # Errors
///
/// The agent closed the step's output.
pub async fn run_task(host: &mut Host<'_>) -> io::Result<()> {
    let (ended, level) = match Inputs::read(host.env) {
        Ok(inputs) => (step(&inputs, host).await, inputs.fail_on_text),
        Err(failure) => (Err(failure), String::new()),
    };
    let mut commands = Commands::new(&mut *host.out, host.env);
    match ended {
        Err(failure) => {
            commands.error(failure.code, &failure.to_string())?;
            commands.complete(Completion::Failed)
        }
        Ok(End::Canceled | End::Audited(Audited { code: INTERRUPTED, .. })) => {
            commands.complete(Completion::Canceled)
        }
        Ok(End::Audited(Audited { code: 3 | 4, .. })) => {
            commands.complete_with(Completion::Failed, "Nothing could be read")
        }
        // A finding that counts fails the step, whatever else could not be read.
        Ok(End::Audited(Audited { has_counted: true, .. })) => {
            let text = format!("Findings that count, since failOn is {level}: the summary lists them");
            commands.complete_with(Completion::Failed, &text)
        }
        Ok(End::Audited(Audited { code: 0, .. })) => commands.complete(Completion::Succeeded),
        Ok(End::Audited(_)) => {
            let text =
                "Not everything could be read, and what was not seen is not good: the summary lists it";
            commands.complete_with(Completion::SucceededWithIssues, text)
        }
    }
}

async fn step(inputs: &Inputs, host: &mut Host<'_>) -> Result<End, Failure> {
    let (http, warnings) = network::client(host.env, host.clock)?;
    let connection = ConnectionTokens::read(host.env, Arc::clone(&http), &INPUT_VARIABLES)?;
    let mut commands = Commands::new(&mut *host.out, host.env);
    let mut warn = |text: &str| commands.warning(text).map_err(|error| Failure::from(OutputError(error)));
    warnings.iter().chain(&connection.warning()).try_for_each(|text| warn(text))?;
    let mut fail_on = inputs.fail_on;
    let baseline = inputs.baseline.as_deref().filter(|path| path.exists());
    if let (Some(path), None) = (&inputs.baseline, baseline) {
        warn(&format!("The baseline {} is not there: everything counts as new", path.display()))?;
        fail_on.only_new = false;
    }
    // Before anything is asked.
    fs::create_dir_all(&inputs.folder).map_err(|error| {
        let error = format!("the folder {} could not be made: {error}", inputs.folder.display());
        argument(error, "name a folder that the agent's user may write to in the input outputFolder")
    })?;
    let tokens = tokio::select! {
        biased;
        () = interrupt() => return Ok(End::Canceled),
        tokens = sign_in(&connection, &mut commands) => tokens?,
    };
    host.tokens = Some(tokens);
    let (formats, outputs) = inputs.formats.iter().cloned().unzip::<_, _, Vec<_>, Vec<_>>();
    let arguments = AuditArguments {
        read: ReadArguments {
            organizations: inputs.organizations.clone(),
            projects: inputs.projects.clone(),
            cloud: connection.cloud().into(),
            layer: None,
            session: None,
            jobs: JOBS,
            save: None,
            offline: None,
            redact: false,
            now: None,
            allow_gaps: false,
        },
        // The step's log has the text.
        formats: [vec![Format::Text], formats].concat(),
        outputs: [vec![PathBuf::from("-")], outputs].concat(),
        waivers: inputs.waivers.clone(),
        baseline: baseline.map(Path::to_owned),
        fail_on,
        rules: Vec::new(),
        expires_within: EXPIRES_WITHIN,
        unused_for: UNUSED_FOR,
        requests: None,
    };
    drop(connection);
    let audited = audit(&arguments, host).await?;
    if audited.code != INTERRUPTED {
        for (_, path) in &inputs.formats {
            host.talk.say(&format!("Written: {}", path.display()));
        }
    }
    Ok(End::Audited(audited))
}

/// Tokens for the three services. Without one for Azure DevOps there is nothing to audit; one of the others that is not to be
/// had is a gap of the report.
async fn sign_in(connection: &ConnectionTokens<'_>, commands: &mut Commands<'_>) -> Result<Tokens, Failure> {
    let devops = token(connection, "devops", commands).await?;
    let mut others = Vec::new();
    for (alias, name) in [("graph", "Microsoft Graph"), ("arm", "Azure Resource Manager")] {
        match token(connection, alias, commands).await {
            Ok(token) => others.push(Some(token)),
            Err(failure) => {
                let text = format!("No token for {name}, so that what it tells is not read: {failure}");
                commands.warning(&text).map_err(OutputError)?;
                others.push(None);
            }
        }
    }
    let arm = others.pop().flatten();
    Ok(Tokens::given(devops, others.pop().flatten(), arm))
}

/// One token, masked before anything else can be printed.
async fn token(
    connection: &ConnectionTokens<'_>,
    alias: &str,
    commands: &mut Commands<'_>,
) -> Result<Secret, Failure> {
    let token = connection.token(alias, &mut |id_token| commands.mask(id_token)).await?;
    commands.mask(&token).map_err(OutputError)?;
    Ok(token)
}

impl Inputs {
    fn read(env: &Env) -> Result<Self, Failure> {
        let get = |name: &str| {
            let value = env.get(&format!("INPUT_{}", name.to_uppercase())).unwrap_or_default().trim();
            (!value.is_empty()).then_some(value)
        };
        let level = get("failOn").unwrap_or("warning");
        let fail_on = fail_on(&level.to_ascii_lowercase()).map_err(|accepted| {
            let error = format!("the input failOn is '{}': {accepted}", one_line(level, MAX_SHOWN));
            argument(error, "give one of them")
        })?;
        let baseline = get("baseline").map(PathBuf::from);
        if fail_on.only_new && baseline.is_none() {
            let error = format!("the input failOn is '{level}', and the input baseline is empty");
            return Err(argument(
                error,
                "name the JSON file of the last audit in baseline, or leave new: out",
            ));
        }
        let folder = get("outputFolder").map(PathBuf::from).or_else(|| default_folder(env));
        let folder = folder.ok_or_else(|| {
            let hint = "name a folder in the input outputFolder";
            argument("the input outputFolder is empty, and the job has no folder for artifacts", hint)
        })?;
        let formats = get("formats").unwrap_or("json, sarif, html");
        let formats = list(formats).map(|word| {
            let known = FORMATS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word));
            let (_, format, file) = known.ok_or_else(|| {
                let names = FORMATS.map(|(name, ..)| name).join(", ");
                let error =
                    format!("the input formats has '{}', accepted are {names}", one_line(word, MAX_SHOWN));
                argument(error, "give one or more of them, separated by commas")
            })?;
            Ok((*format, folder.join(file)))
        });
        let mut formats = formats.collect::<Result<Vec<_>, Failure>>()?;
        // One that is named twice is written once.
        formats.sort();
        formats.dedup();
        let names =
            |name: &str| -> Vec<String> { list(get(name).unwrap_or_default()).map(str::to_owned).collect() };
        let mut organizations = names("organization");
        let mut origin = "the input organization";
        if organizations.is_empty() {
            let of_job = env.get(COLLECTION).ok_or_else(|| {
                let error =
                    format!("the input organization is empty, and the agent did not set {COLLECTION}");
                argument(error, "name the organization in the input organization")
            })?;
            origin = COLLECTION;
            organizations.push(of_job.to_owned());
        }
        organizations.iter().try_for_each(|text| check_host(text, origin))?;
        Ok(Self {
            organizations,
            projects: names("projects"),
            fail_on,
            fail_on_text: one_line(level, MAX_SHOWN),
            waivers: get("waivers").map(PathBuf::from),
            baseline,
            formats,
            folder,
        })
    }
}

/// Checks the host of an organization that is given by its URL: the connection's token goes there, and inputs can hold variables
/// that anyone who starts the run may set. `origin` is where the URL comes from.
fn check_host(text: &str, origin: &str) -> Result<(), Failure> {
    if !text.contains("://") {
        return Ok(());
    }
    let known = AllowedHosts::new(Vec::new());
    match Endpoint::parse(text) {
        Ok(url) if !known.admits(hosts::Service::DevOps, url.host(), url.port()) => {
            let host = one_line(url.host(), MAX_SHOWN);
            let error = format!("{origin} names the host {host}, which is not one of Azure DevOps");
            Err(argument(error, "give the organization's name, or its URL at dev.azure.com"))
        }
        // The reader refuses any other text that does not name an organization.
        _ => Ok(()),
    }
}

/// The entries of an input, separated by commas or line ends.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty())
}

/// `audit` in the folder of the job's artifacts.
fn default_folder(env: &Env) -> Option<PathBuf> {
    let folders = ["BUILD_ARTIFACTSTAGINGDIRECTORY", "SYSTEM_ARTIFACTSDIRECTORY", "AGENT_TEMPDIRECTORY"];
    folders.into_iter().find_map(|name| env.get(name)).map(|folder| Path::new(folder).join("audit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inputs: &[(&str, &str)]) -> Result<Inputs, Failure> {
        let job = [
            ("BUILD_ARTIFACTSTAGINGDIRECTORY", "/a"),
            ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/contoso/"),
        ];
        let all = job.iter().chain(inputs);
        Inputs::read(&all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn inputs_that_are_empty_have_their_defaults() {
        let inputs = read(&[("INPUT_ORGANIZATION", ""), ("INPUT_BASELINE", " ")]).unwrap();
        assert!(inputs.projects.is_empty() && inputs.baseline.is_none());
        let files: Vec<_> = inputs.formats.iter().map(|(_, path)| path.to_str().unwrap()).collect();
        assert_eq!(files, ["/a/audit/audit.json", "/a/audit/audit.sarif", "/a/audit/audit.html"]);
        assert_eq!(inputs.fail_on, fail_on("warning").unwrap());
    }

    #[test]
    fn the_organization_of_the_job_is_read_whatever_a_step_sets_beside_it() {
        let inputs = read(&[("WIF_ORGANIZATION", "elsewhere")]).unwrap();
        assert_eq!(inputs.organizations, ["https://dev.azure.com/contoso/"]);
        for (value, words) in
            [("https://evil.example/contoso/", "names the host evil.example"), ("", "did not set")]
        {
            let failure = read(&[("WIF_ORGANIZATION", "elsewhere"), (COLLECTION, value)]).err().unwrap();
            assert!(failure.to_string().contains(words), "{failure}");
            assert!(failure.to_string().contains(COLLECTION), "{failure}");
        }
    }

    #[test]
    fn the_variables_of_the_inputs_are_those_of_the_declaration() {
        let declared: serde_json::Value =
            serde_json::from_str(include_str!("../../../../audit-task/task.json")).unwrap();
        let names = declared["inputs"].as_array().unwrap().iter().flat_map(|input| {
            let aliases = input["aliases"].as_array().into_iter().flatten();
            std::iter::once(&input["name"]).chain(aliases)
        });
        let names: Vec<_> =
            names.map(|name| format!("INPUT_{}", name.as_str().unwrap().to_uppercase())).collect();
        assert_eq!(names, INPUT_VARIABLES);
    }

    #[test]
    fn lists_are_separated_by_commas_or_line_ends() {
        let inputs =
            read(&[("INPUT_PROJECTS", "Platform, Shop\nTeam A\n"), ("INPUT_FORMATS", "CSV,csv")]).unwrap();
        assert_eq!(inputs.projects, ["Platform", "Shop", "Team A"]);
        assert_eq!(inputs.formats, [(Format::Csv, PathBuf::from("/a/audit/audit.csv"))]);
    }

    #[test]
    fn an_input_that_cannot_be_used_is_named_with_its_value_and_what_is_accepted() {
        for (name, value, expected) in [
            ("INPUT_FAILON", "error", "the input failOn is 'error': accepted are note, warning"),
            ("INPUT_FAILON", "new:fault", "the input baseline is empty"),
            ("INPUT_ORGANIZATION", "https://evil.example/contoso", "names the host evil.example"),
            ("INPUT_FORMATS", "json, pdf", "the input formats has 'pdf', accepted are json, sarif"),
        ] {
            let failure = read(&[(name, value)]).err().unwrap();
            assert!(failure.to_string().contains(expected), "{failure}");
            assert_eq!(failure.exit_code(), 2);
        }
    }
}
