//! The plan of a step: inputs and connection, checked before the first request is sent.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use uuid::Uuid;
use wif_azure::{identity::AzureIdentity, managed_identity::ManagedIdentity};
use wif_core::{
    azure::{
        allowed::Allowed,
        cloud::Cloud,
        hosts::{AllowedHosts, HTTPS},
        resource::{Audiences, Resource},
    },
    exports::{
        self, AzureCliOwnSettings, AzureCliProfile, AzureCliScope, BrokerEndpoint, Facts, Family, GIT_HELPER,
        GitFacts, NamedToken, Need, Value, Variable, conflict::SessionKind, may_replace,
    },
    failure::Failure,
    secret::Secret,
};
use wif_io::{endpoint::Endpoint, env::Env, http::Http, private_folder::Folder};

use super::{export::check, previous_session, targets::PlannedTargets};
use crate::{
    agent::{
        addresses, azure_cli,
        connection::{self, Connection, Scheme},
        inputs::{self, Inputs, SessionName},
        job::{self, Job},
        script_inputs::Script,
        session_hours,
    },
    guards,
    session::start::NewSession,
    sign_in::{
        SignedIn,
        subscriptions::{self, Listing},
    },
    targets,
};

/// What a step is to do, checked before the first request is sent.
pub(crate) struct Plan {
    pub(crate) connection: Connection,
    /// Whether a broker keeps the session alive.
    pub(crate) refresh: bool,
    pub(crate) families: BTreeSet<Family>,
    session: Option<SessionName>,
    /// The script that alone is signed in, if there is one.
    pub(super) script: Option<Script>,
    /// Variable, session included, and resource.
    pub(super) tokens: Vec<(String, Resource)>,
    /// The session's private folder, if it needs one.
    pub(crate) folder: Option<PathBuf>,
    /// The only resources that the session serves.
    pub(crate) allowed: Allowed<Resource>,
    /// Whether the session may use the resource manager.
    pub(super) allows_resource_manager: bool,
    /// Where `az` finds the user's extensions, unless a variable says so already.
    extensions: Option<PathBuf>,
    /// The version of the az that is to be signed in, where it can be told.
    pub(super) az_version: Option<String>,
    /// The machine's own identity, which this session's variables would hide.
    machine: Option<(String, Secret)>,
    /// The resource manager's base URL, where tokens may be sent there.
    pub(super) resource_manager: Option<Endpoint>,
    /// For how many hours the broker lives at the most.
    pub(super) hours: u32,
    /// Hosts that may get tokens beside those of the known clouds.
    pub(crate) allowed_hosts: AllowedHosts,
    /// Whether later steps may have the id token.
    gives_id_token: bool,
    /// What the inputs ask for, and may not be meant.
    pub(crate) warnings: Vec<&'static str>,
    /// What is worth a line in the log, and no warning.
    pub(crate) notes: Vec<&'static str>,
    /// Other clouds.
    pub(crate) targets: PlannedTargets,
}

/// A connection of a management group, or of a tenant.
const NO_SUBSCRIPTION: &str = "The connection has no subscription, so AZURE_SUBSCRIPTION_ID and ARM_SUBSCRIPTION_ID are not exported: Terraform's azurerm provider needs ARM_SUBSCRIPTION_ID, or subscription_id in its configuration.";

/// In `AzureCLI@2` either input may be there for later steps.
const NO_LATER_STEPS: &str = "useGlobalConfig: true and keepAzSessionActive: true sign no later step in: with scriptType the session ends with the script. A step without scriptType signs later steps in.";

/// `AzureCLI@2` gives a script the connection's secret.
const NO_SECRET: &str = "addSpnToEnvironment: the script finds no servicePrincipalKey, since the secret of a connection is never put into an environment. The script is signed in without it.";

