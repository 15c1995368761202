//! Leaving a broker to later steps: `refresh: true`.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use time::OffsetDateTime;
use uuid::Uuid;
use wif_broker::paths;
use wif_core::{
    azure::resource::Resource, code::Code, exports::BrokerEndpoint, failure::Failure, secret::Secret,
    token::lifetime::Lifetime,
};
use wif_io::{clock::Clock, endpoint::Endpoint, env::Env, random};
use zeroize::Zeroizing;

use super::{
    handover::{Handed, Handover},
    launch::{self, BrokerProcess, LaunchError},
};
use crate::{
    agent::{
        commands::{Commands, OutputError},
        task_variables::{BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE, BROKER_URL_VARIABLE},
    },
    sign_in::SignedIn,
    targets::Granted,
};

/// A broker that listens, and that later steps will know of.
pub(crate) struct StartedBroker {
    pub(crate) endpoint: BrokerEndpoint,
    pub(crate) process: BrokerProcess,
}

/// The step that starts a broker.
pub(crate) struct Step<'a> {
    /// The program that serves, which is the step's own.
    pub(crate) program: Option<&'a Path>,
    pub(crate) env: &'a Env,
    pub(crate) clock: &'a dyn Clock,
}

/// What a broker is started with.
pub(crate) struct NewSession<'a> {
    /// The connection's id.
    pub(crate) connection: Uuid,
    pub(crate) signed_in: &'a SignedIn,
    /// What the access tokens of the sign-in are for, in their order.
    pub(crate) resources: Vec<&'a Resource>,
    /// The file that the broker keeps the id token in.
    pub(crate) id_token_file: Option<PathBuf>,
    /// For how many hours the broker lives at the most.
    pub(crate) hours: u32,
    /// Whether later steps may have the id token.
    pub(crate) gives_id_token: bool,
    /// Where Azure Resource Manager is.
    pub(crate) resource_manager: Option<&'a Endpoint>,
    /// The credentials of other clouds that the step got.
    pub(crate) targets: &'a [Granted],
}

/// Starts the broker with what the step knows.
///
/// # Errors
///
/// The system gives no random numbers, the broker does not start, or the agent closed the step's output.
pub(crate) async fn start(
    step: &Step<'_>,
    session: NewSession<'_>,
    commands: &mut Commands<'_>,
) -> Result<StartedBroker, Failure> {
    let gives_id_token = session.gives_id_token;
    let key = random_key()?;
    commands.mask(&key).map_err(OutputError)?;
    let variables = Handover::pick(step.env, session.connection);
    let handover = session.handover(variables, &key, step.clock.now());
    let process = launch::launch(step.program, step.env, step.clock, &handover).await?;
    let endpoint = endpoint(process.port, key, gives_id_token);
    // The post-job stage asks by these: a later step could set the others anew.
    commands.set_task_variable(BROKER_URL_VARIABLE, &endpoint.url).map_err(OutputError)?;
    commands.set_task_variable(BROKER_KEY_VARIABLE, endpoint.key.expose()).map_err(OutputError)?;
    if let Some(process) = &process.record {
        commands.set_task_variable(BROKER_PROCESS_VARIABLE, &process.to_string()).map_err(OutputError)?;
    }
    Ok(StartedBroker { endpoint, process })
}

impl NewSession<'_> {
    /// What the broker begins with, beside what a sign-in is made of.
    pub(super) fn handover(
        self,
        variables: BTreeMap<String, Zeroizing<String>>,
        key: &Secret,
        now: OffsetDateTime,
    ) -> Handover {
        let Self { signed_in, resources, id_token_file, hours, targets, .. } = self;
        let id_token = signed_in.id_token.as_ref();
        let granted = resources.into_iter().zip(&signed_in.access_tokens);
        let granted = granted.map(|(resource, access)| {
            (resource.scope().to_owned(), Handed::new(&access.token, now, access.expires))
        });
        let targets = targets.iter().map(|Granted { family, credential }| {
            let Lifetime { from, until } = credential.lifetime;
            (family.as_str().to_owned(), Handed::new(&credential.token, from, until))
        });
        Handover {
            variables,
            key: Zeroizing::new(key.expose().to_owned()),
            client: signed_in.client.map(|client| client.to_string()),
            id_token: id_token.map(|id_token| Handed::new(&id_token.token, now, id_token.claims.expires)),
            access_tokens: granted.collect::<BTreeMap<_, _>>(),
            targets: targets.collect(),
            id_token_file,
            hours,
        }
    }
}

/// Where a broker is that listens on a port.
pub(super) fn endpoint(port: u16, key: Secret, gives_id_token: bool) -> BrokerEndpoint {
    BrokerEndpoint {
        url: format!("http://127.0.0.1:{port}"),
        key,
        id_token: paths::ID_TOKEN,
        google_id_token: paths::GOOGLE_ID_TOKEN,
        azd: paths::AZD,
        gives_id_token,
    }
}

/// Takes back what the post-job stage was told of a broker.
pub(crate) fn clear_task_variables(commands: &mut Commands<'_>) -> io::Result<()> {
    [BROKER_URL_VARIABLE, BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE]
        .iter()
        .try_for_each(|name| commands.set_task_variable(name, ""))
}

/// 256 random bits, in hexadecimal digits.
pub(super) fn random_key() -> Result<Secret, Failure> {
    let half = || random::bytes().map(|random| u128::from_le_bytes(*random));
    let no_random = |error| {
        Failure::new(Code::BrokerFailed, error, "run the job again; the system gave no random numbers")
    };
    let (first, second) = (half().map_err(no_random)?, half().map_err(no_random)?);
    Ok(Secret::new(format!("{first:032x}{second:032x}")))
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let hint = "run the job again; if it lasts, let the agent's user run programs from the task's folder, or set refresh: false";
        Self::new(Code::BrokerFailed, error, hint)
    }
}
