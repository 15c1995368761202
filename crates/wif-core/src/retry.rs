//! The laws of retrying. The loop is `Http::retrying` of `wif-io`.

use std::time::Duration;

/// How an attempt ended, as far as another one is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// No answer came, or one of a proxy on the way.
    Unreachable,
    /// The service asked to come back, perhaps saying when.
    Busy {
        /// The `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// A refusal that may pass: by a directory server that a new federated credential has not reached yet, by a plan
    /// that is not ready, by a proxy.
    MayPass,
    /// A refusal that another attempt cannot change.
    Refused,
}

/// The end of a sentence about a busy service: for how long it wants to be left alone.
#[must_use]
pub fn asked_to_wait(retry_after: Option<Duration>) -> String {
    retry_after.map(|delay| format!(" and asked to wait {} s", delay.as_secs())).unwrap_or_default()
}

/// When to try again.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The first delay; it doubles from there.
    pub first: Duration,
    /// No delay is longer, unless the service asked for it.
    pub longest: Duration,
    /// How often a refusal that may pass is retried.
    pub may_pass_retries: u32,
}

/// With less time than this an attempt would only end in a timeout, and hide what really happened.
pub const MIN_ATTEMPT_TIME: Duration = Duration::from_secs(2);

impl Default for Policy {
    /// Half a second, doubling to eight; three retries of a refusal that may pass, 14 seconds in all, so that one that
    /// does not pass is reported within 20 seconds.
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(8), may_pass_retries: 3 }
    }
}

impl Policy {
    /// How long to wait after attempt number `attempt` (from 0), or `None` to give up.
    ///
    /// `remaining` is what is left until the operation's deadline: no delay is returned that would leave too little
    /// of it for an attempt.
    /// `jitter` is a random number; it takes up to half of an exponential delay away, and nothing of a delay
    /// that the service asked for.
    #[must_use]
    pub fn after(
        &self,
        attempt: u32,
        retry_class: RetryClass,
        remaining: Duration,
        jitter: u8,
    ) -> Option<Duration> {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt)).min(self.longest);
        let delay = match retry_class {
            RetryClass::Refused => return None,
            RetryClass::MayPass if attempt >= self.may_pass_retries => return None,
            RetryClass::MayPass => Duration::from_secs(2).saturating_mul(2_u32.saturating_pow(attempt)),
            RetryClass::Busy { retry_after: Some(asked) } if asked > Duration::ZERO => asked,
            RetryClass::Unreachable | RetryClass::Busy { .. } => {
                doubled.mul_f64(1.0 - f64::from(jitter) / f64::from(u8::MAX) / 2.0)
            }
        };
        (delay.saturating_add(MIN_ATTEMPT_TIME) <= remaining).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn any_outcome() -> impl Strategy<Value = RetryClass> {
        prop_oneof![
            Just(RetryClass::Unreachable),
            Just(RetryClass::MayPass),
            Just(RetryClass::Busy { retry_after: None }),
            prop_oneof![0_u64..100_000, Just(u64::MAX)]
                .prop_map(|s| RetryClass::Busy { retry_after: Some(Duration::from_secs(s)) }),
        ]
    }

    proptest! {
        #[test]
        fn a_refusal_is_never_retried(attempt in any::<u32>(), jitter in any::<u8>()) {
            prop_assert_eq!(Policy::default().after(attempt, RetryClass::Refused, MINUTE, jitter), None);
        }

        #[test]
        fn no_delay_leaves_too_little_for_an_attempt(
            attempt in any::<u32>(), retry_class in any_outcome(), left in 0_u64..100, jitter in any::<u8>(),
        ) {
            let remaining = Duration::from_secs(left);
            if let Some(delay) = Policy::default().after(attempt, retry_class, remaining, jitter) {
                prop_assert!(delay.saturating_add(MIN_ATTEMPT_TIME) <= remaining);
                prop_assert!(delay > Duration::ZERO);
            }
        }

        #[test]
        fn what_the_service_asks_for_is_honored_to_the_second(
            attempt in any::<u32>(), asked in 1_u64..60, jitter in any::<u8>(),
        ) {
            let retry_class = RetryClass::Busy { retry_after: Some(Duration::from_secs(asked)) };
            let delay = Policy::default().after(attempt, retry_class, MINUTE, jitter);
            prop_assert_eq!(delay, (asked <= 58).then_some(Duration::from_secs(asked)));
        }

        #[test]
        fn jitter_takes_at_most_half(attempt in 0_u32..20, jitter in any::<u8>()) {
            let policy = Policy::default();
            let most = policy.after(attempt, RetryClass::Unreachable, MINUTE, 0).unwrap();
            let some = policy.after(attempt, RetryClass::Unreachable, MINUTE, jitter).unwrap();
            prop_assert!(some <= most && some >= most / 2);
            prop_assert!(most <= policy.longest);
        }
    }

    #[test]
    fn doubt_is_waited_out_three_times_and_fourteen_seconds() {
        let policy = Policy::default();
        let delays: Vec<_> = (0..4).map_while(|n| policy.after(n, RetryClass::MayPass, MINUTE, 0)).collect();
        assert_eq!(delays, [2, 4, 8].map(Duration::from_secs));
    }
}
