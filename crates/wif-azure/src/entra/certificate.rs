//! A certificate with its key, and the assertion that is signed with it.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use url::Url;
use uuid::Uuid;
use wif_core::{hexadecimal::hexadecimal, pem, secret::Secret};
use wif_io::random;
use zeroize::Zeroizing;

/// A certificate that an application is registered with, and the key that proves it.
pub struct Certificate {
    key: RsaKeyPair,
    /// SHA-256 of the certificate, as Entra finds it by.
    sha256: String,
    /// SHA-1 of the certificate, as people find it by.
    thumbprint: String,
}

/// A text that is no certificate with its key. Nothing of the text is in the error.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Something in it is no PEM.
    #[error("it is not whole PEM text (RFC 7468)")]
    Pem,
    /// No `CERTIFICATE`.
    #[error("it has no certificate (a section BEGIN CERTIFICATE)")]
    NoCertificate,
    /// No key.
    #[error("it has no private key (a section BEGIN PRIVATE KEY, or BEGIN RSA PRIVATE KEY)")]
    NoKey,
    /// A key behind a password.
    #[error("its private key is encrypted, and a connection holds no password for it")]
    Encrypted,
    /// A key that Entra takes no signature of.
    #[error("its private key is not RSA, which is the only kind that Entra accepts")]
    NotRsa,
    /// A damaged key, or one of a size that is not accepted.
    #[error("its private key is not accepted: {reason}; accepted is RSA of 2048 to 4096 bits")]
    Key {
        /// What is wrong with it.
        reason: String,
    },
    /// The two do not belong together.
    #[error("its private key does not belong to its certificate")]
    KeyMismatch,
    /// The machine has no randomness.
    #[error("its private key could not sign")]
    Sign,
}

/// How long an assertion is valid. It is used at once.
const ASSERTION_LIFETIME: Duration = Duration::minutes(10);

impl Certificate {
    /// Reads certificate and key of a PEM text, in any order; further certificates, as of a chain, are passed over.
    ///
    /// # Errors
    ///
    /// One of the two is missing or cannot be used.
    pub fn read(text: &Secret) -> Result<Self, CertificateError> {
        let text = text.expose();
        let mut certificates = Vec::new();
        let mut key = None;
        // The two ways of writing it: PKCS#8, and the older one of OpenSSL.
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(CertificateError::Encrypted);
        }
        let sections = pem::sections(text.as_bytes());
        for section in sections.filter_map(|text| <(SectionKind, Vec<u8>)>::pem_slice_iter(text).next()) {
            let (kind, der) = section.map_err(|_error| CertificateError::Pem)?; // the parser's text may quote a line
            let der = Zeroizing::new(der);
            let reason =
                |error: ring::error::KeyRejected| CertificateError::Key { reason: error.to_string() };
            match kind {
                SectionKind::Certificate => certificates.push(der),
                SectionKind::PrivateKey if !is_rsa(&der) => return Err(CertificateError::NotRsa),
                SectionKind::EcPrivateKey => return Err(CertificateError::NotRsa),
                SectionKind::PrivateKey => key = Some(RsaKeyPair::from_pkcs8(&der).map_err(reason)?),
                SectionKind::RsaPrivateKey => key = Some(RsaKeyPair::from_der(&der).map_err(reason)?),
                _ => {}
            }
        }
        if certificates.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let key = key.ok_or(CertificateError::NoKey)?;
        // A certificate holds its public key in the very form that RFC 8017 §A.1.1 gives it.
        let public = key.public().as_ref();
        let own =
            certificates.iter().find(|der| contains(der, public)).ok_or(CertificateError::KeyMismatch)?;
        let sha256 = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, own));
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, own);
        Ok(Self { key, sha256, thumbprint: hexadecimal(sha1.as_ref()).to_uppercase() })
    }

    /// The thumbprint that the application's page shows beside its certificates.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// An assertion that `client` signs for the token endpoint `audience` (RFC 7523 §3), valid from `now` on.
    ///
    /// # Errors
    ///
    /// The key could not sign.
    pub fn assertion(
        &self,
        client: Uuid,
        audience: &Url,
        now: OffsetDateTime,
    ) -> Result<Secret, CertificateError> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.sha256 });
        let claims = json!({
            "aud": audience.as_str(),
            "iss": client.to_string(),
            "sub": client.to_string(),
            "jti": random::id().to_string(),
            "nbf": now.unix_timestamp(),
            "exp": (now + ASSERTION_LIFETIME).unix_timestamp(),
        });
        let encoded = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let mut token = format!("{}.{}", encoded(header), encoded(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &random::for_signing(), token.as_bytes(), &mut signature)
            .map_err(|_error| CertificateError::Sign)?; // it says nothing
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::new(token))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// Whether a PKCS#8 key names the algorithm `rsaEncryption` (RFC 8017 §A.1).
fn is_rsa(pkcs8: &[u8]) -> bool {
    const OID: [u8; 11] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
    pkcs8.get(..40).is_some_and(|begin| contains(begin, &OID))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pem: &str) -> String {
        Certificate::read(&Secret::new(pem.to_owned())).unwrap_err().to_string()
    }

    fn section(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn what_is_missing_or_cannot_be_used_is_named() {
        let certificate = section("CERTIFICATE", "MAA=");
        for (pem, words) in [
            (String::new(), "has no certificate"),
            ("hunter2".to_owned(), "has no certificate"),
            (certificate.clone(), "has no private key"),
            (section("PRIVATE KEY", "MAA="), "not RSA"),
            (section("EC PRIVATE KEY", "MAA="), "not RSA"),
            (section("ENCRYPTED PRIVATE KEY", "MAA="), "encrypted"),
            (section("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nMAA="), "encrypted"),
            (section("RSA PRIVATE KEY", "MAA="), "not accepted"),
            (section("CERTIFICATE", "hunter2!"), "not whole PEM"),
            (certificate.replace("-----END CERTIFICATE-----", ""), "not whole PEM"),
        ] {
            let error = error(&pem);
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
    }
}
