//! Asking one service: every call waits for its turn, is sent again where that may help, and is counted.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::Semaphore;
use wif_azure::rest::{BatchAnswer, BatchCall, ListPage, NextPage, Query, Rest, ServiceError as _, Token};
use wif_core::retry::RetryClass;
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, Response},
};

use super::{
    error::ReadError,
    pace::{Pace, TooLong},
    progress::Progress,
};

/// One of the services, and who asks it.
pub(super) struct Service<'a> {
    http: &'a Http,
    base: &'a Endpoint,
    token: &'a Token,
    headers: &'static [(&'static str, &'static str)],
    pace: Pace,
    progress: &'a Progress,
    /// How sentences call it.
    pub(super) name: &'static str,
}

/// What is asked for.
#[derive(Clone, Default)]
pub(super) struct Ask {
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, &'static str)>,
    /// Asked by POST then.
    body: Option<Value>,
}

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call is sent again that got no usable answer.
const MAX_RETRIES: u32 = 3;
/// How often a call is sent again that the service turned away.
const MAX_BUSY_RETRIES: u32 = 20;
/// The delay before another attempt, which doubles.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The largest answer that is read, in bytes: a project may have thousands of connections.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// A list of more pages is cut: a service that never ends one must not hold the audit for ever.
const MAX_PAGES: usize = 10_000;

