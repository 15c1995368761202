//! Faults: which requests they hit, how often, and what happens then.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::gate::Gate;
use crate::world::journal::Service;

/// Something that goes wrong, once unless [`Fault::times`] or [`Fault::always`] says otherwise.
///
/// The first registered fault that matches takes the request. `.header(…)` alone changes the real answer, and
/// `.status(…)` replaces it.
#[derive(Clone, Debug)]
pub struct Fault {
    target: Target,
    from: usize,
    left: usize,
    seen: usize,
    effect: Effect,
}

#[derive(Clone, Debug)]
enum Target {
    Request { service: Service, method: String, path: String },
    Such { is_it: fn(&str, &str) -> bool },
    Connect { service: Service },
}

/// What happens to the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effect {
    pub(crate) gate: Option<Gate>,
    pub(crate) answer_gate: Option<Gate>,
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<(String, Vec<u8>)>,
    pub(crate) aadsts: Option<u32>,
    pub(crate) id_token: Option<String>,
    pub(crate) delivery: Delivery,
}

impl Effect {
    /// Whether the fault answers instead of the service.
    pub(crate) fn replaces_the_answer(&self) -> bool {
        self.status.is_some() || self.body.is_some() || self.aadsts.is_some()
    }
}

/// How the answer, or the connection, is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    #[default]
    Whole,
    Hang,
    Reset,
    LoseAnswer,
    Truncate,
    Huge,
    Drip(Duration),
    TlsBroken,
}

impl Fault {
    /// Hits requests of this method (`*`: any) whose path contains `path`.
    #[must_use]
    pub fn on(service: Service, method: &str, path: &str) -> Self {
        let target = Target::Request { service, method: method.to_owned(), path: path.to_owned() };
        Self { target, from: 1, left: 1, seen: 0, effect: Effect::default() }
    }

    /// Hits requests to any service whose method and path are such.
    #[must_use]
    pub fn on_such(is_it: fn(&str, &str) -> bool) -> Self {
        Self { target: Target::Such { is_it }, from: 1, left: 1, seen: 0, effect: Effect::default() }
    }

    /// Hits new TCP connections, before TLS. Add `.refuse()`, `.tls_broken()` or `.hang()`.
    #[must_use]
    pub fn connect(service: Service) -> Self {
        Self { target: Target::Connect { service }, from: 1, left: 1, seen: 0, effect: Effect::default() }
    }

    /// Only from the n-th such request on, counted from 1 since the registration.
    #[must_use]
    pub fn nth(self, n: usize) -> Self {
        Self { from: n, ..self }
    }

