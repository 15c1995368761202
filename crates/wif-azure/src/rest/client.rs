//! The client: who asks, where, by when, and what may be asked again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use url::Url;
use wif_core::{
    retry::{MIN_ATTEMPT_TIME, RetryClass},
    secret::Secret,
};
use wif_io::{
    clock::Deadline,
    http::{Http, Request, Response},
};
use zeroize::Zeroizing;

use super::{
    error::{RestError, ServiceError, WriteError},
    throttle::Throttle,
};

/// Proves who asks.
#[derive(Clone, Debug)]
pub enum Token {
    /// A job token, or an access token of Entra.
    Bearer(Secret),
    /// A personal access token, sent as a password (Basic).
    Personal(Secret),
}

/// A client of one service for one caller. Calls of one client share one deadline, and wait together when the service
/// asks for it.
///
/// A call leads below the client's base, or to a link of the same scheme, host and port that an answer of the service
/// has named: the token goes to no other host.
pub struct Rest<'a> {
    http: &'a Http,
    /// What a patient throttle waits for makes it later.
    deadline: Mutex<Deadline>,
    base: Url,
    authorization: Secret,
    headers: Vec<(&'static str, &'static str)>,
    throttle: Arc<Throttle>,
}

/// A call that was not sent yet.
#[must_use]
pub struct Draft<'a, K> {
    pub(super) call: Call<'a>,
    kind: K,
}

/// A call that changes nothing: it is sent again whenever that may help.
pub type Query<'a> = Draft<'a, Reading>;

/// A call that changes something: it is sent again only where it is certain that the service has done nothing.
pub type Change<'a> = Draft<'a, Changing>;

/// Of a [`Query`]: whether it is sent once only.
#[derive(Default)]
pub struct Reading {
    is_single: bool,
}

/// Of a [`Change`].
pub struct Changing;

#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) rest: &'a Rest<'a>,
    method: Method,
    pub(super) url: Url,
    headers: Vec<(&'static str, &'static str)>,
    /// Wiped when it is no longer needed: it may hold a secret.
    body: Option<Zeroizing<Vec<u8>>>,
    attempt_timeout: Duration,
    max_answer_bytes: Option<usize>,
}

/// What is found out about an answer and an error while there is time for another attempt.
struct Judgment<'a> {
    is_success: fn(&Response) -> bool,
    is_usable: &'a (dyn Fn(&Response) -> bool + Sync),
    retry_class: &'a (dyn Fn(&RestError) -> RetryClass + Sync),
}

/// The event that is logged with every call that changes something. A program that never logs it changes nothing by
/// this client.
pub const CHANGE_EVENT: &str = "sending a request that changes something";
/// How long one attempt may take, unless a call says otherwise.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

impl Token {
    fn authorization(&self) -> Secret {
        Secret::new(match self {
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
            Self::Personal(token) => format!("Basic {}", STANDARD.encode(format!(":{}", token.expose()))),
        })
    }
}

impl<'a> Rest<'a> {
    /// A client for the service at `base`.
    #[must_use]
    pub fn new(http: &'a Http, deadline: Deadline, base: Url, token: &Token) -> Self {
        let (authorization, headers) = (token.authorization(), vec![("accept", "application/json")]);
        let deadline = Mutex::new(deadline);
        Self { http, deadline, base, authorization, headers, throttle: Arc::default() }
    }

    /// Waits together with all other clients of this throttle.
    #[must_use]
    pub fn held_by(mut self, throttle: &Arc<Throttle>) -> Self {
        self.throttle = Arc::clone(throttle);
        self
    }

