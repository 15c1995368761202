//! The program that ships beside the one with every feature: the same commands, and the same exports.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use emulator::{
    Emulator,
    agent::{Agent, JobResult, Step},
};
use wif_core::exports::Family;

use crate::{
    process::{Result, cargo, output, run, target},
    stage,
};

/// Compares the program in a task folder with the one that Cargo builds when it is told nothing. Tells what is the same.
pub(crate) fn compare(task: &Path) -> Result<String> {
    run(&mut cargo(&["build", "--locked", "--package", "wif", "--bin", "wif"]))?;
    let name = format!("wif{}", std::env::consts::EXE_SUFFIX);
    let other = target()?.join("debug").join(&name);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let shipped = copy_with(task, &other, folder.path())?;

    let helps = (helps(&shipped)?, helps(&other)?);
    same("help texts", &helps.0, &helps.1)?;
    let exports = (exports(task)?, exports(folder.path())?);
    same("exports", &exports.0, &exports.1)?;
    Ok(format!("{} help texts and {} exports are the same", helps.0.len(), exports.0.len()))
}

/// Copies a task folder, with another program in it. Tells where the first one is.
fn copy_with(task: &Path, program: &Path, to: &Path) -> Result<std::path::PathBuf> {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    for file in ["task.json", "index.js", "post.js"] {
        fs::copy(task.join(file), to.join(file)).map_err(failed)?;
    }
    let platform = stage::platform()?;
    let bin = to.join("bin").join(&platform);
    fs::create_dir_all(&bin).map_err(failed)?;
    let name = program.file_name().unwrap_or_default();
    fs::copy(program, bin.join(name)).map_err(failed)?;
    Ok(task.join("bin").join(platform).join(name))
}

/// The heading of the commands that `wif-operator` carries out: it has their help.
const HANDED_ON: &str = "For an organization, by the program wif-operator:";

/// The help of the program and of each of its commands, with the command's words.
fn helps(program: &Path) -> Result<BTreeSet<(String, String)>> {
    let mut helps = BTreeSet::new();
    let mut open = vec![String::new()];
    while let Some(words) = open.pop() {
        let help = output(Command::new(program).args(words.split_whitespace()).arg("--help"))?;
        open.extend(own_commands(&help).into_iter().map(|name| format!("{words} {name}")));
        helps.insert((words, help));
    }
    Ok(helps)
}

/// The names in the list of commands, without those that `wif-operator` carries out.
fn own_commands(help: &str) -> Vec<&str> {
    // They may stand in groups, each with a heading of its own, before the options.
    let lines = help.lines().take_while(|line| *line != "Options:");
    let groups = lines.scan("", |heading, line| {
        if line.ends_with(':') && !line.starts_with(' ') {
            *heading = line;
        }
        Some((*heading, line))
    });
    let own = groups.filter(|(heading, _line)| *heading != HANDED_ON);
    let entries = own.filter_map(|(_heading, line)| line.strip_prefix("  "));
    let entries = entries.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    entries.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// The names of what a job's later steps find after a sign-in with every family of the input `exports`, live and as a snapshot.
fn exports(task: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let list = |is_asked: fn(&Family) -> bool| {
        let asked = Family::named_in_exports().filter(is_asked);
        asked.map(Family::as_str).collect::<Vec<_>>().join(", ")
    };
    for (refresh, families) in
        [("true", list(|_family| true)), ("false", list(|family| family.has_snapshot()))]
    {
        let emulator = Emulator::start();
        let message = emulator.job(emulator.usual().connection);
        let inputs =
            [("azureSubscription", "sc-prod"), stage::EMULATOR, ("refresh", refresh), ("exports", &families)];
        let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &[Step::task(task, &inputs)]);
        if report.result != JobResult::Succeeded {
            return Err(format!("the job with the program in {} failed:\n{}", task.display(), report.log));
        }
        names.extend(report.variables.keys().map(|name| format!("{name} (refresh: {refresh})")));
    }
    Ok(names)
}

/// Fails with the entries that only one of the two has.
fn same<T: Ord + std::fmt::Debug>(what: &str, shipped: &BTreeSet<T>, other: &BTreeSet<T>) -> Result<()> {
    if shipped == other {
        return Ok(());
    }
    let only =
        |one: &BTreeSet<T>, two: &BTreeSet<T>| format!("{:#?}", one.difference(two).collect::<Vec<_>>());
    Err(format!(
        "the {what} of the staged program are not those of the program with every feature.\n\
         Only the staged one has:\n{}\nOnly the other one has:\n{}",
        only(shipped, other),
        only(other, shipped)
    ))
}

#[cfg(test)]
mod tests {
    use crate::{
        package::PROGRAMS,
        process::{cargo, output},
    };

    /// The crates that a program is made of.
    fn crates(arguments: &[&str]) -> Vec<String> {
        let mut tree = cargo(&["tree", "--locked", "--edges=normal", "--prefix=none", "--format={p}"]);
        let tree = output(tree.args(arguments)).unwrap();
        tree.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
    }

    #[test]
    fn the_program_that_ships_has_nothing_of_the_library_for_rust_callers() {
        let [package, name, .., without] = PROGRAMS[0].arguments else { panic!("too few arguments") };
        let only_there = ["azure_core", "async-trait", "typespec_client_core"];
        let library = crates(&[package, name]);
        let shipped = crates(&[package, name, "--no-default-features"]);
        assert_eq!(*without, "--no-default-features");
        for name in only_there {
            assert!(library.iter().any(|own| own == name), "the library does not need {name} any more");
            assert!(!shipped.iter().any(|own| own == name), "{name} ships");
        }
        assert!(shipped.iter().any(|own| own == "reqwest"), "{shipped:?}");
    }

    #[test]
    fn the_programs_own_commands_are_read_from_a_help_text() {
        let help = "Usage: x\n\nCommands:\n  one    First\n         more of it\n\nOthers:\n  two    Second\n  help   Print\n\n\
                    For an organization, by the program wif-operator:\n  three  Third\n\nOptions:\n  -h\n\nExamples:\n  x one";
        assert_eq!(super::own_commands(help), ["one", "two"]);
    }
}
