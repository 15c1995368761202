//! Who asks Azure DevOps, and what that caller may see.

use axum::http::HeaderMap;
use uuid::Uuid;

use crate::services::{bearer, request};
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Organization, Project};
use crate::world::directory::records::Sight;
use crate::world::identity::DEVOPS_APPLICATION;

/// A caller with a token that is accepted.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    /// The project of a job token, which sees no other one, and of connections their ids and names only.
    job_project: Option<Uuid>,
}

impl Caller {
    /// By a job token, a personal access token (Basic) or an access token of Entra.
    pub(super) fn of(world: &World, headers: &HeaderMap) -> Option<Self> {
        let authorization = || headers.get("authorization").and_then(|value| value.to_str().ok());
        let personal = || request::basic_password(authorization()?);
        let token = bearer::token(headers).map(str::to_owned).or_else(personal).unwrap_or_default();
        let directory = world.directory();
        if let Some(job) = directory.job_of(&token) {
            let valid = job.token_expires.is_none_or(|end| world.clock.now() < end);
            return valid.then_some(Self { job_project: Some(job.project) });
        }
        if directory.personal_tokens.contains(&token) {
            return Some(Self { job_project: None });
        }
        drop(directory);
        let is_ours = |audience: &str| audience == DEVOPS_APPLICATION.to_string();
        bearer::caller(world, headers, is_ours).ok().map(|_caller| Self { job_project: None })
    }

    /// Whether the caller sees that a project exists.
    pub(super) fn sees_project(self, project: &Project) -> bool {
        self.job_project.is_none_or(|own| own == project.id)
    }

    /// What the caller sees of a connection.
    pub(super) fn sight(self, connection: &Connection) -> Sight {
        match connection.record.sight {
            Sight::Whole if self.job_project.is_some() => Sight::Partial,
            sight => sight,
        }
    }
}

pub(super) fn find_organization<'a>(directory: &'a Directory, name: &str) -> Option<&'a Organization> {
    directory.organizations.iter().find(|one| one.name.eq_ignore_ascii_case(name))
}

/// A project by its name or id.
pub(super) fn find_project<'a>(organization: &'a Organization, project: &str) -> Option<&'a Project> {
    let is_meant = |one: &&Project| {
        one.name.eq_ignore_ascii_case(project) || Uuid::try_parse(project).is_ok_and(|id| id == one.id)
    };
    organization.projects.iter().find(is_meant)
}