    /// Adds a header to every call.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Reads. Each segment of the path is escaped.
    pub fn get<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Query<'_> {
        Draft { call: self.call(Method::GET, segments), kind: Reading::default() }
    }

    /// Asks by POST what changes nothing: a query, or a token.
    pub fn post_query<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Query<'_> {
        Draft { call: self.call(Method::POST, segments), kind: Reading::default() }
    }

    /// Creates something, or begins an operation.
    pub fn post<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Change<'_> {
        Draft { call: self.call(Method::POST, segments), kind: Changing }
    }

    /// Creates or replaces something.
    pub fn put<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Change<'_> {
        Draft { call: self.call(Method::PUT, segments), kind: Changing }
    }

    /// Changes a part of something.
    pub fn patch<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Change<'_> {
        Draft { call: self.call(Method::PATCH, segments), kind: Changing }
    }

    /// Deletes something.
    pub fn delete<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Change<'_> {
        Draft { call: self.call(Method::DELETE, segments), kind: Changing }
    }

    fn call<'s>(&self, method: Method, segments: impl IntoIterator<Item = &'s str>) -> Call<'_> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Call {
            rest: self,
            method,
            url,
            headers: Vec::new(),
            body: None,
            attempt_timeout: ATTEMPT_TIMEOUT,
            max_answer_bytes: None,
        }
    }

    /// The address that a link of an answer names, if it is one of this service.
    pub(super) fn own_link(&self, link: &str) -> Option<Url> {
        let url = Url::parse(link).ok()?;
        let is_own =
            url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none();
        is_own.then_some(url)
    }

    pub(super) fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    fn deadline(&self) -> Deadline {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remaining(&self) -> Duration {
        self.deadline().remaining(self.http.clock())
    }

    /// For how long earlier answers asked to hold back the next call; none, if they did not.
    #[must_use]
    pub fn held_back(&self) -> Option<Duration> {
        self.throttle.wait(self.http.clock()).map(|(wait, _status)| wait)
    }

    /// Holds back the next calls, where a part of an answer asks for it.
    pub(super) fn hold_back(&self, status: u16, retry_after: Duration) {
        self.throttle.note(self.http.clock(), status, Some(retry_after));
    }

    /// Waits for as long as earlier answers asked for.
    async fn wait_for_throttle(&self) -> Result<(), RestError> {
        let clock = self.http.clock();
        while let Some((wait, status)) = self.throttle.wait(clock) {
            let is_patient = self.throttle.is_patient();
            let is_too_long = if is_patient {
                self.throttle.has_given_up()
            } else {
                wait.saturating_add(MIN_ATTEMPT_TIME) > self.remaining()
            };
            if is_too_long {
                return Err(RestError::HeldBack { status, retry_after: wait });
            }
            tracing::debug!(status, ?wait, "waiting, as an earlier answer asked");
            let left = self.remaining();
            clock.sleep(wait).await;
            if is_patient {
                *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Deadline::after(clock, left);
            }
        }
        Ok(())
    }
}

impl Call<'_> {
    fn request(&self) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone())
            .secret_header("authorization", &self.rest.authorization);
        if let Some(body) = &self.body {
            request = request.json(body.to_vec());
        }
        if let Some(bytes) = self.max_answer_bytes {
            request = request.max_answer_bytes(bytes);
        }
        let headers = self.rest.headers.iter().chain(&self.headers);
        headers.fold(request, |request, (name, value)| request.header(name, value))
    }

    async fn attempt(
        &self,
        request: Request,
        limit: Duration,
        judgment: &Judgment<'_>,
    ) -> Result<Response, RestError> {
        let Rest { http, throttle, .. } = self.rest;
        self.rest.wait_for_throttle().await?;
        let limit = limit.min(self.rest.remaining());
        let response = http.send(request, limit).await.map_err(RestError::Http)?;
        throttle.note_answer(http.clock(), &response);
        if !(judgment.is_success)(&response) {
            return Err(RestError::of_status(response));
        }
        if !(judgment.is_usable)(&response) {
            return Err(RestError::Unusable(Box::new(response)));
        }
        Ok(response)
    }

    /// Sends the request, with retries. Not generic, to keep one copy in the program.
    async fn send(&self, judgment: &Judgment<'_>) -> Result<Response, RestError> {
        let (rest, request) = (self.rest, self.request());
        let attempt = |limit| self.attempt(request.clone(), limit, judgment);
        let class_of = |error: &RestError| {
            let class = (judgment.retry_class)(error);
            match (class, rest.throttle.wait(rest.http.clock())) {
                // A wait that was asked for is one, even if this error says nothing of it.
                (RetryClass::Unreachable | RetryClass::Busy { retry_after: None }, Some((wait, _))) => {
                    RetryClass::Busy { retry_after: Some(wait) }
                }
                _ => class,
            }
        };
        let is_asked =
            |class| matches!(class, RetryClass::Busy { retry_after: Some(asked) } if !asked.is_zero());
        if !rest.throttle.is_patient() {
            return rest.http.retrying(rest.deadline(), self.attempt_timeout, class_of, attempt).await;
        }
        // What is asked for is waited for here, beside the time of the call.
        let class_here = |error: &RestError| {
            let class = class_of(error);
            if is_asked(class) { RetryClass::Refused } else { class }
        };
        loop {
            rest.wait_for_throttle().await?;
            let sent = rest.http.retrying(rest.deadline(), self.attempt_timeout, class_here, attempt).await;
            let Err(error) = sent else { return sent };
            let has_time = rest.remaining() >= MIN_ATTEMPT_TIME && !rest.throttle.has_given_up();
            if !has_time || !is_asked(class_of(&error)) {
                return Err(error);
            }
        }
    }
}

