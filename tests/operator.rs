//! `wif audit`, `wif apply` and their like are the operators' program's: found beside `wif`, else on the `PATH`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

/// A folder with this program and, in a folder of its own, with one that says what it was given.
struct Folders(tempfile::TempDir);

impl Folders {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["own", "path"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        // Not a link: the program asks where it lies.
        fs::copy(env!("CARGO_BIN_EXE_wif"), folder.path().join("own/wif")).unwrap();
        Self(folder)
    }

    fn put(&self, folder: &str) {
        let path = self.0.path().join(folder).join("wif-operator");
        fs::write(&path, format!("#!/bin/sh\necho {folder}:\"$@\"\nexit 11\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let wif: &Path = &self.0.path().join("own/wif");
        let mut command = Command::new(wif);
        command.args(arguments).env_clear().env("PATH", self.0.path().join("path")).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_operators_commands_are_handed_over_with_all_their_arguments() {
    let folders = Folders::new();
    folders.put("path");
    let output = folders.run(&["audit", "--org", "contoso", "--help", "--", "-x"]);
    assert_eq!(
        (text(&output.stdout), output.status.code()),
        ("path:audit --org contoso --help -- -x\n", Some(11))
    );
    // The one beside it is of the same release.
    folders.put("own");
    let output = folders.run(&["inventory", "--chain"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("own:inventory --chain\n", Some(11)));
    for name in [
        "convert",
        "revert",
        "issuer",
        "connection",
        "migrate",
        "apply",
        "rollback",
        "journal",
        "hand-off",
        "schema",
    ] {
        let output = folders.run(&[name, "x", "--yes"]);
        assert_eq!(text(&output.stdout), format!("own:{name} x --yes\n"));
    }
}

#[test]
fn without_the_operators_program_one_line_says_where_to_get_it() {
    let output = Folders::new().run(&["audit", "--org", "contoso"]);
    let error = text(&output.stderr);
    assert_eq!(
        (output.status.code(), output.stdout.len(), error.lines().count()),
        (Some(2), 0, 1),
        "{error}"
    );
    assert!(
        error.starts_with("error: wif audit is a command of wif-operator, which is neither beside"),
        "{error}"
    );
    assert!(error.contains("https://github.com/wif-azure/wif/releases"), "{error}");
}
