//! Public, government and China: their own addresses, led to the emulator by a proxy.

use emulator::{Emulator, Proxy, Service};
use wif_core::azure::cloud::Cloud;

use crate::support::Case;

/// A job under its public names, behind an agent's proxy that leads them to the emulator.
pub(crate) fn behind(
    proxy: impl FnOnce(&Emulator) -> Proxy,
    connection: impl FnOnce(&Emulator),
) -> (Case, Proxy) {
    let emulator = Emulator::start();
    emulator.directory().public_names = true;
    connection(&emulator);
    let proxy = proxy(&emulator);
    let case = Case::with(emulator, |emulator| emulator.usual().connection);
    let case = case.set("AGENT_PROXYURL", &proxy.url());
    (case, proxy)
}

#[test]
fn every_cloud_has_its_own_authority_and_resources() {
    for (cloud, authority, vault) in [
        (Cloud::Public, "login.microsoftonline.com", "https://vault.azure.net"),
        (Cloud::UsGovernment, "login.microsoftonline.us", "https://vault.usgovcloudapi.net"),
        (Cloud::China, "login.chinacloudapi.cn", "https://vault.azure.cn"),
    ] {
        let (case, proxy) = behind(
            |emulator| Proxy::start(Proxy::leading_to(emulator)),
            |emulator| {
                let connection = emulator.usual().connection;
                emulator.directory().connection(connection).environment = cloud.environment().to_owned();
            },
        );
        let case = case.input("accessTokens", "A=arm\nV=keyvault");
        let run = case.succeeds();
        assert_eq!(run.variable("ARM_ENVIRONMENT"), cloud.terraform_environment());
        assert_eq!(run.variable("AZURE_AUTHORITY_HOST"), format!("https://{authority}/"));
        assert_eq!(proxy.tunnels("dev.azure.com:443"), 1);
        assert_eq!(proxy.tunnels(&format!("{authority}:443")), 1, "one connection for both tokens");
        let mut scopes: Vec<_> = case
            .emulator
            .journal()
            .iter()
            .filter(|entry| entry.service == Service::Entra)
            .filter_map(|entry| entry.form("scope").map(str::to_owned))
            .collect();
        scopes.sort();
        let mut expected = [format!("{}/.default", cloud.resource_manager()), format!("{vault}/.default")];
        expected.sort();
        assert_eq!(scopes, expected);
    }
}
