//! Leaving a broker to later steps: `refresh: true`.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE, BROKER_URL_VARIABLE,
    handover::{Handed, Handover},
    launch::{self, LaunchError, Starting},
    plan::Plan,
    run::OutputError,
    sign_in::SignedIn,
};
use crate::{
    agent::commands::Commands,
    broker::paths,
    env::Env,
    error::{Code, Failure},
    exports::Door,
    foreign_text::one_line,
    secret::Secret,
};

/// A broker that listens, and that later steps will know of.
pub(super) struct Left {
    pub(super) door: Door,
    pub(super) starting: Starting,
}

/// The variable by which a pipeline sets the broker's absolute end, in hours.
const HOURS_VARIABLE: &str = "WIF_SESSION_HOURS";
/// A job token ends after about a day.
const HOURS: u32 = 24;
/// No job is meant to take longer.
const MOST_HOURS: u32 = 24 * 14;

/// The variable's value is no time that a broker can live for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the variable {HOURS_VARIABLE} is '{}'; accepted: whole hours, 1 to {MOST_HOURS}",
    one_line(value, 100)
)]
pub(super) struct HoursError {
    value: String,
}

/// For how many hours the broker lives at the most.
pub(super) fn hours(env: &Env) -> Result<u32, HoursError> {
    let Some(value) = env.get(HOURS_VARIABLE) else { return Ok(HOURS) };
    let hours = value.trim().parse().ok().filter(|hours| (1..=MOST_HOURS).contains(hours));
    hours.ok_or_else(|| HoursError { value: value.to_owned() })
}

/// Starts the broker with what the step knows.
pub(super) async fn start(
    program: Option<&Path>,
    env: &Env,
    plan: &Plan,
    signed_in: &SignedIn,
    id_token_file: Option<PathBuf>,
    now: OffsetDateTime,
    commands: &mut Commands<'_>,
) -> Result<Left, Failure> {
    let key = random_key()?;
    commands.mask(&key).map_err(OutputError)?;
    let id_token = signed_in.id_token.as_ref();
    let granted = plan.tokens.iter().zip(&signed_in.access_tokens);
    let granted = granted.map(|((_, resource), access)| {
        (resource.scope().to_owned(), Handed::new(&access.token, now, access.expires))
    });
    let handover = Handover {
        variables: Handover::pick(env, plan.connection.id),
        key: Zeroizing::new(key.expose().to_owned()),
        client: signed_in.client.map(|client| client.to_string()),
        id_token: id_token.map(|id_token| Handed::new(&id_token.token, now, id_token.claims.expires)),
        access_tokens: granted.collect::<BTreeMap<_, _>>(),
        id_token_file,
        hours: plan.hours,
    };
    let starting = launch::launch(program, env, &handover).await?;
    let door = Door {
        url: format!("http://127.0.0.1:{}", starting.port),
        key,
        id_token: paths::ID_TOKEN,
        azd: paths::AZD,
        gives_id_token: plan.gives_id_token(),
    };
    // The post-job stage asks by these: a later step could set the others anew.
    commands.set_task_variable(BROKER_URL_VARIABLE, &door.url).map_err(OutputError)?;
    commands.set_task_variable(BROKER_KEY_VARIABLE, door.key.expose()).map_err(OutputError)?;
    if let Some(process) = &starting.process {
        commands.set_task_variable(BROKER_PROCESS_VARIABLE, &process.to_string()).map_err(OutputError)?;
    }
    Ok(Left { door, starting })
}

/// Takes back what the post-job stage was told of a broker.
pub(super) fn forget(commands: &mut Commands<'_>) -> io::Result<()> {
    [BROKER_URL_VARIABLE, BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE]
        .iter()
        .try_for_each(|name| commands.set_task_variable(name, ""))
}

/// 256 random bits, in hexadecimal digits.
fn random_key() -> Result<Secret, Failure> {
    let half = || {
        let mut random = Zeroizing::new([0_u8; 16]);
        getrandom::fill(random.as_mut_slice()).map(|()| u128::from_le_bytes(*random))
    };
    let no_random = |error| {
        Failure::new(Code::BrokerFailed, error, "run the job again; the system gave no random numbers")
    };
    let (first, second) = (half().map_err(no_random)?, half().map_err(no_random)?);
    Ok(Secret::new(format!("{first:032x}{second:032x}")))
}

impl From<HoursError> for Failure {
    fn from(error: HoursError) -> Self {
        let hint = "correct the variable, or leave it out: a broker then lives for a day at the most";
        Self::new(Code::InputInvalid, error, hint)
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let hint = "run the job again; if it lasts, let the agent's user run programs from the task's folder, or set refresh: false";
        Self::new(Code::BrokerFailed, error, hint)
    }
}
