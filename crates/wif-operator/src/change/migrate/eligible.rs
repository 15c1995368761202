//! Which connections can get another one beside them, as far as the lists tell.

use crate::{
    change::{
        candidate::{Candidate, Reason, candidate, identity_of, invisible, usable},
        plan::PlannedProject,
    },
    credential::{CredentialKind, IssuerKind, is_classic, is_resource_manager},
    snapshot::{
        Existence, Organization,
        connection::Connection,
        identity::{Identity, IdentityKind, RoleAssignment},
    },
};

use super::names::To;

const REQUEST: &str = "write down what it is to be: wif connection plan FILE";
const ROLES: &str =
    "use a token that may read the role assignments of its subscriptions and management groups";

/// An old connection, with what was read of it.
#[derive(Clone, Debug)]
pub struct Old<'o> {
    /// Where it and its identity are.
    pub candidate: Candidate,
    /// As it was read.
    pub connection: &'o Connection,
    /// Its identity.
    pub identity: &'o Identity,
    /// The role assignments of its identity.
    pub roles: &'o [RoleAssignment],
    /// The scope that it declares.
    pub scope: &'o str,
    /// The subscriptions and management groups that connections of the organization name.
    pub roots: Vec<&'o str>,
    /// Its projects, the owner first, and its name in each.
    pub projects: Vec<(PlannedProject, &'o str)>,
}

/// Whether a connection can get another one beside it. One that the caller did not name itself, and that has a federated identity of
/// its own already, is left as it is.
///
/// # Errors
///
/// It cannot, for this reason.
pub fn can_migrate<'o>(
    connection: &'o Connection,
    organization: &'o Organization,
    to: &To,
    is_named: bool,
) -> Result<Old<'o>, Reason> {
    let old = readable(connection, organization)?;
    usable(connection)?;
    if !is_named && has_own_federation(connection, old.identity, organization, to) {
        let reason = "it has a federated identity of its own already";
        return Err(Reason::new(
            reason,
            "nothing is to be done; name it with --connection to migrate it yet",
        ));
    }
    Ok(old)
}

/// What was read of an old connection and its identity, if all of it was.
///
/// # Errors
///
/// It is of a kind whose roles are not known, or something was not read.
pub fn readable<'o>(connection: &'o Connection, organization: &'o Organization) -> Result<Old<'o>, Reason> {
    let kind = CredentialKind::of(connection);
    if kind == CredentialKind::Unknown {
        return Err(invisible());
    }
    if is_classic(connection) {
        let reason = "it is of the classic type, whose rights are those of a whole subscription";
        return Err(Reason::new(reason, REQUEST));
    }
    if !is_resource_manager(connection) {
        let reason = "only connections to Azure Resource Manager are migrated";
        return Err(Reason::new(reason, "sign in another way"));
    }
    match kind {
        CredentialKind::Machine => {
            let reason = "it signs in as the agent's machine: its roles are that machine's";
            return Err(Reason::new(reason, REQUEST));
        }
        CredentialKind::Secret | CredentialKind::Certificate | CredentialKind::Federated => {}
        CredentialKind::Other | CredentialKind::Unknown => {
            let scheme = connection.scheme.as_deref().unwrap_or("(none)");
            return Err(Reason::new(format!("of its scheme {scheme} the roles are not known"), REQUEST));
        }
    }
    let environment = connection.environment.as_deref().unwrap_or("AzureCloud");
    if !environment.eq_ignore_ascii_case("AzureCloud") {
        let reason = format!("its cloud is {environment}: issuer and subject there are not known");
        return Err(Reason::new(reason, "rotate its secret"));
    }
    let scope = scope_of(connection, organization)?;
    let identity = identity(connection, organization)?;
    let roles = roles_of(identity)?;
    let candidate = candidate(connection, identity)?;
    if identity.kind == IdentityKind::ManagedIdentity && candidate.target.resource.is_none() {
        let reason = "the path of its managed identity was not read";
        return Err(Reason::unread(reason, "use a token that may read managed identities"));
    }
    let mut projects: Vec<_> = connection.projects.iter().collect();
    projects.sort_by_key(|project| !project.is_owner);
    let projects = projects.into_iter().map(|project| {
        let planned = PlannedProject { id: project.id, name: project.name.clone() };
        (planned, project.connection_name.as_str())
    });
    let projects = projects.collect();
    let roots = organization.subscriptions.iter();
    let roots = roots.filter(|root| root.existence == Existence::Found).map(|root| root.scope.as_str());
    let roots = roots.collect();
    Ok(Old { candidate, connection, identity, roles, scope, roots, projects })
}

