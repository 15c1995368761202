//! Round trips: how much longer a step takes when every service is so far away.

use std::{path::Path, time::Duration};

use emulator::Emulator;

use crate::{
    bench::{
        job::Job,
        measure::{Contender, alternate, milliseconds},
        step::Step,
        table::Row,
    },
    process::Result,
};

const ROUND_TRIP: Duration = Duration::from_millis(50);
/// The most that a sign-in may take, however many tokens it gets.
const MOST: f64 = 4.0;
/// The same with the list of subscriptions for az.
const MOST_WITH_AZ: f64 = 5.0;

pub(super) fn rows(task: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let five = "A=arm\nB=keyvault\nC=storage\nD=graph\nE=sql";
    for (what, tokens, exports, most) in [
        ("one resource", "A=arm", "none", MOST),
        ("five resources", five, "none", MOST),
        ("one resource and the subscriptions for az", "A=arm", "azure-cli", MOST_WITH_AZ),
        ("five resources and the subscriptions for az", five, "azure-cli", MOST_WITH_AZ),
    ] {
        let refresh = if exports == "none" { "false" } else { "true" };
        let inputs = [("refresh", refresh), ("exports", exports), ("accessTokens", tokens)];
        let near = Job::new(Emulator::start(), &inputs)?;
        let far = Job::new(Emulator::builder().round_trip(ROUND_TRIP).start(), &inputs)?;
        let mut contenders = [&far, &near].map(|job| {
            Contender::new("wif", move || {
                let step = Step::new(job, task);
                let (took, left) = step.run()?;
                // Without a broker and a folder, nothing is left.
                if refresh == "true" {
                    left.end()?;
                }
                Ok(took)
            })
        });
        alternate(&mut contenders)?;
        let [far, near] = &contenders;
        let trips = (far.median() - near.median()) / milliseconds(ROUND_TRIP);
        // Timers are late by some milliseconds each.
        let met = trips < most + 0.5;
        let what = format!("round trips of a sign-in, {what}");
        rows.push(Row::limited(&what, format!("{trips:.2}"), &format!("{most:.0}, and late timers"), met));
    }
    Ok(rows)
}
