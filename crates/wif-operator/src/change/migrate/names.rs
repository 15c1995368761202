//! How a new identity is called, and what kind it is.

use uuid::Uuid;

use crate::{change::vend::asked::guid, request::RequestedIdentity};

/// The identity that a new connection gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// An application.
    Application,
    /// A managed identity, in the region of its resource group.
    ManagedIdentity {
        /// The resource group.
        resource_group: String,
        /// The subscription.
        subscription: Uuid,
    },
}

/// The longest name of an identity, in characters: 120 for an application's unique name with `wif-` before it, 128 for a managed
/// identity ([resource names](https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules)).
const MAX_NAME: usize = 116;

impl To {
    /// The identity of the new connection `name` of a project: one of its own, so that the project is part of the name.
    #[must_use]
    pub fn identity(&self, project: &str, name: &str) -> RequestedIdentity {
        let name = identity_name(project, name);
        match self {
            Self::Application => RequestedIdentity::Application { name },
            Self::ManagedIdentity { resource_group, subscription } => RequestedIdentity::ManagedIdentity {
                name,
                resource_group: resource_group.clone(),
                subscription: *subscription,
            },
        }
    }
}

/// Letters, digits, `-` and `_`, which both kinds of identities take. Where something is lost by that, a few digits tell names apart.
fn identity_name(project: &str, connection: &str) -> String {
    let wanted = format!("{project}-{connection}");
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let mut name: String = wanted.chars().map(plain).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name.insert_str(0, "sc");
    }
    let is_exact = name.replace('-', " ") == wanted.replace('-', " ") && name.len() <= MAX_NAME;
    if is_exact {
        return name;
    }
    let digits: String = guid(&wanted.to_lowercase()).simple().to_string().chars().take(8).collect();
    name.truncate(MAX_NAME - digits.len() - 1);
    format!("{name}-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_both_kinds_of_identities_and_stay_apart() {
        assert_eq!(identity_name("Shop 1", "sc-app-wif"), "Shop-1-sc-app-wif");
        for (one, other) in [("sc.app", "sc+app"), ("größe", "grüße"), ("_x", "x")] {
            assert_ne!(identity_name("Shop", one), identity_name("Shop", other));
        }
        let long = identity_name("Shop", &"x".repeat(300));
        assert_eq!(long.len(), MAX_NAME);
        for name in [long, identity_name("(Shop)", "sc'; rm -rf /"), identity_name("", "")] {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            assert!(name.chars().all(is_plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }
}
