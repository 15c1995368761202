//! The examples are pipelines, and ask of the task and of `wif` only what is there.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use clap::Parser as _;
use emulator::agent::{Pipeline, jobs_from_yaml};
use regex_lite::Regex;
use uuid::Uuid;
use wif::{
    agent::inputs::Inputs,
    cli::{Arguments, Command},
};
use wif_core::{
    azure::{
        cloud::Cloud,
        resource::{ALIASES, Audiences, Resource},
    },
    exports::{self, BrokerEndpoint, Facts, Family},
};
use wif_io::env::Env;

use crate::support::task_folder;

const TASK: &str = "AzureWorkloadIdentity@1";
/// Tasks of Azure Pipelines itself that examples use.
const OTHERS: [&str; 3] =
    ["PublishPipelineArtifact@1", "DownloadPipelineArtifact@2", "AuditServiceConnections@1"];
/// It uses the extension's other task alone, whose tests run it.
const AUDIT: &str = "audit.yml";
/// Its connection, and what its steps ask, are the emulator's.
const DEMO: &str = "demo.yml";

/// An example, its loops written out.
struct Example {
    name: String,
    /// The comment that it begins with.
    header: String,
    /// Without lines that are comments.
    text: String,
    jobs: Vec<(String, Pipeline)>,
    /// The inputs of each step of this task, macros of the pipeline's own variables replaced.
    sign_ins: Vec<BTreeMap<String, String>>,
}

fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    // Those in folders below it are no pipelines of this agent.
    let files =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let examples: Vec<_> = files.map(|path| Example::read(&path)).collect();
    assert!(examples.len() > 5, "{}", examples.len());
    examples
}

impl Example {
    fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let all = fs::read_to_string(path).unwrap();
        let is_comment = |line: &&str| line.trim_start().starts_with('#');
        let lines = |lines: Vec<&str>| lines.join("\n") + "\n";
        let header = lines(all.lines().take_while(is_comment).collect());
        let text = written_out(&lines(all.lines().filter(|line| !is_comment(line)).collect()));

        let other = tempfile::tempdir().unwrap();
        let signed_in = Cell::new(0);
        let folder = |task: &str| {
            if task == TASK {
                signed_in.set(signed_in.get() + 1);
                return Some(task_folder().to_owned());
            }
            OTHERS.contains(&task).then(|| other.path().to_owned())
        };
        let jobs = jobs_from_yaml(&text, &folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        let sign_ins = sign_ins(&text, &jobs);
        assert_eq!(sign_ins.len(), signed_in.get(), "{name}: the YAML's reader sees other sign-ins");
        Self { name, header, text, jobs, sign_ins }
    }
}

/// Writes out the loops `- ${{ each NAME in split('A,B', ',') }}:`, as the server does before an agent sees the
/// pipeline. It is the only template expression that examples use (`environments.yml` does).
pub(crate) fn written_out(text: &str) -> String {
    let mut lines = text.lines().peekable();
    let mut out = Vec::new();
    while let Some(line) = lines.next() {
        let Some((margin, head)) = line.split_once("- ${{ each ") else {
            out.push(line.to_owned());
            continue;
        };
        let (name, values) = head.strip_suffix("', ',') }}:").unwrap().split_once(" in split('").unwrap();
        let inside = format!("{margin}  ");
        let mut body = Vec::new();
        while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with(&inside)) {
            body.push(line);
        }
        for value in values.split(',') {
            out.extend(body.iter().map(|line| line.replace(&format!("${{{{ {name} }}}}"), value)));
        }
    }
    let text = out.join("\n") + "\n";
    assert!(!text.contains("${{"), "{text}");
    text
}

fn sign_ins(text: &str, jobs: &[(String, Pipeline)]) -> Vec<BTreeMap<String, String>> {
    let variables: Vec<_> = jobs.iter().flat_map(|(_, pipeline)| &pipeline.variables).collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<_> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| line.trim() == format!("- task: {TASK}"));
    let read = |(start, step): (usize, &&str)| {
        let rest = lines[start + 1..].iter().take_while(|line| indent(line) > indent(step));
        let mut rest = rest.skip_while(|line| line.trim() != "inputs:");
        let margin = indent(rest.next().unwrap());
        let mut inputs: Vec<(String, String)> = Vec::new();
        let mut column = None;
        for line in rest.take_while(|line| indent(line) > margin) {
            if indent(line) == *column.get_or_insert(indent(line)) {
                let (name, value) = line.trim().split_once(':').unwrap();
                inputs.push((name.to_owned(), value.trim().trim_matches(['\'', '|']).to_owned()));
            } else if let Some((_, block)) = inputs.last_mut() {
                *block += &format!("{}\n", line.trim());
            }
        }
        for (_, value) in &mut inputs {
            for variable in &variables {
                *value = value.replace(&format!("$({})", variable.name), &variable.value);
            }
        }
        inputs.into_iter().collect()
    };
    starts.map(read).collect()
}

