//! The steps that end an old connection, in the order that Azure DevOps accepts: it deletes no connection as long as a federated
//! credential trusts it. Pure: they follow from what was read.

use uuid::Uuid;

use crate::{
    change::{
        candidate::Candidate,
        plan::{Credential, Facts, Step},
        vend::{
            asked::{Asked, Change, CopiedRole},
            making::{ADMINISTRATOR, AZURE, ENTRA, ROLES, step},
        },
    },
    moment::Moment,
};

/// What was read of an old connection that is to end.
pub struct Ending<'a> {
    /// Where it is.
    pub candidate: &'a Candidate,
    /// What was read of it and of its identity.
    pub facts: &'a Facts,
    /// The issuers and subjects that its id tokens can have.
    pub pairs: &'a [(String, String)],
    /// The roles of its identity.
    pub roles: &'a [CopiedRole],
    /// Other connections that its identity serves, or may serve, in words.
    pub others: &'a [String],
    /// The new connection.
    pub successor: Uuid,
    /// Since when nothing may have run on the old connection.
    pub since: Moment,
}

impl Ending<'_> {
    fn is_own(&self, one: &Credential) -> bool {
        self.pairs.iter().any(|(issuer, subject)| one.issuer == *issuer && one.subject == *subject)
    }

    /// Why its identity stays: what else it serves. None: it goes.
    fn stays(&self) -> Option<String> {
        if !self.others.is_empty() {
            return Some(format!("it serves {}, too", self.others.join(", ")));
        }
        let identity = &self.facts.identity;
        if identity.resource.is_some() {
            return Some("it is a managed identity, which machines and clusters may use, too".to_owned());
        }
        let others = identity.credentials.iter().filter(|one| !self.is_own(one)).map(|one| one.name.as_str());
        let others: Vec<_> = others.collect();
        if !others.is_empty() || identity.other_credentials > 0 {
            let names = if others.is_empty() { "flexible ones".to_owned() } else { others.join(", ") };
            return Some(format!("it has federated credentials of others ({names})"));
        }
        identity.application_object.is_none().then(|| "its application was not read".to_owned())
    }
}

