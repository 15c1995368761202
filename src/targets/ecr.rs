//! Registries of AWS (ECR): user name and password for a role's credentials.
//!
//! Source: botocore, the model of ECR (`GetAuthorizationToken`); AWS' documentation, "Private registry authentication in Amazon
//! ECR". One token opens every registry that the role may use, for twelve hours.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;
use wif_broker::cache::CachedToken;
use wif_core::{
    azure::hosts::AllowedHosts, failure::Failure, foreign_text::service_message, refusals::KnownRefusal,
    secret::Secret, token::lifetime::Lifetime,
};
use wif_io::{
    clock::Deadline,
    env::Env,
    http::{Http, Request, Response},
};
use zeroize::Zeroizing;

use super::{
    ask::Question,
    aws::{ANY_ENDPOINT, AwsHosts, ECR_ENDPOINT, named_endpoint, parse},
    error::TargetError,
    registry::login,
};
use crate::{
    agent::{docker_registries::AWS_USER, target_inputs::EcrServer},
    aws::{Credentials, ToSign, partition, signed},
};

const HOSTS: AwsHosts = AwsHosts { service: "Amazon ECR", names: &["api.ecr", "ecr-fips"] };
const OPERATION: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

/// Where the logins of a region are.
pub(crate) struct Ecr {
    region: String,
    url: Url,
}

/// What a role has, as the container credentials protocol names it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    token: Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<Authorization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_token: Zeroizing<String>,
    /// Seconds since 1970.
    expires_at: f64,
}

impl Ecr {
    /// The logins for a registry.
    ///
    /// # Errors
    ///
    /// A variable leads to a host that may not get what is signed.
    pub(super) fn new(server: EcrServer<'_>, env: &Env, allowed: &AllowedHosts) -> Result<Self, Failure> {
        let EcrServer { region, is_fips } = server;
        let own = [ECR_ENDPOINT, ANY_ENDPOINT].into_iter().find_map(|name| Some((name, env.get(name)?)));
        let endpoint = if let Some(own) = own {
            named_endpoint(own, &HOSTS, allowed)?
        } else {
            let name = if is_fips { "ecr-fips" } else { "api.ecr" };
            parse("registries", &format!("https://{name}.{region}.{}", partition(region).domain))?
        };
        Ok(Self { region: region.to_owned(), url: endpoint.join([]) })
    }

    /// User name and password, for the credentials of a role.
    pub(crate) async fn login(
        &self,
        http: &Http,
        deadline: Deadline,
        role: &CachedToken,
    ) -> Result<CachedToken, TargetError> {
        let unreadable = || TargetError::Variable {
            variable: "registries",
            reason: "the credentials of the role cannot be read".to_owned(),
        }; // written by this program
        let Role { access_key_id, secret_access_key, token } =
            serde_json::from_str(role.token.expose()).map_err(|_error| unreadable())?;
        let secret = |text: &Zeroizing<String>| Secret::new(String::clone(text));
        let keys = Credentials {
            id: secret(&access_key_id),
            secret: secret(&secret_access_key),
            session_token: Some(secret(&token)),
        };
        let (body, from) = (b"{}", http.clock().now());
        let headers = [("x-amz-target", OPERATION)];
        let to_sign =
            ToSign { url: &self.url, headers: &headers, body, region: &self.region, service: "ecr" };
        let request = Request::new(Method::POST, self.url.clone())
            .json(body.to_vec())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", OPERATION);
        let request = signed(request, &keys, &to_sign, from);
        let question = Question { service: "Amazon ECR", presented: "role's credentials", request, refusal };
        let answer = question.ask(http, deadline).await?;
        let login = answer.json().and_then(|answer| granted(answer, from, role.lifetime.until));
        login.ok_or_else(|| question.unusable(&answer))
    }
}

/// The login, for no longer than the role's own credentials live.
fn granted(answer: Answer, from: OffsetDateTime, longest: OffsetDateTime) -> Option<CachedToken> {
    let Answer { authorization_data } = answer;
    let Authorization { authorization_token, expires_at } = authorization_data.into_iter().next()?;
    let text = Zeroizing::new(STANDARD.decode(authorization_token.as_bytes()).ok()?);
    let (user, password) = std::str::from_utf8(&text).ok()?.split_once(':')?;
    if user != AWS_USER || password.is_empty() || !(0.0..1e11).contains(&expires_at) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a moment in seconds has no more digits than that")]
    let until = OffsetDateTime::from_unix_timestamp(expires_at as i64).ok()?.min(longest);
    let password = Secret::new(password.to_owned());
    (until > from).then(|| CachedToken::new(login(AWS_USER, &password), Lifetime { from, until }))
}

fn refusal(answer: &Response) -> (Option<&'static KnownRefusal>, Option<String>) {
    let json: Value = answer.json().unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let code = text("__type").and_then(|kind| kind.rsplit('#').next());
    let message = text("message").or_else(|| text("Message"));
    let said = match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message).map(str::to_owned),
    };
    (None, said.as_deref().and_then(service_message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn of(login: &str, end: f64) -> Option<(String, OffsetDateTime)> {
        let one = json!({ "authorizationToken": STANDARD.encode(login), "expiresAt": end });
        let answer = serde_json::from_value(json!({ "authorizationData": [one] })).unwrap();
        let (from, longest) = (datetime!(2026-11-26 12:00 UTC), datetime!(2026-11-26 13:00 UTC));
        let granted = granted(answer, from, longest)?;
        Some((granted.token.expose().to_owned(), granted.lifetime.until))
    }

    #[test]
    fn a_login_is_counted_on_for_no_longer_than_the_roles_credentials() {
        let (early, late) = (datetime!(2026-11-26 12:30 UTC), datetime!(2026-11-26 13:00 UTC));
        let text = json!({ "Username": "AWS", "Secret": "pass:word" }).to_string();
        assert_eq!(of("AWS:pass:word", 1_795_696_200.0), Some((text.clone(), early)));
        assert_eq!(of("AWS:pass:word", 1_795_737_600.5), Some((text, late)));
        for (login, end) in [
            ("AWS:", 1_795_696_200.0),
            ("AWS", 1_795_696_200.0),
            ("other:x", 1_795_696_200.0),
            ("AWS:x", 1_795_694_400.0),
            ("AWS:x", -1.0),
            ("AWS:x", 1e300),
        ] {
            assert_eq!(of(login, end), None, "{login} {end}");
        }
    }
}