/// What tools of these families ask for as they start, and will be refused. Without the guard they exchange the id token
/// themselves, or may have every resource.
fn refused_at_start(
    allowed: &Allowed<Resource>,
    families: &BTreeSet<Family>,
    audiences: &Audiences,
) -> Vec<&'static str> {
    let is_allowed = |alias: &str| {
        let resource = Resource::parse(alias, audiences);
        resource.is_ok_and(|resource| allowed.allows(|one| *one == resource))
    };
    let asked = families.iter().filter_map(|family| family.resource_at_start());
    asked.filter(|(alias, _)| !is_allowed(alias)).map(|(_, warning)| warning).collect()
}

/// What a script does not find that `AzureCLI@2` would give it, or would leave.
fn script_warnings(script: &Script, scheme: Scheme) -> impl Iterator<Item = &'static str> + use<> {
    let no_secret = script.wants_identity && scheme == Scheme::ServicePrincipal;
    let all = [(script.wants_later_steps, NO_LATER_STEPS), (no_secret, NO_SECRET)];
    all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, warning)| warning)
}

/// How many entries of configuration git's environment has, but those of an earlier session at its end; and the job's own
/// server of Azure DevOps, where it is none of the known hosts.
fn git_facts(env: &Env, inputs: &Inputs) -> GitFacts {
    let value = |at: usize| env.even_empty(&format!("GIT_CONFIG_VALUE_{at}"));
    let count = env.get("GIT_CONFIG_COUNT").and_then(|count| count.trim().parse().ok());
    let mut begin = count.filter(|count| *count <= MAX_GIT_ENTRIES).unwrap_or(0);
    while begin >= 2 && value(begin - 1).is_some_and(|value| value.starts_with(GIT_HELPER)) {
        begin -= 2;
    }
    let collection = env.get("SYSTEM_COLLECTIONURI").and_then(|url| Endpoint::parse(url).ok());
    let named = collection.filter(|url| inputs.allowed_authorities.names(url.host(), url.port()));
    let host = named.map(|url| match url.port() {
        HTTPS => url.host().to_owned(),
        port => format!("{}:{port}", url.host()),
    });
    GitFacts { begin, session: inputs.session.as_ref().map(ToString::to_string), host }
}

/// More entries than any environment has.
const MAX_GIT_ENTRIES: usize = 1000;

/// Whether later steps find az signed in.
fn signs_az_in(refresh: bool, families: &BTreeSet<Family>) -> bool {
    refresh && families.iter().any(|family| family.needs(Need::Folder))
}

impl Plan {
    /// The plan as the inputs and the connection have it. It has no folder yet.
    pub(super) fn make(env: &Env) -> Result<Self, Failure> {
        Self::of(env, true)
    }

