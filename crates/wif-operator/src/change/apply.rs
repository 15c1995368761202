//! Applies a plan: each step is announced in the journal, sent, and read back. Only what was read back counts.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;
use wif_azure::rest::WriteError;
use wif_core::{code::Code, foreign_text::one_line};
use wif_io::clock::{Clock, Deadline};

use super::{
    journal::{Journal, JournalError, Phase, Read, Standing, Told},
    observe::{self, Observed, Target, Unobserved, observe},
    plan::{AUDIENCE, Action, Credential, Item, Plan, Scheme},
    prove::Proof,
    service::{CallError, NotChanged, Services},
};
use crate::{moment::Moment, read::progress::Progress};

/// What applies a plan.
pub struct Engine<'a> {
    plan: &'a Plan,
    services: &'a Services,
    journal: &'a Journal,
    before: Option<&'a Read>,
    clock: &'a dyn Clock,
    talk: &'a Progress,
    options: Options,
    is_stopped: &'a Cell<bool>,
    /// Writes to one identity are serial.
    identities: BTreeMap<Uuid, Mutex<()>>,
    failures: RefCell<BTreeMap<Code, usize>>,
    has_changed: Cell<bool>,
    broken: RefCell<Option<JournalError>>,
    /// The steps whose call was announced by this process.
    announced: RefCell<BTreeSet<(Uuid, usize)>>,
}

/// How to apply.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many connections are changed at once.
    pub jobs: usize,
    /// How long a proof may take.
    pub prove_within: Duration,
    /// The moment to judge by, where it is not the clock's.
    pub now: Option<Moment>,
}

/// How a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Nothing was done: the facts have changed.
    Stale(String),
    /// It failed, for this reason. Whether it is as it was before.
    Failed {
        /// The code.
        code: Code,
        /// The reason.
        text: String,
        /// Whether it was put back.
        is_put_back: bool,
    },
    /// The user asked to stop.
    Interrupted,
    /// It was not begun.
    NotStarted,
}

/// How an application has ended.
#[derive(Debug)]
pub struct Applied {
    /// How each connection has ended, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Whether any change was made.
    pub has_changed: bool,
    /// Why the journal could not be written.
    pub broken: Option<JournalError>,
}

/// A step that has failed.
struct Failed {
    code: Code,
    text: String,
}

/// How a step has ended.
enum Ended {
    /// It was made by this plan.
    Made(Option<String>),
    /// There was nothing to do.
    Found,
    Failed(Failed),
    Interrupted,
}

/// So many failures with one code end everything.
const MAX_FAILURES: usize = 3;
/// How often a call is sent of which it is not known whether it was done.
const MAX_ATTEMPTS: usize = 3;
/// How long a change of a credential is waited for where it is read.
const CREDENTIAL_WAIT: Duration = Duration::from_secs(120);
/// How long a conversion is waited for.
const CONVERSION_WAIT: Duration = Duration::from_secs(300);
/// How long it is looked for what a call without an answer has done, before it is sent again.
const LOST_WAIT: Duration = Duration::from_secs(6);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(10);
/// The longest text in a journal, in characters.
const MAX_TEXT: usize = 500;

impl<'a> Engine<'a> {
    /// An engine for a plan.
    #[must_use]
    pub fn new(
        (plan, services): (&'a Plan, &'a Services),
        (journal, before): (&'a Journal, Option<&'a Read>),
        (clock, talk): (&'a dyn Clock, &'a Progress),
        options: Options,
        is_stopped: &'a Cell<bool>,
    ) -> Self {
        let clients = plan.items.iter().filter_map(|item| item.facts.client);
        Self {
            plan,
            services,
            journal,
            before,
            clock,
            talk,
            options,
            is_stopped,
            identities: clients.map(|client| (client, Mutex::default())).collect(),
            failures: RefCell::default(),
            has_changed: Cell::new(false),
            broken: RefCell::default(),
            announced: RefCell::default(),
        }
    }

