//! Several calls in one request, as Microsoft Graph takes them.
//!
//! Source: <https://learn.microsoft.com/graph/json-batching>. Calls of one batch run beside each other: `dependsOn` is
//! not used, so that a list of any length can be cut into batches.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Rest,
    error::{ServiceError, WriteError},
};

/// One call of a batch.
#[derive(Clone)]
pub struct BatchCall {
    /// The method.
    pub method: Method,
    /// The address below the version, with its query: `/applications?$top=1`.
    pub url: String,
    /// Headers of this call only.
    pub headers: BTreeMap<&'static str, &'static str>,
    /// What is sent, as JSON.
    pub body: Option<Value>,
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
/// How often a call is sent that Graph turns away, in all.
const MAX_TRIES: u32 = 5;
/// The largest answer to a batch that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

impl Rest<'_> {
    /// Sends calls in batches to `segments`, for instance `v1.0` and `$batch`.
    ///
    /// The answers stand in the order of the calls; a call without an answer has none, and if it was to change something,
    /// it may have done so. The error is why the batches ended early: calls of later batches were not sent.
    pub async fn batch<E: ServiceError>(
        &self,
        segments: &[&str],
        calls: &[BatchCall],
    ) -> (Vec<Option<BatchAnswer>>, Option<WriteError<E>>) {
        let mut answers: Vec<Option<BatchAnswer>> = calls.iter().map(|_| None).collect();
        let mut open: Vec<(usize, &BatchCall)> = calls.iter().enumerate().collect();
        for _ in 0..MAX_TRIES {
            let mut turned_away = Vec::new();
            for batch in open.chunks(MAX_BATCH) {
                let responses = match self.send_batch::<E>(segments, batch).await {
                    Ok(responses) => responses,
                    Err(error) => return (answers, Some(error)),
                };
                turned_away.extend(self.sort_answers(batch, responses, &mut answers));
            }
            open = turned_away;
        }
        (answers, None)
    }

    /// Sends at most twenty calls that change nothing in one request, once. Those that Graph turns away are not sent again, see
    /// [`BatchAnswer::turned_away`].
    ///
    /// # Errors
    ///
    /// The request has no usable answer.
    pub async fn batch_once<E: ServiceError>(
        &self,
        segments: &[&str],
        calls: &[BatchCall],
    ) -> Result<Vec<Option<BatchAnswer>>, E> {
        let batch: Vec<_> = calls.iter().enumerate().collect();
        let body = body_of(&batch);
        let query = self.post_query(segments.iter().copied()).body(&body).max_answer_bytes(MAX_ANSWER_BYTES);
        let Responses { responses } = query.once().json::<_, E>().await?;
        let mut answers = calls.iter().map(|_| None).collect::<Vec<_>>();
        self.sort_answers(&batch, responses, &mut answers);
        Ok(answers)
    }

    /// Puts answers where their calls stand; the calls that were turned away.
    fn sort_answers<'c>(
        &self,
        batch: &[(usize, &'c BatchCall)],
        responses: Vec<BatchAnswer>,
        answers: &mut [Option<BatchAnswer>],
    ) -> Vec<(usize, &'c BatchCall)> {
        let mut turned_away = Vec::new();
        // Each call is answered once: a second answer to it is not one.
        let mut unanswered: BTreeMap<_, _> = batch.iter().map(|call| (call.0.to_string(), call)).collect();
        for answer in responses {
            let Some(call) = unanswered.remove(&answer.id) else { continue };
            // It has not been begun, so that it may be sent again whatever it is.
            if let Some(delay) = answer.turned_away() {
                self.hold_back(answer.status, delay);
                turned_away.push(*call);
            }
            if let Some(slot) = answers.get_mut(call.0) {
                *slot = Some(answer);
            }
        }
        turned_away
    }

    async fn send_batch<E: ServiceError>(
        &self,
        segments: &[&str],
        batch: &[(usize, &BatchCall)],
    ) -> Result<Vec<BatchAnswer>, WriteError<E>> {
        let body = body_of(batch);
        let segments = segments.iter().copied();
        if batch.iter().all(|(_, call)| call.method == Method::GET) {
            let query = self.post_query(segments).body(&body).max_answer_bytes(MAX_ANSWER_BYTES);
            let Responses { responses } = query.json::<_, E>().await.map_err(WriteError::NotDone)?;
            return Ok(responses);
        }
        let change = self.post(segments).body(&body).max_answer_bytes(MAX_ANSWER_BYTES);
        let Responses { responses } = change.json::<_, E>().await?;
        Ok(responses)
    }
}

fn body_of(batch: &[(usize, &BatchCall)]) -> Value {
    let requests: Vec<_> = batch.iter().map(|(number, call)| call.numbered(*number)).collect();
    json!({ "requests": requests })
}

impl BatchCall {
    /// Reads what `url` names, an address below the version.
    #[must_use]
    pub fn get(url: String) -> Self {
        Self { method: Method::GET, url, headers: BTreeMap::new(), body: None }
    }

    /// The call as a part of a batch. Graph wants the type of a body with each call.
    fn numbered(&self, number: usize) -> Value {
        let kind = self.body.as_ref().map(|_| ("content-type", "application/json"));
        let headers: BTreeMap<_, _> =
            self.headers.iter().map(|(name, value)| (*name, *value)).chain(kind).collect();
        let members = [
            ("id", Some(json!(number.to_string()))),
            ("method", Some(json!(self.method.as_str()))),
            ("url", Some(json!(self.url))),
            ("headers", (!headers.is_empty()).then(|| json!(headers))),
            ("body", self.body.clone()),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
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
