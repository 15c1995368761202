//! The steps from a stored secret to federation, and back. Pure: they follow from what was read.

use time::Duration;
use uuid::Uuid;

use super::{
    observe::Target,
    plan::{AUDIENCE, Action, Credential, Facts, Item, PlannedProject, Scheme, Skipped, Step},
};
use crate::{
    credential::{CredentialKind, is_classic, is_resource_manager},
    moment::Moment,
    snapshot::{
        Existence, Organization,
        connection::Connection,
        identity::{Identity, IdentityKind},
    },
    subject::of_entra,
};

/// The most federated credentials of an identity.
pub(super) const MAX_CREDENTIALS: usize = 20;
const MIGRATE: &str = "put a federated connection beside it, and retire it";

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
    let is_secret =
        facts.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("ServicePrincipal"));
    let (Some(tenant), true) = (facts.tenant, is_secret) else {
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

pub(super) fn item(candidate: &Candidate, facts: Facts, steps: Vec<Step>, notes: Vec<String>) -> Item {
    Item {
        connection: candidate.target.connection,
        name: candidate.name.clone(),
        project: candidate.project.clone(),
        facts,
        digest: String::new(),
        steps,
        notes,
        asked: None,
    }
}

/// A name that no credential with another issuer or subject has.
pub(super) fn free_name(facts: &Facts, connection: Uuid, number: usize) -> String {
    let base = if number == 0 { format!("wif-{connection}") } else { format!("wif-{connection}-devops") };
    let is_taken =
        |name: &str| facts.identity.credentials.iter().any(|one| one.name.eq_ignore_ascii_case(name));
    if !is_taken(&base) {
        return base;
    }
    (2..=99).map(|next| format!("{base}-{next}")).find(|name| !is_taken(name)).unwrap_or(base)
}

const APPLICATION_OWNER: &str = "an owner of the application, an Application Administrator, or who has Application.ReadWrite.OwnedBy on it";
const IDENTITY_CONTRIBUTOR: &str = "who has Managed Identity Contributor, or Managed Identity Federated Credential Contributor, on the identity";
pub(super) const CONNECTION_ADMINISTRATOR: &str =
    "an administrator of the connection at the organization level";

/// Who may change the federated credentials of an identity.
fn owner(target: &Target) -> &'static str {
    if target.resource.is_some() { IDENTITY_CONTRIBUTOR } else { APPLICATION_OWNER }
}

pub(super) fn add(credential: Credential, target: &Target) -> Step {
    let Credential { name, issuer, subject, .. } = &credential;
    let client = target.client;
    let call = target.resource.as_ref().map_or_else(
        || format!("PATCH applications(appId='{client}')/federatedIdentityCredentials(name='{name}')"),
        |path| format!("PUT {path}/federatedIdentityCredentials/{name}"),
    );
    Step {
        sign: "+".to_owned(),
        title: format!("add the federated credential {name}: issuer {issuer}, subject {subject}"),
        precondition: "the identity has fewer than 20 of them, and none with this issuer and subject"
            .to_owned(),
        call,
        read_back: "issuer, subject and audience, character by character".to_owned(),
        inverse: Some("remove it".to_owned()),
        who: owner(target).to_owned(),
        action: Action::AddCredential { credential },
    }
}

pub(super) fn remove_credential(credential: Credential, target: &Target) -> Step {
    let name = &credential.name;
    Step {
        sign: "-".to_owned(),
        title: format!("remove the federated credential {name}"),
        precondition: "the connection does not use it".to_owned(),
        call: format!("DELETE federatedIdentityCredentials/{name}"),
        read_back: "it is gone".to_owned(),
        inverse: Some("add it again".to_owned()),
        who: owner(target).to_owned(),
        action: Action::RemoveCredential { credential },
    }
}

fn remove_unused(credentials: Vec<Credential>) -> Step {
    Step {
        sign: "-".to_owned(),
        title: "remove the credential that was added and that the connection does not use".to_owned(),
        precondition: "the connection is proven".to_owned(),
        call: "DELETE federatedIdentityCredentials/…".to_owned(),
        read_back: "it is gone".to_owned(),
        inverse: Some("add it again".to_owned()),
        who: APPLICATION_OWNER.to_owned(),
        action: Action::RemoveUnused { credentials },
    }
}

fn change(candidate: &Candidate, to: Scheme) -> Step {
    let (title, inverse) = match to {
        Scheme::WorkloadIdentityFederation => {
            ("convert it to federation", "convert it back, for 7 days as far as Azure DevOps offers it")
        }
        Scheme::ServicePrincipal => ("convert it back to what it stored", "convert it to federation"),
    };
    Step {
        sign: "~".to_owned(),
        title: title.to_owned(),
        precondition: format!("its scheme is {}", to.other()),
        call: format!(
            "PUT _apis/serviceendpoint/endpoints/{}?operation=ConvertAuthenticationScheme",
            candidate.target.connection
        ),
        read_back: match to {
            Scheme::WorkloadIdentityFederation => {
                "scheme, issuer and subject; a federated credential has both".to_owned()
            }
            Scheme::ServicePrincipal => "scheme".to_owned(),
        },
        inverse: Some(inverse.to_owned()),
        who: CONNECTION_ADMINISTRATOR.to_owned(),
        action: Action::Convert { to },
    }
}

pub(in crate::change) fn prove() -> Step {
    Step {
        sign: "?".to_owned(),
        title: "prove that it signs in: TestConnection; if it does not, put it back".to_owned(),
        precondition: "none".to_owned(),
        call: "POST _apis/serviceendpoint/endpointproxy (TestConnection)".to_owned(),
        read_back: "Azure DevOps has exchanged an id token and asked Azure Resource Manager".to_owned(),
        inverse: Some("nothing was changed".to_owned()),
        who: "who may query the connection".to_owned(),
        action: Action::Prove,
    }
}

/// Until when a plan may be applied: a day, and not longer than its first way back is open.
#[must_use]
pub fn valid_until(now: Moment, items: &[Item]) -> Moment {
    let day = now.after(Duration::hours(super::plan::VALID_HOURS));
    let is_back = |item: &&Item| {
        item.steps.iter().any(|step| step.action == Action::Convert { to: Scheme::ServicePrincipal })
    };
    items.iter().filter(is_back).filter_map(|item| item.facts.revert_until).fold(day, Moment::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        ORGANIZATION, TENANT, connection, identity, now, organization, secret, store_secret,
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

    #[test]
    fn the_way_back_needs_time_and_a_secret() {
        let candidate = planted(|_, _| {}).unwrap();
        let ground = ground();
        let mut back = facts(1);
        back.scheme = Some("WorkloadIdentityFederation".to_owned());
        assert!(revert(&ground, &candidate, back.clone(), &[]).is_err());
        back.revert_until = Some(now().after(Duration::days(3)));
        assert!(
            revert(&ground, &candidate, back.clone(), &[]).unwrap_err().reason.contains("no valid secret")
        );
        back.identity.last_secret_ends = secret(-1).ends;
        assert!(revert(&ground, &candidate, back.clone(), &[]).is_err());
        back.identity.last_secret_ends = secret(1).ends;
        assert_eq!(signs(&revert(&ground, &candidate, back, &[]).unwrap()), "~?");
    }
}
