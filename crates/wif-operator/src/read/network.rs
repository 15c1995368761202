//! The way out: the client that the environment's and the agent's network settings make.

use std::sync::Arc;

use wif::agent::network;
use wif_core::failure::Failure;
use wif_io::{clock::Clock, env::Env, http::Http};

/// A client, and what was passed over or is dangerous in the settings: one line each, for the user.
///
/// # Errors
///
/// A setting cannot be used, and to go on without it would be to do something else than was asked for.
pub fn client(env: &Env, clock: &Arc<dyn Clock>) -> Result<(Arc<Http>, Vec<String>), Failure> {
    let (settings, remarks) = network::settings(env)?;
    let http = Http::new(settings, Arc::clone(clock))?;
    Ok((Arc::new(http), remarks.warnings))
}
