//! What a request may ask for only with `--allow-privileged`.

use std::collections::BTreeSet;

use serde_json::Value;
use wif_core::{
    azure::role::{PRIVILEGED, is_privileged, is_whole, name_of},
    failure::Failure,
};

use super::unplanned::{Unplanned, unread, wrong};
use crate::{
    change::{
        service::{CallError, Services},
        vend::look::Identity,
    },
    cli::files::argument,
    request::{Request, RequestedIdentity},
    rule::root_of,
};

const HINT: &str = "ask for less, or give --allow-privileged";

/// Refuses a privileged role, and a scope that is a whole subscription or management group.
///
/// # Errors
///
/// The request asks for one.
pub(super) fn refuse_privileged(request: &Request) -> Result<(), Failure> {
    let refused = |entry: &str, why: String| {
        let error = format!("{}: {entry}: {why}", request.file);
        Err(argument(error, HINT))
    };
    if is_whole(&request.scope) {
        return refused("scope", format!("{} is a whole subscription or management group", request.scope));
    }
    for (number, one) in request.access.iter().enumerate() {
        let entry = format!("access[{number}] {{ role: {}, scope: {} }}", one.role, one.scope);
        if PRIVILEGED.iter().any(|role| role.name.eq_ignore_ascii_case(one.role.trim())) {
            return refused(&entry, format!("{} is a privileged role", one.role));
        }
        if is_whole(&one.scope) {
            return refused(&entry, "its scope is a whole subscription or management group".to_owned());
        }
    }
    Ok(())
}

/// Refuses an identity that is there and has a privileged role in the subscriptions or management groups that the request names.
/// One that was made for a request has what requests ask for.
///
/// # Errors
///
/// It has one, or its roles cannot be read.
pub(super) async fn refuse_privileged_identity(
    services: &Services,
    request: &Request,
    identity: Option<&Identity>,
) -> Result<(), Unplanned> {
    let RequestedIdentity::Existing { client } = &request.identity else { return Ok(()) };
    let unusable = || unread("the identity's service principal", &CallError::Unusable(200));
    let principal = identity.and_then(|one| one.principal).ok_or_else(unusable)?;
    let scopes = request.access.iter().map(|one| &one.scope).chain([&request.scope]);
    let roots: BTreeSet<_> = scopes.map(|scope| root_of(scope)).collect();
    for root in roots {
        let all = services.role_assignments(&root, principal).await;
        for one in all.map_err(|error| unread("the role assignments", &error))? {
            let of = |name: &str| {
                one.pointer(&format!("/properties/{name}")).and_then(Value::as_str).unwrap_or_default()
            };
            let (role, scope) = (of("roleDefinitionId").rsplit('/').next(), of("scope"));
            if is_privileged(role, None, scope) {
                let name = role.and_then(name_of).unwrap_or("privileged");
                let why = format!("the identity with the client id {client} is {name} of {scope}");
                return Err(wrong(request, "identity", &why, HINT));
            }
        }
    }
    Ok(())
}
