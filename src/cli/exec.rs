//! The options of `wif exec`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use uuid::Uuid;
use wif_core::azure::cloud::Cloud;
use wif_io::endpoint::Endpoint;

use crate::{
    agent::{
        inputs::{self, Input},
        target_inputs,
    },
    exec::Request,
    sources::choice::SourceName,
};

/// What `wif exec` is asked for.
#[derive(Clone, Debug, Args)]
pub struct ExecArguments {
    #[command(flatten)]
    identity: IdentityArguments,
    /// The service connection's id, for azure-pipelines; else `AZURESUBSCRIPTION_SERVICE_CONNECTION_ID`
    #[arg(long, visible_alias = "azure-subscription", value_name = "ID", value_parser = id)]
    connection: Option<Uuid>,
    #[command(flatten)]
    inputs: InputOptions,
    /// Say on standard error what is done
    #[arg(long)]
    verbose: bool,
    /// The command, with its arguments
    #[arg(last = true, required_unless_present = DIAGNOSE, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Who signs in, and with which id tokens.
#[derive(Clone, Debug, Args)]
pub struct IdentityArguments {
    /// Where id tokens come from: auto, azure-pipelines, github, gitlab, buildkite, kubernetes, spiffe, google, aws, managed-identity,
    /// `file:PATH`, `env:NAME`
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = source)]
    source: Source,
    /// The tenant's id; else `AZURE_TENANT_ID`
    #[arg(long, value_name = "ID", value_parser = id)]
    tenant: Option<Uuid>,
    /// The client id of the application or managed identity that signs in; else `AZURE_CLIENT_ID`
    #[arg(long, value_name = "ID", value_parser = id)]
    client: Option<Uuid>,
    /// The subscription's id; else `AZURE_SUBSCRIPTION_ID`
    #[arg(long, value_name = "ID", value_parser = id)]
    subscription: Option<Uuid>,
    /// The cloud: public, usgovernment, china
    #[arg(long, value_name = "CLOUD", value_parser = cloud)]
    cloud: Option<Cloud>,
    /// Entra's address, where it is not the cloud's; else `AZURE_AUTHORITY_HOST`
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    authority: Option<Endpoint>,
    /// The address of Azure Resource Manager, where it is not the cloud's
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    resource_manager: Option<Endpoint>,
    /// The audience of id tokens, where it is not Entra's usual one
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The machine's identity that proves itself to the client, for managed-identity
    #[arg(long, value_name = "ID", value_parser = id)]
    identity: Option<Uuid>,
}

