//! One organization while it is read: what is known so far can be told at any moment.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::{
    future::{join, join3},
    stream::{self, StreamExt as _},
};
use serde_json::Value;
use uuid::Uuid;
use wif_core::azure::cloud::Cloud;

use super::{
    endpoint::{Connections, Listed, untold},
    error::ReadError,
    gaps::{Gaps, why},
    known::{Known, KnownRoles},
    progress::Progress,
    service::{Ask, Service},
    wire::{id, text},
};
use crate::snapshot::{
    Coverage, Layer, Organization, Project, State,
    connection::Connection,
    identity::{Identity, Subscription, Tenant},
};

/// What is needed to read one organization.
pub(super) struct Reader<'a> {
    pub(super) devops: Option<&'a Service<'a>>,
    pub(super) graph: Option<&'a Service<'a>>,
    pub(super) arm: Option<&'a Service<'a>>,
    pub(super) known: &'a Known,
    pub(super) cloud: Cloud,
    pub(super) depth: Layer,
    pub(super) jobs: usize,
    pub(super) progress: &'a Progress,
    /// Azure DevOps is asked with the job's own token.
    pub(super) is_job_token: bool,
    /// Names or ids of the projects that are meant; all, if there are none.
    pub(super) projects: &'a [String],
    /// Gathered so far.
    pub(super) name: String,
    pub(super) id: Cell<Option<Uuid>>,
    /// Every project that can be seen.
    pub(super) seen_projects: RefCell<Vec<Project>>,
    /// Whether the list of projects came to its end.
    pub(super) has_all_projects: Cell<bool>,
    /// Those that are read.
    pub(super) read_projects: RefCell<Vec<(Project, bool)>>,
    pub(super) listed: RefCell<Connections>,
    pub(super) connections: RefCell<Vec<Connection>>,
    pub(super) identities: RefCell<Vec<Identity>>,
    pub(super) subscriptions: RefCell<Vec<Subscription>>,
    pub(super) tenants: RefCell<Vec<Tenant>>,
    /// What [`Reader::join_roles`] gives to the identities.
    pub(super) roles: RefCell<Option<Rc<KnownRoles>>>,
    pub(super) gaps: Gaps,
    /// Which layers came to their ends.
    pub(super) ended: RefCell<Vec<Layer>>,
    /// Version 7.2 of the connections is not there.
    pub(super) only_7_1: Cell<bool>,
}

/// Said of what a signal has cut off.
const INTERRUPTED: &str = "interrupted before it was read; run the command again";
/// The most connections in one question for checks.
const MAX_CHECKED: usize = 500;

