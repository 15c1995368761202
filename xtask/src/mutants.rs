//! `mutants`: whether the tests of what guards can fail (cargo-mutants).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{
    process::{Result, forget_package, output, root, target},
    tools::{crate_program, read, write},
};

/// What makes and tries the mutants.
const VERSION: &str = "27.1.0";

/// The package with the program, and with the tests of all that it consists of.
const PROGRAM: &str = "wif";

/// A file that guards, and the modules of tests that hold it.
struct Guard {
    /// In `src`, or in the `src` of a package in `crates`.
    file: &'static str,
    /// In the package of the file. They are tried first: they take a tenth of the time.
    unit: &'static [&'static str],
    /// In `tests/`, for what is left.
    whole: &'static [&'static str],
}

const GUARDS: [Guard; 22] = [
    guard("crates/wif-broker/src/guard.rs", &["guard::"], &["broker::", "hostile::"]),
    guard(
        "crates/wif-broker/src/routes.rs",
        &[],
        &["broker::", "guards::", "hostile::", "shown::", "snapshots::"],
    ),
    guard("crates/wif-broker/src/connections.rs", &["connections::"], &["broker::", "hostile::"]),
    guard("crates/wif-broker/src/proof.rs", &["proof::"], &["broker::", "hostile::"]),
    guard("crates/wif-broker/src/tokens.rs", &[], &["broker::", "hostile::", "live::", "shown::", "soak::"]),
    guard(
        "crates/wif-core/src/azure/resource.rs",
        &["azure::resource::"],
        &["broker::", "bad_input::", "guards::"],
    ),
    guard("crates/wif-core/src/azure/hosts.rs", &["azure::hosts::"], &["clouds::", "doctor::", "guards::"]),
    guard("crates/wif-core/src/azure/allowed.rs", &["azure::allowed::"], &["bad_input::", "guards::"]),
    guard(
        "crates/wif-io/src/private_folder/mod.rs",
        &["private_folder::"],
        &["az::", "earlier::", "job::", "live::"],
    ),
    guard(
        "crates/wif-io/src/private_folder/directory.rs",
        &["private_folder::"],
        &["az::", "job::", "live::"],
    ),
    guard("src/agent/job.rs", &["agent::job::"], &["bad_input::", "doctor::", "guards::", "sign_in::"]),
    guard("src/agent/organization.rs", &["agent::"], &["doctor::", "guards::", "sign_in::"]),
    guard("src/agent/reserved.rs", &["agent::"], &["bad_input::", "documents::", "guards::"]),
    guard("src/agent/shadowed.rs", &["agent::shadowed::"], &["bad_input::", "guards::", "job::"]),
    guard(
        "src/agent/job_variables.rs",
        &["agent::"],
        &["bad_input::", "earlier::", "existing_variables::", "guards::"],
    ),
    guard("src/guards/mod.rs", &["guards::"], &["bad_input::", "guards::", "schemes::", "sign_in::"]),
    guard(
        "src/session/launch.rs",
        &["session::launch::"],
        &["cancellation::", "job::", "live::", "process::"],
    ),
    guard("src/task/existing_variables.rs", &[], &["az::", "earlier::", "existing_variables::"]),
    guard("crates/wif-core/src/secret.rs", &["secret::"], &["broker::", "shown::", "sign_in::"]),
    guard(
        "crates/wif-core/src/foreign_text/mod.rs",
        &["foreign_text::"],
        &["foreign_bytes::", "foreign_text::", "shown::"],
    ),
    guard(
        "crates/wif-core/src/foreign_text/character.rs",
        &["foreign_text::"],
        &["foreign_bytes::", "foreign_text::", "shown::"],
    ),
    guard(
        "crates/wif-core/src/foreign_text/command.rs",
        &["foreign_text::"],
        &["foreign_bytes::", "foreign_text::", "shown::"],
    ),
];

