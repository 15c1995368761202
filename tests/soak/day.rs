//! A day of a broker: each minute a caller asks for every resource.

use std::{sync::Arc, time::Duration};

use emulator::{Gate, Service};
use tokio::task::JoinSet;
use wif_broker::cache::FetchResult;
use wif_core::azure::resource::Resource;

use super::weather::Weather;
use crate::{
    broker::open,
    support::{Case, REAL_LIMIT, Virtual, Wire, idle, run, timeout},
};

pub(crate) const MINUTES: u64 = 24 * 60;
const RESOURCES: [&str; 2] = ["arm", "keyvault"];
/// So much fair weather is enough for a renewal: a fetch that has just failed (60 s), two backoffs (30 s each), and a
/// minute until a caller asks, twice.
const ENOUGH: u64 = 300;
/// More tries than this no token costs in a minute of an outage, however it fails.
const TRIES: u64 = 20;

/// A seed's day.
pub(crate) struct Day {
    seed: u64,
    weather: Weather,
    case: Case,
    clock: Arc<Virtual>,
    wire: Arc<Wire>,
    gate: Gate,
    passed: Duration,
    seen: Seen,
    /// What callers were told.
    said: String,
}

/// What was seen of it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) callers: usize,
    pub(crate) errors: usize,
    pub(crate) requests: usize,
    pub(crate) minutes_down: usize,
}

impl Day {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let case = if weather.long_id_token { Case::with_entra_issuer() } else { Case::new() };
        {
            let mut directory = case.emulator.directory();
            directory.same_id_token_again = weather.long_id_token;
            directory.lifetimes.access_token = i64::from(weather.life);
        }
        let (clock, wire) = Virtual::watching(case.emulator.now());
        Self {
            seed,
            weather,
            case,
            clock,
            wire,
            gate: Gate::new(),
            passed: Duration::ZERO,
            seen: Seen::default(),
            said: String::new(),
        }
    }

    /// Lets it pass, and holds every answer to the law.
    pub(crate) fn run(mut self) -> Seen {
        run(async {
            let session = open(&self.case, Arc::clone(&self.clock) as _).await;
            let keeper = Arc::clone(&session);
            tokio::spawn(async move { keeper.tokens.keep(|| true).await });
            let resources = RESOURCES.map(|name| Resource::parse(name, &session.tokens.audiences).unwrap());
            for minute in 0..MINUTES {
                self.change_weather(minute);
                let mut callers = JoinSet::new();
                for resource in resources.clone() {
                    let session = Arc::clone(&session);
                    callers.spawn(async move { session.tokens.access_token(&resource).await });
                }
                let end = Duration::from_secs(60 * (minute + 1));
                while self.passed < end || !callers.is_empty() {
                    // Every task that can go on does, and every answer is heard.
                    idle().await;
                    while let Some(result) = callers.try_join_next() {
                        self.judge(&result.unwrap());
                    }
                    self.pass(end).await;
                }
            }
        });
        self.count_requests();
        let leaks = emulator::leaks(&self.case.emulator.issued(), self.said.as_bytes());
        assert_eq!(leaks, Vec::<String>::new(), "seed {}", self.seed);
        self.seen
    }

    fn change_weather(&mut self, minute: u64) {
        let outages = &self.weather.outages;
        if outages.iter().any(|outage| outage.until == minute) {
            self.case.emulator.mend();
        }
        if let Some(outage) = outages.iter().find(|outage| outage.from == minute) {
            outage.begin(&self.case.emulator, &self.gate);
        }
        self.seen.minutes_down +=
            usize::from(outages.iter().any(|outage| (outage.from..outage.until).contains(&minute)));
    }

    /// Lets time pass to the next sleeper that wakes; or, while an answer is on its way, waits for that.
    async fn pass(&mut self, end: Duration) {
        let hung = || self.gate.waiting();
        if self.wire.requests() > hung() {
            let changed = async {
                tokio::select! {
                    () = self.wire.quiet(hung) => {}
                    () = self.gate.reached(hung() + 1) => {}
                }
            };
            let waited = timeout(REAL_LIMIT, changed).await;
            waited.unwrap_or_else(|error| {
                panic!("seed {}: {error}\n{}", self.seed, self.case.emulator.journal_text())
            });
            return;
        }
        let most = end.saturating_sub(self.passed).max(Duration::from_secs(1));
        let before = self.passed.as_secs();
        self.passed += self.clock.pass(most);
        let seconds = self.passed.as_secs() - before;
        self.case.emulator.shift_clock(i64::try_from(seconds).unwrap());
    }

    /// After enough fair weather a token has the half of its life, or it was about to be renewed; from then on it can
    /// only have grown older.
    fn judge(&mut self, result: &FetchResult) {
        self.seen.callers += 1;
        let (half, now) = (u64::from(self.weather.life) / 2, self.passed.as_secs());
        let fair = self.weather.last_fair(now, ENOUGH);
        let promised = fair.map_or(0, |fair| half.saturating_sub(ENOUGH + (now - fair)));
        let promised = Duration::from_secs(promised);
        let what = || format!("seed {}, after {:?}: {:#?}", self.seed, self.passed, self.weather);
        match result {
            Ok(fresh) => {
                let left = fresh.lifetime.until - wif_io::clock::Clock::now(&*self.clock);
                assert!(
                    left.is_positive() && left >= promised,
                    "{left} left, {promised:?} promised: {}",
                    what()
                );
            }
            Err(failure) => {
                self.seen.errors += 1;
                self.said.push_str(&format!("{failure}\n{failure:?}"));
                assert!(promised <= Duration::from_secs(10), "{failure}: {}", what());
            }
        }
    }

    fn count_requests(&mut self) {
        let (id_tokens, access_tokens) = self.case.asked();
        self.seen.requests = id_tokens + access_tokens;
        let down = u64::try_from(self.seen.minutes_down).unwrap();
        let outages = u64::try_from(self.weather.outages.len()).unwrap();
        let renewals = MINUTES * 60 / u64::from(self.weather.life / 2) + 1;
        let tokens = u64::try_from(RESOURCES.len()).unwrap();
        // One fetch more for each outage, which may begin in the middle of one. A day's id token that comes again is
        // asked for in steps that grow closer, to the second at its end.
        let most = (tokens + 1) * (renewals + outages * TRIES + down * TRIES) + 40;
        let asked =
            u64::try_from(self.case.emulator.count(Service::DevOps, "POST ") + access_tokens).unwrap();
        assert!(
            asked <= most,
            "seed {}: {asked} requests, {most} at the most: {:#?}",
            self.seed,
            self.weather
        );
    }
}
