//! Arguments of the reading commands.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use time::Duration;

use crate::{formats::Format, moment::Moment, severity::Severity, snapshot::Layer};

/// What to read, and from where.
#[derive(Clone, Debug, Args)]
pub struct ReadArguments {
    /// An organization: its name, or its URL; else `WIF_ORGANIZATION`, else this job's (repeatable)
    #[arg(long = "organization", visible_alias = "org", alias = "organisation", value_name = "NAME|URL")]
    pub organizations: Vec<String>,
    /// Only this project (repeatable; default: all that can be seen)
    #[arg(long = "project", value_name = "NAME")]
    pub projects: Vec<String>,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How deep to read [default: use]
    #[arg(long, value_name = "LAYER")]
    pub layer: Option<LayerArgument>,
    /// The sign-in session to take tokens from, when the job signed in to several connections
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Keep what was read in a file, for --offline
    #[arg(long, value_name = "SNAPSHOT")]
    pub save: Option<PathBuf>,
    /// Take what was read from a file of --save, without a network
    #[arg(long, value_name = "SNAPSHOT")]
    pub offline: Option<PathBuf>,
    /// Leave out the names and mail addresses of people
    #[arg(long)]
    pub redact: bool,
    /// The moment to judge by [default: the clock]
    #[arg(long, value_name = "RFC3339", value_parser = moment)]
    pub now: Option<Moment>,
    /// End with 0 although something could not be read, if there is nothing worse
    #[arg(long)]
    pub allow_gaps: bool,
}

/// What `wif audit` is asked for.
#[derive(Clone, Debug, Args)]
pub struct AuditArguments {
    /// A format; the n-th goes to the n-th --output (repeatable; default: text)
    #[arg(long = "format", value_name = "FORMAT")]
    pub formats: Vec<Format>,
    /// Where a format goes; - is standard output (repeatable)
    #[arg(long = "output", value_name = "FILE")]
    pub outputs: Vec<PathBuf>,
    /// Findings that are accepted, with a reason, an owner and an end (YAML)
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// The JSON of an earlier audit, to tell what is new
    #[arg(long, value_name = "AUDIT.json")]
    pub baseline: Option<PathBuf>,
    /// From which severity on findings count for the exit code: note, warning, fault, none; new:fault and so on: only what the
    /// baseline has not
    #[arg(long, value_name = "LEVEL", default_value = "warning", value_parser = fail_on)]
    pub fail_on: FailOn,
    /// Only this rule (repeatable)
    #[arg(long = "rule", value_name = "WIF6101")]
    pub rules: Vec<String>,
    /// Warn of secrets that end within this time
    #[arg(long, value_name = "30d", default_value = "30d", value_parser = duration)]
    pub expires_within: Duration,
    /// Warn of connections that were not used for this time
    #[arg(long, value_name = "70d", default_value = "70d", value_parser = duration)]
    pub unused_for: Duration,
    /// Compare with the request files of this folder
    #[arg(long, value_name = "DIR")]
    pub requests: Option<PathBuf>,
    /// What to read.
    #[command(flatten, next_help_heading = "What to read")]
    pub read: ReadArguments,
}

/// What `wif inventory` is asked for.
#[derive(Clone, Debug, Args)]
pub struct InventoryArguments {
    /// A format; the n-th goes to the n-th --output (repeatable; default: text)
    #[arg(long = "format", value_name = "FORMAT")]
    pub formats: Vec<InventoryFormat>,
    /// Where a format goes; - is standard output (repeatable)
    #[arg(long = "output", value_name = "FILE")]
    pub outputs: Vec<PathBuf>,
    /// Show the chain of trust of each connection: who may use it, what it signs in with, what it may do
    #[arg(long)]
    pub chain: bool,
    /// Only this connection: its name or id (repeatable)
    #[arg(long = "connection", value_name = "NAME|ID")]
    pub connections: Vec<String>,
    /// What to read.
    #[command(flatten, next_help_heading = "What to read")]
    pub read: ReadArguments,
}

