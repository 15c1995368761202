//! What a credential file leads Google's clients to: an id token that they exchange themselves, or, where that may not leave,
//! an exchange (RFC 8693) that the broker has made already.
//!
//! Source: googleapis/google-auth-library-python, `identity_pool.py` and `sts.py`; gcloud, `core/credentials/introspect.py`.

use hyper::Method;
use ring::hmac;
use serde_json::json;
use wif_core::hexadecimal::hexadecimal;

use super::absent;
use crate::{
    answer::Answer,
    cache::AskedOver,
    guard::{Refused, require_method, token_or_refusal},
    session::Session,
    target::Dialect,
};

const INPUT: &str = "googleProvider";
/// Domain separation: no other message that the key signs begins like this.
const ACCOUNT_DOMAIN: &[u8] = b"wif google account v1\n";

/// The id token for the provider.
pub(super) async fn id_token(
    session: &Session,
    over: &AskedOver,
    method: &Method,
) -> Result<Answer, Refused> {
    require_method(method, &Method::GET)?;
    let slot = session.tokens.target(Dialect::IdToken).ok_or_else(|| absent(INPUT))?;
    Ok(Answer::with_token(r#"{"value":"#, &token_or_refusal(slot.get_over(over).await)?, "}"))
}

/// A client has to bring something to the exchange below. This opens nothing.
pub(super) fn subject_token(session: &Session, method: &Method) -> Result<Answer, Refused> {
    require_method(method, &Method::GET)?;
    session.tokens.target(Dialect::TokenExchange).ok_or_else(|| absent(INPUT))?;
    Ok(json!({"value": "the broker has exchanged the id token"}).into())
}

/// The access token. What the client brings does not count: the key in the path does.
pub(super) async fn exchange(
    session: &Session,
    over: &AskedOver,
    method: &Method,
) -> Result<Answer, Refused> {
    require_method(method, &Method::POST)?;
    let slot = session.tokens.target(Dialect::TokenExchange).ok_or_else(|| absent(INPUT))?;
    let fresh = token_or_refusal(slot.get_over(over).await)?;
    let left = (fresh.lifetime.until - session.tokens.now()).whole_seconds().max(0);
    let after = format!(
        r#","expires_in":{left},"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer"}}"#
    );
    Ok(Answer::with_token(r#"{"access_token":"#, &fresh, after))
}

/// The account's name. gcloud keeps access tokens on the disk of the machine by it, and would use one of another job that has the
/// same name: so each session has its own.
pub(super) fn account(session: &Session, method: &Method) -> Result<Answer, Refused> {
    require_method(method, &Method::POST)?;
    session.tokens.target(Dialect::TokenExchange).ok_or_else(|| absent(INPUT))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, session.key.expose().as_bytes());
    let name = hexadecimal(hmac::sign(&key, ACCOUNT_DOMAIN).as_ref());
    Ok(json!({"active": true, "username": format!("wif-{name}")}).into())
}
