//! One token over time, by a clock that is set by hand.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use wif_core::code::Code;
use wif_io::clock::Wait;

use super::*;

/// Nothing sleeps, and what waits for a renewal has patience for a few turns of the others.
#[derive(Default)]
struct Hand {
    wall: AtomicI64,
    elapsed: AtomicU64,
    waits: Mutex<Vec<Duration>>,
}

impl Hand {
    fn set(&self, seconds: u32) {
        self.set_wall(seconds);
        self.elapsed.store(seconds.into(), Ordering::SeqCst);
    }

    fn set_wall(&self, seconds: u32) {
        self.wall.store(seconds.into(), Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.elapsed.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.waits.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }

    fn limit(&self, _: Limit, duration: Duration) -> Wait {
        self.waits.lock().unwrap().push(duration);
        Box::pin(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        })
    }

    fn jitter(&self) -> u8 {
        0
    }
}

/// A source whose n-th answer lives so many seconds, or is a failure.
fn slot(clock: &Arc<Hand>, lives: &'static [Option<i64>]) -> (Arc<TokenSlot>, Arc<AtomicUsize>) {
    let (asked, hand) = (Arc::new(AtomicUsize::new(0)), Arc::clone(clock));
    let counter = Arc::clone(&asked);
    let fetch: Fetch = Arc::new(move || {
        let nth = counter.fetch_add(1, Ordering::SeqCst);
        let from = hand.now();
        Box::pin(async move {
            tokio::task::yield_now().await;
            match lives.get(nth).copied().flatten() {
                Some(life) => {
                    let until = from + time::Duration::seconds(life);
                    let token = Secret::new(format!("token {nth}"));
                    Ok(CachedToken::new(token, Lifetime { from, until }))
                }
                None => Err(Failure::new(Code::TimedOut, "down", "wait")),
            }
        })
    });
    (TokenSlot::new(Arc::clone(clock) as _, fetch, None), asked)
}

async fn token(slot: &Arc<TokenSlot>) -> Result<String, Code> {
    slot.get().await.map(|fresh| fresh.token.expose().to_owned()).map_err(|failure| failure.code)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

#[test]
fn many_callers_cost_one_fetch_and_share_its_failure() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (slot, asked) = slot(&clock, &[None, Some(3600)]);
        let all = futures_util::future::join_all((0..1000).map(|_| token(&slot))).await;
        assert!(all.iter().all(|result| *result == Err(Code::TimedOut)));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        clock.set(2);
        let all = futures_util::future::join_all((0..1000).map(|_| token(&slot))).await;
        assert!(all.iter().all(|result| result.as_deref() == Ok("token 1")));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_eq!(slot.counts(), Counts { asked: 2000, connections: 0, fetched: 2 });
    });
}

#[test]
fn a_connection_counts_once_for_each_token_and_what_the_broker_itself_needs_not_at_all() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (one, _) = slot(&clock, &[Some(3600)]);
        let (other, _) = slot(&clock, &[Some(3600)]);
        let (first, second) = (AskedOver::default(), AskedOver::default());
        for (slot, connection) in [(&one, &first), (&one, &first), (&other, &first), (&one, &second)] {
            slot.get_over(connection).await.unwrap();
        }
        one.get_for_exchange().await.unwrap();
        assert_eq!(one.counts(), Counts { asked: 3, connections: 2, fetched: 1 });
        assert_eq!(other.counts(), Counts { asked: 1, connections: 1, fetched: 1 });
    });
}

#[test]
fn a_token_for_an_exchange_is_fetched_when_it_is_needed_and_not_ahead_of_time() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (slot, asked) = slot(&clock, &[Some(300), Some(300), Some(300)]);
        let exchange = async || slot.get_for_exchange().await.unwrap().token.expose().to_owned();
        assert_eq!((exchange().await.as_str(), slot.next()), ("token 0", None));
        clock.set(280);
        assert_eq!((exchange().await.as_str(), slot.next()), ("token 0", None), "it is due, and works");
        clock.set(300);
        assert_eq!((exchange().await.as_str(), slot.next()), ("token 1", None));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 1"));
        assert!(slot.next().is_some(), "a caller may come again");
    });
}

#[test]
fn what_still_works_is_given_away_while_renewals_fail_and_after_it_the_failure_at_once() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (slot, asked) = slot(&clock, &[Some(3600), None, None, None, Some(3600)]);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
        clock.set(1799);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
        assert_eq!(asked.load(Ordering::SeqCst), 1, "it is fresh");
        clock.set(1800);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"), "it is due, and works");
        landed(&slot).await;
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"), "the failure is not tried again at once");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        clock.set(3600);
        assert_eq!(token(&slot).await, Err(Code::TimedOut));
        assert_eq!(token(&slot).await, Err(Code::TimedOut), "at once, without another fetch");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        clock.set(3602);
        assert_eq!(token(&slot).await, Err(Code::TimedOut));
        clock.set(3640);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 4"), "it recovers by itself");
    });
}

