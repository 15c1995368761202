//! An answer of AWS' security token service, which is XML.

use wif_core::{foreign_text::service_message, secret::Secret};
use wif_io::http::Response;

use crate::sources::error::SourceError;

/// As a sentence names it.
pub(super) const SIGNER: &str = "AWS";

/// The text of one element of an answer in XML, or why there is none.
pub(super) fn element(answer: &Response, name: &str) -> Result<Secret, SourceError> {
    let status = answer.status;
    let text = answer.text();
    let between = |name: &str| {
        let text = text.as_ref()?.expose();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
    };
    if (200..=299).contains(&status) {
        let value = between(name).filter(|value| !value.is_empty()).map(Secret::new);
        return value.ok_or(SourceError::NoToken { signer: SIGNER, status, body: answer.kind() });
    }
    let code = between("Code").unwrap_or_default();
    let said = service_message(&format!("{code}: {}", between("Message").unwrap_or_default()));
    let mend = match &*code {
        "OutboundWebIdentityFederationDisabled" => {
            "enable it once for the account: aws iam enable-outbound-web-identity-federation"
        }
        "AccessDenied" => "let the role call sts:GetWebIdentityToken",
        "ExpiredToken" | "ExpiredTokenException" => {
            "get new keys for the role, or a source of keys that renews them"
        }
        "SignatureDoesNotMatch" | "RequestExpired" => "check the keys, AWS_REGION and this machine's clock",
        _ => "look at the role and its keys: aws sts get-caller-identity",
    };
    Err(SourceError::Refused { signer: SIGNER, status, said, mend: mend.to_owned() })
}
