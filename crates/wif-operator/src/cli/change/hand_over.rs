//! What a journal tells, and what another person has to do.

use std::io;

use wif_core::{failure::Failure, foreign_text::code_block};

use super::{
    arguments::{HandOffArguments, HandOffFormat, JournalCommand, PlanFormat, SideArgument},
    files::{plan_of, print, unusable},
};
use crate::{
    change::{
        hand_off::{self, Side},
        journal::{self, JournalError},
        show,
    },
    cli::screen::Host,
};

/// Shows a journal.
///
/// # Errors
///
/// It cannot be read, or was changed.
pub(in crate::cli) fn journal(command: &JournalCommand, host: &mut Host<'_>) -> Result<u8, Failure> {
    let JournalCommand::Show { journal: path, format, now: _ } = command;
    let read = journal::read(path).map_err(|error| unusable(path, error))?;
    match format {
        PlanFormat::Text => print(host, &show::journal(&read), false)?,
        PlanFormat::Markdown => {
            let text = code_block(&show::journal(&read));
            print(host, &text, false)?;
        }
        PlanFormat::Json => {
            let mut text = serde_json::to_string_pretty(&read.entries).unwrap_or_default();
            text.push('\n');
            print(host, &text, true)?;
        }
    }
    Ok(0)
}

/// Prints what another person has to do.
///
/// # Errors
///
/// The plan cannot be read.
pub(in crate::cli) fn hand_off(arguments: &HandOffArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let plan = plan_of(&arguments.plan)?;
    let path = journal::path_of(&arguments.plan);
    let mut done = match journal::read(&path) {
        Ok(read) => Some(read),
        Err(JournalError::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unusable(&path, error)),
    };
    if done.take_if(|read| read.plan != plan).is_some() {
        host.talk
            .say(&format!("{} is the journal of another plan: every step is shown as open", path.display()));
    }
    let side = match arguments.to {
        SideArgument::Entra => Side::Entra,
        SideArgument::Azure => Side::Azure,
        SideArgument::Devops => Side::DevOps,
        SideArgument::Terraform => Side::Terraform,
    };
    let text = match arguments.format {
        HandOffFormat::Text => hand_off::text(&plan, done.as_ref(), side),
        HandOffFormat::Markdown => hand_off::markdown(&plan, done.as_ref(), side),
    };
    print(host, &text, false)?;
    Ok(0)
}