    /// The same, for a step of a job or for a command that is no task.
    pub(crate) fn of(env: &Env, is_step: bool) -> Result<Self, Failure> {
        let inputs = Inputs::read(env)?;
        guards::scheme(&inputs, connection::scheme(env, inputs.connection)?)?;
        let connection = Connection::read(env, inputs.connection)?;
        guards::place(&inputs, &connection)?;
        let allowed = inputs.allowed_resources(&connection.identity.audiences)?;
        guards::id_token(&inputs, connection.scheme)?;
        let script = Script::read(env)?;
        guards::script(&inputs, script.as_ref(), connection.scheme)?;
        guards::targets(&inputs, connection.scheme)?;
        let mut families = guards::families(&inputs)?;
        families.extend(inputs.targets.families());
        let devops = Resource::parse("devops", &connection.identity.audiences).ok();
        guards::devops(&families, allowed.allows(|one| Some(one) == devops.as_ref()))?;
        let assertion = inputs.assertion(&connection.identity.audiences)?;
        if inputs.targets.aws.is_some() && inputs.session.is_none() {
            targets::check_files(env)?;
        }
        let targets = targets::read(&inputs.targets, env, &inputs.allowed_authorities, assertion)?;
        let git = families.contains(&Family::Git).then(|| git_facts(env, &inputs));
        let name = inputs.session.as_ref().map(ToString::to_string);
        let has_keyring = families.contains(&Family::Artifacts);
        let targets = PlannedTargets::new(inputs.targets.clone(), targets, git, name, has_keyring);
        if is_step && connection.scheme == Scheme::WorkloadIdentityFederation {
            Job::read(env, &inputs.allowed_authorities)?;
        }
        let refused_at_start = refused_at_start(&allowed, &families, &connection.identity.audiences);
        // A family that is exported by default need not be meant.
        let (mut warnings, mut notes) = match &inputs.exports {
            Some(_) => (refused_at_start, Vec::new()),
            None => (Vec::new(), refused_at_start),
        };
        warnings.extend(exports::warnings(&families));
        warnings.extend(script.iter().flat_map(|script| script_warnings(script, connection.scheme)));
        notes.extend(connection.subscription.is_none().then_some(NO_SUBSCRIPTION));
        let allows_resource_manager =
            subscriptions::allows_resource_manager(&allowed, &connection.identity.audiences);
        let tokens = inputs.access_tokens(&connection.identity.audiences)?;
        let gives_id_token = guards::gives_id_token(&inputs, connection.scheme);
        let (refresh, session) = (inputs.refresh, inputs.session);
        // A session with a name has names of its own.
        let machine = ManagedIdentity::endpoint_to_restore(env).filter(|_| session.is_none());
        // az would send its tokens wherever it is told to.
        let resource_manager =
            addresses::allowed_resource_manager(env, &connection, &inputs.allowed_authorities);
        let az_version = signs_az_in(refresh, &families).then(|| azure_cli::version(env)).flatten();
        let mut plan = Self {
            connection,
            refresh,
            families,
            session,
            script,
            tokens: Vec::new(),
            folder: None,
            allowed,
            allows_resource_manager,
            extensions: azure_cli::extensions(env),
            az_version,
            machine,
            resource_manager,
            hours: session_hours::hours(env)?,
            allowed_hosts: inputs.allowed_authorities,
            gives_id_token,
            warnings,
            notes,
            targets,
        };
        let named = |(variable, resource): (String, _)| (plan.name(&variable), resource);
        plan.tokens = tokens.into_iter().map(named).collect();
        plan.tokens.iter().try_for_each(|(variable, _)| inputs::check_token_variable(variable))?;
        guards::variables(&plan.tokens, &plan.expected_variables(&plan.families))?;
        Ok(plan)
    }

    /// Chooses the session's private folder, if it needs one.
    pub(super) fn propose_folder(&mut self, env: &Env) -> Result<(), Failure> {
        if self.needs_folder() || self.script.is_some() {
            let path = Folder::propose(&job::temp_folder(env)?)?;
            let value = Value::Plain(path.to_string_lossy().into_owned());
            check(&Variable { name: "AGENT_TEMPDIRECTORY".to_owned(), value })?;
            self.folder = Some(path);
        }
        Ok(())
    }

    /// Whether the session has files.
    pub(crate) fn needs_folder(&self) -> bool {
        self.needs_file() || self.signs_az_in() || self.targets.needs_folder()
    }

    /// Everything that the session would export, with the values that are known before the sign-in.
    pub(super) fn expected_exports(&self) -> Vec<Variable> {
        let tokens = self.tokens.iter().map(|(variable, _)| Variable {
            name: exports::expires_on(variable),
            value: Value::Plain(String::new()),
        });
        self.expected_variables(&self.families).into_iter().chain(tokens).collect()
    }

    pub(crate) fn expected_facts(&self) -> Facts {
        // The machine's identity may be known only later; its variables are taken all the same.
        let client = Some(self.connection.client().unwrap_or_default());
        self.facts(client, Some(PathBuf::new()), Some(PathBuf::new()))
    }

    fn expected_variables(&self, families: &BTreeSet<Family>) -> Vec<Variable> {
        let placeholder =
            BrokerEndpoint { gives_id_token: self.gives_id_token, ..BrokerEndpoint::placeholder() };
        self.variables_of(families, &self.expected_facts(), self.refresh.then_some(&placeholder))
    }

