//! The agent's network settings: proxy, trust, client certificate.
//!
//! Source: microsoft/azure-pipelines-agent, `VstsAgentWebProxy.cs`, `AgentCertificateManager.cs`.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use regex_lite::{Regex, RegexBuilder};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    env::Env,
    foreign_text::one_line,
    http::{ProxyRule, Settings},
    identity::hosts,
    secret::Secret,
};

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The proxy's address is no URL.
    #[error("the proxy in {variable} is no http or https URL")]
    Proxy {
        /// Where it comes from.
        variable: &'static str,
    },
    /// A file holds no PEM certificates or key.
    #[error("the file that {variable} names is no {what} in PEM")]
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
pub type Warnings = Vec<String>;

/// The longest path or entry that a warning shows, in characters.
const MAX_SHOWN: usize = 200;
/// A certificate bundle is smaller than this, in bytes.
const MOST: u64 = 4 * 1024 * 1024;
/// A folder of certificates has fewer files than this.
const MOST_FILES: usize = 2000;

/// Reads the settings.
///
/// # Errors
///
/// A setting cannot be used, and to go on without it would be to do something else than was asked for.
pub fn settings(env: &Env) -> Result<(Settings, Warnings), NetworkError> {
    let mut warnings = Warnings::new();
    let (proxy, proxy_login) = match env.get("AGENT_PROXYURL") {
        Some(url) => agent_proxy(env, url, &mut warnings)?,
        None => (environment_proxy(env)?, None),
    };
    let skip_validation = env.is_true("AGENT_SKIPCERTVALIDATION");
    if skip_validation {
        warnings.push(
            "The agent is configured with --sslskipcertvalidation: server certificates are NOT checked, so anybody on the network can read this job's \
             tokens. Trust the right CA instead (--sslcacert)."
                .to_owned(),
        );
    }
    let settings = Settings {
        proxy,
        proxy_login,
        roots: roots(env, &mut warnings)?,
        identity: identity(env, &mut warnings)?,
        skip_validation,
    };
    Ok((settings, warnings))
}

type Proxy = (Option<ProxyRule>, Option<(String, Secret)>);

fn agent_proxy(env: &Env, url: &str, warnings: &mut Warnings) -> Result<Proxy, NetworkError> {
    let proxy = proxy_url("AGENT_PROXYURL", url)?;
    let bypass = bypass(env.get("AGENT_PROXYBYPASSLIST").unwrap_or("[]"), warnings);
    let login = env.get("AGENT_PROXYUSERNAME").map(|user| {
        let password = env.secret("SECRET_AGENT_PROXYPASSWORD");
        (user.to_owned(), password.unwrap_or_else(|| Secret::new(String::new())))
    });
    let rule: ProxyRule = Arc::new(move |url| {
        let around = hosts::is_loopback(url) || is_bypassed(&bypass, url);
        (!around).then(|| proxy.clone())
    });
    Ok((Some(rule), login))
}

/// A JSON array of regular expressions. Entries of the machine's `no_proxy` end up in it too, so that some are
/// none (`*\.corp`); the agent passes over them, and so do we, aloud.
fn bypass(list: &str, warnings: &mut Warnings) -> Vec<Regex> {
    let entries: Vec<String> = serde_json::from_str(list).unwrap_or_else(|_error| {
        warnings.push("AGENT_PROXYBYPASSLIST is no JSON array of texts and was passed over".to_owned());
        Vec::new()
    });
    let compile = |entry: String| {
        let expression = RegexBuilder::new(&entry).case_insensitive(true).size_limit(1 << 20).build();
        if expression.is_err() {
            warnings.push(format!(
                "The proxy bypass entry '{}' is no regular expression and was passed over",
                one_line(&entry, MAX_SHOWN)
            ));
        }
        expression.ok()
    };
    entries.into_iter().filter(|entry| !entry.is_empty()).filter_map(compile).collect()
}

/// The agent matches against `scheme://host[:port]`, tasks against the whole URL.
fn is_bypassed(bypass: &[Regex], url: &Url) -> bool {
    let origin = url.origin().ascii_serialization();
    bypass.iter().any(|expression| expression.is_match(&origin) || expression.is_match(url.as_str()))
}

