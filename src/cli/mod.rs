//! The command line: its doc comments are the help text.

mod arguments;
mod ask;
mod credential;
mod doctor;
mod exec;
mod explain;
mod help;
mod kubeconfig;
mod no_session;
mod operator;
mod screen;
mod terminal;
mod trust;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use wif_core::azure::hosts::AllowedHost;

use crate::doctor::{Backend, TrialTool};

pub use arguments::{Unparsed, parse};
pub use ask::ask;
pub use credential::{CredentialArguments, Streams, credential};
pub use doctor::{diagnose_exec, doctor};
pub use exec::{
    AwsTrustArguments, ExecArguments, GoogleTrustArguments, SourceArguments, TrustArguments,
    VaultTrustArguments,
};
pub use explain::explain;
pub use kubeconfig::{KubeconfigArguments, kubeconfig};
pub use operator::operator;
pub use screen::{Screen, unwritable};
pub use terminal::Terminal;
pub use trust::trust;

/// The version, the commit, and the platform that it is built for: of both programs.
pub const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("WIF_COMMIT"), ", ", env!("WIF_TARGET"), ")");

/// Secret-free sign-in to Azure from Azure Pipelines
#[derive(Debug, Parser)]
#[command(
    name = "wif",
    version = VERSION,
    arg_required_else_help = true,
    help_template = help::PROGRAM,
    after_help = help::PROGRAM_EXAMPLES
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a stage of the pipeline task; the agent does this
    #[command(subcommand, hide = true)]
    Task(Stage),
    /// Serve the tokens of a sign-in session; the task starts this
    #[command(hide = true)]
    Broker,
    /// Print a fresh access token, or the id token
    ///
    /// For a step after the sign-in, and for a command of `wif exec`. In a job the agent is asked to mask the token in its logs.
    #[command(after_help = help::TOKEN)]
    Token {
        /// What the access token is for: arm, keyvault, storage, …, an https:// resource, a GUID or a scope
        #[arg(required_unless_present = "id_token")]
        resource: Option<String>,
        /// Print the id token instead
        #[arg(long, conflicts_with = "resource")]
        id_token: bool,
        /// The session's name, when the job signed in to several connections
        #[arg(long, value_name = "NAME")]
        session: Option<String>,
        /// Do not ask the agent to mask the token in the logs of this job
        #[arg(long)]
        no_mask: bool,
        /// Print one line of JSON: the token, what it is for, and when it ends
        #[arg(long)]
        json: bool,
        /// Print a line for curl's configuration, so that the token is in no argument
        #[arg(long, conflicts_with = "json")]
        curl: bool,
    },
    /// Check a service connection, or what this step finds of its session
    ///
    /// Reads with `AZURE_DEVOPS_EXT_PAT` (a personal access token), `WIF_DEVOPS_TOKEN`, `WIF_GRAPH_TOKEN` and `WIF_ARM_TOKEN`
    /// (access tokens for Azure DevOps, Microsoft Graph and Azure Resource Manager), else with the job's sign-in session, else
    /// as the Azure CLI is signed in, and Azure DevOps at last with `SYSTEM_ACCESSTOKEN`. In a job it checks the session's
    /// variables and the tools too, and needs no argument; the task's input `diagnose` checks more.
    #[command(after_help = help::DOCTOR)]
    Doctor(Box<DoctorArguments>),
    /// Run a command that is signed in to Azure: in any CI, a container, a script
    ///
    /// The command finds what later steps of a job find: `az`, Terraform, the Azure SDKs and `wif token` are signed in for
    /// as long as it runs, and refreshed. Signals and the exit code are the command's.
    #[command(after_help = help::EXEC)]
    Exec(Box<ExecArguments>),
    /// Print what another party has to trust
    #[command(subcommand, after_help = help::TRUST)]
    Trust(TrustCommand),
    /// Explain a code, such as WIF2013 or AADSTS700213, without a network
    ///
    /// Alone it lists what is known.
    #[command(after_help = help::EXPLAIN)]
    Explain {
        /// The code, what Azure DevOps or Azure calls the refusal, or a message that names some; -: the log on standard input
        code: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// The moment, which changes nothing here: scripts give it to all commands.
        #[arg(long, value_name = "RFC3339", value_parser = moment, hide = true)]
        now: Option<OffsetDateTime>,
    },
    /// Show who is signed in, and which tokens are there until when; never a token
    #[command(after_help = help::STATUS)]
    Status {
        /// The session's name, when the job signed in to several connections
        #[arg(long, value_name = "NAME")]
        session: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Answer a tool that asks for credentials: aws, docker, git, keyring, kubernetes
    ///
    /// The tool starts it, and finds it by what the sign-in has left: a helper of Docker, git and pip, a kubeconfig, a profile.
    #[command(after_help = help::CREDENTIAL)]
    Credential(CredentialArguments),
    /// Print a kubeconfig for an AKS cluster, whose user is this job's session
    ///
    /// Neither kubelogin nor az is needed.
    #[command(after_help = help::KUBECONFIG)]
    Kubeconfig(KubeconfigArguments),
    /// Audit its service connections
    #[command(disable_help_flag = true)]
    Audit(OperatorArguments),
    /// List its service connections
    #[command(disable_help_flag = true)]
    Inventory(OperatorArguments),
    /// Plan to convert stored secrets to federation
    #[command(disable_help_flag = true)]
    Convert(OperatorArguments),
    /// Plan to convert connections back
    #[command(disable_help_flag = true)]
    Revert(OperatorArguments),
    /// Plan to move connections to the issuer of Entra
    #[command(disable_help_flag = true)]
    Issuer(OperatorArguments),
    /// Make connections as requests ask for, and bring back what drifted
    #[command(disable_help_flag = true)]
    Connection(OperatorArguments),
    /// Plan to put connections with identities of their own beside old ones
    #[command(disable_help_flag = true)]
    Migrate(OperatorArguments),
    /// Apply a plan
    #[command(disable_help_flag = true)]
    Apply(OperatorArguments),
    /// Plan to take back what was applied
    #[command(disable_help_flag = true)]
    Rollback(OperatorArguments),
    /// Read the journal of what was applied
    #[command(disable_help_flag = true)]
    Journal(OperatorArguments),
    /// Print what another person has to do
    #[command(disable_help_flag = true)]
    HandOff(OperatorArguments),
    /// Print the schema of a file that people write
    #[command(disable_help_flag = true)]
    Schema(OperatorArguments),
}

