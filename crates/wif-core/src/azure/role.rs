//! Azure's built-in roles that are judged, or named where only their ids are told. The ids are the same in every tenant.
//!
//! Source: Microsoft Learn, "Azure built-in roles".

/// A role that Azure defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInRole {
    /// The id of its definition, in lower case.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// Everything, and giving roles.
pub const OWNER: BuiltInRole = BuiltInRole { id: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", name: "Owner" };
/// Everything but giving roles.
pub const CONTRIBUTOR: BuiltInRole =
    BuiltInRole { id: "b24988ac-6180-42a0-ab88-20f7382dd24c", name: "Contributor" };
/// Reading.
pub const READER: BuiltInRole = BuiltInRole { id: "acdd72a7-3385-48ef-bd42-f606fba81ae7", name: "Reader" };
/// Giving roles.
pub const USER_ACCESS_ADMINISTRATOR: BuiltInRole =
    BuiltInRole { id: "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", name: "User Access Administrator" };
/// Giving roles, as far as conditions allow.
pub const ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR: BuiltInRole = BuiltInRole {
    id: "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    name: "Role Based Access Control Administrator",
};
/// The roles that can give roles.
pub const PRIVILEGED: [BuiltInRole; 3] =
    [OWNER, USER_ACCESS_ADMINISTRATOR, ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR];

const ALL: [BuiltInRole; 5] =
    [OWNER, CONTRIBUTOR, READER, USER_ACCESS_ADMINISTRATOR, ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR];

/// The name of the role with this id, where it is one of these.
#[must_use]
pub fn name_of(id: &str) -> Option<&'static str> {
    ALL.into_iter().find(|role| role.id.eq_ignore_ascii_case(id)).map(|role| role.name)
}

/// Whether a scope is a whole subscription or management group, or `/`, the root of the tenant.
#[must_use]
pub fn is_whole(scope: &str) -> bool {
    let scope = scope.trim_matches('/').to_ascii_lowercase();
    let segments: Vec<_> = scope.split('/').collect();
    matches!(
        segments.as_slice(),
        [""] | ["subscriptions", _] | ["providers", "microsoft.management", "managementgroups", _]
    )
}

/// Whether an assignment lets its holder take more for itself, or nearly everything: a role that can give roles, anywhere, or
/// Contributor on a whole subscription or management group. The role is known by its id, its name, or both.
#[must_use]
pub fn is_privileged(id: Option<&str>, name: Option<&str>, scope: &str) -> bool {
    let is = |one: &BuiltInRole| {
        id.is_some_and(|id| id.eq_ignore_ascii_case(one.id))
            || name.is_some_and(|name| name.trim().eq_ignore_ascii_case(one.name))
    };
    PRIVILEGED.iter().any(is) || is(&CONTRIBUTOR) && is_whole(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_scope_is_told_from_what_lies_in_it() {
        for scope in [
            "/",
            "/subscriptions/1",
            "/Subscriptions/1/",
            "/providers/Microsoft.Management/managementGroups/root",
        ] {
            assert!(is_whole(scope), "{scope}");
            assert!(is_privileged(None, Some("contributor"), scope), "{scope}");
        }
        for scope in
            ["/subscriptions/1/resourceGroups/rg", "/subscriptions", "/providers/Microsoft.Management"]
        {
            assert!(!is_whole(scope), "{scope}");
            assert!(!is_privileged(Some(CONTRIBUTOR.id), None, scope), "{scope}");
            assert!(is_privileged(Some(&OWNER.id.to_uppercase()), None, scope), "{scope}");
        }
        assert!(!is_privileged(Some(READER.id), Some(READER.name), "/"));
    }
}
