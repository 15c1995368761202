//! The id token, and what Entra gives for it.

use std::sync::Arc;

use futures_util::future::join_all;
use uuid::Uuid;
use wif_azure::{
    entra::token::{AccessToken, Proof},
    identity::Credential,
};
use wif_core::{
    azure::resource::Resource,
    fact::Fact,
    failure::Failure,
    foreign_text::ForeignText,
    human_time::format_moment,
    token::claims,
    trust::{
        compare::Claims,
        presented::{Presented, identity_parts},
    },
};
use wif_io::random;

use super::{
    diagnosis::{Diagnosis, Evidence, Service},
    report::{NO_FACTS, Topic},
};
use crate::{
    agent::connection::Connection,
    sign_in::{IdToken, OnIdToken, SignIn},
    sources::azure_pipelines::AzurePipelines,
};

impl Diagnosis<'_> {
    /// Signs in step by step, and exports nothing.
    pub(super) async fn sign_in(
        &mut self,
        connection: &Connection,
        resources: &[Resource],
        known: &mut Evidence,
        on_id_token: &mut OnIdToken<'_>,
    ) {
        let allowed_hosts = self.allowed_hosts.clone();
        let (http, env, identity) = (Arc::clone(&self.http), self.env, &connection.identity);
        let source = AzurePipelines::of(connection, env, &allowed_hosts);
        let sign_in = SignIn { http, env, identity, source: &source, listing: None };
        let first = connection.identity.audiences.resource_manager();
        let others = resources.iter().filter(|resource| **resource != first).cloned();
        let asked: Vec<_> = std::iter::once(first.clone()).chain(others).collect();
        let Credential::Federated { client, .. } = connection.identity.credential else {
            self.report.skipped(
                Topic::IdToken,
                format!("a connection with the scheme {} has none", connection.scheme),
            );
            return self.exchange_without_id_token(&sign_in, &asked, known).await;
        };
        let Some(id_token) = self.id_token(&sign_in, on_id_token).await else {
            return self.report.skipped(Topic::Exchange, "there is no id token");
        };
        let claims = Claims::from(&id_token.claims);
        if let Some(registered) = connection.identity.credential.registered() {
            self.compare_registered(&claims, &registered);
        }
        if self.network.reaches(Service::Entra) {
            self.exchange(&sign_in, client, &id_token, &asked, known).await;
        } else {
            self.report.skipped(Topic::Exchange, "Entra is not reached");
        }
        known.claims = Some(claims);
        known.id_token = Some(id_token.token);
    }

    async fn id_token(&mut self, sign_in: &SignIn<'_>, on_id_token: &mut OnIdToken<'_>) -> Option<IdToken> {
        let reason = match () {
            () if self.report.is_faulty(Topic::Clock) => Some("the clock must be right first"),
            () if self.report.is_faulty(Topic::Token) => Some("Azure DevOps must take the job token first"),
            () if !self.network.reaches(Service::DevOps) => Some("Azure DevOps is not reached"),
            () => None,
        };
        if let Some(reason) = reason {
            self.report.skipped(Topic::IdToken, reason);
            return None;
        }
        match sign_in.request_id_token(self.deadline, on_id_token).await {
            Ok(id_token) => {
                let now = self.http.clock().now();
                let parts = identity_parts(&id_token.claims).into_iter();
                let mut facts: Vec<_> = parts.map(|(label, value)| Fact::new(label, value)).collect();
                facts.push(Fact::new("audience", ForeignText::join(&id_token.claims.audiences)));
                facts.push(Fact::new("lives until", format_moment(id_token.claims.expires, now)));
                self.report.good(Topic::IdToken, facts);
                Some(id_token)
            }
            Err(error) => {
                self.report.fault(Topic::IdToken, error, NO_FACTS);
                None
            }
        }
    }

    async fn exchange(
        &mut self,
        sign_in: &SignIn<'_>,
        client: Uuid,
        id_token: &IdToken,
        resources: &[Resource],
        known: &mut Evidence,
    ) {
        let identity = sign_in.entra_identity(client);
        let (http, deadline) = (&self.http, self.deadline);
        let exchanges = resources.iter().map(|resource| {
            let (identity, request_id) = (&identity, random::id());
            async move {
                let proof = Proof::IdToken(&id_token.token);
                let result = identity.access_token(http, deadline, proof, resource, request_id).await;
                result.map_err(|error| (error, resource.clone(), request_id))
            }
        });
        let results = join_all(exchanges).await;
        for (resource, result) in resources.iter().zip(results) {
            let result = result.map_err(|failed| {
                let registered = sign_in.identity.credential.registered();
                let claims = Box::new(id_token.claims.clone());
                sign_in.exchange_error(failed, Presented::IdToken { claims, registered }).into()
            });
            self.access_token(resource, result, known);
        }
    }

    /// Asks for access tokens with the credential that the connection stores, or as the identity of the machine.
    async fn exchange_without_id_token(
        &mut self,
        sign_in: &SignIn<'_>,
        resources: &[Resource],
        known: &mut Evidence,
    ) {
        if self.report.is_faulty(Topic::Clock) {
            return self.report.skipped(Topic::Exchange, "the clock must be right first");
        }
        for resource in resources {
            let result = sign_in.run(std::slice::from_ref(resource), &mut |_id_token| Ok(())).await;
            let result = result.map(|signed_in| signed_in.access_tokens.into_iter().next());
            match result {
                Ok(Some(access)) => self.access_token(resource, Ok(access), known),
                Ok(None) => {}
                Err(error) => self.access_token(resource, Err(error.into()), known),
            }
        }
    }

    fn access_token(
        &mut self,
        resource: &Resource,
        result: Result<AccessToken, Failure>,
        known: &mut Evidence,
    ) {
        let is_first = known.exchanged.is_none();
        match result {
            Ok(AccessToken { token, expires }) => {
                let now = self.http.clock().now();
                let fact = format!("{resource} until {}", format_moment(expires, now));
                self.report.good(Topic::Exchange, vec![fact]);
                known.access_tokens.push((resource.clone(), token.clone()));
                if is_first {
                    known.exchanged = Some(true);
                    known.object = claims::object_and_tenant(&token).0;
                    known.arm = Some(token);
                }
            }
            Err(mut failure) => {
                known.exchanged = known.exchanged.or(Some(false));
                // What is trusted is a check of its own here.
                failure.details.retain(|fact| fact.label != Some("trusted"));
                self.report.fault(Topic::Exchange, failure, NO_FACTS);
            }
        }
    }
}
