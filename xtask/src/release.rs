//! `release`: archives for people's own machines, their sums, and what package managers and container engines read. Nothing is published.

mod archive;
mod image;
mod manifests;

use std::{fmt::Write as _, fs, path::Path, process::Command};

use crate::{
    package::{self, PLATFORMS, PROGRAMS, Platform, Purpose},
    platforms,
    process::{Result, cargo, output, root, run, target},
    tools,
};
use archive::{Entry, sum};
use image::Architecture;
use manifests::Archive;

/// The limits that this machine gives its own processes; a container may have no higher ones.
const LIMITS: [&str; 4] = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=16384:16384"];

/// Makes everything into `dist/release/`, with the programs of this machine and those in `others`.
pub(crate) fn release(only: Option<&str>, others: Option<&Path>) -> Result<()> {
    let version = package::version()?;
    let own = package::programs(Purpose::Archives, only)?;
    let shell = shell_files()?;
    let notices = package::licenses()?;
    let folder = root().join("dist").join("release");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut archives = Vec::new();
    let mut architectures = Vec::new();
    for platform in PLATFORMS.iter().filter(|platform| only.is_none_or(|only| platform.name == only)) {
        let mut files = Vec::new();
        for program in &PROGRAMS {
            let mut places = [Some(own.as_path()), others].into_iter().flatten();
            let found =
                places.find_map(|bin| Some(platform.program(bin, program)).filter(|path| path.exists()));
            if let Some(found) = found {
                files.push(Entry { name: platform.file(program), content: bytes(&found)?, is_program: true });
            }
        }
        if files.is_empty() {
            println!("{}: no program, so that there is no archive ({})", platform.name, platform.made_on());
            continue;
        }
        let license =
            Entry { name: "LICENSE".to_owned(), content: bytes(&root().join("LICENSE"))?, is_program: false };
        let notices = Entry {
            name: "THIRD-PARTY-NOTICES.txt".to_owned(),
            content: notices.clone().into(),
            is_program: false,
        };
        files.extend([license, notices]);
        if let Some(name) = platform.container() {
            architectures.push(Architecture { name, files: files.clone() });
        }
        files.extend(shell.iter().cloned());
        archives.push(pack(platform, &version, files, &folder)?);
    }
    if archives.is_empty() {
        return Err("there is no program to pack".to_owned());
    }
    let image = if architectures.is_empty() {
        None
    } else {
        let packed = image::image(&version, &package::commit()?, &architectures)?;
        let name = format!("wif-{version}-image.tar");
        write(&folder.join(&name), &packed)?;
        Some((name, packed))
    };
    for (name, text) in manifests::winget(&version, &archives) {
        write(&folder.join("winget").join(name), text.as_bytes())?;
    }
    write(&folder.join("homebrew").join("wif.rb"), manifests::homebrew(&version, &archives).as_bytes())?;
    let mut sums = String::new();
    for Archive { file, sum, .. } in &archives {
        // Writing to a string cannot fail.
        let _ = writeln!(sums, "{sum}  {file}");
    }
    if let Some((name, packed)) = &image {
        let _ = writeln!(sums, "{}  {name}", sum(packed));
    }
    write(&folder.join("SHA256SUMS"), sums.as_bytes())?;
    print!("{sums}");
    archives.iter().try_for_each(|archive| try_archive(archive, &version, &folder))?;
    match &image {
        Some((name, _packed)) if architectures.iter().any(|one| Some(one.name) == own_architecture()) => {
            try_image(&folder.join(name), &version)?;
        }
        Some((name, _packed)) => println!("{name}: NOT STARTED, since this machine cannot"),
        None => println!("no image: none of these platforms is one of a container"),
    }
    println!("{}: nothing is published", folder.display());
    Ok(())
}

/// What the agent and the tasks start.
const NOT_FOR_PEOPLE: [&str; 2] = ["broker", "task"];

/// Whether a completion offers a command, in the form that bash, zsh, fish or PowerShell has. The word alone may stand in a help text.
fn offers(completion: &str, command: &str) -> bool {
    let forms = [
        format!("__subcmd__{command}\""),
        format!("'{command}:"),
        format!("-a \"{command}\""),
        format!("::new('{command}',"),
    ];
    forms.iter().any(|form| completion.contains(form))
}

