//! What a plan holds of a request: what was asked for, and what each step changes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    change::{digest::hex, project::PlannedProject},
    made::{MARK, description},
    moment::Moment,
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
    /// The connection that it is put beside, in a migration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub beside: Option<Box<Beside>>,
}

/// The connection that another one is put beside, in a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Beside {
    /// Its id.
    pub connection: Uuid,
    /// Its name in the project that owns it.
    pub name: String,
    /// Its description, on one line.
    pub description: String,
    /// The names of the new connection in the projects of [`Asked::projects`], in their order.
    pub names: Vec<String>,
    /// The names of the old connection in these projects, which the new one is to get. Empty: each keeps its own.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub old_names: Vec<String>,
    /// SHA-256 of what there was of the new connection when the plan was made. None: it is not compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
}

/// A role assignment as it was read, to be made for another identity, or to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopiedRole {
    /// The name of the role; its id, where the name is not known.
    pub role: String,
    /// The path of the assignment that was read.
    pub assignment: String,
    /// `roleDefinitionId`
    pub definition: String,
    /// `scope`
    pub scope: String,
    /// `condition`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub condition: Option<String>,
    /// `conditionVersion`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub condition_version: Option<String>,
    /// `description`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// `delegatedManagedIdentityResourceId`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delegated: Option<String>,
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
    /// Gives the identity a role that another one has, with its condition.
    CopyRole {
        /// The assignment of the other one.
        copied: CopiedRole,
    },
    /// Makes a check that another connection has.
    CopyCheck {
        /// The project that it is in.
        project: Uuid,
        /// The check, with what decides and nothing that could be secret.
        check: Value,
    },
    /// Removes a federated credential, exactly as it is.
    EndTrust {
        /// Its name.
        name: String,
        /// Its issuer.
        issuer: String,
        /// Its subject.
        subject: String,
        /// Its audience.
        audience: String,
    },
    /// Deletes the connection, in every project.
    EndConnection,
    /// Removes a role assignment, which can be made again.
    EndRole {
        /// The assignment.
        ended: CopiedRole,
    },
    /// Deletes an application, which can be restored for 30 days.
    EndApplication {
        /// Its object id.
        object: Uuid,
    },
    /// Looks once more, before anything ends, whether a connection is still unused and its successor is there.
    StillUnused {
        /// The id of its successor.
        successor: Uuid,
        /// No run may have begun since.
        since: Moment,
    },
    /// Gives the old connection another name, so that its own is free.
    SetAside,
    /// Gives the new connection the name that the old one had.
    TakeName,
}

impl Change {
    /// The scope of the role that it gives or takes, and whether it gives it.
    #[must_use]
    pub fn role(&self) -> Option<(&str, bool)> {
        match self {
            Self::AssignRole { scope, .. } => Some((scope, true)),
            Self::CopyRole { copied } => Some((&copied.scope, true)),
            Self::RemoveRole { scope, .. } => Some((scope, false)),
            Self::EndRole { ended } => Some((&ended.scope, false)),
            _ => None,
        }
    }
}

impl Asked {
    /// The path of the managed identity.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        match &self.request.identity {
            RequestedIdentity::ManagedIdentity { name, resource_group, subscription } => {
                Some(crate::made::resource_of(*subscription, resource_group, name))
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
        if let Some(beside) = &self.beside {
            let Beside { connection, name, description, .. } = &**beside;
            let before = if description.is_empty() { String::new() } else { format!("{description}; ") };
            return format!("{before}Beside {name} {}{}", mark_beside(*connection), self.key);
        }
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
            "name": self.name_in(project.id),
            "description": description,
        })
    }

    /// The name of the connection in a project.
    fn name_in(&self, project: Uuid) -> &str {
        let at = self.projects.iter().position(|one| one.id == project);
        let own = self.beside.as_ref().and_then(|beside| beside.names.get(at?));
        own.unwrap_or(&self.request.connection)
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

/// What the description of a connection that was put beside another one says of that one.
#[must_use]
pub fn mark_beside(old: Uuid) -> String {
    format!("({old}); {MARK}")
}

/// The key of a request: the same for the same connection of the same project.
#[must_use]
pub fn key(organization: Uuid, project: Uuid, connection: &str) -> String {
    hex(format!("{organization}/{project}/{}", connection.to_lowercase()).as_bytes())
        .chars()
        .take(32)
        .collect()
}

impl CopiedRole {
    /// The id of the role definition: the GUID at the end of its path.
    #[must_use]
    pub fn definition_id(&self) -> Option<Uuid> {
        self.definition.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok())
    }

    /// Reads an assignment as Azure Resource Manager has it; `role` is the name of its role, if that is known.
    #[must_use]
    pub fn read(assignment: &Value, role: Option<&str>) -> Option<Self> {
        let of = |name: &str| {
            let text = assignment.pointer(&format!("/properties/{name}")).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let definition = of("roleDefinitionId")?;
        let id = definition.rsplit('/').next().unwrap_or_default().to_owned();
        Some(Self {
            role: role.map_or(id, str::to_owned),
            assignment: assignment.get("id").and_then(Value::as_str)?.to_owned(),
            definition,
            scope: of("scope")?,
            condition: of("condition"),
            condition_version: of("conditionVersion"),
            description: of("description"),
            delegated: of("delegatedManagedIdentityResourceId"),
        })
    }

    /// Whether another assignment gives no more and no less than this one.
    #[must_use]
    pub fn has_terms_of(&self, other: &Self) -> bool {
        self.condition == other.condition
            && self.condition_version == other.condition_version
            && self.description == other.description
            && self.delegated.as_deref().map(str::to_lowercase)
                == other.delegated.as_deref().map(str::to_lowercase)
    }

    /// Whether it is the same role on the same terms. Its holder may be another.
    #[must_use]
    pub fn is_same_grant(&self, other: &Self) -> bool {
        self.definition_id() == other.definition_id() && self.has_terms_of(other)
    }

    /// What is sent to make it for a principal.
    #[must_use]
    pub fn body(&self, principal: Uuid) -> Value {
        let mut properties = json!({
            "roleDefinitionId": self.definition, "principalId": principal, "principalType": "ServicePrincipal",
        });
        let optional = [
            ("condition", &self.condition),
            ("conditionVersion", &self.condition_version),
            ("description", &self.description),
            ("delegatedManagedIdentityResourceId", &self.delegated),
        ];
        for (name, value) in optional {
            if let (Some(value), Some(properties)) = (value, properties.as_object_mut()) {
                properties.insert(name.to_owned(), json!(value));
            }
        }
        json!({ "properties": properties })
    }
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
