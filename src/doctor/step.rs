//! In a later step of a job: what it finds of a sign-in session.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use uuid::Uuid;
use wif_core::{
    azure::cloud::Cloud,
    code::Code,
    exports::{
        self, BrokerEndpoint, Facts, Family, LeadsTo, Marker, Value as Exported, Variable,
        conflict::{self, SessionKind},
    },
    failure::Failure,
    foreign_text::{identifier, one_line},
};
use wif_io::{clock::Clock, env::Env, private_folder::Folder};

use super::{
    report::{NO_FACTS, Report, Topic},
    tools,
    trial::{self, Trial},
    variables::JobFindings,
};

/// A session that the step's variables lead to, and what its broker says of itself.
#[derive(Debug)]
pub(crate) struct SessionStatus {
    /// What the names of its variables begin with; nothing, for the session without a name.
    pub(crate) prefix: String,
    /// The broker's status, or why it could not be asked.
    pub(crate) status: Result<Value, Failure>,
}

/// The longest value that a report shows, in characters.
const MAX_SHOWN: usize = 80;

/// Checks what this step finds of the job's sessions, and tries tools where that is asked for.
///
/// `has_connection` says whether a connection is checked too.
pub(crate) async fn in_step(
    report: &mut Report,
    env: &Env,
    clock: &dyn Clock,
    sessions: Vec<SessionStatus>,
    has_connection: bool,
    trial: &Trial,
) {
    let found = Found::read(env, &sessions);
    report_sessions(report, &found, sessions, has_connection);
    found.job(env).report(env, report);
    tools::report(report, &tools::find(env, clock).await, &found.families);
    trial::report(report, trial, env, clock).await;
}

/// What a step finds of the session without a name.
struct Found {
    families: BTreeSet<Family>,
    /// How the session serves tools; none, where the step finds no session.
    session_kind: Option<SessionKind>,
    client: Option<Uuid>,
    tenant: Option<Uuid>,
    /// Whether a session has a name.
    is_other_named: bool,
}

impl Found {
    fn read(env: &Env, sessions: &[SessionStatus]) -> Self {
        let is_live = env.get("WIF_URL").is_some();
        let is_there = |(family, marker): &(Family, &Marker)| {
            let leads_there = match marker.leads_to {
                LeadsTo::Broker(_) => is_at_broker(env, marker.variable),
                LeadsTo::Folder => is_in_session_folder(env, marker.variable),
            };
            let is_of = |kind: &SessionKind| (*kind != SessionKind::Snapshot) == is_live;
            // The step may have mapped the variable of a named session to this name.
            leads_there && (marker.sessions.iter().any(is_of) || !family.has_snapshot())
        };
        let all =
            Family::ALL.iter().flat_map(|family| family.markers().iter().map(|marker| (*family, marker)));
        let found: Vec<_> = all.filter(is_there).collect();
        let gives_access_tokens_only =
            found.iter().any(|(_, marker)| marker.sessions == [SessionKind::AccessTokens]);
        let families: BTreeSet<_> = found.into_iter().map(|(family, _)| family).collect();
        let own = sessions.iter().find(|session| session.prefix.is_empty());
        let session_kind = match own {
            // Where no family shows it, nothing depends on it.
            Some(_) if gives_access_tokens_only => Some(SessionKind::AccessTokens),
            Some(_) => Some(SessionKind::IdToken),
            None => (!families.is_empty()).then_some(SessionKind::Snapshot),
        };
        let status = own.and_then(|session| session.status.as_ref().ok());
        let id = |field: &str| Uuid::try_parse(status?.get(field)?.as_str()?).ok();
        let is_other_named = sessions.iter().any(|session| !session.prefix.is_empty());
        Self { families, session_kind, client: id("client"), tenant: id("tenant"), is_other_named }
    }

    fn job(&self, env: &Env) -> JobFindings {
        let mut findings = JobFindings::default();
        let Some(session_kind) = self.session_kind else {
            findings
                .facts
                .push("no session without a name is found that they could be compared with".to_owned());
            return findings;
        };
        let facts = self.facts(env);
        // By their values it is found which variables hold the session's client, and its tenant.
        let exported = exports::live(&self.families, &facts, &BrokerEndpoint::placeholder());
        for (id, what) in [(self.client, "client"), (self.tenant, "tenant")] {
            // The machine's own identity may have no client id that is known.
            let Some(id) = id else { continue };
            for Variable { name, .. } in
                exported.iter().filter(|one| one.value == Exported::Plain(id.to_string()))
            {
                match env.get(name) {
                    Some(value) if !value.eq_ignore_ascii_case(&id.to_string()) => {
                        findings.warnings.push(Failure::new(
                            Code::VariableConflicts,
                            format!(
                                "{name} is '{}' in this step, and the session's {what} is {id}",
                                one_line(value, MAX_SHOWN)
                            ),
                            "remove the variable, or the step's env: entry, of that name",
                        ));
                    }
                    None => findings.faults.push(missing(name)),
                    Some(_) => {}
                }
            }
        }
        // An address is of no use without its key.
        for (address, key) in exports::addresses_and_keys() {
            if is_at_broker(env, address) && env.get(key).is_none() {
                findings.faults.push(missing(key));
            }
        }
        let is_ours = |name: &str| is_at_broker(env, name) || is_in_session_folder(env, name);
        let families = self.families.iter().copied();
        for conflict in
            exports::conflicts_in_force(families, session_kind, &facts, |name| env.get(name), is_ours)
        {
            let names = conflict.variables.join(" and ");
            findings.warnings.push(Failure::new(
                Code::VariableConflicts,
                format!("This step finds {names}: {}", conflict.effect),
                "Remove it from the job, the step or the machine, or leave the family out of exports.",
            ));
        }
        if self.is_other_named && session_kind != SessionKind::Snapshot {
            let (error, hint) = (conflict::SESSIONS_MIXED, conflict::NAME_EACH_SESSION);
            findings.warnings.push(Failure::new(Code::SessionsMixed, error, hint));
        }
        findings.facts.push("which variables of the job are secret is told to tasks only: diagnose: true in a step AzureWorkloadIdentity@1 checks that too".to_owned());
        findings
    }

