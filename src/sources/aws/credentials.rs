//! The keys of the role that this process has: from its variables, its container, its pod, or its machine.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers".

use std::{path::Path, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use wif_core::secret::Secret;
use wif_io::{
    clock::Deadline,
    endpoint::{Endpoint, PlainEndpoint},
    env::Env,
    http::{Http, Request, Response},
};

use super::answer::{SIGNER, element};
use crate::aws::Credentials;
use crate::sources::{ask, error::SourceError, file, variable::trimmed};

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION: &str = "AWS_SESSION_TOKEN";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const KEY: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const KEY_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const WEB_IDENTITY: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";
const METADATA: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// What is read of the environment.
pub(crate) const VARIABLES: [&str; 10] =
    [ID, SECRET, SESSION, RELATIVE, FULL, KEY, KEY_FILE, WEB_IDENTITY, ROLE, METADATA];

/// The container's own service, and the machine's.
const CONTAINER: &str = "http://169.254.170.2";
const MACHINE: &str = "http://169.254.169.254";
/// The hosts of containers' services that are asked without TLS: of ECS, and of EKS in both versions of IP.
const CONTAINER_HOSTS: [&str; 3] =
    ["http://169.254.170.2/", "http://169.254.170.23/", "http://[fd00:ec2::23]/"];
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const MEND: &str = "give the process a role: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (aws configure export-credentials --format env), a task role, a pod identity, or an instance profile";

/// The variable by which a role is recognized, without asking any address.
pub(in crate::sources) fn recognized(env: &Env) -> Option<&'static str> {
    [ID, FULL, RELATIVE, WEB_IDENTITY].into_iter().find(|name| env.get(name).is_some())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

pub(super) async fn find(
    env: &Env,
    http: &Http,
    deadline: Deadline,
    sts: &Endpoint,
) -> Result<Credentials, SourceError> {
    if let (Some(id), Some(secret)) = (env.secret(ID), env.secret(SECRET)) {
        return Ok(Credentials { id, secret, session_token: env.secret(SESSION) });
    }
    if let (Some(file), Some(role)) = (env.get(WEB_IDENTITY), env.get(ROLE)) {
        return of_web_identity(Path::new(file), role, http, deadline, sts).await;
    }
    if env.get(RELATIVE).is_some() || env.get(FULL).is_some() {
        return of_container(env, http, deadline).await;
    }
    of_machine(env, http, deadline).await
}

async fn of_container(env: &Env, http: &Http, deadline: Deadline) -> Result<Credentials, SourceError> {
    let (name, url) = match (env.get(RELATIVE), env.get(FULL)) {
        (Some(path), _) if path.starts_with('/') => (RELATIVE, format!("{CONTAINER}{path}")),
        (_, Some(url)) => (FULL, url.to_owned()),
        _ => return Err(absent(format!("{RELATIVE} is no path"))),
    };
    let endpoint =
        PlainEndpoint::parse(&url).map_err(|error| absent(format!("{name} is no address: {error}")))?;
    let is_containers = CONTAINER_HOSTS.iter().any(|host| endpoint.as_str().starts_with(host));
    if !endpoint.is_https() && !endpoint.is_on_this_machine() && !is_containers {
        return Err(absent(format!("{name} leads to another machine without TLS")));
    }
    let key = match (env.get(KEY_FILE), env.secret(KEY)) {
        (Some(path), _) => Some(file::read(Path::new(path)).map_err(|error| unreadable(KEY_FILE, &error))?),
        (None, key) => key,
    };
    let plain = &Http::plain(endpoint.clone(), http.shared_clock())?;
    let request = Request::new(Method::GET, endpoint.with_query(&[]));
    let request = key.iter().fold(request, |request, key| request.secret_header("authorization", key));
    keys(&send(plain, deadline, request).await?)
}

async fn of_machine(env: &Env, http: &Http, deadline: Deadline) -> Result<Credentials, SourceError> {
    let base = PlainEndpoint::parse(env.get(METADATA).unwrap_or(MACHINE))
        .map_err(|error| absent(format!("{METADATA} is no address: {error}")))?;
    let plain = &Http::plain(base.clone(), http.shared_clock())?;
    let url = |path: &[&str]| base.join(path.iter().copied()).with_query(&[]);
    let ask = Request::new(Method::PUT, url(&["latest", "api", "token"]))
        .header("x-aws-ec2-metadata-token-ttl-seconds", "300");
    let session = text(&send(plain, deadline, ask).await?)?;
    let get = |path: &[&str]| {
        let request = Request::new(Method::GET, url(path));
        send(plain, deadline, request.secret_header("x-aws-ec2-metadata-token", &session))
    };
    let roles = ["latest", "meta-data", "iam", "security-credentials"];
    let role = text(&get(&[&roles[..], &[""]].concat()).await?)?;
    let role = role.expose().lines().next().unwrap_or_default();
    keys(&get(&[&roles[..], &[role]].concat()).await?)
}

/// A pod's projected token stands for a role.
async fn of_web_identity(
    path: &Path,
    role: &str,
    http: &Http,
    deadline: Deadline,
    sts: &Endpoint,
) -> Result<Credentials, SourceError> {
    let token = file::read(path).map_err(|error| unreadable(WEB_IDENTITY, &error))?;
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", "wif"),
        ("WebIdentityToken", token.expose()),
    ];
    let request = Request::new(Method::POST, sts.join([""])).form(&form);
    let answer = send(http, deadline, request).await?;
    Ok(Credentials {
        id: element(&answer, "AccessKeyId")?,
        secret: element(&answer, "SecretAccessKey")?,
        session_token: Some(element(&answer, "SessionToken")?),
    })
}

async fn send(http: &Http, deadline: Deadline, request: Request) -> Result<Response, SourceError> {
    let request = &request;
    let attempt = |limit| ask::send(http, limit, SIGNER, request);
    http.retrying(deadline, ATTEMPT_TIMEOUT, SourceError::retry_class, attempt).await
}

fn text(answer: &Response) -> Result<Secret, SourceError> {
    let text = answer.text().filter(|text| (200..=299).contains(&answer.status) && !text.expose().is_empty());
    text.map(|text| trimmed(&text)).ok_or_else(|| no_role(answer.status))
}

fn keys(answer: &Response) -> Result<Credentials, SourceError> {
    let keys: Option<Keys> = answer.json().filter(|_| (200..=299).contains(&answer.status));
    let keys = keys.ok_or_else(|| no_role(answer.status))?;
    Ok(Credentials {
        id: Secret::new(keys.access_key_id),
        secret: Secret::new(keys.secret_access_key),
        session_token: keys.token.map(Secret::new),
    })
}

fn no_role(status: u16) -> SourceError {
    SourceError::Refused { signer: SIGNER, status, said: None, mend: MEND.to_owned() }
}

/// The file that a variable names.
fn unreadable(name: &str, error: &std::io::Error) -> SourceError {
    absent(format!("the file of {name} cannot be read: {error}"))
}

fn absent(missing: String) -> SourceError {
    SourceError::Absent { signer: SIGNER, missing, mend: MEND.to_owned() }
}
