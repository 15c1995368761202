//! Steps that give a new identity and connection what another one has: roles with their conditions, and checks.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    asked::{Change, CopiedRole, assignment_name},
    checks::is_same,
    guards::is_assignment,
    look::{self, Found, Identity},
    send::Sent,
    work::{Progress, Stuck, Work},
};
use crate::change::ids::Ids;

impl Work<'_> {
    /// Whether the new identity has the role, on the same terms as the other one. Before it gets it, it is looked whether the other
    /// one still has it: a role that was taken meanwhile is not given again.
    pub(super) async fn role_copied(&self, copied: &CopiedRole) -> Result<Progress, Stuck> {
        let definition = copied.definition_id().ok_or(Stuck::Missing("the role definition"))?;
        let found = match self.identity().await? {
            Some(Identity { principal: Some(principal), .. }) => {
                let all = self.services.role_assignments(&copied.scope, principal).await?;
                let found = all.into_iter().find(|one| is_assignment(one, definition, &copied.scope));
                self.learn_assignment(found.as_ref());
                found
            }
            _ => None,
        };
        match (found, self.is_undone) {
            (None, true) => Ok(Progress::Done),
            (Some(_), true) => Ok(Progress::Open),
            (None, false) => {
                self.is_still_given(copied).await?;
                Ok(Progress::Open)
            }
            (Some(own), false) => {
                let own = CopiedRole::read(&own, None);
                if own.is_some_and(|own| own.has_terms_of(copied)) {
                    return Ok(Progress::Done);
                }
                let text = format!(
                    "the new identity has the role {} at {} on other terms than the old one: another condition, version or description",
                    copied.role, copied.scope
                );
                Err(Stuck::Wrong(text))
            }
        }
    }

    async fn is_still_given(&self, copied: &CopiedRole) -> Result<(), Stuck> {
        let now = self.services.role_assignment(&copied.assignment).await?;
        let now = now.as_ref().and_then(|one| CopiedRole::read(one, None));
        let is_here = |now: &CopiedRole| now.scope.eq_ignore_ascii_case(&copied.scope);
        let is_it = now.is_some_and(|now| is_here(&now) && now.is_same_grant(copied));
        if is_it {
            return Ok(());
        }
        let text = format!(
            "the old identity does not have the role {} at {} any more as it was read: make the plan again",
            copied.role, copied.scope
        );
        Err(Stuck::Wrong(text))
    }

    /// The check that decides as the one that is copied, by its id.
    pub(super) async fn copied_check(&self, project: Uuid, check: &Value) -> Result<Option<u64>, Stuck> {
        let raw = match self.found().await? {
            Found::There(raw) => raw,
            _ if self.is_undone => return Ok(None),
            _ => return Err(Stuck::Missing("the connection")),
        };
        let id = look::id(&raw, "id").ok_or(Stuck::Missing("the connection"))?;
        let all = self.services.checks(project, id).await?;
        let check = all.iter().find(|one| is_same(one, check)).and_then(|one| one.get("id")?.as_u64());
        self.learn(Ids { check, ..Ids::default() });
        Ok(check)
    }

    pub(super) async fn send_copy_or_end(&self) -> Result<Sent, Stuck> {
        let services = self.services;
        Ok(match (self.change, self.is_undone) {
            (Change::CopyRole { copied }, is_undone) => {
                let principal =
                    self.there().await?.principal.ok_or(Stuck::Missing("the service principal"))?;
                let definition = copied.definition_id().ok_or(Stuck::Missing("the role definition"))?;
                let name = assignment_name(definition, &copied.scope, principal);
                if is_undone {
                    let scope = copied.scope.trim_end_matches('/');
                    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
                    services.remove_role(&path).await
                } else {
                    services.assign_role(&copied.scope, name, &copied.body(principal)).await
                }
            }
            (Change::CopyCheck { project, check }, false) => {
                let raw = self.raw().await?;
                let mut body = check.clone();
                let resource = json!({ "type": "endpoint", "id": raw.get("id"), "name": raw.get("name") });
                if let Some(body) = body.as_object_mut() {
                    body.insert("resource".to_owned(), resource);
                }
                services.make_check(*project, &body).await
            }
            (Change::CopyCheck { project, check }, true) => match self.copied_check(*project, check).await? {
                Some(id) => services.remove_check(*project, id).await,
                None => Ok(None),
            },
            (Change::SetAside | Change::TakeName, _) => self.send_name().await?,
            _ => self.send_end().await?,
        })
    }
}
