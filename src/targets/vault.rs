//! Vault and `OpenBao`: the JWT auth method. The token is renewed as long as it can be, since no client reads it anew.
//!
//! Source: hashicorp/vault, `api/auth_token.go`; Vault's documentation, "JWT/OIDC auth method (API)" and "Token auth method (API)".

use std::{
    fs,
    sync::{Mutex, OnceLock, PoisonError},
};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use time::Duration;
use url::Url;
use wif_broker::{cache::CachedToken, target::Dialect};
use wif_core::{
    azure::hosts::is_loopback,
    exports::Family,
    fact::Fact,
    foreign_text::ForeignText,
    refusals::{self, KnownRefusal},
    secret::Secret,
    token::{claims::Unverified, lifetime::Lifetime},
};
use wif_io::{
    clock::Deadline,
    endpoint::PlainEndpoint,
    env::Env,
    http::{Http, Request, Response, Settings, SetupError},
};

use super::{
    ask::Question,
    error::TargetError,
    target::{Exchanged, Revoked, Target},
};
use crate::agent::{network, target_inputs::VaultInputs};

const SERVICE: &str = "Vault";
/// Names a CA for Vault's clients, beside those of the system.
const CA_FILE: &str = "VAULT_CACERT";
pub(super) const VARIABLES: [&str; 1] = [CA_FILE];
/// A certificate bundle is smaller than this, in bytes.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;
/// A token without an end is looked at this often.
const ENDLESS: Duration = Duration::days(1);
/// No token is counted on for longer.
const MAX_LIFE: Duration = Duration::days(32);

/// An auth method, and where it is.
pub(super) struct Vault {
    inputs: VaultInputs,
    way: Way,
    /// The client for it, made once; why there is none.
    client: OnceLock<Result<Http, String>>,
}

/// How this address is reached.
enum Way {
    /// Like every other service.
    Usual,
    /// Without TLS, on this machine.
    Plain(PlainEndpoint),
    /// With a CA of Vault's own, read before any later step can change it.
    OwnCa(Mutex<Option<Settings>>),
}

#[derive(Deserialize)]
struct Answer {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: i64,
}

impl Vault {
    pub(super) fn new(inputs: &VaultInputs, env: &Env) -> Result<Self, TargetError> {
        Ok(Self { inputs: inputs.clone(), way: Way::to(&inputs.address, env)?, client: OnceLock::new() })
    }

    /// A request to Vault. Its address may have a path of its own.
    fn request(&self, method: Method, path: &str) -> Result<Request, TargetError> {
        let VaultInputs { address, namespace, .. } = &self.inputs;
        let url = Url::parse(&format!("{address}/v1/{path}"))
            .map_err(|error| TargetError::Variable { variable: "vaultAddress", reason: error.to_string() })?;
        let request = Request::new(method, url).header("x-vault-request", "true");
        Ok(match namespace {
            Some(namespace) => request.secret_header("x-vault-namespace", &Secret::new(namespace.clone())),
            None => request,
        })
    }

    /// The client for this address; `http` is the usual one.
    fn client<'a>(&'a self, http: &'a Http) -> Result<&'a Http, TargetError> {
        let made = match &self.way {
            Way::Usual => return Ok(http),
            Way::Plain(endpoint) => {
                self.client.get_or_init(|| made(Http::plain(endpoint.clone(), http.shared_clock())))
            }
            Way::OwnCa(settings) => self.client.get_or_init(|| {
                let settings = settings.lock().unwrap_or_else(PoisonError::into_inner).take();
                made(Http::new(settings.unwrap_or_default(), http.shared_clock()))
            }),
        };
        made.as_ref().map_err(|reason| TargetError::Variable { variable: CA_FILE, reason: reason.clone() })
    }

    async fn ask(
        &self,
        http: &Http,
        deadline: Deadline,
        request: Request,
        presented: &'static str,
    ) -> Result<(Question, Response), TargetError> {
        let question = Question { service: SERVICE, presented, request, refusal };
        let answer = question.ask(self.client(http)?, deadline).await?;
        Ok((question, answer))
    }

    async fn granted(
        &self,
        http: &Http,
        deadline: Deadline,
        request: Request,
        presented: &'static str,
    ) -> Result<CachedToken, TargetError> {
        let from = http.clock().now();
        let (question, answer) = self.ask(http, deadline, request, presented).await?;
        let auth = answer.json::<Answer>().map(|answer| answer.auth);
        let auth = auth.filter(|auth| !auth.client_token.is_empty() && auth.lease_duration >= 0);
        let Auth { client_token, lease_duration } = auth.ok_or_else(|| question.unusable(&answer))?;
        // A token that never ends has no duration.
        let life =
            if lease_duration == 0 { ENDLESS } else { Duration::seconds(lease_duration).min(MAX_LIFE) };
        Ok(CachedToken::new(Secret::new(client_token), Lifetime { from, until: from + life }))
    }

