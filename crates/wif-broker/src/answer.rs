//! The broker's answers: JSON, in which a token is not copied but sent from where it is kept.

use bytes::{Buf as _, Bytes, buf::Chain};
use http_body_util::Full;
use serde_json::Value;
use wif_core::secret::Secret;

use super::cache::CachedToken;

/// What goes out, in one writing.
pub(crate) type Body = Full<Chain<Chain<Bytes, Bytes>, Bytes>>;

/// What stands before the token, the token, and what stands after it.
#[derive(Debug)]
pub(crate) struct Answer {
    before: Bytes,
    token: Token,
    after: Bytes,
}

impl Answer {
    /// JSON that ends where the token belongs, and JSON that goes on there.
    pub(crate) fn with_token(before: impl Into<Bytes>, fresh: &CachedToken, after: impl Into<Bytes>) -> Self {
        Self { before: before.into(), token: Token(Some(fresh.json.clone())), after: after.into() }
    }

    /// A credential whose text is a JSON answer.
    pub(crate) fn whole(fresh: &CachedToken) -> Self {
        Self { before: Bytes::new(), token: Token(Some(fresh.token.clone())), after: Bytes::new() }
    }

    /// What hyper sends.
    pub(crate) fn into_body(self) -> Body {
        Full::new(self.before.chain(Bytes::from_owner(self.token)).chain(self.after))
    }
}

impl From<Value> for Answer {
    /// An answer without a token.
    fn from(json: Value) -> Self {
        Self { before: json.to_string().into(), token: Token(None), after: Bytes::new() }
    }
}

/// One more owner of a token's text.
#[derive(Debug)]
struct Token(Option<Secret>);

impl AsRef<[u8]> for Token {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |json| json.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;
    use wif_core::token::lifetime::Lifetime;

    #[test]
    fn a_token_of_any_characters_stands_where_it_belongs() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for token in ["", "eyJ.a-b_c", "a\"b\\c", "\u{1}\u{1f}", "é…"] {
            let fresh = CachedToken::new(Secret::new(token.to_owned()), Lifetime { from: now, until: now });
            let answer = Answer::with_token(r#"{"token":"#, &fresh, r#","type":"Bearer"}"#);
            let mut body = runtime.block_on(answer.into_body().collect()).unwrap().aggregate();
            let body = body.copy_to_bytes(body.remaining());
            assert_eq!(
                serde_json::from_slice::<Value>(&body).unwrap(),
                json!({"token": token, "type": "Bearer"})
            );
        }
    }
}
