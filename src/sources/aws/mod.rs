//! AWS signs an id token for a role: `GetWebIdentityToken` of its security token service, which an account has to enable once.
//!
//! Source: botocore, the model of STS; AWS' documentation, "Outbound identity federation".

mod answer;
mod credentials;

use std::time::Duration;

use reqwest::Method;
use url::form_urlencoded;
use wif_core::secret::Secret;
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    env::Env,
    http::{Http, Request},
};

use self::answer::{SIGNER, element};
use super::{
    Fetched, IdTokenSource,
    ask::send,
    error::SourceError,
    fetched,
    usable::{Origin, check},
};

use crate::aws::{ToSign, partition, signed};

pub(crate) use self::credentials::VARIABLES;
pub(super) use self::credentials::recognized;

const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// Another address of the service, as AWS' own tools read it.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// The id tokens of the role that this process has.
pub(super) struct Aws {
    region: String,
    endpoint: Endpoint,
    env: Env,
}

impl Aws {
    pub(super) fn read(env: &Env) -> Result<Self, SourceError> {
        let absent = |missing: String, mend: &str| SourceError::Absent {
            signer: SIGNER,
            missing,
            mend: mend.to_owned(),
        };
        let region = REGIONS.into_iter().find_map(|name| env.get(name)).ok_or_else(|| {
            absent(
                format!("neither {} is set", REGIONS.join(" nor ")),
                "set AWS_REGION to the region of this machine: the service has regional addresses only",
            )
        })?;
        let is_region = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_region || region.len() > 40 {
            return Err(absent(
                "AWS_REGION is not the name of a region".to_owned(),
                "correct AWS_REGION: eu-central-1",
            ));
        }
        let domain = partition(region).domain;
        let own = ENDPOINTS.into_iter().find_map(|name| Some((name, env.get(name)?.to_owned())));
        let (name, url) = own.unwrap_or_else(|| ("AWS_REGION", format!("https://sts.{region}.{domain}/")));
        let endpoint = Endpoint::parse(&url).map_err(|error| {
            absent(format!("{name} leads to no service: {error}"), "correct it, or unset it")
        })?;
        Ok(Self { region: region.to_owned(), endpoint, env: env.only(&credentials::VARIABLES) })
    }

    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, SourceError> {
        // Anew each time: a role's keys end too.
        let keys = &credentials::find(&self.env, http, deadline, &self.endpoint).await?;
        let form = [
            ("Action", "GetWebIdentityToken"),
            ("Version", "2011-06-15"),
            ("Audience.member.1", audience),
            ("SigningAlgorithm", "RS256"),
        ];
        let attempt = |limit| async move {
            let url = self.endpoint.join([""]);
            let moment = http.clock().now();
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let (body, region) = (body.as_bytes(), &*self.region);
            let to_sign = ToSign { url: &url, headers: &[], body, region, service: "sts" };
            let request = Request::new(Method::POST, url.clone()).form(&form);
            let request = signed(request, keys, &to_sign, moment);
            element(&send(http, limit, SIGNER, &request).await?, "WebIdentityToken")
        };
        let token = http.retrying(deadline, ATTEMPT_TIMEOUT, SourceError::retry_class, attempt).await?;
        let origin = Origin {
            place: "of AWS",
            audience: "AWS did not take the audience that it was asked for: report this".to_owned(),
            algorithm: "AWS did not take the algorithm that it was asked for: report this",
        };
        check(&token, audience, &origin)?;
        Ok(token)
    }
}

impl IdTokenSource for Aws {
    fn signer(&self) -> &'static str {
        SIGNER
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(self.ask(http, deadline, audience))
    }
}