/// The inputs as the task reads them. The server puts the connection's id in the place of its name.
fn read(inputs: &BTreeMap<String, String>) -> Inputs {
    let variables = inputs.iter().map(|(name, value)| {
        let value = if name == "azureSubscription" { Uuid::from_u128(1).to_string() } else { value.clone() };
        (format!("INPUT_{}", name.to_uppercase()), value)
    });
    Inputs::read(&variables.collect::<Env>()).unwrap_or_else(|error| panic!("{inputs:?}: {error}"))
}

fn audiences() -> Audiences {
    let resource_manager = "https://management.azure.com".to_owned();
    Audiences { cloud: Cloud::Public, resource_manager, key_vault: None, graph: None }
}

/// Every name that the step exports.
fn exported(inputs: &Inputs) -> BTreeSet<String> {
    exported_through(inputs, &BrokerEndpoint::placeholder())
}

fn exported_through(inputs: &Inputs, endpoint: &BrokerEndpoint) -> BTreeSet<String> {
    let facts = Facts {
        client: Some(Uuid::from_u128(1)),
        tenant: Uuid::from_u128(2),
        subscription: Some(Uuid::from_u128(3)),
        authority: "https://login.example/".to_owned(),
        cloud: Some(Cloud::Public),
        id_token_file: Some("/id-token".into()),
        azure_cli_folder: Some("/azure".into()),
        azure_cli_extensions: None,
        machine: None,
        targets: exports::TargetFacts::default(),
    };
    let families = inputs.exports.clone();
    let variables = if inputs.refresh {
        exports::live(&families.unwrap_or_else(Family::of_session), &facts, endpoint)
    } else {
        exports::snapshot(&families.unwrap_or_else(Family::of_snapshot), &facts)
    };
    let tokens = inputs.access_tokens(&audiences()).unwrap().into_iter().map(|(variable, _)| variable);
    let tokens = tokens.flat_map(|variable| [format!("{variable}_EXPIRES_ON"), variable]);
    let names = variables.into_iter().map(|variable| variable.name).chain(tokens);
    names
        .map(|name| inputs.session.as_ref().map_or(name.clone(), |session| session.prefixed(&name)))
        .collect()
}

#[test]
fn every_example_is_a_pipeline_whose_every_job_signs_in() {
    for Example { name, text, jobs, sign_ins, .. } in examples() {
        assert!(!jobs.is_empty(), "{name}");
        assert!(
            jobs.iter().all(|(_, job)| job.steps.len() > 1),
            "{name}: a sign-in, and a step that uses it"
        );
        let expected = if name == AUDIT { 0 } else { jobs.len() };
        assert!(sign_ins.len() >= expected, "{name}: {} jobs, {} sign-ins", jobs.len(), sign_ins.len());
        let written = text.matches("- job: ").count() + text.matches("- deployment: ").count();
        assert_eq!(written.max(1), jobs.len(), "{name}: a job was not understood");
    }
}

