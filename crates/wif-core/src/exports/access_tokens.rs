//! `accessTokens`: a secret variable for each, and a plain one with its end.

use time::OffsetDateTime;

use super::variable::{Value, Variable};
use crate::{azure::resource::Resource, human_time::rfc3339, secret::Secret};

/// An access token that a variable is asked for.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The variable.
    pub variable: String,
    /// What the token is for.
    pub resource: Resource,
    /// The token.
    pub token: Secret,
    /// Its end.
    pub expires: OffsetDateTime,
}

/// The variables of access tokens.
pub fn variables(tokens: &[Granted]) -> impl Iterator<Item = Variable> {
    tokens.iter().flat_map(|granted| {
        [
            Variable { name: granted.variable.clone(), value: Value::Secret(granted.token.clone()) },
            Variable::plain(&expires_on(&granted.variable), rfc3339(granted.expires)),
        ]
    })
}

/// The name of the variable with the end of the token in `variable`.
#[must_use]
pub fn expires_on(variable: &str) -> String {
    format!("{variable}_EXPIRES_ON")
}
