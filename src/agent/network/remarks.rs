//! What is wrong with the settings, or worth telling.

use std::io;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The proxy's address cannot be used. It may hold a password, so it is not quoted.
    #[error(
        "the proxy in {variable} is not an http or https URL, as in http://user:password@host:port; in user and password, write @ as %40, / as %2F, # as %23, ? as %3F and % as %25"
    )]
    Proxy {
        /// Where it comes from.
        variable: &'static str,
    },
    /// A file holds no certificates that can be read.
    #[error("the file that {variable} names ({path}) holds no usable certificate in PEM")]
    NoCertificate {
        /// Where its path comes from.
        variable: &'static str,
        /// Its path, made harmless.
        path: String,
    },
    /// A file holds no PEM certificate with its key.
    #[error("the file that {variable} names is not a {what} in PEM")]
    Pem {
        /// Where its path comes from.
        variable: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// A file cannot be read.
    #[error("the file that {variable} names cannot be read")]
    Unreadable {
        /// Where its path comes from.
        variable: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl NetworkError {
    /// The variable that the setting comes from.
    #[must_use]
    pub const fn variable(&self) -> &'static str {
        match self {
            Self::Proxy { variable }
            | Self::NoCertificate { variable, .. }
            | Self::Pem { variable, .. }
            | Self::Unreadable { variable, .. } => variable,
        }
    }
}

/// What to tell the user about settings that were taken, or passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// What the user can mend, or must know.
    pub warnings: Vec<String>,
    /// What is of interest when something else fails.
    pub notes: Vec<String>,
}

/// The longest path or entry that a warning shows, in characters.
pub(super) const MAX_SHOWN: usize = 200;
