//! What an audit says: the one input of every format. All text in it is harmless lines already.

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;
use wif_core::azure::cloud::Cloud;

use crate::{
    credential::{CredentialKind, IssuerKind},
    moment::Moment,
    rule::Remedy,
    severity::Severity,
    snapshot::{Layer, State, Unread, connection::CheckKind, identity::IdentityKind},
    waiver::WaiverNotice,
};

/// The version of the JSON.
pub const SCHEMA: &str = "wif.audit/1";
/// The version of the inventory's JSON.
pub const INVENTORY_SCHEMA: &str = "wif.inventory/1";

/// A whole report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// The version of the program.
    pub version: &'static str,
    /// The moment that everything was judged by.
    pub now: Moment,
    /// When reading began.
    pub taken: Moment,
    /// The cloud that was asked: commands have to name it.
    #[serde(skip)]
    pub cloud: Cloud,
    /// How deep was read.
    pub layer: Layer,
    /// Whether names and mail addresses of people were removed.
    pub redacted: bool,
    /// Whether all rules were asked, not only chosen ones.
    #[serde(skip)]
    pub has_all_rules: bool,
    /// The organizations, by name.
    pub organizations: Vec<OrganizationEntry>,
    /// The connections, by organization and id.
    pub connections: Vec<ConnectionEntry>,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
    /// What was read and what was not.
    pub coverage: Vec<CoverageEntry>,
    /// Waivers without an effect.
    pub waivers: Vec<WaiverNotice>,
    /// What the last run had and this one has not. None without a baseline.
    pub baseline: Option<Comparison>,
    /// The counts.
    pub totals: Totals,
}

/// An organization.
#[derive(Clone, Debug, Serialize)]
pub struct OrganizationEntry {
    /// Its name.
    pub name: String,
    /// Its id. None, if it could not be read at all.
    pub id: Option<Uuid>,
    /// Why nothing of it was read. None, if something was.
    #[serde(skip)]
    pub unread: Option<Unread>,
}

/// A connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionEntry {
    /// Its id.
    pub id: Uuid,
    /// Its name in the project that owns it.
    pub name: String,
    /// The organization's name.
    pub organization: String,
    /// `azurerm`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The projects that can use it, the owner first.
    pub projects: Vec<ProjectEntry>,
    /// Its scheme.
    pub scheme: Option<String>,
    /// What it signs in with.
    pub credential: CredentialKind,
    /// The issuer of its id tokens.
    pub issuer: Option<String>,
    /// Who that is.
    pub issuer_kind: Option<IssuerKind>,
    /// The subject of its id tokens.
    pub subject: Option<String>,
    /// The tenant.
    pub tenant: Option<Uuid>,
    /// The application (client) id.
    pub client: Option<Uuid>,
    /// What the client id is of.
    pub identity_kind: IdentityKind,
    /// The display name of the application or managed identity.
    pub identity_name: Option<String>,
    /// The scope that it declares.
    pub scope: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// When it was made.
    pub created: Option<Moment>,
    /// When it was changed last.
    pub modified: Option<Moment>,
    /// Who made it.
    pub created_by: Option<String>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// Whether its creation is complete.
    pub ready: Option<bool>,
    /// When the newest run that used it began. None, if it was never used or that was not read.
    #[serde(rename = "use")]
    pub usage: UseState,
    /// When the newest run that used it began.
    pub last_used: Option<Moment>,
    /// The day on which Azure DevOps disables it, if nothing uses it.
    pub disabled_on: Option<String>,
    /// When the application's secret, or certificate, that ends last began.
    pub secret_starts: Option<Moment>,
    /// When the last of the application's secrets, or certificates, ends.
    pub secret_ends: Option<Moment>,
    /// Whether it was read which secrets and certificates its identity has. A managed identity has none.
    #[serde(skip)]
    pub are_secrets_read: bool,
    /// The names of the federated credentials, and whether each is for this connection.
    pub federated_credentials: Option<Vec<TrustEntry>>,
    /// The roles of its identity.
    pub roles: Option<Vec<RoleEntry>>,
    /// Whether every pipeline of a project may use it.
    pub open_to_all_pipelines: Option<bool>,
    /// The pipelines that may use it by themselves.
    pub pipelines: Option<Vec<PipelineEntry>>,
    /// The users and groups with a role on it.
    pub members: Option<Vec<MemberEntry>>,
    /// Its approvals and checks.
    pub checks: Option<Vec<CheckEntry>>,
    /// Whether more can be seen of it than that it exists.
    pub visible: bool,
}

