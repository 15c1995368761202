//! The walk in a job of a pipeline.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join;
use uuid::Uuid;
use wif_azure::devops::service_connections::{ConnectionsError, Organization, Token};
use wif_core::{azure::resource::Resource, code::Code, exports::Family, failure::Failure};
use wif_io::{
    clock::{Clock, Deadline},
    endpoint::Endpoint,
    env::Env,
    http::Http,
};

use super::{
    Gathered, Readable, Walk,
    connection::reader,
    network::{Network, Service},
    report::{Report, Topic},
    tools,
    variables::JobFindings,
};
use crate::{
    agent::{
        addresses::Addresses,
        connection::Connection,
        inputs::Inputs,
        job::{self, Job},
        network,
    },
    sign_in::{DEADLINE, Seen},
};

/// What a diagnosis looks at beside the connection.
pub(crate) struct JobCheck<'a> {
    /// An access token is asked for each, beside that for Azure Resource Manager.
    pub(crate) resources: &'a [Resource],
    /// What the task has found in the job.
    pub(crate) findings: JobFindings,
    /// What a session would export.
    pub(crate) families: BTreeSet<Family>,
}

/// Checks a connection of a job, and the job around it. `seen` gets every id token before it is used.
pub(crate) async fn in_job(
    env: &Env,
    clock: Arc<dyn Clock>,
    inputs: &Inputs,
    job: JobCheck<'_>,
    seen: &mut Seen<'_>,
) -> Report {
    let connection = of_connection(env, Arc::clone(&clock), inputs, job.resources, seen);
    // Beside each other, so that both are bounded by the same time.
    let (mut report, found) = join(connection, tools::find(env, &*clock)).await;
    job.findings.report(env, &mut report);
    tools::report(&mut report, &found, &job.families);
    report
}

async fn of_connection(
    env: &Env,
    clock: Arc<dyn Clock>,
    inputs: &Inputs,
    resources: &[Resource],
    seen: &mut Seen<'_>,
) -> Report {
    let id = inputs.connection;
    let mut report = Report::default();
    let Some(http) = settings(env, &clock, &mut report) else { return report };
    let deadline = Deadline::after(&*clock, DEADLINE);
    let allowed_hosts = inputs.allowed_authorities.clone();
    let network = Network::default();
    let mut walk = Walk { http: Arc::new(http), env, deadline, allowed_hosts, report, network };
    // No token goes anywhere that the job's variables do not agree on.
    let base = job::organization_url(env, &walk.allowed_hosts).ok();
    if let Some(base) = &base {
        walk.reach_devops(base).await;
    }
    let target = match read(env, id) {
        Ok(target) => {
            walk.reach_azure(&target.connection, &target.addresses).await;
            Some(target)
        }
        Err(failure) => {
            walk.report.fault(Topic::Connection, failure, Vec::new());
            None
        }
    };
    walk.report_network();
    let token = walk.job_token(base.as_ref()).await;
    let Some(Readable { connection, addresses }) = target else {
        walk.skip_rest("the connection cannot be read");
        return walk.report;
    };
    walk.connection(&connection, env);
    walk.machine(&connection);
    let project = env.get("SYSTEM_TEAMPROJECTID").or_else(|| env.get("SYSTEM_TEAMPROJECT"));
    if let (Some(base), Some(project), Some(token)) = (&base, project, reader(env).or(token)) {
        walk.connection_at_devops(base, project, &connection, &token).await;
    }
    let mut known = Gathered::default();
    walk.sign_in(&connection, resources, &mut known, seen).await;
    walk.trust(&connection, &addresses, &mut known).await;
    walk.subscription(&connection, &addresses, &known).await;
    walk.report
}

/// The way out, as the agent is configured.
pub(super) fn settings(env: &Env, clock: &Arc<dyn Clock>, report: &mut Report) -> Option<Http> {
    let made = network::settings(env)
        .map_err(Failure::from)
        .and_then(|(settings, remarks)| Ok((Http::new(settings, Arc::clone(clock))?, remarks.warnings)));
    match made {
        Ok((http, warnings)) if warnings.is_empty() => {
            let proxy = ["AGENT_PROXYURL", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
            let by = proxy.into_iter().find(|name| env.get(name).is_some());
            let fact = by.map_or_else(|| "no proxy".to_owned(), |name| format!("the proxy of {name}"));
            report.good(Topic::Settings, vec![fact]);
            Some(http)
        }
        Ok((http, warnings)) => {
            let hint = "correct the agent's configuration, or go on if this is meant";
            let failure =
                Failure::new(Code::NetworkSettings, "a setting was passed over, or is dangerous", hint);
            report.warning(Topic::Settings, failure, warnings);
            Some(http)
        }
        Err(failure) => {
            report.fault(Topic::Settings, failure, Vec::new());
            None
        }
    }
}

/// The connection as the variables tell.
pub(super) fn read(env: &Env, id: Uuid) -> Result<Readable, Failure> {
    let connection = Connection::read(env, id)?;
    let addresses = Addresses::read(env, &connection)?;
    Ok(Readable { connection, addresses })
}

impl Walk<'_> {
    /// Whether the job token is there, and Azure DevOps takes it.
    async fn job_token(&mut self, base: Option<&Endpoint>) -> Option<Token> {
        let job = match Job::read(self.env, &self.allowed_hosts) {
            Ok(job) => job,
            Err(error) => {
                self.report.fault(Topic::Token, error, Vec::new());
                return None;
            }
        };
        let token = Token::Bearer(job.token);
        match base {
            Some(base) if self.network.reaches(Service::DevOps) => {
                self.organization(base, &token).await.is_some().then_some(token)
            }
            _ => {
                self.report.skipped(Topic::Token, "Azure DevOps is not reached");
                None
            }
        }
    }

    /// The organization's id, which its service tells the owner of a token that it takes.
    pub(super) async fn organization(&mut self, base: &Endpoint, token: &Token) -> Option<Uuid> {
        let organization = Organization { http: &self.http, deadline: self.deadline, base, token };
        match organization.id().await {
            Ok(id) => {
                self.report.good(Topic::Token, vec![format!("the organization {id} takes it")]);
                Some(id)
            }
            Err(error @ (ConnectionsError::Unusable | ConnectionsError::Absent)) => {
                self.report.skipped(Topic::Token, error.to_string());
                None
            }
            Err(error) => {
                self.report.fault(Topic::Token, error, Vec::new());
                None
            }
        }
    }

    pub(super) fn skip_rest(&mut self, reason: &str) {
        for subject in [Topic::IdToken, Topic::Trust, Topic::Exchange, Topic::Subscription, Topic::Roles] {
            self.report.skipped(subject, reason);
        }
    }
}
