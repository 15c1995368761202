//! A client certificate with its RSA key, made once per process when first needed: the PEM texts that a connection
//! stores, and the public part that an application is registered with.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use ring::digest;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::world::clock::Clock;
use crate::world::directory::entra::Certificate;
use crate::world::keys;

/// A certificate and its key, in PEM.
pub struct ClientCertificate {
    /// The public part, for the registration of an application.
    pub registered: Certificate,
    /// The certificate alone.
    pub certificate: String,
    /// The key in PKCS#8 (`BEGIN PRIVATE KEY`).
    pub key: String,
    /// The same key in PKCS#1 (`BEGIN RSA PRIVATE KEY`).
    pub older_key: String,
}

impl ClientCertificate {
    /// The usual one.
    #[must_use]
    pub fn usual() -> &'static Self {
        static USUAL: OnceLock<ClientCertificate> = OnceLock::new();
        USUAL.get_or_init(|| Self::generate("client"))
    }

    /// Another one, which is not registered from the start.
    #[must_use]
    pub fn another() -> &'static Self {
        static ANOTHER: OnceLock<ClientCertificate> = OnceLock::new();
        ANOTHER.get_or_init(|| Self::generate("other-client"))
    }

    /// That of the key with which a registry's token service signs: a registry that has the certificate can check its tokens.
    #[must_use]
    pub fn registry() -> &'static Self {
        static REGISTRY: OnceLock<ClientCertificate> = OnceLock::new();
        REGISTRY.get_or_init(|| Self::generate("registry"))
    }

    /// A JWT with these claims, RS256, and the certificate in its header (RFC 7515, 4.1.6).
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let base64 = |pem: &str| pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
        let mut header = Header::new(Algorithm::RS256);
        header.x5c = Some(vec![base64(&self.certificate)]);
        let key = STANDARD.decode(base64(&self.older_key)).expect("PEM holds base64");
        let key = EncodingKey::from_rsa_der(&key);
        jsonwebtoken::encode(&header, claims, &key).expect("claims can be signed")
    }

    /// Certificate and key in one text, as a connection stores them.
    #[must_use]
    pub fn pem(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }

    fn generate(name: &str) -> Self {
        let pair = keys::pair(name);
        let older = pair.to_pkcs1_der().expect("an RSA key has a DER form");
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(older.as_bytes()), &PKCS_RSA_SHA256)
            .expect("it is an RSA key");
        let now = Clock::default().now();
        let (not_before, not_after) = (now - Duration::days(1), now + Duration::days(90));
        let mut params = CertificateParams::new(vec![]).expect("no names are good names");
        params.distinguished_name.push(DnType::CommonName, "emulated application");
        (params.not_before, params.not_after) = (not_before, not_after);
        let certificate = params.self_signed(&key).expect("a certificate can sign itself");
        Self {
            registered: Certificate::new(certificate.der(), &pair, not_before, not_after),
            certificate: certificate.pem().replace("\r\n", "\n"),
            key: key.serialize_pem().replace("\r\n", "\n"),
            older_key: pem("RSA PRIVATE KEY", older.as_bytes()),
        }
    }
}

impl Certificate {
    /// The claims, if its key signed them; the caller must check times and audience.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        keys::verify_with(&self.modulus, &self.exponent, token)
    }

    fn new(der: &[u8], pair: &RsaPrivateKey, not_before: OffsetDateTime, not_after: OffsetDateTime) -> Self {
        let thumbprint = |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, der));
        Self {
            sha1: thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            sha256: thumbprint(&digest::SHA256),
            modulus: URL_SAFE_NO_PAD.encode(pair.n().to_bytes_be()),
            exponent: URL_SAFE_NO_PAD.encode(pair.e().to_bytes_be()),
            not_before,
            not_after,
        }
    }
}

/// PKCS#8 is PKCS#1 with the algorithm before it (RFC 5208 §5).
fn pkcs8(pkcs1: &[u8]) -> PrivatePkcs8KeyDer<'static> {
    const VERSION_AND_ALGORITHM: [u8; 18] = [
        0x02, 0x01, 0x00, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05,
        0x00,
    ];
    let within = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("a key is not that long").to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    };
    let key = within(0x04, pkcs1);
    within(0x30, &[&VERSION_AND_ALGORITHM[..], &key].concat()).into()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
