//! `wif token` and `wif status`: asking the broker of this job's session.

use std::io::{self, Write};

use reqwest::Method;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use wif_broker::{
    client::{Address, BrokerError},
    paths,
};
use wif_core::{
    code::Code, failure::Failure, foreign_text::one_line, human_time::rfc3339, retry::RetryClass,
    secret::Secret,
};
use wif_io::{clock::Clock, env::Env, process::is_in_container};

use super::{
    Command, Screen,
    no_session::{not_reached, not_set},
    screen::unwritable,
};
use crate::agent::{
    commands::Commands,
    sessions::{broker_variables, prefix},
};

/// The longest value that the status shows, in characters.
const MAX_NAME: usize = 200;
/// How many lines of a broker's reason are shown.
const MAX_LINES: usize = 40;

/// Answers `wif token` and `wif status`.
///
/// # Errors
///
/// There is no session, its broker does not answer, or it refuses.
pub async fn ask(
    command: &Command,
    env: &Env,
    clock: &dyn Clock,
    out: &mut Screen<'_>,
    masks: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => {
            Failure::new(Code::Bug, "the broker gave no token", "run the command again")
        }
        _ => unwritable(error),
    };
    match command {
        Command::Token { resource, id_token, session, no_mask, json, curl } => {
            let address = address(env, &prefix(session.as_deref()))?;
            let query =
                [("resource", resource.as_deref().unwrap_or_default()), ("api-version", "2019-08-01")];
            let (asked, field) = if *id_token {
                (address.ask(clock, Method::POST, paths::ID_TOKEN, &[]).await, "oidcToken")
            } else {
                (address.ask(clock, Method::GET, paths::IDENTITY, &query).await, "access_token")
            };
            let answer = asked.map_err(|error| failure_of(error, env))?;
            let masks: Option<&mut (dyn Write + Send)> = if *no_mask { None } else { Some(masks) };
            let form = match () {
                () if *json => Form::Json,
                () if *curl => Form::Curl,
                () => Form::Plain,
            };
            print(&answer, field, form, env, out, masks).map_err(failed)
        }
        Command::Status { session, json } => {
            let address = address(env, &prefix(session.as_deref()))?;
            let answer = address.ask(clock, Method::GET, paths::STATUS, &[]).await;
            let answer = answer.map_err(|error| failure_of(error, env))?;
            if *json { out.text(&status_json(&answer)) } else { show(&answer, out) }.map_err(failed)
        }
        _ => Ok(()),
    }
}

/// Where the session's broker is: in the variables that the sign-in exported.
pub(super) fn address(env: &Env, prefix: &str) -> Result<Address, Failure> {
    let [url, key] = broker_variables(prefix);
    if let (Some(url), Some(key)) = (env.get(&url), env.secret(&key)) {
        return Address::new(url, key).map_err(|error| failure_of(error, env));
    }
    let why = not_set(env, prefix, is_in_container());
    let text = format!("this step finds no sign-in session: {url} and {key} are not set: {}", why.cause);
    Err(Failure::new(Code::BrokerGone, text, why.fix))
}

/// How a token is printed.
#[derive(Clone, Copy)]
enum Form {
    /// The token alone, for `$(wif token arm)`.
    Plain,
    /// One line of JSON, of the schema `wif.token/1`.
    Json,
    /// A line of curl's configuration, for `curl --config <(wif token arm --curl)`: the token is in no argument.
    Curl,
}

