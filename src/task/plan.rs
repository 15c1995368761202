//! What is wanted: found out, and checked, before any request.

use std::{collections::BTreeSet, path::PathBuf};

use uuid::Uuid;

use super::{earlier, guards, live, run::check, sign_in::SignedIn, subscriptions};
use crate::{
    agent::{
        azure_cli,
        connection::{self, Connection},
        inputs::{Inputs, SessionName},
        job,
    },
    entra::machine::Machine,
    env::Env,
    error::Failure,
    exports::{
        self, AzureCliOwnSettings, AzureCliProfile, AzureCliScope, Door, Facts, Family, Granted, Value,
        Variable,
    },
    folder::Folder,
    identity::resource::Resource,
    secret::Secret,
};

/// What is wanted, found out before any request.
pub(super) struct Plan {
    pub(super) connection: Connection,
    /// Whether a broker keeps the session alive.
    pub(super) refresh: bool,
    pub(super) families: BTreeSet<Family>,
    session: Option<SessionName>,
    /// Variable, session included, and resource.
    pub(super) tokens: Vec<(String, Resource)>,
    /// The session's private folder, if it needs one.
    pub(super) folder: Option<PathBuf>,
    /// Whether the session may use the resource manager.
    pub(super) allows_resource_manager: bool,
    /// Where `az` finds the user's extensions, unless a variable says so already.
    extensions: Option<PathBuf>,
    /// The machine's own identity, which this session's variables would hide.
    machine: Option<(String, Secret)>,
    /// The resource manager's base URL.
    resource_manager: String,
    /// For how many hours the broker lives at the most.
    pub(super) hours: u32,
    /// What is in the job already and would come before this session.
    hindrances: Vec<&'static str>,
}

impl Plan {
    pub(super) fn make(env: &Env) -> Result<Self, Failure> {
        let inputs = Inputs::read(env)?;
        guards::scheme(&inputs, connection::scheme(env, inputs.connection)?)?;
        let connection = Connection::read(env, inputs.connection)?;
        guards::connection(&inputs, &connection)?;
        let families = guards::families(&inputs)?;
        let allowed = inputs.allowed_resources(&connection.audiences)?;
        let allows_resource_manager = subscriptions::allowed(&allowed, &connection.audiences);
        let tokens = inputs.access_tokens(&connection.audiences)?;
        let (refresh, session) = (inputs.refresh, inputs.session);
        // A session with a name has names of its own.
        let machine = Machine::to_keep(env).filter(|_| session.is_none());
        let url = env.get(&format!("ENDPOINT_URL_{}", connection.id)).map(str::to_owned);
        let resource_manager = url.unwrap_or_else(|| connection.audiences.resource_manager.clone());
        let mut plan = Self {
            connection,
            refresh,
            families,
            session,
            tokens: Vec::new(),
            folder: None,
            allows_resource_manager,
            extensions: azure_cli::extensions(env),
            machine,
            resource_manager,
            hours: live::hours(env)?,
            hindrances: Vec::new(),
        };
        let named = |(variable, resource): (String, _)| (plan.name(&variable), resource);
        plan.tokens = tokens.into_iter().map(named).collect();
        let anywhere = Door::anywhere();
        let door = refresh.then_some(&anywhere);
        // The machine's identity may be known only later; its variables are taken all the same.
        let client = Some(plan.connection.client().unwrap_or_default());
        let variables = plan.variables(client, Some(PathBuf::new()), Some(PathBuf::new()), door);
        guards::variables(&plan.tokens, &variables)?;
        plan.hindrances = earlier::hindrances(env, &plan, &variables);
        if plan.needs_file() || plan.signs_az_in() {
            let path = Folder::propose(&job::temp_folder(env)?)?;
            let value = Value::Plain(path.to_string_lossy().into_owned());
            check(&Variable { name: "AGENT_TEMPDIRECTORY".to_owned(), value })?;
            plan.folder = Some(path);
        }
        Ok(plan)
    }

