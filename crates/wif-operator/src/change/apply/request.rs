//! Steps that follow a request: sent, read back, and undone.

use std::{cell::RefCell, time::Duration};

use wif_azure::rest::WriteError;
use wif_core::{code::Code, foreign_text::one_line};
use wif_io::clock::Deadline;

use super::{
    ended::{Ended, Failed, MAX_TEXT, Outcome, code_of},
    engine::Engine,
    wait::{CREDENTIAL_WAIT, Delays, MAX_ATTEMPTS},
};
use crate::change::{
    journal::{Phase, Told},
    observe::{self, Target},
    plan::{Action, Facts, Item, Step},
    prove::Proof,
    service::CallError,
    vend::{
        asked::{Asked, Change},
        facts::facts,
        look,
        work::{Progress, Stuck, Work},
    },
};

/// How long new objects may take to be known everywhere.
const REPLICATION_WAIT: Duration = Duration::from_secs(300);
/// How long it is looked for what a call without an answer has made. Longer than for other calls: a connection that is made twice
/// stays twice.
const LOST_WAIT: Duration = Duration::from_secs(30);

impl Engine<'_> {
    fn work<'w>(&'w self, item: &'w Item, asked: &'w Asked, change: &'w Change, is_undone: bool) -> Work<'w> {
        let (services, organization) = (self.services, self.plan.organization.id);
        let (connection, learned) = (item.connection, RefCell::default());
        Work { services, organization, asked, connection, change, is_undone, learned }
    }

    /// Does a step of a request, or takes it back. Where `is_doubtful`, a call of an earlier process, or one without an answer, may still
    /// take effect: it is waited for.
    pub(super) async fn follow(
        &self,
        (item, at): (&Item, usize),
        (change, is_undone): (&Change, bool),
        is_doubtful: bool,
        intent: Phase,
    ) -> Ended {
        let Some(asked) = &item.asked else {
            let text = "the plan does not say what was asked for".to_owned();
            return Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text });
        };
        let work = self.work(item, asked, change, is_undone);
        let ended = self.followed((item, at), &work, is_doubtful, intent).await;
        self.learn(item, at, work.learned.take());
        ended
    }

    async fn followed(
        &self,
        (item, at): (&Item, usize),
        work: &Work<'_>,
        is_doubtful: bool,
        intent: Phase,
    ) -> Ended {
        let (change, is_undone) = (work.change, work.is_undone);
        let end = Deadline::after(self.clock, REPLICATION_WAIT);
        let mut delays = Delays::default();
        // What another service has made may not be known here yet.
        let begun = loop {
            match work.progress().await {
                Ok(progress) => break progress,
                Err(Stuck::Missing(_)) if self.is_over() => return Ended::Interrupted,
                Err(Stuck::Missing(_)) if !end.remaining(self.clock).is_zero() => {
                    self.clock.sleep(delays.next()).await;
                }
                Err(error) => return Ended::Failed(stuck(&error)),
            }
        };
        let begun = if is_doubtful && change.makes_another() {
            let made = Work { is_undone: false, learned: RefCell::default(), ..*work };
            let looked = self.read_back(&made, LOST_WAIT).await;
            work.learn(made.learned.take());
            match (looked, is_undone) {
                (Ok(true), false) => return Ended::Made(None),
                (Ok(true), true) => Progress::Open,
                (Ok(false) | Err(_), _) => begun,
            }
        } else {
            begun
        };
        match begun {
            Progress::Done => return Ended::Found,
            Progress::UnderWay => {
                return match self.read_back(work, CREDENTIAL_WAIT).await {
                    Ok(true) => Ended::Made(None),
                    Ok(false) => Ended::Failed(unconfirmed()),
                    Err(failed) => Ended::Failed(failed),
                };
            }
            Progress::Open => {}
        }
        let mut attempt = 0;
        while attempt < MAX_ATTEMPTS {
            if !self.note(intent, item, Some(at), Told::default()) {
                return Ended::Interrupted;
            }
            let sent = work.send().await;
            if let Err(WriteError::NotDone(error)) = &sent {
                if passes(error) && !end.remaining(self.clock).is_zero() {
                    if self.is_stopped.get() {
                        return Ended::Interrupted;
                    }
                    self.clock.sleep(delays.next()).await;
                    continue;
                }
                if is_done_already(error) {
                    match self.read_back(work, LOST_WAIT).await {
                        Ok(true) => return Ended::Found,
                        Ok(false) => return Ended::Failed(unconfirmed()),
                        Err(failed) => return Ended::Failed(failed),
                    }
                }
            }
            attempt += 1;
            let wait = match self.judge(item, at, sent) {
                Ok(true) => CREDENTIAL_WAIT,
                Ok(false) => LOST_WAIT,
                Err((failed, _)) => return Ended::Failed(failed),
            };
            match self.read_back(work, wait).await {
                Ok(true) => return Ended::Made(None),
                // What was answered and is not seen is not sent again.
                Ok(false) if wait != LOST_WAIT => return Ended::Failed(unconfirmed()),
                Ok(false) => {}
                // Without a look at what the call has done, it is not sent again.
                Err(failed) => return Ended::Failed(failed),
            }
        }
        Ended::Failed(unconfirmed())
    }

    /// Gives an old connection another name, and tells if that has cost it its stored secret: whether Azure DevOps keeps a secret that
    /// a save does not hold is not documented. The new connection is proven by then, so that this is no failure.
    pub(super) async fn set_aside(
        &self,
        (item, target, at): (&Item, &Target, usize),
        was_announced: bool,
    ) -> Ended {
        let stores = item.facts.is_stored();
        let signed_in = stores && self.signs_in(target).await == Some(true);
        let ended = self.follow((item, at), (&Change::SetAside, false), was_announced, Phase::Intent).await;
        match ended {
            // Whether it signed in before was not seen by this process.
            Ended::Found if was_announced && stores && self.signs_in(target).await == Some(false) => {
                self.made_with_note(&format!(
                    "{} does not sign in, and was renamed before this process began: Azure DevOps may not have kept its stored secret",
                    item.name
                ))
            }
            Ended::Found if was_announced => Ended::Made(None),
            Ended::Made(None) if signed_in && self.signs_in(target).await == Some(false) => {
                self.made_with_note(&format!(
                    "{} does not sign in any more since it was renamed: Azure DevOps has not kept its stored secret",
                    item.name
                ))
            }
            ended => ended,
        }
    }

    fn made_with_note(&self, text: &str) -> Ended {
        self.talk.say(text);
        Ended::Made(Some(one_line(text, MAX_TEXT)))
    }

    /// Whether a connection signs in. None: that was not found out.
    async fn signs_in(&self, target: &Target) -> Option<bool> {
        let raw = observe::connection(self.services, target).await.ok()?;
        let proof = Proof::parse(&self.services.test(target.project, &raw).await.ok()?);
        if proof.is_proven() {
            return Some(true);
        }
        matches!(proof, Proof::IdentityRefused(_) | Proof::NotKnown(_)).then_some(false)
    }

    /// Whether a step is seen to be done. An error is told only if the last look was one.
    async fn read_back(&self, work: &Work<'_>, wait: Duration) -> Result<bool, Failed> {
        let (deadline, mut delays) = (Deadline::after(self.clock, wait), Delays::default());
        loop {
            let looked = work.progress().await;
            if matches!(looked, Ok(Progress::Done)) {
                return Ok(true);
            }
            if let Err(error @ Stuck::Wrong(_)) = &looked {
                return Err(stuck(error));
            }
            if deadline.remaining(self.clock).is_zero() || self.broken.borrow().is_some() {
                return looked.map(|_| false).map_err(|error| stuck(&error));
            }
            self.clock.sleep(delays.next()).await;
        }
    }

    /// Where the connection of a request is now, to prove it.
    pub(super) async fn target_of(&self, item: &Item, target: &Target) -> Result<Target, Failed> {
        let Some(asked) = &item.asked else { return Ok(target.clone()) };
        let found = look::connection(self.services, asked, item.connection).await;
        let found = found.map_err(|error| stuck(&Stuck::Call(error)))?;
        let id = found.connection().and_then(|raw| look::id(&raw, "id"));
        let connection = id.ok_or_else(|| stuck(&Stuck::Missing("the connection")))?;
        Ok(Target { connection, ..target.clone() })
    }

    /// Whether the connection of a request is what it was when the plan was made.
    pub(super) async fn check_request(
        &self,
        item: &Item,
        asked: &Asked,
        target: &Target,
        is_put_back: bool,
    ) -> Result<(), Outcome> {
        let found = asked.beside.as_ref().and_then(|beside| beside.found.as_ref());
        if found.is_some() {
            self.check_observed(item, target, is_put_back).await?;
        }
        let digest = found.unwrap_or(&item.digest);
        let own = |facts: &Facts| facts.but_for_own_traces().digest(&[]);
        let is_as_before = |facts: &Facts| {
            // Of a connection beside another one the plan has the digest alone.
            facts.digest(&[]) == *digest || (is_put_back && found.is_none() && own(facts) == own(&item.facts))
        };
        match facts(self.services, asked, item.connection).await {
            Ok(facts) if is_as_before(&facts) => {
                self.check_trust(item, target).await.map_err(|text| self.stale(item, text))
            }
            Ok(_) => {
                let text = "the connection, its identity or its guards have changed since the plan was made";
                Err(self.stale(item, text.to_owned()))
            }
            Err(error) => {
                let text =
                    one_line(&format!("what the plan follows from could not be read: {error}"), MAX_TEXT);
                Err(Outcome::Failed { code: code_of(&error), text, is_put_back: true })
            }
        }
    }

    /// Whether an application that is to end is trusted by nothing that the plan does not know: others may have begun to use it.
    pub(super) async fn check_trust(&self, item: &Item, target: &Target) -> Result<(), String> {
        let ends = |step: &Step| matches!(step.action, Action::Follow(Change::EndApplication { .. }));
        if !item.steps.iter().any(ends) {
            return Ok(());
        }
        let known = &item.facts.identity;
        let observed = observe::observe(self.services, target).await;
        let text = match observed {
            Err(error) => format!("its application could not be read: {error}"),
            Ok(observed) => {
                let now = observed.facts.identity;
                let strange = now.credentials.iter().find(|one| !known.credentials.contains(one));
                let what = match strange {
                    Some(one) => format!("the federated credential {}", one.name),
                    None if now.other_credentials > known.other_credentials => {
                        "more federated credentials".to_owned()
                    }
                    None => return Ok(()),
                };
                format!("its application has {what} since the plan was made: others may use it")
            }
        };
        Err(one_line(&text, MAX_TEXT))
    }
}

