//! Google Cloud: a provider of a workload identity pool for each issuer.
//!
//! Source: Google Cloud's documentation, "Configure Workload Identity Federation with other identity providers"; the provider
//! hashicorp/google, `google_iam_workload_identity_pool_provider`, `google_service_account_iam_member`.

use super::{
    issuers::Trusted,
    quoted::{shell, terraform, terraform_list},
};

/// The provider that is to trust, and the service account that its identities become.
#[derive(Clone, Debug)]
pub struct GoogleProvider {
    /// `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`
    pub name: Option<String>,
    /// The mail address of the service account.
    pub service_account: Option<String>,
}

/// A provider of which only the form is known.
const UNKNOWN: &str =
    "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER";
/// The longest `google.subject`, in bytes.
const MAX_SUBJECT: usize = 127;
/// The longest id of a provider, in bytes.
const MAX_PROVIDER: usize = 32;

impl GoogleProvider {
    /// The full resource name: the audience of an id token from a source that lets one choose.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(UNKNOWN)
    }

    /// The project's number, the pool and the provider.
    fn parts(&self) -> (&str, &str, &str) {
        let parts: Vec<_> = self.name().trim_start_matches('/').split('/').collect();
        match parts[..] {
            [_, _, project, _, _, _, pool, _, provider] => (project, pool, provider),
            _ => ("NUMBER", "POOL", "PROVIDER"),
        }
    }
}

/// What can never work.
pub(super) fn warnings(all: &[Trusted]) -> Vec<String> {
    let long = all.iter().filter(|one| one.subject.len() > MAX_SUBJECT);
    let said = |one: &Trusted| {
        format!(
            "{}: google.subject=assertion.sub can never work: the subject has {} bytes, {MAX_SUBJECT} are allowed; the mapping takes its last part",
            one.heading(),
            one.subject.len()
        )
    };
    long.map(said).collect()
}

/// The commands, for gcloud and for Terraform.
pub(super) fn commands(google: &GoogleProvider, all: &[Trusted]) -> String {
    let in_gcloud = all.iter().map(|one| gcloud(google, one));
    let in_terraform = all.iter().map(|one| in_terraform(google, one));
    let made: Vec<_> = in_gcloud.chain(["# Terraform".to_owned()]).chain(in_terraform).collect();
    made.join("\n\n")
}

fn gcloud(google: &GoogleProvider, one: &Trusted) -> String {
    let (project, pool, named) = google.parts();
    let provider = provider(named, one);
    let next = if one.is_next() {
        format!("# the input googleProvider names {provider} from then on\n")
    } else {
        String::new()
    };
    format!(
        "# {}\n{next}gcloud iam workload-identity-pools providers create-oidc {provider} --project {project} --location global --workload-identity-pool {pool} --issuer-uri {} --allowed-audiences {} --attribute-mapping {} --attribute-condition {}\ngcloud iam service-accounts add-iam-policy-binding {} --role roles/iam.workloadIdentityUser --member {}",
        one.heading(),
        shell(&one.issuer),
        shell(&one.audiences.join(",")),
        shell(&format!("google.subject={}", Mapped::of(one).mapping)),
        shell(&condition(one)),
        google.service_account.as_deref().unwrap_or("ACCOUNT"),
        shell(&member(project, pool, one)),
    )
}

fn in_terraform(google: &GoogleProvider, one: &Trusted) -> String {
    let (project, pool, named) = google.parts();
    let provider = provider(named, one);
    let name = provider.replace('-', "_");
    format!(
        "resource \"google_iam_workload_identity_pool_provider\" \"{name}\" {{\n  project                            = {}\n  workload_identity_pool_id          = {}\n  workload_identity_pool_provider_id = {}\n  attribute_mapping                  = {{ \"google.subject\" = {} }}\n  attribute_condition                = {}\n  oidc {{\n    issuer_uri        = {}\n    allowed_audiences = {}\n  }}\n}}\n\nresource \"google_service_account_iam_member\" \"{name}\" {{\n  service_account_id = google_service_account.this.name\n  role               = \"roles/iam.workloadIdentityUser\"\n  member             = {}\n}}",
        terraform(project),
        terraform(pool),
        terraform(&provider),
        terraform(Mapped::of(one).mapping),
        terraform(&condition(one)),
        terraform(&one.issuer),
        terraform_list(&one.audiences),
        terraform(&member(project, pool, one)),
    )
}

/// Only this identity: a provider may have an issuer that signs for others too. A string of Google's expression language has the
/// escapes of JSON.
fn condition(one: &Trusted) -> String {
    format!("assertion.sub=={}", serde_json::Value::from(one.subject.as_str()))
}

fn member(project: &str, pool: &str, one: &Trusted) -> String {
    let subject = Mapped::of(one).subject;
    format!(
        "principal://iam.googleapis.com/projects/{project}/locations/global/workloadIdentityPools/{pool}/subject/{subject}"
    )
}

/// The provider's id for an issuer: one provider has one issuer.
fn provider(named: &str, one: &Trusted) -> String {
    let suffix = one.suffix();
    let kept: String = named.chars().take(MAX_PROVIDER - suffix.len()).collect();
    format!("{}{suffix}", if suffix.is_empty() { named } else { kept.trim_end_matches('-') })
}

/// How a subject becomes one of Google's.
struct Mapped<'a> {
    mapping: &'static str,
    subject: &'a str,
}

impl<'a> Mapped<'a> {
    /// As it is, where it is short enough, else its last part.
    fn of(one: &'a Trusted) -> Self {
        let part = one.subject.split_once("/sc/").map(|(_, part)| part);
        match part.filter(|_| one.subject.len() > MAX_SUBJECT) {
            Some(subject) => Self { mapping: "assertion.sub.split(\"/sc/\")[1]", subject },
            None => Self { mapping: "assertion.sub", subject: &one.subject },
        }
    }
}
