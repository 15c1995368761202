//! The main stage: sign in, and leave to later steps what they need.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    FOLDER_VARIABLE, guards,
    sign_in::{SignIn, SignedIn},
    summary::Summary,
};
use crate::{
    agent::{
        commands::{Commands, Visibility},
        connection::{self, Connection},
        inputs::{Inputs, SessionName},
        job, network,
    },
    env::Env,
    error::Failure,
    exports::{self, Facts, Family, Granted, Value, Variable},
    folder::Folder,
    http::Http,
    identity::resource::Resource,
    world::World,
};

/// A value that the agent would change before a later step sees it.
#[derive(Debug, thiserror::Error)]
#[error("the value of {name} holds {what}, so that later steps would not find it as it is")]
pub(super) struct ValueError {
    name: String,
    what: &'static str,
}

/// Standard output is gone.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub(super) struct OutputError(#[from] io::Error);

/// What is wanted, found out before any request.
struct Plan {
    connection: Connection,
    families: BTreeSet<Family>,
    session: Option<SessionName>,
    /// Variable, session included, and resource.
    tokens: Vec<(String, Resource)>,
    /// Where the id token will be, if a family needs it.
    folder: Option<PathBuf>,
}

/// Signs in and exports. Everything that can fail comes before the first export.
///
/// # Errors
///
/// Whatever went wrong; nothing is exported then, and no file is left.
pub async fn run(world: &mut World) -> Result<(), Failure> {
    let plan = Plan::make(&world.env)?;
    let (settings, mut warnings) = network::settings(&world.env)?;
    warnings.extend(plan.warnings());
    let mut commands = Commands::new(&mut *world.out, &world.env);
    warnings.iter().try_for_each(|warning| commands.warning(warning)).map_err(OutputError)?;
    let folder = plan.folder.as_deref().map(|path| make_folder(&mut commands, path)).transpose()?;

    let http = Arc::new(Http::new(settings, Arc::clone(&world.clock))?);
    let sign_in = SignIn { http, env: &world.env, connection: &plan.connection };
    let signed_in = sign_in.run(&plan.resources(), |id_token| commands.mask(id_token)).await?;
    let tokens = plan.granted(&signed_in);
    let id_token = &signed_in.id_token.token;
    let file = folder.as_ref().map(|folder| folder.write("id-token", id_token)).transpose()?;
    let mut variables = plan.variables(file);
    variables.extend(exports::access_tokens(&tokens));
    variables.iter().try_for_each(check)?;
    let around_proxy = around_proxy(&world.env);

    tokens.iter().try_for_each(|granted| commands.mask(&granted.token)).map_err(OutputError)?;
    export(&mut commands, &variables, world.program.as_deref()).map_err(OutputError)?;
    around_proxy
        .iter()
        .try_for_each(|(name, value, visibility)| commands.set_variable(name, value, *visibility))
        .map_err(OutputError)?;
    if let Some(folder) = folder {
        folder.keep();
    }
    if let Some(warning) = sign_in.clock_warning() {
        commands.warning(&warning).map_err(OutputError)?;
    }
    let summary = Summary {
        connection: &plan.connection,
        signed_in: &signed_in,
        tokens: &tokens,
        exported: &variables,
        now: world.clock.now(),
    };
    summary.write(&mut commands).map_err(OutputError)?;
    Ok(())
}

impl Plan {
    fn make(env: &Env) -> Result<Self, Failure> {
        let inputs = Inputs::read(env)?;
        guards::scheme(&inputs, connection::scheme(env, inputs.connection)?)?;
        let connection = Connection::read(env, inputs.connection)?;
        guards::connection(&inputs, &connection)?;
        let families = guards::families(&inputs)?;
        inputs.allowed_resources(&connection.audiences)?;
        let tokens = inputs.access_tokens(&connection.audiences)?;
        let mut plan =
            Self { connection, families, session: inputs.session, tokens: Vec::new(), folder: None };
        let named = |(variable, resource): (String, _)| (plan.name(&variable), resource);
        plan.tokens = tokens.into_iter().map(named).collect();
        guards::variables(&plan.tokens, &plan.variables(Some(PathBuf::new())))?;
        if !plan.families.is_empty() {
            let path = Folder::propose(&job::temp_folder(env)?)?;
            let value = Value::Plain(path.to_string_lossy().into_owned());
            check(&Variable { name: "AGENT_TEMPDIRECTORY".to_owned(), value })?;
            plan.folder = Some(path);
        }
        Ok(plan)
    }

