//! Looks for issued secrets in text that must not have any: output, files, arguments.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::world::issued::Issued;

/// Finds every issued secret in `haystack`, plain, shortened or encoded. Describes each find without the secret, by its
/// kind, its place in `issued`, and the form in which it was found.
#[must_use]
pub fn leaks(issued: &[Issued], haystack: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, secret) in issued.iter().enumerate() {
        for (form, needle) in forms_of(&secret.value) {
            if contains(haystack, needle.as_bytes()) {
                found.push(format!("{} #{at}: {form}", secret.kind));
            }
        }
    }
    found
}

/// Every form of a secret that is searched for. Forms of a few characters would be found by chance, and are left out.
fn forms_of(secret: &str) -> Vec<(String, String)> {
    let mut forms_of = vec![("plain".to_owned(), secret.to_owned())];
    for (piece, text) in pieces(secret) {
        forms_of.push((piece.to_owned(), text));
    }
    for alignment in 0..3 {
        forms_of.push((format!("base64, shifted by {alignment}"), inner_base64(secret, alignment, false)));
        forms_of.push((format!("base64url, shifted by {alignment}"), inner_base64(secret, alignment, true)));
    }
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    if encoded != secret {
        forms_of.push(("percent-encoded".to_owned(), encoded));
    }
    forms_of.retain(|(_, needle)| needle.len() >= MIN_FORM_LENGTH);
    forms_of
}

/// The parts that give a secret away even when the rest is cut off. All JWTs begin alike, so of a JWT these are the
/// end of its payload (the beginning repeats from token to token) and the beginning of its signature.
fn pieces(secret: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = secret.split('.').collect();
    if let [header, payload, signature] = parts[..]
        && header.starts_with("eyJ")
    {
        let tail = payload.len().saturating_sub(PIECE_LENGTH);
        vec![
            ("end of the payload", payload.get(tail..).unwrap_or_default().to_owned()),
            ("beginning of the signature", signature.chars().take(PIECE_LENGTH).collect()),
        ]
    } else {
        vec![("first characters", secret.chars().take(PIECE_LENGTH).collect())]
    }
}

/// The part of the base64 of a longer text that depends on the secret alone, when it follows `before` other bytes.
fn inner_base64(secret: &str, before: usize, url: bool) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret.as_bytes());
    let text = if url { URL_SAFE_NO_PAD.encode(&bytes) } else { STANDARD_NO_PAD.encode(&bytes) };
    let start = [0, 2, 3][before];
    let whole = bytes.len() / 3 * 4;
    text.get(start..whole).unwrap_or_default().to_owned()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

const PIECE_LENGTH: usize = 16;
const MIN_FORM_LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::world::issued::IssuedKind;

    const SECRET: &str = "Zm9v/correct+horse=battery~staple";
    const JWT: &str =
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lb25lIGVsc2UgZW50aXJlbHkifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";

    fn found(secret: &str, haystack: &str) -> Vec<String> {
        let issued = [Issued { kind: IssuedKind::JobToken, value: secret.to_owned() }];
        leaks(&issued, haystack.as_bytes())
    }

    #[test]
    fn every_form_is_found() {
        assert!(!found(SECRET, &format!("a{SECRET}b")).is_empty());
        for before in ["", "x", "xy", "user:", "Bearer "] {
            let text = format!("{before}{SECRET} and more");
            assert!(!found(SECRET, &STANDARD.encode(&text)).is_empty(), "{before}");
            assert!(!found(SECRET, &URL_SAFE_NO_PAD.encode(&text)).is_empty(), "{before}");
        }
        assert!(!found(SECRET, "Zm9v%2Fcorrect%2Bhorse%3Dbattery%7Estaple").is_empty());
        assert!(!found(SECRET, "token Zm9v/correct+hor…").is_empty());
    }

    #[test]
    fn the_beginning_that_all_jwts_share_is_no_leak() {
        assert!(found(JWT, "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ").is_empty());
        assert!(!found(JWT, "eyJhbGciOiJSUzI1NiJ9.…W50aXJlbHkifQ.c2lnbmF0dXJlLW9mLXRo…").is_empty());
    }

    #[test]
    fn a_leak_is_described_without_the_secret() {
        let told = found(SECRET, SECRET);
        assert!(!told.is_empty());
        assert!(found(SECRET, &told.join("\n")).is_empty());
    }

    #[test]
    fn other_text_is_clean() {
        assert!(found(SECRET, "nothing to see in here, c29tZXRoaW5nIGVsc2U=").is_empty());
    }
}
