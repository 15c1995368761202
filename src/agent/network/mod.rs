//! The agent's network settings: proxy, trust, client certificate.
//!
//! Source: microsoft/azure-pipelines-agent, `VstsAgentWebProxy.cs`, `AgentCertificateManager.cs`.

mod file;
mod proxy;
mod remarks;
mod roots;

use std::io;

use wif_core::{foreign_text::one_line, pem};
use wif_io::{env::Env, http::Settings};
use zeroize::Zeroizing;

pub(crate) use self::file::read_file;
use self::remarks::MAX_SHOWN;
pub use self::remarks::{NetworkError, Remarks};

/// What [`settings`] reads of the environment.
pub fn variables() -> impl Iterator<Item = &'static str> {
    let of_agent = [CERTIFICATE, CERTIFICATE_KEY, CERTIFICATE_ARCHIVE, SKIPS_VALIDATION];
    let roots = [roots::AGENT_FILE, roots::FILE, roots::FOLDERS];
    let of_others = roots::OF_OTHERS;
    of_agent
        .into_iter()
        .chain(roots)
        .chain(of_others)
        .chain(proxy::OF_AGENT)
        .chain(proxy::PROXIES)
        .chain(proxy::EXCEPTIONS)
}

/// Those of [`variables`] that name a file.
pub(crate) const FILES: [&str; 5] =
    [roots::AGENT_FILE, roots::FILE, CERTIFICATE, CERTIFICATE_KEY, CERTIFICATE_ARCHIVE];
/// The one of [`variables`] that names folders.
pub(crate) const FOLDERS: &str = roots::FOLDERS;

const CERTIFICATE: &str = "AGENT_CLIENTCERT";
const CERTIFICATE_KEY: &str = "AGENT_CLIENTCERTKEY";
const CERTIFICATE_ARCHIVE: &str = "AGENT_CLIENTCERTARCHIVE";
const SKIPS_VALIDATION: &str = "AGENT_SKIPCERTVALIDATION";

/// The variable that names the proxy, where there is one.
#[must_use]
pub(crate) fn proxy_variable(env: &Env) -> Option<&'static str> {
    proxy::URLS.into_iter().find(|name| env.get(name).is_some())
}

/// Reads the settings.
///
/// # Errors
///
/// A setting cannot be used, and to go on without it would be to do something else than was asked for.
pub fn settings(env: &Env) -> Result<(Settings, Remarks), NetworkError> {
    let mut remarks = Remarks::default();
    let (proxy, proxy_login) = proxy::read(env, &mut remarks)?;
    let skip_validation = env.is_true(SKIPS_VALIDATION);
    if skip_validation {
        remarks.warnings.push(
            "The agent is configured with --sslskipcertvalidation: server certificates are NOT checked, so any machine on the way can read this job's \
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
        resolved: None,
    };
    Ok((settings, remarks))
}

fn identity(env: &Env, remarks: &mut Remarks) -> Result<Option<reqwest::Identity>, NetworkError> {
    let variable = CERTIFICATE;
    let Some(path) = env.get(variable) else {
        if env.get(CERTIFICATE_ARCHIVE).is_some() {
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
    let variable = CERTIFICATE_KEY;
    let key = env.get(variable).unwrap_or(path);
    let key = read_file(key).map_err(|source| NetworkError::Unreadable { variable, source })?;
    let sections = pem::sections(&certificate).chain(pem::sections(&key));
    let pem = Zeroizing::new(sections.collect::<Vec<_>>().join(&b'\n'));
    let what = "certificate with an unencrypted key";
    reqwest::Identity::from_pem(&pem).map(Some).map_err(|_error| NetworkError::Pem { variable, what }) // quotes nothing useful
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