impl Ask {
    /// By GET.
    pub(super) fn get<'s>(path: impl IntoIterator<Item = &'s str>) -> Self {
        Self { path: path.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// By POST, which changes nothing.
    pub(super) fn post<'s>(path: impl IntoIterator<Item = &'s str>, body: Value) -> Self {
        Self { body: Some(body), ..Self::get(path) }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn of<'r>(&self, rest: &'r Rest<'r>, page: Option<&NextPage>) -> Result<Query<'r>, ReadError> {
        let path = self.path.iter().map(String::as_str);
        let mut query = match &self.body {
            None => rest.get(path),
            Some(body) => rest.post_query(path).body(body),
        };
        if !self.query.is_empty() {
            let pairs: Vec<_> = self.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            query = query.query(&pairs);
        }
        for (name, value) in &self.headers {
            query = query.header(name, value);
        }
        if let Some(page) = page {
            query = query.at(page).map_err(ReadError::Page)?;
        }
        Ok(query.max_answer_bytes(MAX_ANSWER_BYTES).once())
    }
}

impl<'a> Service<'a> {
    pub(super) fn new(
        name: &'static str,
        http: &'a Http,
        (base, token): (&'a Endpoint, &'a Token),
        headers: &'static [(&'static str, &'static str)],
        (slots, most): (Arc<Semaphore>, usize),
        progress: &'a Progress,
    ) -> Self {
        let pace = Pace::new(http.shared_clock(), name, slots, most);
        Self { http, base, token, headers, pace, progress, name }
    }

    /// One answer in JSON.
    pub(super) async fn json(&self, ask: &Ask) -> Result<Value, ReadError> {
        self.json_and_headers(ask).await.map(|(value, _)| value)
    }

    /// One answer in JSON, with the answer that it came in.
    pub(super) async fn json_and_headers(&self, ask: &Ask) -> Result<(Value, Response), ReadError> {
        self.retrying(async || {
            let rest = self.rest(ATTEMPT_TIMEOUT);
            let is_usable = |response: &Response| response.json::<Value>().is_some();
            let response = ask.of(&rest, None)?.send::<ReadError>(&is_usable).await?;
            let value = response.json::<Value>().unwrap_or_default();
            let retry_after = response.retry_after;
            Ok(((value, response), retry_after))
        })
        .await
    }

    /// One page of a list.
    pub(super) async fn page(&self, ask: &Ask, page: Option<&NextPage>) -> Result<ListPage, ReadError> {
        self.retrying(async || {
            let rest = self.rest(ATTEMPT_TIMEOUT);
            let page = ask.of(&rest, page)?.page::<ReadError>().await?;
            let retry_after = page.retry_after;
            Ok((page, retry_after))
        })
        .await
    }

    /// A whole list; what was read of it, and why it is not everything.
    pub(super) async fn list(&self, ask: &Ask) -> (Vec<Value>, Option<ReadError>) {
        let mut all = Vec::new();
        let end = self.each_page(ask, &mut |items| all.extend(items)).await;
        (all, end.err())
    }

    /// A whole list, page by page.
    pub(super) async fn each_page(
        &self,
        ask: &Ask,
        take: &mut dyn FnMut(Vec<Value>),
    ) -> Result<(), ReadError> {
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(ask, next.as_ref()).await?;
            take(page.items);
            match page.next {
                None => return Ok(()),
                Some(Ok(page)) => next = Some(page),
                Some(Err(lost)) => return Err(ReadError::Page(lost)),
            }
        }
        Err(ReadError::Page(wif_azure::rest::LostPage::Token))
    }

    /// Calls of Microsoft Graph, at most twenty, in one request; the answers stand in the order of the calls. What Graph turns
    /// away is sent again, as any other call.
    pub(super) async fn batch(&self, calls: &[BatchCall]) -> (Vec<Option<BatchAnswer>>, Option<ReadError>) {
        let mut answers: Vec<Option<BatchAnswer>> = calls.iter().map(|_| None).collect();
        let mut open: Vec<_> = calls.iter().enumerate().collect();
        for _ in 0..=MAX_BUSY_RETRIES {
            let part: Vec<_> = open.iter().map(|(_, call)| (*call).clone()).collect();
            let answered = self.retrying(async || {
                let rest = self.rest(ATTEMPT_TIMEOUT);
                let answered = rest.batch_once::<ReadError>(&["v1.0", "$batch"], &part).await?;
                let retry_after = rest.held_back();
                let is_turned_away = |answer: &BatchAnswer| answer.turned_away().is_some();
                // Without any progress it is a call that was turned away, whose waits have an end.
                if retry_after.is_some() && answered.iter().flatten().all(is_turned_away) {
                    return Err(ReadError::Busy { status: 429, retry_after });
                }
                Ok((answered, retry_after))
            });
            let answered = match answered.await {
                Ok(answered) => answered,
                Err(error) => return (answers, Some(error)),
            };
            let mut turned_away = Vec::new();
            for ((at, call), answer) in open.into_iter().zip(answered) {
                if answer.as_ref().is_some_and(|answer| answer.turned_away().is_some()) {
                    turned_away.push((at, call));
                }
                if let Some(slot) = answers.get_mut(at) {
                    *slot = answer;
                }
            }
            if turned_away.is_empty() {
                break;
            }
            open = turned_away;
        }
        (answers, None)
    }

    fn rest(&self, limit: Duration) -> Rest<'_> {
        let deadline = Deadline::after(self.http.clock(), limit);
        let rest = Rest::new(self.http, deadline, self.base.join([]), self.token);
        self.headers.iter().fold(rest, |rest, (name, value)| rest.header(name, value))
    }

    async fn retrying<T>(
        &self,
        attempt: impl AsyncFn() -> Result<(T, Option<Duration>), ReadError>,
    ) -> Result<T, ReadError> {
        let (mut retries, mut turned_away) = (0, 0);
        loop {
            let permit = self.pace.enter().await.map_err(|TooLong(delay)| ReadError::TooLong(delay))?;
            let result = attempt().await;
            drop(permit);
            self.progress.called();
            let error = match result {
                Ok((value, retry_after)) => {
                    self.pace.answered(retry_after, self.progress);
                    return Ok(value);
                }
                Err(error) => error,
            };
            match error.retry_class() {
                RetryClass::Busy { retry_after } if turned_away < MAX_BUSY_RETRIES => {
                    let delay = retry_after.unwrap_or_else(|| doubled(turned_away));
                    let slower = self.pace.slow_down(delay, self.progress);
                    slower.map_err(|TooLong(delay)| ReadError::TooLong(delay))?;
                    turned_away += 1;
                }
                RetryClass::Unreachable | RetryClass::MayPass if retries < MAX_RETRIES => {
                    self.http.clock().sleep(doubled(retries)).await;
                    retries += 1;
                }
                _ => return Err(error),
            }
        }
    }
}

/// Half a second, doubling to eight.
fn doubled(times: u32) -> Duration {
    FIRST_DELAY.saturating_mul(2_u32.saturating_pow(times.min(4)))
}