    /// What finds the session, as a sentence names it.
    pub(super) fn audience(&self) -> &'static str {
        if self.script.is_some() { "the script" } else { "later steps" }
    }

    /// How later steps get their tokens.
    pub(crate) const fn session_kind(&self) -> SessionKind {
        match (self.refresh, self.gives_id_token) {
            (false, _) => SessionKind::Snapshot,
            (true, true) => SessionKind::IdToken,
            (true, false) => SessionKind::AccessTokens,
        }
    }

    /// The families that export a name; none, where every session does.
    pub(super) fn families_of(&self, name: &str) -> Vec<Family> {
        let exports = |families: BTreeSet<Family>| {
            self.expected_variables(&families).iter().any(|variable| variable.name == name)
        };
        if exports(BTreeSet::new()) {
            return Vec::new();
        }
        self.families.iter().copied().filter(|family| exports(BTreeSet::from([*family]))).collect()
    }

    /// Whether an earlier session of the same name is there, which this one replaces.
    pub(super) fn replaces_a_session(&self, env: &Env) -> bool {
        previous_session::exists(env, |name| self.name(name))
    }

    /// What the session's broker is started with.
    pub(crate) fn new_session<'a>(
        &'a self,
        signed_in: &'a SignedIn,
        id_token_file: Option<PathBuf>,
    ) -> NewSession<'a> {
        NewSession {
            connection: self.connection.id,
            signed_in,
            resources: self.tokens.iter().map(|(_, resource)| resource).collect(),
            id_token_file,
            hours: self.hours,
            gives_id_token: self.gives_id_token,
            resource_manager: self.resource_manager.as_ref(),
            targets: &[],
        }
    }

    /// The list of subscriptions, where the session signs `az` in. The error is the reason for having no list, where a user should
    /// know it.
    pub(crate) fn listing(&self, http: &Arc<Http>) -> Result<Listing, Option<String>> {
        if !self.signs_az_in() {
            return Err(None);
        }
        let resource = self.connection.identity.audiences.resource_manager();
        let has_own = self.connection.subscription.is_some();
        Listing::prepare(http, resource, self.resource_manager.clone(), has_own, self.allows_resource_manager)
            .map_err(Some)
    }

    /// What to ask Entra for. A session that leaves an id token for Azure is proved to work, even where no access
    /// token is asked for; one that leaves it for others need not be known to Azure.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        // The last one, since the others have names.
        self.own_resources().into_iter().chain(self.targets.set.assertion.clone()).collect()
    }

    fn own_resources(&self) -> Vec<Resource> {
        let is_for_azure = |family: &Family| !family.needs(Need::IdToken) && family.asked_by().is_none();
        let for_azure = self.families.iter().any(is_for_azure);
        if self.tokens.is_empty() && for_azure {
            return vec![self.connection.identity.audiences.resource_manager()];
        }
        self.tokens.iter().map(|(_, resource)| resource.clone()).collect()
    }

    /// Whether a family reads the id token from a file: all do in a snapshot, one does beside a broker.
    pub(crate) fn needs_file(&self) -> bool {
        if self.refresh {
            self.families.iter().any(|family| family.needs(Need::File))
        } else {
            !self.families.is_empty()
        }
    }

    /// The access token that other clouds get in place of the id token.
    pub(crate) fn assertion<'a>(&self, signed_in: &'a SignedIn) -> Option<&'a Secret> {
        self.targets.set.assertion.as_ref()?;
        Some(&signed_in.access_tokens.get(self.own_resources().len())?.token)
    }

    pub(crate) fn named_tokens(&self, signed_in: &SignedIn) -> Vec<NamedToken> {
        let named = self.tokens.iter().zip(&signed_in.access_tokens);
        named
            .map(|((variable, resource), access)| NamedToken {
                variable: variable.clone(),
                resource: resource.clone(),
                token: access.token.clone(),
                expires: access.expires,
            })
            .collect()
    }

    pub(crate) fn signs_az_in(&self) -> bool {
        signs_az_in(self.refresh, &self.families)
    }

    /// What `az` is to know of the client that is signed in, where `az` is to be too.
    pub(super) fn azure_cli(&self, client: Option<Uuid>) -> Option<AzureCliProfile> {
        let Connection { identity, subscription, cloud, .. } = &self.connection;
        let AzureIdentity { tenant, authority, audiences, .. } = identity;
        let known = cloud.map(|cloud| [cloud.authority(), cloud.resource_manager()]);
        let resource_manager = self.resource_manager.as_ref().map(Endpoint::bare);
        let resource_manager =
            resource_manager.unwrap_or(cloud.unwrap_or(Cloud::Public).resource_manager()).to_owned();
        let own = [authority.bare(), resource_manager.trim_end_matches('/')];
        let custom = known != Some(own);
        let scope = subscription.as_ref().map_or(AzureCliScope::Tenant, |subscription| {
            AzureCliScope::Subscription { id: subscription.id, name: subscription.name.clone() }
        });
        self.signs_az_in().then(|| AzureCliProfile {
            client,
            tenant: *tenant,
            scope,
            subscriptions: Vec::new(),
            own: AzureCliOwnSettings::default(),
            cloud: *cloud,
            authority: authority.bare().to_owned(),
            resource_manager,
            audience: audiences.resource_manager.clone(),
            custom,
            az_version: self.az_version.clone(),
        })
    }

    /// What an earlier session of this name has left, and this one does not set anew.
    pub(crate) fn stale_variables(&self, env: &Env, variables: &[Variable]) -> Vec<String> {
        if !self.replaces_a_session(env) {
            return Vec::new();
        }
        let own: BTreeSet<_> = variables.iter().map(|variable| variable.name.as_str()).collect();
        let left = previous_session::variable_names().into_iter().filter_map(|bare| {
            let name = self.name(&bare);
            let value = env.get(&name)?;
            (may_replace(&bare, value) && !own.contains(name.as_str())).then_some(name)
        });
        left.collect()
    }

    /// Whether a session has a name, and names of its own for everything.
    pub(crate) fn is_named(&self) -> bool {
        self.session.is_some()
    }

    pub(crate) fn variables(
        &self,
        client: Option<Uuid>,
        id_token_file: Option<PathBuf>,
        azure_cli_folder: Option<PathBuf>,
        endpoint: Option<&BrokerEndpoint>,
    ) -> Vec<Variable> {
        self.variables_of(&self.families, &self.facts(client, id_token_file, azure_cli_folder), endpoint)
    }

    fn variables_of(
        &self,
        families: &BTreeSet<Family>,
        facts: &Facts,
        endpoint: Option<&BrokerEndpoint>,
    ) -> Vec<Variable> {
        let variables = match endpoint {
            Some(endpoint) => exports::live(families, facts, endpoint),
            None => exports::snapshot(families, facts),
        };
        variables
            .into_iter()
            .map(|variable| Variable { name: self.name(&variable.name), ..variable })
            .collect()
    }

    fn facts(
        &self,
        client: Option<Uuid>,
        id_token_file: Option<PathBuf>,
        azure_cli_folder: Option<PathBuf>,
    ) -> Facts {
        Facts {
            client,
            tenant: self.connection.identity.tenant,
            subscription: self.connection.subscription.as_ref().map(|subscription| subscription.id),
            authority: self.connection.identity.authority.as_str().to_owned(),
            cloud: self.connection.cloud,
            id_token_file,
            azure_cli_folder,
            azure_cli_extensions: self.extensions.clone(),
            machine: self.machine.clone(),
            targets: self.targets.facts(),
        }
    }

    pub(super) fn name(&self, variable: &str) -> String {
        self.session.as_ref().map_or_else(|| variable.to_owned(), |session| session.prefixed(variable))
    }
}
