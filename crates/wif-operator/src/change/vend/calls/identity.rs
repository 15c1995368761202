//! Of Microsoft Graph and Azure Resource Manager: applications, managed identities, roles.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Sent, all, deleted, found};
use crate::change::{
    rights,
    service::{ATTEMPT_TIMEOUT, CallError, GRAPH_PREFER, IDENTITY_VERSION, NotChanged, Services, json, sent},
};

const ROLES_VERSION: &str = "2022-04-01";
const GROUPS_VERSION: &str = "2021-04-01";
const SUBSCRIPTION_VERSION: &str = "2022-12-01";

/// The segments of a path of Azure Resource Manager.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn application_by(unique_name: &str) -> String {
    format!("applications(uniqueName='{}')", unique_name.replace('\'', "''"))
}

impl Services {
    /// The application of a unique name.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn application_named(&self, unique_name: &str) -> Result<Option<Value>, CallError> {
        let (rest, one) = (self.graph()?, application_by(unique_name));
        let select = ("$select", "id,appId,displayName,uniqueName,tags");
        found(json(rest.get(["v1.0", &one]).query(&[select]).attempt_timeout(ATTEMPT_TIMEOUT)).await)
    }

    /// Makes the application of a unique name. One that is there is not made twice.
    ///
    /// # Errors
    ///
    /// It was not made, or that is not known.
    pub async fn make_application(&self, unique_name: &str, body: &Value) -> Sent {
        let (rest, one) = (self.graph().map_err(NotChanged::NotDone)?, application_by(unique_name));
        sent(rest.patch(["v1.0", &one]).header(GRAPH_PREFER.0, GRAPH_PREFER.1).body(body)).await
    }

    /// Deletes an application; it can be restored for 30 days.
    ///
    /// # Errors
    ///
    /// It was not deleted, or that is not known.
    pub async fn delete_application(&self, unique_name: &str) -> Sent {
        let (rest, one) = (self.graph().map_err(NotChanged::NotDone)?, application_by(unique_name));
        deleted(sent(rest.delete(["v1.0", &one])).await)
    }

    /// The service principal of a client id.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn principal(&self, client: Uuid) -> Result<Option<Value>, CallError> {
        let (rest, one) = (self.graph()?, format!("servicePrincipals(appId='{client}')"));
        let select = ("$select", "id,appId,servicePrincipalType,alternativeNames");
        found(json(rest.get(["v1.0", &one]).query(&[select]).attempt_timeout(ATTEMPT_TIMEOUT)).await)
    }

    /// Makes the service principal of an application.
    ///
    /// # Errors
    ///
    /// It was not made, or that is not known.
    pub async fn make_principal(&self, client: Uuid) -> Sent {
        let rest = self.graph().map_err(NotChanged::NotDone)?;
        sent(rest.post(["v1.0", "servicePrincipals"]).body(&json!({ "appId": client }))).await
    }

    /// What a path of Azure Resource Manager has.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    async fn resource(&self, path: &str, version: &str) -> Result<Option<Value>, CallError> {
        let rest = self.arm()?;
        let query = rest.get(segments(path)).query(&[("api-version", version)]);
        found(json(query.attempt_timeout(ATTEMPT_TIMEOUT)).await)
    }

    /// A managed identity.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn managed_identity(&self, path: &str) -> Result<Option<Value>, CallError> {
        self.resource(path, IDENTITY_VERSION).await
    }

    /// The region of a resource group.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn region(&self, group: &str) -> Result<Option<String>, CallError> {
        let group = self.resource(group, GROUPS_VERSION).await?;
        Ok(group.and_then(|group| group.get("location")?.as_str().map(str::to_owned)))
    }

    /// A subscription or management group.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn scope_root(&self, root: &str) -> Result<Option<Value>, CallError> {
        let is_group = root.starts_with("/providers/");
        self.resource(root, if is_group { GROUPS_VERSION } else { SUBSCRIPTION_VERSION }).await
    }

    /// Makes a managed identity.
    ///
    /// # Errors
    ///
    /// It was not made, or that is not known.
    pub async fn make_managed_identity(&self, path: &str, body: &Value) -> Sent {
        let rest = self.arm().map_err(NotChanged::NotDone)?;
        sent(rest.put(segments(path)).query(&[("api-version", IDENTITY_VERSION)]).body(body)).await
    }

    /// Deletes a managed identity.
    ///
    /// # Errors
    ///
    /// It was not deleted, or that is not known.
    pub async fn delete_managed_identity(&self, path: &str) -> Sent {
        let rest = self.arm().map_err(NotChanged::NotDone)?;
        deleted(sent(rest.delete(segments(path)).query(&[("api-version", IDENTITY_VERSION)])).await)
    }

    /// The definitions of a role's name at a scope.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn role_definitions(&self, scope: &str, role: &str) -> Result<Vec<Value>, CallError> {
        let rest = self.arm()?;
        let filter = format!("roleName eq '{}'", role.replace('\'', "''"));
        let query = [("$filter", filter.as_str()), ("api-version", ROLES_VERSION)];
        let path = || segments(scope).chain(["providers", "Microsoft.Authorization", "roleDefinitions"]);
        all(|| rest.get(path()).query(&query)).await
    }

    /// The role assignments of a principal at a scope, above and below it.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn role_assignments(&self, scope: &str, principal: Uuid) -> Result<Vec<Value>, CallError> {
        let rest = self.arm()?;
        let filter = format!("principalId eq '{principal}'");
        let query = [("$filter", filter.as_str()), ("api-version", ROLES_VERSION)];
        let path = || segments(scope).chain(["providers", "Microsoft.Authorization", "roleAssignments"]);
        all(|| rest.get(path()).query(&query)).await
    }

    /// Whether the caller may do something at a scope.
    ///
    /// # Errors
    ///
    /// That cannot be read.
    pub async fn may_do(&self, scope: &str, action: &str) -> Result<bool, CallError> {
        let rest = self.arm()?;
        let path = || segments(scope).chain(["providers", "Microsoft.Authorization", "permissions"]);
        let permissions = all(|| rest.get(path()).query(&[("api-version", ROLES_VERSION)])).await?;
        Ok(rights::allows(&permissions, action))
    }

    /// Assigns a role.
    ///
    /// # Errors
    ///
    /// It was not assigned, or that is not known.
    pub async fn assign_role(&self, scope: &str, name: Uuid, body: &Value) -> Sent {
        let (rest, name) = (self.arm().map_err(NotChanged::NotDone)?, name.to_string());
        let path = segments(scope).chain(["providers", "Microsoft.Authorization", "roleAssignments", &name]);
        sent(rest.put(path).query(&[("api-version", ROLES_VERSION)]).body(body)).await
    }

    /// Removes a role assignment, by its path.
    ///
    /// # Errors
    ///
    /// It was not removed, or that is not known.
    pub async fn remove_role(&self, path: &str) -> Sent {
        let rest = self.arm().map_err(NotChanged::NotDone)?;
        deleted(sent(rest.delete(segments(path)).query(&[("api-version", ROLES_VERSION)])).await)
    }
}