/// The steps.
#[must_use]
pub fn steps(asked: &Asked, ending: &Ending<'_>) -> Vec<Step> {
    let is_managed = ending.facts.identity.resource.is_some();
    let look = step(
        "?",
        format!(
            "look once more: the new connection is there, and no pipeline has run on the old one since {}",
            ending.since
        ),
        Change::StillUnused { successor: ending.successor, since: ending.since },
        ("GET _apis/serviceendpoint/…/executionhistory", "who may read the connections"),
    );
    let mut steps = vec![look];
    for one in ending.facts.identity.credentials.iter().filter(|one| ending.is_own(one)) {
        let Credential { name, issuer, subject, audience } = one.clone();
        let title = format!("remove the federated credential {name}");
        let change = Change::EndTrust { name, issuer, subject, audience };
        let who = if is_managed { AZURE } else { ENTRA };
        let mut step = step("-", title, change, ("DELETE federatedIdentityCredentials", who));
        "no pipeline uses the old connection any more".clone_into(&mut step.precondition);
        "it is gone where it is read".clone_into(&mut step.read_back);
        steps.push(step);
    }
    let names: Vec<_> = asked.projects.iter().map(|one| one.name.as_str()).collect();
    let title = format!("delete the connection in {}", names.join(", "));
    let call = ("DELETE _apis/serviceendpoint/endpoints?projectIds=…", ADMINISTRATOR);
    let mut end = step("-", title, Change::EndConnection, call);
    "its federated credentials are gone".clone_into(&mut end.precondition);
    "it is gone in each project".clone_into(&mut end.read_back);
    steps.push(end);
    if let Some(why) = ending.stays() {
        let title = format!(
            "the identity of the old connection keeps its roles and stays, since {why}: end it by hand when nothing uses it"
        );
        steps.push(step("!", title, Change::Report, ("none", "who answers for the identity")));
        return steps;
    }
    for ended in ending.roles {
        let title = format!("remove the role {} at {}", ended.role, ended.scope);
        let change = Change::EndRole { ended: ended.clone() };
        let mut step = step("-", title, change, ("DELETE roleAssignments", ROLES));
        "the connection is gone".clone_into(&mut step.precondition);
        "it is gone where it is read".clone_into(&mut step.read_back);
        steps.push(step);
    }
    if let Some(object) = ending.facts.identity.application_object {
        let name = ending.facts.identity.name.as_deref().unwrap_or("(without a name)");
        let title = format!("delete the application {name}: it stays in the bin for 30 days");
        let change = Change::EndApplication { object };
        let mut step = step("-", title, change, ("DELETE applications", ENTRA));
        "the connection and the roles are gone".clone_into(&mut step.precondition);
        "it is in the bin, from where it can be restored".clone_into(&mut step.read_back);
        steps.push(step);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::{observe::Target, plan::IdentityFacts, project::PlannedProject},
        request::{Request, RequestedIdentity},
    };

    fn asked() -> Asked {
        let identity = RequestedIdentity::Existing { client: Uuid::nil() };
        let request =
            Request::unwritten("the end of sc".to_owned(), "sc", vec!["Shop".to_owned()], identity, "/s");
        Asked {
            request,
            key: "k".to_owned(),
            is_there: true,
            is_own: false,
            tenant: Uuid::nil(),
            scope_name: String::new(),
            projects: Vec::new(),
            region: None,
            beside: None,
        }
    }

    fn signs(others: &[String], change: impl FnOnce(&mut IdentityFacts)) -> String {
        let own = Credential {
            name: "own".to_owned(),
            issuer: "i".to_owned(),
            subject: "s".to_owned(),
            audience: "a".to_owned(),
        };
        let mut facts = Facts::default();
        facts.identity.credentials = vec![own];
        facts.identity.application_object = Some(Uuid::from_u128(1));
        change(&mut facts.identity);
        let project = PlannedProject { id: Uuid::nil(), name: "Shop".to_owned() };
        let target =
            Target { connection: Uuid::nil(), project: project.id, client: Uuid::nil(), resource: None };
        let candidate = Candidate { name: "sc".to_owned(), project, target };
        let role = CopiedRole {
            role: "Reader".to_owned(),
            assignment: "/a".to_owned(),
            definition: "/d".to_owned(),
            scope: "/s".to_owned(),
            condition: None,
            condition_version: None,
            description: None,
            delegated: None,
        };
        let ending = Ending {
            candidate: &candidate,
            facts: &facts,
            pairs: &[("i".to_owned(), "s".to_owned())],
            roles: &[role],
            others,
            successor: Uuid::nil(),
            since: Moment::parse("2026-11-26T12:00:00Z").unwrap(),
        };
        let asked = asked();
        steps(&asked, &ending).iter().map(|step| step.sign.as_str()).collect()
    }

    #[test]
    fn an_identity_that_serves_others_keeps_its_roles() {
        assert_eq!(signs(&[], |_| {}), "?----");
        assert_eq!(signs(&[], |of| of.credentials.clear()), "?---");
        assert_eq!(signs(&["sc-other".to_owned()], |_| {}), "?--!");
        assert_eq!(signs(&[], |of| of.resource = Some("/x".to_owned())), "?--!");
        assert_eq!(signs(&[], |of| of.other_credentials = 1), "?--!");
        assert_eq!(signs(&[], |of| of.application_object = None), "?--!");
        let other = |of: &mut IdentityFacts| {
            let other = Credential { subject: "t".to_owned(), ..of.credentials[0].clone() };
            of.credentials.push(other);
        };
        assert_eq!(signs(&[], other), "?--!");
    }
}
