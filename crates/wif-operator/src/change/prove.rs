//! What `TestConnection` says: whether the connection signs in, and if not, which party has to change what.

use serde_json::Value;
use wif_core::foreign_text::one_line;

/// What a proof has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It signs in.
    Proven,
    /// It signs in, and may do nothing at its scope: that is another matter than signing in.
    WithoutRole(String),
    /// Entra does not trust the id token (yet).
    NotTrusted(String),
    /// Entra does not know the identity (yet).
    NotKnown(String),
    /// Entra refuses what is stored, or the identity itself.
    IdentityRefused(String),
    /// The connection is disabled.
    Disabled(String),
    /// An approval or check is pending.
    ApprovalPending(String),
    /// Azure DevOps could not reach a service.
    Network(String),
    /// Something else.
    Other(String),
}

/// Refusals of Entra that end when a federated credential has spread.
const NOT_TRUSTED: [&str; 5] = ["AADSTS70021", "AADSTS70025", "AADSTS700211", "AADSTS700212", "AADSTS700213"];
/// Refusals of Entra that end when a new application, or its service principal, has spread.
const NOT_KNOWN: [&str; 2] = ["AADSTS700016", "AADSTS7000229"];
const NETWORK: [&str; 6] = [
    "could not be resolved",
    "timed out",
    "unable to connect",
    "connection was closed",
    "no such host",
    "service unavailable",
];
/// The longest text, in characters.
const MAX_TEXT: usize = 400;

impl Proof {
    /// Reads the answer of `TestConnection`.
    #[must_use]
    pub fn parse(answer: &Value) -> Self {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let (status, message) = (text("statusCode"), text("errorMessage"));
        if status.eq_ignore_ascii_case("ok") {
            return Self::Proven;
        }
        let shown = one_line(message, MAX_TEXT);
        let lower = message.to_lowercase();
        let has = |part: &str| lower.contains(&part.to_lowercase());
        if NOT_TRUSTED.iter().any(|code| has_code(message, code)) {
            Self::NotTrusted(shown)
        } else if NOT_KNOWN.iter().any(|code| has_code(message, code)) {
            Self::NotKnown(shown)
        } else if message.contains("AADSTS") {
            Self::IdentityRefused(shown)
        } else if has("AuthorizationFailed") || has("SubscriptionNotFound") {
            Self::WithoutRole(shown)
        } else if has("disabled") {
            Self::Disabled(shown)
        } else if has("approval") || has("checks") {
            Self::ApprovalPending(shown)
        } else if NETWORK.iter().any(|part| has(part)) {
            Self::Network(shown)
        } else {
            let status = one_line(status, 40);
            Self::Other(if shown.is_empty() { format!("status {status}") } else { shown })
        }
    }

    /// Whether it signs in.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        matches!(self, Self::Proven | Self::WithoutRole(_))
    }

    /// Whether another attempt may help. `is_new`: the identity was made just now.
    #[must_use]
    pub const fn may_pass(&self, is_new: bool) -> bool {
        match self {
            Self::NotTrusted(_) | Self::Network(_) => true,
            Self::NotKnown(_) => is_new,
            _ => false,
        }
    }

    /// What it means, and what to do next.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Proven => "it signs in".to_owned(),
            Self::WithoutRole(text) => {
                format!("it signs in, and its identity may not read its scope: assign a role there ({text})")
            }
            Self::NotTrusted(text) => format!(
                "Entra does not trust its id token: compare the federated credential with issuer and subject ({text})"
            ),
            Self::NotKnown(text) => {
                format!(
                    "Entra does not know the identity: check the application and its service principal ({text})"
                )
            }
            Self::IdentityRefused(text) => {
                format!("Entra refuses the identity: check the application and what is stored ({text})")
            }
            Self::Disabled(text) => format!("the connection is disabled: enable it first ({text})"),
            Self::ApprovalPending(text) => format!("an approval or check is pending: have it given ({text})"),
            Self::Network(text) => {
                format!("Azure DevOps could not reach a service: try again later ({text})")
            }
            Self::Other(text) => format!("Azure DevOps says something else: {text}"),
        }
    }
}

/// Whether a text has a code that is not the beginning of a longer one.
fn has_code(text: &str, code: &str) -> bool {
    text.match_indices(code).any(|(at, _)| {
        let rest = text.get(at + code.len()..).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(status: &str, message: &str) -> Proof {
        Proof::parse(&json!({ "statusCode": status, "errorMessage": message }))
    }

    #[test]
    fn each_reason_is_another_answer() {
        assert_eq!(parsed("ok", ""), Proof::Proven);
        assert_eq!(parsed("OK", ""), Proof::Proven);
        let forbidden = "Failed to query service connection API: 'https://x'. Status Code: 'Forbidden', Response from server: '{\"error\":{\"code\":\"AuthorizationFailed\"}}'";
        assert!(matches!(parsed("forbidden", forbidden), Proof::WithoutRole(_)));
        assert!(parsed("forbidden", forbidden).is_proven());
        for code in ["70021", "700211", "700213", "70025"] {
            let proof = parsed("unauthorized", &format!("AADSTS{code}: No matching"));
            assert!(
                matches!(proof, Proof::NotTrusted(_)) && proof.may_pass(false) && !proof.is_proven(),
                "{code}"
            );
        }
        assert!(matches!(parsed("x", "AADSTS7000222: The secret is expired"), Proof::IdentityRefused(_)));
        for code in ["700016", "7000229"] {
            let proof = parsed("x", &format!("AADSTS{code}: Application not found"));
            assert!(matches!(proof, Proof::NotKnown(_)) && proof.may_pass(true) && !proof.may_pass(false));
        }
        assert!(matches!(parsed("x", "The service connection sc is disabled."), Proof::Disabled(_)));
        assert!(matches!(parsed("x", "An approval is pending"), Proof::ApprovalPending(_)));
        assert!(matches!(parsed("x", "The operation has timed out"), Proof::Network(_)));
        assert!(matches!(parsed("teapot", ""), Proof::Other(_)));
        assert!(!parsed("teapot", "").is_proven() && !parsed("teapot", "").may_pass(true));
    }
}