fn scope_of<'o>(connection: &'o Connection, organization: &Organization) -> Result<&'o str, Reason> {
    let level = connection.scope_level.as_deref().unwrap_or_default();
    if level.eq_ignore_ascii_case("AzureMLWorkspace") {
        return Err(Reason::new("it is made for a workspace of machine learning", "make it in the portal"));
    }
    let scope = connection.scope.as_deref().ok_or_else(|| Reason::new("it declares no scope", REQUEST))?;
    let lower = scope.to_lowercase();
    let root = organization.subscriptions.iter().find(|one| {
        let root = one.scope.to_lowercase();
        lower.strip_prefix(&root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match root.map(|root| root.existence) {
        Some(Existence::Found) => Ok(scope),
        Some(Existence::Gone) => {
            Err(Reason::new("its subscription or management group is gone", "delete the connection"))
        }
        // Where its own scope cannot be seen, there may be roles that are not seen.
        Some(Existence::Unknown) | None => {
            Err(Reason::unread("its subscription or management group could not be read", ROLES))
        }
    }
}

fn identity<'o>(connection: &Connection, organization: &'o Organization) -> Result<&'o Identity, Reason> {
    if connection.client.is_none() {
        return Err(Reason::new("it names no application", "delete it, or give it one"));
    }
    let unread =
        || Reason::unread("its identity could not be read", "use a token that may read applications");
    let identity = identity_of(connection, organization).ok_or_else(unread)?;
    if identity.is_deleted {
        return Err(Reason::new("its application is deleted", "restore the application within 30 days"));
    }
    match identity.existence {
        Existence::Gone => Err(Reason::new("its application is gone", REQUEST)),
        Existence::Unknown => Err(unread()),
        Existence::Found if identity.kind == IdentityKind::Unknown => Err(unread()),
        Existence::Found => Ok(identity),
    }
}

/// All of its roles: a part of them would be a new identity that may do less, or on other terms.
fn roles_of(identity: &Identity) -> Result<&[RoleAssignment], Reason> {
    if identity.may_have_more_roles {
        return Err(Reason::unread("not all of its roles were read", ROLES));
    }
    let (Some(_), Some(roles)) = (identity.principal_object, &identity.roles) else {
        return Err(Reason::unread("the roles of its identity could not be read", ROLES));
    };
    if roles.iter().any(|role| role.id.is_none()) {
        return Err(Reason::unread("of one of its roles the path was not read", ROLES));
    }
    Ok(roles)
}

/// Whether a migration would only make another one of the same.
fn has_own_federation(
    connection: &Connection,
    identity: &Identity,
    organization: &Organization,
    to: &To,
) -> bool {
    let kind = match to {
        To::Application => IdentityKind::Application,
        To::ManagedIdentity { .. } => IdentityKind::ManagedIdentity,
    };
    let by_entra = connection.issuer.as_deref().and_then(IssuerKind::of) == Some(IssuerKind::Entra);
    let is_single =
        identity.sign_in_audience.as_deref().is_none_or(|one| one.eq_ignore_ascii_case("AzureADMyOrg"));
    let users = organization.connections.iter().filter(|one| one.client == connection.client).count();
    CredentialKind::of(connection) == CredentialKind::Federated
        && by_entra
        && is_single
        && identity.kind == kind
        && users <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SUBSCRIPTION, connection, identity, organization, role, store_secret};

    fn planted(
        is_named: bool,
        plant: impl FnOnce(&mut Connection, &mut Identity, &mut Organization),
    ) -> Result<usize, Reason> {
        let (mut connection, mut identity) = (connection(1), identity(1));
        let id = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/1");
        identity.roles.iter_mut().flatten().for_each(|one| one.id = Some(id.clone()));
        let mut organization = organization();
        plant(&mut connection, &mut identity, &mut organization);
        organization.identities.push(identity);
        can_migrate(&connection, &organization, &To::Application, is_named).map(|old| old.roles.len())
    }

    #[test]
    fn roles_are_copied_whole_or_not_at_all() {
        assert_eq!(planted(true, |_, _, _| {}), Ok(1));
        assert!(planted(true, |_, of, _| of.may_have_more_roles = true).unwrap_err().unread);
        assert!(planted(true, |_, of, _| of.roles = None).unwrap_err().unread);
        assert!(planted(true, |_, of, _| of.principal_object = None).unwrap_err().unread);
        let without_path = |_: &mut Connection, of: &mut Identity, _: &mut Organization| {
            of.roles = Some(vec![role("Reader", SUBSCRIPTION)]);
        };
        assert!(planted(true, without_path).unwrap_err().unread);
        let hidden = planted(true, |_, _, all| all.subscriptions[0].existence = Existence::Unknown);
        assert!(hidden.unwrap_err().unread);
    }

    #[test]
    fn one_that_is_federated_already_is_migrated_only_if_it_is_named() {
        assert!(planted(false, |_, _, _| {}).unwrap_err().reason.contains("already"));
        assert!(planted(false, |one, of, _| store_secret(one, of)).is_ok());
        let multi = |_: &mut Connection, of: &mut Identity, _: &mut Organization| {
            of.sign_in_audience = Some("AzureADMultipleOrgs".to_owned());
        };
        assert!(planted(false, multi).is_ok());
    }

    #[test]
    fn what_cannot_be_migrated_is_told_with_the_reason() {
        let reason = |plant: fn(&mut Connection)| planted(true, |one, _, _| plant(one)).unwrap_err();
        assert!(reason(|one| one.kind = Some("azure".to_owned())).reason.contains("classic"));
        assert!(reason(|one| one.kind = Some("dockerregistry".to_owned())).reason.contains("only"));
        assert!(
            reason(|one| one.scheme = Some("ManagedServiceIdentity".to_owned())).reason.contains("machine")
        );
        assert!(reason(|one| one.environment = Some("AzureStack".to_owned())).reason.contains("AzureStack"));
        assert!(
            reason(|one| one.scope_level = Some("AzureMLWorkspace".to_owned())).reason.contains("machine")
        );
        assert!(reason(|one| one.is_disabled = Some(true)).reason.contains("disabled"));
        assert!(reason(|one| one.is_visible = false).unread);
    }
}
