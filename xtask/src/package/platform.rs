//! The platforms that the extension ships a program for.

use std::path::{Path, PathBuf};

/// One of them.
pub(crate) struct Platform {
    /// As Node spells `process.platform` and `process.arch`: where the shim looks.
    pub(crate) name: &'static str,
    /// As Rust spells it.
    pub(crate) triple: &'static str,
    /// The program's file.
    pub(crate) file: &'static str,
    /// Where it is built.
    pub(crate) host: Host,
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
    Platform { name: "linux-x64", triple: "x86_64-unknown-linux-musl", file: "wif", host: Host::Linux },
    Platform { name: "linux-arm64", triple: "aarch64-unknown-linux-musl", file: "wif", host: Host::Linux },
    Platform { name: "win32-x64", triple: "x86_64-pc-windows-gnu", file: "wif.exe", host: Host::Linux },
    Platform { name: "darwin-x64", triple: "x86_64-apple-darwin", file: "wif", host: Host::Mac },
    Platform { name: "darwin-arm64", triple: "aarch64-apple-darwin", file: "wif", host: Host::Mac },
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
    /// Where the program is below a folder of programs.
    pub(crate) fn program(&self, bin: &Path) -> PathBuf {
        bin.join(self.name).join(self.file)
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
