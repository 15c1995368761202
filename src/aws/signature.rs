//! Signature Version 4, for what is sent by POST to a service's root.
//!
//! Source: AWS' documentation, "Create a signed AWS API request".

use ring::{digest, hmac};
use time::OffsetDateTime;
use url::Url;
use wif_core::{hexadecimal::hexadecimal, secret::Secret};
use wif_io::http::Request;
use zeroize::Zeroizing;

use super::keys::Credentials;

/// A request that is to be signed.
pub(crate) struct ToSign<'a> {
    pub(crate) url: &'a Url,
    /// Its further headers, whose names begin with `x-amz-`.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
    /// As AWS names it in signatures.
    pub(crate) service: &'a str,
}

/// The headers that a signed request has beside the session token and its own.
struct Signed {
    /// `x-amz-date`
    date: String,
    authorization: Secret,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Adds the signature for this moment to a request, which has the body and the further headers that are signed.
pub(crate) fn signed(
    request: Request,
    keys: &Credentials,
    to_sign: &ToSign<'_>,
    moment: OffsetDateTime,
) -> Request {
    let Signed { date, authorization } = sign(keys, to_sign, moment);
    let request = request
        .secret_header("x-amz-date", &Secret::new(date))
        .secret_header("authorization", &authorization);
    match &keys.session_token {
        Some(token) => request.secret_header("x-amz-security-token", token),
        None => request,
    }
}

fn sign(keys: &Credentials, request: &ToSign<'_>, moment: OffsetDateTime) -> Signed {
    let ToSign { url, headers, body, region, service } = *request;
    let moment = moment.to_offset(time::UtcOffset::UTC);
    let day = format!("{:04}{:02}{:02}", moment.year(), u8::from(moment.month()), moment.day());
    let date = format!("{day}T{:02}{:02}{:02}Z", moment.hour(), moment.minute(), moment.second());
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut all = vec![("host", &*host), ("x-amz-date", &*date)];
    all.extend(keys.session_token.as_ref().map(|token| ("x-amz-security-token", token.expose())));
    all.extend(headers);
    all.sort_unstable();
    let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
    let signed = names.join(";");
    let mut canonical = Zeroizing::new("POST\n/\n\n".to_owned());
    for part in all.iter().flat_map(|(name, value)| [*name, ":", *value, "\n"]) {
        canonical.push_str(part);
    }
    let canonical = Zeroizing::new([&canonical, "\n", &signed, "\n", &hash(body)].concat());
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

    fn keys() -> Credentials {
        let secret = |text: &str| Secret::new(text.to_owned());
        Credentials {
            id: secret("AKIDEXAMPLE"),
            secret: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Some(secret("session/token+==")),
        }
    }

    /// As botocore 1.43 signs them (`botocore.auth.SigV4Auth`).
    #[test]
    fn the_signature_is_that_of_awss_own_library() {
        let form = b"Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=api%3A%2F%2FAzureADTokenExchange&SigningAlgorithm=RS256";
        let target = [("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")];
        for (host, service, headers, body, expected) in [
            (
                "sts",
                "sts",
                &[][..],
                &form[..],
                "84a5c6d97aea4aa15b92a0f07f01d60b00a9f7a4f03ca75b3b9c217d50d0cab0",
            ),
            (
                "api.ecr",
                "ecr",
                &target,
                b"{}",
                "11b533efd6b2648b63abdba2febedee4a6838dd7b980a8938cad5ef48662ec0f",
            ),
        ] {
            let url = Url::parse(&format!("https://{host}.eu-central-1.amazonaws.com/")).unwrap();
            let request = ToSign { url: &url, headers, body, region: "eu-central-1", service };
            let signed = sign(&keys(), &request, datetime!(2026-11-26 12:34:56 UTC));
            assert_eq!(signed.date, "20261126T123456Z");
            assert_eq!(signed.authorization.expose().rsplit('=').next(), Some(expected), "{service}");
        }
    }
}
