//! Who another person is, and words of the commands for that person.

/// For which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who may change applications.
    Entra,
    /// Who may change managed identities.
    Azure,
    /// Who may change connections.
    DevOps,
    /// Who keeps the code.
    Terraform,
}

/// The options by which the Azure CLI finds a managed identity.
pub(super) fn identity(path: &str) -> String {
    let parts: Vec<_> = path.split('/').collect();
    let after = |word: &str| {
        let at = parts.iter().position(|part| part.eq_ignore_ascii_case(word));
        at.and_then(|at| parts.get(at + 1)).copied().unwrap_or_default()
    };
    format!(
        "--subscription {} --resource-group {} --identity-name {}",
        quoted(after("subscriptions")),
        quoted(after("resourceGroups")),
        quoted(after("userAssignedIdentities"))
    )
}

/// A word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_shell_cannot_end_itself() {
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}
