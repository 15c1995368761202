//! The operators' program, compiled, and the environment in which it asks an emulated organization.

use std::path::PathBuf;

use emulator::{Emulator, Proxy, organization::MadeOrganization};
use uuid::Uuid;

use crate::process::{Result, cargo, run, target};

/// Compiles the program.
pub(crate) fn program() -> Result<PathBuf> {
    run(&mut cargo(&["build", "--quiet", "--locked", "--package", "wif-operator"]))?;
    Ok(target()?.join("debug").join("wif-operator"))
}

/// The program asks dev.azure.com, graph.microsoft.com and so on: the proxy leads these names to the emulator, and `client` has tokens
/// for it.
pub(crate) fn variables(
    emulator: &Emulator,
    proxy: &Proxy,
    made: &MadeOrganization,
    client: Uuid,
) -> [(&'static str, String); 5] {
    [
        ("HTTPS_PROXY", proxy.url()),
        ("SSL_CERT_FILE", emulator.ca_file().display().to_string()),
        ("AZURE_DEVOPS_EXT_PAT", made.personal_token.clone()),
        ("WIF_GRAPH_TOKEN", emulator.access_token(client, "https://graph.microsoft.com")),
        ("WIF_ARM_TOKEN", emulator.access_token(client, "https://management.azure.com")),
    ]
}
