//! The life of one run: source, sign-in, broker, command, end.

use std::{io::Write, path::PathBuf, sync::Arc};

use wif_azure::identity::AzureIdentity;
use wif_core::{
    azure::{allowed::Allowed, resource::Resource},
    code::Code,
    exports::{self, Family},
    failure::Failure,
    foreign_text::one_line,
    retry::RetryClass,
    secret::Secret,
};
use wif_io::{
    child::{ChildCommand, ChildVariable, ErrorStream, ProcessGroup, RunningChild, Signals, StartError},
    clock::Clock,
    env::Env,
    http::Http,
    private_folder::Folder,
};

use uuid::Uuid;

use super::{
    command::environment,
    folder,
    log::Log,
    prepared::{Prepared, prepare},
    request::{Request, invalid},
};
use crate::{
    agent::{
        commands::{Commands, OutputError},
        network::{self, Remarks},
    },
    session::{
        local::{self, Renewal},
        start::NewSession,
        unowned::Unowned,
    },
    sign_in::SignIn,
    sources::{IdTokenSource, aws, choice::SourceName, token_proxy::TokenProxy},
    task::{azure_cli, plan::Plan},
};

/// The machine that the command runs on.
pub struct Machine<'a> {
    /// The environment.
    pub env: &'a Env,
    /// Where this program is.
    pub program: Option<PathBuf>,
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Standard error: standard output is the command's.
    pub errors: &'a mut (dyn Write + Send),
    /// Where the agent reads what it is to hide.
    pub masks: &'a mut (dyn Write + Send),
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The command ended with this exit code.
    Command(i32),
    /// A signal of this number came before there was a command.
    Signal(i32),
    /// There was no command to run, or no session to run it in.
    Failed {
        /// Why.
        failure: Box<Failure>,
        /// The exit code that says the same.
        exit_code: u8,
    },
}

/// Signs in, runs the command with the session's variables, and ends the session with it.
pub async fn run(machine: Machine<'_>, request: &Request, mut signals: Signals) -> Ended {
    match attempt(machine, request, &mut signals).await {
        Ok(ended) => ended,
        Err(failure) => Ended::Failed { exit_code: exit_code(&failure), failure: Box::new(failure) },
    }
}

async fn attempt(machine: Machine<'_>, request: &Request, signals: &mut Signals) -> Result<Ended, Failure> {
    let Machine { env: own, program, clock, errors, masks } = machine;
    let masks = Some(masks).filter(|_| own.is_true("TF_BUILD"));
    let mut log = Log { errors, masks, verbose: request.verbose };
    let Prepared { env, plan, source_name, source } = prepare(request, own, &clock, &mut log).await?;
    let env = &env;
    let (network, Remarks { mut warnings, notes }) = network::settings(env)?;
    warnings.extend(plan.warnings.iter().map(|&warning| warning.to_owned()));
    warnings.extend(azure_cli::warning(&plan));
    log.note_all(&notes);
    plan.notes.iter().for_each(|note| log.note(note));
    log.say_all(&warnings);
    let folder = plan.needs_folder().then(|| folder::make(own)).transpose()?;

    let http = Arc::new(Http::new(network, Arc::clone(&clock))?);
    let resources = resources(&plan, &source_name);
    let (identity, exchange) = &exchange_by(&source_name, env, &plan, &http, &mut log).await?;
    let unowned = Unowned::default();
    let signing_in = async {
        let listing = plan.listing(&http);
        let sign_in = SignIn {
            http: Arc::clone(exchange),
            env,
            identity,
            source: &*source,
            listing: listing.as_ref().ok(),
        };
        // Without a file of it, the command finds no id token.
        let gets_id_token = plan.needs_file();
        let mut mask = |id_token: &Secret| if gets_id_token { log.mask(id_token) } else { Ok(()) };
        let signed_in = sign_in.run(&resources, &mut mask).await?;
        let (assertion, mut mask) = (plan.assertion(&signed_in), |secret: &Secret| log.mask(secret));
        let granted =
            plan.targets.sign_in(&http, &*source, &signed_in, assertion, &unowned, &mut mask).await?;
        let file = folder.as_ref().filter(|_| plan.needs_file()).zip(signed_in.id_token.as_ref());
        let file = file.map(|(folder, id_token)| folder.write("id-token", &id_token.token)).transpose()?;
        let broker = if plan.refresh {
            let renewal = Renewal {
                env,
                identity,
                source: Arc::clone(&source),
                http: exchange,
                direct: &http,
                allowed: &plan.allowed,
                targets: &plan.targets.set,
            };
            let session = NewSession {
                resources: resources.iter().collect(),
                targets: &granted,
                ..plan.new_session(&signed_in, file.clone())
            };
            Some(local::start(renewal, session).await?)
        } else {
            None
        };
        let mut said = Vec::new();
        let mut commands = Commands::new(&mut said, env);
        let client = signed_in.client;
        let azure_cli =
            azure_cli::sign_in(folder.as_ref(), own, &plan, client, &listing, &mut commands).await?;
        String::from_utf8_lossy(&said).lines().for_each(|line| log.note(line));
        let endpoint = broker.as_ref().map(|broker| &broker.endpoint);
        let notes = plan.targets.prepare(env, folder.as_ref(), endpoint, &granted, program.as_deref())?;
        log.note_all(&notes);
        if let Some(endpoint) = endpoint {
            log.mask(&endpoint.key).map_err(OutputError)?;
        }
        let tokens = plan.named_tokens(&signed_in);
        for granted in &tokens {
            log.mask(&granted.token).map_err(OutputError)?;
        }
        let mut variables = plan.variables(client, file, azure_cli, endpoint);
        variables.extend(exports::access_tokens(&tokens));
        if let Some(warning) = sign_in.clock_warning() {
            log.say(&warning);
        }
        note_who(&mut log, client, identity, &*source);
        Ok::<_, Failure>((broker, variables))
    };
    let prepared = tokio::select! {
        biased;
        signal = signals.ending() => Err(signal),
        prepared = signing_in => Ok(prepared),
    };
    if !matches!(prepared, Ok(Ok(_))) {
        log.say_all(&unowned.revoke().await);
    }
    let (broker, variables) = match prepared {
        Ok(prepared) => prepared?,
        Err(signal) => return Ok(Ended::Signal(signal)),
    };
    let of_source = of_source(&source_name, &plan);
    let session_folder = folder.as_ref().map(Folder::path);
    let environment = environment(&plan, own, &variables, of_source, program.as_deref(), session_folder);
    log.say_all(&environment.notes);
    let ended = run_command(request, &environment.variables, signals).await;
    if let Some(broker) = broker {
        log.say_all(&broker.end().await);
    }
    drop(folder);
    ended
}

