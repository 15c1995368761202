//! Asking a service of a source for an id token.

use std::time::Duration;

use wif_core::{foreign_text::service_message, secret::Secret};
use wif_io::{
    clock::Deadline,
    http::{Http, Request, Response},
};

use super::error::SourceError;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// A request for an id token.
pub(super) struct Question<'a> {
    /// The service, as a sentence names it.
    pub(super) signer: &'static str,
    pub(super) request: Request,
    /// Where the answer has the token.
    pub(super) pointer: &'static str,
    /// The line that mends a refusal, by its status.
    pub(super) mend: &'a (dyn Fn(u16) -> String + Sync),
}

/// Sends a request once. That there is no answer, or that it says "later", is an error that passes.
pub(super) async fn send(
    http: &Http,
    limit: Duration,
    signer: &'static str,
    request: &Request,
) -> Result<Response, SourceError> {
    let answer = http.send(request.clone(), limit).await;
    let answer = answer.map_err(|source| SourceError::Http { signer, source })?;
    match answer.status {
        status @ (408 | 429 | 500..=599) => {
            Err(SourceError::Busy { signer, status, retry_after: answer.retry_after })
        }
        _ => Ok(answer),
    }
}

/// Sends it, and again while the service is busy or not reached.
pub(super) async fn ask(
    http: &Http,
    deadline: Deadline,
    question: Question<'_>,
) -> Result<Secret, SourceError> {
    let question = &question;
    let attempt =
        |limit| async move { read(&send(http, limit, question.signer, &question.request).await?, question) };
    http.retrying(deadline, ATTEMPT_TIMEOUT, SourceError::retry_class, attempt).await
}

fn read(answer: &Response, question: &Question<'_>) -> Result<Secret, SourceError> {
    let (signer, status) = (question.signer, answer.status);
    let json: Option<serde_json::Value> = answer.json();
    match status {
        200..=299 => {
            let token = json.as_ref().and_then(|json| json.pointer(question.pointer)?.as_str());
            let token = token.filter(|token| !token.is_empty()).map(|token| Secret::new(token.to_owned()));
            token.ok_or(SourceError::NoToken { signer, status, body: answer.kind() })
        }
        400..=499 => {
            let said = json.as_ref().and_then(|json| {
                let text = ["/message", "/Message", "/error_description", "/error"];
                text.iter().find_map(|pointer| json.pointer(pointer)?.as_str())
            });
            let said = said.and_then(service_message);
            Err(SourceError::Refused { signer, status, said, mend: (question.mend)(status) })
        }
        _ => Err(SourceError::NoToken { signer, status, body: answer.kind() }),
    }
}
