//! Connections that may be changed, and why others are left out.

use uuid::Uuid;

use super::{
    observe::Target,
    plan::{PlannedProject, Skipped},
};
use crate::{
    moment::Moment,
    snapshot::{
        Existence, Organization,
        connection::Connection,
        identity::{Identity, IdentityKind},
    },
    subject::of_entra,
};

/// Why a connection is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The reason.
    pub reason: String,
    /// What can be done instead.
    pub alternative: String,
    /// Whether something could not be read.
    pub unread: bool,
}

/// A connection that may be changed: where it and its identity are.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// The project that owns it.
    pub project: PlannedProject,
    /// Where they are.
    pub target: Target,
}

/// What a plan needs to know of the organization.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The organization's name.
    pub name: &'a str,
    /// Its id.
    pub id: Uuid,
    /// The moment of the plan.
    pub now: Moment,
}

impl Reason {
    /// For this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>, alternative: impl Into<String>) -> Self {
        Self { reason: reason.into(), alternative: alternative.into(), unread: false }
    }

    /// Because this could not be read.
    #[must_use]
    pub fn unread(reason: impl Into<String>, alternative: impl Into<String>) -> Self {
        Self { reason: reason.into(), alternative: alternative.into(), unread: true }
    }

    /// As a plan lists it.
    #[must_use]
    pub fn of(self, connection: &Connection) -> Skipped {
        Skipped {
            connection: connection.id,
            name: connection.name.clone(),
            project: connection.owner().map(|owner| owner.name.clone()),
            reason: self.reason,
            alternative: self.alternative,
            unread: self.unread,
        }
    }
}

pub(in crate::change) fn invisible() -> Reason {
    Reason::unread(
        "Azure DevOps tells only that it exists",
        "make the token's owner an administrator of this connection",
    )
}

pub(in crate::change) fn usable(connection: &Connection) -> Result<(), Reason> {
    if connection.is_disabled == Some(true) {
        return Err(Reason::new(
            "it is disabled, so that nothing could be proven",
            "enable it, or delete it",
        ));
    }
    let is_failed =
        connection.operation_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("Failed"));
    if is_failed || connection.is_draft {
        return Err(Reason::new("its creation has failed, or it is a draft", "delete it, or finish it"));
    }
    Ok(())
}

/// The identity of a connection, as far as it was read.
pub(in crate::change) fn identity_of<'o>(
    connection: &Connection,
    organization: &'o Organization,
) -> Option<&'o Identity> {
    organization.identities.iter().find(|one| {
        Some(one.client) == connection.client
            && (one.tenant.is_none() || connection.tenant.is_none() || one.tenant == connection.tenant)
    })
}

pub(super) fn identity<'o>(
    connection: &Connection,
    organization: &'o Organization,
) -> Result<&'o Identity, Reason> {
    if connection.client.is_none() {
        return Err(Reason::new("it names no application", "delete it, or give it one"));
    }
    let found = identity_of(connection, organization);
    let unread = || {
        let alternative = "sign in to its tenant with the right to read applications";
        Reason::unread("its application could not be read", alternative)
    };
    let identity = found.ok_or_else(unread)?;
    if identity.is_deleted {
        return Err(Reason::new("its application is deleted", "restore the application within 30 days"));
    }
    match identity.existence {
        Existence::Gone => return Err(Reason::new("its application is gone", "delete the connection")),
        Existence::Unknown => return Err(unread()),
        Existence::Found => {}
    }
    if identity.kind == IdentityKind::Application && identity.application_object.is_none() {
        return Err(unread());
    }
    if let Some(audience) = &identity.sign_in_audience
        && !audience.eq_ignore_ascii_case("AzureADMyOrg")
    {
        let reason =
            format!("its application is multi-tenant ({audience}), which Entra's issuer does not allow");
        return Err(Reason::new(reason, "give the connection a single-tenant application of its own"));
    }
    if identity.is_enabled == Some(false) {
        return Err(Reason::new("its application is disabled", "enable it, or delete the connection"));
    }
    Ok(identity)
}

pub(in crate::change) fn candidate(
    connection: &Connection,
    identity: &Identity,
) -> Result<Candidate, Reason> {
    let owner = connection.owner().ok_or_else(|| {
        Reason::unread("the project that owns it is not known", "use a token that sees all its projects")
    })?;
    let resource =
        (identity.kind == IdentityKind::ManagedIdentity).then(|| identity.resource.clone()).flatten();
    Ok(Candidate {
        name: connection.name.clone(),
        project: PlannedProject { id: owner.id, name: owner.name.clone() },
        target: Target { connection: connection.id, project: owner.id, client: identity.client, resource },
    })
}

/// The issuer and subject of each kind that id tokens of a connection can have: Entra's first.
#[must_use]
pub fn pairs(ground: &Ground<'_>, candidate: &Candidate, tenant: Uuid) -> [(String, String); 2] {
    let connection = candidate.target.connection;
    let entra = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let devops = format!("https://vstoken.dev.azure.com/{}", ground.id);
    let subject = format!("sc://{}/{}/{}", ground.name, candidate.project.name, candidate.name);
    [(entra, of_entra(tenant, ground.id, connection)), (devops, subject)]
}