impl Command {
    /// What the operators' program does: its name there, and the rest of the arguments.
    #[must_use]
    pub fn of_operator(&self) -> Option<(&'static str, &OperatorArguments)> {
        match self {
            Self::Audit(given) => Some(("audit", given)),
            Self::Inventory(given) => Some(("inventory", given)),
            Self::Convert(given) => Some(("convert", given)),
            Self::Revert(given) => Some(("revert", given)),
            Self::Issuer(given) => Some(("issuer", given)),
            Self::Connection(given) => Some(("connection", given)),
            Self::Migrate(given) => Some(("migrate", given)),
            Self::Apply(given) => Some(("apply", given)),
            Self::Rollback(given) => Some(("rollback", given)),
            Self::Journal(given) => Some(("journal", given)),
            Self::HandOff(given) => Some(("hand-off", given)),
            Self::Schema(given) => Some(("schema", given)),
            _ => None,
        }
    }
}

/// What is handed over to the operators' program as it is.
#[derive(Clone, Debug, clap::Args)]
pub struct OperatorArguments {
    /// What wif-operator takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub arguments: Vec<OsString>,
}

/// Which party has to trust the id tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TrustCommand {
    /// Print the federated credential that the application or managed identity needs: for az, Bicep and Terraform
    ///
    /// Asks the source for an id token, and exchanges nothing. In a job of Azure Pipelines, whose log hides issuer and subject,
    /// they are shown in parts, and the commands are in the run's summary; --output writes them to a file instead.
    #[command(after_help = help::TRUST_ENTRA)]
    Entra(Box<TrustArguments>),
    /// Print the identity provider and the trust policy that a role of AWS needs: for today's issuer and the one of 2027-07-01
    #[command(after_help = help::TRUST_AWS)]
    Aws(Box<AwsTrustArguments>),
    /// Print the workload identity provider that Google Cloud needs: for today's issuer and the one of 2027-07-01
    #[command(after_help = help::TRUST_GOOGLE)]
    Google(Box<GoogleTrustArguments>),
    /// Print the auth method and the role that Vault or `OpenBao` needs: for today's issuer and the one of 2027-07-01
    #[command(after_help = help::TRUST_VAULT)]
    Vault(Box<VaultTrustArguments>),
}

/// What `wif doctor` is asked for.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArguments {
    /// The organization: its name, or its URL; in a job, this job's
    #[arg(long, visible_alias = "org", alias = "organisation", value_name = "NAME|URL")]
    pub organization: Option<String>,
    /// The project: its name or id; in a job, this job's
    #[arg(short, long, value_name = "NAME|ID")]
    pub project: Option<String>,
    /// The service connection: its name or id; in a job, none is checked without it
    #[arg(short, long, value_name = "NAME|ID")]
    pub connection: Option<String>,
    /// Further hosts that tokens may be sent to, each with or without a port: Azure Stack, a server of one's own
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',', value_parser = allowed_host)]
    pub allowed_authorities: Vec<AllowedHost>,
    /// Start tools as this step would, and ask each for a token: az, terraform, sdk (azure-identity of python3 or node);
    /// alone: all that are installed
    #[arg(long = "try", value_name = "TOOL,…", value_delimiter = ',', num_args = 0..=1, value_parser = trial_tool)]
    pub(crate) tools: Option<Vec<TrialTool>>,
    /// The blob container that terraform is to open, for --try
    #[arg(long, value_name = "ACCOUNT/CONTAINER", value_parser = backend, requires = "tools")]
    pub(crate) backend: Option<Backend>,
    /// The session that tokens come from, and that the tools of --try use, when the job signed in to several connections
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// The moment to judge by [default: the clock]
    #[arg(long, value_name = "RFC3339", value_parser = moment)]
    pub now: Option<OffsetDateTime>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// A source of id tokens instead of a connection.
    #[command(flatten)]
    pub source: SourceArguments,
}

fn moment(text: &str) -> Result<OffsetDateTime, &'static str> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_error| "accepted is a moment as 2026-11-26T12:00:00Z is")
}

fn trial_tool(text: &str) -> Result<TrialTool, String> {
    TrialTool::parse(text).ok_or_else(|| "accepted are az, terraform and sdk".to_owned())
}

fn backend(text: &str) -> Result<Backend, String> {
    Backend::parse(text).ok_or_else(|| {
        "accepted is the name of a storage account, a slash, and that of a blob container".to_owned()
    })
}

fn allowed_host(text: &str) -> Result<AllowedHost, String> {
    AllowedHost::parse(text).ok_or_else(|| "accepted is a host, with or without a port".to_owned())
}

/// A stage of the task.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Stage {
    /// Sign in, and leave to later steps what they need
    Run,
    /// Remove what the sign-in left
    Post,
}
