//! Registries of container images, for `docker-credential-wif`: GET with `?server=HOST`.

use hyper::{Method, StatusCode};

use crate::{
    answer::Answer,
    cache::AskedOver,
    guard::{Refused, require_method, token_or_refusal},
    session::Session,
};

/// User name and password for the login server that the query names.
pub(super) async fn credentials(
    session: &Session,
    over: &AskedOver,
    (method, query): (&Method, Option<&str>),
) -> Result<Answer, Refused> {
    require_method(method, &Method::GET)?;
    let mut query = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let server = query.find(|(name, _)| name == "server").map(|(_, server)| server);
    let slot = server.and_then(|server| session.tokens.registry(&server));
    let absent = || Refused::new(StatusCode::NOT_FOUND, "the input registries does not name this registry");
    Ok(Answer::whole(&token_or_refusal(slot.ok_or_else(absent)?.get_over(over).await)?))
}
