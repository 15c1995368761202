//! Which proxy leads to which host.

use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use regex_lite::{Regex, RegexBuilder};
use url::Url;
use wif_core::{azure::hosts, foreign_text::one_line, secret::Secret};
use wif_io::{env::Env, http::ProxyRule};

use super::remarks::{MAX_SHOWN, NetworkError, Remarks};

/// The rule, and the user and password where they do not stand in the proxy's URL.
pub(super) type Proxy = (Option<ProxyRule>, Option<(String, Secret)>);

/// Variables that name the machine's own proxy, in the order in which curl reads them.
pub(super) const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// Variables that name hosts which the machine's proxy does not lead to.
pub(super) const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// What the agent passes of its own proxy.
pub(super) const OF_AGENT: [&str; 4] = [URL, USER_NAME, PASSWORD, BYPASS_LIST];
const URL: &str = "AGENT_PROXYURL";
/// The variables that may name the proxy, in their order.
pub(super) const URLS: [&str; 5] = [URL, PROXIES[0], PROXIES[1], PROXIES[2], PROXIES[3]];
const USER_NAME: &str = "AGENT_PROXYUSERNAME";
const PASSWORD: &str = "SECRET_AGENT_PROXYPASSWORD";
const BYPASS_LIST: &str = "AGENT_PROXYBYPASSLIST";

/// The agent's proxy, else the machine's own.
pub(super) fn read(env: &Env, remarks: &mut Remarks) -> Result<Proxy, NetworkError> {
    match env.get(URL) {
        Some(url) => of_agent(env, url, remarks),
        None => Ok((of_machine(env)?, None)),
    }
}

fn of_agent(env: &Env, url: &str, remarks: &mut Remarks) -> Result<Proxy, NetworkError> {
    let proxy = proxy_url("AGENT_PROXYURL", url)?;
    let bypass = BypassList::read(env, remarks);
    let login = env.get(USER_NAME).map(|user| {
        let password = env.secret(PASSWORD);
        (user.to_owned(), password.unwrap_or_else(|| Secret::new(String::new())))
    });
    let rule: ProxyRule =
        Arc::new(move |url| (!hosts::is_loopback(url) && !bypass.matches(url)).then(|| proxy.clone()));
    Ok((Some(rule), login))
}

/// The machine's own proxy, by the rules of curl.
fn of_machine(env: &Env) -> Result<Option<ProxyRule>, NetworkError> {
    let Some((variable, url)) = PROXIES.into_iter().find_map(|name| Some((name, env.get(name)?))) else {
        return Ok(None);
    };
    let proxy = proxy_url(variable, url)?;
    let (_, list) = exceptions(env);
    let exceptions = Exceptions::new(entries(list));
    Ok(Some(Arc::new(move |url| (!exceptions.matches(url)).then(|| proxy.clone()))))
}

/// The machine's list of hosts that no proxy leads to, and the variable that has it.
fn exceptions(env: &Env) -> (&'static str, &str) {
    EXCEPTIONS.into_iter().find_map(|name| Some((name, env.get(name)?))).unwrap_or(("no_proxy", ""))
}

/// The agent splits by commas and semicolons, curl by commas and blanks. No host has any of them in its name.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ';', ' ', '\t']).filter(|entry| !entry.is_empty())
}

/// A proxy without a scheme is an http one, as in curl. So is a backslash in the user's name, which a URL takes for a
/// slash (`CORP\user`). What else ends a host's part of a URL must be written in percent: `p#ss@host` would lead to a
/// host that has the name of the user.
fn proxy_url(variable: &'static str, text: &str) -> Result<Url, NetworkError> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((login, host)) => format!("{}@{host}", login.replace('\\', "%5C")),
        None => authority.to_owned(),
    };
    Url::parse(&format!("{scheme}://{authority}{path}"))
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some() && !path.contains('@'))
        .ok_or(NetworkError::Proxy { variable })
}

/// Hosts that no proxy leads to, as `NO_PROXY` names them: `*`, `host`, `.domain` and `*.domain`, each with all that is
/// below it, addresses and networks (`10.0.0.0/8`); with a port, for that port only.
struct Exceptions {
    all: bool,
    /// A matcher asks for a proxy: it leads to any when a host is no exception.
    any_port: Matcher,
    one_port: Vec<(u16, Matcher)>,
}

