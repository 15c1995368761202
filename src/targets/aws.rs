//! AWS: a role that trusts the id token's issuer (`AssumeRoleWithWebIdentity`).
//!
//! Source: AWS' documentation, `AssumeRoleWithWebIdentity`; botocore, the model of STS. With `Accept: application/json` STS
//! answers in JSON; what stands in front of it may not pass the header on, so that XML is read too.

use reqwest::Method;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;
use wif_broker::{cache::CachedToken, target::Dialect};
use wif_core::{
    azure::hosts::AllowedHosts,
    code::Code,
    exports::Family,
    fact::Fact,
    failure::Failure,
    foreign_text::one_line,
    human_time::rfc3339,
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
use crate::{
    agent::target_inputs::{AwsInputs, is_region},
    aws::partition,
};

const SERVICE: &str = "AWS";
/// By these an AWS SDK is led to another address.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
/// The address of registries' logins.
pub(super) const ECR_ENDPOINT: &str = "AWS_ENDPOINT_URL_ECR";
/// The address of every service.
pub(super) const ANY_ENDPOINT: &str = ENDPOINTS[1];
const PROJECT: &str = "SYSTEM_TEAMPROJECT";
const BUILD: &str = "BUILD_BUILDID";
pub(super) const VARIABLES: [&str; 5] = [ENDPOINTS[0], ENDPOINTS[1], ECR_ENDPOINT, PROJECT, BUILD];
/// The longest name of a session, in characters.
const MAX_SESSION_NAME: usize = 64;
/// How much life a credential has at least when it is given away.
const MIN_LIFE: Duration = Duration::minutes(21);
/// The shortest life of which so much can be kept, with some minutes between two exchanges.
const SHORTEST_TO_KEEP: Duration = Duration::minutes(25);

/// A role, and where to ask for it.
pub(super) struct Aws {
    role: String,
    region: String,
    duration: u32,
    session: String,
    url: Url,
}

impl Aws {
    pub(super) fn new(inputs: &AwsInputs, env: &Env, allowed: &AllowedHosts) -> Result<Self, Failure> {
        let AwsInputs { role, region, duration } = inputs.clone();
        let own = ENDPOINTS.into_iter().find_map(|name| Some((name, env.get(name)?)));
        let endpoint = if let Some((name, text)) = own {
            named_endpoint((name, text), &STS, allowed)?
        } else {
            parse("awsRegion", &format!("https://sts.{region}.{}", partition(&region).domain))?
        };
        Ok(Self { role, region, duration, session: session_name(env), url: endpoint.join([]) })
    }

    async fn assume(
        &self,
        http: &Http,
        deadline: Deadline,
        id_token: &Secret,
    ) -> Result<CachedToken, TargetError> {
        let duration = self.duration.to_string();
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role),
            ("RoleSessionName", &self.session),
            ("DurationSeconds", &duration),
            ("WebIdentityToken", id_token.expose()),
        ];
        let request = Request::new(Method::POST, self.url.clone()).form(&form);
        let question = Question {
            service: SERVICE,
            presented: "id token",
            request: request.header("accept", "application/json"),
            refusal,
        };
        let asked = http.clock().now();
        let answer = question.ask(http, deadline).await?;
        let longest = asked + Duration::seconds(self.duration.into());
        read(&answer, http.clock().now(), longest).ok_or_else(|| question.unusable(&answer))
    }
}

pub(super) fn parse(name: &str, text: &str) -> Result<Endpoint, Failure> {
    Endpoint::parse(text).map_err(|error| {
        let text = format!("{name} names no address that a credential may be sent to: {error}");
        Failure::new(
            Code::AuthorityNotAllowed,
            text,
            "accepted is an https:// address, or unset the variable",
        )
    })
}

/// The hosts that a service of AWS has: each name stands before the region.
pub(super) struct AwsHosts {
    /// As a sentence names it.
    pub(super) service: &'static str,
    pub(super) names: &'static [&'static str],
}

const STS: AwsHosts = AwsHosts { service: "AWS' security token service", names: &["sts", "sts-fips"] };

/// An address of a service of AWS, or one whose host the user has named.
pub(super) fn named_endpoint(
    (name, text): (&str, &str),
    own: &AwsHosts,
    allowed: &AllowedHosts,
) -> Result<Endpoint, Failure> {
    let endpoint = parse(name, text)?;
    let host = endpoint.host();
    let is_region_of = |rest: &str, name: &&str| {
        rest.strip_prefix(*name).and_then(|rest| rest.strip_prefix('.')).is_some_and(is_region)
    };
    let is_of_aws = [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|suffix| {
        let rest = host.strip_suffix(suffix);
        rest.is_some_and(|rest| own.names.iter().any(|name| is_region_of(rest, name)))
    });
    if (is_of_aws && endpoint.port() == 443) || allowed.names(host, endpoint.port()) {
        return Ok(endpoint);
    }
    let text = format!(
        "the variable {name} leads to the host {}, which is none of {} and not one of the input allowedAuthorities",
        one_line(host, 100),
        own.service
    );
    Err(Failure::new(
        Code::AuthorityNotAllowed,
        text,
        "remove the variable from the job, or name the host in the input allowedAuthorities",
    ))
}

