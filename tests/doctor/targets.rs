//! Other clouds and registries: each is tried once, and nothing of them is kept.

use emulator::Service;
use wif_core::code::Code;

use super::{diagnose, names_only, with_ids};
use crate::{
    support::Case,
    targets::{trusting, with_aws, with_vault},
};

/// Every target that needs no proxy, with all that trusts the connection.
fn all() -> Case {
    let case = with_vault(with_aws(trusting(with_ids())));
    let registry = case.emulator.clouds_url().replace("https://", "");
    case.input("registries", &registry)
}

#[test]
fn each_is_signed_in_to_and_vaults_token_is_revoked_at_once() {
    let case = all();
    let registry = case.emulator.clouds_url().replace("https://", "");
    let found = diagnose(&case);
    assert_eq!(found.faults, Vec::<String>::new(), "{}\n{}", found.text, case.emulator.journal_text());
    for name in ["AWS", "Vault", &*registry] {
        let words = format!("{name} gives a credential, until");
        assert!(found.text.contains(&words), "no '{words}' in\n{}", found.text);
    }
    assert!(found.text.contains("its token is revoked again"), "{}", found.text);
    let directory = case.emulator.directory();
    assert!(
        matches!(&directory.clouds.vault.tokens[..], [token] if token.revoked),
        "{:?}",
        directory.clouds.vault.tokens
    );
    assert_eq!(directory.clouds.aws.sessions.len(), 1);
    drop(directory);
    let log = found.run.out.lines().filter(|line| !line.starts_with("##vso[task.setsecret]"));
    let log = log.collect::<Vec<_>>().join("\n");
    assert_eq!(emulator::leaks(&case.emulator.issued(), log.as_bytes()), Vec::<String>::new(), "{log}");
}

#[test]
fn one_that_refuses_is_the_fault_and_the_others_are_tried() {
    let case = all();
    "sc://contoso/Platform/other".clone_into(&mut case.emulator.directory().clouds.aws.roles[0].subject);
    let found = names_only(&case, Code::TargetTrustMissing, &["AccessDenied", "Vault gives a credential"]);
    assert!(!found.text.contains("AWS gives"), "{}", found.text);
}

#[test]
fn without_an_id_token_they_are_skipped_and_not_called_good() {
    let case = all();
    case.emulator.fault(
        emulator::Fault::on(Service::DevOps, "POST", "/oidctoken")
            .always()
            .status(401)
            .json(&serde_json::json!({})),
    );
    let found = diagnose(&case);
    assert!(found.text.contains("AWS: there is no id token"), "{}", found.text);
    assert!(!found.text.contains("gives a credential"), "{}", found.text);
    assert_eq!(case.emulator.count(Service::Clouds, "POST"), 0, "{}", case.emulator.journal_text());
}
