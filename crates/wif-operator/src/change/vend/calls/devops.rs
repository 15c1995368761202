//! Of Azure DevOps: connections, pipelines, checks, people and groups.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;
use uuid::Uuid;
use wif_io::endpoint::Endpoint;

use super::{Sent, all, deleted};
use crate::change::{
    service::{ATTEMPT_TIMEOUT, CallError, Services, Target, json, sent},
    vend::look,
};

const PREVIEW: &str = "7.1-preview.1";

impl Services {
    /// The connections of a name in a project.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn connections_named(&self, project: Uuid, name: &str) -> Result<Vec<Value>, CallError> {
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "serviceendpoint", "endpoints"];
        let mut query = vec![("includeFailed", "true"), ("api-version", "7.1")];
        // The filter is a list of names, separated by commas. Of one that has a comma, the whole list is asked for.
        if !name.contains(',') && name.trim() == name {
            query.push(("endpointNames", name));
        }
        let listed = all(|| rest.get(path).query(&query)).await?;
        let is_it = |one: &Value| {
            one.get("name").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        Ok(listed.into_iter().filter(is_it).collect())
    }

    /// The ids of the connections of a project that the caller may change.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn manageable(&self, project: Uuid) -> Result<BTreeSet<Uuid>, CallError> {
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "serviceendpoint", "endpoints"];
        let query = [("actionFilter", "manage"), ("includeFailed", "true"), ("api-version", "7.1")];
        let listed = all(|| rest.get(path).query(&query)).await?;
        Ok(listed.iter().filter_map(|one| look::id(one, "id")).collect())
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
            throttle: Arc::clone(&self.devops.throttle),
        };
        let rest = self.rest(&target);
        let path = [self.organization.as_str(), "_apis", "identities"];
        let query = [("searchFilter", "General"), ("filterValue", name), ("api-version", "7.1")];
        all(|| rest.get(path).query(&query)).await
    }
}
