//! What the commands that change connections are given.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use wif_core::failure::Failure;

use crate::{
    change::plan::{Item, ManagedBy, Skipped},
    cli::{
        files::argument,
        help,
        options::{Cloud, NowArgument, moment},
    },
    moment::Moment,
    nearest::nearest,
};

/// Where to ask.
#[derive(Clone, Debug, Args)]
pub struct AskArguments {
    /// The organization: its name, or its URL; else `WIF_ORGANIZATION`, else this job's
    #[arg(long, visible_alias = "org", alias = "organisation", value_name = "NAME|URL")]
    pub organization: Option<String>,
    /// The sign-in session to take tokens from, when the job signed in to several connections
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// The moment to judge by [default: the clock]
    #[arg(long, value_name = "RFC3339", value_parser = moment)]
    pub now: Option<Moment>,
}

/// What to plan.
#[derive(Clone, Debug, Args)]
pub struct PlanArguments {
    /// Where to ask. The options after it are under the same heading.
    #[command(flatten, next_help_heading = "Where to ask")]
    pub ask: AskArguments,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Only connections of this project (repeatable)
    #[arg(long = "project", value_name = "NAME", help_heading = "Which connections")]
    pub projects: Vec<String>,
    /// This connection: its name or id (repeatable)
    #[arg(long = "connection", value_name = "NAME|ID", help_heading = "Which connections")]
    pub connections: Vec<String>,
    /// Connections whose names match, with * and ? (repeatable)
    #[arg(long = "name", value_name = "GLOB", help_heading = "Which connections")]
    pub names: Vec<String>,
    /// Every connection that can be changed
    #[arg(long, help_heading = "Which connections")]
    pub all_eligible: bool,
    /// The connections that findings of this audit are about
    #[arg(long, value_name = "AUDIT.json", help_heading = "Which connections")]
    pub from: Option<PathBuf>,
    /// Only findings of this rule, with --from (repeatable)
    #[arg(long = "rule", value_name = "WIF6101", requires = "from", help_heading = "Which connections")]
    pub rules: Vec<String>,
    /// Those that a journal tells of, each as it is left out if it is gone.
    #[arg(skip)]
    pub of_journal: Vec<Skipped>,
    /// How the plan is kept and shown.
    #[command(flatten, next_help_heading = "The plan")]
    pub shown: ShownArguments,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
}

/// How a plan is kept and shown.
#[derive(Clone, Debug, Args)]
pub struct ShownArguments {
    /// Keep the plan in a file, for wif apply
    #[arg(long, value_name = "PLAN", value_parser = plan_file)]
    pub output: Option<PathBuf>,
    /// How the plan is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: PlanFormat,
    /// Whether code manages the connections
    #[arg(long, value_name = "TOOL")]
    pub managed_by: Option<ManagedByArgument>,
}

/// How a plan or journal is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Text,
    /// For a change ticket
    Markdown,
    /// wif.plan/1
    Json,
}

/// What may manage connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ManagedByArgument {
    /// Terraform
    Terraform,
    /// Bicep
    Bicep,
    /// No code
    None,
}

/// A command whose one subcommand makes a plan.
#[derive(Clone, Debug, Subcommand)]
pub enum PlanCommand {
    /// Read, and print what would be changed; nothing is changed
    #[command(after_help = help::PLAN)]
    Plan(Box<PlanArguments>),
}

/// What to plan of issuers.
#[derive(Clone, Debug, Args)]
pub struct IssuerArguments {
    /// What moves a connection: auto saves it, else converts it to the scheme that it has, else leaves it to a person
    #[arg(long, value_name = "TRIGGER", default_value = "auto")]
    pub trigger: TriggerArgument,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArguments,
}

/// What moves a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TriggerArgument {
    /// The next two, one after the other, and else a person
    Auto,
    /// To save it
    Save,
    /// To convert it to the scheme that it has
    Operation,
    /// A person presses Update in the portal
    Person,
}

/// The command about issuers.
#[derive(Clone, Debug, Subcommand)]
pub enum IssuerCommand {
    /// Read, and print what would be changed; nothing is changed
    #[command(after_help = help::ISSUER_PLAN)]
    Plan(Box<IssuerArguments>),
}

