//! The rules, one file each.

pub mod wif6101_stored_secret;
pub mod wif6102_stored_certificate;
pub mod wif6103_secret_ends;
pub mod wif6104_machine_or_classic;
pub mod wif6105_secret_of_another_type;
pub mod wif6106_secret_remains;
pub mod wif6107_can_be_reverted;
pub mod wif6201_retired_issuer;
pub mod wif6202_not_trusted;
pub mod wif6203_dangling_credential;
pub mod wif6204_credential_set;
pub mod wif6205_unexpected_subject;
pub mod wif6206_doubtful_application;
pub mod wif6207_shared_identity;
pub mod wif6208_tenant_or_subscription;
pub mod wif6301_open_to_all;
pub mod wif6302_pipelines_gone;
pub mod wif6303_shared;
pub mod wif6304_broad_group;
pub mod wif6305_production_unguarded;
pub mod wif6311_privileged_role;
pub mod wif6312_role_outside_scope;
pub mod wif6313_no_role;
pub mod wif6401_unused;
pub mod wif6402_not_usable;
pub mod wif6501_undocumented;
pub mod wif6601_drift;

use crate::rule::Rule;

/// Every rule, by its code.
pub const ALL: [Rule; 27] = [
    wif6101_stored_secret::RULE,
    wif6102_stored_certificate::RULE,
    wif6103_secret_ends::RULE,
    wif6104_machine_or_classic::RULE,
    wif6105_secret_of_another_type::RULE,
    wif6106_secret_remains::RULE,
    wif6107_can_be_reverted::RULE,
    wif6201_retired_issuer::RULE,
    wif6202_not_trusted::RULE,
    wif6203_dangling_credential::RULE,
    wif6204_credential_set::RULE,
    wif6205_unexpected_subject::RULE,
    wif6206_doubtful_application::RULE,
    wif6207_shared_identity::RULE,
    wif6208_tenant_or_subscription::RULE,
    wif6301_open_to_all::RULE,
    wif6302_pipelines_gone::RULE,
    wif6303_shared::RULE,
    wif6304_broad_group::RULE,
    wif6305_production_unguarded::RULE,
    wif6311_privileged_role::RULE,
    wif6312_role_outside_scope::RULE,
    wif6313_no_role::RULE,
    wif6401_unused::RULE,
    wif6402_not_usable::RULE,
    wif6501_undocumented::RULE,
    wif6601_drift::RULE,
];

