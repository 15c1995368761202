//! Google Cloud: a provider of a workload identity pool, and a service account that its identities may impersonate.
//!
//! Source: Google Cloud's documentation, "Security Token Service API" and "generateAccessToken";
//! googleapis/google-auth-library-python, `sts.py` and `impersonated_credentials.py`.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use wif_broker::{cache::CachedToken, target::Dialect};
use wif_core::{
    azure::hosts::AllowedHosts,
    code::Code,
    exports::{Family, GoogleProvider},
    fact::Fact,
    failure::Failure,
    foreign_text::one_line,
    refusals::{self, KnownRefusal},
    secret::Secret,
    token::{claims::Unverified, lifetime::Lifetime},
};
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    env::Env,
    http::{Http, Request, Response},
};

use super::{
    ask::Question,
    error::TargetError,
    target::{Exchanged, Target},
};
use crate::agent::target_inputs::GoogleInputs;

const SERVICE: &str = "Google Cloud";
/// Names Google's domain, where it is that of a universe of its own.
const UNIVERSE: &str = "GOOGLE_CLOUD_UNIVERSE_DOMAIN";
const USUAL_UNIVERSE: &str = "googleapis.com";
pub(super) const VARIABLES: [&str; 1] = [UNIVERSE];
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The longest subject that a mapping may give, in bytes.
const MAX_SUBJECT_BYTES: usize = 127;
/// No access token lives longer.
const MAX_SECONDS: u32 = 43_200;

/// A provider, and where to ask it.
pub(super) struct Google {
    provider: GoogleProvider,
    token_url: url::Url,
    impersonation_url: Option<url::Url>,
}

/// The provider as the inputs and the environment name it.
pub(super) fn provider(inputs: &GoogleInputs, env: &Env) -> GoogleProvider {
    let universe = env.get(UNIVERSE).unwrap_or(USUAL_UNIVERSE).trim().to_owned();
    let (audience, service_account) = (inputs.provider.clone(), inputs.service_account.clone());
    GoogleProvider { audience, service_account, universe }
}

impl Google {
    pub(super) fn new(inputs: &GoogleInputs, env: &Env, allowed: &AllowedHosts) -> Result<Self, Failure> {
        let provider = provider(inputs, env);
        let url = |text: &str| admitted(text, &provider.universe, allowed);
        let token_url = url(&provider.token_url())?;
        let impersonation_url = provider.impersonation_url().map(|text| url(&text)).transpose()?;
        Ok(Self { provider, token_url, impersonation_url })
    }

    async fn grant(
        &self,
        http: &Http,
        deadline: Deadline,
        id_token: &Secret,
    ) -> Result<CachedToken, TargetError> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", &*self.provider.audience),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", id_token.expose()),
        ];
        let request = Request::new(Method::POST, self.token_url.clone()).form(&form);
        let question = Question {
            service: SERVICE,
            presented: "id token",
            request: request.header("accept", "application/json"),
            refusal,
        };
        let begin = http.clock().now();
        let answer = question.ask(http, deadline).await?;
        let federated = answer.json::<Exchange>().filter(Exchange::is_usable);
        let federated = federated.ok_or_else(|| question.unusable(&answer))?;
        let token = Secret::new(federated.access_token);
        let Some(url) = &self.impersonation_url else {
            let life = Duration::seconds(i64::from(federated.expires_in.min(MAX_SECONDS)));
            return Ok(CachedToken::new(token, Lifetime { from: begin, until: begin + life }));
        };
        let body = json!({"scope": [SCOPE], "lifetime": "3600s"}).to_string();
        let request = Request::new(Method::POST, url.clone()).bearer(&token).json(body.into_bytes());
        let question = Question { service: SERVICE, presented: "federated token", request, refusal };
        let answer = question.ask(http, deadline).await?;
        let impersonated = answer.json::<Impersonated>();
        let until = impersonated
            .as_ref()
            .and_then(|granted| OffsetDateTime::parse(&granted.expire_time, &Rfc3339).ok());
        let until = until.filter(|until| *until > http.clock().now());
        match (impersonated, until) {
            (Some(granted), Some(until)) if !granted.access_token.is_empty() => {
                Ok(CachedToken::new(Secret::new(granted.access_token), Lifetime { from: begin, until }))
            }
            _ => Err(question.unusable(&answer)),
        }
    }
}

/// A host of Google's, or one that the user has named.
fn admitted(text: &str, universe: &str, allowed: &AllowedHosts) -> Result<url::Url, Failure> {
    let shown = one_line(universe, 100);
    // Parsed for its rule: https, a host, no user.
    let endpoint = Endpoint::parse(text).ok();
    let host = endpoint.as_ref().map(Endpoint::host).unwrap_or_default();
    let is_google = universe == USUAL_UNIVERSE;
    match url::Url::parse(text) {
        Ok(url) if host.ends_with(&format!(".{universe}")) && (is_google || allowed.names(host, 443)) => {
            Ok(url)
        }
        _ => Err(Failure::new(
            Code::AuthorityNotAllowed,
            format!(
                "the variable {UNIVERSE} is '{shown}', and its hosts sts.{shown} and iamcredentials.{shown} are not in the input allowedAuthorities"
            ),
            "remove the variable from the job, or name both hosts in the input allowedAuthorities",
        )),
    }
}

#[derive(Deserialize)]
struct Exchange {
    access_token: String,
    token_type: String,
    expires_in: u32,
}

impl Exchange {
    fn is_usable(&self) -> bool {
        !self.access_token.is_empty() && self.token_type.eq_ignore_ascii_case("bearer") && self.expires_in > 0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: String,
}

/// OAuth's form of an error, and that of Google's other services.
fn refusal(answer: &Response) -> (Option<&'static KnownRefusal>, Option<String>) {
    let Some(json) = answer.json::<Value>() else { return (None, None) };
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
    let name = text("/error").or_else(|| text("/error/status"));
    let said = match (name, text("/error_description").or_else(|| text("/error/message"))) {
        (Some(name), Some(said)) => Some(format!("{name}: {said}")),
        (name, said) => name.or(said).map(str::to_owned),
    };
    (said.as_deref().and_then(refusals::in_words_of_google), said)
}

impl Target for Google {
    fn family(&self) -> Family {
        Family::Google
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn dialect(&self) -> Dialect {
        Dialect::TokenExchange
    }

    fn audience(&self) -> &str {
        // The provider's own name, with which it allows audiences by default.
        &self.provider.audience
    }

    fn facts(&self, claims: &Unverified) -> Vec<Fact> {
        let GoogleProvider { audience, service_account, .. } = &self.provider;
        let length = claims.subject.raw().len();
        let mapping = if length > MAX_SUBJECT_BYTES {
            format!(
                "google.subject=assertion.sub cannot work: the subject has {length} bytes, {MAX_SUBJECT_BYTES} are allowed"
            )
        } else {
            "google.subject=assertion.sub".to_owned()
        };
        let mut facts = vec![
            Fact::new("provider", audience),
            Fact::new("allowed audience", "the audience above: --allowed-audiences"),
            Fact::new("attribute mapping", mapping),
        ];
        facts.extend(service_account.as_ref().map(|account| Fact::new("service account", account)));
        facts
    }

    fn exchange<'a>(&'a self, http: &'a Http, deadline: Deadline, id_token: &'a Secret) -> Exchanged<'a> {
        Box::pin(self.grant(http, deadline, id_token))
    }
}
