//! A service connection, with what Azure DevOps tells of it. It never holds a secret.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::existence::Existence;
use crate::moment::Moment;

/// A connection, counted once however many projects it is shared with.
///
/// Keys of `authorization.parameters` and `data` differ in case between connections; the reader compares them without. An
/// empty value there is `None` here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connection {
    /// Its id.
    pub id: Uuid,
    /// Its name in the project that owns it.
    pub name: String,
    /// `azurerm`, `azure`, `dockerregistry`, …: as Azure DevOps writes it. None, if it cannot be seen.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Whether the token sees more than that it exists: `data`, `authorization` and `type` are there.
    pub is_visible: bool,
    /// Where it leads.
    pub url: Option<String>,
    /// Its description in the project that owns it. None, if that is empty.
    pub description: Option<String>,
    /// The projects that can use it, the owner among them.
    pub projects: Vec<ProjectReference>,

    /// `authorization.scheme`
    pub scheme: Option<String>,
    /// `authorization.parameters.authenticationType`: `spnKey` or `spnCertificate`.
    pub authentication_type: Option<String>,
    /// `workloadIdentityFederationIssuer`, as it is written.
    pub issuer: Option<String>,
    /// `workloadIdentityFederationSubject`, as it is written.
    pub subject: Option<String>,
    /// `tenantid`
    pub tenant: Option<Uuid>,
    /// `serviceprincipalid`: the application (client) id.
    pub client: Option<Uuid>,
    /// `data.environment`: `AzureCloud`, …
    pub environment: Option<String>,
    /// `data.scopeLevel`: `Subscription`, `ManagementGroup`, `AzureMLWorkspace`
    pub scope_level: Option<String>,
    /// The scope that it declares, as a path of Azure Resource Manager: `authorization.parameters.scope`, else
    /// `/subscriptions/ID` or `/providers/Microsoft.Management/managementGroups/ID`.
    pub scope: Option<String>,
    /// `data.subscriptionName` or `data.managementGroupName`
    pub scope_name: Option<String>,
    /// `data.creationMode`: `Automatic` or `Manual`
    pub creation_mode: Option<String>,
    /// `data.identityType`: `ManagedIdentity`, `AppRegistrationManual`, `AppRegistrationAutomatic`
    pub identity_type: Option<String>,
    /// `data.appObjectId`
    pub application_object: Option<Uuid>,
    /// `data.spnObjectId`
    pub principal_object: Option<Uuid>,
    /// `data.revertSchemeDeadline`
    pub revert_deadline: Option<Moment>,
    /// `data.isDraft`
    pub is_draft: bool,

    /// `creationDate`
    pub created: Option<Moment>,
    /// `createdBy`
    pub created_by: Option<Person>,
    /// `modificationDate`
    pub modified: Option<Moment>,
    /// `isDisabled`. None, if the answer does not tell.
    pub is_disabled: Option<bool>,
    /// `isReady`
    pub is_ready: Option<bool>,
    /// `operationStatus.state`: `Ready`, `Failed`, `InProgress`
    pub operation_state: Option<String>,
    /// `operationStatus.statusMessage`
    pub operation_message: Option<String>,

    /// Approvals and checks of the owner's project.
    pub checks: Option<Vec<Check>>,
}

/// A project that can use a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectReference {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The connection's name in this project.
    pub connection_name: String,
    /// Whether the connection belongs to this project.
    pub is_owner: bool,
    /// The pipelines that may use it there.
    pub pipelines: Option<PipelinePermissions>,
    /// The newest runs that used it there, newest first. Empty, if it was never used.
    pub runs: Option<Vec<Run>>,
    /// Who holds a role on it there.
    pub members: Option<Vec<Member>>,
}

/// The pipelines that may use a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelinePermissions {
    /// `allPipelines.authorized`: every pipeline of the project.
    pub is_open_to_all: bool,
    /// The pipelines that are authorized by themselves.
    pub pipelines: Vec<Pipeline>,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pipeline {
    /// The number of its definition.
    pub id: u64,
    /// Its name, if that is known.
    pub name: Option<String>,
    /// Whether the definition exists.
    pub existence: Existence,
}

