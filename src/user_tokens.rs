//! Tokens to read with, for a person or a script: the environment, the sign-in session of the job, the Azure CLI, and at last the
//! job's own token.

use std::{path::Path, pin::Pin, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use wif_azure::rest::Token;
use wif_broker::{client::Address, paths};
use wif_core::{
    foreign_text::{one_line, service_message},
    secret::Secret,
};
use wif_io::{
    clock::Clock,
    env::Env,
    program::{self, Answer, Call},
};
use zeroize::Zeroize as _;

use crate::agent::sessions;

/// A service that wants a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedService {
    /// Azure DevOps.
    DevOps,
    /// Microsoft Graph.
    Graph,
    /// Azure Resource Manager.
    ResourceManager,
}

/// A token, and where it comes from.
#[derive(Debug)]
pub struct FoundToken {
    /// The token.
    pub token: Token,
    /// Whether it is the job's own, which as a rule sees one project.
    pub is_job_token: bool,
    /// Where it comes from: a variable, a session, the Azure CLI.
    pub source: String,
}

/// Asks the Azure CLI for a token of its signed-in user, service principal or managed identity.
pub trait AzureCli {
    /// A token for a scope. `program` is the Azure CLI, found on the `PATH` of `env`.
    fn token<'a>(&'a self, env: &'a Env, program: &'a Path, scope: &'a str) -> Asked<'a>;
}

/// A token on its way, or why there is none.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Secret, String>> + 'a>>;

/// How `wif` asks the Azure CLI: as Microsoft's libraries do, and without one of them.
pub struct StartsAz<'a>(pub &'a dyn Clock);

/// What the Azure CLI prints.
#[derive(Deserialize)]
struct Printed {
    #[serde(rename = "accessToken")]
    access_token: String,
}

/// How long the Azure CLI may take: a first call reads its whole library.
pub const CLI_TIMEOUT: Duration = Duration::from_secs(60);
/// The job's own token.
const JOB_TOKEN: &str = "SYSTEM_ACCESSTOKEN";
/// The variable of a session's address, after its name.
pub const URL: &str = sessions::BROKER_VARIABLES[0];
/// The longest name of a session, in characters.
const MAX_SESSION: usize = 60;
/// The longest reason that is told, in characters.
const MAX_REASON: usize = 300;
/// The programs of the Azure CLI.
const CLI: &[&str] = if cfg!(windows) { &["az.cmd", "az.exe"] } else { &["az"] };

impl AskedService {
    /// As a person reads it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DevOps => "Azure DevOps",
            Self::Graph => "Microsoft Graph",
            Self::ResourceManager => "Azure Resource Manager",
        }
    }

    /// The variables, and whether the one is a personal access token.
    const fn variables(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::DevOps => &[("AZURE_DEVOPS_EXT_PAT", true), ("WIF_DEVOPS_TOKEN", false)],
            Self::Graph => &[("WIF_GRAPH_TOKEN", false)],
            Self::ResourceManager => &[("WIF_ARM_TOKEN", false)],
        }
    }
}

/// Looks for a token for a service, whose name as a resource is given, and says in one line which was taken, and what was tried
/// before.
///
/// `session` is the name of a session; without it, the job's session without a name is asked.
pub async fn find(
    env: &Env,
    clock: &dyn Clock,
    az: &dyn AzureCli,
    (service, resource): (AskedService, &str),
    session: Option<&str>,
    say: &mut dyn FnMut(&str),
) -> Option<FoundToken> {
    let mut tried = Vec::new();
    let found = first(env, clock, az, (service, resource), session, &mut tried).await;
    let (name, tried) = (service.name(), tried.join("; "));
    match &found {
        Some(FoundToken { source, .. }) => {
            say(&format!("{name}: token of {source}"));
            if !tried.is_empty() {
                say(&format!("{name}: tried before: {tried}"));
            }
        }
        None if tried.is_empty() => say(&format!("{name}: no token")),
        None => say(&format!("{name}: no token ({tried})")),
    }
    found
}

