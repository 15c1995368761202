//! The agent's network settings: proxy, trust, client certificate.
//!
//! Source: microsoft/azure-pipelines-agent, `VstsAgentWebProxy.cs`, `AgentCertificateManager.cs`.

mod proxy;
mod roots;

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use wif_core::{foreign_text::one_line, pem};
use wif_io::{env::Env, http::Settings};
use zeroize::Zeroizing;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The proxy's address cannot be used. It may hold a password, so it is not quoted.
    #[error(
        "the proxy in {variable} is not an http or https URL, as in http://user:password@host:port; in user and password, write @ as %40, / as %2F, # as %23, ? as %3F and % as %25"
    )]
    Proxy {
        /// Where it comes from.
        variable: &'static str,
    },
    /// A file holds no certificates that can be read.
    #[error("the file that {variable} names ({path}) holds no usable certificate in PEM")]
    NoCertificate {
        /// Where its path comes from.
        variable: &'static str,
        /// Its path, made harmless.
        path: String,
    },
    /// A file holds no PEM certificate with its key.
    #[error("the file that {variable} names is not a {what} in PEM")]
    Pem {
        /// Where its path comes from.
        variable: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// A file cannot be read.
    #[error("the file that {variable} names cannot be read")]
    Unreadable {
        /// Where its path comes from.
        variable: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// What to tell the user about settings that were taken, or passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// What the user can mend, or must know.
    pub warnings: Vec<String>,
    /// What is of interest when something else fails.
    pub notes: Vec<String>,
}

/// The longest path or entry that a warning shows, in characters.
const MAX_SHOWN: usize = 200;
/// A certificate bundle is smaller than this, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// A folder of certificates has fewer files than this.
const MAX_FILES: usize = 2000;

/// Reads the settings.
///
/// # Errors
///
/// A setting cannot be used, and to go on without it would be to do something else than was asked for.
pub fn settings(env: &Env) -> Result<(Settings, Remarks), NetworkError> {
    let mut remarks = Remarks::default();
    let (proxy, proxy_login) = proxy::read(env, &mut remarks)?;
    let skip_validation = env.is_true("AGENT_SKIPCERTVALIDATION");
    if skip_validation {
        remarks.warnings.push(
            "The agent is configured with --sslskipcertvalidation: server certificates are NOT checked, so anybody on the network can read this job's \
             tokens. Trust the right CA instead (--sslcacert)."
                .to_owned(),
        );
    }
    let roots = roots::read(env, &mut remarks)?;
    let settings = Settings {
        proxy,
        proxy_login,
        roots: roots.certificates,
        only_roots: roots.complete,
        roots_of_others: roots::named_for_others(env),
        identity: identity(env, &mut remarks)?,
        skip_validation,
    };
    Ok((settings, remarks))
}

fn identity(env: &Env, remarks: &mut Remarks) -> Result<Option<reqwest::Identity>, NetworkError> {
    let variable = "AGENT_CLIENTCERT";
    let Some(path) = env.get(variable) else {
        if env.get("AGENT_CLIENTCERTARCHIVE").is_some() {
            remarks.warnings.push(
                "The agent's client certificate is given as an archive only and is not used; configure it as PEM too (--sslclientcert and --sslclientcertkey)"
                    .to_owned(),
            );
        }
        return Ok(None);
    };
    let certificate = match read_file(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            remarks.warnings.push(format!("The agent's client certificate is not there ({}) and is not used. In a container, mount it at the same path.", one_line(path, MAX_SHOWN)));
            return Ok(None);
        }
        Err(source) => return Err(NetworkError::Unreadable { variable, source }),
    };
    let variable = "AGENT_CLIENTCERTKEY";
    let key = env.get(variable).unwrap_or(path);
    let key = read_file(key).map_err(|source| NetworkError::Unreadable { variable, source })?;
    let sections = pem::sections(&certificate).chain(pem::sections(&key));
    let pem = Zeroizing::new(sections.collect::<Vec<_>>().join(&b'\n'));
    let what = "certificate with an unencrypted key";
    reqwest::Identity::from_pem(&pem).map(Some).map_err(|_error| NetworkError::Pem { variable, what }) // quotes nothing useful
}

/// Reads a file of an ordinary size: a device or a pipe could go on for ever.
fn read_file(path: impl AsRef<Path>) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = fs::metadata(&path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not an ordinary file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn bad_settings_are_named() {
        for (name, value) in
            [("AGENT_PROXYURL", "ftp://proxy"), ("HTTPS_PROXY", "socks5://x"), ("AGENT_PROXYURL", "http://")]
        {
            let error = settings(&env(&[(name, value)])).err().unwrap();
            assert!(error.to_string().contains(name), "{error}");
        }
        let folder = settings(&env(&[("AGENT_CLIENTCERT", "src")])).err().unwrap();
        assert!(folder.to_string().contains("AGENT_CLIENTCERT"), "{folder}");
    }

    #[test]
    fn a_ca_file_that_is_not_there_is_a_warning_and_one_without_a_certificate_an_error() {
        for variable in ["AGENT_CAINFO", "AGENT_CLIENTCERT"] {
            let (_, remarks) = settings(&env(&[(variable, "/nonexistent/file.pem")])).unwrap();
            assert_eq!(remarks.warnings.len(), 1, "{variable}");
        }
        let none = settings(&env(&[("AGENT_CAINFO", "Cargo.toml")])).err().unwrap();
        assert!(matches!(none, NetworkError::NoCertificate { .. }), "{none}");
        let (_, remarks) = settings(&env(&[("SSL_CERT_FILE", "Cargo.toml")])).unwrap();
        assert!(remarks.warnings[0].contains("SSL_CERT_FILE names (Cargo.toml)"), "{remarks:?}");
    }

    #[test]
    fn validation_that_is_skipped_is_said_every_time() {
        let (settings, remarks) = settings(&env(&[("AGENT_SKIPCERTVALIDATION", "True")])).unwrap();
        assert!(settings.skip_validation && remarks.warnings[0].contains("NOT checked"));
    }
}
