//! Where tokens come from: the environment, the sign-in session of the job, the Azure CLI, and at last the job's own token.

use std::{path::Path, time::Duration};

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;
use wif_azure::rest::Token;
use wif_broker::{client::Address, paths};
use wif_core::{
    azure::{cloud::Cloud, resource::Audiences},
    code::Code,
    failure::Failure,
    foreign_text::{one_line, service_message},
    secret::Secret,
    token::claims,
};
use wif_io::{
    clock::Clock,
    env::Env,
    program::{self, Call},
};
use zeroize::Zeroize as _;

use crate::nearest::nearest;

/// One token for each service, as far as there is one.
#[derive(Default)]
pub struct Tokens {
    /// For Azure DevOps.
    pub devops: Option<Token>,
    /// For Microsoft Graph.
    pub graph: Option<Token>,
    /// For Azure Resource Manager.
    pub arm: Option<Token>,
    graph_tenant: Option<Uuid>,
    is_job_token: bool,
}

/// Which services are to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Microsoft Graph and Azure Resource Manager, too: not for lists.
    pub identities: bool,
}

/// A service that wants a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    DevOps,
    Graph,
    Arm,
}

/// How long the Azure CLI may take: a first call reads its whole library.
const CLI_TIMEOUT: Duration = Duration::from_secs(60);
/// Azure DevOps as a resource of Entra.
const DEVOPS_RESOURCE: &str = "499b84ac-1321-427f-aa17-267ca6975798";
/// The job's own token.
const JOB_TOKEN: &str = "SYSTEM_ACCESSTOKEN";
/// The variables of a session, after its name.
const URL: &str = "WIF_URL";
const KEY: &str = "WIF_KEY";
/// The longest name of a session, in characters.
const MAX_SESSION: usize = 60;
/// The longest list of names that an error shows, in characters.
const MAX_HINT: usize = 200;
/// The programs of the Azure CLI.
const CLI: &[&str] = if cfg!(windows) { &["az.cmd", "az.exe"] } else { &["az"] };

impl Wanted {
    const fn name(self) -> &'static str {
        match self {
            Self::DevOps => "Azure DevOps",
            Self::Graph => "Microsoft Graph",
            Self::Arm => "Azure Resource Manager",
        }
    }

    /// The variables, and whether the one is a personal access token.
    const fn variables(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::DevOps => &[("AZURE_DEVOPS_EXT_PAT", true), ("WIF_DEVOPS_TOKEN", false)],
            Self::Graph => &[("WIF_GRAPH_TOKEN", false)],
            Self::Arm => &[("WIF_ARM_TOKEN", false)],
        }
    }

    fn resource(self, cloud: Cloud) -> String {
        match self {
            Self::DevOps => DEVOPS_RESOURCE.to_owned(),
            Self::Graph => {
                let resource_manager = cloud.resource_manager().to_owned();
                Audiences { cloud, resource_manager, key_vault: None, graph: None }.graph_url()
            }
            Self::Arm => cloud.resource_manager().to_owned(),
        }
    }
}

impl Tokens {
    /// Looks for a token for each service, in the order of the promise, and says for each in one line which was taken.
    ///
    /// `session` is the name of a session (`--session`); without it, the job's session without a name is asked.
    pub async fn find(
        env: &Env,
        clock: &dyn Clock,
        cloud: Cloud,
        session: Option<&str>,
        needs: Needs,
        say: &mut dyn FnMut(&str),
    ) -> Self {
        let mut tokens = Self::default();
        for wanted in [Wanted::DevOps, Wanted::Graph, Wanted::Arm] {
            if wanted != Wanted::DevOps && !needs.identities {
                continue;
            }
            let mut tried = Vec::new();
            let found = find(env, clock, (wanted, &wanted.resource(cloud)), session, &mut tried).await;
            let name = wanted.name();
            let tried = tried.join("; ");
            match &found {
                Some((_, source)) => {
                    say(&format!("{name}: token of {source}"));
                    if !tried.is_empty() {
                        say(&format!("{name}: tried before: {tried}"));
                    }
                }
                None if tried.is_empty() => say(&format!("{name}: no token")),
                None => say(&format!("{name}: no token ({tried})")),
            }
            let is_job_token = found.as_ref().is_some_and(|(_, source)| source.starts_with(JOB_TOKEN));
            let token = found.map(|(token, _)| token);
            match wanted {
                Wanted::DevOps => {
                    tokens.devops = token;
                    tokens.is_job_token = is_job_token;
                }
                Wanted::Graph => {
                    tokens.graph_tenant = token.as_ref().and_then(tenant);
                    tokens.graph = token;
                }
                Wanted::Arm => tokens.arm = token,
            }
        }
        tokens
    }

    /// Tokens that a caller has got already.
    #[must_use]
    pub fn given(devops: Secret, graph: Option<Secret>, arm: Option<Secret>) -> Self {
        let graph = graph.map(Token::Bearer);
        Self {
            devops: Some(Token::Bearer(devops)),
            graph_tenant: graph.as_ref().and_then(tenant),
            graph,
            arm: arm.map(Token::Bearer),
            is_job_token: false,
        }
    }

    /// The tenant that Graph's token says it is for, which is looked at to find out what it cannot see.
    #[must_use]
    pub fn graph_tenant(&self) -> Option<Uuid> {
        self.graph_tenant
    }