/// The run, in the characters that AWS takes (`[\w+=,.@-]`): it stands in AWS' log of requests.
fn session_name(env: &Env) -> String {
    let build = env.get(BUILD).map(|build| format!("-{build}")).unwrap_or_default();
    let project = env.get(PROJECT).unwrap_or("wif");
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
    let only = |text: &str| text.chars().map(|c| if is_taken(&c) { c } else { '-' }).collect::<String>();
    let build: String = only(&build).chars().take(MAX_SESSION_NAME / 2).collect();
    let project: String = only(project).chars().take(MAX_SESSION_NAME - build.len()).collect();
    let name = format!("{project}{build}");
    if name.len() < 2 { "wif".to_owned() } else { name }
}

/// The credentials as the container credentials protocol has them. None is counted on for longer than was asked for.
fn read(answer: &Response, now: OffsetDateTime, longest: OffsetDateTime) -> Option<CachedToken> {
    granted(&answer.text()?, now, longest)
}

fn granted(text: &Secret, now: OffsetDateTime, longest: OffsetDateTime) -> Option<CachedToken> {
    let [id, secret, session, end] = fields(text)?;
    let end = moment(&end)?.min(longest);
    if [&id, &secret, &session].iter().any(|text| text.expose().is_empty()) || end <= now {
        return None;
    }
    let credentials = json!({
        "AccessKeyId": id.expose(),
        "SecretAccessKey": secret.expose(),
        "Token": session.expose(),
        "Expiration": rfc3339(end),
    });
    let lifetime = Lifetime { from: now, until: end };
    let from = if end - now >= SHORTEST_TO_KEEP { now.min(end - MIN_LIFE - MIN_LIFE) } else { now };
    Some(CachedToken::new(Secret::new(credentials.to_string()), Lifetime { from, ..lifetime }))
}

/// Seconds since 1970 in JSON, RFC 3339 in XML.
fn moment(text: &Secret) -> Option<OffsetDateTime> {
    let text = text.expose().trim();
    match text.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a moment in seconds has no more digits than that"
        )]
        Ok(seconds) if (0.0..1e11).contains(&seconds) => {
            OffsetDateTime::from_unix_timestamp(seconds as i64).ok()
        }
        Ok(_) => None,
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok(),
    }
}

const FIELDS: [&str; 4] = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];

/// The four fields, from JSON or XML.
fn fields(text: &Secret) -> Option<[Secret; 4]> {
    let json: Option<Value> = serde_json::from_str(text.expose()).ok();
    let pointer = "/AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials";
    let credentials = json.as_ref().and_then(|json| json.pointer(pointer));
    let field = |name: &str| match (&json, credentials?.get(name)?) {
        (_, Value::String(text)) => Some(Secret::new(text.clone())),
        (_, Value::Number(number)) => Some(Secret::new(number.to_string())),
        _ => None,
    };
    let field = |name: &str| match json {
        Some(_) => field(name),
        None => element(text.expose(), name).map(|text| Secret::new(text.to_owned())),
    };
    let [id, secret, session, end] = FIELDS.map(field);
    Some([id?, secret?, session?, end?])
}

/// The text of the first element of this name. These values have no escapes but `&amp;` and the like, which base64 and
/// times do not need.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once('<')?;
    Some(text.trim())
}

fn refusal(answer: &Response) -> (Option<&'static KnownRefusal>, Option<String>) {
    let Some(text) = answer.text() else { return (None, None) };
    let json: Option<Value> = serde_json::from_str(text.expose()).ok();
    let field = |name: &str| match &json {
        Some(json) => json.pointer(&format!("/Error/{name}"))?.as_str().map(str::to_owned),
        None => element(text.expose(), name).map(str::to_owned),
    };
    let (code, message) = (field("Code"), field("Message"));
    let known = code.as_deref().and_then(refusals::named);
    let said = match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    };
    (known, said)
}

impl Target for Aws {
    fn family(&self) -> Family {
        Family::Aws
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn dialect(&self) -> Dialect {
        Dialect::ContainerCredentials
    }

    fn audience(&self) -> &'static str {
        "sts.amazonaws.com"
    }

    fn facts(&self, claims: &Unverified) -> Vec<Fact> {
        // Without the scheme, so that the agent's mask of the whole issuer does not hit it.
        let issuer = claims.issuer.to_string();
        let provider = issuer.trim_start_matches("https://");
        vec![
            Fact::new("role", one_line(&self.role, 200)),
            Fact::new("region", &self.region),
            Fact::new("session name", &self.session),
            Fact::new("identity provider", provider),
            Fact::new("condition", format!("StringEquals {provider}:sub = the subject above, whole")),
        ]
    }