    /// What works, and may not be what was meant.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let authority = self.connection.unknown_authority().map(|host| {
            format!("The connection's authority {host} is none that is known for Entra. If nobody configured it, look for a step that changed the connection.")
        });
        let both = [Family::TokenFile, Family::AzureSdk].iter().all(|family| self.families.contains(family));
        let file = both.then(|| {
            "exports has token-file beside azure-sdk: SDKs prefer the file and keep what they read for 5 to 10 minutes, longer than a short id token lives".to_owned()
        });
        let hindrances = (!self.hindrances.is_empty()).then(|| {
            format!("The job sets {}, which tools take before what this session gives them: nothing would be refreshed, and by a connection's id the broker's key would be sent to Azure DevOps. Remove them.", self.hindrances.join(", "))
        });
        authority.into_iter().chain(file).chain(hindrances).chain(self.connection.stored_secret_warning())
    }

    /// What to ask Entra for. A session that leaves an id token for Azure is proved to work, even where no access
    /// token is asked for; one that leaves it for others need not be known to Azure.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let for_azure = self.families.iter().any(|family| *family != Family::TokenFile);
        if self.tokens.is_empty() && for_azure {
            return vec![self.connection.audiences.resource_manager()];
        }
        self.tokens.iter().map(|(_, resource)| resource.clone()).collect()
    }

    /// Whether a family reads the id token from a file: all do in a snapshot, one does beside a broker.
    pub(super) fn needs_file(&self) -> bool {
        if self.refresh { self.families.contains(&Family::TokenFile) } else { !self.families.is_empty() }
    }

    pub(super) fn granted(&self, signed_in: &SignedIn) -> Vec<Granted> {
        let named = self.tokens.iter().zip(&signed_in.access_tokens);
        named
            .map(|((variable, resource), access)| Granted {
                variable: variable.clone(),
                resource: resource.clone(),
                token: access.token.clone(),
                expires: access.expires,
            })
            .collect()
    }

    pub(super) fn signs_az_in(&self) -> bool {
        self.refresh && self.families.contains(&Family::AzureCli)
    }

    /// What `az` is to know of the client that is signed in, where `az` is to be too.
    pub(super) fn azure_cli(&self, env: &Env, client: Option<Uuid>) -> Option<AzureCliProfile> {
        let Connection { tenant, subscription, cloud, authority, audiences, .. } = &self.connection;
        let known = cloud.map(|cloud| [cloud.authority(), cloud.resource_manager()]);
        let own = [authority.bare(), self.resource_manager.trim_end_matches('/')];
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
            resource_manager: self.resource_manager.clone(),
            audience: audiences.resource_manager.clone(),
            custom: known != Some(own),
            az_version: azure_cli::version(env),
        })
    }

    /// What an earlier session of this name has left, and this one does not set anew.
    pub(super) fn leftovers(&self, env: &Env, variables: &[Variable]) -> Vec<String> {
        let facts = self.facts(Some(Uuid::nil()), Some(PathBuf::new()), Some(PathBuf::new()));
        let own: BTreeSet<_> = variables.iter().map(|variable| variable.name.as_str()).collect();
        let names = earlier::names(facts).into_iter().map(|name| self.name(&name));
        let left = names.filter(|name| env.get(name).is_some() && !own.contains(name.as_str()));
        let left: Vec<_> = left.collect();
        if earlier::is_there(env, |name| self.name(name)) { left } else { Vec::new() }
    }

    /// Whether a session has a name, and names of its own for everything.
    pub(super) fn is_named(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn variables(
        &self,
        client: Option<Uuid>,
        id_token_file: Option<PathBuf>,
        azure_cli_folder: Option<PathBuf>,
        door: Option<&Door>,
    ) -> Vec<Variable> {
        let facts = self.facts(client, id_token_file, azure_cli_folder);
        let variables = match door {
            Some(door) => exports::live(&self.families, &facts, door),
            None => exports::snapshot(&self.families, &facts),
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
            tenant: self.connection.tenant,
            subscription: self.connection.subscription.as_ref().map(|subscription| subscription.id),
            authority: self.connection.authority.as_str().to_owned(),
            cloud: self.connection.cloud,
            id_token_file,
            azure_cli_folder,
            azure_cli_extensions: self.extensions.clone(),
            machine: self.machine.clone(),
        }
    }

    pub(super) fn name(&self, variable: &str) -> String {
        self.session.as_ref().map_or_else(|| variable.to_owned(), |session| session.prefixed(variable))
    }
}
