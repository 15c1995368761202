//! The steps from the Azure DevOps issuer to that of Entra. Pure: they follow from what was read.

use super::{
    candidate::{Candidate, Ground, Reason, candidate, identity, identity_of, invisible, pairs, usable},
    convert::MAX_CREDENTIALS,
    ids::Ids,
    plan::{AUDIENCE, Action, Credential, Facts, Item, ManagedBy, Step, Trigger},
    steps::{CONNECTION_ADMINISTRATOR, add, free_name, item, prove, remove_credential},
};
use crate::{
    credential::{CredentialKind, IssuerKind, is_resource_manager},
    rule::command::page_in,
    rules::wif6201_retired_issuer::{Scope, scope},
    snapshot::{
        Organization,
        connection::Connection,
        identity::{Identity, IdentityKind},
    },
};

const NOT_KNOWN: &str = "it is not known whether code manages it, and what code may manage is not deleted (--managed-by terraform|bicep|none)";
const TO_DO_NOTHING: &str = "nothing is to be done";

/// Whether a connection may be moved, or has been moved and keeps its old credential, as far as the lists tell.
///
/// # Errors
///
/// Neither, for this reason.
pub fn can_move(connection: &Connection, organization: &Organization) -> Result<Candidate, Reason> {
    match CredentialKind::of(connection) {
        CredentialKind::Unknown => return Err(invisible()),
        CredentialKind::Federated => {}
        _ => return Err(Reason::new("it is not federated", "see wif convert plan")),
    }
    let issuer = connection.issuer.as_deref().and_then(IssuerKind::of);
    if issuer == Some(IssuerKind::DevOps)
        && let Scope::Out(why) = scope(connection, identity_of(connection, organization))
    {
        let reason = format!("the retirement of its issuer does not concern it yet: {why}");
        return Err(Reason::new(reason, "see what Microsoft announces for such connections"));
    }
    if !is_resource_manager(connection) {
        let kind = connection.kind.as_deref().unwrap_or("(none)");
        let reason = format!("its type is {kind}: only connections to Azure Resource Manager can be proven");
        return Err(Reason::new(reason, "have a person press Update on its page in the portal"));
    }
    match issuer {
        None => return Err(Reason::new("its issuer is neither Azure DevOps nor Entra", "see wif audit")),
        Some(IssuerKind::Entra) => {}
        Some(IssuerKind::DevOps) => usable(connection)?,
    }
    let (candidate, identity) = known_place(connection, organization)?;
    if issuer == Some(IssuerKind::Entra) && !may_have_leftover(organization, &candidate, identity) {
        return Err(Reason::new("it has the issuer of Entra already", TO_DO_NOTHING));
    }
    Ok(candidate)
}

