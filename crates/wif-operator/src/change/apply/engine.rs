//! Goes through the connections of a plan, and through the steps of each.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;
use uuid::Uuid;
use wif_azure::rest::WriteError;
use wif_core::{code::Code, foreign_text::one_line};
use wif_io::clock::Clock;

use super::ended::{Applied, Ended, Failed, MAX_TEXT, Outcome, code_of};
use crate::{
    change::{
        ids::Ids,
        journal::{Journal, JournalError, Phase, Read, Told},
        observe::{Target, Unobserved, observe},
        plan::{Action, Facts, Item, Plan},
        service::{CallError, NotChanged, Services},
        standing::Standing,
        vend::asked::Change,
    },
    moment::Moment,
    read::progress::Progress,
};

/// What applies a plan.
pub struct Engine<'a> {
    pub(super) plan: &'a Plan,
    pub(super) services: &'a Services,
    journal: &'a Journal,
    pub(super) before: Option<&'a Read>,
    pub(super) clock: &'a dyn Clock,
    pub(super) talk: &'a Progress,
    pub(super) options: Options,
    pub(super) is_stopped: &'a Cell<bool>,
    /// Writes to one identity are serial.
    identities: BTreeMap<Uuid, Mutex<()>>,
    failures: RefCell<BTreeMap<Code, usize>>,
    has_changed: Cell<bool>,
    pub(super) broken: RefCell<Option<JournalError>>,
    /// The steps whose call was announced by this process.
    pub(super) announced: RefCell<BTreeSet<(Uuid, usize)>>,
    /// What was read of the objects of steps, until it is in the journal.
    learned: RefCell<BTreeMap<(Uuid, usize), Ids>>,
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

