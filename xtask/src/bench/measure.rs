//! Times, and what becomes of them: contenders take turns, and medians are compared.

use std::{
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::process::Result;

/// One of those who take turns.
pub(super) struct Contender<'a> {
    pub(super) name: &'static str,
    run: Box<dyn FnMut() -> Result<f64> + 'a>,
    samples: Vec<f64>,
}

/// Turns of each; the first, which finds nothing in the caches, does not count.
pub(super) const TURNS: usize = 15;

impl<'a> Contender<'a> {
    /// `run` takes one turn and says what it measured.
    pub(super) fn new(name: &'static str, run: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self { name, run: Box::new(run), samples: Vec::new() }
    }

    /// The median of its turns.
    pub(super) fn median(&self) -> f64 {
        median(&self.samples)
    }
}

/// The one in the middle.
pub(super) fn median(samples: &[f64]) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Lets each take its turns, one after the other.
pub(super) fn alternate(contenders: &mut [Contender<'_>]) -> Result<()> {
    for turn in 0..=TURNS {
        for contender in &mut *contenders {
            let sample = (contender.run)().map_err(|error| format!("{}: {error}", contender.name))?;
            if turn > 0 {
                contender.samples.push(sample);
            }
        }
    }
    Ok(())
}

/// Runs a process to its end, and to the end of its output, and tells how long that took, in milliseconds.
pub(super) fn timed(command: &mut Command) -> Result<(f64, Output)> {
    timed_to(command, 0)
}

/// The same, of a command that has to end with this code.
pub(super) fn timed_to(command: &mut Command, expected: i32) -> Result<(f64, Output)> {
    let begin = now();
    let output = command.stdin(Stdio::null()).output();
    let took = begin.elapsed();
    let output = output.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.code() != Some(expected) {
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).join("\n");
        return Err(format!("{} failed ({}): {said}", command.get_program().display(), output.status));
    }
    Ok((milliseconds(took), output))
}

/// A number of things, beside others.
pub(super) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::disallowed_methods, reason = "to measure is what this is here for")]
fn now() -> Instant {
    Instant::now()
}