/// The item that moves a connection, or that removes the old credential of one that has been moved. `taken` credentials are added
/// to its identity by items before this one.
///
/// # Errors
///
/// Neither can be done, for this reason.
pub fn move_issuer(
    ground: &Ground<'_>,
    candidate: &Candidate,
    facts: Facts,
    taken: usize,
    (trigger, managed_by): (Trigger, ManagedBy),
) -> Result<Item, Reason> {
    let kind = facts.issuer.as_deref().and_then(IssuerKind::of);
    let is_federated = facts
        .scheme
        .as_deref()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("WorkloadIdentityFederation"));
    let (Some(tenant), Some(kind), true) = (facts.tenant, kind, is_federated) else {
        return Err(Reason::new("it was changed while it was read", "make the plan again"));
    };
    let [(issuer, subject), old] = pairs(ground, candidate, tenant);
    if kind == IssuerKind::Entra {
        return leftover(ground, candidate, (facts, managed_by), &old.1);
    }
    let used = facts.identity.credentials.len() + facts.identity.other_credentials + taken;
    let is_old = |one: &&Credential| {
        Some(&one.issuer) == facts.issuer.as_ref() && Some(&one.subject) == facts.subject.as_ref()
    };
    let old: Vec<_> = facts.identity.credentials.iter().filter(is_old).cloned().collect();
    let there =
        |one: &&Credential| one.issuer == issuer && one.subject == subject && one.audience == AUDIENCE;
    let mut steps = Vec::new();
    let new = match facts.identity.credentials.iter().find(there) {
        Some(known) => known.clone(),
        None if used >= MAX_CREDENTIALS => {
            let reason = format!("its identity has {used} of {MAX_CREDENTIALS} federated credentials");
            return Err(Reason::new(reason, "remove one that is not needed (WIF6203, WIF6204)"));
        }
        None => {
            let name = free_name(&facts, candidate.target.connection, 0);
            let new = Credential { name, issuer, subject, audience: AUDIENCE.to_owned() };
            steps.push(add(new.clone(), &candidate.target));
            new
        }
    };
    let page = page_in(ground.name, candidate.project.id, candidate.target.connection);
    steps.push(change(candidate, trigger, new, &page));
    let title = "prove that it signs in: TestConnection; no way back is known, and the old credential stays";
    steps.push(Step { title: title.to_owned(), ..prove() });
    let mut notes = vec![
        "a job that signs in during the move may be refused once: choose a quiet hour".to_owned(),
        "it is not known who else trusts its old subject, other clouds for instance: ask before".to_owned(),
    ];
    if old.is_empty() {
        notes.push(
            "no federated credential trusts its old issuer and subject: none is to be removed".to_owned(),
        );
    } else if managed_by == ManagedBy::Unknown {
        let names: Vec<_> = old.iter().map(|one| one.name.as_str()).collect();
        notes.push(format!("its old federated credential stays ({}): {NOT_KNOWN}", names.join(", ")));
    } else {
        steps.extend(removal(candidate, &old));
        notes.push(
            "if no pipeline uses it any more, remove the old credential by hand: wif hand-off".to_owned(),
        );
    }
    if facts.projects.len() > 1 {
        notes.push(format!("it is shared with {} other projects, which keep it", facts.projects.len() - 1));
    }
    Ok(item(candidate, facts, steps, notes))
}

/// The item that takes back what was done for a connection: old credentials that were removed are added again, and the credentials
/// that were `added` go, unless the connection was moved.
///
/// # Errors
///
/// Nothing can be taken back, for this reason.
pub fn take_back(
    candidate: &Candidate,
    facts: Facts,
    added: &[Credential],
    removed: &[Credential],
) -> Result<Item, Reason> {
    let is_there = |one: &&Credential| {
        facts.identity.credentials.iter().any(|known| {
            (&known.issuer, &known.subject, &known.audience) == (&one.issuer, &one.subject, &one.audience)
        })
    };
    let missing: Vec<_> = removed.iter().filter(|one| !is_there(one)).collect();
    let used = facts.identity.credentials.len() + facts.identity.other_credentials;
    if used + missing.len() > MAX_CREDENTIALS {
        let reason = format!(
            "its identity has {used} of {MAX_CREDENTIALS} federated credentials: no room for the old one"
        );
        return Err(Reason::new(reason, "remove one that is not needed (WIF6203, WIF6204)"));
    }
    let is_moved = facts.issuer.as_deref().and_then(IssuerKind::of) != Some(IssuerKind::DevOps);
    if is_moved && missing.is_empty() {
        let reason = "it has the issuer of Entra, from which no way back is known";
        return Err(Reason::new(reason, "leave it: its old credential stays until a run has succeeded"));
    }
    let mut steps: Vec<_> = missing.into_iter().map(|one| add(one.clone(), &candidate.target)).collect();
    let mut notes = Vec::new();
    if is_moved {
        notes.push("it keeps the issuer of Entra, from which no way back is known".to_owned());
    } else {
        steps.extend(added.iter().map(|one| remove_credential(one.clone(), &candidate.target)));
    }
    if steps.is_empty() {
        return Err(Reason::new("nothing of what was done is left", TO_DO_NOTHING));
    }
    Ok(item(candidate, facts, steps, notes))
}

