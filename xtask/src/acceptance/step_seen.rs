//! What a step of `AzureCLI@2` did, so that it can be laid beside the same script after a plain login.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use emulator::{
    Entry, Service,
    agent::{JobReport, StepResult},
    unverified_claims,
};
use serde_json::Value;

use super::{
    journal::{assertion, is_by},
    step_machine::Machine,
};
use crate::process::Result;

/// What is to be the same of both.
#[derive(Default)]
pub(super) struct Seen {
    /// What Azure was asked by others than `wif`, in order, and how it answered.
    pub(super) requests: Vec<String>,
    /// What a program of the script exchanged at Entra.
    pub(super) exchanges: Vec<String>,
    pub(super) result: Option<StepResult>,
    /// What was printed, the lines of our sign-in included; commands to the agent are not.
    pub(super) printed: Vec<String>,
    /// What the script set for later steps; of a token its claims.
    pub(super) variables: BTreeMap<String, String>,
    /// The files in the repository afterwards.
    pub(super) files: BTreeMap<String, String>,
    /// The extensions of the agent's user afterwards.
    pub(super) extensions: BTreeSet<String>,
    /// What go was given: arguments, folder and environment; of a token its claims.
    pub(super) given: BTreeMap<String, String>,
    /// Hosts beside the services that were asked for, in vain.
    pub(super) unanswered: BTreeSet<String>,
    /// The resources that Entra was asked for: by our sign-in, by az and by the script. Not compared: where az asks, our
    /// broker does.
    pub(super) scopes: BTreeSet<String>,
    pub(super) log: String,
}

impl Seen {
    /// What a machine ran, of which the first requests are not the step's.
    pub(super) fn of(machine: &Machine, report: &JobReport, before: usize) -> Result<Self> {
        let journal = machine.emulator.journal();
        let after: Vec<_> = journal.iter().skip(before).collect();
        let is_of_az =
            |entry: &&&Entry| matches!(entry.service, Service::Arm | Service::Graph) && !is_by(entry, "wif/");
        let entra: Vec<_> = after.iter().filter(|entry| entry.service == Service::Entra).collect();
        let step = report.steps.first().ok_or("no step ran")?;
        let set = step.commands.iter().filter(|command| command.is("task", "setvariable"));
        let set = set.filter_map(|command| {
            let is_secret =
                command.property("issecret").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
            let value = match plain(machine, &command.data) {
                value if is_secret && !value.starts_with('{') => "a secret".to_owned(),
                value => value,
            };
            Some((command.property("variable")?.to_owned(), value))
        });
        let failed = |error: io::Error| error.to_string();
        let mut files = BTreeMap::new();
        let sources = machine.agent.sources_folder();
        add_files(&sources, &sources, &mut files).map_err(failed)?;
        Ok(Self {
            requests: after.iter().filter(is_of_az).map(|entry| as_client(machine, &line(entry))).collect(),
            exchanges: entra
                .iter()
                .filter(|entry| is_by(entry, "curl/"))
                .map(|entry| exchange(entry))
                .collect(),
            result: Some(step.result),
            printed: printed(machine, &step.raw_stdout),
            variables: set.collect(),
            files,
            extensions: names(&machine.home.path().join(".azure").join("cliextensions")),
            given: given(machine),
            unanswered: machine.unanswered(),
            scopes: entra.iter().filter_map(|entry| entry.form("scope")).map(str::to_owned).collect(),
            log: format!("{}\n{}", report.log, machine.emulator.journal_text()),
        })
    }