    fn secrets(&self, credential: &Secret) -> Vec<Secret> {
        let json: Option<Value> = serde_json::from_str(credential.expose()).ok();
        let text = |name| Some(Secret::new(json.as_ref()?.get(name)?.as_str()?.to_owned()));
        ["SecretAccessKey", "Token"].into_iter().filter_map(text).collect()
    }

    fn exchange<'a>(&'a self, http: &'a Http, deadline: Deadline, id_token: &'a Secret) -> Exchanged<'a> {
        Box::pin(self.assume(http, deadline, id_token))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_name_of_a_session_has_the_characters_that_aws_takes() {
        for (pairs, expected) in [
            (&[][..], "wif"),
            (&[(PROJECT, "Platform"), (BUILD, "123")], "Platform-123"),
            (&[(PROJECT, "Größe & Co"), (BUILD, "7")], "Gr--e---Co-7"),
            (&[(PROJECT, "x")], "wif"),
        ] {
            assert_eq!(session_name(&env(pairs)), expected);
        }
        let long = session_name(&env(&[(PROJECT, &"p".repeat(100)), (BUILD, &"9".repeat(100))]));
        assert_eq!(long.len(), MAX_SESSION_NAME);
        assert!(long.contains("-999"), "{long}");
    }

    #[test]
    fn an_answer_is_read_from_json_and_from_xml() {
        let end = datetime!(2026-11-26 15:00 UTC);
        let json = json!({"AssumeRoleWithWebIdentityResponse": {"AssumeRoleWithWebIdentityResult": {"Credentials": {
            "AccessKeyId": "ASIA1", "SecretAccessKey": "s/+=", "SessionToken": "t==", "Expiration": 1.795_705_2E9,
        }}}});
        let xml = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
            <SecretAccessKey>s/+=</SecretAccessKey><SessionToken>t==</SessionToken><Expiration>2026-11-26T15:00:00Z</Expiration>\
            </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        for text in [json.to_string(), xml.to_owned()] {
            let fields = fields(&Secret::new(text)).unwrap();
            assert_eq!([0, 1, 2].map(|at: usize| fields[at].expose().to_owned()), ["ASIA1", "s/+=", "t=="]);
            let read = moment(&fields[3]).unwrap();
            assert_eq!(read, end);
        }
        for broken in ["", "{}", "[]", "<a>", "<AccessKeyId>x</AccessKeyId>", "{\"AccessKeyId\":\"x\"}"] {
            assert!(fields(&Secret::new(broken.to_owned())).is_none(), "{broken}");
        }
    }

    #[test]
    fn credentials_are_counted_on_for_no_longer_than_was_asked_for_and_not_after_their_end() {
        let now = datetime!(2026-11-26 12:00 UTC);
        let of = |end: &str| {
            let text = format!(
                "<AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{end}</Expiration>"
            );
            let granted = granted(&Secret::new(text), now, datetime!(2026-11-26 13:00 UTC));
            granted.map(|granted| {
                (granted.lifetime.until, granted.token.expose().contains("2026-11-26T13:00:00Z"))
            })
        };
        let (early, longest) = (datetime!(2026-11-26 12:30 UTC), datetime!(2026-11-26 13:00 UTC));
        assert_eq!(of("2026-11-26T12:30:00Z"), Some((early, false)));
        assert_eq!(of("2026-11-26T13:00:00Z"), Some((longest, true)));
        assert_eq!(of("2036-11-26T13:00:00Z"), Some((longest, true)));
        assert_eq!(of("2026-11-26T12:00:00Z"), None);
    }

    #[test]
    fn another_address_is_one_of_the_service_or_is_named() {
        let none = AllowedHosts::default();
        for good in [
            "https://sts.eu-central-1.amazonaws.com",
            "https://sts-fips.us-east-1.amazonaws.com/",
            "https://sts.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(named_endpoint(("AWS_ENDPOINT_URL", good), &STS, &none).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example",
            "http://sts.eu-central-1.amazonaws.com",
            "https://sts.evil.elb.amazonaws.com",
            "https://sts.s3.amazonaws.com",
            "https://sts.evil-bucket.amazonaws.com",
            "https://abc.execute-api.eu-central-1.amazonaws.com",
            "https://sts.eu-central-1.amazonaws.com.evil.example",
            "https://sts.eu-central-1.amazonaws.com:8443",
            "https://127.0.0.1:4566",
        ] {
            let failure = named_endpoint(("AWS_ENDPOINT_URL", bad), &STS, &none).unwrap_err();
            assert_eq!(failure.code, Code::AuthorityNotAllowed);
            assert!(failure.story().contains("AWS_ENDPOINT_URL"), "{failure}");
        }
    }
}
