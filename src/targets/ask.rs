//! Asking another cloud: attempts, limits, and the outcomes that all have in common.

use std::time::Duration;

use wif_core::{foreign_text::service_message, refusals::KnownRefusal};
use wif_io::{
    clock::Deadline,
    http::{Http, Request, Response},
};

use super::error::TargetError;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// A request, and how its answers are read.
pub(super) struct Question {
    /// The service, as a sentence names it.
    pub(super) service: &'static str,
    /// What is presented, as a sentence names it.
    pub(super) presented: &'static str,
    pub(super) request: Request,
    /// What a refusal says: the known one, and the service's own words.
    pub(super) refusal: fn(&Response) -> (Option<&'static KnownRefusal>, Option<String>),
}

impl Question {
    /// Sends it, and again while the service is busy or not reached, or the refusal may pass.
    pub(super) async fn ask(&self, http: &Http, deadline: Deadline) -> Result<Response, TargetError> {
        let attempt = |limit| async move {
            let answer = http.send(self.request.clone(), limit).await;
            self.read(answer.map_err(|source| TargetError::Http { service: self.service, source })?)
        };
        http.retrying(deadline, ATTEMPT_TIMEOUT, TargetError::retry_class, attempt).await
    }

    fn read(&self, answer: Response) -> Result<Response, TargetError> {
        let (service, status, retry_after) = (self.service, answer.status, answer.retry_after);
        if (200..=299).contains(&status) {
            return Ok(answer);
        }
        let (known, said) = (self.refusal)(&answer);
        match status {
            // A refusal with a meaning says more than the status.
            400..=599 if known.is_some() || !matches!(status, 408 | 429 | 500..=599) => {
                let said = said.as_deref().and_then(service_message);
                Err(TargetError::Refused { service, presented: self.presented, status, said, known })
            }
            408 | 429 | 500..=599 => Err(TargetError::Busy { service, status, retry_after }),
            _ => Err(TargetError::Unusable { service, status, body: answer.kind() }),
        }
    }

    /// An answer that is not what the protocol says.
    pub(super) fn unusable(&self, answer: &Response) -> TargetError {
        TargetError::Unusable { service: self.service, status: answer.status, body: answer.kind() }
    }
}
