//! The claims of a token: as the token's text, and as the JSON inside one.
#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;
use wif_core::{token::claims::{self, Unverified}, trust::subject::{Issuer, Subject}, secret::Secret};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    read(text.to_owned());
    read(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes)));
});

fn read(token: String) {
    let token = Secret::new(token);
    let _ = claims::client(&token);
    match Unverified::read(&token) {
        Ok(claims) => {
            let _ = claims.validity(OffsetDateTime::UNIX_EPOCH);
            let issuer = Issuer::parse(claims.issuer.raw()).parts();
            for (_, part) in issuer.into_iter().chain(Subject::parse(claims.subject.raw()).parts()) {
                let line = part.to_string();
                assert!(!line.contains(char::is_control) && !line.contains("##["), "{line:?}");
                assert!(!line.to_lowercase().contains("##vso"), "{line:?}");
            }
            // Masks are found line by line.
            assert!(!token.expose().contains(['\r', '\n', ' ']));
        }
        // It says nothing of the text.
        Err(error) => assert!(error.to_string().len() < 100),
    }
}
