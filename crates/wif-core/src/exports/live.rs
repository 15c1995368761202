//! What later steps find while a broker keeps the session alive: `refresh: true`.

use std::collections::BTreeSet;

use super::{Facts, Family, Value, Variable, always, azure_sdk, terraform, token_file};
use crate::secret::Secret;

/// Where the broker is, and the key that opens it.
#[derive(Clone, Debug)]
pub struct Door {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The key: masked, but no secret variable, which would not reach a script's environment.
    pub key: Secret,
    /// Path of the id token's dialects.
    pub id_token: &'static str,
    /// Path of azd's protocol.
    pub azd: &'static str,
    /// Whether callers may have the id token: the connection is federated, and no guard limits the resources.
    pub gives_id_token: bool,
}

/// The path of a broker's App Service protocol: by it a later sign-in knows the broker of an earlier one.
pub const IDENTITY_PATH: &str = "/identity";

/// Where tools find the App Service protocol.
const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";

/// The names under which a session keeps the machine's own `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` for later ones.
pub const MACHINE: [&str; 2] = ["WIF_MACHINE_ENDPOINT", "WIF_MACHINE_HEADER"];

/// The variables of a session that a broker keeps alive.
#[must_use]
pub fn live(families: &BTreeSet<Family>, facts: &Facts, door: &Door) -> Vec<Variable> {
    let mut variables = always::variables(facts);
    variables.extend([Variable::plain("WIF_URL", &door.url), door.keyed("WIF_KEY")]);
    for family in families {
        variables.extend(match family {
            Family::Terraform => terraform::live(facts, door),
            Family::AzureSdk => {
                let mut all = door.identity_pair();
                all.push(Variable::plain("AZD_AUTH_ENDPOINT", format!("{}{}", door.url, door.azd)));
                all.push(door.keyed("AZD_AUTH_KEY"));
                let [managed_identity, _] = azure_sdk::AZCOPY_VALUES;
                all.push(Variable::plain(azure_sdk::AZCOPY, managed_identity));
                all
            }
            Family::AzureCli => {
                let folder = facts.azure_cli_folder.as_ref();
                let folder =
                    folder.map(|folder| Variable::plain("AZURE_CONFIG_DIR", folder.to_string_lossy()));
                let extensions = facts.azure_cli_extensions.as_ref();
                let extensions =
                    extensions.map(|folder| Variable::plain("AZURE_EXTENSION_DIR", folder.to_string_lossy()));
                door.identity_pair().into_iter().chain(folder).chain(extensions).collect()
            }
            Family::TokenFile => token_file::variables(facts),
        });
    }
    if let (Some((address, header)), true) = (&facts.machine, hides_machine(&variables)) {
        let [to_address, to_header] = MACHINE;
        variables.push(Variable::plain(to_address, address));
        variables.push(Variable { name: to_header.to_owned(), value: Value::Masked(header.clone()) });
    }
    let mut seen = BTreeSet::new();
    variables.retain(|variable| seen.insert(variable.name.clone()));
    variables
}

/// Whether a session takes the names by which the machine's own identity is found.
fn hides_machine(variables: &[Variable]) -> bool {
    variables.iter().any(|variable| variable.name == IDENTITY_ENDPOINT)
}

impl Door {
    /// A door that leads nowhere: for the names of the variables.
    #[must_use]
    pub fn anywhere() -> Self {
        let (url, key) = (String::new(), Secret::new(String::new()));
        Self { url, key, id_token: "", azd: "", gives_id_token: true }
    }

    /// A variable with the key.
    pub(super) fn keyed(&self, name: &str) -> Variable {
        Variable { name: name.to_owned(), value: Value::Masked(self.key.clone()) }
    }

    pub(super) fn identity_pair(&self) -> Vec<Variable> {
        vec![
            Variable::plain(IDENTITY_ENDPOINT, format!("{}{IDENTITY_PATH}", self.url)),
            self.keyed("IDENTITY_HEADER"),
        ]
    }

    /// The URL that has the key in its path, for tools that send none in a header.
    pub(super) fn msi_url(&self) -> Secret {
        Secret::new(format!("{}/{}{IDENTITY_PATH}", self.url, self.key.expose()))
    }
}