impl Reader<'_> {
    /// Reads as deep as is asked for. What was read stays, wherever this is cut off.
    pub(super) async fn read(&self) {
        let Some(devops) = self.devops else {
            self.gap(Layer::List, None, State::Denied, ("projects and connections", NO_DEVOPS));
            self.end(Layer::List);
            self.end(Layer::Identity);
            self.end(Layer::Use);
            return;
        };
        let (known, is_listed) = join(self.organization_id(devops), self.list_projects(devops)).await;
        if !is_listed || !known {
            self.end(Layer::List);
            self.end(Layer::Identity);
            self.end(Layer::Use);
            return;
        }
        let projects: Vec<_> =
            self.read_projects.borrow().iter().map(|(project, _)| project.clone()).collect();
        self.progress.finds_projects(projects.len());
        let lists = stream::iter(projects.iter().enumerate());
        let lists = lists.map(|(at, project)| self.list_connections(devops, at, project));
        lists.buffer_unordered(self.jobs).collect::<()>().await;
        *self.connections.borrow_mut() = self.listed.take().finish();
        self.note_untold();
        self.end(Layer::List);
        if self.depth == Layer::List {
            return;
        }
        let identity = async {
            join3(self.read_identities(), self.read_scopes(), self.read_checks(devops)).await;
            self.join_roles();
            self.end(Layer::Identity);
        };
        let usage = async {
            if self.depth == Layer::Use {
                self.read_uses(devops).await;
                self.end(Layer::Use);
            }
        };
        join(identity, usage).await;
    }

    fn end(&self, layer: Layer) {
        self.ended.borrow_mut().push(layer);
    }

    /// Notes a gap that is not about one connection.
    pub(super) fn gap(&self, layer: Layer, project: Option<&str>, state: State, what: (&str, &str)) {
        self.gaps.note(layer, project, None, state, what);
    }

    /// Notes that a service gave no usable answer.
    pub(super) fn lost(
        &self,
        layer: Layer,
        project: Option<&str>,
        connection: Option<Uuid>,
        what: &str,
        (service, error): (&Service<'_>, &ReadError),
    ) {
        self.gaps.note(layer, project, connection, error.state(), (what, &why(service.name, error)));
    }

    /// The organization's id; false, if nothing can be read of it.
    async fn organization_id(&self, devops: &Service<'_>) -> bool {
        let ask = Ask::get([self.name.as_str(), "_apis", "connectionData"]);
        match devops.json(&ask.query("api-version", "7.1-preview.1")).await {
            Ok(answer) => {
                self.id.set(id(&answer, "instanceId"));
                if self.id.get().is_none() {
                    let why =
                        "Azure DevOps does not tell it (instanceId), so that nothing can be called foreign";
                    self.gap(Layer::List, None, State::Partial, ("the organization's id", why));
                }
                true
            }
            Err(error) => {
                self.lost(Layer::List, None, None, "the organization", (devops, &error));
                // A caller that may not ask for it may see projects all the same.
                !matches!(error, ReadError::Token { .. } | ReadError::Http(_))
            }
        }
    }

    async fn list_projects(&self, devops: &Service<'_>) -> bool {
        let ask = Ask::get([self.name.as_str(), "_apis", "projects"]).query("api-version", "7.1");
        let ask = ask.query("$top", "100");
        let (items, end) = devops.list(&ask).await;
        let mut projects: Vec<_> = items.iter().filter_map(project).collect();
        if projects.len() < items.len() {
            let number = items.len() - projects.len();
            let why = format!("Azure DevOps listed {number} without an id or a name");
            self.gap(Layer::List, None, State::Partial, ("projects", &why));
        }
        if self.is_job_token {
            self.gap(Layer::List, None, State::Partial, ("other projects", JOB_TOKEN));
        }
        if items.is_empty() && end.is_none() {
            self.gap(Layer::List, None, State::Denied, ("projects", NO_PROJECT));
        }
        self.has_all_projects.set(end.is_none());
        let is_empty = projects.is_empty();
        // A page may repeat what was on the one before when projects are made meanwhile.
        projects.sort_by_key(|project| project.id);
        projects.dedup_by_key(|project| project.id);
        if let Some(error) = &end {
            let what = if is_empty { "projects" } else { "projects after the first pages" };
            self.lost(Layer::List, None, None, what, (devops, error));
        }
        let is_meant = |project: &Project| {
            self.projects.is_empty()
                || self.projects.iter().any(|text| {
                    text.eq_ignore_ascii_case(&project.name)
                        || Uuid::try_parse(text).is_ok_and(|id| id == project.id)
                })
        };
        let meant = projects.iter().filter(|project| is_meant(project));
        *self.read_projects.borrow_mut() = meant.map(|project| (project.clone(), false)).collect();
        *self.seen_projects.borrow_mut() = projects;
        !is_empty
    }

    async fn list_connections(&self, devops: &Service<'_>, at: usize, project: &Project) {
        let key = project.id.to_string();
        let ask = || {
            let version = if self.only_7_1.get() { "7.1" } else { "7.2-preview.4" };
            Ask::get([self.name.as_str(), &key, "_apis", "serviceendpoint", "endpoints"])
                .query("includeFailed", "true")
                .query("includeDetails", "true")
                .query("api-version", version)
        };
        let (mut items, mut end) = devops.list(&ask()).await;
        let is_version = |error: &ReadError| {
            error
                .code()
                .is_some_and(|code| code.starts_with("VssVersion") || code.starts_with("VssInvalidPreview"))
        };
        if end.as_ref().is_some_and(is_version) {
            self.only_7_1.set(true);
            (items, end) = devops.list(&ask()).await;
        }
        let number = {
            let mut listed = self.listed.borrow_mut();
            let before = listed.len();
            for value in &items {
                self.take(value, project, &mut listed);
            }
            listed.len() - before
        };
        self.progress.has_listed(number);
        if let Some(error) = &end {
            let what = if error.is_absent() {
                "connections of a project that has gone meanwhile, or that the token may not see"
            } else if items.is_empty() {
                "connections"
            } else {
                "connections after the first pages"
            };
            self.lost(Layer::List, Some(&project.name), None, what, (devops, error));
        }
        if let Some((_, is_read)) = self.read_projects.borrow_mut().get_mut(at) {
            *is_read = true;
        }
    }

    fn take(&self, value: &Value, project: &Project, listed: &mut Connections) {
        let Some(one) = Listed::read(value, project) else {
            let why = "Azure DevOps listed one without an id";
            self.gap(Layer::List, Some(&project.name), State::Partial, ("a connection", why));
            return;
        };
        listed.add(one, project);
    }

    /// Notes connections that are told in part: what is missing could be what is wrong.
    fn note_untold(&self) {
        for connection in &*self.connections.borrow() {
            // One project may tell what another does not.
            if !connection.is_visible {
                let project = connection.projects.first().map(|project| project.name.as_str());
                let what = ("a connection", INVISIBLE);
                self.gaps.note(Layer::List, project, Some(connection.id), State::Partial, what);
            }
            let untold = untold(connection);
            if !untold.is_empty() {
                let why = format!("Azure DevOps does not tell its {}", untold.join(", "));
                let project = connection.owner().map(|owner| owner.name.as_str());
                let what = ("a connection", why.as_str());
                self.gaps.note(Layer::List, project, Some(connection.id), State::Partial, what);
            }
        }
    }

    /// One question for each project: which checks its own connections have.
    async fn read_checks(&self, devops: &Service<'_>) {
        let mut by_project: std::collections::BTreeMap<Uuid, (String, Vec<Uuid>)> =
            std::collections::BTreeMap::new();
        for connection in &*self.connections.borrow() {
            let Some(owner) = connection.owner() else { continue };
            if !self.sees(owner.id) {
                let why = "the token does not see the project that owns the connection; make the token's owner a reader there";
                let (project, what) = (Some(owner.name.as_str()), ("approvals and checks", why));
                self.gaps.note(Layer::Identity, project, Some(connection.id), State::Denied, what);
                continue;
            }
            let of = by_project.entry(owner.id).or_insert_with(|| (owner.name.clone(), Vec::new()));
            of.1.push(connection.id);
        }
        let questions = by_project.iter().flat_map(|(project, (name, ids))| {
            ids.chunks(MAX_CHECKED).map(move |ids| (*project, name.as_str(), ids))
        });
        let questions: Vec<_> = questions.collect();
        let asked = stream::iter(questions).map(|one| self.checks_of(devops, one));
        asked.buffer_unordered(self.jobs).collect::<()>().await;
    }

    /// Whether a project is one that the token sees.
    pub(super) fn sees(&self, project: Uuid) -> bool {
        self.seen_projects.borrow().binary_search_by_key(&project, |one| one.id).is_ok()
    }

    /// Changes a connection, where it is.
    pub(super) fn change(&self, id: Uuid, change: impl FnOnce(&mut Connection)) {
        let mut connections = self.connections.borrow_mut();
        let at = connections.binary_search_by_key(&id, |one| one.id);
        if let Some(connection) = at.ok().and_then(|at| connections.get_mut(at)) {
            change(connection);
            connection.shrink();
        }
    }

    /// What is known now, with the coverage of each layer.
    pub(super) fn finish(self, is_interrupted: bool) -> Organization {
        let mut connections = self.connections.take();
        if connections.is_empty() {
            connections = self.listed.take().finish();
        }
        let ended = self.ended.take();
        let projects = self.read_projects.take();
        for (project, _) in projects.iter().filter(|(_, is_read)| !is_read) {
            if is_interrupted {
                let what = ("connections", INTERRUPTED);
                self.gap(Layer::List, Some(&project.name), State::Failed, what);
            }
        }
        let mut coverage = Vec::new();
        for layer in [Layer::List, Layer::Identity, Layer::Use] {
            if layer > self.depth {
                continue;
            }
            if is_interrupted && !ended.contains(&layer) {
                self.gap(layer, None, State::Partial, ("the rest of this layer", INTERRUPTED));
            }
            match self.gaps.worst(layer) {
                None if layer > Layer::List
                    && self.gaps.worst(Layer::List).is_some()
                    && connections.is_empty() =>
                {
                    let why = "nothing was listed that could be read deeper".to_owned();
                    let state = self.gaps.worst(Layer::List).unwrap_or(State::Failed);
                    coverage.push(Coverage { project: None, layer, connection: None, state, why });
                }
                None => {
                    coverage.push(Coverage {
                        project: None,
                        layer,
                        connection: None,
                        state: State::Read,
                        why: String::new(),
                    });
                }
                Some(_) => {}
            }
        }
        let entries = self.gaps.entries();
        let has_gap = |name: &str| {
            entries.iter().any(|gap| {
                gap.layer == Layer::List && gap.connection.is_none() && gap.project.as_deref() == Some(name)
            })
        };
        for (project, is_read) in &projects {
            if *is_read && !has_gap(&project.name) {
                coverage.push(Coverage {
                    project: Some(project.name.clone()),
                    layer: Layer::List,
                    connection: None,
                    state: State::Read,
                    why: String::new(),
                });
            }
        }
        coverage.extend(entries);
        Organization {
            id: self.id.get(),
            tenant: None,
            projects: self.seen_projects.take(),
            connections,
            identities: self.identities.take(),
            subscriptions: self.subscriptions.take(),
            tenants: self.tenants.take(),
            coverage,
            ..Organization::new(self.name)
        }
    }
}

/// Said where there is no token for Azure DevOps at all.
pub(super) const NO_DEVOPS: &str =
    "Azure DevOps: no token; sign in with az login, or set AZURE_DEVOPS_EXT_PAT";
/// Said where a list of projects is empty: an organization that has none, and a token that sees none, look the same.
const NO_PROJECT: &str =
    "Azure DevOps: the token sees no project; make the token's owner a reader of the projects";
/// Said where the job's own token is all there is.
const JOB_TOKEN: &str = "Azure DevOps: SYSTEM_ACCESSTOKEN as a rule sees the project of its pipeline only; sign in with a connection whose identity is a user of the organization";
/// Said of a connection of which only id and name are told.
const INVISIBLE: &str =
    "Azure DevOps tells only that it exists; make the token's owner a reader of this connection";

fn project(value: &Value) -> Option<Project> {
    Some(Project {
        id: id(value, "id")?,
        name: text(value, "name")?,
        is_public: text(value, "visibility").is_some_and(|text| text.eq_ignore_ascii_case("public")),
    })
}
