//! `wif trust`: what another party has to trust.

use std::{io::Write, sync::Arc};

use wif_core::{code::Code, fact::LABEL_WIDTH, failure::Failure};
use wif_io::{clock::Clock, env::Env};

use super::{Screen, TrustCommand, screen::unwritable};
use crate::exec::{NeededTrust, needed_trust, write_to_new_file};

/// Prints the federated credential that the identity needs.
///
/// # Errors
///
/// The source gives no id token, or the output cannot be written.
pub async fn trust(
    command: &TrustCommand,
    env: &Env,
    clock: Arc<dyn Clock>,
    errors: &mut (dyn Write + Send),
    out: &mut Screen<'_>,
) -> Result<(), Failure> {
    let TrustCommand::Entra(arguments) = command;
    let NeededTrust { parts, commands } = needed_trust(env, clock, errors, &(&**arguments).into()).await?;
    for (label, value) in parts {
        out.text(&format!("{label:<LABEL_WIDTH$}{value}")).map_err(unwritable)?;
    }
    if let Some(path) = &arguments.output {
        return write_to_new_file(path, &commands).map_err(|error| {
            Failure::new(
                Code::OutputUnwritable,
                error,
                "name a file that is not there yet, in a folder that can be written",
            )
        });
    }
    if env.is_true("TF_BUILD") {
        let text =
            "\nThe log of this job hides issuer and subject: --output FILE writes the commands to a file";
        return out.text(text).map_err(unwritable);
    }
    out.text(&format!("\n{commands}")).map_err(unwritable)
}
