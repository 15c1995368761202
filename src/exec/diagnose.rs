//! `wif doctor --source` and `wif exec --diagnose`: what a source gives here, and whether Entra and other clouds exchange it.

use std::{io::Write, sync::Arc};

use wif_core::failure::Failure;
use wif_io::{clock::Clock, env::Env, http::Http};

use super::{
    log::Log,
    prepared::{Prepared, prepare},
    request::Request,
};
use crate::{
    agent::network,
    doctor::{Report, of_source},
    sign_in::SignIn,
};

/// Checks the source and the exchange. Nothing is exported.
///
/// # Errors
///
/// The options name no identity, or the network settings cannot be used.
pub(crate) async fn diagnose(
    env: &Env,
    clock: Arc<dyn Clock>,
    errors: &mut (dyn Write + Send),
    request: &Request,
) -> Result<Report, Failure> {
    let mut log = Log { errors, masks: None, verbose: false };
    let Prepared { env, plan, source, .. } = prepare(request, env, &clock, &mut log).await?;
    let (settings, _remarks) = network::settings(&env)?;
    let http = Arc::new(Http::new(settings, clock)?);
    let identity = &plan.connection.identity;
    let resources = plan.resources();
    let sign_in = SignIn { http, env: &env, identity, source: &*source, listing: None };
    Ok(of_source(&sign_in, &resources, &plan.targets.set).await)
}
