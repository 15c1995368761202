//! `package`: the extension, for every platform that this machine can compile for.

mod compile;
mod licenses;
mod notices;
mod platform;
mod vsix;

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use ring::digest::{SHA256, digest};

pub(crate) use platform::{Host, PLATFORMS, PROGRAMS, Platform, Program, Purpose};

use crate::{
    process::{Result, output, root, target},
    tools,
};

/// A larger extension with both tasks on three platforms is not shipped, in bytes. The aim is 12 MB, which it misses
/// (`docs/performance.md`).
const LARGEST_EXTENSION: u64 = 12_500_000;
/// What the operators' program has on the wire where it can change connections, and its task's program has not.
const WRITING: [&str; 2] = ["ConvertAuthenticationScheme", "create-if-missing"];
/// How much larger each further program may make it.
const LARGEST_SHARE: u64 = 2_300_000;
/// By which variable the program's build is told its commit.
pub(crate) const COMMIT: &str = "WIF_COMMIT";
/// The extension's own manifest, and the one that names what is made here.
const MANIFESTS: [&str; 2] = ["vss-extension.json", "made.json"];

/// Compiles the programs that this machine can, and tells in which folder they are, each in one of its own.
pub(crate) fn programs(purpose: Purpose, only: Option<&str>) -> Result<PathBuf> {
    let bin = target()?.join("package").join(purpose.folder());
    for platform in mine().filter(|platform| only.is_none_or(|only| platform.name == only)) {
        make_folder(&bin.join(platform.name))?;
        for program in PROGRAMS.iter().filter(|program| program.is_for(platform)) {
            let built = compile::compile(platform, program, purpose)?;
            let copy = platform.program(&bin, program);
            let size = fs::copy(built, &copy).map_err(failed(&copy))?;
            println!("  {size} bytes");
            if platform.is_musl() && !is_position_independent(&copy)? {
                return Err(format!("{} cannot be loaded at a random address", copy.display()));
            }
            if purpose == Purpose::Tasks
                && let Some(name) = WRITING.into_iter().find(|name| holds(&copy, name).unwrap_or(true))
            {
                return Err(format!("{} can change service connections: it has {name}", copy.display()));
            }
            if size > program.largest {
                return Err(format!("{} has {size} bytes, more than {}", copy.display(), program.largest));
            }
        }
    }
    Ok(bin)
}

/// The version of the program and of the extension.
pub(crate) fn version() -> Result<String> {
    let text = tools::read(&root().join(MANIFESTS[0]))?;
    let manifest: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    manifest["version"].as_str().map(str::to_owned).ok_or_else(|| format!("{}: no version", MANIFESTS[0]))
}

/// The commit that is built, for `wif --version`: with `-dirty` where files differ from it. What a build without git is made of, the
/// variable says.
#[expect(clippy::disallowed_methods, reason = "a build without git is told its commit by the environment")]
pub(crate) fn commit() -> Result<String> {
    if let Ok(given) = std::env::var(COMMIT) {
        return Ok(given);
    }
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    output(git.current_dir(root()))
        .map_err(|error| format!("{error}; without git, set {COMMIT} to the commit"))
}

/// The licenses of everything in the program.
pub(crate) fn licenses() -> Result<String> {
    licenses::notice()
}

/// Checks the programs for the platforms that this machine cannot link for.
pub(crate) fn check() -> Result<()> {
    PLATFORMS.iter().filter(|platform| Host::this() != Some(platform.host)).try_for_each(|platform| {
        let mut programs = PROGRAMS.iter().filter(|program| program.is_for(platform));
        programs.try_for_each(|program| compile::check(platform, program, Purpose::Archives))
    })
}

/// Packs the extension into `dist/`, with the programs of this machine and those in `others`, which other machines made.
/// Tells where it is.
pub(crate) fn package(others: Option<&Path>) -> Result<PathBuf> {
    let bin = programs(Purpose::Tasks, None)?;
    let folder = target()?.join("package").join("extension");
    remove_folder(&folder)?;
    for program in &PROGRAMS {
        let task = folder.join(program.task);
        copy_task(program, &task)?;
        for from in [Some(bin.as_path()), others].into_iter().flatten() {
            copy_programs(program, from, &task.join("bin"))?;
        }
    }
    make_folder(&folder.join("images"))?;
    for file in picture_files()?.iter().map(String::as_str).chain(["overview.md", "LICENSE", MANIFESTS[0]]) {
        fs::copy(root().join(file), folder.join(file)).map_err(failed(Path::new(file)))?;
    }
    notices::write(&folder)?;
    let made = serde_json::json!({ "files": [
        { "path": notices::LICENSES, "addressable": true },
        { "path": notices::BILL },
        { "path": notices::OPERATOR_BILL },
    ] });
    tools::write(&folder.join(MANIFESTS[1]), made.to_string())?;

    let raw = target()?.join("package").join("raw.vsix");
    vsix::pack(&folder, &MANIFESTS, &raw)?;
    let packed = vsix::normal(&fs::read(&raw).map_err(failed(&raw))?)?;
    let extension = root().join("dist").join(format!("{}.vsix", name()?));
    make_folder(&root().join("dist"))?;
    tools::write(&extension, &packed)?;
    tell(&extension, &packed)?;
    Ok(extension)
}

