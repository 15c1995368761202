//! The diagnosis from a terminal, for users with a token for Azure DevOps.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;
use wif_azure::devops::service_connections::{Organization, ServiceConnection, Token};
use wif_core::{
    azure::{
        hosts::{self, AllowedHost, AllowedHosts},
        resource::DEVOPS_APPLICATION,
    },
    code::Code,
    failure::Failure,
    foreign_text::one_line,
    trust::{
        compare::{Claims, Trusted},
        subject::Subject as IdSubject,
    },
};
use wif_io::{
    clock::{Clock, Deadline},
    endpoint::Endpoint,
    env::Env,
};

use super::{
    diagnosis::{
        ARM_TOKEN, DEVOPS_TOKEN, Diagnosis, Evidence, GRAPH_TOKEN, Network, ReadConnection, Renewal, Service,
        TokenSources, read, settings,
    },
    report::{NO_FACTS, Report, Topic},
};
use crate::{
    agent::{connection::Connection, inputs::env_name},
    sign_in::SIGN_IN_TIMEOUT,
    user_tokens::{self, AskedService, FoundToken, StartsAz},
};

/// The longest argument that an error shows, in characters.
const MAX_SHOWN: usize = 100;

/// Which connection.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The organization: its name, or its URL.
    pub(crate) organization: String,
    /// Whether the user has named it, and so its host; else it comes from a variable of the job, which any step can set.
    pub(crate) is_organization_named: bool,
    /// The project: its name or id.
    pub(crate) project: String,
    /// The connection: its name or id.
    pub(crate) connection: String,
    /// Hosts that may get tokens beside those of the known clouds.
    pub(crate) allowed_hosts: Vec<AllowedHost>,
    /// The moment by which it is judged how long the connection was not used. None: that of the clock.
    pub(crate) now: Option<OffsetDateTime>,
}

/// Checks what can be checked without a job.
///
/// # Errors
///
/// There is no token for Azure DevOps, or the organization cannot be asked.
pub(crate) async fn from_terminal(
    target: &Target,
    env: &Env,
    clock: Arc<dyn Clock>,
    session: Option<&str>,
    say: &mut dyn FnMut(&str),
) -> Result<Report, Failure> {
    let base = organization(&target.organization)?;
    // The user has named this host by naming the organization.
    let own = AllowedHost::parse(base.host()).filter(|_| target.is_organization_named);
    let allowed_hosts = AllowedHosts::new(target.allowed_hosts.iter().cloned().chain(own).collect());
    if !allowed_hosts.admits(hosts::Service::DevOps, base.host(), base.port()) {
        return Err(unknown_host(&base));
    }
    let asked = (AskedService::DevOps, DEVOPS_APPLICATION);
    let mut said = Vec::new();
    let found = user_tokens::find(env, &*clock, &StartsAz(&*clock), asked, session, &mut |line| {
        said.push(line.to_owned());
    })
    .await;
    let Some(FoundToken { token, is_job_token, .. }) = found else {
        return Err(no_token().with_details(said));
    };
    for line in &said {
        say(line);
    }
    let with_tokens;
    let mut report = Report::default();
    let Some(http) = settings(env, &clock, &mut report) else { return Ok(report) };
    let deadline = Deadline::after(&*clock, SIGN_IN_TIMEOUT);
    let network = Network::default();
    let mut diagnosis = Diagnosis { http: Arc::new(http), env, deadline, allowed_hosts, report, network };
    diagnosis.reach_devops(&base).await;
    let renewal = (!is_job_token).then_some(RENEWAL);
    let found = diagnosis.find(&base, target, &token, renewal).await;
    let Some((id, service_connection)) = found else {
        diagnosis.report_network();
        diagnosis.skip_rest("the connection cannot be read");
        return Ok(diagnosis.report);
    };
    let as_passed = variables(&service_connection, env);
    match read(&as_passed, service_connection.id) {
        Ok(ReadConnection { connection, addresses }) => {
            let sources;
            (with_tokens, sources) = add_tokens(env, &*clock, &connection, session, say).await;
            diagnosis.env = &with_tokens;
            diagnosis.reach_azure(&connection, &addresses).await;
            diagnosis.report_network();
            diagnosis.connection(&connection, &as_passed);
            diagnosis.report_state(&service_connection);
            let http = Arc::clone(&diagnosis.http);
            let organization = Organization { http: &http, deadline, base: &base, token: &token };
            let now = target.now.unwrap_or_else(|| clock.now());
            diagnosis.last_used(&organization, &target.project, &service_connection, now).await;
            let reason = "only a job gets one: set diagnose: true in a step AzureWorkloadIdentity@1";
            diagnosis.report.skipped(Topic::IdToken, reason);
            diagnosis.report.skipped(Topic::Exchange, reason);
            let registered = connection.identity.credential.registered();
            if let Some(registered) = &registered {
                diagnosis.check_subject(registered, id, service_connection.id);
            }
            let claims = registered.as_ref().and_then(Claims::of_connection);
            let mut known = Evidence { claims, sources, ..Evidence::default() };
            diagnosis.trust(&connection, &addresses, &mut known).await;
            diagnosis.subscription(&connection, &addresses, &known).await;
        }
        Err(failure) => {
            diagnosis.report_network();
            diagnosis.report.fault(Topic::Connection, failure, NO_FACTS);
            diagnosis.skip_rest("the connection cannot be used");
        }
    }
    Ok(diagnosis.report)
}