    /// Applies: the first connection alone, then the others.
    pub async fn run(self) -> Applied {
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        let mut items = self.plan.items.iter().enumerate();
        let mut has_failed = false;
        for (at, item) in items.by_ref() {
            let outcome = self.item(item).await;
            let is_first_to_be_done = !matches!(outcome, Outcome::Stale(_)) && !self.was_done(item);
            has_failed = matches!(outcome, Outcome::Failed { .. } | Outcome::Interrupted);
            outcomes.insert(at, outcome);
            if is_first_to_be_done {
                break;
            }
        }
        let rest: Vec<_> = items.collect();
        if has_failed {
            outcomes.extend(rest.iter().map(|(at, _)| (*at, Outcome::NotStarted)));
        } else {
            let engine = &self;
            let each = rest.into_iter().map(|(at, item)| async move { (at, engine.item(item).await) });
            let ended = stream::iter(each).buffer_unordered(self.options.jobs.max(1));
            outcomes.extend(ended.collect::<Vec<_>>().await);
        }
        if self.broken.borrow().is_none() {
            // The outcomes say how it has ended, with or without this line.
            let _ = self.journal.note(self.moment(), Phase::End, (None, None), Told::default());
        }
        Applied {
            outcomes: outcomes.into_values().collect(),
            has_changed: self.has_changed.get(),
            broken: self.broken.take(),
        }
    }

    fn was_done(&self, item: &Item) -> bool {
        self.before.is_some_and(|read| read.state_of(item.connection).is_done)
    }

    fn moment(&self) -> Moment {
        self.options.now.unwrap_or_else(|| Moment::new(self.clock.now()))
    }

    fn is_over(&self) -> bool {
        self.is_stopped.get() || self.broken.borrow().is_some()
    }

    /// Writes a line. Where it cannot be written, everything ends.
    fn note(&self, phase: Phase, item: &Item, step: Option<usize>, told: Told) -> bool {
        let time = Moment::new(self.clock.now());
        if phase == Phase::Intent {
            self.announced.borrow_mut().extend(step.map(|step| (item.connection, step)));
        }
        match self.journal.note(time, phase, (Some(item.connection), step), told) {
            Ok(()) => true,
            Err(error) => {
                self.broken.borrow_mut().get_or_insert(error);
                false
            }
        }
    }

    async fn item(&self, item: &Item) -> Outcome {
        let too_often = self.failures.borrow().values().any(|count| *count >= MAX_FAILURES);
        if too_often || self.is_over() {
            return Outcome::NotStarted;
        }
        let before = self.before.map(|read| read.state_of(item.connection)).unwrap_or_default();
        if before.is_done {
            return Outcome::Done;
        }
        let Some(client) = item.facts.client else {
            return Outcome::Stale("the plan names no identity".to_owned());
        };
        let lock = self.identities.get(&client);
        let _serial = match lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        if self.failures.borrow().values().any(|count| *count >= MAX_FAILURES) || self.is_over() {
            return Outcome::NotStarted;
        }
        let target = Target {
            connection: item.connection,
            project: item.project.id,
            client,
            resource: item.facts.identity.resource.clone(),
        };
        let outcome = self.steps(item, &target, before).await;
        let name = one_line(&item.name, 80);
        match &outcome {
            Outcome::Done => self.talk.say(&format!("{name}: done")),
            Outcome::Stale(text) => self.talk.say(&format!("{name}: not begun: {text}")),
            Outcome::Failed { code, text, is_put_back } => {
                *self.failures.borrow_mut().entry(*code).or_default() += 1;
                let end = if *is_put_back { "it is as it was before" } else { "it was not put back" };
                self.talk.say(&format!("{name}: {code}: {text}; {end}"));
            }
            Outcome::Interrupted | Outcome::NotStarted => {}
        }
        outcome
    }