/// The first token that is there; else what was tried.
async fn first(
    env: &Env,
    clock: &dyn Clock,
    az: &dyn AzureCli,
    (service, resource): (AskedService, &str),
    session: Option<&str>,
    tried: &mut Vec<String>,
) -> Option<FoundToken> {
    let found = |token, source: &str| FoundToken { token, is_job_token: false, source: source.to_owned() };
    for (name, is_personal) in service.variables() {
        if let Some(token) = env.secret(name) {
            let kind = if *is_personal { Token::Personal } else { Token::Bearer };
            return Some(found(kind(token), name));
        }
    }
    let name = session.map_or_else(
        || "the session of this job".to_owned(),
        |name| format!("the session {}", one_line(name, MAX_SESSION)),
    );
    match of_session(env, clock, resource, session).await {
        Some(Ok(token)) => return Some(found(Token::Bearer(token), &name)),
        Some(Err(reason)) => tried.push(one_line(&format!("{name}{reason}"), MAX_REASON)),
        None => {}
    }
    // A caller that names a session means its identity, and no other.
    if session.is_some() {
        return None;
    }
    if let Some(program) = program::find(env, CLI) {
        match az.token(env, &program, &format!("{resource}/.default")).await {
            Ok(token) => return Some(found(Token::Bearer(token), "the Azure CLI")),
            Err(reason) => tried.push(format!("the Azure CLI has none: {reason}")),
        }
    }
    let token = env.secret(JOB_TOKEN).filter(|_| service == AskedService::DevOps)?;
    let source = format!("{JOB_TOKEN}, which as a rule sees one project");
    Some(FoundToken { token: Token::Bearer(token), is_job_token: true, source })
}

/// The variables of a session: its address and its key.
#[must_use]
pub fn variables_of(session: Option<&str>) -> [String; 2] {
    sessions::broker_variables(&sessions::prefix(session))
}

/// Asks the broker of a session. None, where no session is meant and none is there.
async fn of_session(
    env: &Env,
    clock: &dyn Clock,
    resource: &str,
    session: Option<&str>,
) -> Option<Result<Secret, String>> {
    let [url, key] = variables_of(session);
    let (Some(address), Some(secret)) = (env.get(&url), env.secret(&key)) else {
        return session.map(|_| Err(format!(" is not there: {url} and {key} are not set")));
    };
    let query = [("resource", resource), ("api-version", "2019-08-01")];
    let asked = match Address::new(address, secret) {
        Ok(address) => address.ask(clock, Method::GET, paths::IDENTITY, &query).await,
        Err(error) => Err(error),
    };
    Some(match asked {
        Ok(answer) => match answer.get("access_token").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => Ok(Secret::new(token.to_owned())),
            _ => Err(" sent none".to_owned()),
        },
        Err(error) => Err(format!(": {error}")),
    })
}

impl AzureCli for StartsAz<'_> {
    fn token<'a>(&'a self, env: &'a Env, program: &'a Path, scope: &'a str) -> Asked<'a> {
        Box::pin(async move {
            let arguments =
                ["account", "get-access-token", "-o", "json", "--scope", scope].map(str::to_owned);
            let call = Call { program, arguments: &arguments, folder: None, limit: CLI_TIMEOUT };
            let variables = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let answer = call.run(variables, self.0).await;
            let mut answer = answer.map_err(|error| format!("it cannot be started: {error}"))?;
            let printed = serde_json::from_str::<Printed>(&answer.output);
            answer.output.zeroize();
            match why_none(&answer) {
                Some(reason) => Err(reason),
                None => as_token(printed.map(|printed| printed.access_token).unwrap_or_default()),
            }
        })
    }
}

/// Why the Azure CLI gave no token, as it ended. None, if it ended well.
#[must_use]
pub fn why_none(answer: &Answer) -> Option<String> {
    match answer.status {
        None => Some(format!("it took longer than {} s", CLI_TIMEOUT.as_secs())),
        Some(status) if !status.success() => {
            let line = answer.errors.lines().rev().find_map(service_message);
            Some(line.unwrap_or_else(|| status.to_string()))
        }
        Some(_) => None,
    }
}

/// What the Azure CLI printed, if it can be a token.
///
/// # Errors
///
/// It is none: a token is one word.
pub fn as_token(printed: String) -> Result<Secret, String> {
    let token = Secret::new(printed);
    if token.expose().is_empty() || token.expose().contains(char::is_whitespace) {
        return Err("it ended well, and printed something else than a token".to_owned());
    }
    Ok(token)
}
