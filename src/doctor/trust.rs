//! Compares the identity's federated credentials with what its id tokens present.

use uuid::Uuid;
use wif_azure::{graph, management::ManagementError, resource_manager::ResourceManager};
use wif_core::{
    azure::hosts,
    code::Code,
    failure::Failure,
    refusals::{self, KnownRefusal},
    secret::Secret,
    token::claims,
    trust::compare::{self, Claims, Difference, Trusted},
};
use wif_io::endpoint::Endpoint;

use super::{
    connection::{ReadService, how_to_read},
    diagnosis::{ARM_TOKEN, Diagnosis, Evidence, GRAPH_TOKEN},
    report::{NO_FACTS, Topic, Verdict},
};
use crate::agent::{
    addresses::{self, Addresses},
    connection::{Connection, Scheme},
};

impl Diagnosis<'_> {
    /// Reads the federated credentials, by whatever token there is, and compares.
    pub(super) async fn trust(
        &mut self,
        connection: &Connection,
        addresses: &Addresses,
        known: &mut Evidence,
    ) {
        let Some(client) =
            connection.client().filter(|_| connection.scheme == Scheme::WorkloadIdentityFederation)
        else {
            return self.report.skipped(Topic::Trust, "the connection is not federated");
        };
        let found = match self.env.secret(GRAPH_TOKEN) {
            Some(token) => self.by_graph(connection, addresses, client, &token, known).await,
            None => Err(how_to_read(ReadService::Graph, connection)),
        };
        let found = match found {
            Ok(Some(found)) => Ok(found),
            // A managed identity has no application; Azure Resource Manager knows it.
            Ok(None) => self.by_resource_manager(connection, addresses, client, known).await,
            Err(reason) => Err(reason),
        };
        match (found, &known.claims) {
            (Ok(trusted), Some(claims)) => self.compare(claims, &trusted),
            (Ok(trusted), None) => {
                let reason = "there is no id token to compare with".to_owned();
                let facts = trusted.iter().map(|one| format!("read: {}", one.by));
                self.report.add(Topic::Trust, Verdict::Skipped(reason), facts);
            }
            (Err(reason), _) if known.exchanged == Some(true) => {
                let fact = "Entra has found one that matches".to_owned();
                self.report.good(Topic::Trust, vec![fact, reason]);
            }
            (Err(reason), _) => self.report.skipped(Topic::Trust, reason),
        }
    }

    /// `Ok(None)`: the identity is no application.
    async fn by_graph(
        &self,
        connection: &Connection,
        addresses: &Addresses,
        client: Uuid,
        token: &Secret,
        known: &mut Evidence,
    ) -> Result<Option<Vec<Trusted>>, String> {
        if !self.may_get_tokens(hosts::Service::Graph, &addresses.graph) {
            return Err(not_sent(&addresses.graph));
        }
        if let (_, Some(tenant)) = claims::object_and_tenant(token)
            && tenant != connection.identity.tenant
        {
            return Err(format!(
                "the token of {} is of the tenant {tenant}, the connection of {}",
                known.sources.graph.as_deref().unwrap_or(GRAPH_TOKEN),
                connection.identity.tenant
            ));
        }
        let (http, deadline, base) = (&*self.http, self.deadline, &addresses.graph);
        let principal = graph::principal(http, deadline, base, token, client)
            .await
            .map_err(|error| describe_read_error(&error))?;
        known.object = known.object.or(Some(principal.id));
        if principal.is_managed() {
            return Ok(None);
        }
        match graph::federated_credentials(http, deadline, base, token, client).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(describe_read_error(&error)),
        }
    }

    async fn by_resource_manager(
        &self,
        connection: &Connection,
        addresses: &Addresses,
        client: Uuid,
        known: &Evidence,
    ) -> Result<Vec<Trusted>, String> {
        let Some(subscription) = &connection.subscription else {
            return Err(
                "the identity is managed, and the connection names no subscription to look for it in"
                    .to_owned(),
            );
        };
        let token = self.env.secret(ARM_TOKEN).or_else(|| known.arm.clone());
        let Some(token) = token else { return Err(how_to_read(ReadService::ResourceManager, connection)) };
        let base = &addresses.resource_manager;
        if !self.may_get_tokens(hosts::Service::ResourceManager, base) {
            return Err(not_sent(base));
        }
        let arm = ResourceManager { http: &self.http, deadline: self.deadline, base, token: &token };
        match arm.federated_credentials(subscription.id, client).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err("the identity is managed, and not in the connection's subscription".to_owned()),
            Err(error) => Err(describe_read_error(&error)),
        }
    }

    fn compare(&mut self, claims: &Claims, trusted: &[Trusted]) {
        let Some((nearest, differences)) = compare::nearest(claims, trusted) else {
            if let Some(known) = refusals::of_entra(70025) {
                self.report.fault(Topic::Trust, of_known(known, known.meaning.to_owned()), NO_FACTS);
            }
            return;
        };
        let Some(first) = differences.first() else {
            return self.report.good(Topic::Trust, vec![format!("{} matches", nearest.by)]);
        };
        let error = format!("no federated credential matches; the nearest is {}", nearest.by);
        let failure = match refusals::of_entra(first.number) {
            Some(known) => of_known(known, error),
            None => Failure::new(Code::TrustNotMatched, error, "correct the federated credential"),
        };
        let details = differences
            .into_iter()
            .flat_map(|Difference { words, lines, .. }| [vec![words.into()], lines].concat());
        self.report.fault(Topic::Trust, failure.with_details(details), NO_FACTS);
    }
}

impl Diagnosis<'_> {
    pub(super) fn may_get_tokens(&self, service: hosts::Service, endpoint: &Endpoint) -> bool {
        addresses::may_get_tokens(&self.allowed_hosts, service, endpoint)
    }
}

pub(super) fn not_sent(endpoint: &Endpoint) -> String {
    format!(
        "the connection leads to {}, which is not a known host of Azure; no token is sent there unless allowedAuthorities names it",
        endpoint.host()
    )
}

fn of_known(known: &KnownRefusal, error: String) -> Failure {
    Failure::new(known.code, error, known.remedy).with_command(Some(known.command))
}

pub(super) fn describe_read_error(error: &ManagementError) -> String {
    let remedy =
        error.known().map(|known| format!("; {}: {}", known.remedy, known.command)).unwrap_or_default();
    let message = error.message().map(|message| format!("; service says: {message}")).unwrap_or_default();
    format!("not read: {error}{remedy}{message}")
}

fn is_absent(error: &ManagementError) -> bool {
    matches!(error, ManagementError::Refused { status: 404, .. })
}
