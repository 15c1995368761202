//! `soak`: days of brokers with outages, by a virtual clock; or one broker for hours of real time; or one that callers
//! without the key crowd.

mod hostile;
mod samples;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use emulator::{
    Emulator, Fault, Service,
    agent::{Agent, JobResult, Step},
};

pub(crate) use self::hostile::hostile;
use self::samples::Samples;
use crate::{
    process::{Result, cargo, run},
    stage,
};

/// Tries days by seeds, from this one on.
pub(crate) fn days(first: u64, seeds: u64) -> Result<()> {
    let mut test =
        cargo(&["test", "--package", "wif", "--test", "main", "--locked", "soak::", "--", "--nocapture"]);
    run(test.env("WIF_SOAK_SEEDS", format!("{first}+{seeds}")))
}

/// Seconds that tokens live, so that hours of real time are months of renewals.
const LIFE: i64 = 20;
/// An outage lasts this long, and the time between two. The first is well within the half of a token's life.
const OUTAGE: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(16));
/// Asks the broker without a break, by every protocol, until the time is over; every ten seconds a line about it.
const WATCH: &str = r#"
broker=$(ss -ltnp | grep ":${WIF_URL##*:} " | sed 's/.*pid=\([0-9]*\).*/\1/')
temp=$(dirname "$(dirname "$AZURE_FEDERATED_TOKEN_FILE")")
end=$(($(date +%s) + SECONDS_TO_SOAK)); asked=0; failed=0; next=0
ask() { asked=$((asked + 1)); curl -sf -m 10 -o /dev/null "$@" || failed=$((failed + 1)); }
while now=$(date +%s); [ "$now" -lt "$end" ]; do
  for resource in https://management.azure.com https://vault.azure.net https://graph.microsoft.com; do
    ask -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?resource=$resource&api-version=2019-08-01"
  done
  ask -H "Authorization: Bearer $ARM_OIDC_REQUEST_TOKEN" "$ARM_OIDC_REQUEST_URL&audience=api://AzureADTokenExchange"
  if [ "$now" -ge "$next" ]; then
    next=$((now + 10))
    memory=$(awk '/^VmRSS/ {print $2}' "/proc/$broker/status")
    echo "sample $memory $(ls "/proc/$broker/fd" | wc -l) $(find "$temp" | wc -l) $asked $failed"
  fi
  sleep 0.1
done
"#;

/// Runs a job whose broker is asked for so many hours, and looks for growth.
pub(crate) fn real(hours: f64) -> Result<()> {
    let task = stage::stage()?;
    let emulator = Emulator::start();
    {
        let mut directory = emulator.directory();
        directory.lifetimes.devops_id_token = LIFE;
        directory.lifetimes.access_token = LIFE;
    }
    let inputs = [
        ("azureSubscription", "sc-prod"),
        stage::EMULATOR,
        ("exports", "terraform, azure-sdk, token-file"),
        ("accessTokens", ""),
    ];
    let seconds = Duration::from_secs_f64(hours * 3600.0).as_secs();
    let steps = [
        Step::task(task, &inputs).display_name("Sign in"),
        Step::bash(WATCH).display_name("Watch").env("SECONDS_TO_SOAK", seconds.to_string()),
    ];
    let message = emulator.job(emulator.usual().connection);
    let over = AtomicBool::new(false);
    println!(
        "Asking one broker for {seconds} s; tokens live {LIFE} s, and an outage comes every {} s",
        OUTAGE.1.as_secs()
    );
    let report = thread::scope(|scope| {
        scope.spawn(|| make_outages(&emulator, &over));
        let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &steps);
        over.store(true, Ordering::Relaxed);
        report
    });
    if report.result != JobResult::Succeeded {
        return Err(format!("the job {:?}:\n{}", report.result, report.log));
    }
    let samples = Samples::read(&report.step("Watch").log)?;
    println!("{samples}");
    let renewals = emulator.count(Service::Entra, "POST /");
    println!("renewals of access tokens     {renewals}");
    let left = (report.left_in_temp.len(), report.killed_orphans.len());
    println!("left behind                   {} files, {} processes", left.0, left.1);
    samples.judge()?;
    if left == (0, 0) { Ok(()) } else { Err("something was left behind".to_owned()) }
}

fn make_outages(emulator: &Emulator, over: &AtomicBool) {
    let effects: [fn(Fault) -> Fault; 4] =
        [|fault| fault.status(503), Fault::reset, Fault::truncate, |fault| fault.html("<html>")];
    for (effect, service) in
        effects.into_iter().cycle().zip([Service::DevOps, Service::Entra].into_iter().cycle())
    {
        emulator.fault(effect(Fault::on(service, "POST", "/").always()));
        thread::sleep(OUTAGE.0);
        emulator.mend();
        thread::sleep(OUTAGE.1);
        if over.load(Ordering::Relaxed) {
            return;
        }
    }
}
