//! The platforms that the extension ships a program for.

use std::path::{Path, PathBuf};

/// One of them.
pub(crate) struct Platform {
    /// As Node spells `process.platform` and `process.arch`: where the shim looks.
    pub(crate) name: &'static str,
    /// As Rust spells it.
    pub(crate) triple: &'static str,
    /// Where it is built.
    pub(crate) host: Host,
}

/// A program that ships, in the folder of its task.
pub(crate) struct Program {
    /// Its file, without the ending that Windows wants.
    pub(crate) name: &'static str,
    /// What Cargo is told to build.
    pub(crate) arguments: &'static [&'static str],
    /// What Cargo is told beside that for the program of a task.
    pub(crate) in_task: &'static [&'static str],
    /// A larger one is not shipped, in bytes.
    pub(crate) largest: u64,
    /// The task's folder.
    pub(crate) task: &'static str,
    /// The files of the task, and where each comes from.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Where it is built.
    hosts: &'static [Host],
}

/// Both of them. The second task starts its program by the first one's shim.
pub(crate) const PROGRAMS: [Program; 2] = [
    Program {
        name: "wif",
        // Without what only the library gives to Rust callers.
        arguments: &["--package", "wif", "--bin", "wif", "--no-default-features"],
        in_task: &[],
        largest: 4_500_000,
        task: "task",
        files: &[
            ("task.json", "task/task.json"),
            ("index.js", "task/index.js"),
            ("post.js", "task/post.js"),
            ("icon.png", "task/icon.png"),
        ],
        hosts: &[Host::Linux, Host::Mac],
    },
    Program {
        name: "wif-operator",
        arguments: &["--package", "wif-operator", "--bin", "wif-operator"],
        // The audit reads: what could write does not ship with its task.
        in_task: &["--no-default-features"],
        largest: 7_000_000,
        task: "audit-task",
        files: &[
            ("task.json", "audit-task/task.json"),
            ("audit.js", "audit-task/audit.js"),
            ("index.js", "task/index.js"),
            ("icon.png", "audit-task/icon.png"),
        ],
        hosts: &[Host::Linux],
    },
];

impl Program {
    /// Whether it ships for a platform.
    pub(crate) fn is_for(&self, platform: &Platform) -> bool {
        self.hosts.contains(&platform.host)
    }
}

/// What programs are compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The tasks of the extension.
    Tasks,
    /// The archives for people's own machines.
    Archives,
}

impl Purpose {
    /// The folder that they are kept in.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Tasks => "bin",
            Self::Archives => "whole",
        }
    }

    /// What Cargo is told to build.
    pub(super) fn arguments(self, program: &Program) -> Vec<&'static str> {
        let more = if self == Self::Tasks { program.in_task } else { &[] };
        program.arguments.iter().chain(more).copied().collect()
    }
}

/// The machine that a program is built on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// Any Linux, by cross-compiling.
    Linux,
    /// A Mac, for both kinds of Mac.
    Mac,
}

/// All of them. The programs for Linux are static, so that every distribution runs them.
pub(crate) const PLATFORMS: [Platform; 5] = [
    Platform { name: "linux-x64", triple: "x86_64-unknown-linux-musl", host: Host::Linux },
    Platform { name: "linux-arm64", triple: "aarch64-unknown-linux-musl", host: Host::Linux },
    Platform { name: "win32-x64", triple: "x86_64-pc-windows-gnu", host: Host::Linux },
    Platform { name: "darwin-x64", triple: "x86_64-apple-darwin", host: Host::Mac },
    Platform { name: "darwin-arm64", triple: "aarch64-apple-darwin", host: Host::Mac },
];

impl Host {
    /// This machine; none for one that builds nothing that ships.
    pub(crate) fn this() -> Option<Self> {
        match std::env::consts::OS {
            "linux" => Some(Self::Linux),
            "macos" => Some(Self::Mac),
            _ => None,
        }
    }
}

impl Platform {
    /// Where a program is below a folder of programs.
    pub(crate) fn program(&self, bin: &Path, program: &Program) -> PathBuf {
        bin.join(self.name).join(self.file(program))
    }

    /// A program's file.
    pub(crate) fn file(&self, program: &Program) -> String {
        let end = if self.is_windows() { ".exe" } else { "" };
        format!("{}{end}", program.name)
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.triple.contains("windows")
    }

    /// Where it is compiled.
    pub(crate) fn made_on(&self) -> &'static str {
        match self.host {
            Host::Linux => "compiled on Linux",
            Host::Mac => "compiled on a Mac, and given by --with",
        }
    }

    /// What a container image calls its architecture; none where there is no image.
    pub(crate) fn container(&self) -> Option<&'static str> {
        match self.name {
            "linux-x64" => Some("amd64"),
            "linux-arm64" => Some("arm64"),
            _ => None,
        }
    }

    pub(crate) fn is_musl(&self) -> bool {
        self.triple.ends_with("musl")
    }
}