/// The variables of the source that the command must not find: a role of AWS that the source has is not the one that the command
/// is signed in as.
fn of_source(source: &SourceName, plan: &Plan) -> &'static [&'static str] {
    // A named session has variables of its own, and leaves the others alone.
    let is_other_role =
        *source == SourceName::Aws && plan.families.contains(&Family::Aws) && !plan.is_named();
    if is_other_role { &aws::VARIABLES } else { &[] }
}

/// Says with `--verbose` who is signed in.
fn note_who(log: &mut Log<'_>, client: Option<Uuid>, identity: &AzureIdentity, source: &dyn IdTokenSource) {
    let who = client.map(|client| client.to_string()).unwrap_or_default();
    let (tenant, signer) = (identity.tenant, source.signer());
    log.note(&format!("signed in as {who} of the tenant {tenant} with an id token of {signer}"));
}

/// The service that id tokens are exchanged with, and the client for it: a pod may have a proxy of its cluster for that.
pub(super) async fn exchange_by(
    source: &SourceName,
    env: &Env,
    plan: &Plan,
    http: &Arc<Http>,
    log: &mut Log<'_>,
) -> Result<(AzureIdentity, Arc<Http>), Failure> {
    let mut identity = plan.connection.identity.clone();
    let proxy = if *source == SourceName::Kubernetes {
        TokenProxy::read(env, &plan.allowed_hosts).await?
    } else {
        None
    };
    let Some(TokenProxy { authority, settings }) = proxy else { return Ok((identity, Arc::clone(http))) };
    log.note(&format!("the exchange goes through the cluster's proxy {authority}"));
    identity.authority = authority;
    Ok((identity, Arc::new(Http::new(settings, http.shared_clock())?)))
}

/// Runs the command with these variables, to its end.
async fn run_command(
    request: &Request,
    variables: &[(String, ChildVariable)],
    signals: &mut Signals,
) -> Result<Ended, Failure> {
    let Some((name, arguments)) = request.command.split_first() else {
        return Err(invalid(
            "no command is named".to_owned(),
            "give it after --: wif exec --source … -- COMMAND …",
        ));
    };
    let command = ChildCommand {
        program: name,
        arguments,
        folder: None,
        variables,
        errors: ErrorStream::Inherited,
        group: ProcessGroup::Same,
        adopts_orphans: false,
    };
    match RunningChild::start(&command, signals) {
        Ok(mut child) => {
            let ending = child.wait(signals).await.map_err(|error| {
                Failure::new(Code::Bug, error, "report this with the version of the operating system")
            })?;
            Ok(Ended::Command(ending.exit_code()))
        }
        Err(error) => Ok(not_started(error, &name.to_string_lossy())),
    }
}

/// What to ask for at once: what the plan says, and from a source that gives one id token only, all that is declared.
fn resources(plan: &Plan, source: &SourceName) -> Vec<Resource> {
    let mut resources = plan.resources();
    if let (true, Allowed::Only(allowed)) = (source.is_static(), &plan.allowed) {
        let more: Vec<_> = allowed.iter().filter(|one| !resources.contains(one)).cloned().collect();
        resources.extend(more);
    }
    resources
}

/// The longest name of a program that an error shows, in characters.
const MAX_PROGRAM: usize = 200;

fn not_started(error: StartError, program: &str) -> Ended {
    let exit_code = error.exit_code();
    let (code, hint) = match &error {
        StartError::NotFound(_) => (
            Code::CommandMissing,
            "check its spelling and the PATH; a script needs what its first line (#!) names",
        ),
        _ => (
            Code::CommandNotExecutable,
            "name a program that this user may run, for this kind of machine; a shell's own words run as: sh -c '…'",
        ),
    };
    let text = format!("the command {} was not started", one_line(program, MAX_PROGRAM));
    let failure = Failure::new(code, NotStarted { text, source: error }, hint);
    Ended::Failed { failure: Box::new(failure), exit_code }
}

#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct NotStarted {
    text: String,
    source: StartError,
}

/// 2: the arguments, the inputs or the source; 3: a service refused; 4: a service was not reached; 1: anything else.
#[must_use]
pub fn exit_code(failure: &Failure) -> u8 {
    use Code as C;
    match (failure.code, failure.retry_class) {
        (C::SourceAbsent | C::SourceAmbiguous | C::SourceTokenUnusable | C::SourceTokenEnded, _) => 2,
        (_, RetryClass::Unreachable | RetryClass::Busy { .. }) => 4,
        (code, _) => match code.as_str().as_bytes().get(3) {
            Some(b'1') => 2,
            Some(b'2') => 3,
            Some(b'3') => 4,
            _ => failure.exit_code(),
        },
    }
}
