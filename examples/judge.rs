//! Microsoft's own `AzurePipelinesCredential` gets a token with the environment of a task, so that neither the
//! emulator nor this crate is merely its own opinion. It reads its address from the process's environment, which
//! is why it is a program: `judge <tenant> <client> <connection> <scope>`, with `SYSTEM_OIDCREQUESTURI`,
//! `SYSTEM_ACCESSTOKEN`, `AZURE_AUTHORITY_HOST` and `CA_FILE`. It prints when the token ends.

use std::{env, error::Error, fs, sync::Arc};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::TokenCredential as _,
    http::{ClientOptions, Transport},
};
use azure_identity::{
    AzurePipelinesCredential, AzurePipelinesCredentialOptions, ClientAssertionCredentialOptions,
};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut argument = || arguments.next().ok_or("judge <tenant> <client> <connection> <scope>");
    let (tenant, client, connection, scope) = (argument()?, argument()?, argument()?, argument()?);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem_bundle(&fs::read(env::var("CA_FILE")?)?)?;
    let transport = reqwest::Client::builder().tls_certs_only(ca).build()?;
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = env::var("AZURE_AUTHORITY_HOST")?;
    let client_options = ClientOptions {
        transport: Some(Transport::new(Arc::new(transport))),
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        ..ClientOptions::default()
    };
    let options = AzurePipelinesCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
    };
    let token = env::var("SYSTEM_ACCESSTOKEN")?;
    let credential = AzurePipelinesCredential::new(tenant, client, &connection, token, Some(options))?;
    let token = credential.get_token(&[&scope], None).await?;
    println!("{}", token.expires_on.unix_timestamp());
    Ok(())
}