    async fn steps(&self, item: &Item, target: &Target, before: Standing) -> Outcome {
        let Standing { is_begun, undoing, open, mut made, found, undone, .. } = before;
        if let Some(code) = undoing {
            let code = Code::ALL.iter().copied().find(|known| known.as_str() == code);
            made.extend(open);
            made.retain(|step| !undone.contains(step));
            let text = "it had failed before".to_owned();
            return self
                .undo(item, target, made, Failed { code: code.unwrap_or(Code::ChangeUnconfirmed), text })
                .await;
        }
        if !is_begun && let Err(outcome) = self.check(item, target).await {
            return outcome;
        }
        for (at, step) in item.steps.iter().enumerate() {
            if made.contains(&at) || found.contains(&at) {
                continue;
            }
            if self.is_over() {
                return Outcome::Interrupted;
            }
            let was_announced = open.contains(&at);
            let told = |text: Option<String>| Told { text, ..Told::default() };
            match self.step(item, target, (at, &step.action), was_announced, &made).await {
                Ended::Made(text) => {
                    made.push(at);
                    self.note(Phase::Verified, item, Some(at), told(text));
                }
                Ended::Found => {
                    self.note(Phase::Found, item, Some(at), Told::default());
                }
                Ended::Interrupted => return Outcome::Interrupted,
                Ended::Failed(failed) => {
                    let code = Some(failed.code.as_str().to_owned());
                    let told = Told { code, text: Some(failed.text.clone()), request: None };
                    self.note(Phase::Failed, item, Some(at), told);
                    // What it has done is looked for before it is undone. What was never announced was done by others.
                    if was_announced || self.announced.borrow().contains(&(item.connection, at)) {
                        made.push(at);
                    }
                    return self.undo(item, target, made, failed).await;
                }
            }
            if self.broken.borrow().is_some() {
                return Outcome::Interrupted;
            }
        }
        self.note(Phase::Done, item, None, Told::default());
        Outcome::Done
    }

    /// Whether what was read for the plan still holds.
    async fn check(&self, item: &Item, target: &Target) -> Result<(), Outcome> {
        let stale = |text: String| {
            let told = Told {
                code: Some(Code::WorldChanged.as_str().to_owned()),
                text: Some(text.clone()),
                request: None,
            };
            self.note(Phase::Stale, item, None, told);
            Outcome::Stale(text)
        };
        match observe(self.services, target).await {
            Ok(observed) => {
                let others = self.plan.names_of_others(item);
                if observed.facts.digest(&others) == item.digest {
                    return Ok(());
                }
                Err(stale(difference(item, &observed, &others)))
            }
            Err(Unobserved::Call(what, error)) => {
                let text = one_line(&format!("{what} could not be read: {error}"), MAX_TEXT);
                let code = code_of(&error);
                Err(Outcome::Failed { code, text, is_put_back: true })
            }
            Err(error) => Err(stale(error.to_string())),
        }
    }

    async fn step(
        &self,
        item: &Item,
        target: &Target,
        (at, action): (usize, &Action),
        was_announced: bool,
        made: &[usize],
    ) -> Ended {
        match action {
            Action::AddCredential { credential } => {
                match self.credential(item, target, at, credential, true, Phase::Intent).await {
                    // What was announced and is there was made by this plan.
                    Ended::Found if was_announced => Ended::Made(None),
                    ended => ended,
                }
            }
            Action::RemoveCredential { credential } => {
                self.credential(item, target, at, credential, false, Phase::Intent).await
            }
            Action::RemoveUnused { credentials } => {
                let is_made = |credential: &&Credential| {
                    item.steps.iter().enumerate().any(|(at, step)| {
                        made.contains(&at)
                            && matches!(&step.action, Action::AddCredential { credential: own } if own == *credential)
                    })
                };
                let (issuer, subject) = match observe::connection(self.services, target).await {
                    Ok(raw) => pair(&raw),
                    Err(error) => return Ended::Failed(unread(&error)),
                };
                let is_unused = |one: &&Credential| one.issuer != issuer || one.subject != subject;
                let mut has_made = false;
                for credential in credentials.iter().filter(is_made).filter(is_unused) {
                    match self.credential(item, target, at, credential, false, Phase::Intent).await {
                        Ended::Made(_) => has_made = true,
                        Ended::Found => {}
                        // The connection works, and is not put back for what is left over.
                        Ended::Failed(failed) => {
                            let text = format!("left over: {}: {}", credential.name, failed.text);
                            self.talk.say(&text);
                            return Ended::Made(Some(one_line(&text, MAX_TEXT)));
                        }
                        Ended::Interrupted => return Ended::Interrupted,
                    }
                }
                if has_made { Ended::Made(None) } else { Ended::Found }
            }
            Action::Convert { to } => match self.convert(item, target, at, *to, Phase::Intent).await {
                Ended::Found if was_announced => Ended::Made(None),
                ended => ended,
            },
            Action::Prove => self.prove(item, target, at).await,
        }
    }

