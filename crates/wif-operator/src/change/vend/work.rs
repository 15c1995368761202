//! One step of a request: how far it is, the call that does it, and the call that undoes it.

use std::cell::RefCell;

use serde_json::Value;
use uuid::Uuid;
use wif_core::foreign_text::one_line;

use super::{
    asked::{Asked, Change},
    guards::{allowed, is_assignment, is_made, is_open},
    known::{projects_of, references_of},
    look::{self, Found, Identity},
};
use crate::{
    change::{
        ids::Ids,
        observe,
        plan::{AUDIENCE, Credential},
        project::PlannedProject,
        service::{CallError, Services},
    },
    subject::of_entra,
};

/// The longest path of a role assignment that is kept, in characters.
const MAX_PATH: usize = 1000;

/// A step, or its inverse.
pub struct Work<'a> {
    /// The services.
    pub services: &'a Services,
    /// The organization's id.
    pub organization: Uuid,
    /// The request.
    pub asked: &'a Asked,
    /// The id of the connection, or what stands for it.
    pub connection: Uuid,
    /// What is changed.
    pub change: &'a Change,
    /// Whether it is undone.
    pub is_undone: bool,
    /// What it has read of its objects.
    pub learned: RefCell<Ids>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// A service is still at it.
    UnderWay,
    /// It is to be done.
    Open,
}

/// Why it is not known how far a step is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stuck {
    /// A service did not let it be read.
    #[error("{0}")]
    Call(#[from] CallError),
    /// What the step depends on is not there.
    #[error("{0} is not there")]
    Missing(&'static str),
    /// Something else than what was asked for is there.
    #[error("{0}")]
    Wrong(String),
}

impl Change {
    /// Whether there is a call that undoes it.
    #[must_use]
    pub const fn has_inverse(&self) -> bool {
        matches!(
            self,
            Self::MakeApplication
                | Self::MakeManagedIdentity
                | Self::AssignRole { .. }
                | Self::MakeConnection
                | Self::Share { .. }
                | Self::Unshare { .. }
                | Self::Trust
                | Self::Authorize { .. }
                | Self::MakeBranchControl { .. }
                | Self::MakeApproval { .. }
                | Self::CopyRole { .. }
                | Self::CopyCheck { .. }
                | Self::EndTrust { .. }
                | Self::EndRole { .. }
                | Self::EndApplication { .. }
                | Self::SetAside
                | Self::TakeName
        )
    }

    /// Whether it ends something for good: of its inverse it is only looked whether it is needed.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::EndConnection)
    }
}

impl Change {
    /// Whether what was taken back can be done again: a connection would get another id.
    #[must_use]
    pub const fn can_be_done_again(&self) -> bool {
        self.has_inverse() && !matches!(self, Self::MakeConnection)
    }

    /// Whether its call makes a second one if it is sent twice.
    #[must_use]
    pub const fn makes_another(&self) -> bool {
        matches!(
            self,
            Self::MakeConnection
                | Self::MakeBranchControl { .. }
                | Self::MakeApproval { .. }
                | Self::CopyCheck { .. }
        )
    }

    /// Whether nothing has to be taken back: it goes with what was made before it, or changes nothing.
    #[must_use]
    pub const fn is_harmless(&self) -> bool {
        matches!(self, Self::MakePrincipal | Self::Report | Self::StillUnused { .. })
    }
}

