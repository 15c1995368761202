//! `wif trust`: what another party has to trust.

use std::{io::Write, path::Path, sync::Arc};

use wif_core::{code::Code, fact::LABEL_WIDTH, failure::Failure, foreign_text::code_block};
use wif_io::{clock::Clock, env::Env, random};

use super::{Screen, TrustCommand, screen::unwritable};
use crate::{
    agent::commands::Commands,
    exec::{
        AwsRole, GoogleProvider, NeededTrust, Request, TrustingCloud, VaultMethod, needed_trust,
        write_to_new_file,
    },
};

/// Prints the federated credential that the identity needs, or what another cloud has to trust.
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
    let (arguments, cloud, assertion) = match command {
        TrustCommand::Entra(arguments) => (&**arguments, None, &None),
        TrustCommand::Aws(given) => {
            let role = AwsRole { arn: given.aws_role.clone() };
            (&given.usual, Some(TrustingCloud::Aws(role)), &given.shown.assertion)
        }
        TrustCommand::Google(given) => {
            let (name, service_account) =
                (given.google_provider.clone(), given.google_service_account.clone());
            let provider = GoogleProvider { name, service_account };
            (&given.usual, Some(TrustingCloud::Google(provider)), &given.shown.assertion)
        }
        TrustCommand::Vault(given) => {
            let (address, mount) = (given.vault_address.clone(), given.vault_mount.clone());
            let method = VaultMethod { address, mount, role: given.vault_role.clone() };
            (&given.usual, Some(TrustingCloud::Vault(method)), &given.shown.assertion)
        }
    };
    let request = Request { assertion: assertion.clone(), ..arguments.into() };
    let needed = needed_trust(env, clock, errors, &request, cloud.as_ref()).await?;
    let NeededTrust { parts, warnings, commands } = needed;
    for (label, value) in parts {
        out.text(&format!("{label:<LABEL_WIDTH$}{value}")).map_err(unwritable)?;
    }
    for warning in warnings {
        out.text(&format!("warning: {warning}")).map_err(unwritable)?;
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
        let Some(path) = summary(env, &commands) else {
            let text =
                "\nThe log of this job hides issuer and subject: --output FILE writes the commands to a file";
            return out.text(text).map_err(unwritable);
        };
        let text = "\nThe log of this job hides issuer and subject: the commands are in the run's summary";
        out.text(text).map_err(unwritable)?;
        return Commands::new(errors, env).upload_summary(&path).map_err(unwritable);
    }
    out.text(&format!("\n{commands}")).map_err(unwritable)
}

/// Puts the commands into a file of the job's temporary folder, from which the agent takes the run's summary. None: there is no such
/// folder, or it cannot be written.
fn summary(env: &Env, commands: &str) -> Option<String> {
    let folder = env.get("AGENT_TEMPDIRECTORY").filter(|folder| !folder.is_empty())?;
    let path = Path::new(folder).join(format!("wif-trust-{}.md", random::id()));
    let text = format!("## What has to trust this job\n\n{}\n", code_block(commands));
    write_to_new_file(&path, &text).ok()?;
    path.to_str().map(str::to_owned)
}
