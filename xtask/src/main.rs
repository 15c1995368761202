//! The project's own chores: `cargo xtask <chore>`.

mod acceptance;
mod audit;
mod bench;
mod bump;
mod compare;
mod conversion;
mod crash;
mod demo;
mod fuzz;
mod judges;
mod leftovers;
mod mutants;
mod night;
mod operator;
mod package;
mod pictures;
mod platforms;
mod process;
mod release;
mod rust_version;
mod site;
mod soak;
mod stage;
mod test;
mod tools;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// The project's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    /// This is the chore itself, below the program that ends what it leaves
    #[arg(long, hide = true)]
    supervised: bool,
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build this machine's program and put it into task/bin, so that any agent can run task/
    Stage,
    /// Stage, then run the main job (docs/examples/demo.yml) against the emulator, and print its log
    Demo {
        /// audit: a night's audit of an emulated organization instead; convert: its stored secrets become federation
        #[arg(value_parser = ["audit", "convert"])]
        what: Option<String>,
    },
    /// Stage, then run real clients, pinned, as later steps of a job against the emulator, and print what came of it
    Acceptance {
        /// Only tools and credentials with this in their names
        only: Option<String>,
    },
    /// Stage, then measure speed, round trips, memory and size beside named peers, and print one table
    Bench {
        /// Only these: step, trips, start, exec, script, broker, audit, change, size
        only: Vec<String>,
    },
    /// Let the clients of others, pinned, read and write an emulated organization, and read the sources of `wif exec`, and axe-core (in
    /// Chromium), sarif-multitool and JSON schemas what an audit writes, and print what they accept
    Judges {
        /// Only these: organization, sources or reports
        #[arg(value_parser = ["organization", "sources", "reports"])]
        only: Option<String>,
    },
    /// Pack the extension with the programs of every platform that this machine can compile for, into dist/
    Package {
        /// A folder with programs that other machines compiled, as target/package/bin has them
        #[arg(long, value_name = "FOLDER")]
        with: Option<PathBuf>,
    },
    /// Compile the programs that ship, or one of them, into target/package/bin
    Programs {
        /// A platform as Node names it, win32-x64 for example
        only: Option<String>,
    },
    /// Pack the extension, and run its programs where they are meant to: Windows (Wine), arm64 (qemu), an empty root folder
    Platforms {
        /// Only platforms with this in their names
        only: Option<String>,
    },
    /// Make what people install on their own machines, into dist/release/: archives with completions and manual pages, sums, an image,
    /// manifests for winget and Homebrew; nothing is published
    Release {
        /// Only this platform, as Node names it
        only: Option<String>,
        /// A folder with programs that other machines compiled, as target/package/bin has them
        #[arg(long, value_name = "FOLDER")]
        with: Option<PathBuf>,
    },
    /// Draw what the Marketplace shows, into images/
    Pictures {
        /// Only pictures with this in their names
        only: Option<String>,
    },
    /// Make a website of the pages (mdbook), with an address for each code and refusal, and check its links
    Site,
    /// Check crates, licenses and sources (cargo-deny), and YAML (yamllint)
    Audit {
        /// Fail when the list of known vulnerabilities cannot be fetched, as a release must
        #[arg(long)]
        require_advisories: bool,
    },
    /// Raise the version of the task, the extension and the crate together
    Bump {
        /// The new one, 1.2.3 for example
        version: String,
    },
    /// Feed the parsers of foreign bytes with what libFuzzer makes up (cargo-fuzz)
    Fuzz {
        /// How long each parser is tried
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Let days of brokers with outages pass by a virtual clock; or ask one broker for hours, and look for growth; or crowd one
    Soak {
        /// How many days
        #[arg(long, default_value_t = 200, conflicts_with = "hours")]
        seeds: u64,
        /// The first day's seed
        #[arg(long, default_value_t = 0, conflicts_with = "hours")]
        first: u64,
        /// How many hours of real time instead, 0.25 for instance
        #[arg(long)]
        hours: Option<f64>,
        /// For how many seconds to crowd a broker with callers without the key instead
        #[arg(long, value_name = "SECONDS", conflicts_with_all = ["seeds", "first", "hours"])]
        hostile: Option<u64>,
    },
    /// Kill `wif apply` at every line of its journal and at every call, go on with `--resume`, and compare what the services have with an
    /// undisturbed run (strace)
    Crash {
        /// Only commands with this in their names
        only: Option<String>,
        /// Also under each other setting of the emulated services: takes an hour and more
        #[arg(long)]
        every_setting: bool,
        /// Only under settings with this in their names
        #[arg(long, value_name = "TEXT", conflicts_with = "every_setting")]
        setting: Option<String>,
    },
    /// Change what guards, line by line, and look for changes that no test notices (cargo-mutants); takes hours, and goes on where it was ended
    Mutants {
        /// Only these files
        files: Vec<String>,
        /// How many copies of the tree to try in at once
        #[arg(long, default_value_t = 1)]
        jobs: usize,
    },
    /// What CI runs: format, lints, documentation, the shim's tests, all tests (cargo-nextest); prints what ran, how many, how long
    Test {
        /// Only checks with this in their names
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    let Arguments { supervised, chore } = Arguments::parse();
    let ended = if supervised { None } else { leftovers::run_and_clean("--supervised") };
    ended.unwrap_or_else(|| run(chore))
}

fn run(chore: Chore) -> ExitCode {
    let result = match chore {
        Chore::Stage => stage::stage().map(|_folder| ()),
        Chore::Demo { what: None } => demo::demo(),
        Chore::Demo { what: Some(what) } if what == "convert" => conversion::convert(),
        Chore::Demo { what: Some(_audit) } => night::audit(),
        Chore::Judges { only } => judges::judges(only.as_deref()),
        Chore::Acceptance { only } => acceptance::acceptance(only.as_deref()),
        Chore::Bench { only } => bench::bench(&only),
        Chore::Crash { only, every_setting, setting } => {
            let settings = crash::Settings::of(every_setting, setting);
            crash::crash(only.as_deref(), &settings)
        }
        Chore::Mutants { files, jobs } => mutants::mutants(&files, jobs),
        Chore::Package { with } => package::package(with.as_deref()).map(|_extension| ()),
        Chore::Programs { only } => {
            package::programs(package::Purpose::Tasks, only.as_deref()).map(|_bin| ())
        }
        Chore::Platforms { only } => platforms::platforms(only.as_deref()),
        Chore::Audit { require_advisories } => audit::audit(require_advisories),
        Chore::Bump { version } => bump::bump(&version),
        Chore::Release { only, with } => release::release(only.as_deref(), with.as_deref()),
        Chore::Pictures { only } => pictures::pictures(only.as_deref()),
        Chore::Site => site::site(),
        Chore::Fuzz { seconds } => fuzz::fuzz(seconds),
        Chore::Soak { hostile: Some(seconds), .. } => soak::hostile(seconds),
        Chore::Soak { hours: Some(hours), .. } => soak::real(hours),
        Chore::Soak { seeds, first, hours: None, hostile: None } => soak::days(first, seeds),
        Chore::Test { only } => test::test(only.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
