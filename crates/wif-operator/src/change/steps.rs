//! Steps that change connections which are there: their credentials, their scheme, the proof.

use time::Duration;
use uuid::Uuid;

use super::{
    candidate::Candidate,
    ids::Ids,
    observe::Target,
    plan::{Action, Credential, Facts, Item, Scheme, Step, VALID_HOURS},
};
use crate::moment::Moment;

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
        ids: Ids::default(),
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
        ids: Ids::default(),
        action: Action::RemoveCredential { credential },
    }
}

pub(super) fn remove_unused(credentials: Vec<Credential>) -> Step {
    Step {
        sign: "-".to_owned(),
        title: "remove the credential that was added and that the connection does not use".to_owned(),
        precondition: "the connection is proven".to_owned(),
        call: "DELETE federatedIdentityCredentials/…".to_owned(),
        read_back: "it is gone".to_owned(),
        inverse: Some("add it again".to_owned()),
        who: APPLICATION_OWNER.to_owned(),
        ids: Ids::default(),
        action: Action::RemoveUnused { credentials },
    }
}

pub(super) fn change(candidate: &Candidate, to: Scheme) -> Step {
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
        ids: Ids::default(),
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
        ids: Ids::default(),
        action: Action::Prove,
    }
}

/// Until when a plan may be applied: a day, and not longer than its first way back is open.
#[must_use]
pub fn valid_until(now: Moment, items: &[Item]) -> Moment {
    let day = now.after(Duration::hours(VALID_HOURS));
    let is_back = |item: &&Item| {
        item.steps.iter().any(|step| step.action == Action::Convert { to: Scheme::ServicePrincipal })
    };
    items.iter().filter(is_back).filter_map(|item| item.facts.revert_until).fold(day, Moment::min)
}