/// What `wif trust entra` is asked for.
#[derive(Clone, Debug, Args)]
pub struct TrustArguments {
    #[command(flatten)]
    identity: IdentityArguments,
    /// The service connection's id, for azure-pipelines; else `AZURESUBSCRIPTION_SERVICE_CONNECTION_ID`
    #[arg(long, value_name = "ID", value_parser = id)]
    connection: Option<Uuid>,
    /// Further hosts that a token may be sent to, each with or without a port
    #[arg(long, value_name = "HOST[:PORT]")]
    allowed_authorities: Vec<String>,
    /// Write the commands to this file
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What another cloud is shown, where that is not the id token.
#[derive(Clone, Debug, Args)]
pub(super) struct ShownArgument {
    /// The application whose access token is shown in place of the id token: its URI or GUID
    #[arg(long, value_name = "URI", value_parser = application)]
    pub(super) assertion: Option<String>,
}

/// What `wif trust aws` is asked for.
#[derive(Clone, Debug, Args)]
pub struct AwsTrustArguments {
    #[command(flatten)]
    pub(super) usual: TrustArguments,
    /// The role that is to trust: its ARN
    #[arg(long, value_name = "ARN", value_parser = aws_role)]
    pub(super) aws_role: Option<String>,
    #[command(flatten)]
    pub(super) shown: ShownArgument,
}

/// What `wif trust google` is asked for.
#[derive(Clone, Debug, Args)]
pub struct GoogleTrustArguments {
    #[command(flatten)]
    pub(super) usual: TrustArguments,
    /// The provider that is to trust: its full resource name, which is also the audience from a source that lets one choose
    #[arg(long, value_name = "NAME", value_parser = google_provider)]
    pub(super) google_provider: Option<String>,
    /// The service account that the identity is to become
    #[arg(long, value_name = "EMAIL", value_parser = google_service_account)]
    pub(super) google_service_account: Option<String>,
    #[command(flatten)]
    pub(super) shown: ShownArgument,
}

/// What `wif trust vault` is asked for.
#[derive(Clone, Debug, Args)]
pub struct VaultTrustArguments {
    #[command(flatten)]
    pub(super) usual: TrustArguments,
    /// The address of Vault, which is also the audience from a source that lets one choose
    #[arg(long, value_name = "URL", value_parser = vault_address)]
    pub(super) vault_address: Option<String>,
    /// The path of the auth method; else jwt
    #[arg(long, value_name = "PATH", value_parser = vault_mount)]
    pub(super) vault_mount: Option<String>,
    /// The role
    #[arg(long, value_name = "NAME", value_parser = vault_role)]
    pub(super) vault_role: Option<String>,
    #[command(flatten)]
    pub(super) shown: ShownArgument,
}

/// Which source `wif doctor` is to check.
#[derive(Clone, Debug, Args)]
pub struct SourceArguments {
    /// Check a source of id tokens instead, and the exchange of its token: what --source of `wif exec` accepts
    #[arg(long, value_name = "SOURCE", value_parser = source, conflicts_with_all = ["organization", "project"])]
    source: Option<Source>,
    /// The tenant's id, for --source; else `AZURE_TENANT_ID`
    #[arg(long, value_name = "ID", value_parser = id, requires = "source")]
    tenant: Option<Uuid>,
    /// The client id, for --source; else `AZURE_CLIENT_ID`
    #[arg(long, value_name = "ID", value_parser = id, requires = "source")]
    client: Option<Uuid>,
    /// Entra's address, for --source, where it is not that of the public cloud; else `AZURE_AUTHORITY_HOST`
    #[arg(long, value_name = "URL", value_parser = endpoint, requires = "source")]
    authority: Option<Endpoint>,
    /// The audience of id tokens, for --source, where it is not Entra's usual one
    #[arg(long, value_name = "AUDIENCE", requires = "source")]
    audience: Option<String>,
}

impl SourceArguments {
    /// The request, where a source is to be checked.
    #[must_use]
    pub fn request(&self, connection: Option<&str>, allowed_authorities: &str) -> Option<Request> {
        let Self { source, tenant, client, authority, audience } = self.clone();
        let Source(source) = source?;
        let connection = connection.and_then(|text| Uuid::try_parse(text).ok());
        let inputs = hosts(allowed_authorities);
        Some(Request {
            source,
            connection,
            tenant,
            client,
            authority,
            audience,
            inputs,
            ..Request::default()
        })
    }
}

impl From<&TrustArguments> for Request {
    fn from(arguments: &TrustArguments) -> Self {
        let TrustArguments { identity, connection, allowed_authorities, .. } = arguments.clone();
        let inputs = hosts(&allowed_authorities.join("\n"));
        Self { connection, inputs, ..Self::from(identity) }
    }
}

/// The input that lets tokens go to these hosts.
fn hosts(allowed: &str) -> Vec<(&'static Input, String)> {
    let input = inputs::all().iter().find(|input| input.name == "allowedAuthorities");
    input.filter(|_| !allowed.is_empty()).map(|input| (input, allowed.to_owned())).into_iter().collect()
}

/// A source, or the first that is recognized.
#[derive(Clone, Debug)]
struct Source(Option<SourceName>);

/// The task's inputs, each by an option of the same name.
#[derive(Clone, Debug)]
struct InputOptions(Vec<(&'static Input, String)>);

/// Groups of inputs that only a step of a job has: its connection, which other options name here, and its script.
const GROUPS_OF_STEPS: [&str; 2] = ["signIn", "script"];
/// The input with which the command is not run.
const DIAGNOSE: &str = "diagnose";

impl ExecArguments {
    /// Whether everything is to be checked, and the command is not run.
    #[must_use]
    pub fn is_diagnosis(&self) -> bool {
        self.inputs
            .0
            .iter()
            .any(|(input, value)| input.name == DIAGNOSE && value.eq_ignore_ascii_case("true"))
    }
}

fn offered() -> impl Iterator<Item = &'static Input> {
    inputs::all().iter().filter(|input| !GROUPS_OF_STEPS.contains(&input.group))
}

impl Args for InputOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        offered().fold(command, |command, input| {
            let argument =
                Arg::new(input.option).long(input.option).help(input.help).help_heading("Inputs of the task");
            let is_boolean = ["true", "false"].contains(&input.default);
            command.arg(if is_boolean {
                argument.num_args(0..=1).default_missing_value("true").value_name("true|false")
            } else {
                argument.action(ArgAction::Append).value_name("VALUE")
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for InputOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = offered().filter_map(|input| {
            let values = matches.get_many::<String>(input.option)?;
            // Every list takes line ends between its entries.
            Some((input, values.cloned().collect::<Vec<_>>().join("\n")))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl From<&ExecArguments> for Request {
    fn from(arguments: &ExecArguments) -> Self {
        let ExecArguments { identity, connection, inputs, verbose, command } = arguments.clone();
        Self { connection, inputs: inputs.0, verbose, command, ..Self::from(identity) }
    }
}

impl From<IdentityArguments> for Request {
    fn from(arguments: IdentityArguments) -> Self {
        let IdentityArguments {
            source: Source(source),
            tenant,
            client,
            subscription,
            cloud,
            authority,
            resource_manager,
            audience,
            identity,
        } = arguments;
        Self {
            source,
            tenant,
            client,
            subscription,
            cloud,
            authority,
            resource_manager,
            audience,
            identity,
            ..Self::default()
        }
    }
}

fn source(text: &str) -> Result<Source, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Source(None));
    }
    text.parse()
        .map(|source| Source(Some(source)))
        .map_err(|error: crate::sources::choice::SourceNameError| error.to_string())
}

fn id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text.trim()).map_err(|_error| "accepted is an id (GUID)".to_owned()) // the parser's text adds nothing
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| format!("accepted is an https URL: {error}"))
}

/// A text of a form, or what is accepted.
fn of_form(text: &str, is_valid: fn(&str) -> bool, accepted: &str) -> Result<String, String> {
    is_valid(text).then(|| text.to_owned()).ok_or_else(|| accepted.to_owned())
}

fn aws_role(text: &str) -> Result<String, String> {
    let accepted = "accepted is the ARN of a role: arn:aws:iam::123456789012:role/NAME";
    of_form(text, target_inputs::is_role, accepted)
}

fn application(text: &str) -> Result<String, String> {
    let is_one = |text: &str| text.contains(':') || Uuid::try_parse(text).is_ok();
    of_form(text, is_one, "accepted is the URI or GUID of an application of yours, such as api://my-aws")
}

fn google_provider(text: &str) -> Result<String, String> {
    let accepted =
        "accepted is projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER";
    target_inputs::provider(text).ok_or_else(|| accepted.to_owned())
}

fn google_service_account(text: &str) -> Result<String, String> {
    of_form(text, target_inputs::is_service_account, "accepted is the mail address of a service account")
}

fn vault_address(text: &str) -> Result<String, String> {
    let accepted = "accepted is an https URL, or an http URL of this machine";
    target_inputs::address(text).ok_or_else(|| accepted.to_owned())
}

fn vault_mount(text: &str) -> Result<String, String> {
    let path = of_form(text, target_inputs::is_path, "accepted is a path, such as jwt")?;
    Ok(path.trim_matches('/').to_owned())
}

fn vault_role(text: &str) -> Result<String, String> {
    of_form(text, target_inputs::is_vault_role, "accepted is a name of letters, digits and -_.")
}

fn cloud(text: &str) -> Result<Cloud, String> {
    let known = Cloud::ALL.into_iter().find(|cloud| cloud.terraform_environment().eq_ignore_ascii_case(text));
    let known = known.or_else(|| Cloud::from_environment(text));
    known.ok_or_else(|| "accepted: public, usgovernment, china".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_an_option_but_those_that_only_a_step_has() {
        let offered: Vec<_> = offered().map(|input| input.name).collect();
        for name in [
            "exports",
            "accessTokens",
            "refresh",
            "session",
            "allowedResources",
            "requireFederation",
            DIAGNOSE,
        ] {
            assert!(offered.contains(&name), "{name}: {offered:?}");
        }
        for name in ["azureSubscription", "scriptType", "inlineScript", "useGlobalConfig"] {
            assert!(inputs::all().iter().any(|input| input.name == name), "{name} is no input");
            assert!(!offered.contains(&name), "{name}");
        }
        for group in GROUPS_OF_STEPS {
            assert!(inputs::all().iter().any(|input| input.group == group), "{group} is no group");
        }
    }
}