/// In a pipeline the agent is told to mask the token before it is printed.
fn print(
    answer: &Value,
    field: &str,
    form: Form,
    env: &Env,
    out: &mut Screen<'_>,
    masks: Option<&mut (dyn Write + Send)>,
) -> io::Result<()> {
    let token = answer.get(field).and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = Secret::new(token.ok_or(io::ErrorKind::InvalidData)?.to_owned());
    if let Some(masks) = masks.filter(|_| env.is_true("TF_BUILD")) {
        Commands::new(masks, env).mask(&token)?;
        // Before the caller has the token, and so before the step can print it.
        masks.flush()?;
    }
    match form {
        Form::Plain => out.token("", &token, ""),
        Form::Curl => out.token(r#"header = "Authorization: Bearer "#, &token, "\""),
        Form::Json => {
            let text = |field: &str| answer.get(field).and_then(Value::as_str);
            let until = text("expires_on").and_then(|until| until.parse().ok());
            let until = until.and_then(|until| OffsetDateTime::from_unix_timestamp(until).ok());
            let until = Value::from(until.map(rfc3339));
            let resource = Value::from(text("resource").map(|resource| one_line(resource, MAX_NAME)));
            let after = format!(r#"","tokenType":"Bearer","resource":{resource},"expiresOn":{until}}}"#);
            out.token(r#"{"schema":"wif.token/1","token":""#, &token, &after)
        }
    }
}

/// The status as the broker tells it, by the schema `wif.status/1`: the fields that are promised, and no others.
fn status_json(answer: &Value) -> String {
    let known = |object: &Value, names: &[&str]| -> Map<String, Value> {
        names
            .iter()
            .map(|name| {
                let value = match object.get(*name) {
                    Some(Value::String(text)) => Value::from(one_line(text, MAX_NAME)),
                    Some(value @ (Value::Number(_) | Value::Bool(_))) => value.clone(),
                    _ => Value::Null,
                };
                ((*name).to_owned(), value)
            })
            .collect()
    };
    let tokens = answer.get("tokens").and_then(Value::as_array).into_iter().flatten();
    let tokens: Vec<_> = tokens
        .map(|line| known(line, &["what", "until", "asked", "connections", "fetched", "renewing"]))
        .collect();
    let mut status = known(answer, &["tenant", "client", "refused"]);
    status.insert("schema".to_owned(), "wif.status/1".into());
    status.insert("tokens".to_owned(), tokens.into());
    Value::from(status).to_string()
}

fn show(answer: &Value, out: &mut Screen<'_>) -> io::Result<()> {
    let text = |object: &Value, field: &str| match object.get(field) {
        Some(Value::String(text)) => one_line(text, MAX_NAME),
        Some(Value::Number(number)) => number.to_string(),
        _ => "none".to_owned(),
    };
    out.text(&format!("tenant   {}", text(answer, "tenant")))?;
    out.text(&format!("client   {}", text(answer, "client")))?;
    out.text(&format!("refused  {}", text(answer, "refused")))?;
    out.text(&format!(
        "\n{:<48}{:<22}{:>8}{:>13}{:>9}",
        "token", "until", "asked", "connections", "fetched"
    ))?;
    for line in answer.get("tokens").and_then(Value::as_array).into_iter().flatten() {
        let (what, until) = (text(line, "what"), text(line, "until"));
        let [asked, connections, fetched] = ["asked", "connections", "fetched"].map(|name| text(line, name));
        out.text(&format!("{what:<48}{until:<22}{asked:>8}{connections:>13}{fetched:>9}"))?;
    }
    Ok(())
}

pub(super) fn failure_of(error: BrokerError, env: &Env) -> Failure {
    let (code, hint) = match &error {
        BrokerError::Refused { .. } => {
            (Code::BrokerRefused, "see the reason; `wif status` shows who the session is".to_owned())
        }
        BrokerError::Unproven { .. } => (
            Code::BrokerUnproven,
            "find out which program listens at this address (ss -ltnp), and why the broker ended before the job; then run the job again".to_owned(),
        ),
        BrokerError::NoRandom(_) => (Code::BrokerFailed, "run the job again".to_owned()),
        BrokerError::Gone(_) => {
            let why = not_reached(env, is_in_container());
            (Code::BrokerGone, format!("{}: {}", why.cause, why.fix))
        }
        BrokerError::Address | BrokerError::Broken | BrokerError::Unreadable | BrokerError::Slow(_) => (
            Code::BrokerGone,
            "run it in the same job as the sign-in, on the same machine or in the same container".to_owned(),
        ),
    };
    let retry_class = match &error {
        BrokerError::Address => RetryClass::Refused,
        BrokerError::Refused { status, .. } if *status < 500 => RetryClass::Refused,
        BrokerError::Refused { .. } => RetryClass::MayPass,
        _ => RetryClass::Unreachable,
    };
    // The lines below the first are a failure's own details; as such they cannot pass for a line of ours.
    let more: Vec<_> = match &error {
        BrokerError::Refused { reason, .. } => {
            reason.lines().skip(1).take(MAX_LINES).map(|line| line.trim_start().to_owned()).collect()
        }
        _ => Vec::new(),
    };
    // The broker could not read what the caller asked for.
    let by_caller = matches!(&error, BrokerError::Refused { status: 400, .. });
    let failure = Failure::new(code, error, hint).with_details(more).with_retry_class(retry_class);
    if by_caller { failure.by_caller() } else { failure }
}