/// So many failures with one code end everything.
const MAX_FAILURES: usize = 3;

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
        let clients = plan.items.iter().filter_map(Item::serial_key);
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
            learned: RefCell::default(),
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

    pub(super) fn is_over(&self) -> bool {
        self.is_stopped.get() || self.broken.borrow().is_some()
    }

    /// Writes a line. Where it cannot be written, everything ends, and nothing more is written.
    pub(super) fn note(&self, phase: Phase, item: &Item, step: Option<usize>, mut told: Told) -> bool {
        if self.broken.borrow().is_some() {
            return false;
        }
        let time = Moment::new(self.clock.now());
        if phase == Phase::Intent {
            self.announced.borrow_mut().extend(step.map(|step| (item.connection, step)));
        }
        if matches!(phase, Phase::Verified | Phase::Found) {
            let learned = step.and_then(|step| self.learned.borrow_mut().remove(&(item.connection, step)));
            told.ids = learned.unwrap_or_default();
        }
        match self.journal.note(time, phase, (Some(item.connection), step), told) {
            Ok(()) => true,
            Err(error) => {
                self.broken.borrow_mut().get_or_insert(error);
                false
            }
        }
    }

    /// Keeps what was read of a step's objects for the line that says that it is done.
    pub(super) fn learn(&self, item: &Item, at: usize, ids: Ids) {
        let mut learned = self.learned.borrow_mut();
        let known = learned.entry((item.connection, at)).or_default();
        *known = ids.or(mem::take(known));
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
        // The identity of a request may not be there yet.
        let client = item.facts.client.or(item.asked.as_ref().map(|_| Uuid::nil()));
        let (Some(client), Some(key)) = (client, item.serial_key()) else {
            return Outcome::Stale("the plan names no identity".to_owned());
        };
        let lock = self.identities.get(&key);
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
            Outcome::Waits(text) => self.talk.say(&format!("{name}: {text}")),
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
        let Standing { is_begun, is_put_back, undoing, open, mut made, found, undone, .. } = before;
        if let Some(code) = undoing {
            let code = Code::ALL.iter().copied().find(|known| known.as_str() == code);
            made.extend(open);
            // A person may have moved it.
            made.extend(item.steps.iter().position(|step| matches!(step.action, Action::MoveIssuer { .. })));
            made.retain(|step| !undone.contains(step));
            let text = "it had failed before".to_owned();
            return self
                .undo(item, target, made, Failed { code: code.unwrap_or(Code::ChangeUnconfirmed), text })
                .await;
        }
        if (!is_begun || is_put_back)
            && let Err(outcome) = self.check(item, target, is_put_back).await
        {
            return outcome;
        }
        // Once the connection is being deleted, there is no way back, and nothing to look at.
        let is_ending = item.steps.iter().enumerate().any(|(at, step)| {
            step.action == Action::Follow(Change::EndConnection) && (made.contains(&at) || open.contains(&at))
        });
        for (at, step) in item.steps.iter().enumerate() {
            let is_last_look = matches!(step.action, Action::Follow(Change::StillUnused { .. }));
            // What was true when an earlier process looked may not be any more.
            if made.contains(&at) || (found.contains(&at) && (is_ending || !is_last_look)) {
                continue;
            }
            if self.is_over() {
                return Outcome::Interrupted;
            }
            let was_announced = open.contains(&at);
            let told = |text: Option<String>| Told { text, ..Told::default() };
            // In the first process the check of the facts has looked just now.
            let trusted =
                if is_last_look && is_begun { self.check_trust(item, target).await } else { Ok(()) };
            let ended = match trusted {
                Ok(()) => self.step(item, target, (at, &step.action), was_announced, &made).await,
                Err(text) if made.is_empty() && open.is_empty() => return self.stale(item, text),
                Err(text) => Ended::Failed(Failed { code: Code::WorldChanged, text }),
            };
            match ended {
                Ended::Made(text) => {
                    made.push(at);
                    self.note(Phase::Verified, item, Some(at), told(text));
                }
                Ended::Found => {
                    self.note(Phase::Found, item, Some(at), Told::default());
                }
                Ended::Interrupted => return Outcome::Interrupted,
                Ended::Waits(text) => {
                    let text = one_line(&text, MAX_TEXT);
                    self.note(Phase::Waits, item, Some(at), told(Some(text.clone())));
                    return Outcome::Waits(text);
                }
                Ended::Doubtful(failed) => return self.keep(item, at, failed),
                Ended::Failed(failed) => {
                    let code = Some(failed.code.as_str().to_owned());
                    let told = Told { code, text: Some(failed.text.clone()), ..Told::default() };
                    self.note(Phase::Failed, item, Some(at), told);
                    // What it has done is looked for before it is undone. What was never announced was done by others.
                    // A person may have moved it.
                    let may_have_moved = matches!(step.action, Action::MoveIssuer { .. });
                    if may_have_moved
                        || was_announced
                        || self.announced.borrow().contains(&(item.connection, at))
                    {
                        made.push(at);
                    }
                    // A last look that fails may come before a step of which an earlier process knew no end.
                    let later: Vec<_> = open.iter().copied().filter(|one| !made.contains(one)).collect();
                    made.extend(later);
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

    /// Ends with a step of which it is not known what it has done. The steps before it stay: what comes yet may depend on them.
    fn keep(&self, item: &Item, at: usize, failed: Failed) -> Outcome {
        let Failed { code, text } = failed;
        let told = |code: Code| Told {
            code: Some(code.as_str().to_owned()),
            text: Some(text.clone()),
            ..Told::default()
        };
        self.note(Phase::Failed, item, Some(at), told(code));
        self.note(Phase::NotUndone, item, Some(at), told(Code::NotPutBack));
        let hint = "it is not known what was done: look at it, then wif apply PLAN --resume";
        let text = one_line(&format!("{}; {hint}", one_line(&text, MAX_TEXT / 2)), MAX_TEXT);
        Outcome::Failed { code, text, is_put_back: false }
    }

    /// Whether what was read for the plan still holds. `is_put_back`: this plan has changed the connection, and changed it back.
    async fn check(&self, item: &Item, target: &Target, is_put_back: bool) -> Result<(), Outcome> {
        if let Some(asked) = &item.asked {
            return self.check_request(item, asked, target, is_put_back).await;
        }
        self.check_observed(item, target, is_put_back).await
    }

    /// Whether a connection and its identity are what was read for the plan.
    pub(super) async fn check_observed(
        &self,
        item: &Item,
        target: &Target,
        is_put_back: bool,
    ) -> Result<(), Outcome> {
        let stale = |text: String| self.stale(item, text);
        match observe(self.services, target).await {
            Ok(observed) => {
                let others = self.plan.names_of_others(item);
                if observed.facts.digest(&others) == item.digest {
                    return Ok(());
                }
                let (before, now) = if is_put_back {
                    (item.facts.but_for_own_traces(), observed.facts.but_for_own_traces())
                } else {
                    (item.facts.clone(), observed.facts)
                };
                if is_put_back && now.digest(&others) == before.digest(&others) {
                    return Ok(());
                }
                Err(stale(difference(&before, &now, &others)))
            }
            Err(Unobserved::Call(what, error)) => {
                let text = one_line(&format!("{what} could not be read: {error}"), MAX_TEXT);
                let code = code_of(&error);
                Err(Outcome::Failed { code, text, is_put_back: true })
            }
            Err(error) => Err(stale(error.to_string())),
        }
    }

    /// Notes that nothing is done, because what was read for the plan does not hold any more.
    pub(super) fn stale(&self, item: &Item, text: String) -> Outcome {
        let told = Told {
            code: Some(Code::WorldChanged.as_str().to_owned()),
            text: Some(text.clone()),
            ..Told::default()
        };
        self.note(Phase::Stale, item, None, told);
        Outcome::Stale(text)
    }

    /// What a call has come to: seen (true), lost (false), or not done; and whether only the moment was wrong.
    pub(super) fn judge(
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
}

/// What has changed since the plan.
fn difference(before: &Facts, now: &Facts, others: &[&str]) -> String {
    let of = |facts: &Facts| {
        let mut facts = facts.clone();
        facts.identity.credentials.retain(|one| !others.contains(&one.name.as_str()));
        facts.identity.credentials.sort();
        serde_json::to_value(&facts).unwrap_or_default()
    };
    let (before, now) = (of(before), of(now));
    let names =
        before.as_object().into_iter().flatten().filter(|(name, value)| now.get(*name) != Some(*value));
    let names: Vec<_> = names.map(|(name, _)| name.as_str()).collect();
    format!("it has changed since the plan was made: {}", names.join(", "))
}
