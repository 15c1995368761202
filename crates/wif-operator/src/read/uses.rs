//! Who may use a connection, and who did: checks (one question for a project), and permissions of pipelines, roles and runs
//! (one question each for a connection and project).

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{
    future::join3,
    stream::{self, StreamExt as _},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    gaps::why,
    organization::Reader,
    service::{Ask, Service},
    wire::{flag, id, list, moment, plain, text},
};
use crate::snapshot::{
    Existence, Layer, State,
    connection::{Check, CheckKind, Member, Pipeline, PipelinePermissions, ProjectReference, Run},
};

/// The types of checks, and the definition by which a task check is a branch control or one of business hours.
const APPROVAL: &str = "8c6f20a7-a545-4486-9777-f762fafe0d4d";
const TASK_CHECK: &str = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7";
const TEMPLATE: &str = "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3";
const LOCK: &str = "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563";
const BRANCHES: &str = "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b";
const HOURS: &str = "445fde2f-6c39-441c-807f-8a59ff2e075f";
/// The version of what is still a preview.
const PREVIEW: &str = "7.1-preview.1";
/// How many runs are kept of a connection.
const RUNS: &str = "10";

/// The pipelines of projects, by project: names by number.
type Pipelines = BTreeMap<Uuid, BTreeMap<u64, String>>;

/// One connection in one project.
#[derive(Clone)]
struct Place {
    connection: Uuid,
    project: Uuid,
    project_name: String,
}

