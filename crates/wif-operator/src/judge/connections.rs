//! A connection, as it stands in a report.

use super::harmless::{text, texts};
use crate::{
    credential::{CredentialKind, IssuerKind},
    report::{
        CheckEntry, ConnectionEntry, MemberEntry, PipelineEntry, ProjectEntry, RoleEntry, TrustEntry,
        UseState,
    },
    rule::{Context, Entry},
    snapshot::{
        connection::{Connection, Person},
        identity::{Identity, IdentityKind},
    },
    usage::{Usage, disabled_on},
};

pub(super) fn connection_entry(context: &Context<'_>, entry: Entry<'_>) -> ConnectionEntry {
    let Entry { organization, connection } = entry;
    let identity = context.identity(connection);
    let optional = |value: &Option<String>| value.as_deref().map(text);
    let (usage, last_used) = match Usage::of(connection) {
        Usage::Unread => (UseState::Unread, None),
        Usage::Never => (UseState::Read, None),
        Usage::Last(last) => (UseState::Read, Some(last)),
    };
    let credential = entry.credential();
    let secrets = || identity.and_then(|identity| identity.secrets.as_deref()).unwrap_or_default();
    let certificates = || identity.and_then(|identity| identity.certificates.as_deref()).unwrap_or_default();
    // Beside a federated credential each of both is a remainder that still signs in.
    let stored = match credential {
        CredentialKind::Certificate => [&[], certificates()],
        CredentialKind::Federated => [secrets(), certificates()],
        _ => [secrets(), &[]],
    };
    let last = stored.into_iter().flatten().max_by_key(|stored| stored.ends);
    let projects = connection.projects.iter().map(|project| ProjectEntry {
        id: project.id,
        name: text(&project.name),
        connection_name: text(&project.connection_name),
        owner: project.is_owner,
    });
    ConnectionEntry {
        id: connection.id,
        name: text(&connection.name),
        organization: text(&organization.name),
        kind: optional(&connection.kind),
        projects: projects.collect(),
        scheme: optional(&connection.scheme),
        credential,
        issuer: optional(&connection.issuer),
        issuer_kind: connection.issuer.as_deref().and_then(IssuerKind::of),
        subject: optional(&connection.subject),
        tenant: connection.tenant,
        client: connection.client,
        identity_kind: identity_kind(connection, identity),
        identity_name: identity.and_then(|identity| optional(&identity.name)),
        scope: optional(&connection.scope),
        description: optional(&connection.description),
        created: connection.created,
        modified: connection.modified,
        created_by: connection.created_by.as_ref().and_then(person),
        disabled: connection.is_disabled,
        ready: connection.is_ready,
        usage,
        last_used,
        disabled_on: disabled_on(connection).map(|day| day.to_string()),
        secret_starts: last.and_then(|stored| stored.starts),
        secret_ends: last.and_then(|stored| stored.ends),
        are_secrets_read: identity.is_some_and(are_secrets_read),
        federated_credentials: identity.and_then(|identity| trust(connection, identity)),
        roles: identity.and_then(roles),
        open_to_all_pipelines: is_open(connection),
        pipelines: pipelines(connection),
        members: members(connection),
        checks: checks(connection),
        visible: connection.is_visible,
    }
}

fn identity_kind(connection: &Connection, identity: Option<&Identity>) -> IdentityKind {
    let read = identity.map(|identity| identity.kind).unwrap_or_default();
    let written = connection.identity_type.as_deref().unwrap_or_default();
    match read {
        IdentityKind::Unknown if written.eq_ignore_ascii_case("ManagedIdentity") => {
            IdentityKind::ManagedIdentity
        }
        IdentityKind::Unknown if written.to_ascii_lowercase().starts_with("appregistration") => {
            IdentityKind::Application
        }
        kind => kind,
    }
}

fn are_secrets_read(identity: &Identity) -> bool {
    identity.kind == IdentityKind::ManagedIdentity
        || (identity.secrets.is_some() && identity.certificates.is_some())
}

fn person(person: &Person) -> Option<String> {
    person.name.as_deref().or(person.unique_name.as_deref()).map(text)
}

fn trust(connection: &Connection, identity: &Identity) -> Option<Vec<TrustEntry>> {
    let entry = |one: &crate::snapshot::identity::FederatedCredential| TrustEntry {
        name: text(&one.name),
        matches: one.issuer.is_some()
            && one.subject.is_some()
            && one.issuer == connection.issuer
            && one.subject == connection.subject,
    };
    Some(identity.federated_credentials.as_ref()?.iter().map(entry).collect())
}

fn roles(identity: &Identity) -> Option<Vec<RoleEntry>> {
    let entry = |one: &crate::snapshot::identity::RoleAssignment| RoleEntry {
        role: one
            .role
            .as_deref()
            .map(text)
            .or_else(|| one.role_id.map(|id| id.to_string()))
            .unwrap_or_else(|| "unknown".to_owned()),
        scope: text(&one.scope),
        condition: one.condition.as_deref().map(text),
        description: one.description.as_deref().map(text),
        created: one.created,
    };
    Some(identity.roles.as_ref()?.iter().map(entry).collect())
}

/// Open in one project is open; closed is what is closed in all.
fn is_open(connection: &Connection) -> Option<bool> {
    let mut states =
        connection.projects.iter().map(|one| one.pipelines.as_ref().map(|one| one.is_open_to_all));
    if states.clone().any(|state| state == Some(true)) {
        return Some(true);
    }
    (states.len() > 0 && states.all(|state| state.is_some())).then_some(false)
}

/// None, unless they were read in every project.
fn pipelines(connection: &Connection) -> Option<Vec<PipelineEntry>> {
    if connection.projects.is_empty() || connection.projects.iter().any(|one| one.pipelines.is_none()) {
        return None;
    }
    let entries = connection.projects.iter().flat_map(|project| {
        let pipelines = project.pipelines.iter().flat_map(|permissions| &permissions.pipelines);
        pipelines.map(|pipeline| PipelineEntry {
            id: pipeline.id,
            name: pipeline.name.as_deref().map(text),
            project: text(&project.name),
        })
    });
    Some(entries.collect())
}

/// None, unless they were read in every project.
fn members(connection: &Connection) -> Option<Vec<MemberEntry>> {
    if connection.projects.is_empty() || connection.projects.iter().any(|one| one.members.is_none()) {
        return None;
    }
    let entries = connection.projects.iter().flat_map(|project| {
        project.members.iter().flatten().map(|member| MemberEntry {
            name: text(&member.name),
            role: text(&member.role),
            project: text(&project.name),
        })
    });
    Some(entries.collect())
}

fn checks(connection: &Connection) -> Option<Vec<CheckEntry>> {
    let enabled = connection.checks.as_ref()?.iter().filter(|check| !check.is_disabled);
    let entry = |check: &crate::snapshot::connection::Check| CheckEntry {
        kind: check.kind,
        name: check.name.as_deref().map(text),
        branches: texts(&check.branches),
        approvers: texts(&check.approvers),
    };
    Some(enabled.map(entry).collect())
}
