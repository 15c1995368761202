//! Federated credentials: added, removed, and read back.

use std::time::Duration;

use wif_core::code::Code;
use wif_io::clock::Deadline;

use super::{
    ended::{Ended, Failed, unread},
    engine::Engine,
    wait::{CREDENTIAL_WAIT, Delays, LOST_WAIT, MAX_ATTEMPTS},
};
use crate::change::{
    ids::Ids,
    journal::{Phase, Told},
    observe::{self, Listed, Target},
    parameters,
    plan::{Action, Credential, Item},
};

impl Engine<'_> {
    /// That a connection does not use a credential, so that it may be removed.
    pub(super) async fn unused(&self, target: &Target, credential: &Credential) -> Result<(), Failed> {
        let raw = observe::connection(self.services, target).await.map_err(|error| unread(&error))?;
        let is_used = parameters::issuer(&raw).is_some()
            && parameters::pair(&raw) == (credential.issuer.clone(), credential.subject.clone());
        if !is_used {
            return Ok(());
        }
        let text =
            format!("the connection signs in by the credential {}: it is not removed", credential.name);
        Err(Failed { code: Code::ChangeUnconfirmed, text })
    }

    /// Adds or removes a federated credential, and reads it back.
    pub(super) async fn credential(
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
            Ok(listed) => listed,
            Err(error) => return Ended::Failed(unread(&error)),
        };
        let is_reached = |listed: &Listed| {
            let known = &listed.known;
            if is_wanted {
                known.iter().any(is_it)
            } else {
                !known.iter().any(|one| is_named(one) && is_it(one))
            }
        };
        let learn = |listed: &Listed| {
            if is_wanted {
                self.learn(item, at, Ids { credential: listed.id_of(is_it), ..Ids::default() });
            }
        };
        if is_reached(&known) {
            learn(&known);
            return Ended::Found;
        }
        if is_wanted && known.known.iter().any(is_named) {
            let text = format!("another credential has the name {} by now", credential.name);
            return Ended::Failed(Failed { code: Code::ChangeUnconfirmed, text });
        }
        // The old credential goes only while the new one is there: it is looked once more.
        let mut before = item.steps.iter().take(at);
        let is_old = !is_wanted
            && intent == Phase::Intent
            && before.any(|step| matches!(step.action, Action::AwaitRun));
        if is_old && let Err(failed) = self.signs_in_by_entra(target).await {
            return Ended::Failed(failed);
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
                if let Ok(now) = &looked
                    && is_reached(now)
                {
                    learn(now);
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
}