impl Work<'_> {
    pub(super) async fn identity(&self) -> Result<Option<Identity>, CallError> {
        let found = look::identity(self.services, &self.asked.request.identity, &self.asked.key).await?;
        if let Some(identity) = &found {
            self.learn(identity.ids());
        }
        Ok(found)
    }

    pub(in crate::change) fn learn(&self, ids: Ids) {
        let known = self.learned.take();
        self.learned.replace(ids.or(known));
    }

    /// Looks for the connection of the request.
    pub(super) async fn found(&self) -> Result<Found, CallError> {
        let found = look::connection(self.services, self.asked, self.connection).await?;
        if let Found::There(raw) = &found {
            self.learn(Ids { connection: look::id(raw, "id"), ..Ids::default() });
        }
        Ok(found)
    }

    pub(super) async fn there(&self) -> Result<Identity, Stuck> {
        self.identity().await?.ok_or(Stuck::Missing("the identity"))
    }

    pub(super) async fn raw(&self) -> Result<Value, Stuck> {
        self.found().await?.connection().ok_or(Stuck::Missing("the connection"))
    }

    pub(super) async fn id(&self) -> Result<Uuid, Stuck> {
        look::id(&self.raw().await?, "id").ok_or(Stuck::Missing("the connection"))
    }

    /// How far it is.
    ///
    /// # Errors
    ///
    /// That cannot be read, or what is there is not what was asked for.
    pub async fn progress(&self) -> Result<Progress, Stuck> {
        let is_there = match self.change {
            Change::MakeConnection => return self.connection_made().await,
            Change::CopyRole { copied } => return self.role_copied(copied).await,
            Change::CopyCheck { project, check } => self.copied_check(*project, check).await?.is_some(),
            Change::EndTrust { .. }
            | Change::EndConnection
            | Change::EndRole { .. }
            | Change::EndApplication { .. }
            | Change::StillUnused { .. } => return self.ended().await,
            Change::SetAside | Change::TakeName => return self.renamed().await,
            // Only what was made for this request is deleted.
            Change::MakeApplication | Change::MakeManagedIdentity => self.is_identity_made().await?,
            Change::MakePrincipal => self.there().await?.principal.is_some(),
            Change::AssignRole { definition, scope, .. } => match self.identity().await? {
                Some(Identity { principal: Some(principal), .. }) => {
                    self.has_role(*definition, scope, principal).await?
                }
                _ => false,
            },
            Change::RemoveRole { assignment, scope } => {
                let principal =
                    self.there().await?.principal.ok_or(Stuck::Missing("the service principal"))?;
                let all = self.services.role_assignments(scope, principal).await?;
                let is_it = |one: &Value| text(one, "id").eq_ignore_ascii_case(assignment);
                !all.iter().any(is_it)
            }
            Change::SaveConnection => {
                let (raw, identity) = (self.raw().await?, self.there().await?);
                self.is_saved(&raw, identity.client)
            }
            Change::Share { project } => self.is_shared(project.id).await?,
            Change::Unshare { project } => !self.is_shared(project.id).await?,
            Change::Trust if self.is_undone => match self.found().await? {
                Found::There(raw) => self.is_trusted(&raw).await?,
                Found::Absent | Found::Foreign => self.orphan().await?.is_some(),
            },
            Change::Trust => {
                let raw = self.raw().await?;
                self.check_pair(&raw)?;
                self.is_trusted(&raw).await?
            }
            Change::RemoveTrust { name } => {
                let all = look::credentials(self.services, &self.there().await?.holder).await?;
                !all.iter().any(|one| one.name == *name)
            }
            Change::Authorize { project, add, remove, closes } => {
                let id = match self.id().await {
                    // Of what is gone, no pipeline is authorized.
                    Err(Stuck::Missing(_)) if self.is_undone => return Ok(Progress::Done),
                    id => id?,
                };
                let now = self.services.permissions(*project, id).await?;
                let (open, allowed) = (is_open(&now), allowed(&now));
                let (add, remove) = if self.is_undone { (remove, add) } else { (add, remove) };
                let is_done = add.iter().all(|id| allowed.contains(id))
                    && !remove.iter().any(|id| allowed.contains(id))
                    && (!closes || self.is_undone || !open);
                return Ok(if is_done { Progress::Done } else { Progress::Open });
            }
            Change::MakeBranchControl { .. } | Change::MakeApproval { .. } => {
                self.own_check().await?.is_some()
            }
            Change::RemoveCheck { id } => {
                let all = self.services.checks(self.asked.owner(), self.id().await?).await?;
                !all.iter().any(|one| one.get("id").and_then(Value::as_u64) == Some(*id))
            }
            Change::Report => true,
        };
        Ok(if is_there == self.is_undone { Progress::Open } else { Progress::Done })
    }

    /// Whether the identity of the request is there. Another one of its name is not taken, and not deleted.
    async fn is_identity_made(&self) -> Result<bool, Stuck> {
        let Some(identity) = self.identity().await? else { return Ok(false) };
        match (identity.is_own, self.is_undone) {
            (false, true) => Ok(false),
            (false, false) => {
                let text = "another identity has its name by now, and was not made for this request";
                Err(Stuck::Wrong(text.to_owned()))
            }
            (true, false) => Ok(true),
            (true, true) => {
                let others = self.services.credentials(&identity.holder).await?;
                if others.is_empty() {
                    return Ok(true);
                }
                let text = "the identity has federated credentials of others, and is not deleted";
                Err(Stuck::Wrong(text.to_owned()))
            }
        }
    }

    async fn connection_made(&self) -> Result<Progress, Stuck> {
        let raw = match self.found().await? {
            Found::There(raw) => raw,
            Found::Absent => return Ok(if self.is_undone { Progress::Done } else { Progress::Open }),
            Found::Foreign if self.is_undone => return Ok(Progress::Done),
            Found::Foreign => {
                let name = &self.asked.request.connection;
                let text = format!(
                    "another connection has the name {name} by now, and was not made for this request"
                );
                return Err(Stuck::Wrong(text));
            }
        };
        if self.is_undone {
            return Ok(Progress::Open);
        }
        let state = raw.pointer("/operationStatus/state").and_then(Value::as_str).unwrap_or_default();
        if state.eq_ignore_ascii_case("Failed") {
            return Err(Stuck::Wrong("Azure DevOps says that making the connection has failed".to_owned()));
        }
        let is_ready = raw.get("isReady").and_then(Value::as_bool) != Some(false);
        if !is_ready || state.eq_ignore_ascii_case("InProgress") {
            return Ok(Progress::UnderWay);
        }
        let client = self.there().await?.client;
        let there = projects_of(&raw);
        let lacks = |project: &&PlannedProject| !there.iter().any(|known| known.id == project.id);
        if let Some(project) = self.asked.projects.iter().find(lacks) {
            let text =
                format!("the connection is there without one of its projects, {}, by now", project.name);
            return Err(Stuck::Wrong(text));
        }
        if !self.is_saved(&raw, client) {
            let text =
                "the connection is there with another identity, scope or description than was asked for";
            return Err(Stuck::Wrong(text.to_owned()));
        }
        Ok(Progress::Done)
    }

    async fn has_role(&self, definition: Uuid, scope: &str, principal: Uuid) -> Result<bool, CallError> {
        let all = self.services.role_assignments(scope, principal).await?;
        let found = all.iter().find(|one| is_assignment(one, definition, scope));
        self.learn_assignment(found);
        Ok(found.is_some())
    }

    pub(super) fn learn_assignment(&self, found: Option<&Value>) {
        let path = found.map(|one| one_line(text(one, "id"), MAX_PATH)).filter(|path| !path.is_empty());
        self.learn(Ids { assignment: path, ..Ids::default() });
    }

    fn is_saved(&self, raw: &Value, client: Uuid) -> bool {
        let asked = self.asked;
        let parameter = |name: &str| look::parameter(raw, name).unwrap_or_default();
        let scope = parameter("scope");
        let is_scope = scope.eq_ignore_ascii_case(&asked.request.scope)
            || scope.is_empty() && asked.request.scope.matches('/').count() == 2;
        let description = text(raw, "description");
        parameter("serviceprincipalid").eq_ignore_ascii_case(&client.to_string())
            && (is_scope || asked.request.scope.starts_with("/providers/"))
            // A migration has no owner and no reason of its own.
            && (asked.beside.is_some() || crate::made::is_described(description, &asked.request))
    }

    async fn is_shared(&self, project: Uuid) -> Result<bool, Stuck> {
        let raw = self.raw().await?;
        Ok(references_of(&raw).any(|(known, _)| known.id == project))
    }

    /// The credential that the connection needs: its issuer and subject as they are read.
    pub(super) fn credential(raw: &Value) -> Result<Credential, Stuck> {
        let of = |name: &str| look::parameter(raw, name).filter(|text| !text.is_empty());
        let issuer =
            of("workloadIdentityFederationIssuer").ok_or(Stuck::Missing("the connection's issuer"))?;
        let subject =
            of("workloadIdentityFederationSubject").ok_or(Stuck::Missing("the connection's subject"))?;
        let id = look::id(raw, "id").ok_or(Stuck::Missing("the connection"))?;
        Ok(Credential { name: format!("wif-{id}"), issuer, subject, audience: AUDIENCE.to_owned() })
    }

    /// Whether issuer and subject are those that can be computed.
    fn check_pair(&self, raw: &Value) -> Result<(), Stuck> {
        let Credential { issuer, subject, .. } = Self::credential(raw)?;
        let id = look::id(raw, "id").ok_or(Stuck::Missing("the connection"))?;
        let tenant = self.asked.tenant;
        let (own, of) = (
            format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            of_entra(tenant, self.organization, id),
        );
        if issuer == own && subject == of {
            return Ok(());
        }
        let text = format!(
            "the connection has the issuer {issuer} and the subject {subject}, and those of its tenant, organization and id are {own} and {of}"
        );
        Err(Stuck::Wrong(text))
    }

    async fn is_trusted(&self, raw: &Value) -> Result<bool, Stuck> {
        let wanted = Self::credential(raw)?;
        let Some(identity) = self.identity().await? else { return Ok(false) };
        let all = self.services.credentials(&identity.holder).await?;
        let is_it = |one: &Credential| {
            one.issuer == wanted.issuer && one.subject == wanted.subject && one.audience == wanted.audience
        };
        let found = all.iter().find(|one| observe::credential(one).as_ref().is_some_and(is_it));
        self.learn(Ids { credential: found.and_then(observe::credential_id), ..Ids::default() });
        Ok(found.is_some())
    }

    /// The name of a credential that was made for a connection of this request which is gone.
    pub(super) async fn orphan(&self) -> Result<Option<String>, Stuck> {
        let Some(identity) = self.identity().await?.filter(|identity| identity.is_own) else {
            return Ok(None);
        };
        for one in look::credentials(self.services, &identity.holder).await? {
            let id = one.name.strip_prefix("wif-").and_then(|id| Uuid::try_parse(id).ok());
            let Some(id) = id else { continue };
            if one.subject == of_entra(self.asked.tenant, self.organization, id)
                && self.services.connection(self.asked.owner(), id).await?.is_none()
            {
                return Ok(Some(one.name));
            }
        }
        Ok(None)
    }

    /// The check that is exactly what is to be made, by its id.
    pub(super) async fn own_check(&self) -> Result<Option<u64>, Stuck> {
        let raw = match self.found().await? {
            Found::There(raw) => raw,
            _ if self.is_undone => return Ok(None),
            _ => return Err(Stuck::Missing("the connection")),
        };
        let id = look::id(&raw, "id").ok_or(Stuck::Missing("the connection"))?;
        let all = self.services.checks(self.asked.owner(), id).await?;
        let check = all.iter().find(|one| is_made(self.change, one)).and_then(|one| one.get("id")?.as_u64());
        self.learn(Ids { check, ..Ids::default() });
        Ok(check)
    }
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
