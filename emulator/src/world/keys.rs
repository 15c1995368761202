//! The keys that sign tokens: one of Azure DevOps, one of Entra, made once per process when first needed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

const RSA_KEY_BITS: usize = 2048;

/// Signs the tokens of the Azure DevOps issuer.
pub(crate) fn devops() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::of(&pair("devops")))
}

/// Signs the id tokens and access tokens of Entra, for every tenant.
pub(crate) fn entra() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::of(&pair("entra")))
}

/// Signs the id tokens of every other issuer.
pub(crate) fn sources() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::of(&pair("sources")))
}

/// A key pair, in the forms that signing, checking and publishing need.
pub(crate) struct Key {
    id: String,
    private: EncodingKey,
    public: DecodingKey,
    modulus: String,
    exponent: String,
}

impl Key {
    fn of(pair: &RsaPrivateKey) -> Self {
        let modulus = URL_SAFE_NO_PAD.encode(pair.n().to_bytes_be());
        let exponent = URL_SAFE_NO_PAD.encode(pair.e().to_bytes_be());
        let der = pair.to_pkcs1_der().expect("an RSA key has a DER form");
        Self {
            id: modulus.chars().take(27).collect(),
            private: EncodingKey::from_rsa_der(der.as_bytes()),
            public: DecodingKey::from_rsa_components(&modulus, &exponent).expect("both are base64url"),
            modulus,
            exponent,
        }
    }

    /// A JWT with these claims, RS256.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.clone());
        header.x5t = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private).expect("claims can be signed")
    }

    /// The claims, if this key signed them; the caller must check times and audience.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        verify_signature(token, &self.public, Algorithm::RS256)
    }

    /// The key as an entry of a JWKS document.
    pub(crate) fn published(&self, issuer: &str) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "x5t": self.id,
            "n": self.modulus, "e": self.exponent, "issuer": issuer,
        })
    }
}

/// Names a folder in which processes of one run of tests find the key pairs that one of them has made.
const FOLDER_VARIABLE: &str = "EMULATOR_KEYS";

/// A key pair of this name. To make one takes some tenths of a second, so it is kept where a folder is named for that.
pub(crate) fn pair(name: &str) -> RsaPrivateKey {
    #[expect(
        clippy::disallowed_methods,
        reason = "the emulator has no world that a variable could come from"
    )]
    let folder = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
    let Some(folder) = folder else { return new_pair() };
    let file = folder.join(name);
    let kept = std::fs::read(&file).ok().and_then(|der| RsaPrivateKey::from_pkcs1_der(&der).ok());
    kept.unwrap_or_else(|| keep(new_pair(), &file))
}

/// Another process may keep one at the same time: the last one stays, and each is good.
fn keep(pair: RsaPrivateKey, file: &Path) -> RsaPrivateKey {
    let der = pair.to_pkcs1_der().expect("an RSA key has a DER form");
    let whole = file.with_extension(std::process::id().to_string());
    // Where it cannot be kept, the next process makes its own.
    let _kept = std::fs::write(&whole, der.as_bytes()).and_then(|()| std::fs::rename(&whole, file));
    pair
}

fn new_pair() -> RsaPrivateKey {
    RsaPrivateKey::new(&mut OsRng, RSA_KEY_BITS).expect("an RSA key can be made")
}

/// The claims, if the key with these parameters signed them by RS256 or PS256, which Entra accepts of clients.
pub(crate) fn verify_with(modulus: &str, exponent: &str, token: &str) -> Option<Value> {
    let algorithm = jsonwebtoken::decode_header(token).ok()?.alg;
    let key = DecodingKey::from_rsa_components(modulus, exponent).ok()?;
    let accepted = matches!(algorithm, Algorithm::RS256 | Algorithm::PS256);
    accepted.then(|| verify_signature(token, &key, algorithm)).flatten()
}

fn verify_signature(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Value> {
    let mut rules = Validation::new(algorithm);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.validate_aud = false;
    jsonwebtoken::decode::<Value>(token, key, &rules).ok().map(|data| data.claims)
}

/// The claims of a JWT, without any check; none where the text is no JWT.
#[must_use]
pub fn unverified_claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Random text of `bytes` bytes, in base64url.
pub(crate) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the machine has randomness");
    URL_SAFE_NO_PAD.encode(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_that_signed_verifies() {
        let token = entra().sign(&json!({"sub": "someone"}));
        assert!(devops().verify(&token).is_none());
        assert_eq!(entra().verify(&token), Some(json!({"sub": "someone"})));
        assert_eq!(unverified_claims(&token), Some(json!({"sub": "someone"})));
    }

    #[test]
    fn what_is_not_a_token_claims_nothing() {
        assert_eq!(unverified_claims("one.two"), None);
        assert_eq!(unverified_claims("a.b.c.d"), None);
    }
}
