//! The commands that change something, and the settings of the services under which they are tried.

use emulator::directory::{Issuer, IssuerMove, Quirks};

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
}

const USUAL: Setting = Setting { name: "as usual", set: |_| {} };
const SLOW: Setting = Setting {
    name: "new and gone things are seen late",
    set: |quirks| {
        (quirks.creation_lag, quirks.application_lag, quirks.principal_lag) = (2, 2, 2);
        (quirks.credential_lag, quirks.trust_lag, quirks.deletion_lag) = (2, 2, 2);
    },
};
const SPELLED: Setting = Setting {
    name: "older versions, other spelling, short pages",
    set: |quirks| {
        (quirks.only_version_7_1, quirks.other_case, quirks.empty_values) = (true, true, true);
        (quirks.arm_page, quirks.pipelines_per_page, quirks.executions_per_page) = (Some(1), 1, 1);
        quirks.connection_names_are_unique = true;
    },
};

const OF_CONVERSION: &[Setting] = &[
    USUAL,
    Setting {
        name: "a conversion yields the old issuer",
        set: |quirks| quirks.conversion_yields = Issuer::DevOps,
    },
    Setting {
        name: "a conversion writes no credential, and a revert removes it",
        set: |quirks| (quirks.conversion_writes_credential, quirks.revert_removes_credential) = (false, true),
    },
    Setting {
        name: "a conversion is seen late",
        set: |quirks| {
            (quirks.conversion_lag, quirks.credential_lag, quirks.trust_lag, quirks.deletion_lag) =
                (2, 2, 2, 2);
        },
    },
    SPELLED,
];

const OF_ISSUER: &[Setting] = &[
    USUAL,
    Setting {
        name: "a save with the type moves it",
        set: |quirks| quirks.issuer_moves_by = IssuerMove::SaveOfType,
    },
    Setting { name: "the operation moves it", set: |quirks| quirks.issuer_moves_by = IssuerMove::Operation },
    Setting {
        name: "the move is seen late",
        set: |quirks| {
            (quirks.conversion_lag, quirks.credential_lag, quirks.trust_lag, quirks.deletion_lag) =
                (2, 2, 2, 2);
        },
    },
    SPELLED,
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
            Self::Vend | Self::Migrate | Self::Retire | Self::Rollback => &[USUAL, SLOW, SPELLED],
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