    /// Adds or removes a federated credential, and reads it back.
    async fn credential(
        &self,
        item: &Item,
        target: &Target,
        at: usize,
        credential: &Credential,
        is_wanted: bool,
        intent: Phase,
    ) -> Ended {
        let is_it = |one: &Credential| {
            one.issuer == credential.issuer
                && one.subject == credential.subject
                && one.audience == credential.audience
        };
        let is_named = |one: &Credential| one.name == credential.name;
        let known = match observe::credentials(self.services, target).await {
            Ok((known, _)) => known,
            Err(error) => return Ended::Failed(unread(&error)),
        };
        let is_reached = |known: &[Credential]| {
            if is_wanted {
                known.iter().any(is_it)
            } else {
                !known.iter().any(|one| is_named(one) && is_it(one))
            }
        };
        if is_reached(&known) {
            return Ended::Found;
        }
        if is_wanted && known.iter().any(is_named) {
            let text = format!("another credential has the name {} by now", credential.name);
            return Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text });
        }
        let holder = target.holder();
        let mut delays = Delays::default();
        for attempt in 1..=MAX_ATTEMPTS {
            if !self.note(intent, item, Some(at), Told::default()) {
                return Ended::Interrupted;
            }
            let sent = if is_wanted {
                self.services.add_credential(&holder, credential).await
            } else {
                self.services.remove_credential(&holder, &credential.name).await
            };
            let wait = match self.judge(item, at, sent) {
                Ok(true) => CREDENTIAL_WAIT,
                Ok(false) => LOST_WAIT,
                // One write at a time on a managed identity: another party is at it.
                Err((_, true)) if attempt < MAX_ATTEMPTS => {
                    self.clock.sleep(Duration::from_secs(4)).await;
                    continue;
                }
                Err((failed, _)) => return Ended::Failed(failed),
            };
            let deadline = Deadline::after(self.clock, wait);
            let mut looked;
            loop {
                looked = observe::credentials(self.services, target).await;
                if looked.as_ref().is_ok_and(|(known, _)| is_reached(known)) {
                    return Ended::Made(None);
                }
                if deadline.remaining(self.clock).is_zero() || self.broken.borrow().is_some() {
                    break;
                }
                self.clock.sleep(delays.next()).await;
            }
            // Without a look at what the call has done, it is not sent again.
            if let Err(error) = looked {
                return Ended::Failed(unread(&error));
            }
        }
        let what = if is_wanted { "is not there" } else { "is still there" };
        let text = format!("the federated credential {} {what} where it is read", credential.name);
        Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text })
    }

    /// Converts the connection, and reads it back.
    async fn convert(&self, item: &Item, target: &Target, at: usize, to: Scheme, intent: Phase) -> Ended {
        let mut observed = match self.settled(target).await {
            Ok(observed) => observed,
            Err(error) => return Ended::Failed(unread(&error)),
        };
        if has_scheme(&observed, to) {
            return match trusted(&observed, to) {
                Ok(()) => Ended::Found,
                Err(failed) => Ended::Failed(failed),
            };
        }
        if !has_scheme(&observed, to.other()) {
            let text = format!("its scheme is neither {to} nor {}", to.other());
            return Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text });
        }
        let mut delays = Delays::default();
        for _ in 0..MAX_ATTEMPTS {
            if !self.note(intent, item, Some(at), Told::default()) {
                return Ended::Interrupted;
            }
            let sent = self.services.convert(target.project, &observed.raw, to).await;
            let wait = match self.judge(item, at, sent) {
                Ok(true) => CONVERSION_WAIT,
                Ok(false) => LOST_WAIT,
                Err((failed, _)) => return Ended::Failed(failed),
            };
            let deadline = Deadline::after(self.clock, wait);
            let end = Deadline::after(self.clock, CONVERSION_WAIT);
            let mut unseen;
            loop {
                let looked = observe(self.services, target).await;
                unseen = looked.as_ref().err().map(unread);
                if let Ok(now) = looked {
                    let is_there = has_scheme(&now, to) && !now.is_in_progress;
                    observed = now;
                    if is_there {
                        return match trusted(&observed, to) {
                            Ok(()) => Ended::Made(told_pair(&observed)),
                            Err(failed) => Ended::Failed(failed),
                        };
                    }
                }
                let is_late = deadline.remaining(self.clock).is_zero() && !observed.is_in_progress;
                if is_late || end.remaining(self.clock).is_zero() || self.broken.borrow().is_some() {
                    break;
                }
                self.clock.sleep(delays.next()).await;
            }
            // Without a look at what the call has done, it is not sent again.
            if let Some(failed) = unseen {
                return Ended::Failed(failed);
            }
        }
        let text = format!("Azure DevOps still shows another scheme than {to}");
        Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text })
    }

    /// What it is when Azure DevOps has ended what is under way.
    async fn settled(&self, target: &Target) -> Result<Observed, Unobserved> {
        let deadline = Deadline::after(self.clock, CONVERSION_WAIT);
        let mut delays = Delays::default();
        loop {
            let observed = observe(self.services, target).await?;
            if !observed.is_in_progress || deadline.remaining(self.clock).is_zero() {
                return Ok(observed);
            }
            self.clock.sleep(delays.next()).await;
        }
    }

    async fn prove(&self, item: &Item, target: &Target, at: usize) -> Ended {
        if !self.note(Phase::Intent, item, Some(at), Told::default()) {
            return Ended::Interrupted;
        }
        let deadline = Deadline::after(self.clock, self.options.prove_within);
        let mut delays = Delays::default();
        loop {
            let raw = match observe::connection(self.services, target).await {
                Ok(raw) => raw,
                Err(error) => return Ended::Failed(unread(&error)),
            };
            let (text, code, may_pass) = match self.services.test(target.project, &raw).await {
                Ok(answer) => {
                    let proof = Proof::parse(&answer);
                    if proof.is_proven() {
                        return Ended::Made(Some(one_line(&proof.sentence(), MAX_TEXT)));
                    }
                    (proof.sentence(), Code::ConnectionUnproven, proof.may_pass())
                }
                Err(error) => (format!("TestConnection: {error}"), code_of(&error), !error.is_refusal()),
            };
            if self.is_stopped.get() {
                return Ended::Interrupted;
            }
            if !may_pass || deadline.remaining(self.clock).is_zero() {
                return Ended::Failed(Failed { code, text: one_line(&text, MAX_TEXT) });
            }
            self.clock.sleep(delays.next()).await;
        }
    }

    /// What a call has come to: seen (true), lost (false), or not done; and whether only the moment was wrong.
    fn judge(
        &self,
        item: &Item,
        at: usize,
        sent: Result<Option<String>, NotChanged>,
    ) -> Result<bool, (Failed, bool)> {
        match sent {
            Ok(request) => {
                self.has_changed.set(true);
                self.note(Phase::Seen, item, Some(at), Told { request, ..Told::default() });
                Ok(true)
            }
            Err(WriteError::Unknown(_)) => {
                self.has_changed.set(true);
                Ok(false)
            }
            Err(WriteError::NotDone(error)) => {
                let is_busy = matches!(&error, CallError::Refused { status: 409, .. });
                Err((Failed { code: code_of(&error), text: one_line(&error.to_string(), MAX_TEXT) }, is_busy))
            }
        }
    }

    /// Puts a connection back: the inverse of each step, the last first.
    async fn undo(&self, item: &Item, target: &Target, mut made: Vec<usize>, failed: Failed) -> Outcome {
        made.sort_unstable();
        made.dedup();
        let Failed { code, mut text } = failed;
        for at in made.into_iter().rev() {
            let Some(step) = item.steps.get(at) else { continue };
            let ended = match &step.action {
                Action::Convert { to } => self.convert(item, target, at, to.other(), Phase::UndoIntent).await,
                Action::AddCredential { credential } => {
                    self.credential(item, target, at, credential, false, Phase::UndoIntent).await
                }
                Action::RemoveCredential { credential } => {
                    self.credential(item, target, at, credential, true, Phase::UndoIntent).await
                }
                Action::RemoveUnused { .. } | Action::Prove => continue,
            };
            match ended {
                Ended::Made(_) | Ended::Found => {
                    self.note(Phase::Undone, item, Some(at), Told::default());
                }
                Ended::Failed(not_undone) => {
                    let told = Told {
                        code: Some(Code::NotPutBack.as_str().to_owned()),
                        text: Some(not_undone.text.clone()),
                        request: None,
                    };
                    self.note(Phase::NotUndone, item, Some(at), told);
                    text = one_line(
                        &format!("{text}; and step {} could not be undone: {}", at + 1, not_undone.text),
                        MAX_TEXT,
                    );
                    return Outcome::Failed { code, text, is_put_back: false };
                }
                Ended::Interrupted => return Outcome::Interrupted,
            }
        }
        self.note(Phase::PutBack, item, None, Told::default());
        Outcome::Failed { code, text, is_put_back: true }
    }
}