impl Exceptions {
    fn new<'a>(entries: impl Iterator<Item = &'a str>) -> Self {
        let matcher = |list: String| Matcher::builder().all("http://proxy").no(list).build();
        let (mut all, mut any_port, mut one_port) = (false, Vec::new(), Vec::new());
        for entry in entries {
            // The port of an IPv6 address stands behind its bracket.
            let (name, port) = match entry.rsplit_once(':') {
                Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse().ok()),
                _ => (entry, None),
            };
            let name = if port.is_some() { name } else { entry };
            let name = name.trim_start_matches('[').trim_end_matches(']');
            match (name.trim_start_matches('*').trim_start_matches('.'), port) {
                ("", _) => all = all || name == "*",
                (name, None) => any_port.push(name.to_owned()),
                (name, Some(port)) => one_port.push((port, matcher(name.to_owned()))),
            }
        }
        Self { all, any_port: matcher(any_port.join(",")), one_port }
    }

    fn matches(&self, url: &Url) -> bool {
        let Ok(uri) = url.as_str().parse::<Uri>() else { return self.all };
        let own = url.port_or_known_default();
        let one_port = self.one_port.iter().filter(|(port, _)| own == Some(*port));
        self.all
            || std::iter::once(&self.any_port)
                .chain(one_port.map(|(_, matcher)| matcher))
                .any(|matcher| matcher.intercept(&uri).is_none())
    }
}

/// The agent's bypass list: regular expressions of its file `.proxybypass`, and what the agent has made of the entries
/// of the machine's `no_proxy`, by a backslash before each dot. Of `*.corp` it makes `*\.corp`, which is no regular
/// expression, and of `10.0.0.0/8` one that no address in it matches.
struct BypassList {
    expressions: Vec<Regex>,
    exceptions: Exceptions,
}

impl BypassList {
    fn read(env: &Env, remarks: &mut Remarks) -> Self {
        let list = env.get(BYPASS_LIST).unwrap_or("[]");
        let list: Vec<String> = serde_json::from_str(list).unwrap_or_else(|_error| {
            remarks
                .warnings
                .push("AGENT_PROXYBYPASSLIST is not a JSON array of texts and was passed over".to_owned());
            Vec::new()
        });
        let list: Vec<_> = list.into_iter().filter(|entry| !entry.is_empty()).collect();
        let mut expressions = Vec::new();
        for entry in &list {
            match RegexBuilder::new(entry).case_insensitive(true).size_limit(1 << 20).build() {
                Ok(expression) => expressions.push(expression),
                Err(_) if is_exception(&before_agent(entry)) => {}
                Err(_) => passed_over(env, entry, remarks),
            }
        }
        let before: Vec<_> = list.iter().map(|entry| before_agent(entry)).collect();
        let meant = before.iter().map(String::as_str).filter(|entry| is_exception(entry));
        Self { expressions, exceptions: Exceptions::new(meant) }
    }

    /// The agent matches against `scheme://host[:port]`, tasks against the whole URL.
    fn matches(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        let matches = |expression: &Regex| expression.is_match(&origin) || expression.is_match(url.as_str());
        self.expressions.iter().any(matches) || self.exceptions.matches(url)
    }
}

/// An entry of `no_proxy` before the agent made a regular expression of it.
fn before_agent(entry: &str) -> String {
    entry.replace(r"\.", ".")
}