impl Diagnosis<'_> {
    /// The organization's id, and the connection as it is shown.
    async fn find(
        &mut self,
        base: &Endpoint,
        target: &Target,
        token: &Token,
        renewal: Option<Renewal>,
    ) -> Option<(Uuid, ServiceConnection)> {
        if !self.network.reaches(Service::DevOps) {
            self.report.skipped(Topic::Token, "Azure DevOps is not reached");
            return None;
        }
        let id = self.organization(base, token, renewal).await?;
        let organization = Organization { http: &self.http, deadline: self.deadline, base, token };
        let found = match Uuid::try_parse(&target.connection) {
            Ok(connection) => organization.by_id(&target.project, connection).await,
            Err(_) => organization.by_name(&target.project, &target.connection).await,
        };
        match found {
            Ok(shown) if shown.authorization.is_some() => Some((id, shown)),
            Ok(shown) => {
                self.report_state(&shown);
                None
            }
            Err(error) => {
                self.report.fault(Topic::Connection, error, NO_FACTS);
                None
            }
        }
    }

    /// Whether the subject of an Entra issuer names this very connection.
    fn check_subject(&mut self, registered: &Trusted, organization: Uuid, connection: Uuid) {
        let subject = registered.subject.as_ref().map(|subject| IdSubject::parse(subject.raw()));
        if let Some(IdSubject::Ids { organization: named, connection: id, .. }) = subject
            && (named, id) != (organization, connection)
        {
            let error =
                format!("the connection's subject names the organization {named} and the connection {id}");
            let hint = "edit the connection and save it, then copy its issuer and subject into the federated credential";
            self.report.warning(
                Topic::Connection,
                Failure::new(Code::ConnectionStale, error, hint),
                NO_FACTS,
            );
        }
    }
}

