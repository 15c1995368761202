//! Looks for issued secrets where none may be: in output, files, arguments.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::world::issued::Issued;

/// Finds every issued secret in `haystack`, in any of the guises that secrets leak in; describes each find without
/// the secret: its kind, which one of its kind, and the guise.
#[must_use]
pub fn leaks(issued: &[Issued], haystack: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, secret) in issued.iter().enumerate() {
        for (guise, needle) in guises(&secret.value) {
            if contains(haystack, needle.as_bytes()) {
                found.push(format!("{} #{at}: {guise}", secret.kind));
            }
        }
    }
    found
}

/// Every form that the secret is looked for in. Forms of a few characters would be found by chance.
fn guises(secret: &str) -> Vec<(String, String)> {
    let mut guises = vec![("plain".to_owned(), secret.to_owned())];
    for (piece, text) in pieces(secret) {
        guises.push((piece.to_owned(), text));
    }
    for alignment in 0..3 {
        guises.push((format!("base64, shifted by {alignment}"), inside(secret, alignment, false)));
        guises.push((format!("base64url, shifted by {alignment}"), inside(secret, alignment, true)));
    }
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    if encoded != secret {
        guises.push(("percent-encoded".to_owned(), encoded));
    }
    guises.retain(|(_, needle)| needle.len() >= SHORTEST);
    guises
}

/// The parts that give a secret away even when the rest is cut off. All JWTs begin alike, so of a JWT these are the
/// end of its payload (the beginning repeats from token to token) and the beginning of its signature.
fn pieces(secret: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = secret.split('.').collect();
    if let [header, payload, signature] = parts[..]
        && header.starts_with("eyJ")
    {
        let tail = payload.len().saturating_sub(PIECE);
        vec![
            ("end of the payload", payload.get(tail..).unwrap_or_default().to_owned()),
            ("beginning of the signature", signature.chars().take(PIECE).collect()),
        ]
    } else {
        vec![("first characters", secret.chars().take(PIECE).collect())]
    }
}

/// What is left of the secret's base64 when it stands after `before` other bytes, whatever those and the next are.
fn inside(secret: &str, before: usize, url: bool) -> String {
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

const PIECE: usize = 16;
const SHORTEST: usize = 8;

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
    fn every_guise_is_found() {
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
    fn the_beginning_of_a_jwt_is_everybodys() {
        assert!(found(JWT, "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ").is_empty());
        assert!(!found(JWT, "eyJhbGciOiJSUzI1NiJ9.…W50aXJlbHkifQ.c2lnbmF0dXJlLW9mLXRo…").is_empty());
    }

    #[test]
    fn a_find_is_told_without_the_secret() {
        let told = found(SECRET, SECRET);
        assert!(!told.is_empty());
        assert!(found(SECRET, &told.join("\n")).is_empty());
    }

    #[test]
    fn other_text_is_clean() {
        assert!(found(SECRET, "nothing to see in here, c29tZXRoaW5nIGVsc2U=").is_empty());
    }
}