impl Reader<'_> {
    /// The checks of connections that a project owns.
    pub(super) async fn checks_of(&self, devops: &Service<'_>, (project, name, ids): (Uuid, &str, &[Uuid])) {
        let resources: Vec<_> = ids.iter().map(|id| json!({ "type": "endpoint", "id": id })).collect();
        let key = project.to_string();
        let path = [self.name.as_str(), &key, "_apis", "pipelines", "checks", "queryconfigurations"];
        let ask = Ask::post(path, Value::Array(resources))
            .query("$expand", "settings")
            .query("api-version", PREVIEW);
        let (items, end) = devops.list(&ask).await;
        if let Some(error) = &end {
            self.lost(Layer::Identity, Some(name), None, "approvals and checks", (devops, error));
            return;
        }
        let mut found: BTreeMap<Uuid, Vec<Check>> = ids.iter().map(|id| (*id, Vec::new())).collect();
        for item in &items {
            let of = item.get("resource").and_then(|resource| id(resource, "id"));
            if let Some(checks) = of.and_then(|id| found.get_mut(&id)) {
                checks.push(check(item));
            }
        }
        for (id, checks) in found {
            self.change(id, |connection| connection.checks = Some(checks));
        }
    }

    /// The layer of use.
    pub(super) async fn read_uses(&self, devops: &Service<'_>) {
        let places: Vec<_> = {
            let connections = self.connections.borrow();
            let all = connections.iter().flat_map(|connection| {
                connection.projects.iter().map(|project| Place {
                    connection: connection.id,
                    project: project.id,
                    project_name: project.name.clone(),
                })
            });
            all.collect()
        };
        let asked = stream::iter(places).map(|place| self.use_of(devops, place));
        asked.buffer_unordered(self.jobs).collect::<()>().await;
        self.read_pipelines(devops).await;
    }

    async fn use_of(&self, devops: &Service<'_>, place: Place) {
        if !self.sees(place.project) {
            let why = "the token does not see this project, with which the connection is shared; make its owner a reader there";
            let (project, connection) = (Some(place.project_name.as_str()), Some(place.connection));
            let what = ("last use, permissions and roles", why);
            self.gaps.note(Layer::Use, project, connection, State::Denied, what);
            return;
        }
        join3(
            self.runs_of(devops, &place),
            self.permissions_of(devops, &place),
            self.members_of(devops, &place),
        )
        .await;
    }

    async fn runs_of(&self, devops: &Service<'_>, place: &Place) {
        let (project, connection) = (place.project.to_string(), place.connection.to_string());
        let path =
            [self.name.as_str(), &project, "_apis", "serviceendpoint", &connection, "executionhistory"];
        let ask = Ask::get(path).query("top", RUNS).query("api-version", "7.1");
        match devops.page(&ask, None).await {
            Ok(page) => {
                let runs: Vec<_> = page.items.iter().filter_map(run).collect();
                // A record that cannot be read is a use all the same.
                if runs.is_empty() && !page.items.is_empty() {
                    let why = "Azure DevOps sent runs without a start";
                    self.use_gap(place, State::Partial, ("last use", why));
                    return;
                }
                self.set(place, |of| of.runs = Some(runs));
            }
            Err(error) => self.use_gap(place, error.state(), ("last use", &why(devops.name, &error))),
        }
    }

    async fn permissions_of(&self, devops: &Service<'_>, place: &Place) {
        let (project, connection) = (place.project.to_string(), place.connection.to_string());
        let path = [
            self.name.as_str(),
            &project,
            "_apis",
            "pipelines",
            "pipelinePermissions",
            "endpoint",
            &connection,
        ];
        match devops.json(&Ask::get(path).query("api-version", PREVIEW)).await {
            Ok(answer) if answer.get("pipelines").is_some_and(Value::is_array) => {
                let permissions = permissions(&answer);
                self.set(place, |of| of.pipelines = Some(permissions));
            }
            Ok(_) => {
                let why = "Azure DevOps answered without a list of pipelines";
                self.use_gap(place, State::Failed, ("pipeline permissions", why));
            }
            Err(error) => {
                self.use_gap(place, error.state(), ("pipeline permissions", &why(devops.name, &error)));
            }
        }
    }

    async fn members_of(&self, devops: &Service<'_>, place: &Place) {
        let resource = format!("{}_{}", place.project, place.connection);
        let path = [
            self.name.as_str(),
            "_apis",
            "securityroles",
            "scopes",
            "distributedtask.serviceendpointrole",
            "roleassignments",
            "resources",
            &resource,
        ];
        let (items, end) = devops.list(&Ask::get(path).query("api-version", PREVIEW)).await;
        let what = "members of roles";
        match end {
            Some(error) => self.use_gap(place, error.state(), (what, &why(devops.name, &error))),
            // An empty list was seen where there are roles.
            None if items.is_empty() => {
                let why =
                    "Azure DevOps answered with an empty list, which it does also where it does not tell";
                self.use_gap(place, State::Partial, (what, why));
            }
            None => {
                let members: Vec<_> = items.iter().filter_map(member).collect();
                if members.len() < items.len() {
                    self.use_gap(place, State::Partial, (what, "Azure DevOps sent some that cannot be read"));
                }
                self.set(place, |of| of.members = Some(members));
            }
        }
    }

    /// The names of pipelines that may use a connection, and whether they are there: one list for each project with any.
    async fn read_pipelines(&self, devops: &Service<'_>) {
        let mut projects = BTreeSet::new();
        for connection in &*self.connections.borrow() {
            let with = connection.projects.iter().filter(|project| {
                project.pipelines.as_ref().is_some_and(|permissions| !permissions.pipelines.is_empty())
            });
            projects.extend(with.map(|project| (project.id, project.name.clone())));
        }
        let found = RefCell::new(Pipelines::new());
        let asked = stream::iter(&projects).map(|(project, name)| {
            let found = &found;
            async move {
                let key = project.to_string();
                let ask = Ask::get([self.name.as_str(), &key, "_apis", "build", "definitions"])
                    .query("$top", "1000")
                    .query("api-version", "7.1");
                let (items, end) = devops.list(&ask).await;
                if let Some(error) = end {
                    self.lost(Layer::Use, Some(name), None, "pipelines", (devops, &error));
                    return;
                }
                let names = items.iter().filter_map(|item| {
                    Some((item.get("id")?.as_u64()?, text(item, "name").unwrap_or_default()))
                });
                let names = names.collect();
                found.borrow_mut().insert(*project, names);
            }
        });
        asked.buffer_unordered(self.jobs).collect::<()>().await;
        let found = found.take();
        for connection in &mut *self.connections.borrow_mut() {
            for project in &mut connection.projects {
                let (Some(names), Some(permissions)) = (found.get(&project.id), &mut project.pipelines)
                else {
                    continue;
                };
                for pipeline in &mut permissions.pipelines {
                    pipeline.name = names.get(&pipeline.id).cloned();
                    pipeline.existence =
                        if pipeline.name.is_some() { Existence::Found } else { Existence::Gone };
                }
            }
        }
    }

    fn use_gap(&self, place: &Place, state: State, what: (&str, &str)) {
        let (project, connection) = (Some(place.project_name.as_str()), Some(place.connection));
        self.gaps.note(Layer::Use, project, connection, state, what);
    }

    fn set(&self, place: &Place, set: impl FnOnce(&mut ProjectReference)) {
        self.change(place.connection, |connection| {
            if let Some(project) = connection.projects.iter_mut().find(|one| one.id == place.project) {
                set(project);
            }
        });
    }
}

