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
