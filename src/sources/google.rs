//! Google Cloud's metadata server signs an id token for the service account of a machine, a pod or a run.
//!
//! Source: googleapis/google-auth-library-python, `compute_engine/_metadata.py`.

use std::time::Duration;

use reqwest::Method;
use wif_core::secret::Secret;
use wif_io::{
    clock::Deadline,
    endpoint::PlainEndpoint,
    env::Env,
    http::{Http, Request, Response},
};

use super::{
    Fetched, IdTokenSource,
    ask::send,
    error::SourceError,
    fetched,
    usable::{Origin, check},
    variable::trimmed,
};

const SIGNER: &str = "Google Cloud";
/// Names another host than the usual one.
pub(super) const HOST: &str = "GCE_METADATA_HOST";
const DEFAULT_HOST: &str = "metadata.google.internal";
/// What a machine of Google calls itself. No address is asked to find it out: other clouds have the same one.
const PRODUCT: &str = "/sys/class/dmi/id/product_name";
const PRODUCTS: [&str; 2] = ["Google", "Google Compute Engine"];
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// Both sides show with it that they are meant.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");
const MEND: &str =
    "give the machine, the pod or the run a service account; off Google Cloud, name another source";

/// The id tokens of the machine's service account.
pub(super) struct Google {
    endpoint: PlainEndpoint,
}

/// Whether this machine says that it is one of Google's.
pub(super) fn is_machine() -> bool {
    std::fs::read_to_string(PRODUCT).is_ok_and(|product| PRODUCTS.contains(&product.trim()))
}

impl Google {
    pub(super) fn read(env: &Env) -> Result<Self, SourceError> {
        let host = env.get(HOST).unwrap_or(DEFAULT_HOST);
        let endpoint =
            PlainEndpoint::parse(&format!("http://{host}/")).map_err(|error| SourceError::Absent {
                signer: SIGNER,
                missing: format!("{HOST} names no host: {error}"),
                mend: format!("set {HOST} to a host, with a port or without, or unset it"),
            })?;
        let path = ["computeMetadata", "v1", "instance", "service-accounts", "default", "identity"];
        Ok(Self { endpoint: endpoint.join(path) })
    }

    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, SourceError> {
        let plain = Http::plain(self.endpoint.clone(), http.shared_clock())?;
        let url = self.endpoint.with_query(&[("audience", audience), ("format", "full")]);
        let request = &Request::new(Method::GET, url).header(FLAVOR.0, FLAVOR.1);
        let plain = &plain;
        let attempt = |limit| async move { read(&send(plain, limit, SIGNER, request).await?) };
        let token = plain.retrying(deadline, ATTEMPT_TIMEOUT, SourceError::retry_class, attempt).await?;
        let audience_mend = "the metadata server did not take the audience that it was asked for".to_owned();
        check(
            &token,
            audience,
            &Origin { place: "of Google Cloud", audience: audience_mend, algorithm: MEND },
        )?;
        Ok(token)
    }
}

/// The body is the token itself.
fn read(answer: &Response) -> Result<Secret, SourceError> {
    let status = answer.status;
    let is_google = answer.header(FLAVOR.0) == Some(FLAVOR.1);
    match status {
        200..=299 if is_google => answer.text().map(|text| trimmed(&text)).ok_or(SourceError::NoToken {
            signer: SIGNER,
            status,
            body: answer.kind(),
        }),
        400..=499 => Err(SourceError::Refused { signer: SIGNER, status, said: None, mend: MEND.to_owned() }),
        // Another cloud's server, which has the same address.
        _ => Err(SourceError::Absent {
            signer: SIGNER,
            missing: "what answers at the address of the metadata server is not Google's".to_owned(),
            mend: MEND.to_owned(),
        }),
    }
}

impl IdTokenSource for Google {
    fn signer(&self) -> &'static str {
        SIGNER
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(self.ask(http, deadline, audience))
    }
}
