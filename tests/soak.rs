//! Days of brokers whose upstream comes and goes: from a seed, so that a day that goes wrong can be had again.

mod day;
mod weather;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use self::{day::Day, weather::Weather};

/// So many days are tried in every test run; `cargo xtask soak --seeds N` tries more.
const USUAL: u64 = 2;
/// Names the first seed and the number of days: `100+500`.
const VARIABLE: &str = "WIF_SOAK_SEEDS";

#[expect(clippy::disallowed_methods, reason = "how much is tried is up to who calls")]
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var(VARIABLE).unwrap_or_else(|_unset| format!("0+{USUAL}"));
    let (first, count) =
        asked.split_once('+').unwrap_or_else(|| panic!("{VARIABLE} is {asked}, not like 0+10"));
    let (first, count): (u64, u64) = (first.parse().unwrap(), count.parse().unwrap());
    first..first + count
}

#[test]
fn whenever_upstream_was_there_for_five_minutes_of_a_tokens_life_no_caller_gets_an_error() {
    let seeds = seeds();
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    let days = thread::scope(|scope| {
        let worker = || {
            let mut days = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return days;
                }
                // A panic names its seed.
                days.push(Day::new(seed, Weather::of(seed)).run());
            }
        };
        let workers: Vec<_> = (0..thread::available_parallelism().map_or(2, usize::from))
            .map(|_| scope.spawn(worker))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let sum = |count: fn(&day::Seen) -> usize| days.iter().map(count).sum::<usize>();
    println!(
        "{} days: {} callers, {} turned away in long outages, {} requests, {} minutes of outage",
        days.len(),
        sum(|day| day.callers),
        sum(|day| day.errors),
        sum(|day| day.requests),
        sum(|day| day.minutes_down),
    );
    assert!(days.iter().all(|day| day.callers >= 24 * 60 * 2 && day.minutes_down > 0));
}