/// Half a second, doubling to ten.
struct Delays(Duration);

impl Default for Delays {
    fn default() -> Self {
        Self(FIRST_DELAY)
    }
}

impl Delays {
    fn next(&mut self) -> Duration {
        let delay = self.0;
        self.0 = delay.saturating_mul(2).min(MAX_DELAY);
        delay
    }
}

fn has_scheme(observed: &Observed, scheme: Scheme) -> bool {
    observed.facts.scheme.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(scheme.as_str()))
}

/// Whether a federated credential has the issuer and subject that a conversion has yielded.
fn trusted(observed: &Observed, to: Scheme) -> Result<(), Failed> {
    if to == Scheme::ServicePrincipal {
        return Ok(());
    }
    let (issuer, subject) = pair(&observed.raw);
    let is_it = |one: &Credential| one.issuer == issuer && one.subject == subject && one.audience == AUDIENCE;
    if !issuer.is_empty() && observed.facts.identity.credentials.iter().any(is_it) {
        return Ok(());
    }
    let text = format!(
        "it has the issuer {issuer} and the subject {subject} now, for which there is no federated credential"
    );
    Err(Failed { code: Code::ConnectionUnproven, text: one_line(&text, MAX_TEXT) })
}

/// The issuer and the subject of a connection.
fn pair(raw: &Value) -> (String, String) {
    let parameters = raw.pointer("/authorization/parameters").and_then(Value::as_object);
    let get = |name: &str| {
        let found = parameters?.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
    };
    let of = |name: &str| get(name).unwrap_or_default();
    (of("workloadIdentityFederationIssuer"), of("workloadIdentityFederationSubject"))
}

