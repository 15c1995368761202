//! Judged by others: Microsoft's credential accepts the emulator, and `azure_core` takes our credential.

use std::{path::Path, process::Command, sync::Arc};

use azure_core::credentials::TokenCredential;
use emulator::{Emulator, Service};
use wif::credential::PipelineCredential;
use wif_core::azure::hosts::{AllowedHost, AllowedHosts};
use wif_io::clock;

use crate::support::Case;

#[test]
fn microsofts_credential_gets_a_token_from_the_emulator() {
    let emulator = Emulator::start();
    let usual = emulator.usual();
    for (connection, client) in
        [(usual.connection, usual.client), (usual.entra_connection, usual.entra_client)]
    {
        let message = emulator.job(connection);
        let uri = message.variables.iter().find(|variable| variable.name == "System.OidcRequestUri").unwrap();
        let judge = Path::new(env!("CARGO_BIN_EXE_wif")).parent().unwrap().join("examples/judge");
        let output = Command::new(judge.with_extension(std::env::consts::EXE_EXTENSION))
            .args([usual.tenant.to_string(), client.to_string(), connection.to_string()])
            .arg("https://management.azure.com/.default")
            .env("SYSTEM_OIDCREQUESTURI", &uri.value)
            .env("SYSTEM_ACCESSTOKEN", &message.job_token)
            .env("AZURE_AUTHORITY_HOST", emulator.entra_url())
            .env("CA_FILE", emulator.ca_file())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}\n{}", emulator.journal_text());
        let expires: i64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        assert!(expires > emulator.now().unix_timestamp());
    }
    assert_eq!(emulator.count(Service::DevOps, "POST /contoso/"), 2);
    assert_eq!(emulator.count(Service::Entra, "POST /"), 2);
}

#[test]
fn our_credential_serves_callers_of_azure_core_and_keeps_what_still_works() {
    let case = Case::new();
    let allowed = AllowedHosts::new(vec![AllowedHost::parse("127.0.0.1").unwrap()]);
    let credential: Arc<dyn TokenCredential> =
        PipelineCredential::new(case.env(), case.connection, allowed, Arc::new(clock::System::new()))
            .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scopes = ["https://vault.azure.net/.default"];
        let first = credential.get_token(&scopes, None).await.unwrap();
        let again = credential.get_token(&scopes, None).await.unwrap();
        assert_eq!(first.token.secret(), again.token.secret());
        credential.get_token(&["https://storage.azure.com/.default"], None).await.unwrap();
        let error = credential.get_token(&["a", "b"], None).await.unwrap_err();
        assert!(error.to_string().contains("one scope"), "{error}");
        let error = credential.get_token(&["https://unknown.example/.default"], None).await.unwrap_err();
        assert!(error.to_string().contains("WIF2018"), "{error}");
    });
    assert_eq!(case.asked(), (3, 3));
}
