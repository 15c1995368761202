//! The formats of a report: pure functions of it, each written straight to where it goes.

pub mod csv;
pub mod html;
pub mod inventory;
pub mod json;
pub mod markdown;
pub mod sarif;
pub mod text;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unseen;
mod wording;

use std::io::{self, Write};

use crate::{look::Look, report::Report};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Format {
    /// One screen for people
    Text,
    /// wif.audit/1
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// A row for each connection and finding
    Csv,
    /// For a run's summary, or a ticket
    Markdown,
    /// One page, which asks for nothing from elsewhere
    Html,
}

impl Format {
    /// Writes a report.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn write(self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Text => text::write(report, Look::default(), out),
            Self::Json => json::write(report, out),
            Self::Sarif => sarif::write(report, out),
            Self::Csv => csv::write(report, out),
            Self::Markdown => markdown::write(report, out),
            Self::Html => html::write(report, out),
        }
    }

    /// Writes a report to standard output, which a terminal may show.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn write_to_screen(self, report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
        if self.is_for_people() { text::write(report, look, out) } else { self.write(report, out) }
    }

    /// Whether people read it, and no program.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Text)
    }
}
