//! Steps that end a connection and its identity. What can be had back is put back by the inverse; of what cannot, the inverse
//! only looks whether it is still there.

use serde_json::Value;
use uuid::Uuid;

use super::{
    asked::{Change, CopiedRole},
    look,
    send::Sent,
    work::{Progress, Stuck, Work},
};
use crate::{
    change::{plan::Credential, service::Holder},
    moment::Moment,
};

impl Work<'_> {
    /// How far it is.
    pub(super) async fn ended(&self) -> Result<Progress, Stuck> {
        let is_there = match self.change {
            Change::EndTrust { .. } => {
                let own = self.ended_credential();
                let all = look::credentials(self.services, &self.old_holder().await?).await?;
                all.iter().any(|one| Some(one) == own.as_ref())
            }
            Change::EndConnection => self.is_in_any_project().await?,
            Change::EndRole { ended } => match self.services.role_assignment(&ended.assignment).await? {
                Some(now) => {
                    // Another one by the same name is not this plan's.
                    let is_it = CopiedRole::read(&now, None).is_some_and(|now| now.is_same_grant(ended));
                    if !is_it {
                        let text =
                            format!("the role {} at {} has changed since the plan", ended.role, ended.scope);
                        return Err(Stuck::Wrong(text));
                    }
                    true
                }
                None => false,
            },
            Change::EndApplication { object } => {
                let is_there = self.services.application_object(*object).await?.is_some();
                if !is_there && !self.is_undone {
                    // What is neither here nor in the bin was deleted for good, or is not visible.
                    self.services.deleted_application(*object).await?.ok_or(Stuck::Missing(
                        "the application, among those that are there and in the bin",
                    ))?;
                }
                is_there
            }
            Change::StillUnused { successor, since } => {
                self.still_unused(*successor, *since).await?;
                return Ok(Progress::Done);
            }
            _ => false,
        };
        if self.is_undone && !is_there && self.change.is_final() {
            return Err(Stuck::Wrong("what was deleted for good cannot be made again".to_owned()));
        }
        Ok(if is_there == self.is_undone { Progress::Done } else { Progress::Open })
    }

    fn ended_credential(&self) -> Option<Credential> {
        let Change::EndTrust { name, issuer, subject, audience } = self.change else { return None };
        Some(Credential {
            name: name.clone(),
            issuer: issuer.clone(),
            subject: subject.clone(),
            audience: audience.clone(),
        })
    }

    async fn old_holder(&self) -> Result<Holder, Stuck> {
        Ok(self.there().await?.holder)
    }

    /// Azure DevOps is asked in each project: gone in one of them is not gone in all.
    async fn is_in_any_project(&self) -> Result<bool, Stuck> {
        for project in &self.asked.projects {
            if self.services.connection(project.id, self.connection).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What was true when the plan was made may not be any more: a pipeline may have run since.
    async fn still_unused(&self, successor: Uuid, since: Moment) -> Result<(), Stuck> {
        if self.services.connection(self.asked.owner(), successor).await?.is_none() {
            return Err(Stuck::Wrong("the new connection is not there any more".to_owned()));
        }
        for project in &self.asked.projects {
            for run in self.services.runs(project.id, self.connection).await? {
                let text = |path: &str| run.pointer(path).and_then(Value::as_str);
                // A run of which the beginning cannot be read counts as a new one.
                let started = text("/data/startTime").and_then(Moment::parse);
                if started.is_none_or(|started| started > since) {
                    let name = text("/data/definition/name").unwrap_or("a pipeline without a name");
                    let text = format!("{name} in {} has run on the old connection since", project.name);
                    return Err(Stuck::Wrong(text));
                }
            }
        }
        Ok(())
    }

    pub(super) async fn send_end(&self) -> Result<Sent, Stuck> {
        let services = self.services;
        Ok(match (self.change, self.is_undone) {
            (Change::EndTrust { name, .. }, false) => {
                services.remove_credential(&self.old_holder().await?, name).await
            }
            (Change::EndTrust { .. }, true) => {
                let own = self.ended_credential().ok_or(Stuck::Missing("the credential"))?;
                let all = look::credentials(services, &self.old_holder().await?).await?;
                if all.iter().any(|one| one.name == own.name && *one != own) {
                    let text = format!("another credential has the name {} by now", own.name);
                    return Err(Stuck::Wrong(text));
                }
                services.add_credential(&self.old_holder().await?, &own).await
            }
            (Change::EndConnection, false) => {
                let projects: Vec<_> = self.asked.projects.iter().map(|one| one.id).collect();
                services.take_connection(self.connection, &projects).await
            }
            (Change::EndRole { ended }, false) => services.remove_role(&ended.assignment).await,
            (Change::EndRole { ended }, true) => {
                let principal =
                    self.there().await?.principal.ok_or(Stuck::Missing("the service principal"))?;
                let name = ended.assignment.rsplit('/').next().and_then(|name| Uuid::try_parse(name).ok());
                let name = name.ok_or(Stuck::Missing("the name of the assignment"))?;
                services.assign_role(&ended.scope, name, &ended.body(principal)).await
            }
            (Change::EndApplication { object }, false) => services.delete_application_object(*object).await,
            (Change::EndApplication { object }, true) => services.restore_application(*object).await,
            _ => Ok(None),
        })
    }
}
