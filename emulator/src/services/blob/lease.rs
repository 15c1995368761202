//! Leases: who may write to a blob. Source: "Lease Blob" of the REST API, its table of outcomes.

use uuid::Uuid;

use crate::services::blob::refusal::Refusal;
use crate::world::storage::{Blob, Lease};

/// An operation on a lease.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Acquire {
        proposed: Option<Uuid>,
        seconds: Option<i64>,
    },
    Renew(Uuid),
    Release(Uuid),
    /// The lease is broken at once; the break period of the request is ignored.
    Break,
}

impl Action {
    /// Reads the headers of the request.
    pub(super) fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Refusal> {
        let id = |name: &str| {
            let id = header(name).map(|text| Uuid::try_parse(text).map_err(|_| Refusal::InvalidHeaderValue));
            id.transpose()
        };
        let held = || id("x-ms-lease-id")?.ok_or(Refusal::MissingRequiredHeader);
        match header("x-ms-lease-action").ok_or(Refusal::MissingRequiredHeader)? {
            "acquire" => {
                let seconds = header("x-ms-lease-duration").ok_or(Refusal::MissingRequiredHeader)?;
                let seconds = match seconds.parse() {
                    Ok(-1) => None,
                    Ok(seconds @ 15..=60) => Some(seconds),
                    _ => return Err(Refusal::InvalidHeaderValue),
                };
                Ok(Self::Acquire { proposed: id("x-ms-proposed-lease-id")?, seconds })
            }
            "renew" => Ok(Self::Renew(held()?)),
            "release" => Ok(Self::Release(held()?)),
            "break" => Ok(Self::Break),
            _ => Err(Refusal::InvalidHeaderValue),
        }
    }

    /// The status when it succeeds.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Acquire { .. } => 201,
            Self::Renew(_) | Self::Release(_) => 200,
            Self::Break => 202,
        }
    }
}

/// Applies the operation; returns the id of the lease that the caller now holds, if any.
pub(super) fn apply(lease: &mut Option<Lease>, action: Action, now: i64) -> Result<Option<Uuid>, Refusal> {
    let is_held = is_held(lease.as_ref(), now);
    match (action, lease.as_mut()) {
        (Action::Acquire { proposed, .. }, Some(held)) if is_held && proposed != Some(held.id) => {
            Err(Refusal::LeaseAlreadyPresent)
        }
        (Action::Acquire { proposed, seconds }, _) => {
            let id = proposed.unwrap_or_else(Uuid::new_v4);
            let until = seconds.map(|seconds| now + seconds);
            *lease = Some(Lease { id, seconds, until, broken: false });
            Ok(Some(id))
        }
        (_, None) => Err(Refusal::LeaseNotPresentWithLeaseOperation),
        (Action::Renew(id) | Action::Release(id), Some(held)) if id != held.id => {
            Err(Refusal::LeaseIdMismatchWithLeaseOperation)
        }
        (Action::Renew(_), Some(held)) if held.broken => Err(Refusal::LeaseIsBrokenAndCannotBeRenewed),
        (Action::Renew(id), Some(held)) => {
            held.until = held.seconds.map(|seconds| now + seconds);
            Ok(Some(id))
        }
        (Action::Release(_), Some(_)) => {
            *lease = None;
            Ok(None)
        }
        (Action::Break, Some(held)) => {
            held.broken = true;
            Ok(None)
        }
    }
}

/// The state in the words of the REST API.
pub(super) fn state(lease: Option<&Lease>, now: i64) -> &'static str {
    match lease {
        None => "available",
        Some(lease) if lease.broken => "broken",
        Some(_) if is_held(lease, now) => "leased",
        Some(_) => "expired",
    }
}

/// Refuses a lease id that is sent for a blob that does not exist.
pub(super) fn refuse_without_blob(shown: Option<&str>) -> Result<(), Refusal> {
    shown.map_or(Ok(()), |_id| Err(Refusal::LeaseNotPresentWithBlobOperation))
}

fn is_held(lease: Option<&Lease>, now: i64) -> bool {
    lease.is_some_and(|lease| !lease.broken && lease.until.is_none_or(|until| now < until))
}

impl Blob {
    /// Refuses a lease id that is not the one that is held; a reader need not send any.
    pub(super) fn may_read(&self, shown: Option<&str>, now: i64) -> Result<(), Refusal> {
        let Some(shown) = shown else { return Ok(()) };
        let shown = Uuid::try_parse(shown).map_err(|_| Refusal::InvalidHeaderValue)?;
        match self.lease.as_ref().filter(|lease| is_held(Some(lease), now)) {
            None => Err(Refusal::LeaseNotPresentWithBlobOperation),
            Some(held) if held.id != shown => Err(Refusal::LeaseIdMismatchWithBlobOperation),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a writer that does not send the id of the lease that is held.
    pub(super) fn may_write(&self, shown: Option<&str>, now: i64) -> Result<(), Refusal> {
        if shown.is_none() && is_held(self.lease.as_ref(), now) {
            return Err(Refusal::LeaseIdMissing);
        }
        self.may_read(shown, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn acquire(id: Uuid, seconds: Option<i64>) -> Action {
        Action::Acquire { proposed: Some(id), seconds }
    }

    #[test]
    fn a_held_lease_is_the_holders_until_it_is_released() {
        let mut lease = None;
        assert_eq!(apply(&mut lease, acquire(ONE, None), 0), Ok(Some(ONE)));
        assert_eq!(apply(&mut lease, acquire(OTHER, None), 0), Err(Refusal::LeaseAlreadyPresent));
        let refused = Err(Refusal::LeaseIdMismatchWithLeaseOperation);
        assert_eq!(apply(&mut lease, Action::Release(OTHER), 0), refused);
        assert_eq!(state(lease.as_ref(), i64::MAX), "leased");
        assert_eq!(apply(&mut lease, Action::Release(ONE), 0), Ok(None));
        assert_eq!(state(lease.as_ref(), 0), "available");
        assert_eq!(apply(&mut lease, Action::Break, 0), Err(Refusal::LeaseNotPresentWithLeaseOperation));
    }

    #[test]
    fn a_broken_lease_cannot_be_renewed_and_another_may_be_taken() {
        let mut lease = None;
        apply(&mut lease, acquire(ONE, None), 0).unwrap();
        apply(&mut lease, Action::Break, 0).unwrap();
        assert_eq!(state(lease.as_ref(), 0), "broken");
        let refused = Err(Refusal::LeaseIsBrokenAndCannotBeRenewed);
        assert_eq!(apply(&mut lease, Action::Renew(ONE), 0), refused);
        assert_eq!(apply(&mut lease, acquire(OTHER, None), 0), Ok(Some(OTHER)));
    }

    #[test]
    fn a_lease_for_a_time_ends_unless_it_is_renewed() {
        let mut lease = None;
        apply(&mut lease, acquire(ONE, Some(15)), 100).unwrap();
        assert_eq!(state(lease.as_ref(), 114), "leased");
        assert_eq!(state(lease.as_ref(), 115), "expired");
        apply(&mut lease, Action::Renew(ONE), 110).unwrap();
        assert_eq!(state(lease.as_ref(), 115), "leased");
    }
}
