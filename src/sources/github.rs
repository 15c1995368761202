//! GitHub Actions signs an id token for a job, and so do Forgejo and Gitea by the same protocol.
//!
//! Source: actions/toolkit, `packages/core/src/oidc-utils.ts`; GitHub's documentation, "OpenID Connect reference"; Forgejo's,
//! "Forgejo Actions: OpenID Connect".

use reqwest::Method;
use url::Url;
use wif_core::secret::Secret;
use wif_io::{
    clock::Deadline,
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

/// Where an id token is asked for. It has a query already.
pub(super) const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// What is shown there.
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// In every step of a job, with the right to ask or without.
pub(super) const IN_JOB: &str = "GITHUB_ACTIONS";

/// The id tokens of this job.
pub(super) struct GitHub {
    signer: &'static str,
    url: Url,
    token: Secret,
    mend: &'static str,
}

const GITHUB_MEND: &str = "give the job the right to ask for one: `permissions: id-token: write` in the workflow or the job (with `contents: read` beside it, if it checks out); a pull request from a fork gets none";
const FORGEJO_MEND: &str =
    "give the job the right to ask for one: `enable-openid-connect: true` in the workflow or the job";
/// Its maintainers had merged nothing in August 2026 (go-gitea/gitea, pull request 39052, where the right is called as GitHub calls it).
const GITEA_MEND: &str = "a Gitea whose jobs can ask for one: `permissions: id-token: write` in the workflow or the job; older ones sign none";

impl GitHub {
    pub(super) fn read(env: &Env) -> Result<Self, SourceError> {
        let (signer, mend) = if env.is_true("FORGEJO_ACTIONS") {
            ("Forgejo Actions", FORGEJO_MEND)
        } else if env.is_true("GITEA_ACTIONS") {
            ("Gitea Actions", GITEA_MEND)
        } else {
            ("GitHub Actions", GITHUB_MEND)
        };
        let absent = |missing: String| SourceError::Absent { signer, missing, mend: mend.to_owned() };
        let (Some(url), Some(token)) = (env.get(REQUEST_URL), env.secret(REQUEST_TOKEN)) else {
            let missing: Vec<_> =
                [REQUEST_URL, REQUEST_TOKEN].into_iter().filter(|name| env.get(name).is_none()).collect();
            return Err(absent(not_set(&missing)));
        };
        let url =
            Url::parse(url.trim()).ok().filter(|url| url.scheme() == "https" && url.username().is_empty());
        let url = url.ok_or_else(|| absent(format!("{REQUEST_URL} is no https URL")))?;
        Ok(Self { signer, url, token, mend })
    }

    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, SourceError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let request = Request::new(Method::GET, url).bearer(&self.token).header("accept", "application/json");
        let mend = |_status| self.mend.to_owned();
        let question = Question { signer: self.signer, request, pointer: "/value", mend: &mend };
        let token = ask(http, deadline, question).await?;
        let place = format!("of {}", self.signer);
        let algorithm = "let the server sign by RSA (RS256)";
        let audience_mend =
            "the server ignores the audience that it is asked for: look at its version".to_owned();
        check(&token, audience, &Origin { place: &place, audience: audience_mend, algorithm })?;
        Ok(token)
    }
}

impl IdTokenSource for GitHub {
    fn signer(&self) -> &'static str {
        self.signer
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(self.ask(http, deadline, audience))
    }
}
