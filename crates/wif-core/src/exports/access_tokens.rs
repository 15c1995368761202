//! `accessTokens`: a secret variable for each, and a plain one with its end.

use time::OffsetDateTime;

use super::variable::{Value, Variable};
use crate::{azure::resource::Resource, human_time::rfc3339, secret::Secret};

/// An access token that a variable is asked for.
#[derive(Clone, Debug)]
pub struct NamedToken {
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
pub fn variables(tokens: &[NamedToken]) -> impl Iterator<Item = Variable> {
    tokens.iter().flat_map(|named| {
        [
            Variable { name: named.variable.clone(), value: Value::Secret(named.token.clone()) },
            Variable::plain(&expires_on(&named.variable), rfc3339(named.expires)),
        ]
    })
}

/// The name of the variable with the end of the token in `variable`.
#[must_use]
pub fn expires_on(variable: &str) -> String {
    format!("{variable}_EXPIRES_ON")
}
