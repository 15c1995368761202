//! Of what is copied from one identity and connection to another, and of what ends.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Sent, all, deleted, found};
use crate::change::service::{ATTEMPT_TIMEOUT, CallError, NotChanged, Services, json as asked, sent};

const ROLES_VERSION: &str = "2022-04-01";
const PREVIEW: &str = "7.1-preview.1";

impl Services {
    /// A role assignment, by its path. None, if there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn role_assignment(&self, path: &str) -> Result<Option<Value>, CallError> {
        let rest = self.arm()?;
        let segments = path.split('/').filter(|part| !part.is_empty());
        let query = rest.get(segments).query(&[("api-version", ROLES_VERSION)]);
        found(asked(query.attempt_timeout(ATTEMPT_TIMEOUT)).await)
    }

    /// The groups and directory roles of a service principal, by its object id.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn memberships(&self, principal: Uuid) -> Result<Vec<Value>, CallError> {
        let (rest, id) = (self.graph()?, principal.to_string());
        all(|| rest.get(["v1.0", "servicePrincipals", &id, "memberOf"])).await
    }

    /// The application permissions that were granted to a service principal, by its object id.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn granted_permissions(&self, principal: Uuid) -> Result<Vec<Value>, CallError> {
        let (rest, id) = (self.graph()?, principal.to_string());
        all(|| rest.get(["v1.0", "servicePrincipals", &id, "appRoleAssignments"])).await
    }

    /// The key vaults whose access policies name an object, by their paths.
    ///
    /// # Errors
    ///
    /// They cannot be read, or not all of them.
    pub async fn vaults_of(&self, object: Uuid) -> Result<Vec<String>, CallError> {
        let rest = self.arm()?;
        let query = format!(
            "resources | where type =~ 'microsoft.keyvault/vaults' | mv-expand policy = properties.accessPolicies | where tostring(policy.objectId) =~ '{object}' | order by id asc | project id"
        );
        let body = json!({ "query": query, "options": { "resultFormat": "objectArray", "$top": 1000 } });
        let path = ["providers", "Microsoft.ResourceGraph", "resources"];
        let call = rest.post_query(path).query(&[("api-version", "2022-10-01")]).body(&body);
        let answer = asked(call.attempt_timeout(ATTEMPT_TIMEOUT)).await?;
        let is_cut = answer.get("$skipToken").is_some_and(Value::is_string)
            || answer.get("resultTruncated").and_then(Value::as_str) == Some("true");
        let rows = answer.get("data").and_then(Value::as_array).filter(|_| !is_cut);
        let rows = rows.ok_or(CallError::Unusable(200))?;
        let mut all: Vec<_> =
            rows.iter().filter_map(|row| Some(row.get("id")?.as_str()?.to_owned())).collect();
        all.dedup();
        Ok(all)
    }

    /// The roles that a principal can take at a scope and below it, and does not have yet.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn eligible_roles(&self, scope: &str, principal: Uuid) -> Result<Vec<Value>, CallError> {
        let rest = self.arm()?;
        let filter = format!("principalId eq '{principal}'");
        let query = [("$filter", filter.as_str()), ("api-version", "2020-10-01")];
        let path = || {
            let scope = scope.split('/').filter(|part| !part.is_empty());
            scope.chain(["providers", "Microsoft.Authorization", "roleEligibilityScheduleInstances"])
        };
        all(|| rest.get(path()).query(&query)).await
    }

    /// Who holds a role on a connection in a project.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn members(&self, project: Uuid, id: Uuid) -> Result<Vec<Value>, CallError> {
        let (rest, resource) = (self.devops(), format!("{project}_{id}"));
        let path = [
            self.organization.as_str(),
            "_apis",
            "securityroles",
            "scopes",
            "distributedtask.serviceendpointrole",
            "roleassignments",
            "resources",
            &resource,
        ];
        all(|| rest.get(path).query(&[("api-version", PREVIEW)])).await
    }

    /// An application, by its object id. None, if there is none, or it is deleted.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn application_object(&self, object: Uuid) -> Result<Option<Value>, CallError> {
        let (rest, id) = (self.graph()?, object.to_string());
        let query = rest.get(["v1.0", "applications", &id]).query(&[("$select", "id,appId,displayName")]);
        found(asked(query.attempt_timeout(ATTEMPT_TIMEOUT)).await)
    }

    /// A deleted application that can be restored, by its object id. None, if there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn deleted_application(&self, object: Uuid) -> Result<Option<Value>, CallError> {
        let (rest, id) = (self.graph()?, object.to_string());
        let path = ["v1.0", "directory", "deletedItems", "microsoft.graph.application", &id];
        found(asked(rest.get(path).attempt_timeout(ATTEMPT_TIMEOUT)).await)
    }

    /// Deletes an application by its object id; it can be restored for 30 days.
    ///
    /// # Errors
    ///
    /// It was not deleted, or that is not known.
    pub async fn delete_application_object(&self, object: Uuid) -> Sent {
        let (rest, id) = (self.graph().map_err(NotChanged::NotDone)?, object.to_string());
        deleted(sent(rest.delete(["v1.0", "applications", &id])).await)
    }

    /// Restores a deleted application by its object id, with its service principal.
    ///
    /// # Errors
    ///
    /// It was not restored, or that is not known.
    pub async fn restore_application(&self, object: Uuid) -> Sent {
        let (rest, id) = (self.graph().map_err(NotChanged::NotDone)?, object.to_string());
        sent(rest.post(["v1.0", "directory", "deletedItems", &id, "restore"]).body(&json!({}))).await
    }
}
