//! The task's inputs, parsed once into types. Names and defaults come from `task/task.json`.

mod error;

use std::{collections::BTreeSet, fmt};

use uuid::Uuid;
use wif_core::{
    azure::{
        allowed::Allowed,
        hosts::{AllowedHost, AllowedHosts},
        resource::{ALIASES, Audiences, Resource},
    },
    exports::Family,
    foreign_text::one_line,
};
use wif_io::env::Env;

pub use self::error::InputError;
use super::{
    reserved,
    target_inputs::{self, AwsInputs, GoogleInputs, TargetInputs, VaultInputs},
};

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

/// An input as `task/task.json` declares it.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in YAML.
    pub name: &'static str,
    /// The variable in which the agent passes it.
    pub variable: &'static str,
    /// The variable of its other name, for an agent that gets the name as the pipeline writes it.
    pub alias: Option<&'static str>,
    /// The option of `wif exec` that says the same.
    pub option: &'static str,
    /// What a form calls it.
    pub label: &'static str,
    /// The group in which a form shows it.
    pub group: &'static str,
    /// Its default.
    pub default: &'static str,
}

pub(super) mod declared {
    use super::Input;

    include!(concat!(env!("OUT_DIR"), "/task.rs"));
}

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

/// An input as the agent passes it: the agent has trimmed what the pipeline wrote, and no macro.
pub(super) fn verbatim(env: &Env, input: Input) -> &str {
    let other_name = || input.alias.and_then(|alias| env.get(alias));
    env.get(input.variable)
        .or_else(other_name)
        .or_else(|| env.even_empty(input.variable))
        .unwrap_or(input.default)
}

/// An input that holds no macro.
pub(super) fn text(env: &Env, input: Input) -> Result<&str, InputError> {
    let value = verbatim(env, input).trim();
    // The agent leaves a macro as it is when no such variable exists.
    if value.contains("$(") {
        let (input, value, accepted) = (input.name, value.to_owned(), accepted(input));
        return Err(InputError::Macro { input, value, accepted });
    }
    Ok(value)
}

pub(super) fn refuse(input: Input, value: &str) -> InputError {
    InputError::Value { input: input.name, value: value.to_owned(), accepted: accepted(input) }
}

/// What an input may be, for its errors.
fn accepted(input: Input) -> String {
    let families = || {
        format!(
            "{}, or none alone",
            Family::named_in_exports().map(Family::as_str).collect::<Vec<_>>().join(", ")
        )
    };
    match input.name {
        name if name == declared::AZURE_SUBSCRIPTION.name => "an Azure Resource Manager service connection".to_owned(),
        name if name == declared::EXPORTS.name => families(),
        name if name == declared::ACCESS_TOKENS.name => {
            "lines VARIABLE=resource, each VARIABLE once and made of letters, digits, _ and ., not beginning with a digit or a dot"
                .to_owned()
        }
        name if name == declared::SESSION.name => {
            "letters, digits and _, beginning with a letter, at most 40, since it begins the names of variables".to_owned()
        }
        name if name == declared::ALLOWED_RESOURCES.name => {
            format!("{}, aws, google, vault, registries that the input registries names, or https:// resources", ALIASES.join(", "))
        }
        name if name == declared::ALLOWED_TENANTS.name || name == declared::ALLOWED_SUBSCRIPTIONS.name => {
            "ids (GUIDs), separated by commas or line ends".to_owned()
        }
        name if name == declared::ALLOWED_AUTHORITIES.name => {
            "hosts, each with or without a port (login.example or login.example:8443), separated by commas or line ends".to_owned()
        }
        name if name == declared::SCRIPT_TYPE.name => "bash, pscore, ps or batch".to_owned(),
        name if name == declared::SCRIPT_LOCATION.name => "inlineScript or scriptPath".to_owned(),
        name if name == declared::POWER_SHELL_ERROR_ACTION_PREFERENCE.name => {
            "stop, continue or silentlyContinue".to_owned()
        }
        name if name == declared::SCRIPT_PATH.name || name == declared::WORKING_DIRECTORY.name => "a path".to_owned(),
        name => accepted_of_target(name).unwrap_or("true or false").to_owned(),
    }
}