    /// This many times.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        Self { left: n, ..self }
    }

    /// Every time.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Answers with this status, with an empty body unless one is given.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        self.with(|effect| effect.status = Some(status))
    }

    /// Sets a header of the answer, the real one or that of the fault.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|effect| effect.headers.push((name.to_owned(), value.to_owned())))
    }

    /// Answers with this JSON, with 200 unless a status is given.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json; charset=utf-8", value.to_string())
    }

    /// Answers with this HTML, with 200 unless a status is given.
    #[must_use]
    pub fn html(self, text: &str) -> Self {
        self.body("text/html; charset=utf-8", text)
    }

    /// Answers with these bytes, with 200 unless a status is given.
    #[must_use]
    pub fn body(self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(|effect| effect.body = Some((content_type.to_owned(), bytes.into())))
    }

    /// Answers as Entra does when it refuses with this code, status included.
    #[must_use]
    pub fn aadsts(self, code: u32) -> Self {
        self.with(|effect| effect.aadsts = Some(code))
    }

    /// Accepts, and never answers.
    #[must_use]
    pub fn hang(self) -> Self {
        self.deliver(Delivery::Hang)
    }

    /// Resets the TCP connection, also when other requests use it.
    #[must_use]
    pub fn reset(self) -> Self {
        self.deliver(Delivery::Reset)
    }

    /// Does what was asked for, and resets the TCP connection in place of the answer.
    #[must_use]
    pub fn lose_answer(self) -> Self {
        self.deliver(Delivery::LoseAnswer)
    }

    /// Does what was asked for, and answers only when the test opens the gate.
    #[must_use]
    pub fn answer_gate(self, gate: &Gate) -> Self {
        self.with(|effect| effect.answer_gate = Some(gate.clone()))
    }

    /// Declares a longer body than is sent, then closes.
    #[must_use]
    pub fn truncate(self) -> Self {
        self.deliver(Delivery::Truncate)
    }

    /// Sends a body of more than 10 MiB.
    #[must_use]
    pub fn huge(self) -> Self {
        self.deliver(Delivery::Huge)
    }

    /// Sends the body byte by byte, with a pause before each.
    #[must_use]
    pub fn drip(self, interval: Duration) -> Self {
        self.deliver(Delivery::Drip(interval))
    }

    /// Answers only when the test opens the gate.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.with(|effect| effect.gate = Some(gate.clone()))
    }

    /// Answers a request for an id token with this text instead of a token; it counts as issued.
    #[must_use]
    pub fn replace_id_token(self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.json(&json!({ "oidcToken": token })).with(|effect| effect.id_token = Some(token))
    }

    /// Sets the `Date` header of the answer.
    #[must_use]
    pub fn date(self, date: impl AsRef<str>) -> Self {
        self.header("date", date.as_ref())
    }

    /// Closes the TCP connection at once. For [`Fault::connect`].
    #[must_use]
    pub fn refuse(self) -> Self {
        self.reset()
    }

    /// Answers the TLS handshake with something else. For [`Fault::connect`].
    #[must_use]
    pub fn tls_broken(self) -> Self {
        self.deliver(Delivery::TlsBroken)
    }

    fn deliver(self, delivery: Delivery) -> Self {
        self.with(|effect| effect.delivery = delivery)
    }

    fn with(mut self, change: impl FnOnce(&mut Effect)) -> Self {
        change(&mut self.effect);
        self
    }

    fn hits_request(&self, asked: Service, verb: &str, sent: &str) -> bool {
        match &self.target {
            Target::Request { service, method, path } => {
                *service == asked && (method == "*" || method == verb) && sent.contains(path.as_str())
            }
            Target::Such { is_it } => is_it(verb, sent),
            Target::Connect { .. } => false,
        }
    }

    fn hits_connect(&self, asked: Service) -> bool {
        matches!(self.target, Target::Connect { service } if service == asked)
    }
}

/// The registered faults.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Mutex<Vec<Fault>>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn take_for_request(&self, service: Service, method: &str, path: &str) -> Option<Effect> {
        self.due(|fault| fault.hits_request(service, method, path))
    }

    pub(crate) fn take_for_connect(&self, service: Service) -> Option<Effect> {
        self.due(|fault| fault.hits_connect(service))
    }

    /// A fault counts every request that it matches, so that `.nth(2)` means the second even if another fault took the first.
    fn due(&self, hits: impl Fn(&Fault) -> bool) -> Option<Effect> {
        let mut effect = None;
        for fault in self.lock().iter_mut().filter(|fault| hits(fault)) {
            fault.seen += 1;
            if effect.is_none() && fault.seen >= fault.from && fault.left > 0 {
                fault.left -= 1;
                effect = Some(fault.effect.clone());
            }
        }
        effect
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(faults: &Faults, requests: usize) -> Vec<Option<u16>> {
        (0..requests)
            .map(|_| faults.take_for_request(Service::Entra, "POST", "/t/oauth2/v2.0/token"))
            .map(|effect| effect.and_then(|effect| effect.status))
            .collect()
    }

    fn token(status: u16) -> Fault {
        Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").status(status)
    }

    #[test]
    fn a_fault_happens_once_and_only_to_its_requests() {
        let faults = Faults::default();
        faults.add(token(429));
        assert!(faults.take_for_request(Service::Entra, "GET", "/t/oauth2/v2.0/token").is_none());
        assert!(faults.take_for_request(Service::Arm, "POST", "/t/oauth2/v2.0/token").is_none());
        assert_eq!(statuses(&faults, 2), [Some(429), None]);
    }

    #[test]
    fn faults_follow_each_other() {
        let faults = Faults::default();
        faults.add(token(429).times(2));
        faults.add(token(503));
        assert_eq!(statuses(&faults, 4), [Some(429), Some(429), Some(503), None]);
    }

    #[test]
    fn the_second_request_counts_as_the_second_though_another_fault_took_the_first() {
        let faults = Faults::default();
        faults.add(token(429));
        faults.add(token(503).nth(2));
        assert_eq!(statuses(&faults, 3), [Some(429), Some(503), None]);
    }
}
