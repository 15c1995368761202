//! The proof that a broker has the key of its session, for a caller that has not shown it yet.
//!
//! Another program may have taken the port of a broker that ended. So `wif` sends a random number first, and the key
//! only over the same connection, after the right answer.

use ring::hmac;
use subtle::ConstantTimeEq as _;
use wif_core::{hexadecimal::hexadecimal, secret::Secret};
use wif_io::random;

/// Digits of a nonce: 256 bits in hexadecimal.
const NONCE_DIGITS: usize = 64;
/// Domain separation: no other message that the key signs begins like this.
const DOMAIN: &[u8] = b"wif broker proof v1\n";

/// A number that is used once, in hexadecimal digits.
pub(super) struct Nonce(String);

impl Nonce {
    /// # Errors
    ///
    /// The system gave no random numbers.
    pub(super) fn random() -> Result<Self, random::Error> {
        random::bytes::<{ NONCE_DIGITS / 2 }>().map(|bytes| Self(hexadecimal(&*bytes)))
    }

    /// What a caller sent; `None` when it is not a nonce.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (digits && text.len() == NONCE_DIGITS).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The proof of a broker that listens on this port. The port keeps another program from passing on the answer of a
    /// broker elsewhere.
    pub(super) fn proof(&self, key: &Secret, port: u16) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(DOMAIN);
        context.update(&port.to_be_bytes());
        context.update(self.0.as_bytes());
        hexadecimal(context.sign().as_ref())
    }

    /// Whether a text is that proof, in the same time wherever two texts of one length differ.
    pub(super) fn is_proven(&self, key: &Secret, port: u16, proof: &str) -> bool {
        self.proof(key, port).as_bytes().ct_eq(proof.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_one_key_one_port_and_one_nonce() {
        let key = Secret::new("key".to_owned());
        let nonce = Nonce::parse(&"0a".repeat(32)).unwrap();
        let proof = nonce.proof(&key, 4000);
        assert_eq!(proof.len(), 64);
        assert!(nonce.is_proven(&key, 4000, &proof));
        assert!(!nonce.is_proven(&key, 4001, &proof));
        assert!(!nonce.is_proven(&Secret::new("kex".to_owned()), 4000, &proof));
        assert!(!Nonce::parse(&"0b".repeat(32)).unwrap().is_proven(&key, 4000, &proof));
        assert!(!nonce.is_proven(&key, 4000, "") && !nonce.is_proven(&key, 4000, proof.split_at(63).0));
    }

    #[test]
    fn what_is_not_64_hexadecimal_digits_is_not_a_nonce() {
        for text in ["", "0a", &"0A".repeat(32), &"0a".repeat(33), &"é".repeat(32), &" ".repeat(64)] {
            assert!(Nonce::parse(text).is_none(), "{text}");
        }
        let (first, second) = (Nonce::random().unwrap(), Nonce::random().unwrap());
        assert_ne!(first.as_str(), second.as_str());
        assert!(Nonce::parse(first.as_str()).is_some());
    }
}
