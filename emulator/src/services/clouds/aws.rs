//! AWS' security token service: `AssumeRoleWithWebIdentity`.
//!
//! Source: AWS' documentation, `AssumeRoleWithWebIdentity` and "Available keys for AWS OIDC federation"; botocore, the model of STS.
//! The audience that counts is `azp`, where the token has one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Flaw, genuine};
use crate::services::answer::{answer_of_type, json_answer};
use crate::services::request;
use crate::world::World;
use crate::world::directory::clouds::AwsSession;
use crate::world::issued::IssuedKind;
use crate::world::keys::random_text;

pub(super) async fn sts(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let accepts = parts.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let json = accepts.contains("application/json") && !world.directory().clouds.aws.only_xml;
    match assume(&world, &request::decode_pairs(&body)) {
        Ok(granted) => granted.answer(json),
        Err(Refusal(status, code, message)) if json => json_answer(
            status,
            &json!({"Error": {"Code": code, "Message": message, "Type": "Sender"}, "RequestId": "c6104cbe"}),
        ),
        Err(Refusal(status, code, message)) => answer_of_type(
            status,
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            ),
        ),
    }
}

struct Refusal(u16, &'static str, String);

/// Keys of a role until a moment, in seconds since 1970.
pub(in crate::services) struct Granted {
    pub(in crate::services) key_id: String,
    pub(in crate::services) secret: String,
    pub(in crate::services) session: String,
    pub(in crate::services) expires: i64,
}

impl Granted {
    /// The answer to `AssumeRoleWithWebIdentity`, in JSON or in XML.
    pub(in crate::services) fn answer(self, json: bool) -> Response {
        let Self { key_id, secret, session, expires } = self;
        if json {
            return json_answer(
                200,
                &json!({"AssumeRoleWithWebIdentityResponse": {
                    "AssumeRoleWithWebIdentityResult": {
                        "Credentials": {
                            "AccessKeyId": key_id, "SecretAccessKey": secret, "SessionToken": session,
                            "Expiration": f64::from(u32::try_from(expires).expect("a moment before 2106")),
                        },
                    },
                    "ResponseMetadata": {"RequestId": "c6104cbe-af31-11e0-8154-cbc7ccf896c7"},
                }}),
            );
        }
        let moment = OffsetDateTime::from_unix_timestamp(expires).expect("a moment");
        let end = moment.format(&Rfc3339).expect("a moment has a form");
        answer_of_type(
            200,
            "text/xml",
            format!(
                "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
                 <Credentials><AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
                 <SessionToken>{session}</SessionToken><Expiration>{end}</Expiration></Credentials>\
                 </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            ),
        )
    }
}

fn assume(world: &World, form: &[(String, String)]) -> Result<Granted, Refusal> {
    let value = |name: &str| request::value(form, name).unwrap_or_default();
    if value("Action") != "AssumeRoleWithWebIdentity" || value("Version") != "2011-06-15" {
        return Err(Refusal(400, "InvalidAction", "Could not find operation".to_owned()));
    }
    let name = value("RoleSessionName");
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_taken) {
        return Err(Refusal(
            400,
            "ValidationError",
            "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [\\w+=,.@-]*"
                .to_owned(),
        ));
    }
    let invalid = |text: &str| Refusal(400, "InvalidIdentityToken", text.to_owned());
    let presented = genuine(world, value("WebIdentityToken")).map_err(|flaw| match flaw {
        Flaw::Malformed => invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"),
        Flaw::Signature => invalid("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"),
        Flaw::Ended => Refusal(400, "ExpiredTokenException", "Token expired".to_owned()),
        Flaw::TooEarly => invalid("Token is not valid yet"),
    })?;
    let mut directory = world.directory();
    let seconds: i64 = value("DurationSeconds").parse().unwrap_or(3600);
    let life = directory.clouds.life(seconds);
    let account = &mut directory.clouds.aws;
    let provider = account.providers.iter().find(|(url, _)| *url == presented.issuer);
    let Some((_, client_ids)) = provider else {
        return Err(invalid(&format!(
            "No OpenIDConnect provider found in your account for {}",
            presented.issuer
        )));
    };
    let audience = presented.authorized_party.as_ref().unwrap_or(&presented.audience);
    if !client_ids.contains(audience) {
        return Err(invalid("Incorrect token audience"));
    }
    let denied =
        || Refusal(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned());
    let role = account.roles.iter().find(|role| role.arn == value("RoleArn")).ok_or_else(denied)?;
    if role.provider != presented.issuer || role.subject != presented.subject {
        return Err(denied());
    }
    if !(900..=role.max_seconds).contains(&seconds) {
        return Err(Refusal(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned(),
        ));
    }
    let granted = Granted {
        key_id: format!("ASIA{}", random_text(12).to_uppercase()),
        secret: random_text(30),
        session: random_text(300),
        expires: world.clock.epoch() + life,
    };
    account.sessions.push(AwsSession {
        name: name.to_owned(),
        role: role.arn.clone(),
        key: [&granted.key_id, &granted.secret, &granted.session].map(Clone::clone),
        expires: granted.expires,
    });
    drop(directory);
    for secret in [&granted.secret, &granted.session] {
        world.record_issued(IssuedKind::CloudCredential, secret);
    }
    Ok(granted)
}
