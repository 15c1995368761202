//! The other clouds and the registries that a step asks for: each is tried once, and nothing of them is kept.

use std::sync::Arc;

use uuid::Uuid;
use wif_broker::{cache::CachedToken, target::Dialect};
use wif_core::{
    azure::resource::{Audiences, Resource},
    exports::Family,
    failure::Failure,
    human_time::format_moment,
    secret::Secret,
};
use wif_io::{clock::Deadline, http::Http};

use super::report::{NO_FACTS, Report, Topic};
use crate::{
    agent::commands::OutputError,
    sign_in::OnIdToken,
    sources::IdTokenSource,
    targets::{
        self, Target, TargetSet,
        registries::{RegistryTarget, RegistryWay},
        registry,
    },
};

/// What is there to present.
pub(super) struct Presented<'a> {
    pub(super) id_token: Option<&'a Secret>,
    /// Where an id token for the audience of each cloud comes from, if it can be chosen.
    pub(super) source: Option<&'a dyn IdTokenSource>,
    pub(super) access_tokens: &'a [(Resource, Secret)],
}

/// The checks of other clouds and of registries.
pub(super) struct TargetChecks<'a> {
    pub(super) http: &'a Arc<Http>,
    pub(super) deadline: Deadline,
    pub(super) set: &'a TargetSet,
    pub(super) tenant: Uuid,
    pub(super) audiences: &'a Audiences,
    pub(super) presented: Presented<'a>,
}

/// Resources that access tokens are asked for, with those that these targets take in place of the id token, or beside it.
pub(super) fn with_resources_of(
    set: &TargetSet,
    audiences: &Audiences,
    resources: &[Resource],
) -> Vec<Resource> {
    let has_azure = set.registries.iter().any(|registry| matches!(registry.way, RegistryWay::Azure));
    let acr = has_azure.then(|| Resource::parse("acr", audiences).ok()).flatten();
    let own = set.assertion.iter().cloned().chain(acr);
    let others = own.filter(|resource| !resources.contains(resource));
    resources.iter().cloned().chain(others).collect()
}

impl TargetChecks<'_> {
    /// Signs in to each. `on_secret` gets every credential before it is used.
    pub(super) async fn run(&self, report: &mut Report, on_secret: &mut OnIdToken<'_>) {
        let mut granted = Vec::new();
        for target in &self.set.clouds {
            match self.to_present(&**target, on_secret).await {
                Ok(Some(presented)) => {
                    let credential = self.target(target, &presented, report, on_secret).await;
                    granted.extend(credential.map(|credential| (target.family(), credential)));
                }
                Ok(None) => {
                    let missing = if self.set.assertion.is_some() { "access token" } else { "id token" };
                    let reason = format!("{}: there is no {missing} to present", target.service());
                    report.skipped(Topic::Targets, reason);
                }
                Err(failure) => report.fault(Topic::Targets, failure, NO_FACTS),
            }
        }
        for registry in &self.set.registries {
            self.registry(registry, &granted, report, on_secret).await;
        }
    }

    fn access_token(&self, resource: &Resource) -> Option<&Secret> {
        let all = self.presented.access_tokens.iter();
        all.clone().find(|(one, _)| one == resource).map(|(_, token)| token)
    }

    async fn to_present(
        &self,
        target: &dyn Target,
        on_secret: &mut OnIdToken<'_>,
    ) -> Result<Option<Secret>, Failure> {
        match (&self.set.assertion, self.presented.source) {
            (Some(application), _) => Ok(self.access_token(application).cloned()),
            (None, Some(source)) if self.presented.id_token.is_some() => {
                let fetched = source.fetch(self.http, self.deadline, target.audience()).await;
                let token = fetched.map_err(|failure| *failure)?;
                on_secret(&token).map_err(OutputError)?;
                Ok(Some(token))
            }
            (None, _) => Ok(self.presented.id_token.cloned()),
        }
    }

    async fn target(
        &self,
        target: &Arc<dyn Target>,
        presented: &Secret,
        report: &mut Report,
        on_secret: &mut OnIdToken<'_>,
    ) -> Option<CachedToken> {
        let exchanged = targets::exchange(&**target, self.http, self.deadline, presented).await;
        let masked = exchanged.and_then(|credential| {
            let mut secrets = target.secrets(&credential.token).into_iter();
            secrets.try_for_each(|secret| on_secret(&secret)).map_err(OutputError)?;
            Ok(credential)
        });
        match masked {
            Ok(credential) => {
                let mut facts = vec![self.until(target.service(), &credential)];
                if target.dialect() == Dialect::Kept {
                    let revoked = targets::revoke(&**target, self.http, &credential).await;
                    facts.push(revoked.err().unwrap_or_else(|| "its token is revoked again".to_owned()));
                }
                report.good(Topic::Targets, facts);
                Some(credential)
            }
            Err(failure) => {
                report.fault(Topic::Targets, failure, NO_FACTS);
                None
            }
        }
    }

    async fn registry(
        &self,
        target: &RegistryTarget,
        granted: &[(Family, CachedToken)],
        report: &mut Report,
        on_secret: &mut OnIdToken<'_>,
    ) {
        let of =
            |cloud| granted.iter().find(|(family, _)| *family == cloud).map(|(_, credential)| credential);
        let acr = Resource::parse("acr", self.audiences).ok();
        let acr = acr.and_then(|resource| self.access_token(&resource));
        let (deadline, server) = (self.deadline, target.server.as_str());
        let asked = match (&target.way, acr, of(Family::Aws), of(Family::Google)) {
            (RegistryWay::Azure, Some(access), ..) => {
                registry::azure(self.http, deadline, server, &self.tenant.to_string(), access).await
            }
            (RegistryWay::Aws(ecr), _, Some(role), _) => ecr.login(self.http, deadline, role).await,
            (RegistryWay::Google, _, _, Some(access)) => Ok(registry::google(access)),
            _ => {
                let reason = format!("{server}: there is no credential to present");
                return report.skipped(Topic::Targets, reason);
            }
        };
        let masked = asked.map_err(Failure::from).and_then(|login| {
            on_secret(&login.token).map_err(OutputError)?;
            Ok(login)
        });
        match masked {
            Ok(login) => report.good(Topic::Targets, vec![self.until(server, &login)]),
            Err(failure) => report.fault(Topic::Targets, failure, NO_FACTS),
        }
    }

    fn until(&self, name: &str, credential: &CachedToken) -> String {
        let until = format_moment(credential.lifetime.until, self.http.clock().now());
        format!("{name} gives a credential, until {until}")
    }
}
