//! Azure Arc's challenge: the service writes a key into a file that only some users may read, and names the file.
//!
//! Source: microsoft-authentication-library-for-python, `managed_identity.py`, `_obtain_token_on_arc`.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use wif_core::secret::Secret;
use wif_io::{env::Env, http::Response};
use zeroize::Zeroizing;

/// Where Windows has the key files.
pub(super) const PROGRAM_DATA: &str = "ProgramData";

/// The folder that the service writes its keys into.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// The file that the service has named.
pub(super) struct Challenge(PathBuf);

/// No key can be sent. The service's own text is not quoted: it may be any path of this machine.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// Not what the protocol says.
    #[error("its answer names no key file (WWW-Authenticate: Basic realm=…)")]
    Unreadable,
    /// A file that it has no reason to name.
    #[error("it names a file that is not a .key file directly in {}", .0.display())]
    Elsewhere(PathBuf),
    /// Not a file of the service's own.
    #[error("the key file in {} is a link, is not a file, or is larger than {MAX_KEY_BYTES} bytes", .0.display())]
    Unexpected(PathBuf),
    /// Not readable for this user.
    #[error("the key file in {} cannot be read", .0.display())]
    Unavailable(PathBuf, #[source] io::Error),
}

/// The largest key file, in bytes.
const MAX_KEY_BYTES: usize = 4096;

impl Folder {
    /// Where the service of this system has it.
    pub(super) fn of_service(env: &Env) -> Self {
        if cfg!(windows) {
            let data = env.get(PROGRAM_DATA).unwrap_or("C:\\ProgramData");
            Self(PathBuf::from(data).join("AzureConnectedMachineAgent").join("Tokens"))
        } else {
            Self(PathBuf::from("/var/opt/azcmagent/tokens"))
        }
    }

    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The key, if the file is one that the service writes: nothing else of this machine is ever sent.
    pub(super) fn key(&self, Challenge(path): &Challenge) -> Result<Secret, ChallengeError> {
        let Self(folder) = self;
        let is_key = path.extension().is_some_and(|extension| extension == "key");
        if !is_key || !path.parent().is_some_and(|parent| is_same(parent, folder)) {
            return Err(ChallengeError::Elsewhere(folder.clone()));
        }
        let unavailable = |error| ChallengeError::Unavailable(folder.clone(), error);
        let unexpected = || ChallengeError::Unexpected(folder.clone());
        // Looked at before it is opened: a link leads anywhere, and a pipe would wait.
        let found = fs::symlink_metadata(path).map_err(unavailable)?;
        if !found.is_file() || found.len() > MAX_KEY_BYTES as u64 {
            return Err(unexpected());
        }
        // With room for all of it: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_BYTES + 1));
        let file = fs::File::open(path).map_err(unavailable)?;
        file.take(MAX_KEY_BYTES as u64 + 1).read_to_string(&mut text).map_err(unavailable)?;
        if text.len() > MAX_KEY_BYTES {
            return Err(unexpected());
        }
        Ok(Secret::new(std::mem::take(&mut *text)))
    }
}

/// Windows has one case for all names.
fn is_same(one: &Path, other: &Path) -> bool {
    if cfg!(windows) { one.as_os_str().eq_ignore_ascii_case(other.as_os_str()) } else { one == other }
}

impl Challenge {
    /// Reads `WWW-Authenticate: Basic realm=<path>`; the path stands there without quotes.
    pub(super) fn of(answer: &Response) -> Result<Self, ChallengeError> {
        let header = answer.header("www-authenticate").ok_or(ChallengeError::Unreadable)?;
        let (scheme, path) = header.split_once('=').ok_or(ChallengeError::Unreadable)?;
        if !scheme.trim().eq_ignore_ascii_case("basic realm") {
            return Err(ChallengeError::Unreadable);
        }
        Ok(Self(PathBuf::from(path.trim().trim_matches('"'))))
    }
}
