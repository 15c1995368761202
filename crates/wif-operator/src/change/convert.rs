//! From a stored secret to federation. Pure: the steps follow from what was read.

use super::{
    candidate::{Candidate, Ground, Reason, candidate, identity, invisible, pairs, usable},
    plan::{AUDIENCE, Credential, Facts, Item, Scheme},
    steps::{add, change, free_name, item, prove, remove_unused},
};
use crate::{
    credential::{CredentialKind, is_classic, is_resource_manager},
    snapshot::{Organization, connection::Connection, identity::IdentityKind},
};

/// The most federated credentials of an identity.
pub const MAX_CREDENTIALS: usize = 20;
const MIGRATE: &str = "put a federated connection beside it, and retire it";

/// Whether a connection may be converted, as far as the lists tell.
///
/// # Errors
///
/// It may not, for this reason.
pub fn can_convert(connection: &Connection, organization: &Organization) -> Result<Candidate, Reason> {
    let kind = CredentialKind::of(connection);
    if kind == CredentialKind::Unknown {
        return Err(invisible());
    }
    if is_classic(connection) {
        return Err(Reason::new("it is of the classic type, which has no federation", MIGRATE));
    }
    if !is_resource_manager(connection) {
        return Err(Reason::new(
            "only connections to Azure Resource Manager can be converted",
            "sign in another way",
        ));
    }
    match kind {
        CredentialKind::Federated => {
            return Err(Reason::new("it is federated already", "nothing is to be done"));
        }
        CredentialKind::Machine => {
            return Err(Reason::new("it signs in as the agent's machine, and stores nothing", MIGRATE));
        }
        CredentialKind::Secret | CredentialKind::Certificate => {}
        CredentialKind::Other | CredentialKind::Unknown => {
            let scheme = connection.scheme.as_deref().unwrap_or("(none)");
            return Err(Reason::new(format!("its scheme {scheme} cannot be converted"), MIGRATE));
        }
    }
    let environment = connection.environment.as_deref().unwrap_or("AzureCloud");
    if !environment.eq_ignore_ascii_case("AzureCloud") {
        let reason =
            format!("its cloud is {environment}: Azure DevOps converts connections of the public cloud only");
        return Err(Reason::new(reason, "rotate its secret"));
    }
    usable(connection)?;
    let identity = identity(connection, organization)?;
    if identity.kind == IdentityKind::ManagedIdentity {
        return Err(Reason::new("its client is a managed identity, which has no secret", MIGRATE));
    }
    candidate(connection, identity)
}