async fn landed(slot: &Arc<TokenSlot>) {
    for _ in 0..100 {
        if slot.state().pending.is_none() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the fetch does not end");
}

#[test]
fn a_renewal_that_fails_is_tried_again_ahead_of_the_end_though_no_caller_asks_meanwhile() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (slot, asked) = slot(&clock, &[Some(3600), None, Some(3600)]);
        token(&slot).await.unwrap();
        clock.set(1800);
        slot.renew();
        landed(&slot).await;
        assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(1801), "after its backoff");
        clock.set(1801);
        slot.renew();
        landed(&slot).await;
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert_eq!(slot.until().map(OffsetDateTime::unix_timestamp), Some(1801 + 3600));
    });
}

#[test]
fn the_loop_that_renews_hears_that_a_token_is_wanted_again() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (slot, _) = slot(&clock, &[]);
        let changed = Arc::new(Notify::new());
        slot.notify_on_change(Arc::clone(&changed));
        let from = clock.now();
        let lifetime = Lifetime { from, until: from + time::Duration::hours(1) };
        slot.put(CachedToken::new(Secret::new("brought along".to_owned()), lifetime));
        assert_eq!(slot.next(), None, "no caller has asked for it");
        token(&slot).await.unwrap();
        changed.notified().await;
        assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(1800));
    });
}

#[test]
fn a_service_that_asks_for_time_gets_it_and_no_caller_waits_while_its_token_has_minutes_left() {
    run(async {
        let clock = Arc::new(Hand::default());
        let attempts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&attempts);
        let fetch: Fetch = Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let retry_class = RetryClass::Busy { retry_after: Some(Duration::from_secs(300)) };
            let busy = Failure::new(Code::TimedOut, "busy", "wait").with_retry_class(retry_class);
            Box::pin(std::future::ready(Err(busy)))
        });
        let (from, life) = (clock.now(), time::Duration::hours(1));
        let fresh = CachedToken::new(Secret::new("old".to_owned()), Lifetime { from, until: from + life });
        let slot = TokenSlot::new(Arc::clone(&clock) as _, fetch, Some(fresh));
        for (second, expected) in [(1800, 1), (2099, 1), (2100, 2), (2399, 2), (2400, 3)] {
            clock.set(second);
            assert_eq!(token(&slot).await.as_deref(), Ok("old"));
            landed(&slot).await;
            assert_eq!(attempts.load(Ordering::SeqCst), expected, "at {second} s");
        }
    });
}

#[test]
fn a_clock_that_is_set_back_lengthens_no_backoff() {
    run(async {
        let clock = Arc::new(Hand::default());
        clock.set(7200);
        let (slot, asked) = slot(&clock, &[None, Some(3600)]);
        assert_eq!(token(&slot).await, Err(Code::TimedOut));
        clock.set(7202);
        clock.set_wall(0);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 1"));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_token_that_has_ended_is_not_given_away_though_the_clock_was_set_back() {
    run(async {
        let clock = Arc::new(Hand::default());
        clock.set(7200);
        let (slot, asked) = slot(&clock, &[Some(3600), None, Some(3600)]);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
        clock.elapsed.store(7200 + 1000, Ordering::SeqCst);
        clock.set_wall(0);
        let fresh = slot.get().await.unwrap();
        assert_eq!(fresh.lifetime.until.unix_timestamp(), 2600, "what is promised by the clock of now");
        assert_eq!(slot.until().map(OffsetDateTime::unix_timestamp), Some(2600));
        assert_eq!(
            slot.next().map(OffsetDateTime::unix_timestamp),
            Some(800),
            "half of its life is over then"
        );
        clock.elapsed.store(7200 + 1800, Ordering::SeqCst);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
        landed(&slot).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2, "it is due");
        clock.elapsed.store(7200 + 3600, Ordering::SeqCst);
        assert_eq!(
            token(&slot).await.as_deref(),
            Ok("token 2"),
            "another, though its end by the wall clock is earlier"
        );
        clock.elapsed.store(7200 + 3700, Ordering::SeqCst);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 2"), "it is kept");
    });
}

#[test]
fn a_clock_that_is_set_back_while_a_token_is_asked_for_lengthens_no_life() {
    run(async {
        let clock = Arc::new(Hand::default());
        clock.set(7200);
        let (slot, _) = slot(&clock, &[Some(3600)]);
        let mut asking = std::pin::pin!(slot.get());
        assert!(futures_util::poll!(asking.as_mut()).is_pending());
        clock.elapsed.store(7210, Ordering::SeqCst);
        clock.set_wall(0);
        let fresh = asking.await.unwrap();
        assert_eq!(fresh.lifetime.until.unix_timestamp(), 3590);
    });
}

#[test]
fn a_token_of_seconds_is_not_given_away_after_a_wait_that_outlives_it() {
    run(async {
        let clock = Arc::new(Hand::default());
        let attempts = AtomicUsize::new(0);
        let hand = Arc::clone(&clock);
        let fetch: Fetch = Arc::new(move || {
            let from = hand.now();
            match attempts.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    let lifetime = Lifetime { from, until: from + time::Duration::seconds(10) };
                    Box::pin(std::future::ready(Ok(CachedToken::new(
                        Secret::new("short".to_owned()),
                        lifetime,
                    ))))
                }
                _ => Box::pin(std::future::pending()),
            }
        });
        let slot = TokenSlot::new(Arc::clone(&clock) as _, fetch, None);
        assert_eq!(token(&slot).await.as_deref(), Ok("short"));
        clock.set(8);
        assert_eq!(token(&slot).await.as_deref(), Ok("short"));
        assert_eq!(*clock.waits.lock().unwrap(), [Duration::from_secs(1)], "it works for one second more");
    });
}