    /// How this differs from what came of the same script after a plain login. What go is given beside may be more: that is
    /// what signs its tests in.
    pub(super) fn beside(&self, plain: &Self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut lines = |what: &str, plain: &[String], own: &[String]| {
            if plain != own {
                let (plain, own) = (plain.join("\n"), own.join("\n"));
                complaints
                    .push(format!("after a plain login {what}\n{plain}\nand in the step of the task\n{own}"));
            }
        };
        lines("az asked Azure for", &plain.requests, &self.requests);
        lines("Entra was asked for", &plain.exchanges, &self.exchanges);
        lines("the script set", &pairs(&plain.variables), &pairs(&self.variables));
        lines("the repository has", &pairs(&plain.files), &pairs(&self.files));
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        lines("the user has the extensions", &list(&plain.extensions), &list(&self.extensions));
        lines("hosts were asked in vain", &list(&plain.unanswered), &list(&self.unanswered));
        let as_there = self.given.iter().filter_map(|(name, value)| {
            let there = plain.given.get(name)?;
            // Our program's folder stands in front of the others.
            let is_longer = name == "PATH" && value.ends_with(&format!(":{there}"));
            Some((name.clone(), if is_longer { there.clone() } else { value.clone() }))
        });
        let as_there = as_there.collect();
        lines("go was given", &pairs(&plain.given), &pairs(&as_there));
        let mut own = self.printed.iter();
        if let Some(line) = plain.printed.iter().find(|line| !own.any(|own| own == *line)) {
            complaints.push(format!(
                "the script printed '{line}', and in the step of the task did not, or not there"
            ));
        }
        if self.result != plain.result {
            complaints.push(format!(
                "the script ended as {:?}, and in the step of the task as {:?}",
                plain.result, self.result
            ));
        }
        complaints
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<String> {
    map.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Method, path, query and body, and the status of the answer.
fn line(entry: &Entry) -> String {
    let query: Vec<_> = entry.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let Entry { service, method, path, .. } = entry;
    // The order of fields differs from process to process.
    let body =
        serde_json::from_str(&entry.body).map_or_else(|_| entry.body.clone(), |json: Value| json.to_string());
    let body = without_times(&body);
    format!("{service:?}: {method} {path}?{} {body} -> {}", query.join("&"), entry.status.unwrap_or_default())
}

/// The line of a request, for the name under which az is signed in after a plain login: `az webapp up` names a plan after it.
fn as_client(machine: &Machine, line: &str) -> String {
    line.replace("/userAssignedIdentity_asp_", &format!("/{}_asp_", machine.emulator.usual().client))
}

/// The lines of a script, which may have what differs from machine to machine.
fn printed(machine: &Machine, text: &str) -> Vec<String> {
    let is_meant = |line: &&str| !line.starts_with("##") && !line.starts_with(PRIVATE_FOLDER);
    let lines = text.lines().filter(is_meant);
    lines.map(|line| as_client(machine, &without_times(&machine.anywhere(line)))).collect()
}

/// The text with `TIME` where it has a time like `2026-11-27T12:30:05`, which two runs do not have in common.
fn without_times(text: &str) -> String {
    let is_time = |candidate: &str| {
        let shape = "0000-00-00T00:00:00".chars();
        candidate
            .chars()
            .zip(shape)
            .all(|(one, like)| if like == '0' { one.is_ascii_digit() } else { one == like })
    };
    let mut rest = text;
    let mut changed = String::new();
    while let Some(first) = rest.chars().next() {
        let (taken, shown) = match rest.get(..TIME_CHARACTERS) {
            Some(time) if is_time(time) => (TIME_CHARACTERS, "TIME"),
            _ => (first.len_utf8(), rest.get(..first.len_utf8()).unwrap_or_default()),
        };
        changed.push_str(shown);
        rest = rest.get(taken..).unwrap_or_default();
    }
    changed
}

/// Of `2026-11-27T12:30:05`.
const TIME_CHARACTERS: usize = 19;

/// Who asks Entra for what, by which id token.
fn exchange(entry: &Entry) -> String {
    let form = |name| entry.form(name).unwrap_or_default();
    let claims = assertion(entry).map(lasting).unwrap_or_default();
    format!(
        "{} {} as {} by {claims} -> {}",
        entry.path,
        form("scope"),
        form("client_id"),
        entry.status.unwrap_or_default()
    )
}

/// The claims without those that each token has for itself.
fn lasting(mut claims: Value) -> Value {
    if let Some(claims) = claims.as_object_mut() {
        claims.retain(|name, _value| !OF_ONE_TOKEN.contains(&name.as_str()) && !name.starts_with("xms_"));
    }
    claims
}

/// A value without what differs from machine to machine; of a token its claims.
fn plain(machine: &Machine, value: &str) -> String {
    match unverified_claims(value) {
        Some(claims) => lasting(claims).to_string(),
        None => machine.anywhere(value),
    }
}

/// What the stand-in for go kept.
fn given(machine: &Machine) -> BTreeMap<String, String> {
    let text = fs::read_to_string(machine.home.path().join("given-to-go")).unwrap_or_default();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let own = pairs.filter(|(name, _value)| !OF_ONE_JOB.contains(name));
    own.map(|(name, value)| (name.to_owned(), plain(machine, value))).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn add_files(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            add_files(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.insert(name, String::from_utf8_lossy(&fs::read(&path)?).into_owned());
        }
    }
    Ok(())
}

/// In what `az --version` prints: here az has a folder of its own.
const PRIVATE_FOLDER: &str = "Config directory '";
/// Claims that differ from token to token, as those do that begin with `xms_`, and one that the emulator makes up.
const OF_ONE_TOKEN: [&str; 8] = ["aio", "exp", "iat", "jti", "nbf", "rh", "uti", "wids"];
/// Variables that differ from job to job, from task to task or from process to process.
const OF_ONE_JOB: [&str; 7] = [
    "SYSTEM_JOBID",
    "SYSTEM_OIDCREQUESTURI",
    "SYSTEM_PLANID",
    "TASK_DISPLAYNAME",
    "VSTS_PROCESS_LOOKUP_ID",
    "_",
    // Left out where Terraform is signed in: its providers would send the broker's key to Azure DevOps.
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_seen_once() {
        let map = |value: &str| BTreeMap::from([("NAME".to_owned(), value.to_owned())]);
        let seen = || Seen {
            requests: vec!["GET /".to_owned()],
            result: Some(StepResult::Succeeded),
            printed: vec!["one".to_owned(), "two".to_owned()],
            variables: map("1"),
            files: map("1"),
            given: map("1"),
            ..Seen::default()
        };
        let plain = seen();
        assert_eq!(seen().beside(&plain), Vec::<String>::new());
        for other in [
            Seen { requests: Vec::new(), ..seen() },
            Seen { exchanges: vec!["POST /".to_owned()], ..seen() },
            Seen { result: Some(StepResult::Failed), ..seen() },
            Seen { printed: vec!["two".to_owned()], ..seen() },
            Seen { printed: vec!["two".to_owned(), "one".to_owned()], ..seen() },
            Seen { variables: map("2"), ..seen() },
            Seen { variables: BTreeMap::new(), ..seen() },
            Seen { files: map("2"), ..seen() },
            Seen { extensions: BTreeSet::from(["ml".to_owned()]), ..seen() },
            Seen { unanswered: BTreeSet::from(["contoso.example:443".to_owned()]), ..seen() },
            Seen { given: map("2"), ..seen() },
            Seen { given: BTreeMap::new(), ..seen() },
        ] {
            assert_eq!(other.beside(&plain).len(), 1);
        }
        let mut more = seen();
        more.printed.insert(1, "Signed in to Azure".to_owned());
        more.given.insert("IDENTITY_ENDPOINT".to_owned(), String::new());
        assert_eq!(more.beside(&plain), Vec::<String>::new());
    }

    #[test]
    fn a_time_is_no_difference_and_a_number_is_one() {
        assert_eq!(without_times(r#"{"at":"2026-11-27T12:30:05+00:00"}"#), r#"{"at":"TIME+00:00"}"#);
        assert_eq!(without_times("é2026-11-27 12:30:05"), "é2026-11-27 12:30:05");
    }

    #[test]
    fn a_token_is_compared_by_the_claims_that_last() {
        let claims = serde_json::json!({ "sub": "sc://contoso/one/two", "iat": 1, "exp": 2, "jti": "x" });
        assert_eq!(lasting(claims).to_string(), r#"{"sub":"sc://contoso/one/two"}"#);
    }
}
