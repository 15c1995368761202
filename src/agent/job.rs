//! The job itself: its token, its address at Azure DevOps, its temporary folder.

use std::path::PathBuf;

use url::Url;
use uuid::Uuid;
use wif_core::{
    azure::hosts::{AllowedHosts, Service},
    secret::Secret,
};
use wif_io::{
    endpoint::{Endpoint, EndpointError},
    env::Env,
};

use super::organization::Organization;

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
    #[error("the variable {variable} is not an address that the job token can be sent to")]
    NoEndpoint {
        /// Its name in the environment.
        variable: &'static str,
        /// What is wrong.
        source: EndpointError,
    },
    /// Two of the variables name different organizations.
    #[error("{variable} leads to {place}, but this job belongs to {own} ({SYSTEM_URL})")]
    OtherOrganization {
        /// The variable's name in the environment.
        variable: &'static str,
        /// Where it leads.
        place: String,
        /// Where the job is.
        own: String,
    },
    /// Azure DevOps is at a host that is not known.
    #[error(
        "this job belongs to {place}, which is not a known host of Azure DevOps and not one of the input allowedAuthorities; no job token is sent there"
    )]
    UnknownHost {
        /// The host, with its port where it is not that of https.
        place: String,
    },
}

/// What [`Job::read`] reads of the environment.
pub const VARIABLES: [&str; 12] = [
    REQUEST_URI,
    SYSTEM_URL,
    COLLECTION_URLS[0],
    COLLECTION_URLS[1],
    READ_ONLY_URL,
    "SYSTEM_TEAMPROJECTID",
    "SYSTEM_HOSTTYPE",
    "SYSTEM_PLANID",
    "SYSTEM_JOBID",
    TOKENS[0],
    TOKENS[1],
    TOKENS[2],
];

/// Where the job token is, from an agent of any version on.
const TOKENS: [&str; 3] = [
    "ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN",
    "SECRET_SYSTEM_ACCESSTOKEN",
    "SYSTEM_ACCESSTOKEN",
];
const REQUEST_URI: &str = "SYSTEM_OIDCREQUESTURI";
/// The agent's own connection to Azure DevOps: where its job token belongs.
const SYSTEM_URL: &str = "ENDPOINT_URL_SYSTEMVSSCONNECTION";
/// The collection, as Azure DevOps tells it. A step can set the first of these.
const COLLECTION_URLS: [&str; 2] = ["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"];
/// The system connection's URL once more, in a variable that no step can set.
const READ_ONLY_URL: &str = "SYSTEM_TEAMFOUNDATIONSERVERURI";
/// The version that all of Microsoft's own credentials send.
const API_VERSION: &str = "7.1";

