//! The task's inputs, parsed once into types. Names and defaults come from `task/task.json`.

mod accepted;
pub(super) mod declared;
mod error;
mod targets;
pub(super) mod values;

use std::{collections::BTreeSet, fmt};

use uuid::Uuid;
use wif_core::{
    azure::{
        allowed::Allowed,
        hosts::{AllowedHost, AllowedHosts},
        resource::{Audiences, Resource},
    },
    exports::Family,
};
use wif_io::env::Env;

use self::{
    accepted::accepted,
    targets::{targets, without_targets},
    values::{boolean, guarded, list, refuse, text, verbatim},
};
pub use self::{declared::Input, error::InputError};
use super::{reserved, target_inputs::TargetInputs};

/// What a step asks for.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// `azureSubscription`
    pub connection: Uuid,
    /// `exports`; `None` where the default is wanted.
    pub exports: Option<BTreeSet<Family>>,
    /// `accessTokens`: variable and resource, as written; see [`Inputs::access_tokens`].
    access_tokens: Vec<(String, String)>,
    /// `allowedResources`, as written; see [`Inputs::allowed_resources`].
    allowed_resources: Allowed<String>,
    /// The other clouds and the registries that `allowedResources` names.
    allowed_targets: BTreeSet<String>,
    /// `refresh`
    pub refresh: bool,
    /// `session`
    pub session: Option<SessionName>,
    /// `requireFederation`
    pub require_federation: bool,
    /// `diagnose`
    pub diagnose: bool,
    /// `allowedTenants`
    pub allowed_tenants: Allowed<Uuid>,
    /// `allowedSubscriptions`
    pub allowed_subscriptions: Allowed<Uuid>,
    /// `allowedAuthorities`: hosts beside those of the known clouds.
    pub allowed_authorities: AllowedHosts,
    /// Other clouds.
    pub targets: TargetInputs,
}

/// The name of a sign-in session, in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

impl Inputs {
    /// Reads every input.
    ///
    /// # Errors
    ///
    /// The first input that cannot be used.
    pub fn read(env: &Env) -> Result<Self, InputError> {
        let connection = text(env, declared::AZURE_SUBSCRIPTION)?;
        let allowed_authorities = match guarded(env, declared::ALLOWED_AUTHORITIES, AllowedHost::parse)? {
            Allowed::Any => AllowedHosts::default(),
            Allowed::Only(hosts) => AllowedHosts::new(hosts),
        };
        let allowed_resources = guarded(env, declared::ALLOWED_RESOURCES, |entry| Some(entry.to_owned()))?;
        let (allowed_resources, allowed_targets) = without_targets(allowed_resources, &allowed_authorities);
        let exports = exports(env)?;
        let targets = targets(env, &allowed_authorities)?;
        if !targets.feeds.is_empty() && !exports.as_ref().is_some_and(|all| all.contains(&Family::Artifacts))
        {
            return Err(refuse(declared::FEEDS, text(env, declared::FEEDS)?));
        }
        Ok(Self {
            connection: Uuid::try_parse(connection)
                .ok()
                .filter(|id| !id.is_nil())
                .ok_or_else(|| InputError::Connection { value: connection.to_owned() })?,
            exports,
            access_tokens: access_tokens(env)?,
            allowed_resources,
            allowed_targets,
            targets,
            refresh: boolean(env, declared::REFRESH)?,
            session: session(env)?,
            require_federation: boolean(env, declared::REQUIRE_FEDERATION)?,
            diagnose: boolean(env, declared::DIAGNOSE)?,
            allowed_tenants: guarded(env, declared::ALLOWED_TENANTS, id)?,
            allowed_subscriptions: guarded(env, declared::ALLOWED_SUBSCRIPTIONS, id)?,
            allowed_authorities,
        })
    }

    /// `accessTokens`, with the aliases resolved for the connection's cloud.
    ///
    /// # Errors
    ///
    /// An entry is not a resource.
    pub fn access_tokens(&self, audiences: &Audiences) -> Result<Vec<(String, Resource)>, InputError> {
        let input = declared::ACCESS_TOKENS.name;
        let resolve = |(variable, text): &(String, String)| {
            let resource = Resource::parse(text, audiences);
            let resource = resource.map_err(|source| InputError::Resource { input, source })?;
            Ok((variable.clone(), resource))
        };
        self.access_tokens.iter().map(resolve).collect()
    }

    /// `assertion`: the application whose access token other clouds get; none, where they get the id token.
    ///
    /// # Errors
    ///
    /// It is not an application.
    pub fn assertion(&self, audiences: &Audiences) -> Result<Option<Resource>, InputError> {
        let input = declared::ASSERTION.name;
        let application = self.targets.assertion.as_deref().map(|text| Resource::parse(text, audiences));
        application.transpose().map_err(|source| InputError::Resource { input, source })
    }

    /// `allowedResources`, with the aliases resolved for the connection's cloud: as many entries as were given.
    ///
    /// # Errors
    ///
    /// An entry is not a resource.
    pub fn allowed_resources(&self, audiences: &Audiences) -> Result<Allowed<Resource>, InputError> {
        let input = declared::ALLOWED_RESOURCES.name;
        self.allowed_resources.try_map(|text| {
            Resource::parse(text, audiences).map_err(|source| InputError::Resource { input, source })
        })
    }

