//! What comes before a sign-in: the source, the identity, and what is to be done, all of it checked.

use std::sync::Arc;

use wif_azure::{failure::managed_identity_failure, managed_identity::ManagedIdentity};
use wif_core::{azure::resource::Audiences, failure::Failure};
use wif_io::{
    clock::{Clock, Deadline},
    env::Env,
    http::Http,
};

use super::{log::Log, request::Request};
use crate::{
    agent::connection::Scheme,
    sign_in::SIGN_IN_TIMEOUT,
    sources::{
        IdTokenSource,
        azure_pipelines::AzurePipelines,
        choice::{self, RecognizedSource, SourceName},
    },
    task::plan::Plan,
};

/// Everything that a sign-in is made of.
pub(super) struct Prepared {
    /// The environment, as a step would have it.
    pub(super) env: Env,
    pub(super) plan: Plan,
    pub(super) source_name: SourceName,
    pub(super) source: Arc<dyn IdTokenSource>,
}

/// Chooses the source, and reads the options.
pub(super) async fn prepare(
    request: &Request,
    own: &Env,
    clock: &Arc<dyn Clock>,
    log: &mut Log<'_>,
) -> Result<Prepared, Failure> {
    let (source_name, others) = choose(request, own, log)?;
    let scheme = scheme(request, &source_name, own, clock).await?;
    let env = request.environment(own, &source_name, scheme)?;
    let plan = Plan::of(&env, false)?;
    let audiences = &plan.connection.identity.audiences;
    let audience = request.audience.as_deref().unwrap_or(audiences.cloud.token_exchange_audience());
    let settings = choice::Settings { env: &env, audiences, audience, identity: request.identity };
    let opened = choice::open(&source_name, &settings).and_then(|source| {
        let Some(source) = source else {
            let source = AzurePipelines::of(&plan.connection, &env, &plan.allowed_hosts);
            source.check_mapped()?;
            return Ok(Arc::new(source) as Arc<dyn IdTokenSource>);
        };
        Ok(source)
    });
    let source = opened.map_err(|failure| failure.with_details(others))?;
    let source: Arc<dyn IdTokenSource> = match &request.audience {
        Some(audience) => Arc::new(choice::ForAudience { source, audience: audience.clone() }),
        None => source,
    };
    Ok(Prepared { env, plan, source_name, source })
}

/// The source that is named, or the first that is recognized, with a line that says which and what else is there.
fn choose(request: &Request, env: &Env, log: &mut Log<'_>) -> Result<(SourceName, Option<String>), Failure> {
    if let Some(source) = &request.source {
        return Ok((source.clone(), None));
    }
    let all = choice::recognized(env);
    let Some((RecognizedSource { name, by }, others)) = all.split_first() else {
        return Err(choice::none_recognized());
    };
    let others: Vec<_> = others.iter().map(|other| format!("{} ({})", other.name, other.by)).collect();
    let also = if others.is_empty() {
        String::new()
    } else {
        format!("; also here: {}; --source chooses", others.join(", "))
    };
    let line = format!("the source is {name}, since {by}{also}");
    log.say(&line);
    Ok((name.clone(), Some(line)))
}

/// Without an application to prove itself to, the machine's identity signs in as itself; and so it does where the
/// application that is named is that very identity.
async fn scheme(
    request: &Request,
    source: &SourceName,
    env: &Env,
    clock: &Arc<dyn Clock>,
) -> Result<Scheme, Failure> {
    if *source != SourceName::ManagedIdentity {
        return Ok(Scheme::WorkloadIdentityFederation);
    }
    let Some(client) = request.client(env)? else { return Ok(Scheme::ManagedServiceIdentity) };
    if request.identity.is_some_and(|identity| identity != client) {
        return Ok(Scheme::WorkloadIdentityFederation);
    }
    let failed = |error| managed_identity_failure(error, None);
    let machine = ManagedIdentity::find(env).map_err(failed)?;
    let http = Http::plain(machine.endpoint().clone(), Arc::clone(clock))?;
    let (cloud, _) = request.authority(env)?;
    let audiences = Audiences {
        cloud,
        resource_manager: cloud.resource_manager().to_owned(),
        key_vault: None,
        graph: None,
    };
    let deadline = Deadline::after(&**clock, SIGN_IN_TIMEOUT);
    match machine.access_token(&http, deadline, request.identity, &audiences.resource_manager()).await {
        Ok((_, own)) if own.is_some_and(|own| own != client) => Ok(Scheme::WorkloadIdentityFederation),
        Ok(_) => Ok(Scheme::ManagedServiceIdentity),
        // The one that is named is one of several.
        Err(error) if error.has_several_identities() => Ok(Scheme::ManagedServiceIdentity),
        Err(error) => Err(failed(error)),
    }
}
