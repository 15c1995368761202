//! `wif credential`: the protocols by which other tools ask a program for credentials. Each asks this job's broker every time.
//!
//! Source: docker/docker-credential-helpers, `credentials/credentials.go`; git's documentation, git-credential; pypa/pip,
//! `network/auth.py`; the Kubernetes documentation, "client-go credential plugins"; AWS' documentation, "Sourcing credentials with
//! an external process".

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
};

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;
use wif_broker::{
    client::{Address, BrokerError},
    paths,
};
use wif_core::{
    azure::hosts::{AllowedHosts, HTTPS, Service},
    code::Code,
    failure::Failure,
    foreign_text::one_line,
    human_time::rfc3339,
    secret::Secret,
};
use wif_io::{clock::Clock, env::Env, private_folder::Folder, program};

use super::{
    Screen,
    ask::{address, failure_of},
    operator::start,
    screen::unwritable,
};
use crate::agent::{
    commands::Commands,
    docker_registries,
    sessions::{self, prefix},
    target_inputs::is_feed_host,
};

/// What a tool asks for.
#[derive(Debug, Args)]
pub struct CredentialArguments {
    /// The protocol
    #[arg(value_name = "TOOL", value_parser = ["aws", "docker", "git", "keyring", "kubernetes"])]
    tool: String,
    /// The session's name, when the job signed in to several connections
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// A host of Azure DevOps beside the known ones, for git
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// What the tool adds, such as get
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// No tool sends more, in bytes.
const MAX_INPUT_BYTES: u64 = 64 * 1024;
/// The longest text that an error shows, in characters.
const MAX_SHOWN: usize = 200;
/// The user that Azure DevOps takes with any token.
const USER: &str = "wif";
/// What Docker takes for "there is none", so that it goes on without: on standard output.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The streams of a helper.
pub struct Streams<'a> {
    /// What the tool sends.
    pub input: &'a mut (dyn Read + Send),
    /// What the tool reads.
    pub out: Screen<'a>,
    /// Where the agent reads what it is to hide.
    pub masks: &'a mut (dyn Write + Send),
}

/// Answers a tool, and gives the exit code that it expects.
///
/// # Errors
///
/// There is no session, its broker refuses, or the tool has sent what its protocol does not have. Docker hears of it on standard
/// output instead.
pub async fn credential(
    arguments: &CredentialArguments,
    env: &Env,
    clock: &dyn Clock,
    streams: &mut Streams<'_>,
) -> Result<u8, Failure> {
    let helper = Helper { arguments, env, clock };
    match arguments.tool.as_str() {
        "aws" => helper.aws(streams).await,
        "docker" => helper.docker(streams).await,
        "git" => helper.git(streams).await,
        "kubernetes" => helper.kubernetes(streams).await,
        _ => helper.keyring(streams).await,
    }
}

struct Helper<'a> {
    arguments: &'a CredentialArguments,
    env: &'a Env,
    clock: &'a dyn Clock,
}

