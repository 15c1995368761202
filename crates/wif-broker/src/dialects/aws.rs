//! The container credentials protocol of the AWS SDKs: a GET with the key, as it is, in the header `Authorization`.
//!
//! Source: botocore, `utils.py` (`ContainerMetadataFetcher`); aws-sdk-js-v3, `credential-provider-http`.

use hyper::Method;
use serde_json::{Value, json};

use super::absent;
use crate::{
    answer::Answer,
    cache::AskedOver,
    guard::{Refused, require_method, token_or_refusal},
    session::Session,
    target::Dialect,
};

/// Access key, secret, session token and end, as STS gave them.
pub(super) async fn credentials(
    session: &Session,
    over: &AskedOver,
    method: &Method,
) -> Result<Answer, Refused> {
    require_method(method, &Method::GET)?;
    let slot = session.tokens.target(Dialect::ContainerCredentials).ok_or_else(|| absent("awsRole"))?;
    Ok(Answer::whole(&token_or_refusal(slot.get_over(over).await)?))
}

/// A refusal in the words that these SDKs read: JavaScript `Code` and `Message`, Go `code` and `message`.
pub(crate) fn refusal(status: u16, reason: &str) -> Value {
    let code = if status == 503 { "ServiceUnavailable" } else { "AccessDenied" };
    json!({"Code": code, "Message": reason, "code": code, "message": reason})
}
