//! Tokens for the three services, found in the order in which `wif doctor` looks for its own.

use std::sync::Arc;

use uuid::Uuid;
use wif::user_tokens::{self, AskedService, URL, variables_of};
use wif_azure::rest::Token;
use wif_core::{
    azure::{
        cloud::Cloud,
        resource::{Audiences, DEVOPS_APPLICATION},
    },
    code::Code,
    failure::Failure,
    foreign_text::one_line,
    secret::Secret,
    token::claims,
};
use wif_io::{clock::Clock, env::Env};

use crate::{azure_cli::Library, nearest::nearest};

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

/// The longest name of a session, in characters.
const MAX_SESSION: usize = 60;
/// The longest list of names that an error shows, in characters.
const MAX_HINT: usize = 200;

impl Tokens {
    /// Looks for a token for each service, in the order of the promise, and says for each in one line which was taken.
    ///
    /// `session` is the name of a session (`--session`); without it, the job's session without a name is asked.
    pub async fn find(
        env: &Env,
        clock: &Arc<dyn Clock>,
        cloud: Cloud,
        session: Option<&str>,
        needs: Needs,
        say: &mut dyn FnMut(&str),
    ) -> Self {
        let mut tokens = Self::default();
        let az = Library::new(clock);
        for service in [AskedService::DevOps, AskedService::Graph, AskedService::ResourceManager] {
            if service != AskedService::DevOps && !needs.identities {
                continue;
            }
            let resource = resource(service, cloud);
            let found = user_tokens::find(env, &**clock, &az, (service, &resource), session, say).await;
            let is_job_token = found.as_ref().is_some_and(|found| found.is_job_token);
            let token = found.map(|found| found.token);
            match service {
                AskedService::DevOps => {
                    tokens.devops = token;
                    tokens.is_job_token = is_job_token;
                }
                AskedService::Graph => {
                    tokens.graph_tenant = token.as_ref().and_then(tenant);
                    tokens.graph = token;
                }
                AskedService::ResourceManager => tokens.arm = token,
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

/// What a token for a service is asked for.
fn resource(service: AskedService, cloud: Cloud) -> String {
    let resource_manager = cloud.resource_manager().to_owned();
    match service {
        AskedService::DevOps => DEVOPS_APPLICATION.to_owned(),
        AskedService::Graph => {
            Audiences { cloud, resource_manager, key_vault: None, graph: None }.graph_url()
        }
        AskedService::ResourceManager => resource_manager,
    }
}

/// Checks that a session that the user names is there.
///
/// # Errors
///
/// Its variables are not set; the error offers the nearest names.
pub fn check_session(env: &Env, session: &str) -> Result<(), Failure> {
    let [url, key] = variables_of(Some(session));
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