/// Whether the use of a connection was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UseState {
    /// In all of its projects.
    Read,
    /// Not in all of them.
    Unread,
}

/// A project that can use a connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectEntry {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The connection's name in it.
    pub connection_name: String,
    /// Whether it owns the connection.
    pub owner: bool,
}

/// A federated credential.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustEntry {
    /// Its name.
    pub name: String,
    /// Whether it has the connection's issuer and subject.
    pub matches: bool,
}

/// A role assignment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleEntry {
    /// The role's name, or the id of its definition.
    pub role: String,
    /// Its scope.
    pub scope: String,
    /// The condition that restricts it.
    pub condition: Option<String>,
    /// What was written down about it.
    pub description: Option<String>,
    /// When it was made.
    pub created: Option<Moment>,
}

/// A pipeline that may use a connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineEntry {
    /// The number of its definition.
    pub id: u64,
    /// Its name.
    pub name: Option<String>,
    /// Its project.
    pub project: String,
}

/// A user or group with a role on a connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberEntry {
    /// The display name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The project.
    pub project: String,
}

/// An approval or check.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckEntry {
    /// What it is.
    pub kind: CheckKind,
    /// Its name.
    pub name: Option<String>,
    /// The branches of a branch control.
    pub branches: Vec<String>,
    /// The approvers of an approval.
    pub approvers: Vec<String>,
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's code.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What the rule finds.
    pub title: &'static str,
    /// What is wrong here, in a sentence.
    pub detail: String,
    /// The group of remedies that it belongs to.
    pub remedy: Remedy,
    /// The organization's name.
    pub organization: String,
    /// The connection's id.
    pub connection: Option<Uuid>,
    /// The connection's name.
    pub connection_name: Option<String>,
    /// The project that owns the connection.
    pub project: Option<String>,
    /// The facts, by name: an object of JSON as it is written, which takes a fraction of the room that its parts would.
    pub evidence: Box<RawValue>,
    /// What to do.
    pub fix: String,
    /// The next command, or the page to open.
    pub command: String,
    /// Whether the baseline has it not. False without a baseline.
    pub new: bool,
    /// The waiver that accepts it.
    pub waived: Option<Waived>,
    /// What stays the same from run to run.
    pub fingerprint: String,
}

/// The waiver that accepts a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waived {
    /// Why.
    pub reason: String,
    /// The person or team that accepted it.
    pub owner: String,
    /// The last day.
    pub until: String,
}

/// What was read of a layer, and why not the rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageEntry {
    /// The organization's name.
    pub organization: String,
    /// The project's name. None, if it is about the whole organization.
    pub project: Option<String>,
    /// The layer.
    pub layer: Layer,
    /// The connection that it is about.
    pub connection: Option<Uuid>,
    /// What became of it.
    pub state: State,
    /// Why it was not read.
    pub why: String,
}

/// This run beside the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Findings that the last run had not.
    pub new: usize,
    /// Findings that both have.
    pub unchanged: usize,
    /// Findings that only the last run had.
    pub gone: usize,
}

/// The counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All connections: the sum of the next six.
    pub connections: usize,
    /// Without a secret.
    pub federated: usize,
    /// With a stored secret.
    pub secret: usize,
    /// With a stored certificate.
    pub certificate: usize,
    /// With the identity of the agent's machine.
    pub machine: usize,
    /// With something else.
    pub other: usize,
    /// What could not be seen.
    pub unknown: usize,
    /// Findings that are faults, without those that are waived.
    pub faults: usize,
    /// Findings that are warnings, without those that are waived.
    pub warnings: usize,
    /// Findings that are notes, without those that are waived.
    pub notes: usize,
    /// Findings that are waived.
    pub waived: usize,
}

impl Report {
    /// Whether nothing at all was read of any organization: then nothing was judged, and no number says anything.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.organizations.iter().all(|one| one.unread.is_some())
    }

    /// What was not read.
    pub fn gaps(&self) -> impl Iterator<Item = &CoverageEntry> {
        self.coverage.iter().filter(|entry| entry.state != State::Read)
    }

    /// Findings that no waiver accepts.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_none())
    }
}
