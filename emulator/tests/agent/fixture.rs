//! A job message, and tasks of a few lines of Node.

use std::fs;

use emulator::agent::{Agent, JobReport, Step};
use emulator::job::{JobMessage, ServiceEndpoint, Variable};
use tempfile::TempDir;
use uuid::Uuid;

/// A job with two connections and a secret variable.
pub fn message() -> JobMessage {
    JobMessage {
        system_connection_url: "https://devops.test/contoso/".into(),
        job_token: "job-token-value".into(),
        endpoints: vec![endpoint("sc-prod", 0xA1), endpoint("sc-other", 0xB2)],
        variables: vec![
            variable("System.CollectionUri", "https://devops.test/contoso/", false),
            variable("my.secret", "s3cr3t-value", true),
        ],
    }
}

/// A variable of the job message.
pub fn variable(name: &str, value: &str, secret: bool) -> Variable {
    Variable { name: name.into(), value: value.into(), secret }
}

fn endpoint(name: &str, id: u128) -> ServiceEndpoint {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ServiceEndpoint {
        id: Uuid::from_u128(id),
        name: name.into(),
        url: "https://management.test/".into(),
        scheme: "WorkloadIdentityFederation".into(),
        parameters: map(&[("serviceprincipalid", "client-of-it"), ("tenantid", "tenant-of-it")]),
        data: map(&[("SubscriptionID", "sub-of-it"), ("environment", "$(System.CollectionUri)x")]),
    }
}

/// A task folder: a main script and, unless empty, a post-job script.
pub fn task(main: &str, post: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let stage =
        |name: &str| format!(r#"{{"Node24": {{"target": "{name}"}}, "Node20_1": {{"target": "{name}"}}}}"#);
    let post_stage =
        if post.is_empty() { String::new() } else { format!(r#","postjobexecution": {}"#, stage("post.js")) };
    let definition = format!(
        r#"{{"id": "11111111-2222-3333-4444-555555555555", "name": "Fixture", "friendlyName": "Fixture task",
        "description": "For tests", "author": "wif", "version": {{"Major": 1, "Minor": "2", "Patch": 3}},
        "outputVariables": [{{"name": "trap", "description": "d"}}],
        "inputs": [
            {{"name": "connection", "aliases": ["azureSubscription"], "type": "connectedService:AzureRM", "label": "c"}},
            {{"name": "text", "type": "string", "label": "t", "defaultValue": "  plain "}},
            {{"name": "flag", "type": "boolean", "label": "f", "defaultValue": true}}
        ], "execution": {} {post_stage}}}"#,
        stage("main.js")
    );
    for (name, text) in [("task.json", definition.as_str()), ("main.js", main), ("post.js", post)] {
        fs::write(folder.path().join(name), text).expect("a file of the fixture");
    }
    folder
}

/// Runs a job on a machine without settings.
pub fn run(steps: &[Step]) -> JobReport {
    Agent::new().run(&message(), steps)
}

/// Asserts that the parts stand in the log, one after the other.
pub fn in_order(log: &str, parts: &[&str]) {
    let mut rest = log;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not there, or too early, in:\n{log}"));
        rest = &rest[at + part.len()..];
    }
}
