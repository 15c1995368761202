//! The output variables of the step: they tell other jobs and stages which identity is signed in.

use uuid::Uuid;
use wif_core::exports::{Value, Variable};

use crate::agent::connection::Connection;

/// The output variables of a session. What the connection does not have is left out.
///
/// None has the name of an exported variable: the agent would no longer set that one for later steps.
pub(super) fn output_variables(connection: &Connection, client: Option<Uuid>) -> Vec<Variable> {
    let subscription = connection.subscription.as_ref().map(|subscription| subscription.id.to_string());
    let values = [
        ("clientId", client.map(|client| client.to_string())),
        ("tenantId", Some(connection.identity.tenant.to_string())),
        ("subscriptionId", subscription),
        ("authorityHost", Some(connection.identity.authority.as_str().to_owned())),
        ("connectionId", Some(connection.id.to_string())),
        ("scheme", Some(connection.scheme.to_string())),
    ];
    let present = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    present.map(|(name, value)| Variable { name: name.to_owned(), value: Value::Plain(value) }).collect()
}