/// The machine's own proxy, by the rules of curl, where the agent has none.
fn environment_proxy(env: &Env) -> Result<Option<ProxyRule>, NetworkError> {
    let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let Some((variable, url)) = names.into_iter().find_map(|name| Some((name, env.get(name)?))) else {
        return Ok(None);
    };
    let proxy = proxy_url(variable, url)?;
    let exceptions = env.get("no_proxy").or_else(|| env.get("NO_PROXY")).unwrap_or_default().to_owned();
    Ok(Some(Arc::new(move |url| {
        let around = exceptions.split(',').any(|entry| is_excepted(entry.trim(), url));
        (!around).then(|| proxy.clone())
    })))
}

/// `*`, `host`, `.domain`, `*.domain`, each with all that is below it, and with a port if it has one.
fn is_excepted(entry: &str, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let entry = entry.to_ascii_lowercase();
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.ends_with(':') => (name, Some(port)),
        _ => (entry.as_str(), None),
    };
    let name = name.trim_start_matches('*').trim_start_matches('.');
    let port_fits =
        port.is_none_or(|port| url.port_or_known_default().is_some_and(|own| own.to_string() == port));
    entry == "*"
        || (!name.is_empty()
            && port_fits
            && (host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))))
}

/// A proxy without a scheme is an http one, as in curl.
fn proxy_url(variable: &'static str, text: &str) -> Result<Url, NetworkError> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or(NetworkError::Proxy { variable })
}

/// The agent's CAs, and the machine's own where a variable says which: a broker has no such variable in its
/// environment, and a platform's verifier may know none.
fn roots(env: &Env, warnings: &mut Warnings) -> Result<Vec<reqwest::Certificate>, NetworkError> {
    let mut roots = agent_roots(env, warnings)?;
    let bundle = |path: &Path| reqwest::Certificate::from_pem_bundle(&read(path).ok()?).ok();
    for folder in env.get("SSL_CERT_DIR").iter().flat_map(std::env::split_paths) {
        let files = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_FILES);
        // What is no certificate is passed over in silence, as OpenSSL does.
        roots.extend(files.filter_map(|file| bundle(&file.path())).flatten());
    }
    if let Some(path) = env.get("SSL_CERT_FILE") {
        match bundle(Path::new(path)).filter(|own| !own.is_empty()) {
            Some(own) => roots.extend(own),
            None => warnings.push(format!(
                "The file that SSL_CERT_FILE names ({}) is no certificate bundle in PEM and was passed over",
                one_line(path, MAX_SHOWN)
            )),
        }
    }
    Ok(roots)
}

/// The CA file is a path of the host: in a container it may not be there, and may not be needed.
fn agent_roots(env: &Env, warnings: &mut Warnings) -> Result<Vec<reqwest::Certificate>, NetworkError> {
    let variable = "AGENT_CAINFO";
    let Some(path) = env.get(variable) else { return Ok(Vec::new()) };
    let pem = match read(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            warnings.push(format!(
                "The agent's CA file is not there ({}); only the system's CAs are trusted. In a container, mount it at the same path.",
                one_line(path, MAX_SHOWN)
            ));
            return Ok(Vec::new());
        }
        Err(source) => return Err(NetworkError::Unreadable { variable, source }),
    };
    reqwest::Certificate::from_pem_bundle(&pem)
        .ok()
        .filter(|roots| !roots.is_empty())
        .ok_or(NetworkError::Pem { variable, what: "certificate bundle" })
}