/// Whether something of a move may be taken back, as far as the lists tell.
///
/// # Errors
///
/// It may not, for this reason.
pub fn can_take_back(connection: &Connection, organization: &Organization) -> Result<Candidate, Reason> {
    match CredentialKind::of(connection) {
        CredentialKind::Unknown => return Err(invisible()),
        CredentialKind::Federated => {}
        _ => return Err(Reason::new("it is not federated any more", TO_DO_NOTHING)),
    }
    known_place(connection, organization).map(|(candidate, _)| candidate)
}

/// Where a connection and its identity are, and the identity.
fn known_place<'o>(
    connection: &Connection,
    organization: &'o Organization,
) -> Result<(Candidate, &'o Identity), Reason> {
    let identity = identity(connection, organization)?;
    let candidate = candidate(connection, identity)?;
    if identity.kind == IdentityKind::ManagedIdentity && candidate.target.resource.is_none() {
        let alternative = "sign in to Azure Resource Manager with the right to read it";
        return Err(Reason::unread("its managed identity could not be found in Azure", alternative));
    }
    Ok((candidate, identity))
}

/// Whether the identity of a connection that has the issuer of Entra may still trust the old one.
fn may_have_leftover(organization: &Organization, candidate: &Candidate, identity: &Identity) -> bool {
    let Some(credentials) = &identity.federated_credentials else { return true };
    let subject = old_subject(&organization.name, candidate);
    credentials.iter().any(|one| {
        one.subject.as_deref() == Some(&subject)
            && one.issuer.as_deref().and_then(IssuerKind::of) == Some(IssuerKind::DevOps)
    })
}

fn old_subject(organization: &str, candidate: &Candidate) -> String {
    format!("sc://{organization}/{}/{}", candidate.project.name, candidate.name)
}

/// The item that removes the old credential of a connection that has been moved.
fn leftover(
    ground: &Ground<'_>,
    candidate: &Candidate,
    (facts, managed_by): (Facts, ManagedBy),
    old_subject: &str,
) -> Result<Item, Reason> {
    let is_used = |one: &Credential| {
        Some(&one.issuer) == facts.issuer.as_ref() && Some(&one.subject) == facts.subject.as_ref()
    };
    let own = |issuer: &str| !issuer.contains("://vstoken.") || issuer.ends_with(&ground.id.to_string());
    let is_old = |one: &&Credential| {
        one.subject == old_subject
            && IssuerKind::of(&one.issuer) == Some(IssuerKind::DevOps)
            && own(&one.issuer)
    };
    let old: Vec<_> = facts.identity.credentials.iter().filter(is_old).cloned().collect();
    if old.is_empty() {
        return Err(Reason::new("it has the issuer of Entra already", TO_DO_NOTHING));
    }
    if !facts.identity.credentials.iter().any(is_used) {
        let reason = "no federated credential trusts its issuer and subject";
        return Err(Reason::new(reason, "repair its trust first (WIF6202)"));
    }
    if managed_by == ManagedBy::Unknown {
        let reason = format!("it was moved already, and its old federated credential stays: {NOT_KNOWN}");
        return Err(Reason::new(reason, "say whether code manages it, and plan again"));
    }
    let notes = vec!["it was moved already: only its old credential goes".to_owned()];
    Ok(item(candidate, facts, removal(candidate, &old), notes))
}