const fn guard(file: &'static str, unit: &'static [&'static str], whole: &'static [&'static str]) -> Guard {
    Guard { file, unit, whole }
}

/// The package of a file: its folder in `crates` has its name.
fn package(file: &str) -> &str {
    file.strip_prefix("crates/").and_then(|rest| rest.split('/').next()).unwrap_or(PROGRAM)
}

/// Where the tests of a file begin.
const TESTS: &str = "#[cfg(test)]\nmod tests";

/// Where survivors that no test can kill are explained.
const PAGE: &str = "docs/mutants.md";
/// Seconds that the tests may take. The slowest take ten on an idle machine: what takes longer hangs.
const TEST_TIMEOUT: &str = "90";
const BUILD_TIMEOUT: &str = "900";

/// What came of a file's mutants.
#[derive(Default)]
struct Count {
    caught: usize,
    unviable: usize,
    timeout: usize,
    survivors: Vec<String>,
}

/// Tries every mutant of the files, or of all that guard, in so many copies of the tree at once; fails on a survivor that the
/// page does not explain. What was caught once is not tried again until the code of its file changes.
pub(crate) fn mutants(only: &[String], jobs: usize) -> Result<()> {
    let is_known = |file: &str| GUARDS.iter().any(|guard| guard.file == file);
    if let Some(file) = only.iter().find(|file| !is_known(file)) {
        let all: Vec<_> = GUARDS.iter().map(|guard| guard.file).collect();
        return Err(format!("'{file}' is not a file of this chore; accepted are {}", all.join(", ")));
    }
    let guards = GUARDS.iter().filter(|guard| only.is_empty() || only.iter().any(|one| one == guard.file));
    let program = cargo_mutants()?;
    let folder = target()?.join("mutants");
    let queue = Mutex::new(guards.clone());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = |number: usize| {
        let bench = Bench::set_up(&program, &folder, number)?;
        while let Some(Guard { file, unit, whole }) = next() {
            bench.begin(file)?;
            if !unit.is_empty() {
                bench.attempt(file, package(file), "--lib", unit)?;
                if bench.lines(file, "mutants.out/missed.txt").is_empty() {
                    continue;
                }
            }
            bench.attempt(file, PROGRAM, "--test=main", whole)?;
        }
        Ok::<_, String>(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|number| scope.spawn(move || worker(number))).collect();
        let ended = |worker: thread::ScopedJoinHandle<'_, Result<()>>| {
            worker.join().map_err(|_panic| "a worker panicked".to_owned())?
        };
        workers.into_iter().try_for_each(ended)
    })?;
    let bench = Bench::set_up(&program, &folder, 0)?;
    let counts: BTreeMap<_, _> =
        guards.map(|guard| Ok((guard.file, bench.count(guard.file)?))).collect::<Result<_>>()?;
    report(&counts)
}

/// Prints what came of the files, and every survivor.
fn report(counts: &BTreeMap<&str, Count>) -> Result<()> {
    let page = read(&root().join(PAGE))?.replace(r"\|", "|");
    let (mut table, mut all, mut unexplained) = (String::new(), [0; 4], Vec::new());
    for (file, count) in counts {
        let numbers = [count.caught, count.survivors.len(), count.unviable, count.timeout];
        for (sum, number) in all.iter_mut().zip(numbers) {
            *sum += number;
        }
        let _ = writeln!(table, "{file:32}{}", columns(numbers)); // a text in memory cannot fail
        unexplained.extend(
            count.survivors.iter().filter(|survivor| !page.contains(&format!("`{}`", description(survivor)))),
        );
    }
    println!("\n{:32}   caught   missed unviable  timeout\n{table}{:32}{}", "", "all", columns(all));
    if unexplained.is_empty() {
        println!("every survivor is explained in {PAGE}");
        return Ok(());
    }
    let list: Vec<_> = unexplained.iter().map(|survivor| survivor.as_str()).collect();
    Err(format!(
        "survivors that {PAGE} does not explain: {}; kill each with a test, or explain it there:\n{}",
        list.len(),
        list.join("\n")
    ))
}

fn columns(numbers: [usize; 4]) -> String {
    numbers.map(|number| format!("{number:9}")).concat()
}

