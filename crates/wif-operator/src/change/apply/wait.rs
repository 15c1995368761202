//! How long is waited for a change to be read, and how often it is looked.

use std::time::Duration;

/// How often a call is sent of which it is not known whether it was done.
pub(super) const MAX_ATTEMPTS: usize = 3;
/// How long a change of a credential is waited for where it is read.
pub(super) const CREDENTIAL_WAIT: Duration = Duration::from_secs(120);
/// How long a conversion is waited for.
pub(super) const CONVERSION_WAIT: Duration = Duration::from_secs(300);
/// How long it is looked for what a call without an answer has done, before it is sent again.
pub(super) const LOST_WAIT: Duration = Duration::from_secs(6);
/// How long it is looked whether a call has moved a connection to the issuer of Entra. Afterwards nothing is lost: what moves later
/// is found by `--resume`.
pub(super) const MOVE_WAIT: Duration = Duration::from_secs(6);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Half a second, doubling to ten.
pub(super) struct Delays(Duration);

impl Default for Delays {
    fn default() -> Self {
        Self(FIRST_DELAY)
    }
}

impl Delays {
    pub(super) fn next(&mut self) -> Duration {
        let delay = self.0;
        self.0 = delay.saturating_mul(2).min(MAX_DELAY);
        delay
    }
}
