//! Plans and journals as files, and what is printed of them.

use std::{io::Read as _, path::Path};

use wif_core::{code::Code, failure::Failure, foreign_text};

use crate::{
    change::{
        journal::JournalError,
        plan::{Plan, PlanError},
    },
    cli::{
        files::{argument, show},
        screen::Host,
    },
    input,
};

/// The largest plan or audit, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

pub(super) fn text_of(path: &Path, hint: &str) -> Result<String, Failure> {
    let mut text = String::new();
    input::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text))
        .map_err(|error| argument(format!("{} cannot be read: {error}", path.display()), hint))?;
    Ok(text)
}

pub(super) fn plan_of(path: &Path) -> Result<Plan, Failure> {
    let hint = "name a file that --output of a plan command has written";
    let text = text_of(path, hint)?;
    let shown = path.display();
    Plan::parse(&text).map_err(|error| match error {
        PlanError::Unreadable(_) => argument(format!("{shown}: {error}"), hint),
        PlanError::Edited => Failure::new(
            Code::PlanChanged,
            format!("the plan {shown} cannot be used: {error}"),
            "make the plan again",
        ),
    })
}

pub(in crate::cli) fn unusable(path: &Path, error: JournalError) -> Failure {
    let shown = path.display();
    match error {
        JournalError::InUse(_) => {
            let hint = "wait until that process has ended, then see its journal: wif journal show";
            Failure::new(Code::PlanInUse, format!("{shown} is in use: {error}"), hint)
        }
        JournalError::Broken(_) | JournalError::NotAJournal | JournalError::TooLong => {
            let hint = "use the journal as wif apply has written it";
            Failure::new(Code::JournalUnusable, format!("{shown} cannot be used: {error}"), hint)
        }
        JournalError::Exists => {
            let hint = "go on with --resume, or make the plan again";
            argument(format!("the plan was applied before: {shown} is there"), hint)
        }
        JournalError::Io(error) => argument(
            format!("{shown} cannot be read or written: {error}"),
            "check the file, its folder and the disk",
        ),
    }
}

/// Prints text for people line by line, made harmless; data as it is.
pub(in crate::cli) fn print(host: &mut Host<'_>, text: &str, is_data: bool) -> Result<(), Failure> {
    let text = if is_data { text.to_owned() } else { host.look.plan(&foreign_text::lines(text)) };
    show(&mut *host.out, &mut |out| out.write_all(text.as_bytes()))
}
