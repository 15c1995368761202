//! The other clouds and the registries that a step asks for: each is tried once, and nothing of them is kept.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;
use wif_broker::cache::CachedToken;
use wif_core::{
    azure::resource::{Audiences, Resource},
    exports::Family,
    failure::Failure,
    human_time::format_moment,
    secret::Secret,
};
use wif_io::clock::Deadline;

use super::{
    diagnosis::{Diagnosis, Evidence},
    report::{NO_FACTS, Topic},
};
use crate::{
    agent::commands::OutputError,
    sign_in::OnIdToken,
    targets::{
        self, Target, TargetSet,
        registries::{RegistryTarget, RegistryWay},
        registry,
    },
};

/// How long the end of a credential is waited for.
const REVOCATION_TIMEOUT: Duration = Duration::from_millis(1500);

/// What these targets take in place of, or beside, the id token: access tokens for these resources.
pub(super) fn resources(set: &TargetSet, audiences: &Audiences) -> Vec<Resource> {
    let mut all: Vec<_> = set.assertion.iter().cloned().collect();
    if set.registries.iter().any(|registry| matches!(registry.way, RegistryWay::Azure)) {
        all.extend(Resource::parse("acr", audiences).ok());
    }
    all
}

impl Diagnosis<'_> {
    /// Signs in to each. `on_secret` gets every credential before it is used.
    pub(super) async fn targets(
        &mut self,
        set: &TargetSet,
        (tenant, audiences): (Uuid, &Audiences),
        known: &Evidence,
        on_secret: &mut OnIdToken<'_>,
    ) {
        let presented = match &set.assertion {
            Some(application) => known.access_token(application),
            None => known.id_token.as_ref(),
        };
        let mut granted = Vec::new();
        for target in &set.clouds {
            match presented {
                Some(presented) => {
                    let credential = self.target(target, presented, on_secret).await;
                    granted.extend(credential.map(|credential| (target.family(), credential)));
                }
                None if set.assertion.is_some() => {
                    let reason = format!("{}: there is no access token to present", target.service());
                    self.report.skipped(Topic::Targets, reason);
                }
                None => {
                    self.report.skipped(Topic::Targets, format!("{}: there is no id token", target.service()))
                }
            }
        }
        let acr = Resource::parse("acr", audiences).ok();
        let acr = acr.and_then(|resource| known.access_token(&resource));
        for registry in &set.registries {
            self.registry(registry, (tenant, acr), &granted, on_secret).await;
        }
    }

    async fn target(
        &mut self,
        target: &Arc<dyn Target>,
        presented: &Secret,
        on_secret: &mut OnIdToken<'_>,
    ) -> Option<CachedToken> {
        let exchanged = targets::exchange(&**target, &self.http, self.deadline, presented).await;
        let masked = exchanged.and_then(|credential| {
            let mut secrets = target.secrets(&credential.token).into_iter();
            secrets.try_for_each(|secret| on_secret(&secret)).map_err(OutputError)?;
            Ok(credential)
        });
        match masked {
            Ok(credential) => {
                let mut facts = vec![self.until(target.service(), &credential)];
                let deadline = Deadline::after(self.http.clock(), REVOCATION_TIMEOUT);
                if let Some(revocation) = target.revoke(&self.http, deadline, &credential.token) {
                    facts.push(match revocation.await {
                        Ok(()) => "its token is revoked again".to_owned(),
                        Err(error) => {
                            format!("its token could not be revoked, and lives until then: {error}")
                        }
                    });
                }
                self.report.good(Topic::Targets, facts);
                Some(credential)
            }
            Err(failure) => {
                self.report.fault(Topic::Targets, failure, NO_FACTS);
                None
            }
        }
    }

    async fn registry(
        &mut self,
        target: &RegistryTarget,
        (tenant, acr): (Uuid, Option<&Secret>),
        granted: &[(Family, CachedToken)],
        on_secret: &mut OnIdToken<'_>,
    ) {
        let of =
            |cloud| granted.iter().find(|(family, _)| *family == cloud).map(|(_, credential)| credential);
        let (http, deadline, server) = (&self.http, self.deadline, target.server.as_str());
        let asked = match (&target.way, acr, of(Family::Aws), of(Family::Google)) {
            (RegistryWay::Azure, Some(access), ..) => {
                registry::azure(http, deadline, server, &tenant.to_string(), access).await
            }
            (RegistryWay::Aws(ecr), _, Some(role), _) => ecr.login(http, deadline, role).await,
            (RegistryWay::Google, _, _, Some(access)) => Ok(registry::google(access)),
            _ => {
                let reason = format!("{server}: there is no credential to present");
                return self.report.skipped(Topic::Targets, reason);
            }
        };
        let asked = asked.map_err(Failure::from);
        let masked = asked.and_then(|login| {
            on_secret(&login.token).map(|()| login).map_err(|error| OutputError(error).into())
        });
        match masked {
            Ok(login) => self.report.good(Topic::Targets, vec![self.until(server, &login)]),
            Err(failure) => self.report.fault(Topic::Targets, failure, NO_FACTS),
        }
    }

    fn until(&self, name: &str, credential: &CachedToken) -> String {
        let until = format_moment(credential.lifetime.until, self.http.clock().now());
        format!("{name} gives a credential, until {until}")
    }
}
