//! What goes wrong in a day, and when.

use emulator::{Emulator, Fault, Gate, Service};
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// A day's outages, and the tokens of that day.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) outages: Vec<Outage>,
    /// Seconds that an access token lives.
    pub(crate) life: u16,
    /// Whether the id token is Entra's, of a day, and the same again and again.
    pub(crate) long_id_token: bool,
}

/// Some minutes in which a service, or both, cannot be had.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    /// Minutes since the day began.
    pub(crate) from: u64,
    pub(crate) until: u64,
    services: &'static [Service],
    kind: &'static str,
}

const SERVICES: [&[Service]; 3] = [&[Service::DevOps], &[Service::Entra], &[Service::DevOps, Service::Entra]];
const KINDS: [&str; 11] =
    ["busy", "come back", "page", "reset", "truncated", "cut", "TLS", "hang", "portal", "moved", "refusal"];

impl Weather {
    /// The same for the same seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let outage = (20_u64..500, 1_u64..45, select(&SERVICES[..]), select(&KINDS[..]));
        let day = (prop::collection::vec(outage, 12), select(&[1200_u16, 3600, 5000][..]), any::<bool>());
        let (outages, life, long_id_token) = day.new_tree(&mut runner).unwrap().current();
        let mut from = 0;
        let outages = outages.into_iter().map(|(fair, foul, services, kind)| {
            let outage = Outage { from: from + fair, until: from + fair + foul, services, kind };
            from = outage.until;
            outage
        });
        Self {
            outages: outages.take_while(|outage| outage.until < super::day::MINUTES).collect(),
            life,
            long_id_token,
        }
    }

    /// The last second, at or before `now`, of a time of at least `least` seconds without an outage.
    pub(crate) fn last_fair(&self, now: u64, least: u64) -> Option<u64> {
        let minutes = |minutes: u64| 60 * minutes;
        let ends = self.outages.iter().map(|outage| minutes(outage.from)).chain([u64::MAX]);
        let begins = [0].into_iter().chain(self.outages.iter().map(|outage| outage.until)).map(minutes);
        begins
            .zip(ends)
            .filter(|(begin, _)| *begin <= now)
            .map(|(begin, end)| (begin, end.min(now)))
            .filter(|(begin, end)| *end - *begin >= least)
            .map(|(_, end)| end)
            .max()
    }
}

impl Outage {
    /// Makes it begin. What hangs waits at the gate.
    pub(crate) fn begin(&self, emulator: &Emulator, gate: &Gate) {
        const PAGE: &str = "<html>Sign in to the network</html>";
        for service in self.services {
            let request = || Fault::on(*service, "*", "/").always();
            let connection = || Fault::connect(*service).always();
            emulator.fault(match self.kind {
                "busy" => request().status(503),
                "come back" => request().status(429).header("Retry-After", "7"),
                "page" => request().status(502).html(PAGE),
                "reset" => request().reset(),
                "truncated" => request().truncate(),
                "cut" => connection().refuse(),
                "TLS" => connection().tls_broken(),
                "hang" => request().gate(gate),
                "portal" => request().html(PAGE),
                "moved" => request().status(302).header("Location", "https://127.0.0.1:1/"),
                "refusal" => request().status(418),
                other => panic!("there is no way to make this fault here: {other}"),
            });
        }
    }
}