/// The item that converts a connection. `taken` credentials are added to its application by items before this one.
///
/// # Errors
///
/// It cannot be converted, for this reason.
pub fn convert(
    ground: &Ground<'_>,
    candidate: &Candidate,
    facts: Facts,
    taken: usize,
) -> Result<Item, Reason> {
    let (Some(tenant), true) = (facts.tenant, facts.is_stored()) else {
        return Err(Reason::new("it was changed while it was read", "make the plan again"));
    };
    let used = facts.identity.credentials.len() + facts.identity.other_credentials + taken;
    let mut free = MAX_CREDENTIALS.saturating_sub(used);
    let (mut steps, mut notes, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (issuer, subject)) in pairs(ground, candidate, tenant).into_iter().enumerate() {
        let is_there =
            |one: &Credential| one.issuer == issuer && one.subject == subject && one.audience == AUDIENCE;
        if facts.identity.credentials.iter().any(is_there) {
            continue;
        }
        if free == 0 && number == 0 {
            let reason = format!("its application has {used} of {MAX_CREDENTIALS} federated credentials");
            return Err(Reason::new(reason, "remove one that is not needed (WIF6203, WIF6204)"));
        }
        // The second one is a precaution: which issuer a conversion yields is not documented.
        if free == 0 {
            notes.push("no room for the credential of the Azure DevOps issuer: if the conversion yields that one, the connection is put back".to_owned());
            continue;
        }
        free -= 1;
        let name = free_name(&facts, candidate.target.connection, number);
        let credential = Credential { name, issuer, subject, audience: AUDIENCE.to_owned() };
        added.push(credential.clone());
        steps.push(add(credential, &candidate.target));
    }
    steps.push(change(candidate, Scheme::WorkloadIdentityFederation));
    steps.push(prove());
    if !added.is_empty() {
        steps.push(remove_unused(added));
    }
    if facts.authentication_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("spnCertificate")) {
        notes.push("there is no way back to the certificate".to_owned());
    }
    if facts.projects.len() > 1 {
        notes.push(format!("it is shared with {} other projects, which keep it", facts.projects.len() - 1));
    }
    notes.push(
        "the application's own secrets are left to Azure DevOps; wif audit finds what stays (WIF6106)"
            .to_owned(),
    );
    notes.push("it can be converted back for 7 days: wif revert plan".to_owned());
    Ok(item(candidate, facts, steps, notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        snapshot::{Existence, identity::Identity},
        testing::{ORGANIZATION, TENANT, connection, identity, now, organization, store_secret},
    };

    fn planted(plant: impl FnOnce(&mut Connection, &mut Identity)) -> Result<Candidate, Reason> {
        let (mut connection, mut identity) = (connection(1), identity(1));
        store_secret(&mut connection, &mut identity);
        plant(&mut connection, &mut identity);
        let mut organization = organization();
        organization.identities.push(identity);
        can_convert(&connection, &organization)
    }

    fn facts(credentials: usize) -> Facts {
        let one = |number: usize| Credential {
            name: format!("other-{number}"),
            issuer: "https://issuer.example".to_owned(),
            subject: format!("subject-{number}"),
            audience: AUDIENCE.to_owned(),
        };
        Facts {
            scheme: Some("ServicePrincipal".to_owned()),
            authentication_type: Some("spnKey".to_owned()),
            tenant: Some(TENANT),
            disabled: Some(false),
            identity: super::super::plan::IdentityFacts {
                credentials: (0..credentials).map(one).collect(),
                ..super::super::plan::IdentityFacts::default()
            },
            ..Facts::default()
        }
    }

    fn ground() -> Ground<'static> {
        Ground { name: "contoso", id: ORGANIZATION, now: now() }
    }

    fn signs(item: &Item) -> String {
        item.steps.iter().map(|step| step.sign.as_str()).collect()
    }

    #[test]
    fn what_cannot_be_converted_is_told_with_the_reason() {
        assert!(planted(|_, _| {}).is_ok());
        assert!(planted(|one, _| one.creation_mode = Some("Automatic".to_owned())).is_ok());
        assert!(planted(|one, _| one.authentication_type = Some("spnCertificate".to_owned())).is_ok());
        let reason = |plant: fn(&mut Connection, &mut Identity)| planted(plant).unwrap_err();
        assert!(
            reason(|one, _| one.environment = Some("AzureStack".to_owned())).reason.contains("AzureStack")
        );
        assert!(reason(|one, _| one.is_disabled = Some(true)).reason.contains("disabled"));
        assert!(reason(|one, _| one.kind = Some("azure".to_owned())).reason.contains("classic"));
        assert!(
            reason(|one, _| one.scheme = Some("PublishProfile".to_owned())).reason.contains("PublishProfile")
        );
        assert!(reason(|one, _| one.is_visible = false).unread);
        assert!(reason(|_, of| of.existence = Existence::Unknown).unread);
        assert!(!reason(|_, of| of.existence = Existence::Gone).unread);
        assert!(reason(|_, of| of.is_deleted = true).reason.contains("deleted"));
        let audience = |_: &mut Connection, of: &mut Identity| {
            of.sign_in_audience = Some("AzureADMultipleOrgs".to_owned());
        };
        assert!(reason(audience).reason.contains("multi-tenant"));
    }

    #[test]
    fn both_credentials_come_first_and_the_unused_one_goes_last() {
        let candidate = planted(|_, _| {}).unwrap();
        let item = convert(&ground(), &candidate, facts(3), 0).unwrap();
        assert_eq!(signs(&item), "++~?-");
        let names: Vec<_> = item.added().map(|one| one.subject.as_str()).collect();
        assert!(
            names[0].starts_with("/eid1/c/pub/t/") && names[1] == "sc://contoso/Platform/sc-1",
            "{names:?}"
        );
        assert_eq!(signs(&convert(&ground(), &candidate, facts(19), 0).unwrap()), "+~?-");
        assert_eq!(signs(&convert(&ground(), &candidate, facts(18), 1).unwrap()), "+~?-");
        assert!(convert(&ground(), &candidate, facts(20), 0).unwrap_err().reason.contains("20 of 20"));
        let mut known = facts(20);
        let [(issuer, subject), _] = pairs(&ground(), &candidate, TENANT);
        known.identity.credentials[0] =
            Credential { name: "by-hand".to_owned(), issuer, subject, audience: AUDIENCE.to_owned() };
        assert_eq!(signs(&convert(&ground(), &candidate, known, 0).unwrap()), "~?");
    }
}
