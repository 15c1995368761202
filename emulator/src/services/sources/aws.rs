//! AWS' security token service: `GetWebIdentityToken`, with the signature of the request checked.
//!
//! Source: botocore, the model of STS; AWS' documentation, "Signature Version 4 for API requests".

use axum::extract::{Request, State};
use axum::response::Response;

use super::{Shared, id_token};
use crate::services::answer::answer_of_type;
use crate::services::aws_signature::check;
use crate::services::clouds::aws::Granted;
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
        let [key_id, secret, session] = sources.aws_key;
        let json = parts.headers.get("accept").is_some_and(|value| value == "application/json");
        return Granted { key_id, secret, session, expires: world.clock.epoch() + 3600 }.answer(json);
    }
    if let Err(reason) = check(&parts, &body, &sources.aws_key, (REGION, "sts"), world.clock.epoch()) {
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