/// A mutant's name without file and place: what was changed in which function.
fn description(mutant: &str) -> &str {
    mutant.split_once(": ").map_or(mutant, |(_place, change)| change)
}

/// The program, as found on the `PATH` in the pinned version, or installed.
fn cargo_mutants() -> Result<PathBuf> {
    let found = output(Command::new("cargo-mutants").args(["mutants", "--version"]));
    if found.is_ok_and(|version| version == format!("cargo-mutants {VERSION}")) {
        return Ok("cargo-mutants".into());
    }
    println!("Needs cargo-mutants {VERSION}: cargo install cargo-mutants --locked --version {VERSION}");
    crate_program("cargo-mutants", VERSION, &[])
}

/// A copy of the tree that is changed and built in place, so that every mutant costs an incremental build only.
struct Bench<'a> {
    program: &'a Path,
    tree: PathBuf,
    temporary: PathBuf,
    results: PathBuf,
    /// The emulator's key pairs: making them takes longer than most tests.
    keys: PathBuf,
}

impl<'a> Bench<'a> {
    fn set_up(program: &'a Path, folder: &Path, number: usize) -> Result<Self> {
        let bench = Self {
            program,
            tree: folder.join(format!("tree-{number}")),
            temporary: folder.join(format!("temp-{number}")),
            results: folder.join("results"),
            keys: folder.join("emulator-keys"),
        };
        make(&bench.temporary)?;
        make(&bench.keys)?;
        copy_tree(&bench.tree)?;
        Ok(bench)
    }

    fn folder(&self, file: &str) -> PathBuf {
        self.results.join(file.replace('/', "+"))
    }

    /// Forgets what was tried on other code: the name of a mutant holds its line, and does not tell what stands there.
    fn begin(&self, file: &str) -> Result<()> {
        let text = read(&root().join(file))?;
        let code = text.split_once(TESTS).map_or(&*text, |(code, _tests)| code);
        let folder = self.folder(file);
        let kept = folder.join("code.rs");
        if fs::read_to_string(&kept).is_ok_and(|kept| kept == code) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        make(&folder)?;
        write(&kept, code)
    }

    /// Tries the mutants of a file that no attempt has caught, by these tests of a package.
    fn attempt(&self, file: &str, package: &str, tests: &str, filters: &[&str]) -> Result<()> {
        let mut command = self.command(file);
        // cargo-nextest ends at the first failure; the other runner would wait for the tests that a change makes hang.
        command.args(["--in-place", "--baseline=skip", "--test-tool=nextest"]);
        command.env("NEXTEST_PROFILE", "mutants");
        command.args(["--iterate", "--colors=never", "--output"]);
        command.arg(self.folder(file)).args(["--timeout", TEST_TIMEOUT, "--build-timeout", BUILD_TIMEOUT]);
        command.args(["--test-package", package, &format!("--cargo-arg={tests}"), "--"]).args(filters);
        println!("\n== {file}: --package={package} {tests} {}", filters.join(" "));
        let status = command.status().map_err(|error| format!("cargo-mutants: {error}"))?;
        let unviable = self.lines(file, "mutants.out/unviable.txt");
        let known = self.lines(file, "unviable.txt");
        let lines: Vec<_> = known.union(&unviable).map(String::as_str).collect();
        write(&self.folder(file).join("unviable.txt"), lines.join("\n"))?;
        // Its own documentation: 2, some were missed; 3, some timed out.
        match status.code() {
            Some(0 | 2 | 3) => Ok(()),
            _ => Err(format!("cargo-mutants on {file} failed ({status})")),
        }
    }

