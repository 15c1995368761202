//! Compiling the program for a platform that is not this machine.
//!
//! Rust's own libraries come from rustup where it has them for the platform (`rustup target add`), else from Debian's
//! `rust-web-src`, compiled on the way. C compilers and linkers are mingw's for Windows and zig's for musl. Nothing of
//! this machine's folders stays in the program: the same commit gives the same bytes wherever it is built with the
//! same compilers.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use super::platform::{Host, Platform, Program, Purpose};
use crate::{
    process::{Result, cargo, forget_package, output, root, target},
    tools,
};

/// Whose compiler is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// The one that runs this chore: it has Rust's libraries for the platform.
    Own,
    /// Debian's, with its sources of Rust's libraries.
    Debian,
}

/// zig, and what makes a linker for Cargo of it.
const ZIG: [&str; 2] = ["cargo-zigbuild==0.24.0", "ziglang==0.15.2"];
/// Debian's cargo, rustc and the sources of Rust's libraries.
const DEBIAN_RUST: [&str; 3] = ["cargo-web", "rustc-web", "rust-web-src"];
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust";

/// Compiles a program, and tells where it is.
pub(super) fn compile(platform: &Platform, program: &Program, purpose: Purpose) -> Result<PathBuf> {
    let route = route(platform)?;
    let folder = target()?.join("package");
    println!("Compiling {} for {} ({})", program.name, platform.name, version(route)?);
    let mut command =
        command(platform, route, if platform.is_musl() { "zigbuild" } else { "build" }, &folder)?;
    command.arg("--release").args(purpose.arguments(program));
    crate::process::run(&mut command)?;
    Ok(folder.join(platform.triple).join("release").join(platform.file(program)))
}

/// Whether a program passes the compiler's checks for a platform whose linker cannot be had here.
pub(super) fn check(platform: &Platform, program: &Program, purpose: Purpose) -> Result<()> {
    let route = route(platform)?;
    println!("Checking {} for {} ({})", program.name, platform.name, version(route)?);
    let folder = target()?.join("package");
    let mut command = command(platform, route, "check", &folder)?;
    command.args(purpose.arguments(program));
    crate::process::run(&mut command)
}

fn command(platform: &Platform, route: Route, build: &str, folder: &Path) -> Result<Command> {
    let own = cargo(&[]);
    let cargo = if route == Route::Debian { "/usr/bin/cargo".as_ref() } else { own.get_program() };
    let mut paths = Vec::new();
    let mut flags = remapped(folder)?;
    let mut command = Command::new(cargo);
    if platform.is_musl() || Host::this() != Some(platform.host) {
        let bin = tools::python("zig", &ZIG)?;
        command = Command::new(bin.join("cargo-zigbuild"));
        // In the project's folder, not in the user's.
        command.env("CARGO", cargo).env("CARGO_ZIGBUILD_CACHE_DIR", tools::folder("zig-cache")?);
        // First: its Python has zig.
        paths.push(bin);
    } else {
        // Another cargo than the one that runs this chore must not be told of that one.
        command.env_remove("CARGO");
    }
    command.args([build, "--quiet", "--locked", "--target", platform.triple]).arg("--target-dir").arg(folder);
    if route == Route::Debian {
        // Without the code that finds names for a backtrace, which the program never prints: 200 KB.
        command.args(["-Z", "build-std=std,panic_abort", "-Z", "build-std-features=optimize_for_size"]);
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", "/usr/bin/rustc").env_remove("RUSTUP_TOOLCHAIN");
        paths.push(PathBuf::from("/usr/bin"));
        if platform.is_musl() {
            // The C runtime comes with zig, and not with these libraries.
            flags.push("-Clink-self-contained=no".to_owned());
        }
    }
    if platform.is_musl() {
        // zig does not take rustc's `-static-pie` for it.
        flags.push("-Clink-arg=-pie".to_owned());
        // A panic ends the program without unwinding and prints no backtrace, which are the uses of these tables: 500 KB.
        // Windows needs them.
        flags.push("-Cforce-unwind-tables=no".to_owned());
    }
    if platform.is_windows() {
        tools::debian(&["gcc-mingw-w64-x86-64"])?;
        flags.push("-Clink-arg=-Wl,--no-insert-timestamp".to_owned());
    }
    paths.extend(env::split_paths(&path()));
    let paths = env::join_paths(paths).map_err(|error| error.to_string())?;
    command.env(super::COMMIT, super::commit()?);
    command.env("PATH", paths).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    forget_package(&mut command);
    command.env("CARGO_INCREMENTAL", "0").current_dir(root());
    Ok(command)
}

/// Names for the folders of this machine.
fn remapped(folder: &Path) -> Result<Vec<String>> {
    let mut names = vec![(root(), "wif".to_owned()), (folder.to_owned(), "target".to_owned())];
    names.push((PathBuf::from(DEBIAN_SOURCES), "rust".to_owned()));
    if let Ok(real) = Path::new(DEBIAN_SOURCES).canonicalize() {
        names.push((real, "rust".to_owned()));
    }
    let registries = cargo_home()?.join("registry").join("src");
    // Where a registry is unpacked depends on how it is reached.
    for entry in registries.read_dir().into_iter().flatten().flatten() {
        names.push((entry.path(), "crates".to_owned()));
    }
    // The last one that fits counts.
    names.sort_by_key(|(folder, _)| folder.as_os_str().len());
    Ok(names
        .iter()
        .map(|(folder, name)| format!("--remap-path-prefix={}=/{name}", folder.display()))
        .collect())
}

fn route(platform: &Platform) -> Result<Route> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", platform.triple]).current_dir(root());
    let libraries = output(&mut rustc)?;
    if Path::new(&libraries).join("").read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Ok(Route::Own);
    }
    tools::debian(&DEBIAN_RUST).map_err(|error| {
        format!(
            "Rust's libraries for {0} are not here. Either `rustup target add {0}`, or: {error}",
            platform.triple
        )
    })?;
    Ok(Route::Debian)
}

fn version(route: Route) -> Result<String> {
    let rustc = if route == Route::Debian { "/usr/bin/rustc" } else { "rustc" };
    output(Command::new(rustc).arg("--version").current_dir(root()))
}

#[expect(clippy::disallowed_methods, reason = "programs are found by it")]
fn path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "Cargo is configured through the environment")]
fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).ok_or_else(|| "there is no home folder".to_owned())
}
