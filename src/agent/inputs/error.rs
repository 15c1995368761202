//! An input that cannot be used.

use std::fmt;

use wif_core::{azure::resource::ResourceError, foreign_text::one_line};

/// An input that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// No connection id.
    #[error(
        "the input azureSubscription is {}, accepted is an Azure Resource Manager service connection of this project, which the agent passes by its id",
        Quoted(value)
    )]
    Connection {
        /// What it is.
        value: String,
    },
    /// Another input.
    #[error("the input {input} is {}, accepted: {accepted}", Quoted(value))]
    Value {
        /// Its name.
        input: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        accepted: String,
    },
    /// A macro that was not replaced, since no such variable is set.
    #[error(
        "the input {input} is {}, a macro of a variable that is not set; accepted: {accepted}",
        Quoted(value)
    )]
    Macro {
        /// The input's name.
        input: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        accepted: String,
    },
    /// A name that the agent keeps, or that changes how programs start.
    #[error(
        "the input {input} has {}, which would set the variable {variable}: {reason}; accepted: {accepted}",
        Quoted(value)
    )]
    Reserved {
        /// The input's name.
        input: &'static str,
        /// What it is.
        value: String,
        /// The variable's name in an environment.
        variable: String,
        /// Why the variable may not be set.
        reason: &'static str,
        /// What it may be.
        accepted: String,
    },
    /// A resource that cannot be resolved.
    #[error("the input {input} cannot be used")]
    Resource {
        /// The input's name.
        input: &'static str,
        /// What is wrong.
        source: ResourceError,
    },
}

/// Foreign text in an error: quoted, cut, on one line.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("empty");
        }
        write!(f, "'{}'", one_line(self.0, 100))
    }
}
