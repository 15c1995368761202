//! Several calls in one request, as Microsoft Graph takes them.
//!
//! Source: <https://learn.microsoft.com/graph/json-batching>. Calls of one batch run beside each other: `dependsOn` is
//! not used, so that a list of any length can be cut into batches.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{client::Rest, error::ServiceError};

/// One call of a batch, which reads something.
#[derive(Clone)]
pub struct BatchCall {
    /// The address below the version, with its query: `/applications?$top=1`.
    pub url: String,
    /// Headers of this call only.
    pub headers: BTreeMap<&'static str, &'static str>,
}

/// The answer to one call of a batch.
#[derive(Clone, Deserialize)]
pub struct BatchAnswer {
    id: String,
    /// The HTTP status of this call.
    pub status: u16,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    /// What came, null if nothing.
    #[serde(default)]
    pub body: Value,
}

#[derive(Deserialize)]
struct Responses {
    responses: Vec<BatchAnswer>,
}

/// The most calls in one request.
pub const MAX_BATCH: usize = 20;
/// The largest answer to a batch that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

impl Rest<'_> {
    /// Sends at most twenty calls in one request, once. The answers stand in the order of the calls; a call without an answer has
    /// none. Those that Graph turns away are not sent again, see [`BatchAnswer::turned_away`].
    ///
    /// # Errors
    ///
    /// The request has no usable answer.
    pub async fn batch_once<E: ServiceError>(
        &self,
        segments: &[&str],
        calls: &[BatchCall],
    ) -> Result<Vec<Option<BatchAnswer>>, E> {
        let requests: Vec<_> = calls.iter().enumerate().map(|(number, call)| call.numbered(number)).collect();
        let body = json!({ "requests": requests });
        let query = self.post_query(segments.iter().copied()).body(&body).max_answer_bytes(MAX_ANSWER_BYTES);
        let Responses { responses } = query.once().json::<_, E>().await?;
        let mut answers = calls.iter().map(|_| None).collect::<Vec<_>>();
        // Each call is answered once: a second answer to it is not one.
        let mut unanswered: BTreeMap<_, _> =
            answers.iter_mut().enumerate().map(|(number, slot)| (number.to_string(), slot)).collect();
        for answer in responses {
            let Some(slot) = unanswered.remove(&answer.id) else { continue };
            if let Some(delay) = answer.turned_away() {
                self.hold_back(answer.status, delay);
            }
            *slot = Some(answer);
        }
        Ok(answers)
    }
}

impl BatchCall {
    /// Reads what `url` names, an address below the version.
    #[must_use]
    pub fn get(url: String) -> Self {
        Self { url, headers: BTreeMap::new() }
    }

    /// The call as a part of a batch.
    fn numbered(&self, number: usize) -> Value {
        let (id, url) = (number.to_string(), &self.url);
        if self.headers.is_empty() {
            return json!({ "id": id, "method": "GET", "url": url });
        }
        json!({ "id": id, "method": "GET", "url": url, "headers": self.headers })
    }
}

impl BatchAnswer {
    /// A header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.as_str()
    }

    /// When to come back, where Graph has not begun with the call.
    #[must_use]
    pub fn turned_away(&self) -> Option<Duration> {
        let seconds = self.header("retry-after").and_then(|text| text.trim().parse().ok());
        seconds.map(Duration::from_secs).filter(|_| matches!(self.status, 429 | 503))
    }
}