fn told_pair(observed: &Observed) -> Option<String> {
    let (issuer, subject) = pair(&observed.raw);
    let until = observed.facts.revert_until.map(|until| format!("; it can be converted back until {until}"));
    (!issuer.is_empty()).then(|| {
        one_line(&format!("issuer {issuer}, subject {subject}{}", until.unwrap_or_default()), MAX_TEXT)
    })
}

fn unread(error: &Unobserved) -> Failed {
    let code = match error {
        Unobserved::Call(_, error) => code_of(error),
        _ => Code::ChangeUnconfirmed,
    };
    Failed { code, text: one_line(&error.to_string(), MAX_TEXT) }
}

fn code_of(error: &CallError) -> Code {
    if error.is_refusal() { Code::ChangeRefused } else { Code::ChangeUnanswered }
}

/// What has changed since the plan.
fn difference(item: &Item, observed: &Observed, others: &[&str]) -> String {
    let of = |facts: &super::plan::Facts| {
        let mut facts = facts.clone();
        facts.identity.credentials.retain(|one| !others.contains(&one.name.as_str()));
        facts.identity.credentials.sort();
        serde_json::to_value(&facts).unwrap_or_default()
    };
    let (before, now) = (of(&item.facts), of(&observed.facts));
    let names =
        before.as_object().into_iter().flatten().filter(|(name, value)| now.get(*name) != Some(*value));
    let names: Vec<_> = names.map(|(name, _)| name.as_str()).collect();
    format!("it has changed since the plan was made: {}", names.join(", "))
}