fn identity(env: &Env, warnings: &mut Warnings) -> Result<Option<reqwest::Identity>, NetworkError> {
    let variable = "AGENT_CLIENTCERT";
    let Some(certificate) = env.get(variable) else {
        if env.get("AGENT_CLIENTCERTARCHIVE").is_some() {
            warnings.push(
                "The agent's client certificate is given as an archive only and is not used; configure it as PEM too (--sslclientcert and --sslclientcertkey)"
                    .to_owned(),
            );
        }
        return Ok(None);
    };
    let mut pem = match read(certificate) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            warnings.push(format!("The agent's client certificate is not there ({}) and is not used. In a container, mount it at the same path.", one_line(certificate, MAX_SHOWN)));
            return Ok(None);
        }
        Err(source) => return Err(NetworkError::Unreadable { variable, source }),
    };
    let variable = "AGENT_CLIENTCERTKEY";
    let key = env.get(variable).unwrap_or(certificate);
    let key = read(key).map_err(|source| NetworkError::Unreadable { variable, source })?;
    pem.push(b'\n');
    pem.extend_from_slice(&key);
    let what = "certificate with an unencrypted key";
    reqwest::Identity::from_pem(&pem).map(Some).map_err(|_error| NetworkError::Pem { variable, what }) // quotes nothing useful
}

/// Reads a file of an ordinary size: a device or a pipe could go on for ever.
fn read(path: impl AsRef<Path>) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = fs::metadata(&path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no ordinary file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
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

    fn proxied(variables: &[(&str, &str)], url: &str) -> bool {
        let (settings, _) = settings(&env(variables)).unwrap();
        settings.proxy.is_some_and(|rule| rule(&Url::parse(url).unwrap()).is_some())
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
    fn an_invalid_bypass_entry_is_passed_over_aloud_and_the_others_count() {
        let variables = [
            ("AGENT_PROXYURL", "http://proxy:3128"),
            ("AGENT_PROXYBYPASSLIST", r#"["*\\.corp","dev\\.azure","("]"#),
        ];
        let (_, warnings) = settings(&env(&variables)).unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(!proxied(&variables, "https://DEV.azure.com/x"));
        assert!(proxied(&variables, "https://login.microsoftonline.com"));
        assert!(!proxied(&variables, "https://127.0.0.1:8443/"));
    }

    #[test]
    fn an_anchored_bypass_entry_sees_the_origin() {
        let variables =
            [("AGENT_PROXYURL", "proxy:3128"), ("AGENT_PROXYBYPASSLIST", r#"["^https://a\\.example$"]"#)];
        assert!(!proxied(&variables, "https://a.example/path"));
        assert!(proxied(&variables, "https://b.a.example/path"));
    }

    #[test]
    fn the_machines_proxy_counts_where_the_agent_has_none() {
        let both = [("HTTPS_PROXY", "http://other"), ("AGENT_PROXYURL", "http://agent"), ("NO_PROXY", "*")];
        assert!(proxied(&both, "https://a.example"));
        let machine = |exceptions| [("HTTPS_PROXY", "http://p"), ("NO_PROXY", exceptions)];
        for (exceptions, url, expected) in [
            ("", "https://a.example", true),
            ("*", "https://a.example", false),
            ("example", "https://a.example", false),
            (".example, x", "https://a.example", false),
            ("*.example", "https://a.example", false),
            ("a.example:8443", "https://a.example", true),
            ("a.example:443", "https://a.example", false),
            ("ample", "https://a.example", true),
        ] {
            assert_eq!(proxied(&machine(exceptions), url), expected, "{exceptions} {url}");
        }
    }

    #[test]
    fn a_ca_file_that_is_not_there_is_a_warning_and_one_that_is_none_an_error() {
        for variable in ["AGENT_CAINFO", "AGENT_CLIENTCERT"] {
            let (_, warnings) = settings(&env(&[(variable, "/nonexistent/file.pem")])).unwrap();
            assert_eq!(warnings.len(), 1, "{variable}");
        }
        let none = settings(&env(&[("AGENT_CAINFO", "Cargo.toml")])).err().unwrap();
        assert!(matches!(none, NetworkError::Pem { .. }), "{none}");
        let (_, warnings) = settings(&env(&[("SSL_CERT_FILE", "Cargo.toml")])).unwrap();
        assert!(warnings[0].contains("SSL_CERT_FILE names (Cargo.toml)"), "{warnings:?}");
    }

    #[test]
    fn validation_that_is_skipped_is_said_every_time() {
        let (settings, warnings) = settings(&env(&[("AGENT_SKIPCERTVALIDATION", "True")])).unwrap();
        assert!(settings.skip_validation && warnings[0].contains("NOT checked"));
    }
}
