//! The calls that make identities, connections, roles, permissions and checks, one function each.

use serde_json::{Value, json};
use uuid::Uuid;
use wif_azure::rest::Query;
use wif_io::endpoint::Endpoint;

use crate::change::service::{
    ATTEMPT_TIMEOUT, CallError, GRAPH_PREFER, IDENTITY_VERSION, NotChanged, Services, Target, json, sent,
};

/// The most pages of a list.
const MAX_PAGES: usize = 200;
const ROLES_VERSION: &str = "2022-04-01";
const GROUPS_VERSION: &str = "2021-04-01";
const SUBSCRIPTION_VERSION: &str = "2022-12-01";
const PREVIEW: &str = "7.1-preview.1";

type Sent = Result<Option<String>, NotChanged>;

/// None, where the service says that there is no such thing.
fn found(answer: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
    match answer {
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is not there needs not be deleted.
fn deleted(answer: Sent) -> Sent {
    match answer {
        Err(NotChanged::NotDone(error)) if error.is_absent() => Ok(None),
        answer => answer,
    }
}

/// Everything that a list has, page after page.
async fn all<'a>(ask: impl Fn() -> Query<'a>) -> Result<Vec<Value>, CallError> {
    let (mut items, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let mut query = ask().attempt_timeout(ATTEMPT_TIMEOUT);
        if let Some(page) = &next {
            query = query.at(page).map_err(|_lost| CallError::Unusable(200))?;
        }
        let page = query.page::<CallError>().await?;
        items.extend(page.items);
        match page.next {
            Some(Ok(page)) => next = Some(page),
            Some(Err(_lost)) => return Err(CallError::Unusable(200)),
            None => return Ok(items),
        }
    }
    Err(CallError::Unusable(200))
}

/// The segments of a path of Azure Resource Manager.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn application_by(unique_name: &str) -> String {
    format!("applications(uniqueName='{}')", unique_name.replace('\'', "''"))
}