    /// Whether Azure DevOps is asked with the job's own token, which as a rule sees one project.
    #[must_use]
    pub fn is_job_token(&self) -> bool {
        self.is_job_token
    }
}

fn tenant(token: &Token) -> Option<Uuid> {
    match token {
        Token::Bearer(token) => claims::object_and_tenant(token).1,
        Token::Personal(_) => None,
    }
}

/// The first token that is there, and what it comes from; else what was tried.
async fn find(
    env: &Env,
    clock: &dyn Clock,
    (wanted, resource): (Wanted, &str),
    session: Option<&str>,
    tried: &mut Vec<String>,
) -> Option<(Token, String)> {
    for (name, is_personal) in wanted.variables() {
        if let Some(token) = env.secret(name) {
            let kind = if *is_personal { Token::Personal } else { Token::Bearer };
            return Some((kind(token), (*name).to_owned()));
        }
    }
    if let Some(found) = of_session(env, clock, resource, session, tried).await {
        return Some(found);
    }
    // A caller that names a session means its identity, and no other.
    if session.is_some() {
        return None;
    }
    if let Some(program) = program::find(env, CLI) {
        match of_cli(env, clock, resource, &program).await {
            Ok(token) => return Some((Token::Bearer(token), "the Azure CLI".to_owned())),
            Err(reason) => tried.push(format!("the Azure CLI has none: {reason}")),
        }
    }
    if wanted == Wanted::DevOps
        && let Some(token) = env.secret(JOB_TOKEN)
    {
        let source = format!("{JOB_TOKEN}, which as a rule sees one project");
        return Some((Token::Bearer(token), source));
    }
    None
}

/// The variables of a session: its address and its key.
fn variables_of(session: Option<&str>) -> (String, String) {
    let prefix = session.map(|name| format!("{}_", one_line(name, MAX_SESSION).to_uppercase()));
    let prefix = prefix.unwrap_or_default();
    (format!("{prefix}{URL}"), format!("{prefix}{KEY}"))
}

/// Checks that a session that the user names is there.
///
/// # Errors
///
/// Its variables are not set; the error offers the nearest names.
pub fn check_session(env: &Env, session: &str) -> Result<(), Failure> {
    let (url, key) = variables_of(Some(session));
    if env.get(&url).is_some() && env.secret(&key).is_some() {
        return Ok(());
    }
    let names = env.iter().filter_map(|(name, _)| name.strip_suffix(URL)?.strip_suffix('_'));
    let names: Vec<_> = names.map(str::to_lowercase).collect();
    let near = nearest(session, names.iter().map(String::as_str));
    let shown = one_line(session, MAX_SESSION);
    let error = format!("--session '{shown}' is not there: {url} and {key} are not set");
    let hint = match near.as_slice() {
        [] => "sign in under that name before, or leave --session out".to_owned(),
        near => format!("did you mean {}?", one_line(&near.join(", "), MAX_HINT)),
    };
    Err(Failure::new(Code::ArgumentInvalid, error, hint))
}

/// Asks the broker of a session.
async fn of_session(
    env: &Env,
    clock: &dyn Clock,
    resource: &str,
    session: Option<&str>,
    tried: &mut Vec<String>,
) -> Option<(Token, String)> {
    let what = session.map_or_else(
        || "the session of this job".to_owned(),
        |name| format!("the session {}", one_line(name, MAX_SESSION)),
    );
    let (url, key) = variables_of(session);
    let (Some(address), Some(secret)) = (env.get(&url), env.secret(&key)) else {
        if session.is_some() {
            tried.push(format!("{what} is not there: {url} and {key} are not set"));
        }
        return None;
    };
    let asked = match Address::new(address, secret) {
        Ok(address) => {
            let query = [("resource", resource), ("api-version", "2019-08-01")];
            address.ask(clock, Method::GET, paths::IDENTITY, &query).await
        }
        Err(error) => Err(error),
    };
    let token = asked.map(|answer| {
        let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
        Secret::new(token.to_owned())
    });
    match token {
        Ok(token) if !token.expose().is_empty() => Some((Token::Bearer(token), what)),
        Ok(_) => {
            tried.push(format!("{what} sent none"));
            None
        }
        Err(error) => {
            tried.push(one_line(&format!("{what}: {error}"), 300));
            None
        }
    }
}

/// Asks the Azure CLI for a token of its signed-in user, service principal or managed identity.
async fn of_cli(env: &Env, clock: &dyn Clock, resource: &str, program: &Path) -> Result<Secret, String> {
    let arguments =
        ["account", "get-access-token", "--resource", resource, "--query", "accessToken", "--output", "tsv"];
    let arguments = arguments.map(str::to_owned);
    let call = Call { program, arguments: &arguments, folder: None, limit: CLI_TIMEOUT };
    let variables = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut answer =
        call.run(variables, clock).await.map_err(|error| format!("it cannot be started: {error}"))?;
    let token = Secret::new(answer.output.trim().to_owned());
    answer.output.zeroize();
    match answer.status {
        None => Err(format!("it took longer than {} s", CLI_TIMEOUT.as_secs())),
        Some(status) if !status.success() => {
            let line = answer.errors.lines().rev().find_map(service_message);
            Err(line.unwrap_or_else(|| status.to_string()))
        }
        // A token is one word.
        Some(_) if token.expose().is_empty() || token.expose().contains(char::is_whitespace) => {
            Err("it ended well, and printed something else than a token".to_owned())
        }
        Some(_) => Ok(token),
    }
}
