//! Whether the broker kept the sign-in alive: new tokens while the client ran, and none of them refused.

use std::{collections::BTreeSet, path::PathBuf};

use emulator::{
    Entry, Service,
    agent::{JobReport, JobResult},
};
use serde_json::Value;

use super::{
    journal::{assertion, is_by},
    scheme::Scheme,
    tools::{ACCESS_TOKEN_LIVES, Client, Mode, Proof, STATUS},
};

/// How many id tokens a client that exchanges them has to see.
const DIFFERENT: usize = 3;

/// The client's last token is another than its first, which had ended by then.
pub(super) fn renewed(lines: &[Value], client: &Client) -> Result<(), String> {
    if client.proof != Proof::Arm {
        return Ok(());
    }
    let ends: Vec<_> = lines.iter().filter_map(|line| line["expires_on"].as_i64()).collect();
    match (ends.first(), ends.last()) {
        (Some(first), Some(last)) if last - first >= ACCESS_TOKEN_LIVES => Ok(()),
        _ => Err(format!("the client did not outlive its first token: {ends:?}")),
    }
}

/// What does not fit in the journal of a job with a broker.
pub(super) fn kept(journal: &[Entry], client: &Client, scheme: Scheme) -> Vec<String> {
    let mut complaints = Vec::new();
    let by_us: Vec<_> = journal.iter().filter(|entry| is_by(entry, "wif/")).collect();
    for entry in &by_us {
        // Buildkite says that it has made a token (201).
        if entry.status.is_none_or(|status| !(200..300).contains(&status)) {
            let status = entry.status.map_or("no answer".to_owned(), |status| status.to_string());
            complaints.push(format!("wif: {} {} got {status}", entry.method, entry.path));
        }
    }
    let ours = |service: Service| by_us.iter().filter(|entry| entry.service == service).count();
    let signer = match client.mode {
        Mode::Exec(source) => source.service(),
        Mode::Snapshot | Mode::Broker => Some(Service::DevOps),
    };
    // An id token that was put somewhere before is exchanged again and again.
    let id_tokens = signer.map_or(usize::MAX, ours);
    let access_tokens = ours(scheme.source());
    // A tool that exchanges id tokens needs no access token of the broker, which renews none that no caller wants.
    let exchanges = *client.exchanges.start() > 0;
    if (scheme.is_federated() && id_tokens < 3) || (!exchanges && access_tokens < 3) {
        complaints.push(format!(
            "the broker renewed too little: {id_tokens} id tokens, {access_tokens} access tokens"
        ));
    }
    let assertions: BTreeSet<_> = journal
        .iter()
        .filter(|entry| entry.service == Service::Entra && !is_by(entry, "wif/"))
        .filter_map(|entry| assertion(entry).map(|claims| claims.to_string()))
        .collect();
    if exchanges && assertions.len() < DIFFERENT {
        complaints.push(format!("the client exchanged {} different id tokens", assertions.len()));
    }
    complaints
}

/// What does not fit in a job with a broker: it has refused no caller, and is gone.
pub(super) fn ended(report: &JobReport, client: &Client) -> Vec<String> {
    let mut complaints = Vec::new();
    if report.result != JobResult::Succeeded {
        complaints.push(format!("the job is {:?}", report.result));
    }
    if client.mode != Mode::Broker {
        let is_ours =
            |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wif"));
        let files: Vec<_> = report.left_in_temp.iter().filter(is_ours).collect();
        if !report.killed_orphans.is_empty() || !files.is_empty() {
            let processes = &report.killed_orphans;
            complaints.push(format!("`wif exec` left processes {processes:?} and files {files:?}"));
        }
        return complaints;
    }
    let status = &report.step(STATUS).raw_stdout;
    let refused = status.lines().find_map(|line| line.strip_prefix("refused")).map(str::trim);
    if refused != Some("0") {
        complaints.push(format!("the broker turned callers away: {refused:?}"));
    }
    if !report.log.contains("Signed out") || !report.killed_orphans.is_empty() {
        complaints.push(format!("the broker was not ended: {:?}", report.killed_orphans));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::tools::TOOLS, *};

    #[test]
    fn a_client_that_exchanges_once_in_a_step_has_enough_steps() {
        let once = |client: &&Client| client.proof == Proof::Plan && *client.exchanges.start() > 0;
        for client in TOOLS.iter().flat_map(|tool| tool.clients).filter(once) {
            assert!(client.steps >= DIFFERENT, "{}", client.credential);
        }
    }

    #[test]
    fn a_broker_that_renewed_nothing_is_not_accepted() {
        let clients = TOOLS.iter().flat_map(|tool| tool.clients);
        for client in clients.filter(|client| client.mode.has_broker()) {
            for scheme in client.schemes {
                assert!(!kept(&[], client, *scheme).is_empty(), "{} {scheme:?}", client.credential);
            }
            let lines = |ends: &[i64]| ends.iter().map(|end| json!({"expires_on": end})).collect::<Vec<_>>();
            let told = client.proof == Proof::Arm;
            for ends in [&[][..], &[100], &[100, 100], &[100, 107]] {
                assert_eq!(renewed(&lines(ends), client).is_err(), told, "{}: {ends:?}", client.credential);
            }
            assert_eq!(renewed(&lines(&[100, 104, 108]), client), Ok(()));
        }
    }
}
