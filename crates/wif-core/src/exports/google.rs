//! Google Cloud: a private credential file that leads Google's libraries, gcloud and Terraform to the broker.
//!
//! Where the id token may leave, the file's source is the broker's id token, and each client exchanges it itself. Where it may
//! not, the file's token URL is the broker's, which has made the exchange.
//!
//! Source: googleapis/google-auth-library-python, `identity_pool.py` and `external_account.py`; google-auth-library-nodejs,
//! `identitypoolclient.ts`; googleapis/google-cloud-go, `auth/credentials/internal/externalaccount`; gcloud,
//! `CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE`; hashicorp/terraform-provider-google, `google/provider/provider.go`.

use serde_json::{Value, json};

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, LIVE, Remedy, Values},
    definition::{Definition, LeadsTo, Marker, Need, VARIABLES_ONLY},
    variable::{Facts, Variable},
};
use crate::secret::Secret;

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "google",
    summary: "Google Cloud's libraries, gcloud, Terraform's google provider",
    asked_by: Some("googleProvider"),
    needs_live: &[Need::CredentialFile],
    live,
    snapshot: Err("no broker would keep its credentials fresh"),
    conflicts: CONFLICTS,
    markers: &[Marker {
        variable: "GOOGLE_APPLICATION_CREDENTIALS",
        leads_to: LeadsTo::Folder,
        sessions: LIVE,
    }],
    programs: &["gcloud"],
    ..VARIABLES_ONLY
};

/// The path of a broker's token endpoint in Google's form (RFC 8693), and of the subject token of its own that it takes there.
pub const GOOGLE_PATH: &str = "/google";

/// The path of what gcloud asks for the name of the account behind an access token (RFC 7662).
pub const GOOGLE_ACCOUNT_PATH: &str = "/google/account";

/// A provider of a workload identity pool, and what is asked for by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleProvider {
    /// The provider's full resource name, with `//iam.googleapis.com/` in front.
    pub audience: String,
    /// The service account that is impersonated.
    pub service_account: Option<String>,
    /// Google's domain, or that of a universe of its own.
    pub universe: String,
}

impl GoogleProvider {
    /// Where the id token is exchanged.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("https://sts.{}/v1/token", self.universe)
    }

    /// Where an access token of the service account is made.
    #[must_use]
    pub fn impersonation_url(&self) -> Option<String> {
        let account = self.service_account.as_ref()?;
        let universe = &self.universe;
        Some(format!(
            "https://iamcredentials.{universe}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        ))
    }

    /// The credential file, which holds the broker's key.
    #[must_use]
    pub fn credential_file(&self, endpoint: &BrokerEndpoint) -> Secret {
        let BrokerEndpoint { url, key, .. } = endpoint;
        let key = key.expose();
        let source = if endpoint.gives_id_token { endpoint.google_id_token } else { GOOGLE_PATH };
        let sts = format!("https://sts.{}/v1", self.universe);
        // Where the broker has made the exchange, it has impersonated the account too.
        let (token_url, token_info_url, impersonation) = if endpoint.gives_id_token {
            (self.token_url(), Some(format!("{sts}/introspect")), self.impersonation_url())
        } else {
            (format!("{url}/{key}{GOOGLE_PATH}"), Some(format!("{url}/{key}{GOOGLE_ACCOUNT_PATH}")), None)
        };
        let all = [
            ("type", Some(json!("external_account"))),
            ("audience", Some(json!(self.audience))),
            ("subject_token_type", Some(json!("urn:ietf:params:oauth:token-type:jwt"))),
            ("universe_domain", Some(json!(self.universe))),
            ("token_url", Some(json!(token_url))),
            ("token_info_url", token_info_url.map(Value::from)),
            ("service_account_impersonation_url", impersonation.map(Value::from)),
            (
                "credential_source",
                Some(json!({
                    "url": format!("{url}{source}"),
                    "headers": {"Authorization": format!("Bearer {key}")},
                    "format": {"type": "json", "subject_token_field_name": "value"},
                })),
            ),
        ];
        let file: serde_json::Map<String, Value> =
            all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Secret::new(Value::Object(file).to_string())
    }
}

const CONFLICTS: &[Conflict] = &[
    Conflict {
        variables: &["GOOGLE_OAUTH_ACCESS_TOKEN"],
        effect: "Terraform's google provider uses this access token before the session.",
        ..USED
    },
    Conflict { variables: &["GOOGLE_CREDENTIALS"], ..KEY },
    Conflict { variables: &["GOOGLE_CLOUD_KEYFILE_JSON"], ..KEY },
    Conflict { variables: &["GCLOUD_KEYFILE_JSON"], ..KEY },
    Conflict {
        variables: &["GOOGLE_BACKEND_CREDENTIALS"],
        effect: "Terraform's gcs backend signs in with this before it asks the session.",
        ..USED
    },
    Conflict {
        variables: &["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"],
        effect: "gcloud uses the access token in that file before the session.",
        ..USED
    },
    Conflict {
        variables: &["GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"],
        effect: "Terraform's google provider and gcs backend act as this service account, by way of the session.",
        ..IMPERSONATED
    },
    Conflict {
        variables: &["GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT"],
        effect: "Terraform's gcs backend acts as this service account, by way of the session.",
        ..IMPERSONATED
    },
    Conflict {
        variables: &["CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT"],
        effect: "gcloud acts as this service account, by way of the session.",
        ..IMPERSONATED
    },
];

const USED: Conflict =
    Conflict { variables: &[], values: Values::Any, sessions: LIVE, from_machine: Remedy::Empty, effect: "" };
/// A job may mean it: the session's account is the one that is allowed to.
const IMPERSONATED: Conflict = Conflict { from_machine: Remedy::Warn, ..USED };
const KEY: Conflict =
    Conflict { effect: "Terraform's google provider signs in with this before it asks the session.", ..USED };

fn live(facts: &Facts, _: &BrokerEndpoint) -> Vec<Variable> {
    let Some(google) = &facts.targets.google else { return Vec::new() };
    let file = google.credential_file.to_string_lossy();
    let files = ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"];
    let projects = ["GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"];
    let project = google.project.as_ref();
    files
        .into_iter()
        .map(|name| Variable::plain(name, &*file))
        .chain(project.into_iter().flat_map(|project| projects.map(|name| Variable::plain(name, project))))
        .collect()
}
