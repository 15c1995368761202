//! What a request may ask for only with `--allow-privileged`.

use wif_core::failure::Failure;

use crate::{cli::files::argument, request::Request};

/// Roles by which an identity can give itself more.
const ROLES: [&str; 3] = ["Owner", "User Access Administrator", "Role Based Access Control Administrator"];

/// Refuses a privileged role, and a scope that is a whole subscription or management group.
///
/// # Errors
///
/// The request asks for one.
pub(super) fn refuse_privileged(request: &Request) -> Result<(), Failure> {
    let refused = |entry: &str, why: String| {
        let error = format!("{}: {entry}: {why}", request.file);
        Err(argument(error, "ask for less, or give --allow-privileged"))
    };
    if is_bare(&request.scope) {
        return refused("scope", format!("{} is a whole subscription or management group", request.scope));
    }
    for (number, one) in request.access.iter().enumerate() {
        let entry = format!("access[{number}] {{ role: {}, scope: {} }}", one.role, one.scope);
        if ROLES.iter().any(|role| role.eq_ignore_ascii_case(one.role.trim())) {
            return refused(&entry, format!("{} is a privileged role", one.role));
        }
        if is_bare(&one.scope) {
            return refused(&entry, "its scope is a whole subscription or management group".to_owned());
        }
    }
    Ok(())
}

fn is_bare(scope: &str) -> bool {
    let length = scope.trim_end_matches('/').matches('/').count();
    let lower = scope.to_ascii_lowercase();
    lower.starts_with("/subscriptions/") && length == 2
        || lower.starts_with("/providers/microsoft.management/managementgroups/")
}
