//! Whether the services are reached, and what time they have.

use std::time::Duration;

use reqwest::Method;
use url::Url;
use wif_azure::identity::AzureIdentity;
use wif_core::{failure::Failure, human_time::format_skew};
use wif_io::{endpoint::Endpoint, http::Request};

use super::{
    diagnosis::{Diagnosis, Network, Reached, Service},
    report::{Report, Topic},
};
use crate::{
    agent::{addresses::Addresses, connection::Connection},
    sign_in::{MAX_SKEW, SignInError},
};

/// How long a service may take to answer something that needs no thought.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);

impl Diagnosis<'_> {
    /// Asks Azure DevOps who is there; without a token it says that it wants one.
    pub(super) async fn reach_devops(&mut self, base: &Endpoint) {
        let request = Request::new(Method::GET, base.join(["_apis", "connectionData"]))
            .header("x-tfs-fedauthredirect", "Suppress");
        self.reach(Service::DevOps, base.host(), request).await;
    }

    /// Asks Entra for a token without saying who asks, which it refuses with a date that no cache has kept; and Azure
    /// for what it tells every caller.
    pub(super) async fn reach_azure(&mut self, connection: &Connection, addresses: &Addresses) {
        let AzureIdentity { authority, tenant, .. } = &connection.identity;
        let url: Url = authority.join([&*tenant.to_string(), "oauth2", "v2.0", "token"]);
        let request = Request::new(Method::POST, url).form(&[]);
        self.reach(Service::Entra, authority.host(), request).await;
        let mut url = addresses.resource_manager.join(["metadata", "endpoints"]);
        url.query_pairs_mut().append_pair("api-version", "2022-09-01");
        self.reach(
            Service::ResourceManager,
            addresses.resource_manager.host(),
            Request::new(Method::GET, url),
        )
        .await;
    }

    async fn reach(&mut self, service: Service, host: &str, request: Request) {
        let limit = REACH_TIMEOUT.min(self.deadline.remaining(self.http.clock()));
        self.http.forget_skew();
        let error = self.http.send(request, limit).await.err();
        let skew = self.http.skew();
        self.network.0.push(Reached { service, host: host.to_owned(), error, skew });
    }

    /// Reports what came of all asking.
    pub(super) fn report_network(&mut self) {
        let network = std::mem::take(&mut self.network);
        network.report(&mut self.report);
        self.network = network;
    }
}

impl Network {
    fn report(&self, report: &mut Report) {
        let mut facts = Vec::new();
        let mut first = None;
        for Reached { service, host, error, .. } in &self.0 {
            facts.push(match error {
                None => format!("{} answers ({host})", service.as_str()),
                Some(error) => format!("{} does not answer ({host}): {}", service.as_str(), error.kind()),
            });
            first = first.or_else(|| error.clone());
        }
        match first {
            Some(error) => report.fault(Topic::Network, error, facts),
            None => report.good(Topic::Network, facts),
        }
        self.report_clock(report);
    }

    fn report_clock(&self, report: &mut Report) {
        let known: Vec<_> = self.0.iter().filter_map(|one| Some((one.service.as_str(), one.skew?))).collect();
        let facts = known.iter().map(|(service, skew)| match skew {
            skew if skew.abs() < time::Duration::seconds(10) => format!("agrees with that of {service}"),
            skew => format!(
                "{} {} that of {service}",
                format_skew(*skew),
                if skew.is_negative() { "ahead of" } else { "behind" }
            ),
        });
        let facts: Vec<_> = facts.collect();
        match known.iter().map(|(_, skew)| *skew).max_by_key(|skew| skew.abs()) {
            None => report.skipped(Topic::Clock, "no service that answered sent the time"),
            Some(skew) if skew.abs() >= MAX_SKEW => {
                report.fault(Topic::Clock, Failure::from(SignInError::Clock { skew }), facts);
            }
            Some(_) => report.good(Topic::Clock, facts),
        }
    }
}
