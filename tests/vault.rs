//! Vault: a token that is renewed as long as it can be, and revoked wherever the session ends.

use std::path::PathBuf;

use emulator::{
    Emulator,
    agent::{Agent, Step},
    directory::clouds::VAULT_ROLE,
};
use wif_core::code::Code;
use wif_io::clock::Clock as _;

use crate::{
    support::{Case, run},
    targets::{exec, open, pass, sign_in, trusting, with_vault},
};

#[test]
fn a_token_of_vault_is_revoked_where_the_sign_in_fails_after_it() {
    let case = with_vault(trusting(Case::new())).program(PathBuf::from("/nonexistent/wif"));
    case.fails(Code::BrokerFailed);
    let directory = case.emulator.directory();
    let tokens = &directory.clouds.vault.tokens;
    assert!(tokens.len() == 1 && tokens[0].revoked, "{tokens:?}");
    // A command that is not there is found out after the sign-in.
    let case = exec("x");
    let url = case.emulator.clouds_url();
    case.emulator.directory().clouds.vault.mounts[0].roles[0].audiences = vec![url.clone()];
    let case = case.option("--vault-address", &url).option("--vault-role", VAULT_ROLE);
    let output = case.run(&["/nonexistent/command"]);
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    let directory = case.emulator.directory();
    let tokens = &directory.clouds.vault.tokens;
    assert!(tokens.len() == 1 && tokens[0].revoked, "{tokens:?}");
}

#[test]
fn the_token_of_vault_stays_the_same_until_its_longest_life_ends_and_is_revoked_at_the_end() {
    let case = with_vault(trusting(Case::new()));
    run(async {
        let (session, clock) = open(&case).await;
        let mut texts = Vec::new();
        pass(&case, &session, &clock, 3, |fresh, life| {
            assert!(life > time::Duration::ZERO, "{life}");
            if texts.last() != Some(&fresh.token) {
                texts.push(fresh.token.clone());
            }
        })
        .await;
        let tokens = case.emulator.directory().clouds.vault.tokens.clone();
        // Two hours of renewals, and then another login.
        assert_eq!((texts.len(), tokens.len()), (2, 2), "{tokens:?}");
        assert!(tokens[0].renewals >= 10, "{tokens:?}");
        assert_eq!(session.end_credentials().await, Vec::<String>::new());
        let tokens = case.emulator.directory().clouds.vault.tokens.clone();
        assert!(tokens[1].revoked, "{tokens:?}");
    });
}

/// Where hvac is installed, the real client is signed in, past the token's first end; elsewhere nothing is proved.
#[test]
fn hvac_is_signed_in_by_the_variables() {
    let case = exec("x");
    let url = case.emulator.plain_clouds_url();
    {
        let role = &mut case.emulator.directory().clouds.vault.mounts[0].roles[0];
        role.audiences = vec![url.clone()];
        role.seconds = 8;
    }
    let case = case.option("--vault-address", &url).option("--vault-role", VAULT_ROLE);
    let found = case.prints(
        "python3 - <<'END'
import time
try:
    import hvac
except ImportError:
    print('absent')
else:
    client = hvac.Client()
    end = time.time() + 9
    while time.time() <= end:
        time.sleep(0.1)
    # Of a token that has ended, nothing is renewed any more.
    print(client.auth.token.renew_self()['auth']['token_policies'])
END",
    );
    if found.trim() == "absent" {
        println!("NOT TESTED: hvac is not installed");
        return;
    }
    assert_eq!(found.trim(), "['default', 'deploy']");
}

/// Ends Vault's service from inside of a job, as an operator of Vault does.
const SEAL: &str = "curl -sf -X PUT -H \"X-Vault-Token: $VAULT_TOKEN\" \"$VAULT_ADDR/v1/sys/seal\"";

#[test]
fn a_token_that_vault_would_not_renew_is_revoked_beside_the_one_that_replaced_it() {
    let case = with_vault(trusting(Case::new()));
    case.emulator.directory().clouds.vault.refuses_renewals = true;
    run(async {
        let (session, clock) = open(&case).await;
        pass(&case, &session, &clock, 1, |_, _| {}).await;
        assert_eq!(session.end_credentials().await, Vec::<String>::new());
        let now = clock.now().unix_timestamp();
        let tokens = case.emulator.directory().clouds.vault.tokens.clone();
        assert!(tokens.len() >= 2, "{tokens:?}");
        let (ended, alive): (Vec<_>, Vec<_>) = tokens.iter().partition(|token| token.expires <= now);
        assert!(ended.iter().all(|token| !token.revoked), "nothing is to be done for these: {ended:?}");
        assert!(alive.len() >= 2 && alive.iter().all(|token| token.revoked), "{alive:?}");
    });
}

#[test]
fn a_token_that_cannot_be_revoked_is_warned_of() {
    let emulator = Emulator::start();
    let connection = emulator.usual().connection;
    emulator.trust_in_clouds(connection);
    let plain = emulator.plain_clouds_url();
    let inputs = [("vaultAddress", &*plain), ("vaultRole", VAULT_ROLE)];
    let agent = Agent::new().ca_file(emulator.ca_file()).machine_env("HOME", "/nonexistent");
    let steps = [sign_in(&inputs), Step::bash(SEAL).display_name("Seal")];
    let log = agent.run(&emulator.job(connection), &steps).log;
    assert!(log.contains("##[warning]The token of Vault was not revoked, and may work until "), "{log}");
    assert!(!log.contains("Signed out"), "{log}");

    let case = exec("x");
    let url = case.emulator.plain_clouds_url();
    case.emulator.directory().clouds.vault.mounts[0].roles[0].audiences = vec![url.clone()];
    let case = case.option("--vault-address", &url).option("--vault-role", VAULT_ROLE);
    let output = case.run(&["sh", "-c", SEAL]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("wif: The token of Vault was not revoked"), "{said}");
}

#[test]
fn the_file_of_vaults_ca_is_read_once_whatever_becomes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let case = with_vault(trusting(Case::new()));
    std::fs::copy(case.emulator.ca_file(), &file).unwrap();
    let case = case.set("VAULT_CACERT", &file.display().to_string());
    run(async {
        let (session, clock) = open(&case).await;
        std::fs::remove_file(&file).unwrap();
        pass(&case, &session, &clock, 1, |_, _| {}).await;
    });
    let text = case.fails(Code::NetworkSettings);
    assert!(text.contains("VAULT_CACERT"), "{text}");
}
