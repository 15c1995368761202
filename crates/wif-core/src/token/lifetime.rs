//! When to renew a token: by its own end, for tokens of seconds and of a day alike.

use time::{Duration, OffsetDateTime};

/// A stretch of time in which a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// When it came.
    pub from: OffsetDateTime,
    /// When it ends.
    pub until: OffsetDateTime,
}

/// After a renewal that gave no later end, the next is not sooner than this.
const SHORTEST_STEP: Duration = Duration::seconds(1);
/// A token with less than this left may end on its way to the one who checks it.
const USE_MARGIN: Duration = Duration::seconds(10);

impl Lifetime {
    /// When to ask for the next token: in the middle. An hour's token is then never answered with less than the 20
    /// minutes under which go-azure-sdk asks again at every call.
    #[must_use]
    pub fn renew_at(self) -> OffsetDateTime {
        self.from + (self.until - self.from).max(Duration::ZERO) / 2
    }

    /// When to ask again after an attempt at `now` that brought nothing later: halfway to the end, so that steps only
    /// move forward and grow closer as the end does.
    #[must_use]
    pub fn again_at(self, now: OffsetDateTime) -> OffsetDateTime {
        let half: Duration = (self.until - now) / 2_i32;
        now + half.max(SHORTEST_STEP)
    }

    /// Whether the token can be given away at `now`.
    #[must_use]
    pub fn works(self, now: OffsetDateTime) -> bool {
        now < self.works_until()
    }

    /// Until when the token can be given away.
    #[must_use]
    pub fn works_until(self) -> OffsetDateTime {
        // A life of seconds has no room for a margin of ten.
        self.until - USE_MARGIN.min((self.until - self.from).max(Duration::ZERO) / 10)
    }

    /// Whether it is time to renew.
    #[must_use]
    pub fn is_due(self, now: OffsetDateTime) -> bool {
        self.renew_at() <= now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    #[test]
    fn an_hours_token_is_renewed_with_half_an_hour_left() {
        let hour = Lifetime { from: at(0), until: at(3600) };
        assert_eq!(hour.renew_at(), at(1800));
        assert!(hour.works(at(3589)) && !hour.works(at(3590)));
        let seconds = Lifetime { from: at(0), until: at(4) };
        assert!(seconds.works(at(3)) && !seconds.works(at(4)));
    }

    proptest! {
        #[test]
        fn steps_only_move_forward(life in 1_i64..100_000, a in 0_i64..200_000, b in 0_i64..200_000) {
            let token = Lifetime { from: at(0), until: at(life) };
            let (first, second) = (a.min(b), a.max(b));
            prop_assert!(token.again_at(at(first)) > at(first));
            prop_assert!(token.again_at(at(first)) <= token.again_at(at(second)));
            prop_assert!(token.renew_at() <= token.until);
        }

        #[test]
        fn a_renewal_is_due_while_the_token_still_works(life in 2_i64..100_000) {
            let token = Lifetime { from: at(0), until: at(life) };
            prop_assert!(token.works(token.renew_at()), "{life}");
        }

        #[test]
        fn before_the_end_there_is_always_another_attempt(life in 60_i64..100_000, now in 0_i64..100_000) {
            prop_assume!(now + 2 < life);
            let token = Lifetime { from: at(0), until: at(life) };
            prop_assert!(token.again_at(at(now)) < token.until);
        }
    }
}
