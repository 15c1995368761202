//! The schemas of files that people write.

use clap::Subcommand;
use wif_core::failure::Failure;

use super::{files::show, help, options::NowArgument, screen::Host};
use crate::request;

/// Of which file.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum SchemaCommand {
    /// A request for a connection: wif.request/1
    #[command(after_help = help::SCHEMA)]
    Request(NowArgument),
}

/// Prints a schema.
///
/// # Errors
///
/// Standard output is gone.
pub fn schema(command: SchemaCommand, host: &mut Host<'_>) -> Result<u8, Failure> {
    let text = match command {
        SchemaCommand::Request(_) => request::SCHEMA,
    };
    show(&mut *host.out, &mut |out| out.write_all(text.as_bytes()))?;
    Ok(0)
}