/// What to apply.
#[derive(Clone, Debug, Args)]
pub struct ApplyArguments {
    /// The plan, a file of --output
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Go on where an earlier apply has ended
    #[arg(long)]
    pub resume: bool,
    /// How many connections are changed at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Refuse a plan that changes more connections
    #[arg(long, value_name = "N")]
    pub max_changes: Option<usize>,
    /// How long to try a proof
    #[arg(long, value_name = "5m", default_value = "5m", value_parser = short_duration)]
    pub prove_within: Duration,
    /// Where to ask.
    #[command(flatten, next_help_heading = "Where to ask")]
    pub ask: AskArguments,
}

/// What to take back.
#[derive(Clone, Debug, Args)]
pub struct RollbackArguments {
    /// The journal of wif apply
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArguments,
}

/// What to do with a journal.
#[derive(Clone, Debug, Subcommand)]
pub enum JournalCommand {
    /// Tell what was done, when, and how it was found out
    #[command(after_help = help::JOURNAL)]
    Show {
        /// The journal of wif apply
        #[arg(value_name = "JOURNAL")]
        journal: PathBuf,
        /// How it is shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: PlanFormat,
        /// The moment.
        #[command(flatten)]
        now: NowArgument,
    },
}

/// What to hand off.
#[derive(Clone, Debug, Args)]
pub struct HandOffArguments {
    /// The plan, a file of --output
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Who is to do it
    #[arg(long, value_name = "SIDE")]
    pub to: SideArgument,
    /// As what it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: HandOffFormat,
    /// The moment.
    #[command(flatten)]
    pub now: NowArgument,
}

/// How a hand-off is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HandOffFormat {
    /// For a shell, or a file of Terraform
    Text,
    /// For a change ticket
    Markdown,
}

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SideArgument {
    /// Who may change applications
    Entra,
    /// Who may change managed identities
    Azure,
    /// Who may change connections
    Devops,
    /// Who keeps the code
    Terraform,
}

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    /// A stored secret or certificate becomes federation.
    Convert,
    /// And back.
    Revert,
}

impl PlanArguments {
    /// Whether a project is one of those that the caller names, or the caller names none.
    pub(in crate::cli) fn has_project(&self, name: &str) -> bool {
        self.projects.is_empty() || self.projects.iter().any(|one| one.eq_ignore_ascii_case(name))
    }

    /// That each project that the caller names is one of these items'.
    ///
    /// # Errors
    ///
    /// One is not, with the nearest.
    pub(in crate::cli) fn are_projects_of(&self, items: &[Item]) -> Result<(), Failure> {
        let shared = items.iter().filter_map(|item| item.asked.as_ref()).flat_map(|asked| &asked.projects);
        let projects = items.iter().map(|item| &item.project).chain(shared);
        let names: Vec<_> = projects.map(|project| project.name.as_str()).collect();
        for name in &self.projects {
            if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                continue;
            }
            let near = nearest(name, names.iter().copied());
            let hint = match near.as_slice() {
                [] => "name a project as wif journal show does".to_owned(),
                near => format!("did you mean {}?", near.join(", ")),
            };
            return Err(argument(format!("--project '{name}' is not in the journal"), &hint));
        }
        Ok(())
    }
}

impl ShownArguments {
    /// Whether code manages the connections, as far as the caller says.
    pub(in crate::cli) fn managed_by(&self) -> ManagedBy {
        match self.managed_by {
            Some(ManagedByArgument::Terraform) => ManagedBy::Terraform,
            Some(ManagedByArgument::Bicep) => ManagedBy::Bicep,
            Some(ManagedByArgument::None) => ManagedBy::None,
            None => ManagedBy::Unknown,
        }
    }
}

fn plan_file(text: &str) -> Result<PathBuf, String> {
    if text == "-" {
        return Err(
            "accepted is a file, which wif apply reads; --format json goes to standard output".to_owned()
        );
    }
    Ok(text.into())
}

fn short_duration(text: &str) -> Result<Duration, String> {
    let read = || {
        let unit = text.chars().last()?;
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        Some(Duration::from_secs(count.min(100_000) * seconds))
    };
    read().ok_or_else(|| "accepted is a number with s, m or h: 5m".to_owned())
}
