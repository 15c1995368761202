//! `wif doctor`: every check that needs no job, from a terminal.

use std::{io, sync::Arc};

use super::Screen;
use crate::{
    clock::Clock,
    doctor::{self, Target, show},
    env::Env,
    error::{Code, Failure},
};

/// Checks a connection and prints the report: 0, nothing; 10, warnings; 11, faults.
///
/// # Errors
///
/// There is no token to ask with, or the arguments name nothing.
pub async fn doctor(
    target: &Target,
    json: bool,
    env: &Env,
    clock: Arc<dyn Clock>,
    out: &mut Screen<'_>,
) -> Result<u8, Failure> {
    let report = doctor::from_terminal(target, env, clock).await?;
    let text = if json { format!("{:#}", report.json()) } else { show::text(&report) };
    let closed =
        |error: io::Error| Failure::new(Code::Bug, error, "run the command again; its output was closed");
    out.text(text.trim_end()).map_err(closed)?;
    Ok(report.exit_code())
}