/// Completions and manual pages.
fn shell_files() -> Result<Vec<Entry>> {
    let made = target()?.join("package").join("shell");
    let mut example =
        cargo(&["run", "--quiet", "--locked", "--package", "wif-operator", "--example", "shell_files", "--"]);
    run(example.arg(&made))?;
    let mut entries = Vec::new();
    for folder in ["completions", "man"] {
        let files = fs::read_dir(made.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        for file in files.flatten() {
            let name = format!("{folder}/{}", file.file_name().to_string_lossy());
            entries.push(Entry { name, content: bytes(&file.path())?, is_program: false });
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    for Entry { name, content, .. } in &entries {
        let text = String::from_utf8_lossy(content);
        if let Some(command) = NOT_FOR_PEOPLE.into_iter().find(|command| offers(&text, command)) {
            return Err(format!("{name} offers {command}, which is not for people"));
        }
        if name.starts_with("man/") && !text.contains(".SH EXAMPLES\n") {
            return Err(format!("{name} has no examples"));
        }
    }
    if output(Command::new("bash").arg("--version")).is_ok() {
        for program in &PROGRAMS {
            let file = made.join("completions").join(format!("{}.bash", program.name));
            run(Command::new("bash").arg("-n").arg(file))?;
        }
    }
    Ok(entries)
}

/// Writes the archive of a platform: a zip for Windows, else a tar with gzip, both with one folder of its name.
fn pack(platform: &'static Platform, version: &str, files: Vec<Entry>, to: &Path) -> Result<Archive> {
    let folder = format!("wif-{version}-{}", platform.triple);
    let in_folder = |entry: Entry| Entry { name: format!("{folder}/{}", entry.name), ..entry };
    let files: Vec<_> = files.into_iter().map(in_folder).collect();
    let (file, packed) = if platform.is_windows() {
        (format!("{folder}.zip"), archive::zip(&files)?)
    } else {
        (format!("{folder}.tar.gz"), archive::gzip(&archive::tar(&files)?)?)
    };
    write(&to.join(&file), &packed)?;
    Ok(Archive { file, platform: platform.name, sum: sum(&packed) })
}

/// Unpacks an archive, and starts its program where this machine can.
fn try_archive(archive: &Archive, version: &str, folder: &Path) -> Result<()> {
    let Some(starter) = starter(archive.platform) else {
        println!("{}: NOT STARTED, since this machine cannot", archive.file);
        return Ok(());
    };
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let from = folder.join(&archive.file);
    let stem = archive.file.trim_end_matches(".zip").trim_end_matches(".tar.gz");
    let mut unpack = Command::new(if archive.platform.starts_with("win32") { "python3" } else { "tar" });
    if archive.platform.starts_with("win32") {
        unpack.args(["-m", "zipfile", "-e"]).arg(&from).arg(place.path());
    } else {
        unpack.arg("-xzf").arg(&from);
    }
    run(unpack.current_dir(place.path()))?;
    let program =
        place.path().join(stem).join(if archive.platform.starts_with("win32") { "wif.exe" } else { "wif" });
    let said = match starter {
        Starter::None => output(Command::new(program).arg("--version")),
        Starter::Program(name) => output(Command::new(name).arg(program).arg("--version")),
        Starter::Wine => platforms::wine_says(&program, "--version"),
    };
    let said = said?;
    expect(&archive.file, &said, version)
}

fn expect(what: &str, said: &str, version: &str) -> Result<()> {
    if !said.starts_with(&format!("wif {version} (")) {
        return Err(format!("{what}: `wif --version` says '{said}'"));
    }
    println!("{what}: started, and says {said}");
    Ok(())
}

/// What starts the programs of a platform here.
#[derive(Clone, Copy)]
enum Starter {
    /// Nothing: they are this machine's own.
    None,
    /// A program that is found on the `PATH`.
    Program(&'static str),
    /// Debian's Wine.
    Wine,
}

fn starter(platform: &str) -> Option<Starter> {
    const QEMU: &str = "qemu-aarch64-static";
    let own = crate::stage::platform().ok();
    match platform {
        own_one if own.as_deref() == Some(own_one) => Some(Starter::None),
        "linux-arm64" if cfg!(target_os = "linux") => {
            output(Command::new(QEMU).arg("--version")).ok().map(|_| Starter::Program(QEMU))
        }
        "win32-x64" => platforms::has_wine().then_some(Starter::Wine),
        _ => None,
    }
}

/// This machine's architecture, as container engines call it.
fn own_architecture() -> Option<&'static str> {
    let own = crate::stage::platform().ok()?;
    PLATFORMS.iter().find(|platform| platform.name == own)?.container()
}

/// Loads the image where there is podman, and starts it.
fn try_image(archive: &Path, version: &str) -> Result<()> {
    if ["podman", "runc"].iter().any(|program| output(Command::new(program).arg("--version")).is_err()) {
        println!("{}: NOT STARTED, since podman or runc is missing", archive.display());
        return Ok(());
    }
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let podman = || {
        let mut command = Command::new("podman");
        command.arg("--root").arg(place.path().join("root")).arg("--runroot").arg(place.path().join("run"));
        // crun, the other program that starts containers, does not start any where both versions of control groups are mounted.
        command.args(["--storage-driver", "vfs", "--runtime", "runc"]);
        command
    };
    output(podman().args(["load", "--input"]).arg(archive))?;
    let name = format!("{}:{version}", image::NAME);
    let started =
        output(podman().args(["run", "--rm", "--network", "none"]).args(LIMITS).args([&name, "--version"]));
    // What podman made belongs to others, and may hold mounts.
    let _none = output(podman().args(["rmi", "--all", "--force"]));
    match started {
        Ok(said) => expect("the image", &said, version),
        // An engine that starts no container here says nothing of the image.
        Err(error) => {
            println!("{}: loaded, and NOT STARTED: {error}", archive.display());
            Ok(())
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    tools::write(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_offers_its_commands_and_not_what_its_help_names() {
        for line in [
            "cmd=\"wif__subcmd__broker\"",
            "'broker:Serve the tokens of a sign-in session' \\",
            "complete -c wif -n \"__fish_wif_needs_command\" -f -a \"broker\" -d 'Serve'",
            "[CompletionResult]::new('broker', 'broker', [CompletionResultType]::ParameterValue, 'Serve')",
        ] {
            assert!(offers(line, "broker") && !offers(line, "task"), "{line}");
        }
        for help in ["'--refresh=[a broker keeps the session alive]'", "-d 'Inputs of the task: broker'"] {
            assert!(NOT_FOR_PEOPLE.into_iter().all(|command| !offers(help, command)), "{help}");
        }
    }
}