#[test]
fn examples_give_inputs_that_the_task_declares_and_accepts() {
    let manifest = fs::read_to_string(task_folder().join("task.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let declared: Vec<_> =
        manifest["inputs"].as_array().unwrap().iter().map(|input| &input["name"]).collect();
    let mut used = BTreeSet::new();
    for Example { name, sign_ins, .. } in examples() {
        for inputs in sign_ins {
            for input in inputs.keys() {
                assert!(declared.iter().any(|declared| *declared == input), "{name}: {input}");
            }
            assert!(inputs.get("azureSubscription").is_some_and(|it| !it.is_empty()), "{name}: {inputs:?}");
            let read = read(&inputs);
            read.access_tokens(&audiences()).unwrap();
            read.allowed_resources(&audiences()).unwrap();
            used.extend(inputs.into_keys());
        }
    }
    for shown in [
        "exports",
        "accessTokens",
        "session",
        "requireFederation",
        "allowedResources",
        "allowedSubscriptions",
    ] {
        assert!(used.contains(shown), "no example has {shown}");
    }
}

#[test]
fn aliases_in_examples_are_aliases() {
    let mut seen = 0;
    for Example { name, sign_ins, .. } in examples() {
        for inputs in sign_ins {
            let get = |input| inputs.get(input).map_or("", String::as_str);
            let tokens = get("accessTokens").lines().map(|line| line.split_once('=').unwrap().1);
            let allowed = get("allowedResources").split([',', '\n']);
            for resource in tokens.chain(allowed).map(str::trim).filter(|resource| !resource.is_empty()) {
                let address = resource.contains("://") || resource.contains('-');
                assert!(address || ALIASES.contains(&resource), "{name}: {resource}");
                seen += 1;
            }
        }
    }
    assert!(seen > 2, "{seen}");
}

#[test]
fn later_steps_of_examples_read_what_was_exported_to_them() {
    let reads = Regex::new(r"\$[({]?((?:ARM|AZURE|WIF|IDENTITY|AZD|HUB)_[A-Za-z0-9_]+)").unwrap();
    let mut seen = 0;
    for Example { name, text, sign_ins, .. } in examples() {
        let exported: BTreeSet<_> = sign_ins.iter().flat_map(|inputs| exported(&read(inputs))).collect();
        // Where the emulator is: no sign-in knows.
        let of_the_demo = |variable: &str| name == DEMO && variable == "ARM_URL";
        for variable in reads.captures_iter(&text).map(|found| found[1].to_owned()) {
            assert!(exported.contains(&variable) || of_the_demo(&variable), "{name}: {variable}");
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn commands_in_examples_are_what_the_program_understands() {
    let commands = Regex::new(r#"\bwif( (?:token|status)[^)"|;&\n]*)"#).unwrap();
    let mut seen = 0;
    for Example { name, text, .. } in examples() {
        for words in commands.captures_iter(&text).map(|found| found[1].to_owned()) {
            let arguments = Arguments::try_parse_from(std::iter::once("wif").chain(words.split_whitespace()));
            let arguments = arguments.unwrap_or_else(|error| panic!("{name}: wif{words}: {error}"));
            if let Command::Token { resource: Some(resource), .. } = arguments.command {
                assert!(Resource::parse(&resource, &audiences()).is_ok(), "{name}: {resource}");
            }
            seen += 1;
        }
    }
    assert!(seen > 1, "{seen}");
}

#[test]
fn each_example_says_first_what_must_exist() {
    let named = Regex::new(r"(?m)^ *(?:azureSubscription|environment|endpoint): (.+)$").unwrap();
    for Example { name, header, text, .. } in examples() {
        let lines = header.lines().count();
        assert!((3..=8).contains(&lines), "{name} begins with {lines} lines of comment");
        for what in named.captures_iter(&text).map(|found| found[1].to_owned()).filter(|_| name != DEMO) {
            assert!(header.contains(&what), "{name} uses {what}, and does not say that it must exist");
        }
    }
}

/// The id token of the first session comes before an alias's `use_msi`, so that the alias has to switch it off.
#[test]
fn the_alias_of_a_connection_that_is_not_federated_takes_what_such_a_session_exports() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let text = fs::read_to_string(folder.join("two-connections.yml")).unwrap();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("# use_oidc = false # use_msi = true"), "{words}");
    let inputs = BTreeMap::from(
        [("azureSubscription", "sc-hub"), ("exports", "terraform"), ("session", "hub")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let all = |gives_id_token| {
        exported_through(&read(&inputs), &BrokerEndpoint { gives_id_token, ..BrokerEndpoint::placeholder() })
    };
    let (federated, other) = (all(true), all(false));
    assert!(text.contains("TF_VAR_hub_msi_endpoint: $(HUB_ARM_MSI_ENDPOINT)"));
    assert!(
        other.contains("HUB_ARM_MSI_ENDPOINT") && !other.contains("HUB_ARM_OIDC_REQUEST_URL"),
        "{other:?}"
    );
    assert!(!federated.contains("HUB_ARM_MSI_ENDPOINT"), "{federated:?}");
}