fn run(item: &Value) -> Option<Run> {
    let data = item.get("data")?;
    let definition = data.get("definition");
    Some(Run {
        kind: text(data, "planType"),
        pipeline: definition.and_then(|one| one.get("id")?.as_u64()),
        pipeline_name: definition.and_then(|one| text(one, "name")),
        started: moment(data, "startTime")?,
        result: text(data, "result"),
    })
}

fn permissions(answer: &Value) -> PipelinePermissions {
    let is_authorized = |one: &Value| flag(one, "authorized").unwrap_or_default();
    let pipelines = list(answer, "pipelines").iter().filter(|one| is_authorized(one));
    let pipelines = pipelines.filter_map(|one| {
        Some(Pipeline { id: one.get("id")?.as_u64()?, name: None, existence: Existence::Unknown })
    });
    PipelinePermissions {
        is_open_to_all: answer.get("allPipelines").is_some_and(is_authorized),
        pipelines: pipelines.collect(),
    }
}

fn member(item: &Value) -> Option<Member> {
    let identity = item.get("identity")?;
    let role = item.get("role")?;
    let name = text(identity, "displayName").or_else(|| text(identity, "uniqueName"))?;
    Some(Member {
        role: text(role, "name").or_else(|| text(role, "displayName"))?,
        // Groups of Azure DevOps are shown with the project or organization that they belong to.
        is_group: flag(identity, "isContainer").or_else(|| name.starts_with('[').then_some(true)),
        name,
        id: text(identity, "id").unwrap_or_default(),
        is_inherited: text(item, "access").is_some_and(|access| access.eq_ignore_ascii_case("inherited")),
    })
}

fn check(item: &Value) -> Check {
    let settings = item.get("settings").unwrap_or(&Value::Null);
    let kind = item.get("type").and_then(|kind| text(kind, "id")).unwrap_or_default().to_ascii_lowercase();
    let definition = settings.get("definitionRef").and_then(|one| text(one, "id")).unwrap_or_default();
    let kind = match (kind.as_str(), definition.to_ascii_lowercase().as_str()) {
        (APPROVAL, _) => CheckKind::Approval,
        (TASK_CHECK, BRANCHES) => CheckKind::BranchControl,
        (TASK_CHECK, HOURS) => CheckKind::BusinessHours,
        (TEMPLATE, _) => CheckKind::RequiredTemplate,
        (LOCK, _) => CheckKind::ExclusiveLock,
        _ => CheckKind::Other,
    };
    let branches = settings.get("inputs").and_then(|inputs| text(inputs, "allowedBranches"));
    let branches = branches.iter().flat_map(|text| text.split(',')).map(str::trim);
    let approvers = list(settings, "approvers").iter();
    let name_of_type = || item.get("type").and_then(|kind| text(kind, "name"));
    Check {
        kind,
        name: text(settings, "displayName").or_else(name_of_type),
        is_disabled: flag(item, "isDisabled").unwrap_or_default(),
        branches: branches.filter(|branch| !branch.is_empty()).map(str::to_owned).collect(),
        approvers: approvers.filter_map(|one| plain(one.get("displayName")?)).collect(),
    }
}
