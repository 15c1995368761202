//! The diagnosis in a job of a pipeline.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join;
use wif_azure::devops::service_connections::Token;
use wif_core::{azure::resource::Resource, exports::Family};
use wif_io::{
    clock::{Clock, Deadline},
    endpoint::Endpoint,
    env::Env,
};

use super::{
    connection::token_of_user,
    diagnosis::{Diagnosis, Evidence, Network, ReadConnection, Service, read, settings},
    report::{NO_FACTS, Report, Topic},
    targets::{Presented, TargetChecks, with_resources_of},
    tools,
    variables::JobFindings,
};
use crate::{
    agent::{
        inputs::Inputs,
        job::{self, Job},
    },
    sign_in::{OnIdToken, SIGN_IN_TIMEOUT},
    targets::TargetSet,
};

/// What a diagnosis looks at beside the connection.
pub(crate) struct JobCheck<'a> {
    /// An access token is asked for each, beside that for Azure Resource Manager.
    pub(crate) resources: &'a [Resource],
    /// What the task has found in the job.
    pub(crate) findings: JobFindings,
    /// What a session would export.
    pub(crate) families: BTreeSet<Family>,
    /// The other clouds that are asked for; none, where the inputs do not hold.
    pub(crate) targets: TargetSet,
}

/// Checks a connection of a job, and the job around it. `on_id_token` gets every id token before it is used.
pub(crate) async fn in_job(
    env: &Env,
    clock: Arc<dyn Clock>,
    inputs: &Inputs,
    job: JobCheck<'_>,
    on_id_token: &mut OnIdToken<'_>,
) -> Report {
    let connection =
        of_connection(env, Arc::clone(&clock), inputs, (job.resources, &job.targets), on_id_token);
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
    (resources, targets): (&[Resource], &TargetSet),
    on_id_token: &mut OnIdToken<'_>,
) -> Report {
    let id = inputs.connection;
    let mut report = Report::default();
    let Some(http) = settings(env, &clock, &mut report) else { return report };
    let deadline = Deadline::after(&*clock, SIGN_IN_TIMEOUT);
    let allowed_hosts = inputs.allowed_authorities.clone();
    let network = Network::default();
    let mut diagnosis = Diagnosis { http: Arc::new(http), env, deadline, allowed_hosts, report, network };
    // No token goes anywhere that the job's variables do not agree on.
    let base = job::organization_url(env, &diagnosis.allowed_hosts).ok();
    if let Some(base) = &base {
        diagnosis.reach_devops(base).await;
    }
    let target = match read(env, id) {
        Ok(target) => {
            diagnosis.reach_azure(&target.connection, &target.addresses).await;
            Some(target)
        }
        Err(failure) => {
            diagnosis.report.fault(Topic::Connection, failure, NO_FACTS);
            None
        }
    };
    diagnosis.report_network();
    let token = diagnosis.job_token(base.as_ref()).await;
    let Some(ReadConnection { connection, addresses }) = target else {
        diagnosis.skip_rest("the connection cannot be read");
        return diagnosis.report;
    };
    diagnosis.connection(&connection, env);
    diagnosis.machine(&connection);
    let project = env.get("SYSTEM_TEAMPROJECTID").or_else(|| env.get("SYSTEM_TEAMPROJECT"));
    if let (Some(base), Some(project), Some(token)) = (&base, project, token_of_user(env).or(token)) {
        diagnosis.connection_at_devops(base, project, &connection, &token).await;
    }
    let mut known = Evidence::default();
    let audiences = &connection.identity.audiences;
    let resources = with_resources_of(targets, audiences, resources);
    diagnosis.sign_in(&connection, &resources, &mut known, on_id_token).await;
    diagnosis.trust(&connection, &addresses, &mut known).await;
    diagnosis.subscription(&connection, &addresses, &known).await;
    let presented =
        Presented { id_token: known.id_token.as_ref(), source: None, access_tokens: &known.access_tokens };
    let (tenant, http) = (connection.identity.tenant, &diagnosis.http);
    let checks = TargetChecks { http, deadline, set: targets, tenant, audiences, presented };
    checks.run(&mut diagnosis.report, on_id_token).await;
    diagnosis.report
}

impl Diagnosis<'_> {
    /// Whether the job token is there, and Azure DevOps takes it.
    async fn job_token(&mut self, base: Option<&Endpoint>) -> Option<Token> {
        let job = match Job::read(self.env, &self.allowed_hosts) {
            Ok(job) => job,
            Err(error) => {
                self.report.fault(Topic::Token, error, NO_FACTS);
                return None;
            }
        };
        let token = Token::Bearer(job.token);
        match base {
            Some(base) if self.network.reaches(Service::DevOps) => {
                self.organization(base, &token, None).await.is_some().then_some(token)
            }
            _ => {
                self.report.skipped(Topic::Token, "Azure DevOps is not reached");
                None
            }
        }
    }
}
