//! `wif trust`: what Entra or another cloud has to trust for the id tokens of this job, pod or machine.

mod aws;
mod clouds;
mod google;
mod issuers;
mod quoted;
mod vault;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use wif_core::{
    azure::{cloud::Cloud as AzureCloud, resource::Resource},
    code::Code,
    failure::Failure,
    foreign_text::{ForeignText, one_line},
    token::claims::Unverified,
    trust::presented::identity_parts,
};
use wif_io::{
    clock::{Clock, Deadline},
    env::Env,
    http::Http,
};

pub use self::{aws::AwsRole, clouds::TrustingCloud, google::GoogleProvider, vault::VaultMethod};
use self::{
    clouds::CloudTrust,
    issuers::{Of, Trusted},
    quoted::{bicep, shell, terraform},
};
use super::{
    log::Log,
    prepared::{Prepared, prepare},
    request::{Request, invalid},
    signed_in::exchange_by,
};
use crate::{
    agent::network,
    sign_in::{SIGN_IN_TIMEOUT, SignIn},
    sources::choice::SourceName,
};

/// What Entra has to trust.
#[derive(Debug)]
pub struct NeededTrust {
    /// Issuer and subject in parts, for the eye.
    pub parts: Vec<(&'static str, ForeignText)>,
    /// What can never work, and what is easily taken wrong.
    pub warnings: Vec<String>,
    /// The commands that make the federated credential.
    pub commands: String,
}

/// What an assertion may be.
const APPLICATION: &str = "accepted is the URI or GUID of an application of yours, such as api://my-aws";
/// The longest value that an error shows, in characters.
const MAX_SHOWN: usize = 100;
/// Why only the issuer of today is told of.
const NO_TENANT: &str = "the issuer that follows is named after the tenant: --tenant ID prints its part too";

/// Asks the source for an id token, and says which federated credential of Entra, or which setting of another cloud, would trust
/// it. Nothing is exchanged, but for the access token that another cloud is shown in place of the id token.
///
/// # Errors
///
/// The source gives no id token, or Entra no access token for the application of `assertion`.
pub async fn needed_trust(
    env: &Env,
    clock: Arc<dyn Clock>,
    errors: &mut (dyn Write + Send),
    request: &Request,
    cloud: Option<&TrustingCloud>,
) -> Result<NeededTrust, Failure> {
    let mut log = Log { errors, masks: None, verbose: false };
    let tenant = request.tenant(env)?;
    let application = request.assertion.as_deref().filter(|_| cloud.is_some());
    // Another cloud is told nothing of Entra's: only the id token's own claims.
    let request =
        if cloud.is_some() && application.is_none() { &request.with_stand_ins(env)? } else { request };
    let Prepared { env, plan, source_name, source } = prepare(request, env, &clock, &mut log).await?;
    let (settings, _remarks) = network::settings(&env)?;
    let http = Arc::new(Http::new(settings, clock)?);
    let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
    let usual = plan.connection.identity.audiences.cloud.token_exchange_audience();
    // A source that holds one id token gives that one: what it presents is the same for every target.
    let asked = cloud.filter(|_| source.takes_audience()).map_or(usual, TrustingCloud::usual_audience);
    let token = if let Some(application) = application {
        let resource =
            Resource::parse(application, &plan.connection.identity.audiences).map_err(|error| {
                invalid(
                    format!("--assertion is '{}': {error}", one_line(application, MAX_SHOWN)),
                    APPLICATION,
                )
            })?;
        let (identity, exchange) = exchange_by(&source_name, &env, &plan, &http, &mut log).await?;
        let sign_in =
            SignIn { http: exchange, env: &env, identity: &identity, source: &*source, listing: None };
        let signed_in = sign_in.run(std::slice::from_ref(&resource), &mut |_| Ok(())).await?;
        let granted = signed_in.access_tokens.into_iter().next();
        granted.ok_or_else(|| Failure::new(Code::Bug, "no access token came", "report this"))?.token
    } else {
        source.fetch(&http, deadline, asked).await.map_err(|failure| *failure)?
    };
    let malformed = |error| {
        let hint = "look at what the source gives: it is no id token";
        Failure::new(Code::IdTokenMalformed, error, hint)
    };
    let claims = Unverified::read(&token).map_err(malformed)?;
    let audience = request.audience.as_deref().unwrap_or(usual);
    let mut parts = identity_parts(&claims);
    // Only a connection of the public cloud has a second issuer that is known.
    let has_next = source_name == SourceName::AzurePipelines
        && plan.connection.identity.audiences.cloud == AzureCloud::Public;
    let next = |tenant| issuers::after(claims.issuer.raw(), tenant, plan.connection.id);
    let after = tenant.filter(|_| has_next).and_then(next);
    if let Some(cloud) = cloud {
        let of = if application.is_some() { Of::Application } else { Of::Today };
        let mut audiences: Vec<_> = claims.audiences.iter().map(|one| one.raw().to_owned()).collect();
        match (of, &request.audience, plan.connection.client()) {
            (Of::Application, _, Some(client)) if claims.issuer.raw().ends_with("/v2.0") => {
                audiences = cloud.audiences_of_application(client, audiences);
            }
            (Of::Today, Some(audience), _) => audiences = vec![audience.clone()],
            _ => {}
        }
        let (issuer, subject) = (claims.issuer.raw().to_owned(), claims.subject.raw().to_owned());
        let today = Trusted { issuer, subject, audiences, of };
        let CloudTrust { mut warnings, commands, audiences } =
            cloud.needed(today, after.filter(|_| of == Of::Today));
        parts.extend(audiences.iter().map(|audience| ("audience", ForeignText::new(audience))));
        if has_next && tenant.is_none() && application.is_none() {
            warnings.push(NO_TENANT.to_owned());
        }
        return Ok(NeededTrust { parts, warnings, commands });
    }
    let client = plan.connection.client().map(|client| client.to_string()).unwrap_or_default();
    let name = match &source_name {
        SourceName::File(_) | SourceName::Variable(_) => "wif".to_owned(),
        named => format!("wif-{named}"),
    };
    let (issuer, subject) = (claims.issuer.raw(), claims.subject.raw());
    let today = commands((issuer, subject), audience, &client, &name);
    // The first issuer is trusted until the connection has moved: so the second credential has a name of its own.
    let after = after.map(|next| {
        let named = format!("{name}{}", next.suffix());
        let second = commands((&next.issuer, &next.subject), audience, &client, &named);
        format!("# today\n\n{today}\n\n# {}\n\n{second}", next.heading())
    });
    Ok(NeededTrust { parts, warnings: Vec::new(), commands: after.unwrap_or(today) })
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
    format!(
        "# az, for an application\naz ad app federated-credential create --id {client} --parameters {}\n\n\
         # az, for a managed identity\naz identity federated-credential create --name {name} --identity-name IDENTITY --resource-group GROUP --issuer {} --subject {} --audiences {}\n\n\
         // Bicep, for a managed identity\nresource {} 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {{\n  parent: identity\n  name: '{name}'\n  properties: {{\n    issuer: {}\n    subject: {}\n    audiences: [{}]\n  }}\n}}\n\n\
         # Terraform, for an application\nresource \"azuread_application_federated_identity_credential\" \"wif\" {{\n  application_id = azuread_application.this.id\n  display_name   = \"{name}\"\n  issuer         = {}\n  subject        = {}\n  audiences      = [{}]\n}}",
        shell(&json.to_string()),
        shell(issuer),
        shell(subject),
        shell(audience),
        "trust",
        bicep(issuer),
        bicep(subject),
        bicep(audience),
        terraform(issuer),
        terraform(subject),
        terraform(audience),
    )
}