fn change(candidate: &Candidate, trigger: Trigger, credential: Credential, page: &str) -> Step {
    let id = candidate.target.connection;
    let save = format!("PUT _apis/serviceendpoint/endpoints/{id}");
    let operation = format!("{save}?operation=ConvertAuthenticationScheme");
    let press = format!("a person presses Update on {page}");
    let (sign, title, call) = match trigger {
        Trigger::Auto => (
            "~",
            format!(
                "move it to the issuer of Entra: save it, else convert it to the scheme that it has, else {press}"
            ),
            format!("{save}; {operation}"),
        ),
        Trigger::Save => ("~", "move it to the issuer of Entra: save it".to_owned(), save),
        Trigger::Operation => (
            "~",
            "move it to the issuer of Entra: convert it to the scheme that it has".to_owned(),
            operation,
        ),
        Trigger::Person => ("!", format!("move it to the issuer of Entra: {press}"), "none".to_owned()),
    };
    Step {
        sign: sign.to_owned(),
        title,
        precondition: "its issuer is Azure DevOps; the federated credential of the new issuer is there"
            .to_owned(),
        call,
        read_back: format!("issuer {}, subject {}", credential.issuer, credential.subject),
        inverse: None,
        who: CONNECTION_ADMINISTRATOR.to_owned(),
        ids: Ids::default(),
        action: Action::MoveIssuer { trigger, credential },
    }
}

