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

pub(super) fn rows(task: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let five = "A=arm\nB=keyvault\nC=storage\nD=graph\nE=sql";
    for (what, tokens) in [("one resource", "A=arm"), ("five resources", five)] {
        let inputs = [("refresh", "false"), ("exports", "none"), ("accessTokens", tokens)];
        let near = Job::new(Emulator::start(), &inputs)?;
        let far = Job::new(Emulator::builder().round_trip(ROUND_TRIP).start(), &inputs)?;
        let mut contenders = [&far, &near].map(|job| {
            Contender::new("wif", move || {
                // Without a broker and a folder, nothing is left.
                Step::new(job, task).run().map(|(took, _)| took)
            })
        });
        alternate(&mut contenders)?;
        let [far, near] = &contenders;
        let trips = (far.median() - near.median()) / milliseconds(ROUND_TRIP);
        // Timers are late by some milliseconds each.
        let met = trips < MOST + 0.5;
        let what = format!("round trips of a sign-in, {what}");
        rows.push(Row::limited(&what, format!("{trips:.2}"), &format!("{MOST:.0}, and late timers"), met));
    }
    Ok(rows)
}