    /// What works, and may not be what was meant.
    fn warnings(&self) -> impl Iterator<Item = String> {
        let authority = self.connection.unknown_authority().map(|host| {
            format!("The connection's authority {host} is none that is known for Entra. If nobody configured it, look for a step that changed the connection.")
        });
        let both = [Family::TokenFile, Family::AzureSdk].iter().all(|family| self.families.contains(family));
        let file = both.then(|| {
            "exports has token-file beside azure-sdk: SDKs prefer the file and keep what they read for 5 to 10 minutes, longer than a short id token lives".to_owned()
        });
        authority.into_iter().chain(file)
    }

    /// What to ask Entra for. A session that leaves an id token for Azure is proved to work, even where no access
    /// token is asked for; one that leaves it for others need not be known to Azure.
    fn resources(&self) -> Vec<Resource> {
        let for_azure = self.families.iter().any(|family| *family != Family::TokenFile);
        if self.tokens.is_empty() && for_azure {
            return vec![self.connection.audiences.resource_manager()];
        }
        self.tokens.iter().map(|(_, resource)| resource.clone()).collect()
    }

    fn granted(&self, signed_in: &SignedIn) -> Vec<Granted> {
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

    fn variables(&self, id_token_file: Option<PathBuf>) -> Vec<Variable> {
        let facts = Facts {
            client: self.connection.client,
            tenant: self.connection.tenant,
            subscription: self.connection.subscription.as_ref().map(|subscription| subscription.id),
            authority: self.connection.authority.as_str().to_owned(),
            cloud: self.connection.cloud,
            id_token_file,
        };
        let variables = exports::snapshot(&self.families, &facts).into_iter();
        variables.map(|variable| Variable { name: self.name(&variable.name), ..variable }).collect()
    }

    fn name(&self, variable: &str) -> String {
        self.session.as_ref().map_or_else(|| variable.to_owned(), |session| session.prefixed(variable))
    }
}

/// Loopback addresses are not for a proxy. Names of agent variables are the same in any case: `NO.PROXY` becomes
/// `NO_PROXY`, and `no_proxy` keeps its own.
fn around_proxy(env: &Env) -> Vec<(&'static str, String, Visibility)> {
    let set = [
        "AGENT_PROXYURL",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    if set.iter().all(|name| env.get(name).is_none()) {
        return Vec::new();
    }
    let extended = |first: &str, second: &str| {
        let mut hosts: Vec<_> = env
            .get(first)
            .or(env.get(second))
            .unwrap_or_default()
            .split(',')
            .filter(|host| !host.is_empty())
            .collect();
        hosts.extend(
            ["127.0.0.1", "localhost"].into_iter().filter(|host| !hosts.contains(host)).collect::<Vec<_>>(),
        );
        hosts.join(",")
    };
    vec![
        ("NO.PROXY", extended("NO_PROXY", "no_proxy"), Visibility::Plain),
        ("no_proxy", extended("no_proxy", "NO_PROXY"), Visibility::CaseKept),
    ]
}

/// The post-job stage hears of the folder before it is there, so that it is removed even if this process is killed.
fn make_folder(commands: &mut Commands<'_>, path: &Path) -> Result<Folder, Failure> {
    commands.set_task_variable(FOLDER_VARIABLE, &path.to_string_lossy()).map_err(OutputError)?;
    Ok(Folder::create(path.to_owned())?)
}

/// The agent expands `$(…)` in values again before every step, and ends a command at a line end.
fn check(variable: &Variable) -> Result<(), ValueError> {
    let Value::Plain(value) = &variable.value else { return Ok(()) };
    let what = match value {
        value if value.contains("$(") => "$(",
        value if value.contains(['\r', '\n']) => "a line end",
        _ => return Ok(()),
    };
    Err(ValueError { name: variable.name.clone(), what })
}

fn export(commands: &mut Commands<'_>, variables: &[Variable], program: Option<&Path>) -> io::Result<()> {
    for Variable { name, value } in variables {
        match value {
            Value::Plain(text) => commands.set_variable(name, text, Visibility::Plain)?,
            Value::Secret(secret) => commands.set_variable(name, secret.expose(), Visibility::Secret)?,
        }
    }
    // A folder that the agent would not carry as it is, is no loss that a sign-in should fail for.
    match program.and_then(Path::parent).and_then(Path::to_str) {
        Some(folder) if !folder.contains(['\r', '\n']) => commands.prepend_path(folder),
        _ => Ok(()),
    }
}
