//! The job itself: its token, its address at Azure DevOps, its temporary folder.

use std::path::PathBuf;

use url::Url;
use uuid::Uuid;

use crate::{
    endpoint::{Endpoint, EndpointError},
    env::Env,
    secret::Secret,
};

/// What a task needs of its job.
#[derive(Debug)]
pub struct Job {
    /// `System.AccessToken`, from the system connection: no pipeline has to map it.
    pub token: Secret,
    /// The Oidctoken API for this job.
    oidc: Endpoint,
    /// What the given address had after its path.
    query: Vec<(String, String)>,
}

/// The agent did not give what it always gives, or something else than it should.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A variable is not set.
    #[error("the agent did not set {variable}")]
    Missing {
        /// Its name in the environment.
        variable: &'static str,
    },
    /// The system connection has no token.
    #[error("the agent gave this task no job token (System.AccessToken)")]
    NoToken,
    /// A variable holds no base URL.
    #[error("the variable {variable} is no address that a job token can be sent to")]
    NoEndpoint {
        /// Its name in the environment.
        variable: &'static str,
        /// What is wrong.
        source: EndpointError,
    },
    /// The address belongs to somebody else.
    #[error("System.OidcRequestUri leads to {host}, but this job belongs to {own}")]
    Foreign {
        /// Where it leads.
        host: String,
        /// Where the job is.
        own: String,
    },
}

const REQUEST_URI: &str = "SYSTEM_OIDCREQUESTURI";
const SYSTEM_URL: &str = "ENDPOINT_URL_SYSTEMVSSCONNECTION";
/// The version that all of Microsoft's own credentials send.
const API_VERSION: &str = "7.1";

impl Job {
    /// Reads what the agent gives every task of a job.
    ///
    /// # Errors
    ///
    /// Something is missing, or the address of the API is not one to send the job token to.
    pub fn read(env: &Env) -> Result<Self, JobError> {
        let token = env
            .secret("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN")
            .or_else(|| env.secret("SECRET_SYSTEM_ACCESSTOKEN"))
            .or_else(|| env.secret("SYSTEM_ACCESSTOKEN"))
            .ok_or(JobError::NoToken)?;
        let (oidc, query) = match env.get(REQUEST_URI) {
            Some(text) => given(env, text)?,
            None => (from_parts(env)?, Vec::new()),
        };
        Ok(Self { token, oidc, query })
    }

    /// Where an id token for a connection is asked for.
    ///
    /// Source: Azure DevOps REST API, "Oidctoken - Create".
    #[must_use]
    pub fn id_token_url(&self, connection: Uuid) -> Url {
        let connection = connection.to_string();
        let own = [("api-version", API_VERSION), ("serviceConnectionId", &connection)];
        let given = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let given = given.filter(|(name, _)| own.iter().all(|(other, _)| !other.eq_ignore_ascii_case(name)));
        self.oidc.with_query(&given.chain(own).collect::<Vec<_>>())
    }
}

/// The folder that the agent empties at the job's end.
///
/// # Errors
///
/// The agent did not name one.
pub fn temp_folder(env: &Env) -> Result<PathBuf, JobError> {
    let variable = "AGENT_TEMPDIRECTORY";
    env.get(variable).map(PathBuf::from).ok_or(JobError::Missing { variable })
}

/// Any earlier step can set `System.OidcRequestUri`, so it is held against the system connection, which none can
/// change. A loopback address passes while certificates are checked: who presents a trusted one there controls this
/// machine's trust already.
fn given(env: &Env, text: &str) -> Result<(Endpoint, Vec<(String, String)>), JobError> {
    let no_endpoint = |source| JobError::NoEndpoint { variable: REQUEST_URI, source };
    let (base, query) = text.trim().split_once('?').unwrap_or((text, ""));
    let base = Endpoint::parse(base).map_err(no_endpoint)?;
    if let Some(own) = env.get(SYSTEM_URL) {
        let own =
            Endpoint::parse(own).map_err(|source| JobError::NoEndpoint { variable: SYSTEM_URL, source })?;
        let moved = is_service(base.host()) || (is_old_name(base.host()) && is_service(own.host()));
        let loopback = base.is_loopback() && !env.is_true("AGENT_SKIPCERTVALIDATION");
        if !base.same_origin(&own) && !moved && !loopback {
            return Err(JobError::Foreign { host: base.host().to_owned(), own: own.host().to_owned() });
        }
    }
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok((base, query))
}

