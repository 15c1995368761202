//! `azure-cli`: the files of a private `AZURE_CONFIG_DIR` in which `az` is signed in already, with no token in any.
//!
//! `az` takes the account for a managed identity and asks `IDENTITY_ENDPOINT` for each token: nothing that expires is
//! on disk, and a step of any length works. Source: azure-cli 2.91.0, `azure/cli/core/_profile.py` (the account),
//! `cloud.py` (`clouds.config`), `knack/config.py` (`config`), `_session.py` and `util.py` (the rest).

pub(super) mod files;
mod ini;
pub(super) mod profile;

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, LIVE, Remedy, Values},
    definition::{Definition, LeadsTo, Marker, Need, VARIABLES_ONLY},
    variable::{Facts, Variable},
};
/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "azure-cli",
    summary: "az, signed in for every later step",
    by_default: (true, false),
    needs_live: &[Need::Folder],
    live,
    snapshot: Err("az keeps an id token that it cannot renew, so a snapshot of it would end within minutes"),
    conflicts: CONFLICTS,
    markers: &[Marker { variable: "AZURE_CONFIG_DIR", leads_to: LeadsTo::Folder, sessions: LIVE }],
    programs: &["az"],
    shared: &["AZURE_EXTENSION_DIR"],
    ..VARIABLES_ONLY
};

/// az takes an empty text for the value of an option.
///
/// Source: microsoft/knack, `config.py`; azure-cli, `azure/cli/core/cloud.py`, `auth/msal_credentials.py`.
const CONFLICTS: &[Conflict] = &[
    Conflict {
        variables: &["AZURE_CLOUD_NAME"],
        values: Values::AllButOurs(|facts| facts.cloud.map(|cloud| cloud.environment().to_owned())),
        effect: "az uses that cloud, in which this session has no account.",
        ..WINS
    },
    Conflict {
        variables: &["ARM_CLOUD_METADATA_URL"],
        effect: "az takes its list of clouds from that address; this session's account is found only if its cloud is in it.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_CORE_USE_MSAL_MANAGED_IDENTITY"],
        values: Values::Only(&["false", "0", "no", "off"]),
        effect: "az 2.71 to 2.74 ask the machine's own identity service, and not the session.",
        ..WINS
    },
    Conflict {
        variables: &["IDENTITY_SERVER_THUMBPRINT"],
        effect: "az takes IDENTITY_ENDPOINT for that of Service Fabric, which speaks another protocol, and fails.",
        ..WINS
    },
];

const WINS: Conflict =
    Conflict { variables: &[], values: Values::Any, sessions: LIVE, from_machine: Remedy::Warn, effect: "" };

fn live(facts: &Facts, endpoint: &BrokerEndpoint) -> Vec<Variable> {
    let folder = facts.azure_cli_folder.as_ref();
    let folder = folder.map(|folder| Variable::plain("AZURE_CONFIG_DIR", folder.to_string_lossy()));
    let extensions = facts.azure_cli_extensions.as_ref();
    let extensions =
        extensions.map(|folder| Variable::plain("AZURE_EXTENSION_DIR", folder.to_string_lossy()));
    endpoint.identity_pair().into_iter().chain(folder).chain(extensions).collect()
}
