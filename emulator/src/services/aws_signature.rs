//! AWS' Signature Version 4, checked as the services check it.
//!
//! Source: AWS' documentation, "Signature Version 4 for API requests".

use axum::http::request::Parts;
use ring::{digest, hmac};

use super::request;

/// Checks the signature of a POST to a service's root. `key` is id, secret and session token.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn check(
    parts: &Parts,
    body: &[u8],
    key: &[String; 3],
    (region, service): (&str, &str),
    now: i64,
) -> Result<(), String> {
    let [id, secret, session] = key;
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let sent = header("authorization").ok_or("no Authorization header")?;
    let fields = sent.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let field = |name: &str| {
        fields.split(", ").find_map(|field| field.strip_prefix(name)).ok_or_else(|| format!("no {name}"))
    };
    let (credential, signed, signature) =
        (field("Credential=")?, field("SignedHeaders=")?, field("Signature=")?);
    let moment = header("x-amz-date").ok_or("no x-amz-date")?;
    let day = moment.split('T').next().unwrap_or_default();
    let then = time::PrimitiveDateTime::parse(
        moment,
        &time::macros::format_description!("[year][month][day]T[hour][minute][second]Z"),
    );
    let then = then.map_err(|_| "x-amz-date is no moment")?.assume_utc().unix_timestamp();
    if (then - now).abs() > 300 {
        return Err("the signature is too old".to_owned());
    }
    let scope = format!("{day}/{region}/{service}/aws4_request");
    if credential != format!("{id}/{scope}") {
        return Err(format!("the scope must be {scope}"));
    }
    if header("x-amz-security-token") != Some(session) {
        return Err("the session token is missing or wrong".to_owned());
    }
    for needed in ["host", "x-amz-date", "x-amz-security-token"] {
        if !signed.split(';').any(|name| name == needed) {
            return Err(format!("{needed} is not signed"));
        }
    }
    let named =
        parts.headers.keys().map(axum::http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    for needed in named {
        if !signed.split(';').any(|name| name == needed) {
            return Err(format!("{needed} is not signed"));
        }
    }
    let mut canonical = String::from("POST\n/\n\n");
    for name in signed.split(';') {
        let value = if name == "host" {
            request::authority(parts)
        } else {
            header(name).ok_or("a signed header is missing")?.trim().to_owned()
        };
        for part in [name, ":", &value, "\n"] {
            canonical.push_str(part);
        }
    }
    let body = hex(digest::digest(&digest::SHA256, body).as_ref());
    let canonical = [&canonical, "\n", signed, "\n", &body].concat();
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}");
    let mut derived = format!("AWS4{secret}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &derived), part.as_bytes()).as_ref().to_vec();
    }
    let expected = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &derived), to_sign.as_bytes()).as_ref());
    if signature == expected { Ok(()) } else { Err("the signature does not match".to_owned()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