/// Azure DevOps Services, all of whose hosts are Microsoft's.
fn is_service(host: &str) -> bool {
    host == "dev.azure.com" || host.ends_with(".dev.azure.com")
}

/// The older names of its organisations, one host each.
fn is_old_name(host: &str) -> bool {
    host.ends_with(".visualstudio.com")
}

fn from_parts(env: &Env) -> Result<Endpoint, JobError> {
    let variable = |variable| env.get(variable).ok_or(JobError::Missing { variable });
    let (name, collection) = ["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", SYSTEM_URL]
        .into_iter()
        .find_map(|name| Some((name, env.get(name)?)))
        .ok_or(JobError::Missing { variable: REQUEST_URI })?;
    let no_endpoint = |source| JobError::NoEndpoint { variable: name, source };
    let collection = Endpoint::parse(collection).map_err(no_endpoint)?;
    let url = collection.join([
        variable("SYSTEM_TEAMPROJECTID")?,
        "_apis",
        "distributedtask",
        "hubs",
        variable("SYSTEM_HOSTTYPE")?,
        "plans",
        variable("SYSTEM_PLANID")?,
        "jobs",
        variable("SYSTEM_JOBID")?,
        "oidctoken",
    ]);
    given(env, url.as_str()).map(|(endpoint, _)| endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: (&str, &str) = ("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "t");
    const PARTS: [(&str, &str); 5] = [
        ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/contoso/"),
        ("SYSTEM_TEAMPROJECTID", "p"),
        ("SYSTEM_HOSTTYPE", "build"),
        ("SYSTEM_PLANID", "plan"),
        ("SYSTEM_JOBID", "job"),
    ];

    fn read(variables: &[(&str, &str)]) -> Result<Job, JobError> {
        Job::read(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(read(&PARTS), Err(JobError::NoToken)));
        for (left_out, _) in &PARTS[1..] {
            let rest: Vec<_> =
                PARTS.into_iter().chain([TOKEN]).filter(|(name, _)| name != left_out).collect();
            let error = read(&rest).unwrap_err();
            assert!(error.to_string().contains(left_out), "{error}");
        }
    }

    #[test]
    fn the_job_token_goes_to_nobody_else() {
        let own = (SYSTEM_URL, "https://ado.contoso.example/tfs/");
        let unchecked = ("AGENT_SKIPCERTVALIDATION", "True");
        for foreign in [
            "https://evil.example/oidctoken",
            "https://dev.azure.com.evil.example/oidctoken",
            "https://evil.visualstudio.com/oidctoken",
            "https://127.0.0.1:8443/oidctoken",
        ] {
            let error = read(&[TOKEN, own, unchecked, (REQUEST_URI, foreign)]).unwrap_err();
            assert!(matches!(error, JobError::Foreign { .. }), "{error}");
        }
        let collection = ("SYSTEM_COLLECTIONURI", "https://evil.example/");
        let parts: Vec<_> = [TOKEN, own, collection].into_iter().chain(PARTS[1..].iter().copied()).collect();
        assert!(matches!(read(&parts), Err(JobError::Foreign { .. })));
        for error in [
            read(&[TOKEN, own, (REQUEST_URI, "http://ado.contoso.example/oidctoken")]),
            read(&[TOKEN, own, (REQUEST_URI, "https://user@ado.contoso.example/oidctoken")]),
            read(&[TOKEN, (REQUEST_URI, "oidctoken")]),
        ] {
            assert!(matches!(error, Err(JobError::NoEndpoint { .. })));
        }
    }

    #[test]
    fn the_address_is_the_given_one_or_made_of_its_parts() {
        let expected = "https://dev.azure.com/contoso/p/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken\
                        ?api-version=7.1&serviceConnectionId=00000000-0000-0000-0000-000000000000";
        let parts: Vec<_> = PARTS.into_iter().chain([TOKEN]).collect();
        assert_eq!(read(&parts).unwrap().id_token_url(Uuid::nil()).as_str(), expected);
        let (given, _) = expected.split_once('?').unwrap();
        for uri in [given.to_owned(), format!("{given}/"), format!("{given}?api-version=5")] {
            let job = read(&[TOKEN, (REQUEST_URI, &uri)]).unwrap();
            assert_eq!(job.id_token_url(Uuid::nil()).as_str(), expected);
        }
    }
}
