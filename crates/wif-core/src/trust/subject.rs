//! The issuers and subjects of id tokens, taken apart into what a person can compare.
//!
//! The agent masks the issuer and the subject of a connection as whole strings, so they are shown in parts.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::foreign_text::ForeignText;

/// The signer of an id token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Azure DevOps itself, for one organization. Retired on 2027-07-01 for the public cloud.
    AzureDevOps {
        /// The organization's id.
        organization: ForeignText,
    },
    /// Entra, for one tenant.
    Entra {
        /// The authority's host.
        host: ForeignText,
        /// The tenant that the token was issued in.
        tenant: Uuid,
    },
    /// Another issuer.
    Other(ForeignText),
}

/// The subject of an id token, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `sc://organization/project/connection`: by names, so that a rename breaks the trust.
    Names {
        /// The organization's name.
        organization: ForeignText,
        /// The project's name.
        project: ForeignText,
        /// The connection's name.
        connection: ForeignText,
    },
    /// `/eid1/c/<cloud>/t/<tenant>/a/<application>/sc/<organization>/<connection>`: by ids.
    Ids {
        /// The cloud's code, and the tenant and the application as they are written.
        written: [ForeignText; 3],
        /// The tenant.
        tenant: Uuid,
        /// The application: Azure DevOps.
        application: Uuid,
        /// The organization's id.
        organization: Uuid,
        /// The connection's id.
        connection: Uuid,
    },
    /// Another form.
    Other(ForeignText),
}

impl Issuer {
    /// Takes an issuer apart. Never fails: what is not known is `Other`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = || {
            let rest = text.strip_prefix("https://")?;
            if let Some(organization) = rest.strip_prefix("vstoken.dev.azure.com/") {
                return Some(Self::AzureDevOps { organization: organization.into() });
            }
            let (host, path) = rest.split_once('/')?;
            let tenant = Uuid::try_parse(path.strip_suffix("/v2.0")?).ok()?;
            Some(Self::Entra { host: host.into(), tenant })
        };
        known().unwrap_or_else(|| Self::Other(text.into()))
    }

    /// The tenant that a token of Entra was issued in.
    #[must_use]
    pub const fn tenant(&self) -> Option<Uuid> {
        match self {
            Self::Entra { tenant, .. } => Some(*tenant),
            Self::AzureDevOps { .. } | Self::Other(_) => None,
        }
    }

    /// Label and value of each part.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, ForeignText)> {
        match self {
            Self::AzureDevOps { organization } => vec![
                ("issuer", "https://vstoken.dev.azure.com (Azure DevOps)".into()),
                ("issuer organization", organization.clone()),
            ],
            Self::Entra { host, tenant } => {
                vec![
                    ("issuer", format!("https://{} (Entra)", host.raw()).into()),
                    ("issuer tenant", tenant.to_string().into()),
                    ("issuer version", "v2.0".into()),
                ]
            }
            Self::Other(text) => segments("issuer", text.raw()),
        }
    }
}

impl Subject {
    /// Takes a subject apart. Never fails: what is not known is `Other`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        names(text).or_else(|| ids(text)).unwrap_or_else(|| Self::Other(text.into()))
    }

    /// Label and value of each part.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, ForeignText)> {
        match self {
            Self::Names { organization, project, connection } => vec![
                ("subject organization", organization.clone()),
                ("subject project", project.clone()),
                ("subject connection", connection.clone()),
            ],
            Self::Ids { written: [cloud, t, a], tenant, application, organization, connection } => vec![
                ("subject cloud", cloud.clone()),
                ("subject tenant", format!("{} ({tenant})", t.raw()).into()),
                ("subject application", format!("{} ({application})", a.raw()).into()),
                ("subject organization", organization.to_string().into()),
                ("subject connection", connection.to_string().into()),
            ],
            Self::Other(text) => segments("subject", text.raw()),
        }
    }
}

fn names(text: &str) -> Option<Subject> {
    let mut parts = text.strip_prefix("sc://")?.splitn(3, '/').map(ForeignText::from);
    Some(Subject::Names { organization: parts.next()?, project: parts.next()?, connection: parts.next()? })
}

fn ids(text: &str) -> Option<Subject> {
    let parts: Vec<_> = text.split('/').collect();
    let ["", "eid1", "c", cloud, "t", tenant, "a", application, "sc", organization, connection] =
        *parts.as_slice()
    else {
        return None;
    };
    Some(Subject::Ids {
        written: [cloud, tenant, application].map(ForeignText::from),
        tenant: little_endian(tenant)?,
        application: little_endian(application)?,
        organization: Uuid::try_parse(organization).ok()?,
        connection: Uuid::try_parse(connection).ok()?,
    })
}

/// A GUID as .NET's `Guid.ToByteArray` lays it out, in base64url.
fn little_endian(text: &str) -> Option<Uuid> {
    Some(Uuid::from_bytes_le(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
}

fn segments(label: &'static str, text: &str) -> Vec<(&'static str, ForeignText)> {
    text.split('/').filter(|part| !part.is_empty()).map(|part| (label, part.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_form_is_shown_in_segments() {
        assert_eq!(Subject::parse("p://a/b/c"), Subject::Other("p://a/b/c".into()));
        let parts = Subject::parse("p://a/b/c").parts();
        assert_eq!(parts.iter().map(|(_, value)| value.raw()).collect::<Vec<_>>(), ["p:", "a", "b", "c"]);
        for text in ["sc://a/b", "/eid1/c/pub/t/x/a/y/sc/z", "", "https://x"] {
            assert!(matches!(Subject::parse(text), Subject::Other(_)), "{text}");
            assert!(matches!(Issuer::parse(text), Issuer::Other(_)), "{text}");
        }
    }

    #[test]
    fn names_are_told_apart_and_a_slash_belongs_to_the_connection() {
        let Subject::Names { organization, project, connection } =
            Subject::parse("sc://contoso/Platform/a/b")
        else {
            panic!("names");
        };
        assert_eq!([organization.raw(), project.raw(), connection.raw()], ["contoso", "Platform", "a/b"]);
    }

    #[test]
    fn the_tenant_in_a_subject_of_entra_is_decoded() {
        let application = Uuid::try_parse("499b84ac-1321-427f-aa17-267ca6975798").unwrap();
        assert_eq!(little_endian("rISbSSETf0KqFyZ8ppdXmA"), Some(application));
        let id = "11111111-2222-3333-4444-555555555555";
        let subject = format!("/eid1/c/pub/t/rISbSSETf0KqFyZ8ppdXmA/a/rISbSSETf0KqFyZ8ppdXmA/sc/{id}/{id}");
        let Subject::Ids { tenant, connection, .. } = Subject::parse(&subject) else { panic!("ids") };
        assert_eq!(tenant, application);
        assert_eq!(connection.to_string(), id);
    }

    #[test]
    fn both_issuers_are_known() {
        let tenant = "11111111-2222-3333-4444-555555555555";
        let issuer = Issuer::parse(&format!("https://login.microsoftonline.com/{tenant}/v2.0"));
        assert_eq!(issuer.tenant().unwrap().to_string(), tenant);
        assert_eq!(
            Issuer::parse("https://vstoken.dev.azure.com/abc"),
            Issuer::AzureDevOps { organization: "abc".into() },
        );
    }
}