/// The environment with tokens for Graph and the resource manager, where they are to be had: their readers look there.
async fn add_tokens(
    env: &Env,
    clock: &dyn Clock,
    connection: &Connection,
    session: Option<&str>,
    say: &mut dyn FnMut(&str),
) -> (Env, TokenSources) {
    let audiences = &connection.identity.audiences;
    let (graph, resource_manager) = (audiences.graph().to_string(), audiences.resource_manager().to_string());
    let mut variables: Vec<_> = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut sources = TokenSources::default();
    for (service, variable, resource, place) in [
        (AskedService::Graph, GRAPH_TOKEN, &*graph, &mut sources.graph),
        (AskedService::ResourceManager, ARM_TOKEN, &*resource_manager, &mut sources.arm),
    ] {
        let found = user_tokens::find(env, clock, &StartsAz(clock), (service, resource), session, say).await;
        if let Some(FoundToken { token: Token::Bearer(token), source, .. }) = found {
            variables.push((variable.to_owned(), token.expose().to_owned()));
            *place = Some(source);
        }
    }
    (variables.into_iter().collect(), sources)
}

fn organization(text: &str) -> Result<Endpoint, Failure> {
    let url =
        if text.contains("://") { text.to_owned() } else { format!("https://{}/{text}", hosts::DEVOPS) };
    Endpoint::parse(&url).map_err(|error| {
        let hint = format!("give its name, as in {}/<name>, or its https URL", hosts::DEVOPS);
        let shown =
            if text.contains(['@', '?']) { "not shown".to_owned() } else { one_line(text, MAX_SHOWN) };
        let error = format!("--organization '{shown}' is not the name or URL of an organization: {error}");
        Failure::new(Code::ArgumentInvalid, error, hint)
    })
}

fn unknown_host(base: &Endpoint) -> Failure {
    let error = format!(
        "the variables of this job name an organization at {}, which is not a known host of Azure DevOps; no token is sent there",
        base.host()
    );
    Failure::new(Code::ArgumentInvalid, error, "name the organization by --organization, if it is there")
}

/// The command that asks the Azure CLI for a token for Azure DevOps.
const ASK_AZ: &str = "export WIF_DEVOPS_TOKEN=$(az account get-access-token --resource 499b84ac-1321-427f-aa17-267ca6975798 --query accessToken --output tsv)";
/// How to get another token than one that is not the job's.
const RENEWAL: Renewal = Renewal {
    hint: "sign in again with az login, or set AZURE_DEVOPS_EXT_PAT to a personal access token of this organization that has not ended",
    command: ASK_AZ,
};

fn no_token() -> Failure {
    let error = "there is no token for Azure DevOps";
    let hint = format!(
        "set AZURE_DEVOPS_EXT_PAT to a personal access token with the scope Service Connections (read), or {DEVOPS_TOKEN} to an access token of Entra"
    );
    Failure::new(Code::TokenMissing, error, hint).with_command(Some(ASK_AZ))
}

/// The connection as an agent would pass it, beside the tokens that were given.
fn variables(shown: &ServiceConnection, env: &Env) -> Env {
    let id = shown.id;
    let mut variables = Vec::new();
    variables.extend(shown.url.clone().map(|url| (format!("ENDPOINT_URL_{id}"), url)));
    if let Some(authorization) = &shown.authorization {
        variables.push((format!("ENDPOINT_AUTH_{id}"), "{}".to_owned()));
        variables.extend(
            authorization.scheme.clone().map(|scheme| (format!("ENDPOINT_AUTH_SCHEME_{id}"), scheme)),
        );
        let parameters = authorization.parameters.iter();
        variables.extend(parameters.filter_map(|(key, value)| {
            Some((format!("ENDPOINT_AUTH_PARAMETER_{id}_{}", env_name(key)), value.clone()?))
        }));
        // What is stored is never shown, and never needed here.
        for stored in ["serviceprincipalkey", "servicePrincipalCertificate"] {
            variables
                .push((format!("ENDPOINT_AUTH_PARAMETER_{id}_{}", env_name(stored)), "not shown".to_owned()));
        }
    }
    let data = shown.data.iter().flatten();
    variables.extend(
        data.filter_map(|(key, value)| {
            Some((format!("ENDPOINT_DATA_{id}_{}", env_name(key)), value.clone()?))
        }),
    );
    let own = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    own.chain(variables).collect()
}
