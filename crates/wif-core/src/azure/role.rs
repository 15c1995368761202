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
