//! Where tokens come from: the environment, the sign-in session of the job, the Azure CLI, and at last the job's own token.

use std::{path::Path, time::Duration};

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;
use wif_azure::rest::Token;
use wif_broker::{client::Address, paths};
use wif_core::{
    azure::{cloud::Cloud, resource::Audiences},
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
/// The longest name of a session, in characters.
const MAX_SESSION: usize = 60;
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
            if let Some((_, source)) = &found {
                say(&format!("{name}: token of {source}"));
            } else {
                let why = if tried.is_empty() { String::new() } else { format!(" ({})", tried.join("; ")) };
                say(&format!("{name}: no token{why}"));
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

/// Asks the broker of a session.
async fn of_session(
    env: &Env,
    clock: &dyn Clock,
    resource: &str,
    session: Option<&str>,
    tried: &mut Vec<String>,
) -> Option<(Token, String)> {
    let name = session.map(|name| one_line(name, MAX_SESSION));
    let prefix = name.as_ref().map(|name| format!("{}_", name.to_uppercase())).unwrap_or_default();
    let what =
        name.map_or_else(|| "the session of this job".to_owned(), |name| format!("the session {name}"));
    let (url, key) = (format!("{prefix}WIF_URL"), format!("{prefix}WIF_KEY"));
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
