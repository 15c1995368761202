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
