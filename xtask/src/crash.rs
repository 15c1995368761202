//! `crash`: each command that changes something is killed at every line of its journal and at every call, and resumed. Whether it ends
//! as if nothing had happened is judged by what the services have, not by the journal.

mod changes;
mod moments;
mod scene;
mod state;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use changes::{Change, Setting};
use moments::{Kind, Moment};
use scene::Scene;

use crate::{operator, process::Result, tools};

/// More than there are processors: most of the time is spent waiting.
const AT_ONCE: usize = 6;

/// Under which settings of the emulated services.
pub(crate) enum Settings {
    Usual,
    Every,
    /// Those with this text in their names.
    Named(String),
}

impl Settings {
    pub(crate) fn of(is_every: bool, named: Option<String>) -> Self {
        match named {
            Some(text) => Self::Named(text),
            None if is_every => Self::Every,
            None => Self::Usual,
        }
    }

    /// Those of a command.
    fn of_change(&self, change: Change) -> Vec<&'static Setting> {
        let all = change.settings().iter();
        match self {
            Self::Usual => all.take(1).collect(),
            Self::Every => all.collect(),
            Self::Named(text) => all.filter(|one| one.name.contains(text.as_str())).collect(),
        }
    }
}

/// Tries the moments of every command, or of those with a text in their names.
pub(crate) fn crash(only: Option<&str>, settings: &Settings) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err("crash needs Linux: strace kills the program at a line of its journal".to_owned());
    }
    tools::debian(&["strace"])?;
    let program = operator::program()?;
    let changes: Vec<_> =
        Change::ALL.into_iter().filter(|one| only.is_none_or(|only| one.name().contains(only))).collect();
    if changes.is_empty() {
        let names = Change::ALL.map(Change::name).join(", ");
        return Err(format!("'{}' is in none of the names: {names}", only.unwrap_or_default()));
    }
    let (mut tried, mut wrong) = (0, Vec::new());
    for change in changes {
        for setting in settings.of_change(change) {
            let before = wrong.len();
            let counts = of_change(&program, change, setting, &mut wrong)?;
            tried += counts.values().sum::<usize>();
            let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            let new = wrong.len() - before;
            let ended = if new == 0 { String::new() } else { format!("; {new} ended otherwise") };
            println!("{}, {}: {}{ended}", change.name(), setting.name, counts.join(", "));
        }
    }
    if tried == 0 {
        return Err("no setting of these commands has that in its name".to_owned());
    }
    println!("\n{tried} moments tried, {} ended otherwise than the undisturbed run", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n\n")) }
}

/// Tries every moment of a command. Tells how many of each kind there were.
fn of_change(
    program: &std::path::Path,
    change: Change,
    setting: &Setting,
    wrong: &mut Vec<String>,
) -> Result<BTreeMap<Kind, usize>> {
    let undisturbed = Undisturbed::of(program, change, setting)?;
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(moment) = undisturbed.moments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = undisturbed.holds(program, (change, setting), *moment) {
                        let at = format!("{}, {}, {moment}: {error}", change.name(), setting.name);
                        found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(at);
                    }
                }
            });
        }
    });
    wrong.append(&mut found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    let mut counts = BTreeMap::new();
    for moment in &undisturbed.moments {
        *counts.entry(moment.kind()).or_default() += 1;
    }
    Ok(counts)
}

/// A run to which nothing happened.
struct Undisturbed {
    moments: Vec<Moment>,
    /// What the services have at its end.
    state: Vec<String>,
    /// How often each call was received that may not be sent twice.
    once: BTreeMap<String, usize>,
}

impl Undisturbed {
    fn of(program: &std::path::Path, change: Change, setting: &Setting) -> Result<Self> {
        let scene = Scene::prepared(program, change, setting)?;
        let from = scene.emulator.journal().len();
        let lines = scene.lines();
        scene.go_wrong(setting);
        scene.ends(&change.disturbed(), change.ends_with())?;
        let moments = moments::of(&scene.emulator.journal()[from..], scene.lines() - lines);
        Ok(Self { moments, state: state::of(&scene), once: scene.sent_once(from) })
    }

    /// Whether a run that is killed at a moment, and resumed, ends as this one.
    fn holds(
        &self,
        program: &std::path::Path,
        (change, setting): (Change, &Setting),
        moment: Moment,
    ) -> Result<()> {
        let scene = Scene::prepared(program, change, setting)?;
        let (from, intents) = (scene.emulator.journal().len(), scene.intents());
        scene.killed(&change.disturbed(), setting, moment)?;
        let (written, announced) = (scene.writes(from), scene.intents() - intents);
        if written > announced {
            return Err(format!(
                "{written} calls were received that change something, and {announced} announced"
            ));
        }
        scene.ends(&scene.resumed(change), change.ends_with())?;
        let state = state::of(&scene);
        if state != self.state {
            return Err(format!("it ended otherwise:\n{}", state::difference(&self.state, &state)));
        }
        // What was held before the service acted is sent once more.
        let held = moment.held();
        for (call, count) in scene.sent_once(from) {
            let is_held = held.is_some_and(|number| scene.nth_write(from, number).as_deref() == Some(&call));
            let allowed = self.once.get(&call).copied().unwrap_or_default() + usize::from(is_held);
            if count > allowed {
                return Err(format!("{call} was received {count} times, undisturbed {allowed}"));
            }
        }
        Ok(())
    }
}