/// The rule with this code, in any letter case.
#[must_use]
pub fn with_code(code: &str) -> Option<&'static Rule> {
    static RULES: [Rule; ALL.len()] = ALL;
    RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;
    use wif_core::explain;

    use super::ALL;
    use crate::{
        request::{Request, RequestedIdentity},
        snapshot::{
            Existence,
            connection::{Connection, Member, Pipeline},
            identity::Identity,
        },
        subject::of_entra,
        testing::{
            ORGANIZATION, Planted, SUBSCRIPTION, TENANT, client_id, connection_id, days_ago, found,
            reference, role, secret, settings, store_secret, trusting,
        },
    };

    type Plant = fn(&mut Connection, &mut Identity);

    /// Each fault once, in a connection of its own, whose number is the rule's.
    const FAULTS: [(u32, Plant); 25] = [
        (6101, store_secret),
        (6102, |connection, identity| {
            store_secret(connection, identity);
            connection.authentication_type = Some("spnCertificate".to_owned());
        }),
        (6104, |connection, _| connection.scheme = Some("ManagedServiceIdentity".to_owned())),
        (6105, |connection, _| {
            connection.kind = Some("dockerregistry".to_owned());
            connection.scheme = Some("UsernamePassword".to_owned());
        }),
        (6106, |_, identity| identity.secrets = Some(vec![secret(200)])),
        (6107, |connection, _| connection.revert_deadline = Some(days_ago(-3))),
        (6201, |connection, identity| {
            connection.issuer = Some(format!("https://vstoken.dev.azure.com/{ORGANIZATION}"));
            connection.subject = Some("sc://contoso/Platform/sc-6201".to_owned());
            let trusted = trusting("old", connection.issuer.clone(), connection.subject.clone());
            identity.federated_credentials = Some(vec![trusted]);
        }),
        (6202, |_, identity| {
            identity.federated_credentials.as_mut().unwrap()[0].audiences = vec!["api://other".to_owned()];
        }),
        (6204, |_, identity| {
            let issuer = Some("https://token.actions.githubusercontent.com".to_owned());
            let blank = trusting("blank", issuer, Some("repo:contoso/x ".to_owned()));
            identity.federated_credentials.as_mut().unwrap().push(blank);
        }),
        (6205, |connection, identity| {
            connection.subject = Some(of_entra(TENANT, ORGANIZATION, connection_id(1)));
            identity.federated_credentials.as_mut().unwrap()[0].subject = connection.subject.clone();
        }),
        (6206, |_, identity| identity.sign_in_audience = Some("AzureADMultipleOrgs".to_owned())),
        (6207, |connection, identity| {
            connection.client = Some(client_id(6208));
            identity.federated_credentials = Some(Vec::new());
        }),
        (6208, |connection, identity| {
            connection.scope_name = Some("Old name".to_owned());
            let of_other = connection_id(6207);
            let issuer = connection.issuer.clone();
            let other = trusting("other", issuer, Some(of_entra(TENANT, ORGANIZATION, of_other)));
            identity.federated_credentials.as_mut().unwrap().push(other);
            identity.roles.as_mut().unwrap().clear();
        }),
        (6301, |connection, _| connection.projects[0].pipelines.as_mut().unwrap().is_open_to_all = true),
        (6302, |connection, _| {
            let gone = Pipeline { id: 99, name: None, existence: Existence::Gone };
            connection.projects[0].pipelines.as_mut().unwrap().pipelines.push(gone);
        }),
        (6303, |connection, _| connection.projects.push(reference(2, "Shop", "sc-6303", false))),
        (6304, |connection, _| {
            let member = Member {
                role: "User".to_owned(),
                name: "[Platform]\\Contributors".to_owned(),
                id: "1".to_owned(),
                is_inherited: true,
                is_group: Some(true),
            };
            connection.projects[0].members = Some(vec![member]);
        }),
        (6305, |connection, _| connection.name = "sc-prod".to_owned()),
        (6311, |_, identity| {
            identity.roles = Some(vec![role("Owner", &format!("{SUBSCRIPTION}/resourceGroups/rg-6311"))]);
        }),
        (6312, |_, identity| {
            identity.roles = Some(vec![role("Reader", &format!("{SUBSCRIPTION}/resourceGroups/other"))]);
        }),
        (6313, |_, identity| identity.roles = Some(Vec::new())),
        (6401, |connection, _| connection.projects[0].runs = Some(Vec::new())),
        (6402, |connection, _| connection.is_ready = Some(false)),
        (6501, |connection, _| connection.description = None),
        (6601, |_, _| {}),
    ];

    /// An organization with each fault once, and with one connection with which nothing is wrong.
    fn organization() -> Planted {
        let mut planted =
            FAULTS.into_iter().fold(Planted::new(), |planted, (number, plant)| planted.with(number, plant));
        planted = planted.with(6103, |connection, identity| {
            store_secret(connection, identity);
            // Of another type, so that only the end of its secret is found, and that it stores one.
            identity.secrets = Some(vec![secret(10)]);
        });
        // An application that no connection uses, and that trusts one that is gone.
        planted.with(9000, |connection, identity| {
            connection.client = Some(client_id(9001));
            identity.client = client_id(9001);
            let gone = of_entra(TENANT, ORGANIZATION, Uuid::from_u128(404));
            identity.federated_credentials.as_mut().unwrap().push(trusting(
                "gone",
                connection.issuer.clone(),
                Some(gone),
            ));
        })
    }

    #[test]
    fn each_rule_finds_its_fault_where_it_is_planted_and_nowhere_else() {
        let snapshot = organization().snapshot();
        let mut settings = settings();
        settings.requests = vec![Request {
            file: "sc-6601.yaml".to_owned(),
            connection: "sc-6601".to_owned(),
            projects: vec!["Platform".to_owned()],
            identity: RequestedIdentity::Existing { client: client_id(1) },
            scope: format!("{SUBSCRIPTION}/resourceGroups/rg-6601"),
            access: Vec::new(),
            pipelines: vec!["Release".to_owned()],
            branches: Vec::new(),
            approvers: Vec::new(),
            owner: "team".to_owned(),
            reason: "CHG-1".to_owned(),
        }];
        for rule in ALL {
            let found: BTreeSet<_> =
                found(&rule, &snapshot, &settings).into_iter().map(|finding| finding.connection).collect();
            let number: u32 = rule.code.strip_prefix("WIF").unwrap().parse().unwrap();
            let expected: &[u32] = match number {
                // A stored secret that ends is a stored secret.
                6101 => &[6101, 6103],
                // One identity of two connections is found at both.
                6207 => &[6207, 6208],
                // Their identity has no role.
                6313 => &[6207, 6208, 6313],
                _ => &[number],
            };
            let expected: BTreeSet<_> = match number {
                6203 => BTreeSet::from([None]),
                _ => expected.iter().map(|number| Some(connection_id(*number))).collect(),
            };
            assert_eq!(found, expected, "{}", rule.code);
        }
    }

    #[test]
    fn codes_are_unique_and_in_order_and_each_is_explained() {
        assert!(ALL.is_sorted_by(|one, other| one.code < other.code));
        for rule in ALL {
            let text = explain::entry(rule.code)
                .unwrap_or_else(|| panic!("docs/errors.md has no {}", rule.code))
                .text;
            assert!(text.starts_with(&format!("{}\n\n{}.", rule.code, rule.title)), "{text}");
            assert!(text.contains("\nSeverity: ") && text.contains("\nRemedy: "), "{text}");
        }
        let listed = explain::list().iter().filter(|line| line.starts_with("WIF6")).count();
        assert_eq!(listed, ALL.len() + 1, "one more for what could not be read");
    }
}
