//! Reading arguments, and what is shown of those that are wrong: for this program and the operators'.

use std::ffi::OsString;

use clap::Parser;
use wif_core::foreign_text::{lines, one_line};

/// Arguments that are wrong, or that ask for help: the text to print, and where.
#[derive(Debug)]
pub struct Unparsed {
    /// What to tell the user: harmless, whatever the arguments hold.
    pub text: String,
    /// Whether it is an error, for standard error.
    pub is_error: bool,
    /// 0 for help, else 2.
    pub exit: u8,
}

/// The longest argument that an error shows, in characters.
const MAX_ARGUMENT: usize = 200;

/// Reads the arguments, the program's name first.
///
/// # Errors
///
/// They are wrong, or ask for help.
pub fn parse<A: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<A, Unparsed> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    A::try_parse_from(&arguments).map_err(|error| {
        // The text quotes arguments, and is of several lines: what is quoted must be harmless before.
        let harmless = arguments.iter().map(|text| one_line(&text.to_string_lossy(), MAX_ARGUMENT));
        let error = A::try_parse_from(harmless).err().unwrap_or(error);
        Unparsed {
            text: lines(&error.render().to_string()),
            is_error: error.use_stderr(),
            exit: error.exit_code().try_into().unwrap_or(2),
        }
    })
}