/// The old credentials go when a run has shown that they are not needed.
fn removal(candidate: &Candidate, old: &[Credential]) -> Vec<Step> {
    let wait = Step {
        sign: "!".to_owned(),
        title: "wait for a run of a pipeline that uses it and has succeeded since: wif apply PLAN --resume looks again".to_owned(),
        precondition: "it has the issuer of Entra, and is trusted".to_owned(),
        call: "GET _apis/serviceendpoint/…/executionhistory".to_owned(),
        read_back: "a run that began after the move, and its result".to_owned(),
        inverse: Some("nothing was changed".to_owned()),
        who: "who runs the pipelines".to_owned(),
        ids: Ids::default(),
        action: Action::AwaitRun,
    };
    let remove = |one: &Credential| {
        let title = format!("remove the federated credential {} of the old issuer", one.name);
        Step { title, ..remove_credential(one.clone(), &candidate.target) }
    };
    std::iter::once(wait).chain(old.iter().map(remove)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::plan::IdentityFacts,
        testing::{ORGANIZATION, TENANT, connection, identity as an_identity, now, organization},
    };

    fn planted(plant: impl FnOnce(&mut Connection, &mut Identity)) -> Result<Candidate, Reason> {
        let (mut connection, mut identity) = (connection(1), an_identity(1));
        connection.issuer = Some(format!("https://vstoken.dev.azure.com/{ORGANIZATION}"));
        connection.subject = Some("sc://contoso/Platform/sc-1".to_owned());
        plant(&mut connection, &mut identity);
        let mut organization = organization();
        organization.identities.push(identity);
        can_move(&connection, &organization)
    }

    fn ground() -> Ground<'static> {
        Ground { name: "contoso", id: ORGANIZATION, now: now() }
    }

    /// On the old issuer or the new one, with the credentials of these numbers: 0 of the new issuer, 1 of the old one.
    fn facts(candidate: &Candidate, kind: usize, has: &[usize], others: usize) -> Facts {
        let pairs = pairs(&ground(), candidate, TENANT);
        let one = |name: String, (issuer, subject): (String, String)| Credential {
            name,
            issuer,
            subject,
            audience: AUDIENCE.to_owned(),
        };
        let own = has.iter().map(|number| one(format!("own-{number}"), pairs[*number].clone()));
        let other = |number: usize| {
            one(format!("other-{number}"), ("https://issuer.example".to_owned(), format!("s-{number}")))
        };
        Facts {
            scheme: Some("WorkloadIdentityFederation".to_owned()),
            issuer: Some(pairs[kind].0.clone()),
            subject: Some(pairs[kind].1.clone()),
            tenant: Some(TENANT),
            disabled: Some(false),
            identity: IdentityFacts {
                credentials: own.chain((0..others).map(other)).collect(),
                ..IdentityFacts::default()
            },
            ..Facts::default()
        }
    }

    fn signs(trigger: Trigger, facts: impl FnOnce(&Candidate) -> Facts) -> Result<String, Reason> {
        let candidate = planted(|_, _| {}).unwrap();
        let item = move_issuer(&ground(), &candidate, facts(&candidate), 0, (trigger, ManagedBy::None))?;
        Ok(item.steps.iter().map(|step| step.sign.as_str()).collect())
    }

    #[test]
    fn what_cannot_be_moved_is_told_with_the_reason() {
        assert!(planted(|_, _| {}).is_ok());
        let reason = |plant: fn(&mut Connection, &mut Identity)| planted(plant).unwrap_err();
        let audience = |_: &mut Connection, of: &mut Identity| {
            of.sign_in_audience = Some("AzureADMultipleOrgs".to_owned());
        };
        assert!(reason(audience).reason.contains("does not concern it yet: its application is multi-tenant"));
        let cloud =
            |one: &mut Connection, _: &mut Identity| one.environment = Some("AzureChinaCloud".to_owned());
        assert!(reason(cloud).reason.contains("does not concern it yet: it is not of the public cloud"));
        assert!(
            reason(|one, _| one.kind = Some("dockerregistry".to_owned())).reason.contains("dockerregistry")
        );
        assert!(
            reason(|one, _| one.scheme = Some("ServicePrincipal".to_owned())).alternative.contains("convert")
        );
        assert!(reason(|one, _| one.is_disabled = Some(true)).reason.contains("disabled"));
        assert!(reason(|one, _| one.is_visible = false).unread);
        let entra = |one: &mut Connection, _: &mut Identity| {
            one.issuer = Some(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
        };
        assert!(reason(entra).reason.contains("already"));
    }

    #[test]
    fn the_new_credential_comes_first_and_the_old_one_goes_last() {
        assert_eq!(signs(Trigger::Auto, |of| facts(of, 1, &[1], 0)).unwrap(), "+~?!-");
        assert_eq!(signs(Trigger::Person, |of| facts(of, 1, &[1], 0)).unwrap(), "+!?!-");
        assert_eq!(signs(Trigger::Save, |of| facts(of, 1, &[0, 1], 18)).unwrap(), "~?!-");
        // Nothing trusts it today: there is none to remove.
        assert_eq!(signs(Trigger::Auto, |of| facts(of, 1, &[], 0)).unwrap(), "+~?");
        let full = signs(Trigger::Auto, |of| facts(of, 1, &[1], 19)).unwrap_err();
        assert!(full.reason.contains("20 of 20"), "{full:?}");
    }

    #[test]
    fn what_code_may_manage_is_not_deleted() {
        let candidate = planted(|_, _| {}).unwrap();
        let planned = |kind, managed_by| {
            let facts = facts(&candidate, kind, &[0, 1], 0);
            move_issuer(&ground(), &candidate, facts, 0, (Trigger::Auto, managed_by))
        };
        let signs = |item: &Item| item.steps.iter().map(|step| step.sign.as_str()).collect::<String>();
        let item = planned(1, ManagedBy::Unknown).unwrap();
        assert_eq!(signs(&item), "~?");
        assert!(item.notes.iter().any(|note| note.contains("stays (own-1)")), "{:?}", item.notes);
        assert!(planned(0, ManagedBy::Unknown).unwrap_err().reason.contains("not known whether code"));
        // Who names the code has been told what it needs.
        for known in [ManagedBy::Terraform, ManagedBy::Bicep, ManagedBy::None] {
            assert_eq!(signs(&planned(1, known).unwrap()), "~?!-");
            assert_eq!(signs(&planned(0, known).unwrap()), "!-");
        }
    }

    #[test]
    fn of_one_that_was_moved_only_the_old_credential_goes_and_only_if_the_new_one_is_there() {
        assert_eq!(signs(Trigger::Auto, |of| facts(of, 0, &[0, 1], 0)).unwrap(), "!-");
        assert!(signs(Trigger::Auto, |of| facts(of, 0, &[0], 0)).unwrap_err().reason.contains("already"));
        assert!(signs(Trigger::Auto, |of| facts(of, 0, &[1], 0)).unwrap_err().reason.contains("trusts"));
    }
}