impl Job {
    /// Reads what the agent gives every task of a job.
    ///
    /// # Errors
    ///
    /// Something is missing, or the address of the API is not one to send the job token to.
    pub fn read(env: &Env, allowed: &AllowedHosts) -> Result<Self, JobError> {
        let (_, organization) = organization(env, allowed)?;
        let token = TOKENS.iter().find_map(|name| env.secret(name)).ok_or(JobError::NoToken)?;
        let (oidc, query) = match env.get(REQUEST_URI) {
            Some(text) => from_request_uri(&organization, text)?,
            None => (from_parts(env, &organization)?, Vec::new()),
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

/// Whether the job's token is here: under a name of the agent, or under the one to which a pipeline maps it for a script.
pub(crate) fn has_token(env: &Env) -> bool {
    TOKENS.iter().any(|name| env.get(name).is_some())
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

/// The base URL of the job's organization: that of the system connection, once every variable that names the organization
/// agrees, and its host may get a token.
///
/// # Errors
///
/// The system connection has no URL, or one that a token may not be sent to, or another variable names another organization.
pub(crate) fn organization_url(env: &Env, allowed: &AllowedHosts) -> Result<Endpoint, JobError> {
    organization(env, allowed).map(|(url, _)| url)
}

/// The URL of the system connection, and its organization. An agent older than v5.277.0 lets a step set it. The variables of the collection, and
/// above all the one that no step can set, must name the same organization.
fn organization(env: &Env, allowed: &AllowedHosts) -> Result<(Endpoint, Organization), JobError> {
    let system = base(env, SYSTEM_URL)?.ok_or(JobError::Missing { variable: SYSTEM_URL })?;
    let own = Organization::of(&system);
    for variable in COLLECTION_URLS.into_iter().chain([READ_ONLY_URL]) {
        if let Some(other) = base(env, variable)? {
            own.agrees(variable, &other)?;
        }
    }
    if allowed.admits(Service::DevOps, system.host(), system.port()) {
        Ok((system, own))
    } else {
        Err(JobError::UnknownHost { place: own.to_string() })
    }
}

fn base(env: &Env, variable: &'static str) -> Result<Option<Endpoint>, JobError> {
    let parsed = env.get(variable).map(Endpoint::parse).transpose();
    parsed.map_err(|source| JobError::NoEndpoint { variable, source })
}

impl Organization {
    fn agrees(&self, variable: &'static str, url: &Endpoint) -> Result<(), JobError> {
        let other = Self::of(url);
        if *self == other {
            return Ok(());
        }
        Err(JobError::OtherOrganization { variable, place: other.to_string(), own: self.to_string() })
    }
}

/// Any earlier step can set `System.OidcRequestUri`, so it must lead to the job's own organization.
fn from_request_uri(own: &Organization, text: &str) -> Result<(Endpoint, Vec<(String, String)>), JobError> {
    let no_endpoint = |source| JobError::NoEndpoint { variable: REQUEST_URI, source };
    let (base, query) = text.trim().split_once('?').unwrap_or((text, ""));
    let base = Endpoint::parse(base).map_err(no_endpoint)?;
    own.agrees(REQUEST_URI, &base)?;
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok((base, query))
}

fn from_parts(env: &Env, own: &Organization) -> Result<Endpoint, JobError> {
    let variable = |variable| env.get(variable).ok_or(JobError::Missing { variable });
    let (name, collection) = COLLECTION_URLS
        .into_iter()
        .chain([SYSTEM_URL])
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
    from_request_uri(own, url.as_str()).map(|(endpoint, _)| endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wif_core::azure::hosts::AllowedHost;

    const TOKEN: (&str, &str) = ("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "t");
    const SYSTEM: (&str, &str) = (SYSTEM_URL, "https://dev.azure.com/contoso/");
    const PARTS: [(&str, &str); 5] = [
        ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/contoso/"),
        ("SYSTEM_TEAMPROJECTID", "p"),
        ("SYSTEM_HOSTTYPE", "build"),
        ("SYSTEM_PLANID", "plan"),
        ("SYSTEM_JOBID", "job"),
    ];

    fn read_allowing(allowed: &[&str], variables: &[(&str, &str)]) -> Result<Job, JobError> {
        let allowed = allowed.iter().filter_map(|entry| AllowedHost::parse(entry)).collect();
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Job::read(&env, &AllowedHosts::new(allowed))
    }

    fn read(variables: &[(&str, &str)]) -> Result<Job, JobError> {
        read_allowing(&[], variables)
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(read(&[&[SYSTEM], &PARTS[..]].concat()), Err(JobError::NoToken)));
        let all = [&[SYSTEM, TOKEN], &PARTS[1..]].concat();
        for (left_out, _) in all.iter().filter(|variable| **variable != TOKEN) {
            let rest: Vec<_> = all.iter().copied().filter(|(name, _)| name != left_out).collect();
            let error = read(&rest).unwrap_err();
            assert!(error.to_string().contains(left_out), "{error}");
        }
    }

    #[test]
    fn the_temporary_folder_is_the_one_that_the_agent_names() {
        let env = |value: &str| [("AGENT_TEMPDIRECTORY".to_owned(), value.to_owned())].into_iter().collect();
        assert_eq!(temp_folder(&env("/agent/_temp")).unwrap(), PathBuf::from("/agent/_temp"));
        for missing in [Env::default(), env("")] {
            let error = temp_folder(&missing).unwrap_err().to_string();
            assert!(error.contains("AGENT_TEMPDIRECTORY"), "{error}");
        }
    }

    #[test]
    fn the_job_token_goes_to_no_other_organization() {
        for own in ["https://ado.contoso.example/tfs/", "https://dev.azure.com/contoso"] {
            let own = (SYSTEM_URL, own);
            for other in [
                "https://evil.example/oidctoken",
                "https://dev.azure.com.evil.example/oidctoken",
                "https://dev.azure.com/evil/oidctoken",
                "https://evil.visualstudio.com/oidctoken",
                "https://127.0.0.1:8443/oidctoken",
            ] {
                for variable in
                    [REQUEST_URI, "SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", READ_ONLY_URL]
                {
                    let parts = [&[TOKEN, own, (variable, other)], &PARTS[1..]].concat();
                    // Even a host that may get tokens is another organization's.
                    let error = read_allowing(&["ado.contoso.example", "evil.example", "127.0.0.1"], &parts)
                        .unwrap_err();
                    assert!(
                        matches!(error, JobError::OtherOrganization { .. }),
                        "{variable}={other}: {error}"
                    );
                    assert!(error.to_string().contains(variable), "{error}");
                }
            }
        }
        let own = (SYSTEM_URL, "https://ado.contoso.example/tfs/");
        for error in [
            read(&[TOKEN, own, (REQUEST_URI, "http://ado.contoso.example/oidctoken")]),
            read(&[TOKEN, SYSTEM, (REQUEST_URI, "http://dev.azure.com/contoso/oidctoken")]),
            read(&[TOKEN, SYSTEM, (REQUEST_URI, "https://user@dev.azure.com/contoso/oidctoken")]),
            read(&[TOKEN, SYSTEM, (REQUEST_URI, "oidctoken")]),
        ] {
            let error = error.unwrap_err();
            assert!(matches!(error, JobError::NoEndpoint { .. } | JobError::UnknownHost { .. }), "{error}");
        }
    }

    #[test]
    fn a_host_that_is_not_known_gets_the_job_token_only_where_it_is_named() {
        let own = (SYSTEM_URL, "https://ado.contoso.example/tfs/");
        let parts = [&[TOKEN, own], &PARTS[1..]].concat();
        let error = read(&parts).unwrap_err();
        assert!(matches!(error, JobError::UnknownHost { .. }), "{error}");
        assert!(error.to_string().contains("ado.contoso.example"), "{error}");
        assert!(read_allowing(&["ado.contoso.example:8443"], &parts).is_err());
        assert!(read_allowing(&["ado.contoso.example"], &parts).is_ok());
    }

    #[test]
    fn an_absent_or_empty_url_of_the_system_connection_is_a_failure() {
        let uri = (REQUEST_URI, "https://dev.azure.com/contoso/p/oidctoken");
        for system in [&[][..], &[(SYSTEM_URL, "")]] {
            let error = read(&[&[TOKEN, uri], &PARTS[..], system].concat()).unwrap_err();
            assert!(matches!(error, JobError::Missing { variable: SYSTEM_URL }), "{error}");
        }
    }

    #[test]
    fn a_classic_release_asks_at_the_collection_whatever_its_spelling() {
        for (system, collection) in [
            ("https://contoso.vsrm.visualstudio.com/", "https://contoso.visualstudio.com/"),
            ("https://vsrm.dev.azure.com/contoso/", "https://dev.azure.com/contoso/"),
            ("https://contoso.vsrm.visualstudio.com/", "https://dev.azure.com/Contoso/"),
            ("https://dev.azure.com/contoso/", "https://contoso.visualstudio.com/"),
        ] {
            let variables = [
                &[TOKEN, (SYSTEM_URL, system), (READ_ONLY_URL, system), (COLLECTION_URLS[0], collection)],
                &PARTS[1..],
            ]
            .concat();
            let url = read(&variables).unwrap().id_token_url(Uuid::nil());
            assert!(url.as_str().starts_with(collection), "{url}");
            let uri = format!("{collection}p/_apis/oidctoken");
            let url =
                read(&[&variables[..], &[(REQUEST_URI, &uri)]].concat()).unwrap().id_token_url(Uuid::nil());
            assert!(url.as_str().starts_with(&uri), "{url}");
        }
    }

    #[test]
    fn the_address_is_the_given_one_or_made_of_its_parts() {
        let expected = "https://dev.azure.com/contoso/p/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken\
                        ?api-version=7.1&serviceConnectionId=00000000-0000-0000-0000-000000000000";
        let parts: Vec<_> = PARTS.into_iter().chain([TOKEN, SYSTEM]).collect();
        assert_eq!(read(&parts).unwrap().id_token_url(Uuid::nil()).as_str(), expected);
        let (given, _) = expected.split_once('?').unwrap();
        for uri in [given.to_owned(), format!("{given}/"), format!("{given}?api-version=5")] {
            let job = read(&[TOKEN, SYSTEM, (REQUEST_URI, &uri)]).unwrap();
            assert_eq!(job.id_token_url(Uuid::nil()).as_str(), expected);
        }
        // Azure DevOps may name more; what this program says itself it says once.
        let more = format!("{given}?a=1&API-Version=5&serviceConnectionID=x&b=2");
        let url = read(&[TOKEN, SYSTEM, (REQUEST_URI, &more)]).unwrap().id_token_url(Uuid::nil());
        assert_eq!(url.as_str(), expected.replace('?', "?a=1&b=2&"));
    }
}