proptest::proptest! {
    #[test]
    fn no_token_is_given_away_after_its_end_by_either_clock(
        life in 1_i64..10_000,
        steps in proptest::collection::vec((0_u64..4000, -8000_i64..8000), 1..20),
    ) {
        run(async {
            let clock = Arc::new(Hand::default());
            clock.set(100_000);
            let lifetime = Lifetime { from: clock.now(), until: clock.now() + time::Duration::seconds(life) };
            let ended = Failure::new(Code::TimedOut, "down", "wait");
            let fetch: Fetch = Arc::new(move || Box::pin(std::future::ready(Err(ended.duplicate()))));
            let fresh = CachedToken::new(Secret::new("token".to_owned()), lifetime);
            let slot = TokenSlot::new(Arc::clone(&clock) as _, fetch, Some(fresh));
            let life = Duration::from_secs(life.unsigned_abs());
            for (passed, set) in steps {
                clock.elapsed.fetch_add(passed, Ordering::SeqCst);
                clock.wall.fetch_add(passed.cast_signed() + set, Ordering::SeqCst);
                if let Ok(fresh) = slot.get().await {
                    let age = clock.elapsed().abs_diff(Duration::from_secs(100_000));
                    assert!(age < life && clock.now() < lifetime.until);
                    assert!(fresh.lifetime.until <= lifetime.until);
                    assert!(fresh.lifetime.until - clock.now() <= life.abs_diff(age));
                }
            }
        });
    }
}

#[test]
fn a_fetch_that_hangs_delays_no_caller_who_can_be_told_of_the_failure_before_it() {
    run(async {
        let clock = Arc::new(Hand::default());
        let attempts = AtomicUsize::new(0);
        let fetch: Fetch = Arc::new(move || match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => Box::pin(std::future::ready(Err(Failure::new(Code::TimedOut, "down", "wait")))),
            _ => Box::pin(std::future::pending()),
        });
        let slot = TokenSlot::new(Arc::clone(&clock) as _, fetch, None);
        assert_eq!(token(&slot).await, Err(Code::TimedOut));
        clock.set(2);
        assert_eq!(token(&slot).await, Err(Code::TimedOut), "the second attempt is under way");
        assert_eq!(slot.counts().fetched, 2);
    });
}

#[test]
fn the_same_token_again_makes_steps_that_only_move_forward() {
    run(async {
        let clock = Arc::new(Hand::default());
        // Each answer ends at the same moment as the first.
        let (slot, asked) = slot(&clock, &[Some(86_700), Some(43_350), Some(21_675), Some(10_838)]);
        token(&slot).await.unwrap();
        clock.set(43_350);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
        landed(&slot).await;
        clock.set(43_400);
        assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
        assert_eq!(asked.load(Ordering::SeqCst), 2, "not again a moment later");
        assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(43_350 + 21_675));
    });
}

#[test]
fn a_token_that_no_caller_asks_for_is_not_renewed_unless_it_is_read_from_a_file() {
    run(async {
        let clock = Arc::new(Hand::default());
        let (slot, _) = slot(&clock, &[Some(3600), Some(3600), Some(3600)]);
        token(&slot).await.unwrap();
        assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(1800));
        clock.set(1800);
        slot.renew();
        assert_eq!(slot.next(), None, "a renewal is under way");
        landed(&slot).await;
        assert_eq!(slot.until().map(OffsetDateTime::unix_timestamp), Some(5400));
        assert_eq!(slot.next(), None, "no caller asked since");
        let fetched = slot.counts().fetched;
        clock.set(3600);
        slot.renew();
        assert_eq!(slot.counts().fetched, fetched, "the timer of another slot renews nothing here");
        clock.set(1800);
        slot.keep_fresh();
        assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(3600));
    });
}
