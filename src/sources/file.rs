//! An id token in a file that another program writes anew: it is read for each exchange.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use wif_core::{foreign_text::one_line, secret::Secret, token::claims::Validity};
use wif_io::{clock::Deadline, http::Http};
use zeroize::Zeroizing;

use super::{
    Fetched, IdTokenSource,
    error::SourceError,
    fetched,
    usable::{Origin, check},
    variable::trimmed,
};

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: usize = 16 * 1024;
/// The longest path that an error shows, in characters.
const MAX_PATH: usize = 200;

/// A file, and what is said of it.
#[derive(Debug)]
pub(super) struct TokenFile {
    pub(super) signer: &'static str,
    pub(super) path: PathBuf,
    /// Who has to write another token.
    pub(super) mend: String,
}

impl TokenFile {
    /// The file of this path.
    pub(super) fn at(path: &Path) -> Self {
        Self {
            signer: "the file's author",
            path: path.to_owned(),
            mend:
                "let the program that writes this file write an id token for the audience that is asked for"
                    .to_owned(),
        }
    }

    fn usable(&self, http: &Http, audience: &str) -> Result<Secret, SourceError> {
        let place = format!("in the file {}", one_line(&self.path.to_string_lossy(), MAX_PATH));
        let token = read(&self.path).map_err(|error| self.unreadable(&error))?;
        let algorithm = "let its issuer sign by RSA (RS256; SPIRE: jwt_key_type = \"rsa-2048\")";
        let origin = Origin { place: &place, audience: self.mend.clone(), algorithm };
        let claims = check(&token, audience, &origin)?;
        if let Validity::Ended(ago) = claims.validity(http.clock().now()) {
            let mend = format!("{}; it is read anew for each exchange", self.mend);
            return Err(SourceError::Ended { signer: self.signer, place, ago, mend });
        }
        Ok(token)
    }

    fn unreadable(&self, error: &io::Error) -> SourceError {
        let path = one_line(&self.path.to_string_lossy(), MAX_PATH);
        let missing = match error.kind() {
            io::ErrorKind::NotFound => format!("there is no file {path}"),
            _ => format!("the file {path} cannot be read: {error}"),
        };
        SourceError::Absent { signer: self.signer, missing, mend: self.mend.clone() }
    }
}

/// Reads a file with a token or a key, which ends before the line end. A pipe would wait, and could not be read again.
pub(super) fn read(path: &Path) -> io::Result<Secret> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    // With room for all of it: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES + 1));
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than any id token"));
    }
    Ok(trimmed(&Secret::new(std::mem::take(&mut *text))))
}

/// The largest bundle of certificates, in bytes.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// Reads a file with certificates.
pub(super) fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(MAX_PEM_BYTES).read_to_end(&mut pem)?;
    Ok(pem)
}

/// The certificates of a bundle, which has one at least.
pub(super) fn roots(pem: &[u8]) -> Option<Vec<reqwest::Certificate>> {
    reqwest::Certificate::from_pem_bundle(pem).ok().filter(|roots| !roots.is_empty())
}

impl IdTokenSource for TokenFile {
    fn signer(&self) -> &'static str {
        self.signer
    }

    fn takes_audience(&self) -> bool {
        false
    }

    fn fetch<'a>(&'a self, http: &'a Http, _deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(async move { self.usable(http, audience) })
    }
}
