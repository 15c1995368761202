//! A chore that fails or is interrupted leaves no process: the program itself is run, with tools that leave some.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// `bench` looks for its tools before it measures. The first it finds is this one.
fn bench(tool: &str) -> (TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node");
    fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{tool}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "broker"]).env("PATH", folder.path());
    // Into files: a process that is left would keep a pipe open, and the test waiting.
    command.stdout(fs::File::create(folder.path().join("out")).unwrap());
    command.stderr(fs::File::create(folder.path().join("errors")).unwrap());
    (folder, command)
}

/// A place that a process can say its id in, and another wait for it.
fn pipe(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("pid");
    assert!(Command::new("/usr/bin/mkfifo").arg(&path).status().unwrap().success());
    path
}

fn is_there(pid: &str) -> bool {
    assert!(!pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()), "{pid:?}");
    Path::new("/proc").join(pid).exists()
}

fn written(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("errors")).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// In a session of its own, as a broker is: the end of its parent does not reach it.
const LEAVES_ONE: &str = "setsid sleep 1000 > /dev/null 2>&1 & echo $! > \"$(dirname \"$0\")/left\"";

#[test]
fn a_chore_that_fails_leaves_no_process() {
    let (folder, mut command) = bench(LEAVES_ONE);
    let ended = command.status().unwrap();
    let errors = written(&folder);
    assert_eq!(ended.code(), Some(1), "{errors}");
    assert!(errors.contains("nothing was measured, since this is missing: "), "{errors}");
    let left = fs::read_to_string(folder.path().join("left")).unwrap();
    assert!(!is_there(left.trim()), "{errors}");
    assert!(errors.contains("Ended what the chore left: "), "{errors}");
}

#[test]
fn a_chore_that_is_interrupted_leaves_no_process() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (folder, mut command) =
            bench(&format!("{LEAVES_ONE}\necho $$ > \"$(dirname \"$0\")/pid\"\nexec sleep 1000"));
        let pipe = pipe(folder.path());
        let mut chore = command.spawn().unwrap();
        // It waits until the tool runs.
        let waits = fs::read_to_string(pipe).unwrap();
        let kill = Command::new("/bin/kill").args(["-s", signal, &chore.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let ended = chore.wait().unwrap();
        assert_eq!(ended.code(), Some(code), "{signal}: {}", written(&folder));
        let left = fs::read_to_string(folder.path().join("left")).unwrap();
        assert!(!is_there(waits.trim()) && !is_there(left.trim()), "{signal}: {}", written(&folder));
    }
}

#[test]
fn the_exit_code_and_the_output_are_the_chores_own() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["bump", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).starts_with("error: "), "{}", errors(&output));
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["bench", "--help"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("cargo xtask bench"), "{text}");
}
