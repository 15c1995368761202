//! Buildkite signs an id token for a job, as often as the job asks.
//!
//! Source: buildkite/agent, `api/oidc.go`; Buildkite's documentation, "OpenID Connect (OIDC)".

use reqwest::Method;
use serde_json::json;
use wif_core::secret::Secret;
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    env::Env,
    http::{Http, Request},
};

use super::{
    Fetched, IdTokenSource,
    ask::{Question, ask},
    error::{SourceError, not_set},
    fetched,
    usable::{Origin, check},
};

const SIGNER: &str = "Buildkite";
pub(super) const JOB: &str = "BUILDKITE_JOB_ID";
const TOKEN: &str = "BUILDKITE_AGENT_ACCESS_TOKEN";
const ENDPOINT: &str = "BUILDKITE_AGENT_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "https://agent.buildkite.com/v3";
/// The claim that becomes the subject. The usual subject has the commit in it, so that no federated credential can match it twice.
const SUBJECT: &str = "BUILDKITE_OIDC_TOKEN_SUBJECT_CLAIM";
const DEFAULT_SUBJECT: &str = "pipeline_id";

/// The id tokens of this job.
pub(super) struct Buildkite {
    endpoint: Endpoint,
    job: String,
    token: Secret,
    subject: String,
}

impl Buildkite {
    pub(super) fn read(env: &Env) -> Result<Self, SourceError> {
        let absent = |missing: String, mend: &str| SourceError::Absent {
            signer: SIGNER,
            missing,
            mend: mend.to_owned(),
        };
        let missing: Vec<_> = [JOB, TOKEN].into_iter().filter(|name| env.get(name).is_none()).collect();
        let (Some(job), Some(token)) = (env.get(JOB), env.secret(TOKEN)) else {
            return Err(absent(
                not_set(&missing),
                "run it in a command step of a job; in a container, pass both variables on (docker plugin: propagate-environment, mount-buildkite-agent)",
            ));
        };
        let endpoint = Endpoint::parse(env.get(ENDPOINT).unwrap_or(DEFAULT_ENDPOINT));
        let endpoint = endpoint.map_err(|error| {
            absent(format!("{ENDPOINT} cannot be used: {error}"), "correct the agent's endpoint")
        })?;
        let subject = env.get(SUBJECT).unwrap_or(DEFAULT_SUBJECT).to_owned();
        Ok(Self { endpoint, job: job.to_owned(), token, subject })
    }

    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, SourceError> {
        let url = self.endpoint.join(["jobs", &self.job, "oidc", "tokens"]);
        let body = json!({ "audience": audience, "subject_claim": self.subject });
        let request = Request::new(Method::POST, url)
            .secret_header("authorization", &Secret::new(format!("Token {}", self.token.expose())))
            .json(body.to_string().into_bytes());
        let mend = |_status| {
            format!(
                "look at the agent's token and at the claim {SUBJECT}={}; it must be one of the claims that Buildkite lists",
                self.subject
            )
        };
        let token =
            ask(http, deadline, Question { signer: SIGNER, request, pointer: "/token", mend: &mend }).await?;
        let audience_mend =
            "Buildkite did not take the audience that it was asked for: report this".to_owned();
        check(
            &token,
            audience,
            &Origin {
                place: "of Buildkite",
                audience: audience_mend,
                algorithm: "Buildkite signs by RSA: report this",
            },
        )?;
        Ok(token)
    }
}

impl IdTokenSource for Buildkite {
    fn signer(&self) -> &'static str {
        SIGNER
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(self.ask(http, deadline, audience))
    }
}
