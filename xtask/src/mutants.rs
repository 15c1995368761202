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

/// The files that guard; beside each the modules of tests that hold it, in `src` and in `tests/`, as filters. Tests at the foot
/// of the file are tried first: they take a tenth of the time.
const GUARDS: [(&str, &[&str]); 20] = [
    ("src/broker/guard.rs", &["broker::", "hostile::"]),
    ("src/broker/routes.rs", &["broker::", "hostile::", "guards::", "shown::"]),
    ("src/broker/connections.rs", &["broker::", "hostile::"]),
    ("src/broker/proof.rs", &["broker::", "hostile::"]),
    ("src/broker/tokens.rs", &["broker::", "hostile::", "live::", "shown::", "soak::"]),
    ("src/identity/resource.rs", &["broker::", "bad_input::", "clouds::", "guards::", "inputs::"]),
    ("src/identity/hosts.rs", &["clouds::", "connection::", "guards::", "inputs::", "job::"]),
    ("src/identity/allowed.rs", &["bad_input::", "broker::", "guards::", "inputs::"]),
    ("src/folder.rs", &["az::", "earlier::", "job::", "live::", "post::"]),
    ("src/folder/directory.rs", &["az::", "folder::", "job::", "live::"]),
    ("src/agent/job.rs", &["bad_input::", "doctor::", "guards::", "job::", "sign_in::"]),
    ("src/agent/organization.rs", &["doctor::", "guards::", "job::", "sign_in::"]),
    ("src/agent/reserved.rs", &["bad_input::", "documents::", "guards::", "inputs::"]),
    ("src/agent/shadowed.rs", &["bad_input::", "guards::", "job::"]),
    ("src/agent/job_variables.rs", &["arrival::", "bad_input::", "earlier::", "guards::", "shadowed::"]),
    ("src/task/guards.rs", &["bad_input::", "guards::", "schemes::", "sign_in::"]),
    ("src/task/launch.rs", &["cancellation::", "job::", "live::", "process::"]),
    ("src/task/arrival.rs", &["arrival::", "az::", "earlier::"]),
    ("src/secret.rs", &["broker::", "shown::", "sign_in::"]),
    ("src/foreign_text.rs", &["foreign_bytes::", "foreign_text::", "shown::"]),
];
/// Where the tests of a file begin.
const TESTS: &str = "#[cfg(test)]\nmod tests";

/// Where survivors that no test can kill are explained.
const PAGE: &str = "docs/mutants.md";
/// Seconds that the tests may take. The slowest take ten on an idle machine: what takes longer hangs.
const TEST_TIMEOUT: &str = "90";
const BUILD_TIMEOUT: &str = "900";

/// Which tests are tried.
#[derive(Clone, Copy)]
enum Pass {
    /// Those at the foot of the file.
    Own,
    /// Those that hold it elsewhere.
    Others,
}

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
    let known = |file: &&String| !GUARDS.iter().any(|(guard, _)| guard == file);
    if let Some(file) = only.iter().find(known) {
        let all: Vec<_> = GUARDS.iter().map(|(file, _)| *file).collect();
        return Err(format!("'{file}' is not a file of this chore; accepted are {}", all.join(", ")));
    }
    let files = GUARDS.iter().filter(|(file, _)| only.is_empty() || only.iter().any(|one| one == file));
    let program = cargo_mutants()?;
    let folder = target()?.join("mutants");
    let mut queue = files.clone();
    let queue = Mutex::new(&mut queue);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = |number: usize| {
        let bench = Bench::set_up(&program, &folder, number)?;
        while let Some((file, filters)) = next() {
            if bench.begin(file)? {
                bench.attempt(file, Pass::Own, filters)?;
                if bench.lines(file, "mutants.out/missed.txt").is_empty() {
                    continue;
                }
            }
            bench.attempt(file, Pass::Others, filters)?;
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
        files.map(|(file, _)| Ok((*file, bench.count(file)?))).collect::<Result<_>>()?;
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
        "{} survivors are not explained in {PAGE}; kill each with a test, or explain it there:\n{}",
        list.len(),
        list.join("\n")
    ))
}

/// The module of a file in `src`.
fn module(file: &str) -> String {
    let name = file.strip_prefix("src/").unwrap_or(file);
    name.strip_suffix(".rs").unwrap_or(name).replace('/', "::")
}

fn columns(numbers: [usize; 4]) -> String {
    numbers.iter().map(|number| format!("{number:9}")).collect()
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
}

impl<'a> Bench<'a> {
    fn set_up(program: &'a Path, folder: &Path, number: usize) -> Result<Self> {
        let bench = Self {
            program,
            tree: folder.join(format!("tree-{number}")),
            temporary: folder.join(format!("temp-{number}")),
            results: folder.join("results"),
        };
        make(&bench.temporary)?;
        copy_tree(&bench.tree)?;
        Ok(bench)
    }

    fn folder(&self, file: &str) -> PathBuf {
        self.results.join(file.replace('/', "+"))
    }

    /// Forgets what was tried on other code: the name of a mutant holds its line, and does not tell what stands there.
    /// Returns whether the file has tests of its own.
    fn begin(&self, file: &str) -> Result<bool> {
        let text = read(&root().join(file))?;
        let (code, has_tests) = text.split_once(TESTS).map_or((&*text, false), |(code, _tests)| (code, true));
        let folder = self.folder(file);
        let kept = folder.join("code.rs");
        if fs::read_to_string(&kept).is_ok_and(|kept| kept == code) {
            return Ok(has_tests);
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        make(&folder)?;
        write(&kept, code)?;
        Ok(has_tests)
    }

    /// Tries the mutants of a file that no attempt has caught.
    fn attempt(&self, file: &str, pass: Pass, filters: &[&str]) -> Result<()> {
        let mut command = self.command(file);
        command.args(["--in-place", "--baseline=skip", "--iterate", "--colors=never", "--output"]);
        command.arg(self.folder(file)).args(["--timeout", TEST_TIMEOUT, "--build-timeout", BUILD_TIMEOUT]);
        let own = format!("{}::tests::", module(file));
        let filters = match pass {
            Pass::Own => &[own.as_str()],
            Pass::Others => filters,
        };
        command.arg("--cargo-arg=--lib");
        if matches!(pass, Pass::Others) {
            command.arg("--cargo-arg=--test=main");
        }
        command.args(["--", "--"]).args(filters);
        println!("== {file}: {}", filters.join(" "));
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
        command.args(["mutants", "--no-config", "--file", file]).current_dir(&self.tree);
        command.env("TMPDIR", &self.temporary).env_remove("CARGO_TARGET_DIR");
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
        fs::copy(&from, &to).map_err(|error| failed(&to, &error))?;
        // A copy may have the time of its source, which may be older than what was built of the file before.
        let touched = fs::File::options().append(true).open(&to);
        touched
            .and_then(|file| file.set_modified(std::time::SystemTime::now()))
            .map_err(|error| failed(&to, &error))?;
    }
    make(&tree.join("target"))?;
    write(&list, names.into_iter().collect::<Vec<_>>().join("\n"))
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
