//! Conversions from a stored secret to federation and back, and what is read back of them.

use wif_core::{code::Code, foreign_text::one_line};
use wif_io::clock::Deadline;

use super::{
    ended::{Ended, Failed, MAX_TEXT, unread},
    engine::Engine,
    wait::{CONVERSION_WAIT, Delays, LOST_WAIT, MAX_ATTEMPTS},
};
use crate::change::{
    journal::{Phase, Told},
    observe::{Observed, Target, Unobserved, observe},
    parameters::pair,
    plan::{AUDIENCE, Credential, Item, Scheme},
};

impl Engine<'_> {
    /// Converts the connection, and reads it back. `is_doubtful`: what a call of an earlier process has done is not known.
    pub(super) async fn convert(
        &self,
        (item, target, at): (&Item, &Target, usize),
        to: Scheme,
        is_doubtful: bool,
        intent: Phase,
    ) -> Ended {
        let settled = match self.settled(target).await {
            Ok(settled) if is_doubtful => self.looked_for(settled, target, to).await,
            settled => settled,
        };
        let mut observed = match settled {
            Ok(observed) => observed,
            Err(error) => return Ended::Failed(unread(&error)),
        };
        if observed.is_in_progress {
            return Ended::Doubtful(under_way());
        }
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
        let mut refused = None;
        for attempt in 1..=MAX_ATTEMPTS {
            if !self.note(intent, item, Some(at), Told::default()) {
                return Ended::Interrupted;
            }
            let sent = self.services.convert(target.project, &observed.raw, to).await;
            let wait = match self.judge(item, at, sent) {
                Ok(false) if attempt < MAX_ATTEMPTS => LOST_WAIT,
                // It is not sent again, and may have been done although there was no answer.
                Ok(_) => CONVERSION_WAIT,
                // So may what was sent before this refusal, and had no answer.
                Err((failed, _)) if is_doubtful || attempt > 1 => {
                    refused = Some(failed);
                    CONVERSION_WAIT
                }
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
            // Without a look at what the call has done, it is not sent again, and nothing is taken back.
            let under_way = observed.is_in_progress.then(under_way);
            if let Some(failed) = unseen.or(under_way) {
                return Ended::Doubtful(failed);
            }
            if let Some(failed) = refused {
                return Ended::Failed(failed);
            }
        }
        let text = format!("Azure DevOps still shows another scheme than {to}");
        Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text })
    }

    /// What it is when an earlier call, of which the answer was not read, has had time to be seen.
    async fn looked_for(
        &self,
        mut observed: Observed,
        target: &Target,
        to: Scheme,
    ) -> Result<Observed, Unobserved> {
        let deadline = Deadline::after(self.clock, LOST_WAIT);
        let mut delays = Delays::default();
        while !has_scheme(&observed, to) && !deadline.remaining(self.clock).is_zero() {
            self.clock.sleep(delays.next()).await;
            observed = self.settled(target).await?;
        }
        Ok(observed)
    }

    /// What it is when Azure DevOps has ended what is under way.
    pub(super) async fn settled(&self, target: &Target) -> Result<Observed, Unobserved> {
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
}

/// Azure DevOps takes longer than this program waits: what it will come to is not known.
fn under_way() -> Failed {
    let text =
        format!("Azure DevOps is still at work on it after {} minutes", CONVERSION_WAIT.as_secs() / 60);
    Failed { code: Code::ChangeUnconfirmed, text }
}

fn has_scheme(observed: &Observed, scheme: Scheme) -> bool {
    observed.facts.scheme.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(scheme.as_str()))
}

/// Whether a federated credential has the issuer and subject that a conversion has yielded.
pub(super) fn trusted(observed: &Observed, to: Scheme) -> Result<(), Failed> {
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

pub(super) fn told_pair(observed: &Observed) -> Option<String> {
    let (issuer, subject) = pair(&observed.raw);
    let until = observed.facts.revert_until.map(|until| format!("; it can be converted back until {until}"));
    (!issuer.is_empty()).then(|| {
        one_line(&format!("issuer {issuer}, subject {subject}{}", until.unwrap_or_default()), MAX_TEXT)
    })
}
