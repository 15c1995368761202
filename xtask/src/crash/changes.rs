//! The commands that change something, and the settings of the services under which they are tried.

use emulator::{
    Fault,
    directory::{Issuer, IssuerMove, Quirks},
};
use serde_json::json;

use super::moments::changes;

/// A command whose plan is applied, killed and resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Vend,
    Convert,
    Revert,
    /// The move to the issuer of Entra.
    Issuer,
    /// The removal of the old credential, by a later apply.
    IssuerEnd,
    /// With the names swapped.
    Migrate,
    Retire,
    /// Of what was vended.
    Rollback,
}

/// How the services behave.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) set: fn(&mut Quirks),
    /// What goes wrong while the plan is applied.
    pub(super) faults: fn() -> Vec<Fault>,
}

impl Setting {
    const fn of(name: &'static str, set: fn(&mut Quirks)) -> Self {
        Self { name, set, faults: Vec::new }
    }

    const fn with(name: &'static str, faults: fn() -> Vec<Fault>) -> Self {
        Self { name, set: |_| {}, faults }
    }
}

const USUAL: Setting = Setting::of("as usual", |_| {});
const SLOW: Setting = Setting::of("new and gone things are seen late", |quirks| {
    (quirks.creation_lag, quirks.application_lag, quirks.principal_lag) = (2, 2, 2);
    (quirks.credential_lag, quirks.trust_lag, quirks.deletion_lag) = (2, 2, 2);
});
const SPELLED: Setting = Setting::of("older versions, other spelling, short pages", |quirks| {
    (quirks.only_version_7_1, quirks.other_case, quirks.empty_values) = (true, true, true);
    (quirks.arm_page, quirks.pipelines_per_page, quirks.executions_per_page) = (Some(1), 1, 1);
    quirks.connection_names_are_unique = true;
});
const THROTTLED: Setting = Setting {
    name: "calls are refused with 429, and answers ask to wait",
    set: |quirks| quirks.slow_down = Some((9, 1)),
    faults: || vec![Fault::on_such(changes).nth(2).status(429).header("retry-after", "1")],
};
const LOST: Setting = Setting::with("answers of what was done are lost", || {
    [1, 3].map(|number| Fault::on_such(changes).nth(number).lose_answer()).to_vec()
});
const BUSY: Setting = Setting::with("another write of a federated credential is under way (409)", || {
    let code = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";
    let body = json!({ "error": { "code": code, "message": "Too many writes at the same time: try again" } });
    vec![Fault::on_such(is_of_credential).status(409).json(&body)]
});

/// Whether a request changes a federated credential.
fn is_of_credential(method: &str, path: &str) -> bool {
    changes(method, path) && path.contains("/federatedIdentityCredentials")
}

const LATE: fn(&mut Quirks) = |quirks| {
    (quirks.conversion_lag, quirks.credential_lag, quirks.trust_lag, quirks.deletion_lag) = (2, 2, 2, 2);
};

const OF_CONVERSION: &[Setting] = &[
    USUAL,
    Setting::of("a conversion yields the old issuer", |quirks| quirks.conversion_yields = Issuer::DevOps),
    Setting::of("a conversion writes no credential, and a revert removes it", |quirks| {
        (quirks.conversion_writes_credential, quirks.revert_removes_credential) = (false, true);
    }),
    Setting::of("a conversion yields the old issuer, writes no credential, and is seen late", |quirks| {
        (quirks.conversion_yields, quirks.conversion_writes_credential) = (Issuer::DevOps, false);
        LATE(quirks);
    }),
    Setting::of("a conversion is seen late", LATE),
    Setting::of("a conversion is seen late, and not told as under way", |quirks| {
        LATE(quirks);
        quirks.conversion_is_told = false;
    }),
    SPELLED,
    THROTTLED,
    LOST,
    BUSY,
];

const OF_ISSUER: &[Setting] = &[
    USUAL,
    Setting::of("a save with the type moves it", |quirks| quirks.issuer_moves_by = IssuerMove::SaveOfType),
    Setting::of("the operation moves it", |quirks| quirks.issuer_moves_by = IssuerMove::Operation),
    Setting::of("the move is seen late", LATE),
    Setting::of("the operation moves it, which is seen late and not told as under way", |quirks| {
        LATE(quirks);
        (quirks.issuer_moves_by, quirks.conversion_is_told) = (IssuerMove::Operation, false);
    }),
    SPELLED,
    THROTTLED,
    LOST,
    BUSY,
];

impl Change {
    pub(super) const ALL: [Self; 8] = [
        Self::Vend,
        Self::Convert,
        Self::Revert,
        Self::Issuer,
        Self::IssuerEnd,
        Self::Migrate,
        Self::Retire,
        Self::Rollback,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Vend => "connection plan",
            Self::Convert => "convert plan",
            Self::Revert => "revert plan",
            Self::Issuer => "issuer plan",
            Self::IssuerEnd => "issuer plan, after a run",
            Self::Migrate => "migrate plan",
            Self::Retire => "migrate retire plan",
            Self::Rollback => "rollback",
        }
    }

    /// The settings, that of every day first.
    pub(super) const fn settings(self) -> &'static [Setting] {
        match self {
            Self::Convert | Self::Revert => OF_CONVERSION,
            Self::Issuer | Self::IssuerEnd => OF_ISSUER,
            Self::Vend | Self::Migrate | Self::Retire | Self::Rollback => {
                &[USUAL, SLOW, SPELLED, THROTTLED, LOST, BUSY]
            }
        }
    }

    /// The command that is killed.
    pub(super) fn disturbed(self) -> Vec<&'static str> {
        let mut words = vec!["apply", "plan.json", "--yes"];
        if self == Self::IssuerEnd {
            words.push("--resume");
        }
        words
    }

    /// What it ends with: an old credential stays until a pipeline has run.
    pub(super) const fn ends_with(self) -> i32 {
        if matches!(self, Self::Issuer) { 10 } else { 0 }
    }
}
