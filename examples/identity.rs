//! `azure_identity`'s managed identity credential, as a later step of a job: gets a token, asks ARM with it, and prints
//! what it got as one line of JSON, without the token; `ROUNDS` times in this one process, `PAUSE` seconds apart.
//! `identity <version> <credential>`, with `SSL_CERT_FILE`.

use std::{env, error::Error, fs, sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential as _,
    http::{ClientOptions, Transport},
};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use time::OffsetDateTime;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut argument = || arguments.next().ok_or("identity <version> <credential>");
    let (version, name) = (argument()?, argument()?);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem_bundle(&fs::read(env::var("SSL_CERT_FILE")?)?)?;
    let http = reqwest::Client::builder().user_agent("reqwest").tls_certs_only(ca).build()?;
    let transport = Some(Transport::new(Arc::new(http.clone())));
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: Some(UserAssignedId::ClientId(env::var("AZURE_CLIENT_ID")?)),
        client_options: ClientOptions { transport, ..ClientOptions::default() },
    };
    let credential = ManagedIdentityCredential::new(Some(options))?;
    let subscription = env::var("AZURE_SUBSCRIPTION_ID")?;
    let url = format!("{}/subscriptions/{subscription}?api-version=2022-12-01", env::var("ARM_URL")?);
    let pause = Duration::from_secs(env::var("PAUSE")?.parse()?);
    for number in 0..env::var("ROUNDS")?.parse::<u32>()? {
        if number > 0 {
            tokio::time::sleep(pause).await;
        }
        let token = credential.get_token(&["https://management.azure.com/.default"], None).await?;
        let answer = http.get(&url).bearer_auth(token.token.secret()).send().await?;
        let got = serde_json::json!({
            "credential": name,
            "version": version,
            "expires_on": token.expires_on.unix_timestamp(),
            "expires_in": (token.expires_on - OffsetDateTime::now_utc()).whole_seconds(),
            "arm": answer.status().as_u16(),
        });
        println!("{got}");
    }
    Ok(())
}