/// The first task's folder of a packed extension, unpacked into the target folder as an agent unpacks it.
pub(crate) fn unpacked(extension: &Path) -> Result<PathBuf> {
    let [task, _audit] = &PROGRAMS;
    unpacked_task(extension, task)
}

/// The folder of a program's task.
fn unpacked_task(extension: &Path, program: &Program) -> Result<PathBuf> {
    let task = target()?.join("package").join("unpacked").join(program.task);
    remove_folder(&task)?;
    vsix::unpack(&fs::read(extension).map_err(failed(extension))?, program.task, &task)?;
    Ok(task)
}

/// Prints sizes and sums, and keeps the sums beside the extension.
fn tell(extension: &Path, packed: &[u8]) -> Result<()> {
    let names = vsix::names(packed)?;
    let programs: Vec<_> = names.iter().filter(|name| name.contains("/bin/")).collect();
    println!("{} ({} bytes, {} programs)", extension.display(), packed.len(), programs.len());
    let further = programs.len().saturating_sub(PROGRAMS.len() * 3) as u64;
    let largest = LARGEST_EXTENSION + LARGEST_SHARE * further;
    if packed.len() as u64 > largest {
        return Err(format!("the extension has {} bytes, more than {largest}", packed.len()));
    }
    PROGRAMS.iter().try_for_each(|program| unpacked_task(extension, program).map(|_folder| ()))?;
    let unpacked = target()?.join("package").join("unpacked");
    let mut sums = String::new();
    // Writing to a string cannot fail.
    let mut add = |name: &str, content: &[u8]| {
        for byte in digest(&SHA256, content).as_ref() {
            let _ = write!(sums, "{byte:02x}");
        }
        let _ = writeln!(sums, "  {name}");
    };
    add(&format!("{}.vsix", name()?), packed);
    for program in programs {
        let path = unpacked.join(program);
        add(program, &fs::read(&path).map_err(failed(&path))?);
    }
    print!("{sums}");
    tools::write(&root().join("dist").join("SHA256SUMS"), sums)
}

/// `publisher.id-version`, as the Marketplace names it.
fn name() -> Result<String> {
    let text = tools::read(&root().join(MANIFESTS[0]))?;
    let manifest: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let part = |key: &str| manifest[key].as_str().ok_or_else(|| format!("{}: no {key}", MANIFESTS[0]));
    Ok(format!("{}.{}-{}", part("publisher")?, part("id")?, part("version")?))
}

/// A task without programs.
pub(crate) fn copy_task(program: &Program, to: &Path) -> Result<()> {
    make_folder(to)?;
    for (file, from) in program.files {
        fs::copy(root().join(from), to.join(file)).map_err(failed(Path::new(from)))?;
    }
    Ok(())
}

/// A program for the platforms that are there.
fn copy_programs(program: &Program, from: &Path, to: &Path) -> Result<()> {
    for platform in &PLATFORMS {
        let compiled = platform.program(from, program);
        if compiled.exists() {
            make_folder(&to.join(platform.name))?;
            fs::copy(&compiled, platform.program(to, program)).map_err(failed(&compiled))?;
        }
    }
    Ok(())
}

/// The files in `images/` that the Marketplace shows.
fn picture_files() -> Result<Vec<String>> {
    let folder = root().join("images");
    let entries = fs::read_dir(&folder).map_err(failed(&folder))?;
    let shown = tools::read(&root().join("overview.md"))? + &tools::read(&root().join(MANIFESTS[0]))?;
    let mut files: Vec<_> =
        entries.flatten().map(|entry| format!("images/{}", entry.file_name().to_string_lossy())).collect();
    // Those of the README and the other pages have no place in it.
    files.retain(|file| shown.contains(file.as_str()));
    files.sort();
    Ok(files)
}

/// Whether a program holds a text.
fn holds(program: &Path, text: &str) -> Result<bool> {
    let bytes = fs::read(program).map_err(failed(program))?;
    Ok(bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

/// Whether the kernel may load it anywhere: the type in its head is that of a shared object (elf(5), `e_type`, `ET_DYN`).
fn is_position_independent(program: &Path) -> Result<bool> {
    let mut head = [0; 18];
    let mut file = fs::File::open(program).map_err(failed(program))?;
    io::Read::read_exact(&mut file, &mut head).map_err(failed(program))?;
    Ok(head.ends_with(&[3, 0]))
}

/// The platforms that this machine compiles for.
fn mine() -> impl Iterator<Item = &'static Platform> {
    PLATFORMS.iter().filter(|platform| Host::this() == Some(platform.host))
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(failed(path))
}

fn remove_folder(path: &Path) -> Result<()> {
    if path.exists() { fs::remove_dir_all(path).map_err(failed(path)) } else { Ok(()) }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}