/// What an input may be that asks for another cloud.
fn accepted_of_target(name: &str) -> Option<&'static str> {
    let all = [
        (
            declared::AWS_ROLE,
            "the ARN of a role, such as arn:aws:iam::123456789012:role/deploy, with awsRegion beside it",
        ),
        (
            declared::AWS_REGION,
            "a region such as eu-central-1, of the partition of awsRole and always with awsRole",
        ),
        (declared::AWS_SESSION_DURATION, "whole seconds, 900 to 43200"),
        (
            declared::GOOGLE_PROVIDER,
            "the full name of a workload identity provider: projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
        ),
        (
            declared::GOOGLE_SERVICE_ACCOUNT,
            "the mail address of a service account, such as deploy@my-project.iam.gserviceaccount.com, with googleProvider beside it",
        ),
        (declared::GOOGLE_PROJECT, "the id of a project, with googleProvider beside it"),
        (
            declared::VAULT_ADDRESS,
            "an https:// address, or http:// on a loopback address, without a user, a query or a fragment",
        ),
        (
            declared::VAULT_ROLE,
            "the name of a role, of letters, digits and - _ . @, with vaultAddress beside it",
        ),
        (declared::VAULT_MOUNT, "the path of an auth method, such as jwt"),
        (declared::VAULT_NAMESPACE, "the path of a namespace, with vaultAddress beside it"),
        (
            declared::REGISTRIES,
            "login servers, separated by commas or line ends: NAME.azurecr.io, with googleProvider those of Google (REGION-docker.pkg.dev, gcr.io), with awsRole those of AWS (ACCOUNT.dkr.ecr.REGION.amazonaws.com), and hosts that allowedAuthorities names",
        ),
        (
            declared::FEEDS,
            "https:// URLs of feeds at pkgs.dev.azure.com, ORGANIZATION.pkgs.visualstudio.com or a host that allowedAuthorities names, one a line, with artifacts among the exports",
        ),
        (
            declared::ASSERTION,
            "connection, or the URI or GUID of an application in Entra (api://my-app), with awsRole, googleProvider or vaultAddress beside it",
        ),
    ];
    all.into_iter().find(|(input, _)| input.name == name).map(|(_, accepted)| accepted)
}

/// The resources of `allowedResources`, and the other clouds and registries.
fn without_targets(entries: Allowed<String>, allowed: &AllowedHosts) -> (Allowed<String>, BTreeSet<String>) {
    let Allowed::Only(entries) = entries else { return (Allowed::Any, BTreeSet::new()) };
    let mut targets = BTreeSet::new();
    let mut is_resource = |entry: &String| {
        let clouds = [Family::Aws, Family::Google, Family::Vault].map(Family::as_str);
        let cloud = clouds.into_iter().find(|name| name.eq_ignore_ascii_case(entry)).map(str::to_owned);
        let target = cloud.or_else(|| {
            Some(target_inputs::registry(entry, allowed).filter(|_| !entry.contains("://"))?.server)
        });
        let is_resource = target.is_none();
        targets.extend(target);
        is_resource
    };
    let resources = entries.into_iter().filter(|entry| is_resource(entry)).collect();
    (Allowed::Only(resources), targets)
}