impl Helper<'_> {
    fn operation(&self) -> &OsStr {
        self.arguments.arguments.first().map_or(OsStr::new(""), OsString::as_os_str)
    }

    fn address(&self) -> Result<Address, Failure> {
        address(self.env, &prefix(self.arguments.session.as_deref()))
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let answer = self.address()?.ask(self.clock, Method::GET, path, query).await;
        answer.map_err(|error| failure_of(error, self.env))
    }

    /// An access token, and when it ends.
    async fn access_token(
        &self,
        resource: &str,
        streams: &mut Streams<'_>,
    ) -> Result<(Secret, Option<OffsetDateTime>), Failure> {
        self.access_token_of(&prefix(self.arguments.session.as_deref()), resource, streams).await
    }

    /// The same, of the session whose variables begin so.
    async fn access_token_of(
        &self,
        session: &str,
        resource: &str,
        streams: &mut Streams<'_>,
    ) -> Result<(Secret, Option<OffsetDateTime>), Failure> {
        let query = [("resource", resource), ("api-version", "2019-08-01")];
        let broker = address(self.env, session)?;
        let answer = broker.ask(self.clock, Method::GET, paths::IDENTITY, &query).await;
        let answer = answer.map_err(|error| failure_of(error, self.env))?;
        let token = field(&answer, "access_token")?;
        self.mask(&token, streams)?;
        let until = answer.get("expires_on").and_then(Value::as_str).and_then(|until| until.parse().ok());
        Ok((token, until.and_then(|until| OffsetDateTime::from_unix_timestamp(until).ok())))
    }

    /// Before the tool has a secret, and so before it can print it.
    fn mask(&self, secret: &Secret, streams: &mut Streams<'_>) -> Result<(), Failure> {
        if !self.env.is_true("TF_BUILD") {
            return Ok(());
        }
        let masked = Commands::new(&mut *streams.masks, self.env).mask(secret);
        masked.and_then(|()| streams.masks.flush()).map_err(unwritable)
    }

    async fn aws(&self, streams: &mut Streams<'_>) -> Result<u8, Failure> {
        let answer = self.ask(paths::AWS, &[]).await?;
        let [secret, session] = [field(&answer, "SecretAccessKey")?, field(&answer, "Token")?];
        self.mask(&secret, streams)?;
        self.mask(&session, streams)?;
        let text = |name: &str| Value::from(answer.get(name).and_then(Value::as_str).unwrap_or_default());
        let out = &mut streams.out;
        let begin = format!(r#"{{"Version":1,"AccessKeyId":{},"SecretAccessKey":""#, text("AccessKeyId"));
        out.token(&begin, &secret, "\",").map_err(written)?;
        out.token(r#""SessionToken":""#, &session, &format!(r#"","Expiration":{}}}"#, text("Expiration")))
            .map_err(written)?;
        Ok(0)
    }

    async fn docker(&self, streams: &mut Streams<'_>) -> Result<u8, Failure> {
        let input = read(streams.input)?;
        let operation = self.operation();
        if operation == "version" {
            let text = concat!(
                "docker-credential-wif (",
                env!("CARGO_PKG_REPOSITORY"),
                ") ",
                env!("CARGO_PKG_VERSION")
            );
            streams.out.text(text).map_err(unwritable)?;
            return Ok(0);
        }
        if operation == "list" {
            let session = self.arguments.session.as_deref();
            let all = Value::from(docker_registries::of_session(self.env, session));
            streams.out.text(&all.to_string()).map_err(unwritable)?;
            return Ok(0);
        }
        // After a login to a registry of the session, or a logout, the session is signed in as before.
        if operation == "store" || operation == "erase" {
            return Ok(0);
        }
        if operation != "get" {
            return Err(unknown("get, store, erase, list or version"));
        }
        let server = input.trim();
        let host = server.split_once("://").map_or(server, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let asked = match self.address() {
            Ok(broker) => broker.ask(self.clock, Method::GET, paths::REGISTRY, &[("server", &host)]).await,
            Err(failure) => {
                streams.out.text(&failure.to_string()).map_err(unwritable)?;
                return Ok(1);
            }
        };
        let said = match asked {
            Ok(answer) => {
                let password = field(&answer, "Secret")?;
                self.mask(&password, streams)?;
                let user = Value::from(answer.get("Username").and_then(Value::as_str).unwrap_or_default());
                let server = Value::from(one_line(server, MAX_SHOWN));
                let before = format!(r#"{{"ServerURL":{server},"Username":{user},"Secret":""#);
                streams.out.token(&before, &password, r#""}"#).map_err(written)?;
                return Ok(0);
            }
            Err(BrokerError::Refused { status: 404, .. }) => NOT_FOUND.to_owned(),
            Err(error) => failure_of(error, self.env).to_string(),
        };
        streams.out.text(&said).map_err(unwritable)?;
        Ok(1)
    }

    async fn git(&self, streams: &mut Streams<'_>) -> Result<u8, Failure> {
        let input = read(streams.input)?;
        if self.operation() != "get" {
            return Ok(0);
        }
        let value = |name: &str| {
            let mut pairs = input.lines().rev().filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value).unwrap_or_default()
        };
        let host = value("host").to_ascii_lowercase();
        let is_known = AllowedHosts::default().admits(Service::DevOps, &host, HTTPS);
        if value("protocol") != "https"
            || !(is_known || self.arguments.host.as_deref() == Some(host.as_str()))
        {
            return Ok(0);
        }
        let (token, until) = match self.access_token("devops", streams).await {
            Ok(granted) => granted,
            Err(failure) => {
                // Else git would ask the user, who is not there.
                streams.out.text("quit=1").map_err(unwritable)?;
                return Err(failure);
            }
        };
        let until = until.map(|until| format!("password_expiry_utc={}\n", until.unix_timestamp()));
        let until = until.unwrap_or_default();
        // Git before 2.46 takes Basic only, and Azure Repos takes an access token where it takes a password.
        if input.lines().any(|line| line == "capability[]=authtype") {
            let text = format!("capability[]=authtype\nauthtype=Bearer\nephemeral=1\n{until}");
            streams.out.text(text.trim_end()).map_err(unwritable)?;
            streams.out.token("credential=", &token, "").map_err(written)?;
        } else {
            // git would take another name for that of the URL, and ask for a login of that one the next time.
            let user = Some(value("username")).filter(|user| !user.is_empty()).unwrap_or(USER);
            let text = format!("username={user}\n{until}");
            streams.out.text(text.trim_end()).map_err(unwritable)?;
            streams.out.token("password=", &token, "").map_err(written)?;
        }
        Ok(0)
    }

    async fn kubernetes(&self, streams: &mut Streams<'_>) -> Result<u8, Failure> {
        const VERSIONS: [&str; 2] =
            ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
        let info = self.env.get("KUBERNETES_EXEC_INFO").map(serde_json::from_str::<Value>);
        let wanted = match &info {
            None => Some(VERSIONS[0]),
            Some(Ok(info)) => info.get("apiVersion").and_then(Value::as_str),
            Some(Err(_)) => None,
        };
        let version = wanted.filter(|wanted| VERSIONS.contains(wanted)).ok_or_else(|| {
            let text = "KUBERNETES_EXEC_INFO names no version of the protocol that is known".to_owned();
            let hint = format!("name one of these in the kubeconfig: {}", VERSIONS.join(", "));
            Failure::new(Code::InputInvalid, text, hint)
        })?;
        let (token, until) = self.access_token("aks", streams).await?;
        let until = Value::from(until.map(rfc3339));
        let before = format!(
            r#"{{"apiVersion":"{version}","kind":"ExecCredential","status":{{"expirationTimestamp":{until},"token":""#
        );
        streams.out.token(&before, &token, r#""}}"#).map_err(written)?;
        Ok(0)
    }

    async fn keyring(&self, streams: &mut Streams<'_>) -> Result<u8, Failure> {
        let given: Vec<_> =
            self.arguments.arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        let (mut with_user, mut as_json) = (false, false);
        let mut words = Vec::new();
        let mut rest = given.iter().map(|word| &**word);
        while let Some(word) = rest.next() {
            match word {
                "--mode" => with_user = rest.next() == Some("creds"),
                "--mode=creds" => with_user = true,
                "--output" => as_json = rest.next() == Some("json"),
                "--output=json" => as_json = true,
                word if word.starts_with("--") => {}
                word => words.push(word),
            }
        }
        match words.as_slice() {
            ["get", service, user @ ..] => {
                let Some(session) = self.session_of(service) else { return self.next_keyring() };
                let (token, _) = self.access_token_of(&session, "devops", streams).await?;
                let user = one_line(user.first().copied().unwrap_or(USER), MAX_SHOWN);
                let (before, after) = if as_json {
                    let named = format!(r#""username": {}, "#, Value::from(user.as_str()));
                    (format!(r#"{{{}"password": ""#, if with_user { &named } else { "" }), r#""}"#)
                } else {
                    if with_user {
                        streams.out.text(&user).map_err(unwritable)?;
                    }
                    (String::new(), "")
                };
                streams.out.token(&before, &token, after).map_err(written)?;
                Ok(0)
            }
            _ => self.next_keyring(),
        }
    }

    /// Which session answers for a service: the name of its variables begins so. `None`: the service's name is neither the URL nor the
    /// host of a feed of Azure Artifacts, or of one that a sign-in step names.
    ///
    /// The keyrings of all sessions are on one `PATH`, where the last session's comes first: a feed that another session names is
    /// that one's.
    fn session_of(&self, service: &str) -> Option<String> {
        let url = if service.contains("://") { service.to_owned() } else { format!("https://{service}/") };
        let url = Url::parse(&url).ok().filter(|url| url.scheme() == "https")?;
        let own = prefix(self.arguments.session.as_deref());
        let others = sessions::prefixes(self.env).into_iter().filter(|prefix| *prefix != own);
        let mut all = std::iter::once(own.clone()).chain(others);
        if let Some(session) = all.find(|session| self.feeds(session).any(|feed| is_of_feed(&url, &feed))) {
            return Some(session);
        }
        let is_same_host = |feed: Url| (feed.host_str(), feed.port()) == (url.host_str(), url.port());
        let is_known = url.host_str().is_some_and(is_feed_host) && url.port().is_none();
        (is_known || self.feeds(&own).any(is_same_host)).then_some(own)
    }

    /// The feeds that the sign-in step of a session names.
    fn feeds(&self, session: &str) -> impl Iterator<Item = Url> + use<> {
        let named = self.env.get(&format!("{session}ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS"));
        let named: Value = named.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let named = named.get("endpointCredentials").and_then(Value::as_array).cloned().unwrap_or_default();
        named.into_iter().filter_map(|one| Url::parse(one.get("endpoint")?.as_str()?).ok())
    }

    /// Becomes the `keyring` that comes next on the `PATH`.
    fn next_keyring(&self) -> Result<u8, Failure> {
        let names: &[&str] = if cfg!(windows) { &["keyring.exe", "keyring.cmd"] } else { &["keyring"] };
        let path = self.env.get("PATH").unwrap_or_default();
        let folders = std::env::split_paths(path).filter(|folder| !Folder::is_in_one(folder));
        let others = std::env::join_paths(folders).ok().and_then(|path| path.into_string().ok());
        let others: Env = others.map(|path| ("PATH".to_owned(), path)).into_iter().collect();
        // Without one, nothing is known of the service, which is what this exit code says.
        let Some(next) = program::find(&others, names) else { return Ok(1) };
        let (first, rest) = self.arguments.arguments.split_first().ok_or_else(|| unknown("get"))?;
        start(&next, first, rest).map_err(|error| {
            let text = format!("{} could not be started: {error}", next.display());
            Failure::new(Code::CommandNotExecutable, text, "correct it, or take it from the PATH")
        })
    }
}

/// Whether a URL is below a feed: its name in the path ends where the protocol's part begins, such as `/_packaging/NAME/pypi/`.
fn is_of_feed(url: &Url, feed: &Url) -> bool {
    let base = |url: &Url| {
        let path = url.path().to_ascii_lowercase();
        let (before, after) = path.split_once("/_packaging/")?;
        Some((before.to_owned(), after.split('/').next().unwrap_or_default().to_owned()))
    };
    let place = |url: &Url| (url.host_str().map(str::to_owned), url.port());
    place(url) == place(feed) && base(feed).is_some_and(|named| base(url) == Some(named))
}

/// A secret of the broker's answer.
fn field(answer: &Value, name: &str) -> Result<Secret, Failure> {
    let text = answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let missing = || Failure::new(Code::Bug, "the broker gave no token", "run the command again");
    Ok(Secret::new(text.ok_or_else(missing)?.to_owned()))
}

fn read(input: &mut (dyn Read + Send)) -> Result<String, Failure> {
    let mut text = String::new();
    input.take(MAX_INPUT_BYTES).read_to_string(&mut text).map_err(|error| {
        Failure::new(
            Code::InputInvalid,
            error,
            "this command is for tools, which write to its standard input",
        )
    })?;
    Ok(text)
}

fn unknown(accepted: &str) -> Failure {
    let text = "the argument after the tool's name is none of the protocol".to_owned();
    Failure::new(Code::InputInvalid, text, format!("accepted is {accepted}")).by_caller()
}

/// A token of other characters than tokens have is not written.
fn written(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            Failure::new(Code::Bug, "the broker gave no token", "run the command again")
        }
        _ => unwritable(error),
    }
}
