//! `accessTokens`: a secret variable for each, and a plain one with its end.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{Value, Variable};
use crate::{identity::resource::Resource, secret::Secret};

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
pub(crate) fn expires_on(variable: &str) -> String {
    format!("{variable}_EXPIRES_ON")
}

/// Whole seconds, in UTC.
pub(crate) fn rfc3339(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(UtcOffset::UTC);
    let moment = moment.replace_nanosecond(0).unwrap_or(moment);
    // Years beyond 9999 have no such form; no token lives so long.
    moment.format(&Rfc3339).unwrap_or_default()
}