    /// What came of all mutants that the file has now.
    fn count(&self, file: &str) -> Result<Count> {
        let all = output(self.command(file).arg("--list"))?;
        if all.is_empty() {
            return Err(format!(
                "{file}: cargo-mutants finds nothing to change in it, so that nothing was tried"
            ));
        }
        let set = |names: [&str; 2]| -> BTreeSet<String> {
            names.iter().flat_map(|name| self.lines(file, name)).collect()
        };
        let unviable = self.lines(file, "unviable.txt");
        let caught = set(["mutants.out/caught.txt", "mutants.out/previously_caught.txt"]);
        let timeout = self.lines(file, "mutants.out/timeout.txt");
        let mut count = Count::default();
        for mutant in all.lines() {
            match () {
                () if unviable.contains(mutant) => count.unviable += 1,
                () if caught.contains(mutant) => count.caught += 1,
                () if timeout.contains(mutant) => count.timeout += 1,
                () => count.survivors.push(mutant.to_owned()),
            }
        }
        Ok(count)
    }

    fn command(&self, file: &str) -> Command {
        let mut command = Command::new(self.program);
        // Without `--workspace`, a file outside the root's package has no mutants, and no survivor either.
        command.args(["mutants", "--no-config", "--workspace", "--file", file]).current_dir(&self.tree);
        command
            .env("TMPDIR", &self.temporary)
            .env("EMULATOR_KEYS", &self.keys)
            .env_remove("CARGO_TARGET_DIR");
        forget_package(&mut command);
        command
    }

    /// The lines of one of a file's results.
    fn lines(&self, file: &str, name: &str) -> BTreeSet<String> {
        let text = fs::read_to_string(self.folder(file).join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Brings a copy of the tree up to date. A file that is the same keeps its time, by which Cargo knows it.
fn copy_tree(tree: &Path) -> Result<()> {
    let root = root();
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&root);
    let listed = output(&mut git)?;
    let names: BTreeSet<_> =
        listed.split('\0').filter(|name| !name.is_empty() && root.join(name).is_file()).collect();
    let list = tree.join("target").join("copied.txt");
    let before = fs::read_to_string(&list).unwrap_or_default();
    let failed = |path: &Path, error: &io::Error| format!("{}: {error}", path.display());
    for name in before.lines().filter(|name| !names.contains(name)) {
        let _ = fs::remove_file(tree.join(name)); // it may be gone
    }
    for name in &names {
        let (from, to) = (root.join(name), tree.join(name));
        let content = fs::read(&from).map_err(|error| failed(&from, &error))?;
        if fs::read(&to).is_ok_and(|old| old == content) {
            continue;
        }
        make(to.parent().unwrap_or(tree))?;
        // Not `fs::copy`, which on some systems gives the copy the time of its source: Cargo would not see the change.
        let copied = fs::write(&to, content)
            .and_then(|()| fs::set_permissions(&to, fs::metadata(&from)?.permissions()));
        copied.map_err(|error| failed(&to, &error))?;
    }
    make(&tree.join("target"))?;
    write(&list, names.into_iter().collect::<Vec<_>>().join("\n"))
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_table_is_there() {
        for Guard { file, .. } in &GUARDS {
            assert!(root().join(file).is_file(), "{file} is not there: it may have moved");
        }
    }

    #[test]
    fn every_module_of_tests_in_the_table_is_there() {
        let modules = read(&root().join("tests/main.rs")).unwrap();
        for Guard { file, whole, .. } in &GUARDS {
            for module in *whole {
                let line = format!("mod {};", module.trim_end_matches("::"));
                assert!(modules.lines().any(|own| own == line), "{file}: tests/main.rs has no {line}");
            }
        }
    }

    /// A filter that fits no test would count every mutant as one that no test notices.
    #[test]
    fn every_file_with_unit_tests_in_the_table_names_a_module_that_holds_it() {
        for Guard { file, unit, .. } in &GUARDS {
            let path = file.split_once("src/").map_or(*file, |(_, path)| path).trim_end_matches(".rs");
            let module = format!("{}::", path.replace('/', "::"));
            assert!(
                unit.is_empty() || unit.iter().any(|filter| module.starts_with(filter)),
                "{file}: none of {unit:?} is {module} or above it"
            );
        }
    }

    #[test]
    fn a_file_belongs_to_the_package_whose_folder_it_is_in() {
        assert_eq!(package("src/task/launch.rs"), "wif");
        assert_eq!(package("crates/wif-broker/src/guard.rs"), "wif-broker");
    }
}
