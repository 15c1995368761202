//! The protocols of other clouds, a file for each.

mod aws;
mod google;
mod registry;

use hyper::{Method, StatusCode};

pub(crate) use self::aws::refusal as aws_refusal;

use crate::{
    answer::Answer,
    cache::AskedOver,
    guard::{KeyLocation, Refused},
    paths,
    session::Session,
};

/// The answer, where the path is one of these protocols' and the key is where that protocol shows it.
pub(crate) async fn answer(
    session: &Session,
    over: &AskedOver,
    method: &Method,
    path: &str,
    query: Option<&str>,
    location: KeyLocation,
) -> Option<Result<Answer, Refused>> {
    use KeyLocation as L;
    Some(match (path, location) {
        (paths::AWS, L::AsAuthorization | L::InHeader) => aws::credentials(session, over, method).await,
        (paths::GOOGLE_ID_TOKEN, L::AsBearer) => google::id_token(session, over, method).await,
        (paths::GOOGLE, L::AsBearer) => google::subject_token(session, method),
        (paths::GOOGLE, L::InPath) => google::exchange(session, over, method).await,
        (paths::GOOGLE_ACCOUNT, L::InPath) => google::account(session, method),
        (paths::REGISTRY, L::InHeader) => registry::credentials(session, over, (method, query)).await,
        _ => return None,
    })
}

/// Whether a path is one of these protocols'.
pub(crate) fn has(path: &str) -> bool {
    [paths::AWS, paths::GOOGLE, paths::GOOGLE_ACCOUNT, paths::GOOGLE_ID_TOKEN, paths::REGISTRY]
        .contains(&path)
}

/// What a caller hears that asks for a cloud which the session does not sign in to.
fn absent(input: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("the sign-in step was not given the input {input}"))
}
