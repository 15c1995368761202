//! The proxy of a cluster that id tokens are exchanged through, where the webhook of Azure Workload Identity has named one to the
//! pod: it speaks for Entra, by a certificate authority of its own.
//!
//! Source: Azure/azure-sdk-for-go, `sdk/azidentity/internal/customtokenproxy`.

use wif_core::{
    azure::hosts::{AllowedHosts, Service},
    code::Code,
    failure::Failure,
    foreign_text::one_line,
};
use wif_io::{endpoint::Endpoint, env::Env, http::Settings};

use super::{error::SourceError, file};

/// Names the proxy.
const PROXY: &str = "AZURE_KUBERNETES_TOKEN_PROXY";
/// Its certificate authority: a file, or the PEM text itself.
const FILE: &str = "AZURE_KUBERNETES_CA_FILE";
const DATA: &str = "AZURE_KUBERNETES_CA_DATA";
/// The name in its certificate, where that is not its address.
const SERVER_NAME: &str = "AZURE_KUBERNETES_SNI_NAME";

/// The longest name of a host that an error shows, in characters.
const MAX_HOST: usize = 100;

/// Where Entra is asked, and how that is reached.
pub(crate) struct TokenProxy {
    pub(crate) authority: Endpoint,
    pub(crate) settings: Settings,
}

impl TokenProxy {
    /// The proxy that the environment names.
    ///
    /// # Errors
    ///
    /// A variable cannot be used, the proxy's host is not allowed, or its name cannot be resolved.
    pub(crate) async fn read(env: &Env, allowed: &AllowedHosts) -> Result<Option<Self>, Failure> {
        let Some(url) = env.get(PROXY) else { return Ok(None) };
        let endpoint =
            Endpoint::parse(url).map_err(|error| absent(format!("{PROXY} cannot be used: {error}")))?;
        if !allowed.admits(Service::Authority, endpoint.host(), endpoint.port()) {
            let host = one_line(endpoint.host(), MAX_HOST);
            let error = format!(
                "the host {host} of {PROXY} is not a host of a known cloud, and not one of the input allowedAuthorities"
            );
            let hint = "if it is your cluster's proxy, name its host: --allowed-authorities HOST";
            return Err(Failure::new(Code::AuthorityNotAllowed, error, hint));
        }
        let pem = match (env.get(FILE), env.get(DATA)) {
            (Some(_), Some(_)) => return Err(absent(format!("{FILE} and {DATA} are both set")).into()),
            (Some(path), None) => {
                let read = file::read_pem(path.as_ref());
                Some(read.map_err(|error| absent(format!("the file of {FILE} cannot be read: {error}")))?)
            }
            (None, data) => data.map(|data| data.as_bytes().to_vec()),
        };
        let roots = match pem.map(|pem| file::roots(&pem)) {
            Some(None) => return Err(absent(format!("{FILE} or {DATA} has no certificate")).into()),
            Some(roots) => roots,
            None => None,
        };
        let mut settings =
            Settings { only_roots: roots.is_some(), roots: roots.unwrap_or_default(), ..Settings::default() };
        let Some(name) = env.get(SERVER_NAME) else {
            return Ok(Some(Self { authority: endpoint, settings }));
        };
        let addresses =
            tokio::net::lookup_host((endpoint.host().trim_matches(['[', ']']), endpoint.port())).await;
        let addresses: Vec<_> = addresses
            .map_err(|error| absent(format!("the host of {PROXY} cannot be resolved: {error}")))?
            .collect();
        let path = endpoint.as_str().splitn(4, '/').nth(3).unwrap_or_default();
        let named = format!("https://{name}:{}/{path}", endpoint.port());
        let authority = Endpoint::parse(&named)
            .map_err(|error| absent(format!("{SERVER_NAME} is no name of a server: {error}")))?;
        settings.resolved = Some((name.to_owned(), addresses));
        Ok(Some(Self { authority, settings }))
    }
}

fn absent(missing: String) -> SourceError {
    SourceError::Absent {
        signer: "Kubernetes",
        missing,
        mend: format!(
            "look at what the webhook of Azure Workload Identity has put into the pod: {PROXY}, {FILE} or {DATA}, {SERVER_NAME}"
        ),
    }
}
