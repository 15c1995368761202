//! From federation back to a stored secret. Pure: the steps follow from what was read.

use super::{
    candidate::{Candidate, Ground, Reason, candidate, identity, invisible},
    plan::{Credential, Facts, Item, Scheme},
    steps::{change, item, prove, remove_credential},
};
use crate::{
    credential::{CredentialKind, is_resource_manager},
    moment::Moment,
    snapshot::{Organization, connection::Connection},
};

/// Whether a connection may be converted back, as far as the lists tell.
///
/// # Errors
///
/// It may not, for this reason.
pub fn can_revert(
    connection: &Connection,
    organization: &Organization,
    now: Moment,
) -> Result<Candidate, Reason> {
    match CredentialKind::of(connection) {
        CredentialKind::Unknown => return Err(invisible()),
        CredentialKind::Federated if is_resource_manager(connection) => {}
        _ => return Err(Reason::new("it was not converted", "nothing is to be done")),
    }
    let advice = "give it a new secret by hand in the portal, if it must have one";
    match connection.revert_deadline {
        None => {
            return Err(Reason::new(
                "Azure DevOps names no time for its way back: it was not converted, or the 7 days are over",
                advice,
            ));
        }
        Some(until) if until <= now => {
            return Err(Reason::new(format!("its way back ended on {until}"), advice));
        }
        Some(_) => {}
    }
    candidate(connection, identity(connection, organization)?)
}

/// Whether a connection that was to be converted still stores its secret, so that only credentials are to be taken back.
///
/// # Errors
///
/// Its identity cannot be read, or is not there.
pub fn can_take_back(connection: &Connection, organization: &Organization) -> Result<Candidate, Reason> {
    candidate(connection, identity(connection, organization)?)
}

/// The item that takes back the credentials of a conversion that was not made.
///
/// # Errors
///
/// There are none.
pub fn take_back(candidate: &Candidate, facts: Facts, added: &[Credential]) -> Result<Item, Reason> {
    if !facts.is_stored() {
        return Err(Reason::new("it was changed while it was read", "make the plan again"));
    }
    if added.is_empty() {
        return Err(Reason::new("it was not converted", "nothing is to be done"));
    }
    let steps = added.iter().map(|one| remove_credential(one.clone(), &candidate.target)).collect();
    let notes = vec!["it was not converted: only what was added for it goes".to_owned()];
    Ok(item(candidate, facts, steps, notes))
}

/// The item that converts a connection back.
///
/// # Errors
///
/// It cannot be converted back, for this reason.
pub fn revert(
    ground: &Ground<'_>,
    candidate: &Candidate,
    facts: Facts,
    remove: &[Credential],
) -> Result<Item, Reason> {
    let until = facts.revert_until.filter(|until| *until > ground.now);
    let Some(until) = until else {
        return Err(Reason::new(
            "Azure DevOps names no time for its way back",
            "give it a new secret by hand",
        ));
    };
    if candidate.target.resource.is_some() {
        return Err(Reason::new("a managed identity has no secret", "leave it federated"));
    }
    match facts.identity.last_secret_ends {
        Some(ends) if ends > ground.now => {}
        _ => {
            let reason = "its application has no valid secret left: it could not sign in";
            return Err(Reason::new(reason, "leave it federated"));
        }
    }
    let mut steps = vec![change(candidate, Scheme::ServicePrincipal), prove()];
    steps.extend(remove.iter().map(|one| remove_credential(one.clone(), &candidate.target)));
    let mut notes = vec![format!("Azure DevOps allows it until {until}")];
    if remove.is_empty() {
        notes.push("its federated credentials stay: they make another conversion cheap".to_owned());
    }
    Ok(item(candidate, facts, steps, notes))
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::{
        change::plan::IdentityFacts,
        testing::{ORGANIZATION, TENANT, connection, identity, now, secret},
    };

    #[test]
    fn the_way_back_needs_time_and_a_secret() {
        let ground = Ground { name: "contoso", id: ORGANIZATION, now: now() };
        let candidate = super::candidate(&connection(1), &identity(1)).unwrap();
        let back = |until: Option<i64>, secret_ends: Option<i64>| {
            let facts = Facts {
                scheme: Some("WorkloadIdentityFederation".to_owned()),
                tenant: Some(TENANT),
                revert_until: until.map(|days| now().after(Duration::days(days))),
                identity: IdentityFacts {
                    last_secret_ends: secret_ends.and_then(|days| secret(days).ends),
                    ..IdentityFacts::default()
                },
                ..Facts::default()
            };
            revert(&ground, &candidate, facts, &[])
        };
        assert!(back(None, Some(1)).unwrap_err().reason.contains("no time"));
        assert!(back(Some(-1), Some(1)).unwrap_err().reason.contains("no time"));
        assert!(back(Some(3), None).unwrap_err().reason.contains("no valid secret"));
        assert!(back(Some(3), Some(-1)).unwrap_err().reason.contains("no valid secret"));
        let signs: String =
            back(Some(3), Some(1)).unwrap().steps.iter().map(|step| step.sign.as_str()).collect();
        assert_eq!(signs, "~?");
    }
}
