//! Which hosts may get a credential or a token: those of the clouds that are known by name, and those that the user names.

use std::fmt;

use url::{Host, Url};

use super::cloud::{Cloud, OTHER_CLOUDS_AUTHORITIES};

/// What a host is asked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Entra, or what stands in for it.
    Authority,
    /// Azure Resource Manager.
    ResourceManager,
    /// Microsoft Graph.
    Graph,
    /// Azure DevOps.
    DevOps,
}

/// Hosts that the user names beside the known ones, each with a port or for every port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

/// A host, as it stands in a URL, and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    host: String,
    port: Option<u16>,
}

/// The host of Azure DevOps Services: an organization is the first part of a path.
pub const DEVOPS: &str = "dev.azure.com";
/// Its older host: an organization is a name below it.
pub const OLDER_DEVOPS: &str = "visualstudio.com";

impl AllowedHost {
    /// Reads `host` or `host:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains(['/', '\\', '@', '?', '#', '*', '%']) || text.contains(char::is_whitespace) {
            return None;
        }
        let url = Url::parse(&format!("https://{text}/")).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        // A URL forgets the port of its scheme, and without a port every one is meant.
        let after = text.rsplit_once(']').map_or(text, |(_, after)| after);
        let port = after.contains(':').then(|| url.port_or_known_default()).flatten();
        if after.ends_with(':') { None } else { Some(Self { host, port }) }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl AllowedHosts {
    /// These hosts, beside the known ones.
    #[must_use]
    pub const fn new(hosts: Vec<AllowedHost>) -> Self {
        Self(hosts)
    }

    /// Whether a service may be asked with a credential or a token at this host and port.
    #[must_use]
    pub fn admits(&self, service: Service, host: &str, port: u16) -> bool {
        let known = match service {
            Service::Authority => is_known_authority(host),
            Service::ResourceManager => Cloud::ALL.iter().any(|cloud| {
                is_host(cloud.resource_manager(), host) || cloud.names().other_resource_manager == Some(host)
            }),
            Service::Graph => Cloud::ALL
                .iter()
                .any(|cloud| is_host(cloud.names().graph, host) || cloud.names().other_graph == Some(host)),
            // All hosts of Azure DevOps Services are below these two, and Microsoft alone gives names there.
            Service::DevOps => [DEVOPS, OLDER_DEVOPS].iter().any(|known| is_at_or_below(host, known)),
        };
        (known && port == HTTPS) || self.names(host, port)
    }

    /// Whether the user has named this host and port.
    #[must_use]
    pub fn names(&self, host: &str, port: u16) -> bool {
        let is_same = |allowed: &AllowedHost| {
            allowed.host == host && allowed.port.is_none_or(|allowed| allowed == port)
        };
        self.0.iter().any(is_same)
    }
}

/// Whether a host is an authority of a known cloud.
#[must_use]
pub fn is_known_authority(host: &str) -> bool {
    OTHER_CLOUDS_AUTHORITIES.contains(&host)
        || Cloud::ALL
            .iter()
            .any(|cloud| is_host(cloud.authority(), host) || cloud.names().other_authorities.contains(&host))
}

fn is_host(url: &str, host: &str) -> bool {
    url.strip_prefix("https://") == Some(host)
}

/// Whether a host is this one, or one of those that its owner gives names to.
#[must_use]
pub fn is_at_or_below(host: &str, known: &str) -> bool {
    host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The port of the known hosts.
pub const HTTPS: u16 = 443;

/// Whether the host of a URL is a loopback address, by number or as `localhost`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str]) -> AllowedHosts {
        AllowedHosts::new(entries.iter().map(|entry| AllowedHost::parse(entry).unwrap()).collect())
    }

    const ALL: [Service; 4] = [Service::Authority, Service::ResourceManager, Service::Graph, Service::DevOps];

    #[test]
    fn what_is_not_a_host_is_refused() {
        for text in [
            "",
            "https://login.example",
            "login.example/",
            "user@login.example",
            "*.example",
            "login.example:",
            "login.example:x",
            "login.example:99999",
            ":443",
            "a b",
            "a?b",
            // A URL would forget these.
            "login\t.example",
            "login.example\n",
            "login%2eexample",
        ] {
            assert_eq!(AllowedHost::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_loopback_address_is_known_in_every_form() {
        for (url, expected) in [
            ("https://127.0.0.1:8443/", true),
            ("https://127.9.9.9/", true),
            ("https://[::1]/", true),
            ("https://LOCALHOST/", true),
            ("https://10.0.0.1/", false),
            ("https://[::2]/", false),
            ("https://localhost.evil.example/", false),
            ("data:x", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn without_an_entry_only_the_known_hosts_are_admitted_and_only_as_what_they_are() {
        let none = AllowedHosts::default();
        for (host, service) in [
            ("login.microsoftonline.com", Service::Authority),
            ("login.chinacloudapi.cn", Service::Authority),
            ("management.azure.com", Service::ResourceManager),
            ("graph.microsoft.us", Service::Graph),
            ("dev.azure.com", Service::DevOps),
            ("vsrm.dev.azure.com", Service::DevOps),
            ("contoso.vsrm.visualstudio.com", Service::DevOps),
        ] {
            for asked in ALL {
                assert_eq!(none.admits(asked, host, 443), asked == service, "{host} as {asked:?}");
                assert!(!none.admits(asked, host, 8443), "{host} at another port");
            }
        }
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "login.microsoftonline.com.evil.example",
            "evil-login.microsoftonline.com",
            "evildev.azure.com",
            "evilvisualstudio.com",
            "",
        ] {
            for service in ALL {
                assert!(!none.admits(service, host, 443), "{host} as {service:?}");
            }
        }
    }

    #[test]
    fn an_entry_admits_its_host_and_no_other_with_its_port_or_any() {
        let hosts = allowed(&["LOGIN.Stack.example", "127.0.0.1:8443", "[::1]:443", "adfs.example:443"]);
        for service in ALL {
            assert!(hosts.admits(service, "login.stack.example", 443));
            assert!(hosts.admits(service, "login.stack.example", 30024));
            assert!(hosts.admits(service, "127.0.0.1", 8443) && !hosts.admits(service, "127.0.0.1", 443));
            assert!(hosts.admits(service, "[::1]", 443) && !hosts.admits(service, "[::1]", 8443));
            assert!(!hosts.admits(service, "adfs.example", 8443));
            assert!(!hosts.admits(service, "stack.example", 443));
            assert!(!hosts.admits(service, "x.login.stack.example", 443));
        }
    }
}
