//! The move to the issuer of Entra. Which call does it is not documented, so that only what is read back tells. No way back is known.

use serde_json::Value;
use wif_azure::rest::WriteError;
use wif_core::{
    code::Code,
    foreign_text::one_line,
    trust::subject::{Issuer, Subject},
};
use wif_io::clock::Deadline;

use super::{
    conversion::{told_pair, trusted},
    ended::{Ended, Failed, MAX_TEXT, unread},
    engine::Engine,
    wait::{CONVERSION_WAIT, Delays, MAX_ATTEMPTS, MOVE_WAIT},
};
use crate::{
    change::{
        journal::{Phase, Told},
        observe::{self, Observed, Target, Unobserved, observe},
        parameters::{issuer, pair},
        plan::{AUDIENCE, Credential, Item, Scheme, Trigger},
        service::{CallError, Move},
    },
    credential::IssuerKind,
    rule::command::page_in,
};

/// What has come of a call that may move a connection.
enum Tried {
    Moved(Box<Observed>),
    /// The service did not say no, and the connection is where it was; or it could not be read.
    Answered(Option<String>),
    /// The service does not take this call for such a connection.
    Rejected(Failed),
    Ended(Ended),
}

impl Engine<'_> {
    /// Moves the connection to the issuer of Entra, and reads it back.
    pub(super) async fn move_issuer(
        &self,
        (item, target, at): (&Item, &Target, usize),
        trigger: Trigger,
        credential: &Credential,
    ) -> Ended {
        let before = self.before.map(|read| read.state_of(item.connection)).unwrap_or_default();
        let has_waited = before.waiting.contains(&at);
        let settled = match self.settled(target).await {
            Ok(settled) if before.open.contains(&at) => self.seen_late(settled, target).await,
            settled => settled,
        };
        let observed = match settled {
            Ok(observed) => observed,
            // It may have moved meanwhile: nothing is taken back.
            Err(error) if has_waited || before.open.contains(&at) => {
                return Ended::Waits(format!("waits: {}; look again later", unread(&error).text));
            }
            Err(error) => return Ended::Failed(unread(&error)),
        };
        match issuer(&observed.raw) {
            Some(IssuerKind::Entra) => {
                return self.trust((item, target, at), &observed, credential).await;
            }
            Some(IssuerKind::DevOps) => {}
            None => {
                let text = format!(
                    "its issuer is neither that of Azure DevOps nor that of Entra: {}",
                    pair(&observed.raw).0
                );
                return failed(Code::ChangeUnconfirmed, &text);
            }
        }
        // A connection that is moved without it cannot sign in any more.
        let is_it = |one: &Credential| {
            (&one.issuer, &one.subject, &one.audience)
                == (&credential.issuer, &credential.subject, &credential.audience)
        };
        if !observed.facts.identity.credentials.iter().any(is_it) {
            let text = format!(
                "it is not moved without the federated credential {}, which is not there",
                credential.name
            );
            return failed(Code::ChangeUnconfirmed, &text);
        }
        let page = page_in(&self.plan.organization.name, target.project, target.connection);
        let calls: &[Move] = match trigger {
            _ if has_waited => &[],
            Trigger::Auto => &[Move::Save, Move::Operation],
            Trigger::Save => &[Move::Save],
            Trigger::Operation => &[Move::Operation],
            Trigger::Person => &[],
        };
        let (mut answered, mut rejected) = (None, None);
        for call in calls {
            match self.try_call((item, target, at), &observed, *call, before.open.contains(&at)).await {
                Tried::Moved(observed) => {
                    return self.trust((item, target, at), &observed, credential).await;
                }
                Tried::Answered(unread) => answered = Some(unread),
                Tried::Rejected(failed) => rejected = Some(failed),
                Tried::Ended(Ended::Failed(_)) if answered.is_some() => {}
                Tried::Ended(ended) => return ended,
            }
        }
        // After a call that was not refused it may move late: nothing is taken back then.
        match (answered, rejected) {
            (None, Some(rejected)) if trigger != Trigger::Auto => Ended::Failed(rejected),
            (Some(Some(unread)), _) => {
                Ended::Waits(format!("waits for a person: the call was sent, and {unread}; look at {page}"))
            }
            (answered, _) => {
                let late = if answered.is_some() { ", unless it moves by itself within minutes" } else { "" };
                Ended::Waits(format!("waits for a person: press Update on {page}{late}"))
            }
        }
    }

    /// What it is when a call of an earlier process, of which the answer was not read, has had time to be seen.
    async fn seen_late(&self, mut observed: Observed, target: &Target) -> Result<Observed, Unobserved> {
        let deadline = Deadline::after(self.clock, MOVE_WAIT);
        let mut delays = Delays::default();
        while issuer(&observed.raw) == Some(IssuerKind::DevOps) && !deadline.remaining(self.clock).is_zero() {
            self.clock.sleep(delays.next()).await;
            observed = self.settled(target).await?;
        }
        Ok(observed)
    }

    /// Sends a call, and looks whether the connection has moved. `is_doubtful`: what an earlier call has done is not known.
    async fn try_call(
        &self,
        (item, target, at): (&Item, &Target, usize),
        observed: &Observed,
        call: Move,
        mut is_doubtful: bool,
    ) -> Tried {
        let mut delays = Delays::default();
        for _ in 0..MAX_ATTEMPTS {
            let told = Told { text: Some(call.title().to_owned()), ..Told::default() };
            if !self.note(Phase::Intent, item, Some(at), told) {
                return Tried::Ended(Ended::Interrupted);
            }
            let sent = self.services.move_issuer(target.project, &observed.raw, call).await;
            let is_rejected =
                matches!(&sent, Err(WriteError::NotDone(CallError::Refused { status: 400, .. })));
            let is_lost = match self.judge(item, at, sent) {
                Ok(is_answered) => !is_answered,
                // The earlier call may still move it: it is looked, and nothing is taken back.
                Err(_) if is_doubtful => false,
                Err((failed, _)) if is_rejected => return Tried::Rejected(failed),
                Err((failed, _)) => return Tried::Ended(Ended::Failed(failed)),
            };
            let deadline = Deadline::after(self.clock, MOVE_WAIT);
            let end = Deadline::after(self.clock, CONVERSION_WAIT);
            let mut unseen;
            loop {
                let looked = observe(self.services, target).await;
                unseen = looked.as_ref().err().map(|error| unread(error).text);
                let mut is_in_progress = false;
                if let Ok(now) = looked {
                    is_in_progress = now.is_in_progress;
                    if issuer(&now.raw) == Some(IssuerKind::Entra) && !is_in_progress {
                        return Tried::Moved(Box::new(now));
                    }
                }
                let is_late = deadline.remaining(self.clock).is_zero() && !is_in_progress;
                if is_late || end.remaining(self.clock).is_zero() || self.broken.borrow().is_some() {
                    break;
                }
                self.clock.sleep(delays.next()).await;
            }
            // Without a look at what the call has done, it is not sent again.
            if unseen.is_some() || !is_lost {
                return Tried::Answered(unseen);
            }
            is_doubtful = true;
        }
        Tried::Answered(None)
    }

    /// That a federated credential has the issuer and subject that were read back. They can be others than those that were
    /// computed: then it is added, since there is no way back, if they are those of Entra for this connection.
    async fn trust(
        &self,
        (item, target, at): (&Item, &Target, usize),
        observed: &Observed,
        credential: &Credential,
    ) -> Ended {
        if trusted(observed, Scheme::WorkloadIdentityFederation).is_ok() {
            return Ended::Made(told_pair(observed));
        }
        let (issuer, subject) = pair(&observed.raw);
        if !self.is_of_entra(target, &issuer, &subject) {
            let text = format!(
                "not trusted: issuer {issuer}, subject {subject} are not those of Entra for this connection"
            );
            return failed(Code::ConnectionUnproven, &text);
        }
        let name = format!("{}-read", credential.name);
        let read = Credential { name, issuer, subject, audience: AUDIENCE.to_owned() };
        match self.credential(item, target, at, &read, true, Phase::Intent).await {
            Ended::Made(_) | Ended::Found => Ended::Made(told_pair(observed)),
            ended => ended,
        }
    }

    /// Whether a token of this issuer and subject is one of Entra for this connection of this organization.
    fn is_of_entra(&self, target: &Target, issuer: &str, subject: &str) -> bool {
        let is_issuer = Issuer::parse(issuer).tenant().is_some_and(|tenant| {
            // Character by character: another host is another authority.
            issuer == format!("https://login.microsoftonline.com/{tenant}/v2.0")
        });
        is_issuer
            && matches!(
                Subject::parse(subject),
                Subject::Ids { organization, connection, .. }
                    if organization == self.plan.organization.id && connection == target.connection
            )
    }

    /// Whether there is nothing to undo: the connection still has the Azure DevOps issuer, and nothing is under way.
    pub(super) async fn is_still_old(&self, target: &Target) -> Ended {
        match observe::connection(self.services, target).await {
            Ok(raw) if is_in_progress(&raw) => failed(
                Code::NotPutBack,
                "Azure DevOps is still at work on it, and may move it yet; its federated credentials stay",
            ),
            Ok(raw) if issuer(&raw) == Some(IssuerKind::DevOps) => Ended::Found,
            Ok(_) => failed(
                Code::NotPutBack,
                "no way back from the issuer of Entra is known; its federated credentials stay, the old one too",
            ),
            Err(error) => Ended::Failed(unread(&error)),
        }
    }
}

fn is_in_progress(connection: &Value) -> bool {
    let state = connection.pointer("/operationStatus/state").and_then(Value::as_str);
    state.is_some_and(|state| state.eq_ignore_ascii_case("InProgress"))
}

fn failed(code: Code, text: &str) -> Ended {
    Ended::Failed(Failed { code, text: one_line(text, MAX_TEXT) })
}