    /// Whether `allowedResources` lets the session sign in to another cloud, or to a registry, by its name.
    #[must_use]
    pub fn allows_target(&self, name: &str) -> bool {
        !self.limits_resources() || self.allowed_targets.contains(name)
    }

    /// Whether `allowedResources` is set: then no id token may leave, since it opens every resource.
    #[must_use]
    pub(crate) const fn limits_resources(&self) -> bool {
        self.allowed_resources.is_set()
    }
}

impl SessionName {
    /// The name of a variable of this session.
    #[must_use]
    pub fn prefixed(&self, variable: &str) -> String {
        format!("{}_{}", self.0, variable.to_uppercase())
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn id(entry: &str) -> Option<Uuid> {
    Uuid::try_parse(entry).ok()
}

fn exports(env: &Env) -> Result<Option<BTreeSet<Family>>, InputError> {
    let input = declared::EXPORTS;
    let value = text(env, input)?;
    let (none, named): (Vec<_>, Vec<_>) = list(value).partition(|entry| entry.eq_ignore_ascii_case("none"));
    if none.is_empty() && named.is_empty() {
        return Ok(None);
    }
    if !none.is_empty() && !named.is_empty() {
        return Err(refuse(input, value));
    }
    let family = |entry: &&str| Family::parse(entry).ok_or_else(|| refuse(input, entry));
    named.iter().map(family).collect::<Result<_, _>>().map(Some)
}

fn access_tokens(env: &Env) -> Result<Vec<(String, String)>, InputError> {
    let input = declared::ACCESS_TOKENS;
    let mut lines: Vec<(String, String)> = Vec::new();
    for line in text(env, input)?.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
        let Some((variable, resource)) = line.split_once('=') else {
            return Err(refuse(input, line));
        };
        let (variable, resource) = (variable.trim(), resource.trim());
        let twice = lines.iter().any(|(other, _)| env_name(other) == env_name(variable));
        if !is_variable(variable) || resource.is_empty() || twice {
            return Err(refuse(input, line));
        }
        lines.push((variable.to_owned(), resource.to_owned()));
    }
    Ok(lines)
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        && name.len() <= 128
}

/// The name that a variable gets in a process's environment.
///
/// Source: microsoft/azure-pipelines-agent, `VarUtil.ConvertToEnvVariableFormat`.
#[must_use]
pub fn env_name(variable: &str) -> String {
    variable.replace(['.', ' '], "_").to_uppercase()
}

/// The name by which a script finds an exported variable: only those of `accessTokens` can have dots, which the agent makes
/// underscores of.
#[must_use]
pub fn exported_name(variable: &str) -> String {
    if variable.contains('.') { env_name(variable) } else { variable.to_owned() }
}

fn session(env: &Env) -> Result<Option<SessionName>, InputError> {
    let input = declared::SESSION;
    let value = text(env, input)?;
    if value.is_empty() {
        return Ok(None);
    }
    let letters = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !letters || !value.starts_with(|c: char| c.is_ascii_alphabetic()) || value.len() > 40 {
        return Err(refuse(input, value));
    }
    let session = SessionName(value.to_uppercase());
    // Every variable of the session would have such a name.
    let variable = session.prefixed("AZURE_TENANT_ID");
    match reserved::reason(&variable) {
        Some(reason) => {
            let (input, value, accepted) = (input.name, value.to_owned(), accepted(input));
            Err(InputError::Reserved { input, value, variable, reason, accepted })
        }
        None => Ok(Some(session)),
    }
}

/// Checks the name of a variable for an access token, with the session's name before it.
///
/// # Errors
///
/// The agent keeps the name or publishes it, or it changes how programs start.
pub(crate) fn check_token_variable(variable: &str) -> Result<(), InputError> {
    let input = declared::ACCESS_TOKENS;
    let is_output = reserved::OUTPUT_VARIABLES.iter().any(|output| output.eq_ignore_ascii_case(variable));
    let output = is_output.then_some("the agent would publish it as an output variable of the step");
    match output.or_else(|| reserved::reason(&env_name(variable))) {
        Some(reason) => Err(InputError::Reserved {
            input: input.name,
            value: variable.to_owned(),
            variable: env_name(variable),
            reason,
            accepted: "another name".to_owned(),
        }),
        None => Ok(()),
    }
}

/// Every input, as `task/task.json` declares it.
#[must_use]
pub const fn all() -> &'static [Input] {
    declared::ALL
}

/// The variables in which the agent passes the inputs, given or not, and those of their other names.
pub fn variables() -> impl Iterator<Item = &'static str> {
    declared::ALL.iter().flat_map(|input| [Some(input.variable), input.alias]).flatten()
}

/// The connection's id, as the agent passes it.
#[must_use]
pub fn connection(env: &Env) -> &str {
    verbatim(env, declared::AZURE_SUBSCRIPTION).trim()
}

/// The variable in which the agent passes the connection's id.
pub const CONNECTION_VARIABLE: &str = declared::AZURE_SUBSCRIPTION.variable;
/// The variable in which the agent passes `accessTokens`.
pub const TOKENS_VARIABLE: &str = declared::ACCESS_TOKENS.variable;

#[cfg(test)]
mod tests;