    async fn log_in(
        &self,
        http: &Http,
        deadline: Deadline,
        id_token: &Secret,
    ) -> Result<CachedToken, TargetError> {
        let VaultInputs { role, mount, .. } = &self.inputs;
        let path = format!("auth/{}/login", mount.trim_matches('/'));
        let body = match role {
            Some(role) => json!({"jwt": id_token.expose(), "role": role}),
            None => json!({"jwt": id_token.expose()}),
        };
        let request = self.request(Method::POST, &path)?.json(body.to_string().into_bytes());
        self.granted(http, deadline, request, "id token").await
    }
}

impl Way {
    fn to(address: &str, env: &Env) -> Result<Self, TargetError> {
        let is_plain =
            address.starts_with("http://") && Url::parse(address).is_ok_and(|url| is_loopback(&url));
        if is_plain && let Ok(endpoint) = PlainEndpoint::parse(address) {
            return Ok(Self::Plain(endpoint));
        }
        let Some(path) = env.get(CA_FILE) else { return Ok(Self::Usual) };
        let unusable = |reason: String| TargetError::Variable { variable: CA_FILE, reason };
        let size = fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
        if !size.is_file() || size.len() > MAX_CA_BYTES {
            return Err(unusable("it names no file of certificates".to_owned()));
        }
        let pem = fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let own = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|_error| unusable("its file has no certificate in PEM".to_owned()))?; // the parser's text adds nothing
        let (mut settings, _) = network::settings(env).map_err(|error| unusable(error.to_string()))?;
        settings.roots.extend(own);
        Ok(Self::OwnCa(Mutex::new(Some(settings))))
    }
}

fn made(client: Result<Http, SetupError>) -> Result<Http, String> {
    client.map_err(|error| error.to_string())
}

/// `{"errors": ["…"]}`
fn refusal(answer: &Response) -> (Option<&'static KnownRefusal>, Option<String>) {
    let json = answer.json::<Value>();
    let errors = json.as_ref().and_then(|json| json.get("errors")?.as_array());
    let said: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
    let said = said.join("; ");
    (refusals::in_words_of_vault(&said), (!said.is_empty()).then_some(said))
}

impl Target for Vault {
    fn family(&self) -> Family {
        Family::Vault
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn dialect(&self) -> Dialect {
        Dialect::Kept
    }

    fn audience(&self) -> &str {
        &self.inputs.address
    }

    fn facts(&self, claims: &Unverified) -> Vec<Fact> {
        let VaultInputs { address, role, mount, namespace } = &self.inputs;
        let mut facts = vec![
            Fact::new("address", address),
            Fact::new("mount", mount),
            Fact::new("role", role.as_deref().unwrap_or("the mount's default")),
        ];
        facts.extend(namespace.as_ref().map(|namespace| Fact::new("namespace", namespace)));
        facts.push(Fact::new("bound_audiences", ForeignText::join(&claims.audiences)));
        facts.push(Fact::new("bound_subject", "the subject above, whole"));
        facts.push(Fact::new("bound_issuer", "the issuer above, whole, in the mount's configuration"));
        facts
    }

    fn exchange<'a>(&'a self, http: &'a Http, deadline: Deadline, id_token: &'a Secret) -> Exchanged<'a> {
        Box::pin(self.log_in(http, deadline, id_token))
    }

    fn renew<'a>(&'a self, http: &'a Http, deadline: Deadline, held: &'a Secret) -> Option<Exchanged<'a>> {
        Some(Box::pin(async move {
            let request = self.request(Method::POST, "auth/token/renew-self")?;
            let request = request.secret_header("x-vault-token", held).json(b"{}".to_vec());
            self.granted(http, deadline, request, "token").await
        }))
    }

    fn revoke<'a>(&'a self, http: &'a Http, deadline: Deadline, held: &'a Secret) -> Option<Revoked<'a>> {
        Some(Box::pin(async move {
            let request = self.request(Method::POST, "auth/token/revoke-self")?;
            let request = request.secret_header("x-vault-token", held).json(b"{}".to_vec());
            self.ask(http, deadline, request, "token").await.map(|_answer| ())
        }))
    }
}
