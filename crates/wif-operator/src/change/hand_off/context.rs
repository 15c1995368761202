//! What a step is about, for who has to do it by hand: real ids where they are known, and else words that say whose they are.

use uuid::Uuid;

use crate::{
    change::{
        ids::Ids,
        plan::{AUDIENCE, Credential, Item, Plan},
        vend::asked::Asked,
    },
    request::RequestedIdentity,
    subject::of_entra,
};

/// These words stand in place of ids that are known only when the step that makes their objects is done.
const CLIENT: &str = "CLIENT-ID";
const PRINCIPAL: &str = "OBJECT-ID-OF-THE-SERVICE-PRINCIPAL";
const APPLICATION: &str = "OBJECT-ID-OF-THE-APPLICATION";
const CONNECTION: &str = "CONNECTION-ID";

/// A step of a connection.
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) item: &'a Item,
    /// The number of the step, from 1.
    pub(super) number: usize,
    /// What is known of its objects, by the plan and by a journal beside it.
    pub(super) ids: Ids,
}

impl Context<'_> {
    pub(super) fn asked(&self) -> Option<&Asked> {
        self.item.asked.as_deref()
    }

    /// The path of the managed identity that is trusted, or given roles. None: it is an application.
    pub(super) fn resource(&self) -> Option<String> {
        let facts = self.item.facts.identity.resource.clone();
        let Some(asked) = self.asked() else { return facts };
        match &asked.request.identity {
            RequestedIdentity::Existing { .. } => self.ids.resource.clone().or(facts),
            _ => asked.resource(),
        }
    }

    pub(super) fn client(&self) -> String {
        let asked = self.asked().map(|asked| match &asked.request.identity {
            RequestedIdentity::Existing { client } => Some(*client),
            // What was read of the connection may be another identity, that it had before.
            _ => self.ids.client,
        });
        known(asked.unwrap_or(self.item.facts.client), CLIENT)
    }

    pub(super) fn principal(&self) -> String {
        known(self.ids.principal, PRINCIPAL)
    }

    /// The object id of the application.
    pub(super) fn application(&self) -> String {
        let facts = self.item.facts.identity.application_object.filter(|_| !self.item.is_migration());
        known(self.ids.application.or(facts), APPLICATION)
    }

    /// The connection that the steps make or change. In a migration this is the new one.
    pub(super) fn connection(&self) -> String {
        known(self.connection_id(), CONNECTION)
    }

    fn connection_id(&self) -> Option<Uuid> {
        let is_there = self.asked().is_none_or(|asked| asked.is_there);
        if is_there { Some(self.item.connection) } else { self.ids.connection }
    }

    /// A text that holds the id by which a connection goes before it is made.
    pub(super) fn with_connection(&self, text: &str) -> String {
        text.replace(&self.item.connection.to_string(), &self.connection())
    }

    /// The credential of a request's connection: its subject can be computed as soon as the connection has its id.
    pub(super) fn trust(&self, asked: &Asked) -> Credential {
        let own = self.item.connection;
        Credential {
            name: self.with_connection(&format!("wif-{own}")),
            issuer: format!("https://login.microsoftonline.com/{}/v2.0", asked.tenant),
            subject: self.with_connection(&of_entra(asked.tenant, self.plan.organization.id, own)),
            audience: AUDIENCE.to_owned(),
        }
    }
}

/// The removals of credentials of which one is in use, and it is known only later which: a person takes the other.
pub(super) fn unused(removals: impl Iterator<Item = String>) -> Vec<String> {
    let begin = "# the one of these that the connection does not use, when it is converted and proven:";
    std::iter::once(begin.to_owned()).chain(removals.map(|removal| format!("# {removal}"))).collect()
}

fn known(id: Option<Uuid>, otherwise: &str) -> String {
    id.map_or_else(|| otherwise.to_owned(), |id| id.to_string())
}
