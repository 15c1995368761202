//! A plan, `wif.plan/1`: what was read, the steps, and what was left out and why. It never holds a secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use wif_core::azure::cloud::Cloud;

pub use super::{digest::hex, project::PlannedProject};
use super::{
    ids::Ids,
    vend::asked::{Asked, Change, guid},
};
use crate::{cloud_name::CloudName, moment::Moment};

/// The schema of plans.
pub const SCHEMA: &str = "wif.plan/1";
/// The audience of every federated credential in the public cloud.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// How long a plan can be applied, in hours.
pub const VALID_HOURS: i64 = 24;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// `wif.plan/1`
    pub schema: String,
    /// The version of the program that made it.
    pub tool: String,
    /// The command that made it: `convert plan`, `revert plan`, `issuer plan`, `rollback`.
    pub command: String,
    /// When it was made.
    pub made: Moment,
    /// Until when it can be applied.
    pub valid_until: Moment,
    /// The cloud of Microsoft Graph and Azure Resource Manager.
    #[serde(with = "CloudName")]
    pub cloud: Cloud,
    /// The organization.
    pub organization: PlannedOrganization,
    /// Whether code manages the connections.
    pub managed_by: ManagedBy,
    /// The connections, in the order in which they are changed.
    pub items: Vec<Item>,
    /// What was selected, and is not changed.
    pub skipped: Vec<Skipped>,
    /// SHA-256 of the digests of all facts.
    pub facts: String,
    /// SHA-256 of the rest of the plan.
    #[serde(default)]
    pub sha256: String,
}

/// The organization of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedOrganization {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// Its URL.
    pub url: String,
}

/// Whether code manages the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ManagedBy {
    /// Terraform.
    Terraform,
    /// Bicep.
    Bicep,
    /// No code.
    None,
    /// The caller did not say.
    Unknown,
}

/// A connection that is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// Its id.
    pub connection: Uuid,
    /// Its name in the project that owns it.
    pub name: String,
    /// The project that owns it.
    pub project: PlannedProject,
    /// What was read.
    pub facts: Facts,
    /// SHA-256 of the facts.
    pub digest: String,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What was asked for, where a request is followed. A connection that is to be made has no id yet: it goes by another one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Box<Asked>>,
}

/// What was read of a connection and its identity, as far as the steps depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// `authorization.scheme`
    pub scheme: Option<String>,
    /// `spnKey` or `spnCertificate`
    pub authentication_type: Option<String>,
    /// The issuer, exactly as it is written.
    pub issuer: Option<String>,
    /// The subject, exactly as it is written.
    pub subject: Option<String>,
    /// The tenant.
    pub tenant: Option<Uuid>,
    /// The application (client) id.
    pub client: Option<Uuid>,
    /// The scope that it declares.
    pub scope: Option<String>,
    /// `data.environment`
    pub environment: Option<String>,
    /// `data.creationMode`
    pub creation_mode: Option<String>,
    /// Until when it can be converted back.
    pub revert_until: Option<Moment>,
    /// When it was last changed.
    pub modified: Option<Moment>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// The projects that can use it.
    pub projects: Vec<PlannedProject>,
    /// The identity.
    pub identity: IdentityFacts,
    /// SHA-256 of what the steps of a request follow from beside these: the identity, who may use the connection, and its checks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub around: Option<String>,
}

/// What was read of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityFacts {
    /// The display name.
    pub name: Option<String>,
    /// The object id of the application; a managed identity has none.
    pub application_object: Option<Uuid>,
    /// The path of a managed identity in Azure Resource Manager.
    pub resource: Option<String>,
    /// `signInAudience`
    pub sign_in_audience: Option<String>,
    /// When the last of its secrets ends. None, if it has none.
    pub last_secret_ends: Option<Moment>,
    /// How many credentials it has that have no subject, or cannot be read.
    pub other_credentials: usize,
    /// Its federated credentials.
    pub credentials: Vec<Credential>,
}

/// A federated credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// The issuer.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// The audience.
    pub audience: String,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// `+`, `~`, `-`, `?` or `!`.
    pub sign: String,
    /// What it does, in a sentence.
    pub title: String,
    /// What is done.
    pub action: Action,
    /// What must hold before.
    pub precondition: String,
    /// The call.
    pub call: String,
    /// What must be read back.
    pub read_back: String,
    /// What undoes it. None: it cannot be undone.
    pub inverse: Option<String>,
    /// Who may do it.
    pub who: String,
    /// What was known of its objects when the plan was made.
    #[serde(skip_serializing_if = "Ids::is_empty", default)]
    pub ids: Ids,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Action {
    /// Adds a federated credential to the identity.
    AddCredential {
        /// The credential.
        credential: Credential,
    },
    /// Removes a federated credential from the identity.
    RemoveCredential {
        /// The credential.
        credential: Credential,
    },
    /// Removes those of the credentials that this plan has added and that the connection does not use.
    RemoveUnused {
        /// The credentials.
        credentials: Vec<Credential>,
    },
    /// Converts the connection.
    Convert {
        /// The scheme that it gets.
        to: Scheme,
    },
    /// Moves the connection from the Azure DevOps issuer to that of Entra.
    MoveIssuer {
        /// What moves it.
        trigger: Trigger,
        /// The credential that trusts the new issuer and subject.
        credential: Credential,
    },
    /// Proves by `TestConnection` that the connection signs in.
    Prove,
    /// Waits for a run of a pipeline that has succeeded since the connection was moved.
    AwaitRun,
    /// Follows a request.
    Follow(Change),
    /// Takes back what was done for a request.
    TakeBack {
        /// What was done.
        done: Change,
    },
}