impl Services {
    /// The connections of a name in a project.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn connections_named(&self, project: Uuid, name: &str) -> Result<Vec<Value>, CallError> {
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "serviceendpoint", "endpoints"];
        let query = [("endpointNames", name), ("includeFailed", "true"), ("api-version", "7.1")];
        let listed = all(|| rest.get(path).query(&query)).await?;
        let is_it = |one: &Value| {
            one.get("name").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        Ok(listed.into_iter().filter(is_it).collect())
    }

    /// Makes a connection. This is the one call that makes two if it is sent twice.
    ///
    /// # Errors
    ///
    /// It was not made, or that is not known.
    pub async fn make_connection(&self, body: &Value) -> Sent {
        let rest = self.devops();
        let path = [self.organization.as_str(), "_apis", "serviceendpoint", "endpoints"];
        sent(rest.post(path).query(&[("api-version", "7.1")]).body(body)).await
    }

    /// Saves a connection.
    ///
    /// # Errors
    ///
    /// It was not saved, or that is not known.
    pub async fn save_connection(&self, id: Uuid, body: &Value) -> Sent {
        let (rest, id) = (self.devops(), id.to_string());
        let path = [self.organization.as_str(), "_apis", "serviceendpoint", "endpoints", &id];
        sent(rest.put(path).query(&[("api-version", "7.1")]).body(body)).await
    }

    /// Shares a connection with projects.
    ///
    /// # Errors
    ///
    /// It was not shared, or that is not known.
    pub async fn share_connection(&self, id: Uuid, references: &Value) -> Sent {
        let (rest, id) = (self.devops(), id.to_string());
        let path = [self.organization.as_str(), "_apis", "serviceendpoint", "endpoints", &id];
        sent(rest.patch(path).query(&[("api-version", "7.1")]).body(references)).await
    }

    /// Takes a connection from projects; from the one that owns it, it is deleted.
    ///
    /// # Errors
    ///
    /// It was not taken, or that is not known.
    pub async fn take_connection(&self, id: Uuid, projects: &[Uuid]) -> Sent {
        let (rest, id) = (self.devops(), id.to_string());
        let path = [self.organization.as_str(), "_apis", "serviceendpoint", "endpoints", &id];
        let projects: Vec<_> = projects.iter().map(Uuid::to_string).collect();
        let query = [("projectIds", projects.join(",")), ("api-version", "7.1".to_owned())];
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        deleted(sent(rest.delete(path).query(&query)).await)
    }

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

    /// The pipelines that may use a connection in a project.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn permissions(&self, project: Uuid, id: Uuid) -> Result<Value, CallError> {
        let (rest, project, id) = (self.devops(), project.to_string(), id.to_string());
        let path = [
            self.organization.as_str(),
            &project,
            "_apis",
            "pipelines",
            "pipelinePermissions",
            "endpoint",
            &id,
        ];
        json(rest.get(path).query(&[("api-version", PREVIEW)]).attempt_timeout(ATTEMPT_TIMEOUT)).await
    }

    /// Changes which pipelines may use a connection in a project.
    ///
    /// # Errors
    ///
    /// It was not changed, or that is not known.
    pub async fn authorize(&self, project: Uuid, id: Uuid, body: &Value) -> Sent {
        let (rest, project, id) = (self.devops(), project.to_string(), id.to_string());
        let path = [
            self.organization.as_str(),
            &project,
            "_apis",
            "pipelines",
            "pipelinePermissions",
            "endpoint",
            &id,
        ];
        sent(rest.patch(path).query(&[("api-version", PREVIEW)]).body(body)).await
    }

    /// The approvals and checks of a connection.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn checks(&self, project: Uuid, id: Uuid) -> Result<Vec<Value>, CallError> {
        let (rest, project, id) = (self.devops(), project.to_string(), id.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "pipelines", "checks", "configurations"];
        let query = [
            ("resourceType", "endpoint"),
            ("resourceId", id.as_str()),
            ("$expand", "settings"),
            ("api-version", PREVIEW),
        ];
        all(|| rest.get(path).query(&query)).await
    }

    /// Makes a check.
    ///
    /// # Errors
    ///
    /// It was not made, or that is not known.
    pub async fn make_check(&self, project: Uuid, body: &Value) -> Sent {
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "pipelines", "checks", "configurations"];
        sent(rest.post(path).query(&[("api-version", PREVIEW)]).body(body)).await
    }

    /// Removes a check.
    ///
    /// # Errors
    ///
    /// It was not removed, or that is not known.
    pub async fn remove_check(&self, project: Uuid, id: u64) -> Sent {
        let (rest, project, id) = (self.devops(), project.to_string(), id.to_string());
        let path =
            [self.organization.as_str(), &project, "_apis", "pipelines", "checks", "configurations", &id];
        deleted(sent(rest.delete(path).query(&[("api-version", PREVIEW)])).await)
    }

    /// The pipelines of a project.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn pipelines(&self, project: Uuid) -> Result<Vec<Value>, CallError> {
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "build", "definitions"];
        all(|| rest.get(path).query(&[("$top", "1000"), ("api-version", "7.1")])).await
    }

    /// The people and groups of a name. Azure DevOps keeps them at another host than its projects.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn identities(&self, name: &str) -> Result<Vec<Value>, CallError> {
        let base = match self.devops.base.host() {
            "dev.azure.com" => Endpoint::parse("https://vssps.dev.azure.com/").ok(),
            _ => None,
        };
        let target = Target {
            base: base.unwrap_or_else(|| self.devops.base.clone()),
            token: self.devops.token.clone(),
        };
        let rest = self.rest(&target);
        let path = [self.organization.as_str(), "_apis", "identities"];
        let query = [("searchFilter", "General"), ("filterValue", name), ("api-version", "7.1")];
        all(|| rest.get(path).query(&query)).await
    }
}