fn stuck(error: &Stuck) -> Failed {
    let code = match error {
        Stuck::Call(error) => code_of(error),
        Stuck::Missing(_) => Code::ChangeUnconfirmed,
        Stuck::Wrong(_) => Code::ConnectionUnproven,
    };
    Failed { code, text: one_line(&error.to_string(), MAX_TEXT) }
}

fn unconfirmed() -> Failed {
    Failed { code: Code::ChangeUnconfirmed, text: "what was sent is not there where it is read".to_owned() }
}

/// Whether a refusal ends when new objects are known everywhere, or when another write has ended.
fn passes(error: &CallError) -> bool {
    let CallError::Refused { status, code, message } = error else { return false };
    let (code, message) = (code.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default());
    *status == 404 && code == "Request_ResourceNotFound"
        || code == "PrincipalNotFound"
        || code.starts_with("ConcurrentFederatedIdentityCredentialsWrites")
        || message.contains("does not reference a valid application object")
        || message.contains("backing application of the service principal")
        || message.contains("while federated credentials for app")
}

/// Whether a refusal says that it was done before.
fn is_done_already(error: &CallError) -> bool {
    let CallError::Refused { status: 409, code, .. } = error else { return false };
    let code = code.as_deref().unwrap_or_default();
    ["RoleAssignmentExists", "Request_MultipleObjectsWithSameKeyValue"].contains(&code)
}
