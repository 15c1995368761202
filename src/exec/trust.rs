//! `wif trust`: what Entra or another cloud has to trust for the id tokens of this job, pod or machine.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use wif_core::{
    azure::cloud::Cloud as AzureCloud, failure::Failure, foreign_text::ForeignText,
    token::claims::Unverified, trust::presented::identity_parts,
};
use wif_io::{
    clock::{Clock, Deadline},
    env::Env,
    http::Http,
};

use super::{
    log::Log,
    prepared::{Prepared, prepare},
    request::Request,
    trust_clouds::{self, Cloud},
};
use crate::{agent::network, sign_in::SIGN_IN_TIMEOUT, sources::choice::SourceName};

/// What Entra has to trust.
#[derive(Debug)]
pub struct NeededTrust {
    /// Issuer and subject in parts, for the eye.
    pub parts: Vec<(&'static str, ForeignText)>,
    /// The commands that make the federated credential.
    pub commands: String,
}

/// Asks the source for an id token, and says which federated credential of Entra, or which setting of another cloud, would trust
/// it. Nothing is exchanged.
///
/// # Errors
///
/// The source gives no id token.
pub async fn needed_trust(
    env: &Env,
    clock: Arc<dyn Clock>,
    errors: &mut (dyn Write + Send),
    request: &Request,
    cloud: Option<Cloud>,
) -> Result<NeededTrust, Failure> {
    let mut log = Log { errors, masks: None, verbose: false };
    let Prepared { env, plan, source_name, source } = prepare(request, env, &clock, &mut log).await?;
    let (settings, _remarks) = network::settings(&env)?;
    let http = Http::new(settings, clock)?;
    let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
    let usual = plan.connection.identity.audiences.cloud.token_exchange_audience();
    // A source that holds one id token gives that one: what it presents is the same for every target.
    let asked = cloud.filter(|_| source.takes_audience()).map_or(usual, Cloud::usual_audience);
    let token = source.fetch(&http, deadline, asked).await.map_err(|failure| *failure)?;
    let malformed = |error| {
        let hint = "look at what the source gives: it is no id token";
        Failure::new(wif_core::code::Code::IdTokenMalformed, error, hint)
    };
    let claims = Unverified::read(&token).map_err(malformed)?;
    let audience = request.audience.as_deref().unwrap_or(usual);
    let parts = identity_parts(&claims);
    // Only a connection of the public cloud has a second issuer that is known.
    let (tenant, connection) = (plan.connection.identity.tenant, plan.connection.id);
    let is_public = plan.connection.identity.audiences.cloud == AzureCloud::Public;
    let after = (source_name == SourceName::AzurePipelines && is_public)
        .then(|| trust_clouds::after(claims.issuer.raw(), tenant, connection))
        .flatten();
    if let Some(cloud) = cloud {
        let audience = request.audience.as_deref();
        let commands = trust_clouds::commands(cloud, &claims, audience, after, shell);
        return Ok(NeededTrust { parts, commands });
    }
    let client = plan.connection.client().map(|client| client.to_string()).unwrap_or_default();
    let name = match &source_name {
        SourceName::File(_) | SourceName::Variable(_) => "wif".to_owned(),
        named => format!("wif-{named}"),
    };
    let (issuer, subject) = (claims.issuer.raw(), claims.subject.raw());
    let today = commands((issuer, subject), audience, &client, &name);
    // The first issuer is trusted until the connection has moved: so the second credential has a name of its own.
    let after = after.map(|(issuer, subject)| {
        let second = commands((&issuer, &subject), audience, &client, &format!("{name}-entra"));
        format!("# today\n\n{today}\n\n# {}\n\n{second}", trust_clouds::AFTER)
    });
    Ok(NeededTrust { parts, commands: after.unwrap_or(today) })
}

/// Writes text to a file that is not there yet.
///
/// # Errors
///
/// It is there, or cannot be written.
pub fn write_to_new_file(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    writeln!(file, "{text}")
}

fn commands((issuer, subject): (&str, &str), audience: &str, client: &str, name: &str) -> String {
    let json =
        serde_json::json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": [audience] });
    let (in_shell, in_bicep, in_terraform) = (shell, bicep, terraform);
    format!(
        "# az, for an application\naz ad app federated-credential create --id {client} --parameters {}\n\n\
         # az, for a managed identity\naz identity federated-credential create --name {name} --identity-name IDENTITY --resource-group GROUP --issuer {} --subject {} --audiences {}\n\n\
         // Bicep, for a managed identity\nresource {} 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {{\n  parent: identity\n  name: '{name}'\n  properties: {{\n    issuer: {}\n    subject: {}\n    audiences: [{}]\n  }}\n}}\n\n\
         # Terraform, for an application\nresource \"azuread_application_federated_identity_credential\" \"wif\" {{\n  application_id = azuread_application.this.id\n  display_name   = \"{name}\"\n  issuer         = {}\n  subject        = {}\n  audiences      = [{}]\n}}",
        in_shell(&json.to_string()),
        in_shell(issuer),
        in_shell(subject),
        in_shell(audience),
        "trust",
        in_bicep(issuer),
        in_bicep(subject),
        in_bicep(audience),
        in_terraform(issuer),
        in_terraform(subject),
        in_terraform(audience),
    )
}

/// A word of a shell: nothing in it means anything.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn bicep(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'").replace("${", r"\${"))
}

fn terraform(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_subject_holds_is_text_in_every_language() {
        assert_eq!(shell("a'b$(x)"), r"'a'\''b$(x)'");
        assert_eq!(bicep(r"a'b\${x}"), r"'a\'b\\\${x}'");
        assert_eq!(terraform("a\"b\\${x}%{y}"), "\"a\\\"b\\\\$${x}%%{y}\"");
    }
}
