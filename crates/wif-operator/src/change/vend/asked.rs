//! What a plan holds of a request: what was asked for, and what each step changes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    change::{digest::hex, project::PlannedProject},
    drift::description,
    request::{Request, RequestedIdentity},
};

/// A request, with what was looked up for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// What was asked for.
    pub request: Request,
    /// By which what is made for it is known again.
    pub key: String,
    /// Whether the connection was there when the plan was made.
    pub is_there: bool,
    /// Whether the connection was made for this request.
    pub is_own: bool,
    /// The tenant.
    pub tenant: Uuid,
    /// The name of the subscription or management group.
    pub scope_name: String,
    /// The projects; the first owns it.
    pub projects: Vec<PlannedProject>,
    /// The region of a managed identity that is to be made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
}

/// What a step of a request changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "change", deny_unknown_fields)]
pub enum Change {
    /// Makes the application.
    MakeApplication,
    /// Makes the service principal of the application.
    MakePrincipal,
    /// Makes the managed identity.
    MakeManagedIdentity,
    /// Assigns a role.
    AssignRole {
        /// Its name.
        role: String,
        /// The id of its definition.
        definition: Uuid,
        /// The scope.
        scope: String,
    },
    /// Removes a role assignment.
    RemoveRole {
        /// The path of the assignment.
        assignment: String,
        /// The scope.
        scope: String,
    },
    /// Makes the connection.
    MakeConnection,
    /// Saves the connection, with what was asked for.
    SaveConnection,
    /// Shares the connection with a project.
    Share {
        /// The project.
        project: PlannedProject,
    },
    /// Takes the connection from a project.
    Unshare {
        /// The project.
        project: PlannedProject,
    },
    /// Adds the federated credential for the issuer and subject of the connection.
    Trust,
    /// Removes a federated credential.
    RemoveTrust {
        /// Its name.
        name: String,
    },
    /// Authorizes pipelines of a project, takes their authorization, or closes the connection to all.
    Authorize {
        /// The project.
        project: Uuid,
        /// Pipelines that may use it from then on.
        add: Vec<u64>,
        /// Pipelines that may not use it any more.
        remove: Vec<u64>,
        /// It is open to all pipelines, and is closed.
        closes: bool,
    },
    /// Makes a branch control.
    MakeBranchControl {
        /// The branches.
        branches: Vec<String>,
    },
    /// Makes an approval.
    MakeApproval {
        /// The ids of the approvers in Azure DevOps.
        approvers: Vec<Uuid>,
    },
    /// Removes a check.
    RemoveCheck {
        /// Its id.
        id: u64,
    },
    /// Nothing: a person has to decide.
    Report,
}

impl Asked {
    /// The path of the managed identity.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        match &self.request.identity {
            RequestedIdentity::ManagedIdentity { name, resource_group, subscription } => {
                Some(crate::drift::resource_of(*subscription, resource_group, name))
            }
            _ => None,
        }
    }

    /// The project that owns the connection.
    #[must_use]
    pub fn owner(&self) -> Uuid {
        self.projects.first().map(|project| project.id).unwrap_or_default()
    }

    /// The description of the connection. One that was not made for this request keeps its own, and gets no mark.
    #[must_use]
    pub fn description(&self, now: &str) -> String {
        let own = description(&self.request, &self.key);
        if self.is_own || !self.is_there {
            return own;
        }
        let facts = own.split("; made by wif").next().unwrap_or_default();
        if now.is_empty() { facts.to_owned() } else { format!("{now}; {facts}") }
    }

    /// The connection as it is to be made.
    #[must_use]
    pub fn connection(&self, client: &str) -> Value {
        let (request, description) = (&self.request, self.description(""));
        let is_below = request.scope.matches('/').count() > 2 && request.scope.starts_with("/subscriptions/");
        let parameters = if is_below {
            json!({ "tenantid": self.tenant, "serviceprincipalid": client, "scope": request.scope })
        } else {
            json!({ "tenantid": self.tenant, "serviceprincipalid": client })
        };
        let references: Vec<_> = self.projects.iter().map(|one| self.reference(one, &description)).collect();
        json!({
            "name": request.connection,
            "type": "azurerm",
            "url": "https://management.azure.com/",
            "description": description,
            "authorization": { "scheme": "WorkloadIdentityFederation", "parameters": parameters },
            "data": self.data(),
            "isShared": false,
            "isReady": true,
            "serviceEndpointProjectReferences": references,
        })
    }

    /// The connection in a project.
    #[must_use]
    pub fn reference(&self, project: &PlannedProject, description: &str) -> Value {
        json!({
            "projectReference": { "id": project.id, "name": project.name },
            "name": self.request.connection,
            "description": description,
        })
    }

    fn data(&self) -> Value {
        let parts: Vec<_> = self.request.scope.split('/').collect();
        match parts.as_slice() {
            ["", "subscriptions", subscription, ..] => json!({
                "environment": "AzureCloud", "creationMode": "Manual", "scopeLevel": "Subscription",
                "subscriptionId": subscription, "subscriptionName": self.scope_name,
            }),
            _ => json!({
                "environment": "AzureCloud", "creationMode": "Manual", "scopeLevel": "ManagementGroup",
                "managementGroupId": parts.last(), "managementGroupName": self.scope_name,
            }),
        }
    }
}

/// The key of a request: the same for the same connection of the same project.
#[must_use]
pub fn key(organization: Uuid, project: Uuid, connection: &str) -> String {
    hex(format!("{organization}/{project}/{}", connection.to_lowercase()).as_bytes())
        .chars()
        .take(32)
        .collect()
}

/// A GUID that follows from a text.
#[must_use]
pub fn guid(text: &str) -> Uuid {
    let digits: String = hex(text.as_bytes()).chars().take(32).collect();
    let bytes = u128::from_str_radix(&digits, 16).unwrap_or_default().to_be_bytes();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The name of a role assignment: the same for the same role, scope and principal.
#[must_use]
pub fn assignment_name(definition: Uuid, scope: &str, principal: Uuid) -> Uuid {
    guid(&format!("{definition}/{}/{principal}", scope.to_lowercase()))
}