/// The inputs that ask for other clouds. One that says more of a cloud which is not asked for was meant for something.
fn targets(env: &Env, allowed: &AllowedHosts) -> Result<TargetInputs, InputError> {
    let given = |input: Input| text(env, input).map(|text| (!text.is_empty()).then_some(text));
    let checked = |input: Input, is_valid: fn(&str) -> bool| match given(input)? {
        Some(text) if !is_valid(text) => Err(refuse(input, text)),
        text => Ok(text.map(str::to_owned)),
    };
    let parsed = |input: Input, parse: fn(&str) -> Option<String>| {
        given(input)?.map(|text| parse(text).ok_or_else(|| refuse(input, text))).transpose()
    };
    let missing = |input: Input| Err(refuse(input, ""));
    let role = checked(declared::AWS_ROLE, target_inputs::is_role)?;
    let region = checked(declared::AWS_REGION, target_inputs::is_region)?;
    let duration = text(env, declared::AWS_SESSION_DURATION)?;
    let duration = duration.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
    let aws = match (role, region) {
        (Some(role), Some(region)) => {
            // A role is assumed in its own partition.
            if role.starts_with("arn:aws-cn:") != region.starts_with("cn-")
                || role.starts_with("arn:aws-us-gov:") != region.starts_with("us-gov-")
            {
                return Err(refuse(declared::AWS_REGION, &region));
            }
            let refused = || {
                refuse(
                    declared::AWS_SESSION_DURATION,
                    text(env, declared::AWS_SESSION_DURATION).unwrap_or_default(),
                )
            };
            Some(AwsInputs { role, region, duration: duration.ok_or_else(refused)? })
        }
        (Some(_), None) => return missing(declared::AWS_REGION),
        (None, Some(_)) => return missing(declared::AWS_ROLE),
        (None, None) => None,
    };
    let provider = parsed(declared::GOOGLE_PROVIDER, target_inputs::provider)?;
    let service_account = checked(declared::GOOGLE_SERVICE_ACCOUNT, target_inputs::is_service_account)?;
    let project = checked(declared::GOOGLE_PROJECT, target_inputs::is_project)?;
    let google = match provider {
        Some(provider) => Some(GoogleInputs { provider, service_account, project }),
        None if service_account.is_some() || project.is_some() => return missing(declared::GOOGLE_PROVIDER),
        None => None,
    };
    let address = parsed(declared::VAULT_ADDRESS, target_inputs::address)?;
    let role = checked(declared::VAULT_ROLE, target_inputs::is_vault_role)?;
    let mount = checked(declared::VAULT_MOUNT, target_inputs::is_path)?;
    let namespace = checked(declared::VAULT_NAMESPACE, target_inputs::is_path)?;
    let vault = match address {
        Some(address) => {
            let mount = mount.ok_or_else(|| refuse(declared::VAULT_MOUNT, ""))?;
            Some(VaultInputs { address, role, mount, namespace })
        }
        None if role.is_some() || namespace.is_some() => return missing(declared::VAULT_ADDRESS),
        None => None,
    };
    let mut registries = Vec::new();
    for entry in list(text(env, declared::REGISTRIES)?) {
        let registry = target_inputs::registry(entry, allowed).filter(|registry| match registry.cloud {
            Family::Google => google.is_some(),
            Family::Aws => aws.is_some(),
            _ => true,
        });
        let registry = registry.ok_or_else(|| refuse(declared::REGISTRIES, entry))?;
        if !registries.contains(&registry) {
            registries.push(registry);
        }
    }
    let feeds =
        text(env, declared::FEEDS)?.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let feeds =
        feeds.map(|line| target_inputs::feed(line, allowed).ok_or_else(|| refuse(declared::FEEDS, line)));
    let feeds = feeds.collect::<Result<_, _>>()?;
    let assertion = given(declared::ASSERTION)?.filter(|text| !text.eq_ignore_ascii_case("connection"));
    if let Some(application) = assertion {
        let is_application = application.contains(':') || Uuid::try_parse(application).is_ok();
        if !is_application || (aws.is_none() && google.is_none() && vault.is_none()) {
            return Err(refuse(declared::ASSERTION, application));
        }
    }
    let assertion = assertion.map(str::to_owned);
    Ok(TargetInputs { aws, google, vault, registries, feeds, assertion })
}

pub(super) fn boolean(env: &Env, input: Input) -> Result<bool, InputError> {
    match text(env, input)? {
        value if value.eq_ignore_ascii_case("true") => Ok(true),
        value if value.eq_ignore_ascii_case("false") => Ok(false),
        value => Err(refuse(input, value)),
    }
}

/// Entries separated by commas or line ends.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', '\n', '\r']).map(str::trim).filter(|entry| !entry.is_empty())
}

/// The entries of a guard. One that is not empty and names nothing was meant to hold something back.
fn guarded<T>(env: &Env, input: Input, read: impl Fn(&str) -> Option<T>) -> Result<Allowed<T>, InputError> {
    let value = text(env, input)?;
    if value.is_empty() {
        return Ok(Allowed::Any);
    }
    let entries: Vec<_> =
        list(value).map(|entry| read(entry).ok_or_else(|| refuse(input, entry))).collect::<Result<_, _>>()?;
    if entries.is_empty() { Err(refuse(input, value)) } else { Ok(Allowed::Only(entries)) }
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

/// The variable by which a pipeline sets the broker's absolute end, in hours.
const HOURS_VARIABLE: &str = "WIF_SESSION_HOURS";
/// A job token ends after about a day.
const DEFAULT_HOURS: u32 = 24;
/// The highest value of the variable: 14 days.
const MAX_HOURS: u32 = 24 * 14;

/// The variable's value is no time that a broker can live for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the variable {HOURS_VARIABLE} is '{}'; accepted: whole hours, 1 to {MAX_HOURS}",
    one_line(value, 100)
)]
pub(crate) struct HoursError {
    value: String,
}

/// For how many hours a broker lives at the most.
///
/// # Errors
///
/// The variable is no number of whole hours from 1 to 336.
pub(crate) fn hours(env: &Env) -> Result<u32, HoursError> {
    let Some(value) = env.get(HOURS_VARIABLE) else { return Ok(DEFAULT_HOURS) };
    let hours = value.trim().parse().ok().filter(|hours| (1..=MAX_HOURS).contains(hours));
    hours.ok_or_else(|| HoursError { value: value.to_owned() })
}

#[cfg(test)]
mod tests;
