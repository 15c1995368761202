//! Signature Version 4, for a form that is sent to a service's root.
//!
//! Source: AWS' documentation, "Create a signed AWS API request".

use ring::{digest, hmac};
use time::OffsetDateTime;
use url::{Url, form_urlencoded};
use wif_core::{hexadecimal::hexadecimal, secret::Secret};
use zeroize::Zeroizing;

use super::keys::Credentials;

/// The headers that a signed request has beside the session token.
pub(super) struct Signed {
    /// `x-amz-date`
    pub(super) date: String,
    pub(super) authorization: Secret,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs the form for this moment.
pub(super) fn sign(
    keys: &Credentials,
    url: &Url,
    form: &[(&str, &str)],
    region: &str,
    service: &str,
    moment: OffsetDateTime,
) -> Signed {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    let day = format!("{:04}{:02}{:02}", moment.year(), u8::from(moment.month()), moment.day());
    let date = format!("{day}T{:02}{:02}{:02}Z", moment.hour(), moment.minute(), moment.second());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut canonical = format!("POST\n/\n\nhost:{host}\nx-amz-date:{date}\n");
    let mut signed = "host;x-amz-date".to_owned();
    if let Some(token) = &keys.session_token {
        for part in ["x-amz-security-token:", token.expose(), "\n"] {
            canonical.push_str(part);
        }
        signed.push_str(";x-amz-security-token");
    }
    let canonical = Zeroizing::new([&canonical, "\n", &signed, "\n", &hash(body.as_bytes())].concat());
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
    let mut key = Zeroizing::new(format!("AWS4{}", keys.secret.expose()).into_bytes());
    for part in [&*day, region, service, "aws4_request", &to_sign] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes());
        key = Zeroizing::new(tag.as_ref().to_vec());
    }
    let (id, signature) = (keys.id.expose(), hexadecimal(&key));
    let text = format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}");
    Signed { date, authorization: Secret::new(text) }
}

fn hash(bytes: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// As botocore 1.43 signs it (`botocore.auth.SigV4Auth`).
    #[test]
    fn the_signature_is_that_of_awss_own_library() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let keys = Credentials {
            id: secret("AKIDEXAMPLE"),
            secret: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Some(secret("session/token+==")),
        };
        let url = Url::parse("https://sts.eu-central-1.amazonaws.com/").unwrap();
        let form = [
            ("Action", "GetWebIdentityToken"),
            ("Version", "2011-06-15"),
            ("Audience.member.1", "api://AzureADTokenExchange"),
            ("SigningAlgorithm", "RS256"),
        ];
        let signed = sign(&keys, &url, &form, "eu-central-1", "sts", datetime!(2026-11-26 12:34:56 UTC));
        assert_eq!(signed.date, "20261126T123456Z");
        let signature = signed.authorization.expose().rsplit('=').next().unwrap().to_owned();
        assert_eq!(signature, "84a5c6d97aea4aa15b92a0f07f01d60b00a9f7a4f03ca75b3b9c217d50d0cab0");
    }
}