impl<K> Draft<'_, K> {
    /// Adds to the address's query.
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.call.url.query_pairs_mut().extend_pairs(pairs);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.call.headers.push((name, value));
        self
    }

    /// Sends JSON.
    pub fn body(mut self, body: &Value) -> Self {
        self.call.body = Some(Zeroizing::new(body.to_string().into_bytes()));
        self
    }

    /// Lets one attempt take so long.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.call.attempt_timeout = timeout;
        self
    }

    /// Reads an answer of up to so many bytes.
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.call.max_answer_bytes = Some(bytes);
        self
    }
}

impl Query<'_> {
    /// Asks once, for as long as the client's deadline allows: for what a caller can do without.
    pub fn once(mut self) -> Self {
        self.kind.is_single = true;
        self
    }

    /// Sends the request. An answer that is not usable is asked for again.
    ///
    /// # Errors
    ///
    /// There was no usable answer by the deadline, or another attempt cannot help.
    pub async fn send<E: ServiceError>(
        &self,
        is_usable: &(dyn Fn(&Response) -> bool + Sync),
    ) -> Result<Response, E> {
        let retry_class = |error: &RestError| E::from(error).retry_class();
        let judgment = Judgment { is_success: E::is_success, is_usable, retry_class: &retry_class };
        let call = &self.call;
        let answer = if self.kind.is_single {
            call.attempt(call.request(), Duration::MAX, &judgment).await
        } else {
            call.send(&judgment).await
        };
        answer.map_err(|error| E::from(&error))
    }

    /// Sends the request, and decodes the answer.
    ///
    /// # Errors
    ///
    /// As for [`Self::send`].
    pub async fn json<T: DeserializeOwned, E: ServiceError>(&self) -> Result<T, E> {
        let response = self.send::<E>(&|response| response.json::<T>().is_some()).await?;
        response.json().ok_or_else(|| E::from(&RestError::Unusable(Box::new(response))))
    }
}

impl Change<'_> {
    /// Sends the request. The answer has no body, or JSON.
    ///
    /// # Errors
    ///
    /// The service has not done it, or did not say whether it has.
    pub async fn send<E: ServiceError>(&self) -> Result<Response, WriteError<E>> {
        let Call { method, .. } = &self.call;
        tracing::debug!(%method, "{CHANGE_EVENT}");
        let judgment = Judgment {
            is_success: E::is_success,
            is_usable: &|response| response.is_empty() || response.json::<IgnoredAny>().is_some(),
            retry_class: &RestError::retry_class_of_change,
        };
        let answer = self.call.send(&judgment).await;
        answer.map_err(|error| {
            let kind = if error.may_have_changed() { WriteError::Unknown } else { WriteError::NotDone };
            kind(E::from(&error))
        })
    }

    /// Sends the request, and decodes the answer. Where the answer is something else, the change may have been made.
    ///
    /// # Errors
    ///
    /// As for [`Self::send`].
    pub async fn json<T: DeserializeOwned, E: ServiceError>(&self) -> Result<T, WriteError<E>> {
        let response = self.send::<E>().await?;
        let unusable = |response| WriteError::Unknown(E::from(&RestError::Unusable(Box::new(response))));
        response.json().ok_or_else(|| unusable(response))
    }
}