/// The moment of a command whose answer does not depend on it: scripts give it to all commands.
#[derive(Clone, Copy, Debug, Args)]
pub struct NowArgument {
    /// The moment to judge by [default: the clock]
    #[arg(long, value_name = "RFC3339", value_parser = moment, hide = true)]
    pub now: Option<Moment>,
}

/// A format of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InventoryFormat {
    /// A table for people
    Text,
    /// wif.inventory/1
    Json,
    /// A row for each connection
    Csv,
}

/// A cloud of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Azure
    Public,
    /// Azure Government
    Usgovernment,
    /// Azure operated by 21Vianet
    China,
}

/// How deep to read, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayerArgument {
    /// What the lists of Azure DevOps say
    List,
    /// Identities, credentials, owners and roles too
    Identity,
    /// Last use and permissions too
    Use,
}

/// From which severity on findings count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailOn {
    /// The least severity. None: no finding counts.
    pub level: Option<Severity>,
    /// Only what the baseline has not.
    pub only_new: bool,
}

impl From<Cloud> for wif_core::azure::cloud::Cloud {
    fn from(cloud: Cloud) -> Self {
        match cloud {
            Cloud::Public => Self::Public,
            Cloud::Usgovernment => Self::UsGovernment,
            Cloud::China => Self::China,
        }
    }
}

impl ReadArguments {
    /// How deep to read: everything, if nothing else is asked for.
    #[must_use]
    pub fn depth(&self) -> Layer {
        self.layer.map_or(Layer::Use, Layer::from)
    }
}

impl From<wif_core::azure::cloud::Cloud> for Cloud {
    fn from(cloud: wif_core::azure::cloud::Cloud) -> Self {
        match cloud {
            wif_core::azure::cloud::Cloud::Public => Self::Public,
            wif_core::azure::cloud::Cloud::UsGovernment => Self::Usgovernment,
            wif_core::azure::cloud::Cloud::China => Self::China,
        }
    }
}

impl From<LayerArgument> for Layer {
    fn from(layer: LayerArgument) -> Self {
        match layer {
            LayerArgument::List => Self::List,
            LayerArgument::Identity => Self::Identity,
            LayerArgument::Use => Self::Use,
        }
    }
}

pub(super) fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).ok_or_else(|| "accepted is a moment as 2026-11-26T12:00:00Z is".to_owned())
}

pub(super) fn fail_on(text: &str) -> Result<FailOn, String> {
    let (only_new, level) = match text.strip_prefix("new:") {
        Some(level) => (true, level),
        None => (false, text),
    };
    let level = match level {
        "note" => Some(Severity::Note),
        "warning" => Some(Severity::Warning),
        "fault" => Some(Severity::Fault),
        "none" if !only_new => None,
        _ => {
            return Err(
                "accepted are note, warning, fault, none, new:note, new:warning and new:fault".to_owned()
            );
        }
    };
    Ok(FailOn { level, only_new })
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = || {
        let unit = text.chars().last()?;
        let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
        let hours = match unit {
            'h' => 1,
            'd' => 24,
            'w' => 24 * 7,
            _ => return None,
        };
        Some(Duration::hours(i64::from(count.min(100_000)) * hours))
    };
    read().ok_or_else(|| "accepted is a number with h, d or w: 30d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("30d"), Ok(Duration::days(30)));
        assert_eq!(duration("2w"), Ok(Duration::days(14)));
        for text in ["", "30", "d", "-1d", "1.5d", "30 d", "ä", "30m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_counts_is_a_level_or_what_is_new_from_a_level() {
        assert_eq!(fail_on("new:fault"), Ok(FailOn { level: Some(Severity::Fault), only_new: true }));
        assert_eq!(fail_on("none"), Ok(FailOn { level: None, only_new: false }));
        for text in ["new:none", "new:", "error", "NOTE", ""] {
            assert!(fail_on(text).is_err(), "{text}");
        }
    }
}