/// Whether a text can be an entry of `no_proxy`. An expression that looks like one (`dev\.azure\.com`) matches all that
/// the entry does.
fn is_exception(text: &str) -> bool {
    let name = text.strip_prefix('*').unwrap_or(text);
    text == "*"
        || (name.contains(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/[]".contains(c)))
}

/// A user can mend an entry of their own, but not what the agent makes of it.
fn passed_over(env: &Env, entry: &str, remarks: &mut Remarks) {
    let (variable, list) = exceptions(env);
    let before = before_agent(entry);
    if entries(list).any(|own| own == before) {
        remarks.notes.push(format!(
            "The entry '{}' of {variable}, which the agent has put into its bypass list, is not a host, a domain or a network, and was passed over",
            one_line(&before, MAX_SHOWN)
        ));
    } else {
        remarks.warnings.push(format!(
            "The proxy bypass entry '{}' is not a regular expression and was passed over",
            one_line(entry, MAX_SHOWN)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_proxied(variables: &[(&str, &str)], url: &str) -> bool {
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (rule, _) = read(&env, &mut Remarks::default()).unwrap();
        rule.is_some_and(|rule| rule(&Url::parse(url).unwrap()).is_some())
    }

    fn remarks(variables: &[(&str, &str)]) -> Remarks {
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut remarks = Remarks::default();
        read(&env, &mut remarks).unwrap();
        remarks
    }

    #[test]
    fn a_proxys_address_keeps_its_user_and_password() {
        for (text, user, password, host) in [
            ("proxy:3128", "", None, "proxy"),
            (r"http://CORP\svc:pass@proxy", "CORP%5Csvc", Some("pass"), "proxy"),
            (r"CORP\svc:p\a@proxy/", "CORP%5Csvc", Some("p%5Ca"), "proxy"),
            ("http://svc:p@ss:w%rd@proxy", "svc", Some("p%40ss%3Aw%rd"), "proxy"),
            ("https://svc:p%23s@[::1]:3128/x", "svc", Some("p%23s"), "[::1]"),
        ] {
            let url = proxy_url("HTTPS_PROXY", text).unwrap();
            assert_eq!(
                (url.username(), url.password(), url.host_str().unwrap()),
                (user, password, host),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_that_would_lead_to_another_host_is_refused_by_its_variable() {
        for text in [
            "ftp://proxy",
            "socks5://x",
            "http://",
            "svc:1#p@proxy",
            "svc/p@proxy",
            "svc:1?p@proxy",
            "svc:p@",
        ] {
            let error = proxy_url("HTTPS_PROXY", text).unwrap_err().to_string();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("svc"), "{error}");
        }
    }

    #[test]
    fn the_agents_rewriting_of_no_proxy_is_understood_as_the_user_meant_it() {
        for (entry, url, expected) in [
            (r"*\\.corp", "https://a.corp", false),
            (r"*\\.corp", "https://corp", false),
            (r"*\\.corp", "https://a.b.corp/x", false),
            (r"*\\.corp", "https://acorp", true),
            (r"*", "https://a.example", false),
            (r"10\\.0\\.0\\.0/8", "https://10.1.2.3/", false),
            (r"10\\.0\\.0\\.0/8", "https://11.1.2.3/", true),
            (r"\\.corp", "https://a.corp", false),
            (r"*\\.corp:8443", "https://a.corp:8443/", false),
            (r"*\\.corp:8443", "https://a.corp/", true),
        ] {
            let list = format!("[\"{entry}\"]");
            let variables = [("AGENT_PROXYURL", "http://proxy:3128"), (BYPASS_LIST, &*list)];
            assert_eq!(is_proxied(&variables, url), expected, "{entry} {url}");
            assert_eq!(remarks(&variables), Remarks::default(), "{entry}");
        }
    }

    #[test]
    fn an_invalid_bypass_entry_is_passed_over_aloud_and_the_others_count() {
        let variables =
            [("AGENT_PROXYURL", "http://proxy:3128"), (BYPASS_LIST, r#"["*\\.corp","dev\\.azure","("]"#)];
        let Remarks { warnings, notes } = remarks(&variables);
        assert!(warnings.len() == 1 && warnings[0].contains("'('") && notes.is_empty(), "{warnings:?}");
        assert!(!is_proxied(&variables, "https://DEV.azure.com/x"));
        assert!(is_proxied(&variables, "https://login.microsoftonline.com"));
        assert!(!is_proxied(&variables, "https://127.0.0.1:8443/"));
        let none = remarks(&[("AGENT_PROXYURL", "proxy"), (BYPASS_LIST, "a,b")]);
        assert!(none.warnings.len() == 1 && none.warnings[0].contains(BYPASS_LIST), "{none:?}");
    }

    #[test]
    fn an_anchored_bypass_entry_sees_the_origin() {
        let variables = [("AGENT_PROXYURL", "proxy:3128"), (BYPASS_LIST, r#"["^https://a\\.example$"]"#)];
        assert!(!is_proxied(&variables, "https://a.example/path"));
        assert!(is_proxied(&variables, "https://b.a.example/path"));
    }

    #[test]
    fn the_machines_proxy_counts_where_the_agent_has_none() {
        let both = [("HTTPS_PROXY", "http://other"), ("AGENT_PROXYURL", "http://agent"), ("NO_PROXY", "*")];
        assert!(is_proxied(&both, "https://a.example"));
        let machine = |exceptions| [("HTTPS_PROXY", "http://p"), ("NO_PROXY", exceptions)];
        for (exceptions, url, expected) in [
            ("", "https://a.example", true),
            ("*", "https://a.example", false),
            ("*", "https://10.0.0.1", false),
            ("example", "https://a.example", false),
            (".example, x", "https://a.example", false),
            (".example", "https://example", false),
            ("*.example", "https://a.example", false),
            ("A.EXAMPLE", "https://a.example", false),
            ("a.example:8443", "https://a.example", true),
            ("a.example:443", "https://a.example", false),
            ("ample", "https://a.example", true),
            ("x;a.example", "https://a.example", false),
            ("x a.example", "https://a.example", false),
            (",, ;", "https://a.example", true),
            ("10.0.0.0/8", "https://10.255.0.1/", false),
            ("10.0.0.0/8", "https://100.0.0.1/", true),
            ("10.0.0.1", "https://10.0.0.1:8443/", false),
            ("10.0.0.1:443", "https://10.0.0.1/", false),
            ("fd00::/8", "https://[fd00::1]/", false),
            ("::1", "https://[::1]:8443/", false),
            ("[::1]:8443", "https://[::1]:8443/", false),
            ("[::1]:8443", "https://[::1]/", true),
        ] {
            assert_eq!(is_proxied(&machine(exceptions), url), expected, "{exceptions} {url}");
        }
    }
}
