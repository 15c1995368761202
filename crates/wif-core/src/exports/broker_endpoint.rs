//! Where later steps find the broker of a session.

use super::variable::{Value, Variable};
use crate::secret::Secret;

/// Where the broker is, and the key that opens it.
#[derive(Clone, Debug)]
pub struct BrokerEndpoint {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The key: masked, but no secret variable, which would not reach a script's environment.
    pub key: Secret,
    /// Path of the id token's dialects.
    pub id_token: &'static str,
    /// Path, with a query, of the id token for Google Cloud.
    pub google_id_token: &'static str,
    /// Path of azd's protocol.
    pub azd: &'static str,
    /// Whether callers may have the id token: the connection is federated, and no guard limits the resources.
    pub gives_id_token: bool,
}

/// The path of a broker's App Service protocol: by it a later sign-in knows the broker of an earlier one.
pub const IDENTITY_PATH: &str = "/identity";

/// App Service's protocol: the variables with the endpoint's URL and with the value of `X-IDENTITY-HEADER`.
pub const IDENTITY_VARIABLES: [&str; 2] = ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"];

/// The names under which a session keeps the machine's own `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` for later ones.
pub const KEPT_MACHINE_VARIABLES: [&str; 2] = ["WIF_MACHINE_ENDPOINT", "WIF_MACHINE_HEADER"];

impl BrokerEndpoint {
    /// An endpoint that leads nowhere: for the names of the variables.
    #[must_use]
    pub fn placeholder() -> Self {
        let (url, key) = (String::new(), Secret::new(String::new()));
        Self { url, key, id_token: "", google_id_token: "", azd: "", gives_id_token: true }
    }

    /// Whether a value was made of [`BrokerEndpoint::placeholder`]: what it will be is not known before there is a broker.
    #[must_use]
    pub fn is_unknown(value: &str) -> bool {
        value.is_empty() || value.starts_with('?') || value == IDENTITY_PATH
    }

    /// A variable with the key.
    pub(super) fn keyed(&self, name: &str) -> Variable {
        Variable { name: name.to_owned(), value: Value::Masked(self.key.clone()) }
    }

    pub(super) fn identity_pair(&self) -> Vec<Variable> {
        let [address, key] = IDENTITY_VARIABLES;
        vec![Variable::plain(address, format!("{}{IDENTITY_PATH}", self.url)), self.keyed(key)]
    }

    /// The URL that has the key in its path, for tools that send none in a header.
    pub(super) fn msi_url(&self) -> Secret {
        Secret::new(format!("{}/{}{IDENTITY_PATH}", self.url, self.key.expose()))
    }
}
