//! An organization of Azure DevOps by the spellings of its URL.

use std::fmt;

use wif_core::azure::hosts::{DEVOPS, HTTPS, OLDER_DEVOPS, is_at_or_below};
use wif_io::endpoint::Endpoint;

/// The organization or server that a URL of Azure DevOps belongs to.
///
/// Azure DevOps Services has two forms, `dev.azure.com/ORG` and `ORG.visualstudio.com`, each with the host of a service
/// before it (`vsrm.dev.azure.com/ORG`, `ORG.vsrm.visualstudio.com`: classic releases). Everything else is a server.
///
/// Source: <https://learn.microsoft.com/azure/devops/organizations/security/allow-list-ip-url>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Organization {
    /// Of Azure DevOps Services: its name, in lower case.
    Services(String),
    /// Of a server of its own: host and port.
    Server(String, u16),
}

impl Organization {
    /// The organization of a URL.
    #[must_use]
    pub(crate) fn of(url: &Endpoint) -> Self {
        let host = url.host();
        let labels = host.strip_suffix(OLDER_DEVOPS).and_then(|labels| labels.strip_suffix('.'));
        let name = match labels {
            Some(labels) => labels.split('.').next(),
            None if is_at_or_below(host, DEVOPS) => url.first_segment(),
            None => None,
        };
        // A host of Services without a name is as a server: equal to itself only.
        match name.filter(|_| url.port() == HTTPS) {
            Some(name) => Self::Services(name.to_ascii_lowercase()),
            None => Self::Server(host.to_owned(), url.port()),
        }
    }
}

impl fmt::Display for Organization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Services(name) => write!(f, "{DEVOPS}/{name}"),
            Self::Server(host, HTTPS) => f.write_str(host),
            Self::Server(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Organization {
        Organization::of(&Endpoint::parse(url).unwrap())
    }

    #[test]
    fn every_spelling_of_one_organization_is_equal() {
        let spellings = [
            "https://dev.azure.com/contoso",
            "https://dev.azure.com/Contoso/project/_apis/x",
            "https://vsrm.dev.azure.com/contoso/",
            "https://contoso.visualstudio.com/",
            "https://CONTOSO.visualstudio.com/DefaultCollection",
            "https://contoso.vsrm.visualstudio.com/",
        ];
        for spelling in spellings {
            assert_eq!(of(spelling), Organization::Services("contoso".to_owned()), "{spelling}");
        }
        assert_eq!(of("https://tfs.example/tfs"), of("https://tfs.example/tfs/DefaultCollection"));
        assert_eq!(of("https://tfs.example:8443/tfs").to_string(), "tfs.example:8443");
    }

    #[test]
    fn others_are_not() {
        let own = of("https://dev.azure.com/contoso");
        for other in [
            "https://dev.azure.com/contoso2",
            "https://dev.azure.com/",
            "https://dev.azure.com:8443/contoso",
            "https://contoso2.visualstudio.com/",
            "https://visualstudio.com/contoso",
            "https://evil.contoso.visualstudio.com.evil.example/",
            "https://contoso.vsrm.visualstudio.com.evil.example/",
            "https://vsrm.contoso.visualstudio.com/",
            "https://evildev.azure.com/contoso",
            "https://dev.azure.com.evil.example/contoso",
            "https://127.0.0.1/contoso",
        ] {
            assert_ne!(of(other), own, "{other}");
        }
        assert_ne!(of("https://127.0.0.1:1"), of("https://127.0.0.1:2"));
        assert_ne!(of("https://tfs.example"), of("https://tfs2.example"));
    }
}