/// What moves a connection to the issuer of Entra: which call does it is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// The next two, one after the other, and else a person.
    Auto,
    /// To save it.
    Save,
    /// The operation that converts connections.
    Operation,
    /// A person, in the portal.
    Person,
}

/// How a connection signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// By federation.
    WorkloadIdentityFederation,
    /// By what is stored.
    ServicePrincipal,
}

/// What was selected, and is not changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Skipped {
    /// The connection's id.
    pub connection: Uuid,
    /// Its name.
    pub name: String,
    /// The project that owns it.
    pub project: Option<String>,
    /// Why.
    pub reason: String,
    /// What can be done instead.
    pub alternative: String,
    /// Whether it could not be read.
    pub unread: bool,
}

/// Why a file is not a plan that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It is not a plan.
    #[error("it is not a plan of this version ({0})")]
    Unreadable(String),
    /// It is not what was written.
    #[error("it was edited: its SHA-256 is another one")]
    Edited,
}

impl Scheme {
    /// As Azure DevOps writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkloadIdentityFederation => "WorkloadIdentityFederation",
            Self::ServicePrincipal => "ServicePrincipal",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::WorkloadIdentityFederation => Self::ServicePrincipal,
            Self::ServicePrincipal => Self::WorkloadIdentityFederation,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Facts {
    /// Whether the connection signs in with what it stores.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        let stored = Scheme::ServicePrincipal.as_str();
        self.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case(stored))
    }

    /// Without what Azure DevOps changes by itself when a connection is changed and put back: when it was changed, until when it can be
    /// converted back, the secret that it may make anew, and the issuer of a connection that stores one.
    #[must_use]
    pub fn but_for_own_traces(&self) -> Self {
        let mut facts = Self { modified: None, revert_until: None, ..self.clone() };
        facts.identity.last_secret_ends = None;
        if facts.is_stored() {
            (facts.issuer, facts.subject) = (None, None);
        }
        facts
    }

    /// SHA-256 of what a step may depend on. Credentials with these names are left out: other items of the plan make or remove them.
    #[must_use]
    pub fn digest(&self, of_others: &[&str]) -> String {
        let mut facts = self.clone();
        facts.identity.credentials.retain(|one| !of_others.contains(&one.name.as_str()));
        facts.identity.credentials.sort();
        let value = serde_json::to_value(&facts).unwrap_or_default();
        hex(value.to_string().as_bytes())
    }
}

impl Step {
    /// Whether it makes an identity, which Entra does not know everywhere at once.
    #[must_use]
    pub const fn makes_identity(&self) -> bool {
        matches!(
            self.action,
            Action::Follow(Change::MakeApplication | Change::MakePrincipal | Change::MakeManagedIdentity)
        )
    }
}

impl Item {
    /// Whether something is left to a person.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.steps.iter().any(|step| step.action == Action::Follow(Change::Report))
    }

    /// Whether it puts a connection beside another one.
    #[must_use]
    pub fn is_migration(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.beside.is_some())
    }

    /// What writes are made one after the other for: an identity, which may have no client id yet.
    #[must_use]
    pub fn serial_key(&self) -> Option<Uuid> {
        let asked = self.asked.as_ref();
        asked.map_or(self.facts.client, |asked| {
            let identity = serde_json::to_value(&asked.request.identity).unwrap_or_default();
            Some(guid(&identity.to_string().to_lowercase()))
        })
    }

    /// The credentials that it adds.
    pub fn added(&self) -> impl Iterator<Item = &Credential> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::AddCredential { credential } => Some(credential),
            _ => None,
        })
    }

    /// The credentials that it removes, those aside that it has added itself.
    fn removed(&self) -> impl Iterator<Item = &Credential> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::RemoveCredential { credential } => Some(credential),
            _ => None,
        })
    }
}

impl Plan {
    /// Computes the digests.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        let digests: Vec<_> = self.items.iter().map(|item| item.digest.as_str()).collect();
        self.facts = hex(digests.join("\n").as_bytes());
        self.sha256 = self.computed();
        self
    }

    fn computed(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(plan) = &mut value {
            plan.remove("sha256");
        }
        hex(value.to_string().as_bytes())
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is not a plan, or was edited.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| PlanError::Unreadable(error.to_string()))?;
        let schema = value.get("schema").and_then(Value::as_str).unwrap_or_default();
        if schema != SCHEMA {
            let error = format!("its schema is '{schema}', accepted is {SCHEMA}");
            return Err(PlanError::Unreadable(error));
        }
        // What has the schema and cannot be read was written by another version, or edited.
        let plan: Self = serde_json::from_value(value).map_err(|_error| PlanError::Edited)?;
        if plan.sha256 != plan.computed() || plan.to_json() != text {
            return Err(PlanError::Edited);
        }
        Ok(plan)
    }

    /// The names of the credentials that other items than this one add to its identity or remove from it.
    #[must_use]
    pub fn names_of_others(&self, item: &Item) -> Vec<&str> {
        let key = item.serial_key();
        let others = self.items.iter().filter(|other| other.connection != item.connection);
        let others = others.filter(|other| other.serial_key() == key);
        let changed = others.flat_map(|other| other.added().chain(other.removed()));
        changed.map(|credential| credential.name.as_str()).collect()
    }
}
