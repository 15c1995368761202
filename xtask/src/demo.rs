//! `demo`: the main job, end to end, against the emulator.

use std::{fs, io::IsTerminal as _};

use emulator::{
    Emulator, Entry, Service,
    agent::{Agent, JobReport, JobResult, color_text, pipeline_from_yaml},
    directory::Issuer,
    job::Variable,
};

use crate::{
    process::{Result, root},
    stage,
};

const PIPELINE: &str = "docs/examples/demo.yml";
/// What a newcomer may do after it.
const NEXT: &str = "\
What to do next:
  docs/setup.md            from nothing to a job of your own that is signed in
  docs/tools.md            what to write for az, Terraform and the others
  cargo xtask demo convert an emulated organization of stored secrets becomes one of federation
  cargo xtask demo audit   an audit of an emulated organization in which something is wrong
  cargo xtask test         format, lints, documentation, every test; CONTRIBUTING.md has the other chores
";

/// Runs the pipeline as a job, and prints its log while it runs, in the colors of the web page.
#[expect(clippy::disallowed_methods, reason = "it is asked whether it is a terminal, and not written to")]
pub(crate) fn demo() -> Result<()> {
    println!(
        "This compiles wif, which takes some minutes the first time, and runs {PIPELINE} as a job: by an agent, an Azure DevOps, an \
         Entra and an Azure Resource Manager that are emulated on 127.0.0.1. Nothing leaves this machine.\n"
    );
    let color = std::io::stdout().is_terminal();
    let (report, asked) = job(|line| {
        if color {
            println!("{}", color_text(line));
        } else {
            println!("{line}");
        }
    })?;
    println!("\nJob {}\n", report.result.name());
    println!("What the services were asked:\n\n{asked}\n{NEXT}");
    if report.result == JobResult::Succeeded { Ok(()) } else { Err(format!("the job {:?}", report.result)) }
}

/// Runs the job, and gives each line of its log as it comes: the job's report, and what the services were asked, by kinds.
pub(crate) fn job(line: impl FnMut(&str)) -> Result<(JobReport, String)> {
    let task = stage::stage()?;
    let yaml = fs::read_to_string(root().join(PIPELINE)).map_err(|error| format!("{PIPELINE}: {error}"))?;
    let ours = |name: &str| (name == "AzureWorkloadIdentity@1").then(|| task.clone());
    let pipeline = pipeline_from_yaml(&yaml, &ours).map_err(|error| format!("{PIPELINE}: {error}"))?;

    let emulator = Emulator::start();
    let usual = emulator.usual();
    by_entra(&emulator);
    println!(
        "Azure DevOps, Entra and ARM are emulated at {}, {}, {}",
        emulator.devops_url(),
        emulator.entra_url(),
        emulator.arm_url()
    );
    println!("Running {PIPELINE} as a job of {}/{}\n", usual.organization, usual.project);
    let mut message = emulator.job_with(&[usual.connection, usual.entra_connection]);
    message.variables.push(Variable { name: "ARM_URL".to_owned(), value: emulator.arm_url(), secret: false });
    pipeline.add_variables(&mut message);
    let agent = Agent::new()
        .ca_file(emulator.ca_file())
        .machine_env("NODE_EXTRA_CA_CERTS", emulator.ca_file().to_string_lossy());
    let running = agent.start(&message, &pipeline.steps);
    running.follow(line);
    let report = running.finish();
    Ok((report, asked(&emulator.journal())))
}

/// Lets Entra sign the id tokens of the usual connection, as of every connection that is made today.
pub(crate) fn by_entra(emulator: &Emulator) {
    let usual = emulator.usual();
    let mut directory = emulator.directory();
    directory.connection(usual.connection).issuer = Issuer::Entra;
    directory.app(usual.client).federated_credentials.clear();
    directory.trust(usual.connection);
}

/// A line for each kind of request, in the order of their first, with what differs between those of a kind.
fn asked(journal: &[Entry]) -> String {
    let mut kinds: Vec<(String, usize, Vec<String>)> = Vec::new();
    for entry in journal {
        let (kind, detail) = kind(entry);
        let at = kinds.iter().position(|(known, ..)| *known == kind).unwrap_or_else(|| {
            kinds.push((kind, 0, Vec::new()));
            kinds.len() - 1
        });
        if let Some((_, count, details)) = kinds.get_mut(at) {
            *count += 1;
            details.extend(detail.filter(|detail| !details.contains(detail)));
        }
    }
    let line = |(kind, count, details): &(String, usize, Vec<String>)| {
        let mark = if details.is_empty() { "" } else { ": " };
        format!("  {count:>2} × {kind}{mark}{}\n", details.join(", "))
    };
    kinds.iter().map(line).collect()
}

/// What a request was for, and for which resource.
fn kind(entry: &Entry) -> (String, Option<String>) {
    let what = match entry.service {
        Service::DevOps if entry.path.ends_with("/oidctoken") => {
            "Azure DevOps: an id token that says which job this is"
        }
        Service::Entra if entry.path.ends_with("/token") => {
            let scope = entry.form("scope").unwrap_or_default();
            let resource = scope.trim_end_matches("/.default").trim_start_matches("https://");
            return (
                "Entra: an access token in exchange for the id token".to_owned(),
                Some(resource.to_owned()),
            );
        }
        Service::Entra if entry.path.ends_with("/.well-known/openid-configuration") => {
            "Entra: its discovery document, so that the connection is there in time"
        }
        Service::Arm if entry.path == "/subscriptions" => "ARM: the subscriptions that az is to know",
        Service::Arm => "ARM: a request of a step, with its access token",
        service => return (format!("{service:?}: {} {}", entry.method, entry.path), None),
    };
    (what.to_owned(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(service: Service, path: &str, scope: &str) -> Entry {
        Entry {
            service,
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            form: vec![("scope".to_owned(), scope.to_owned())],
            body: String::new(),
            status: Some(200),
            http_version: "HTTP/1.1".to_owned(),
            connection: 1,
            at: 0,
        }
    }

    #[test]
    fn requests_of_a_kind_are_one_line_with_what_differs() {
        let token = |scope| entry(Service::Entra, "/tenant/oauth2/v2.0/token", scope);
        let journal = [
            token("https://vault.azure.net/.default"),
            entry(Service::Arm, "/subscriptions", ""),
            token("https://storage.azure.com/.default"),
            token("https://vault.azure.net/.default"),
        ];
        assert_eq!(
            asked(&journal),
            "   3 × Entra: an access token in exchange for the id token: vault.azure.net, storage.azure.com\n   \
             1 × ARM: the subscriptions that az is to know\n"
        );
    }
}