/// A run that used a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// `planType`: `Build`, `Release`, …
    pub kind: Option<String>,
    /// The number of the definition.
    pub pipeline: Option<u64>,
    /// The definition's name.
    pub pipeline_name: Option<String>,
    /// When it began.
    pub started: Moment,
    /// `succeeded`, `failed`, …; none while it runs.
    pub result: Option<String>,
}

/// A user or group that holds a role on a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// `Administrator`, `User`, `Reader`, `Creator`
    pub role: String,
    /// The display name: `[Platform]\Contributors`
    pub name: String,
    /// The id of the identity in Azure DevOps.
    pub id: String,
    /// Whether the role comes from the project, not from the connection.
    pub is_inherited: bool,
    /// Whether it is a group, not a person or service. None, if that is not known.
    pub is_group: Option<bool>,
}

/// A person or service of Azure DevOps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Person {
    /// The id of the identity in Azure DevOps.
    pub id: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The user name, as a rule a mail address.
    pub unique_name: Option<String>,
    /// Whether the identity still belongs to the organization.
    pub existence: Existence,
}

/// An approval or check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// What it is.
    pub kind: CheckKind,
    /// Its display name.
    pub name: Option<String>,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// `allowedBranches` of a branch control, split at commas.
    pub branches: Vec<String>,
    /// The display names of an approval's approvers.
    pub approvers: Vec<String>,
}

/// The kinds of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckKind {
    /// People approve.
    Approval,
    /// Only pipelines of certain branches.
    BranchControl,
    /// Only at certain hours.
    BusinessHours,
    /// Only pipelines that extend a template.
    RequiredTemplate,
    /// One run at a time.
    ExclusiveLock,
    /// A function, a REST call, or another check.
    Other,
}

impl Connection {
    /// A connection of which only the id and the name are known.
    #[must_use]
    pub fn new(id: Uuid, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            kind: None,
            is_visible: false,
            url: None,
            description: None,
            projects: Vec::new(),
            scheme: None,
            authentication_type: None,
            issuer: None,
            subject: None,
            tenant: None,
            client: None,
            environment: None,
            scope_level: None,
            scope: None,
            scope_name: None,
            creation_mode: None,
            identity_type: None,
            application_object: None,
            principal_object: None,
            revert_deadline: None,
            is_draft: false,
            created: None,
            created_by: None,
            modified: None,
            is_disabled: None,
            is_ready: None,
            operation_state: None,
            operation_message: None,
            checks: None,
        }
    }

    /// The project that owns it.
    #[must_use]
    pub fn owner(&self) -> Option<&ProjectReference> {
        self.projects.iter().find(|project| project.is_owner)
    }

    /// Gives back the room that its lists do not need: a list of one has room for four.
    pub(crate) fn shrink(&mut self) {
        self.checks.iter_mut().for_each(Vec::shrink_to_fit);
        self.projects.shrink_to_fit();
        for project in &mut self.projects {
            project.runs.iter_mut().for_each(Vec::shrink_to_fit);
            project.members.iter_mut().for_each(Vec::shrink_to_fit);
            project.pipelines.iter_mut().for_each(|permissions| permissions.pipelines.shrink_to_fit());
        }
    }

    /// Brings its lists into one order: the owner first, the other projects by id; runs newest first.
    pub(super) fn sort(&mut self) {
        self.projects.sort_by_key(|project| (!project.is_owner, project.id));
        for project in &mut self.projects {
            if let Some(permissions) = &mut project.pipelines {
                permissions.pipelines.sort();
            }
            if let Some(runs) = &mut project.runs {
                runs.sort_by(|one, other| {
                    other.started.cmp(&one.started).then_with(|| one.pipeline.cmp(&other.pipeline))
                });
            }
            if let Some(members) = &mut project.members {
                members.sort();
            }
        }
        if let Some(checks) = &mut self.checks {
            checks.sort();
        }
    }
}
