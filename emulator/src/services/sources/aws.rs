//! AWS' security token service: `GetWebIdentityToken`, with the signature of the request checked.
//!
//! Source: botocore, the model of STS; AWS' documentation, "Signature Version 4 for API requests".

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use ring::{digest, hmac};

use super::{Shared, id_token};
use crate::services::answer::answer_of_type;
use crate::services::request;
use crate::world::directory::sources::SourceIssuer;
use crate::world::issued::IssuedKind;

/// The one region that is there.
pub(super) const REGION: &str = "eu-central-1";

pub(super) async fn sts(State(world): Shared, request: Request) -> Response {
    let refused = |status: u16, code: &str, message: &str| {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        answer_of_type(status, "text/xml", body)
    };
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let sources = world.directory().sources.clone();
    let form = request::decode_pairs(&body);
    let value = |name: &str| request::value(&form, name);
    if value("Action") == Some("AssumeRoleWithWebIdentity") {
        // Not signed: the token is all that is shown.
        let is_issued = |token: &str| {
            world.issued().iter().any(|issued| issued.kind == IssuedKind::IdToken && issued.value == token)
        };
        if !value("WebIdentityToken").is_some_and(is_issued) {
            return refused(
                400,
                "InvalidIdentityToken",
                "The web identity token that was passed is not valid",
            );
        }
        if value("RoleArn") != Some(&world.directory().sources.subject(SourceIssuer::Aws)) {
            return refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        }
        let [id, secret, session] = &sources.aws_key;
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{session}</SessionToken></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        return answer_of_type(200, "text/xml", body);
    }
    if let Err(reason) = check_signature(&parts, &body, &sources.aws_key, world.clock.epoch()) {
        return refused(403, "SignatureDoesNotMatch", &reason);
    }
    if value("Action") != Some("GetWebIdentityToken") || value("Version") != Some("2011-06-15") {
        return refused(400, "InvalidAction", "Could not find operation");
    }
    if !sources.is_permitted {
        return refused(
            403,
            "OutboundWebIdentityFederationDisabled",
            "Outbound web identity federation is not enabled for this account",
        );
    }
    let seconds = value("DurationSeconds").and_then(|text| text.parse().ok()).unwrap_or(300);
    let (Some(audience), Some("RS256"), 60..=3600) =
        (value("Audience.member.1"), value("SigningAlgorithm"), seconds)
    else {
        return refused(400, "ValidationError", "A parameter is missing or out of range");
    };
    let token = id_token(&world, SourceIssuer::Aws, audience, seconds);
    let body = format!(
        "<GetWebIdentityTokenResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
    );
    answer_of_type(200, "text/xml", body)
}

fn check_signature(parts: &Parts, body: &[u8], key: &[String; 3], now: i64) -> Result<(), String> {
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
    let scope = format!("{day}/{REGION}/sts/aws4_request");
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
    for part in [day, REGION, "sts", "aws4_request"] {
        derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &derived), part.as_bytes()).as_ref().to_vec();
    }
    let expected = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &derived), to_sign.as_bytes()).as_ref());
    if signature == expected { Ok(()) } else { Err("the signature does not match".to_owned()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