    /// The session's facts, as far as this step finds them.
    fn facts(&self, env: &Env) -> Facts {
        let id = |name: &str| env.get(name).and_then(|text| Uuid::try_parse(text).ok());
        let authority = env.get("AZURE_AUTHORITY_HOST").unwrap_or_default();
        Facts {
            client: self.client.or_else(|| id("AZURE_CLIENT_ID")),
            tenant: self.tenant.or_else(|| id("AZURE_TENANT_ID")).unwrap_or_default(),
            subscription: id("AZURE_SUBSCRIPTION_ID"),
            authority: authority.to_owned(),
            cloud: Cloud::from_authority(authority),
            id_token_file: None,
            azure_cli_folder: None,
            azure_cli_extensions: None,
            machine: None,
            targets: exports::TargetFacts::default(),
        }
    }
}

fn missing(name: &str) -> Failure {
    Failure::new(
        Code::NameIsSecret,
        format!(
            "{name} is not set in this step, although the session exports it: the job may have a secret variable of that name, or what started this step has not passed it on"
        ),
        "delete the secret variable of that name, or give the sign-in a name (session: azure), so that its variables have names of their own; pass all variables of the session on",
    )
}

/// Whether a variable leads to the broker of the session without a name.
fn is_at_broker(env: &Env, name: &str) -> bool {
    let rest = env.get("WIF_URL").and_then(|url| env.get(name)?.strip_prefix(url.trim_end_matches('/')));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Whether a variable names something in a private folder of a session.
fn is_in_session_folder(env: &Env, name: &str) -> bool {
    env.get(name).is_some_and(|path| Folder::is_in_one(Path::new(path)))
}

fn report_sessions(report: &mut Report, found: &Found, sessions: Vec<SessionStatus>, has_connection: bool) {
    let is_none = sessions.is_empty();
    for SessionStatus { prefix, status } in sessions {
        let name = match prefix.trim_end_matches('_') {
            "" => "the session without a name".to_owned(),
            name => format!("the session {}", one_line(name, MAX_SHOWN)),
        };
        match status {
            Ok(status) => {
                let text = |field: &str| {
                    let value = status.get(field).and_then(Value::as_str);
                    value.and_then(|value| identifier(value, MAX_SHOWN)).unwrap_or_else(|| "none".to_owned())
                };
                report.good(
                    Topic::Session,
                    vec![format!("{name} is served: client {}, tenant {}", text("client"), text("tenant"))],
                );
            }
            Err(failure) => report.fault(Topic::Session, failure, vec![name]),
        }
    }
    if !is_none {
        return;
    }
    match found.session_kind {
        Some(_) => report.good(
            Topic::Session,
            vec!["a snapshot without a name (refresh: false), which nothing renews".to_owned()],
        ),
        None if has_connection => report.skipped(Topic::Session, "this step finds none"),
        None => {
            let error = "this step finds no sign-in session: WIF_URL and WIF_KEY are not set";
            let hint = "run it in a step after AzureWorkloadIdentity@1, with the same target: sudo, docker run, env -i and a step with another target do not pass the session's variables on";
            report.warning(Topic::Session, Failure::new(Code::BrokerGone, error, hint), NO_FACTS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_to_the_broker_itself_is_its_own() {
        let env = |value: &str| -> Env {
            let variables = [("WIF_URL", "http://127.0.0.1:80"), ("X", value)];
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
        };
        for (value, ours) in [
            ("http://127.0.0.1:80/msi/token", true),
            ("http://127.0.0.1:80", true),
            ("http://127.0.0.1:8080/msi/token", false),
            ("http://127.0.0.1:80.evil.example/", false),
            ("", false),
        ] {
            assert_eq!(is_at_broker(&env(value), "X"), ours, "{value}");
        }
        assert!(!is_at_broker(&Env::default(), "X"));
    }
}
