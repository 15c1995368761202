//! `wif doctor`: every check that needs no job, from a terminal.

use std::{
    io::{self, Write},
    sync::Arc,
};

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
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let report = doctor::from_terminal(target, env, clock).await?;
    let text = if json { format!("{:#}\n", report.json()) } else { show::text(&report) };
    let closed =
        |error: io::Error| Failure::new(Code::Bug, error, "run the command again; its output was closed");
    out.write_all(text.as_bytes()).map_err(closed)?;
    Ok(report.exit_code())
}
