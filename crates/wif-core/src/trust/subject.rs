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
    /// The form of another issuer: a repository, a service account, a workload.
    Labeled {
        /// What it names.
        form: Form,
        /// Label and value of each part.
        parts: Vec<(&'static str, ForeignText)>,
    },
    /// Another form.
    Other(ForeignText),
}

/// What a subject of another issuer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `repo:<owner>/<repository>:…` of GitHub Actions and Forgejo.
    Repository,
    /// `repo:<owner>@<id>/<repository>@<id>:…` of GitHub Actions, since 2026.
    NumberedRepository,
    /// `project_path:<group>/<project>:ref_type:<type>:ref:<ref>` of GitLab.
    Project,
    /// `system:serviceaccount:<namespace>:<name>` of Kubernetes.
    ServiceAccount,
    /// `spiffe://<trust domain>/<path>`.
    Workload,
    /// `arn:aws:iam::<account>:role/<name>` of AWS.
    Role,
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
        names(text)
            .or_else(|| ids(text))
            .or_else(|| labeled(text))
            .unwrap_or_else(|| Self::Other(text.into()))
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
            Self::Labeled { parts, .. } => parts.clone(),
            Self::Other(text) => segments("subject", text.raw()),
        }
    }
}

/// The forms of other issuers, as their documentation has them.
fn labeled(text: &str) -> Option<Subject> {
    let made = |form, parts: Vec<(&'static str, &str)>| {
        // What is empty is no such subject.
        let whole = parts.iter().all(|(_, value)| !value.is_empty());
        let parts = parts.into_iter().map(|(label, value)| (label, value.into())).collect();
        whole.then_some(Subject::Labeled { form, parts })
    };
    if let Some(rest) = text.strip_prefix("repo:") {
        let (repository, rest) = rest.split_once(':')?;
        let (owner, name) = repository.split_once('/')?;
        let what = match rest.split_once(':') {
            Some(("ref", value)) => ("subject ref", value),
            Some(("environment", value)) => ("subject environment", value),
            None => ("subject event", rest),
            Some(_) => ("subject rest", rest),
        };
        return match (owner.rsplit_once('@'), name.rsplit_once('@')) {
            (Some((owner, owner_id)), Some((name, id))) => made(
                Form::NumberedRepository,
                vec![
                    ("subject owner", owner),
                    ("subject owner id", owner_id),
                    ("subject repository", name),
                    ("subject repository id", id),
                    what,
                ],
            ),
            _ => made(Form::Repository, vec![("subject owner", owner), ("subject repository", name), what]),
        };
    }
    if let Some(rest) = text.strip_prefix("project_path:") {
        let (project, rest) = rest.split_once(":ref_type:")?;
        let (kind, name) = rest.split_once(":ref:")?;
        let parts = vec![("subject project", project), ("subject ref type", kind), ("subject ref", name)];
        return made(Form::Project, parts);
    }
    if let Some(rest) = text.strip_prefix("system:serviceaccount:") {
        let (namespace, name) = rest.split_once(':')?;
        let parts = vec![("subject namespace", namespace), ("subject service account", name)];
        return made(Form::ServiceAccount, parts);
    }
    if let Some(rest) = text.strip_prefix("spiffe://") {
        let (domain, path) = rest.split_once('/')?;
        return made(Form::Workload, vec![("subject trust domain", domain), ("subject path", path)]);
    }
    let (account, role) = text.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    made(Form::Role, vec![("subject account", account), ("subject role", role)])
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
    fn the_subjects_of_other_issuers_are_taken_apart_and_named() {
        for (text, form, expected) in [
            (
                "repo:contoso/shop:ref:refs/heads/main",
                Form::Repository,
                &[("owner", "contoso"), ("repository", "shop"), ("ref", "refs/heads/main")][..],
            ),
            (
                "repo:contoso/shop:environment:prod",
                Form::Repository,
                &[("owner", "contoso"), ("repository", "shop"), ("environment", "prod")],
            ),
            (
                "repo:contoso/shop:pull_request",
                Form::Repository,
                &[("owner", "contoso"), ("repository", "shop"), ("event", "pull_request")],
            ),
            (
                "repo:contoso@1234/shop@99:ref:refs/tags/v1",
                Form::NumberedRepository,
                &[
                    ("owner", "contoso"),
                    ("owner id", "1234"),
                    ("repository", "shop"),
                    ("repository id", "99"),
                    ("ref", "refs/tags/v1"),
                ],
            ),
            (
                "project_path:contoso/group/shop:ref_type:branch:ref:main",
                Form::Project,
                &[("project", "contoso/group/shop"), ("ref type", "branch"), ("ref", "main")],
            ),
            (
                "system:serviceaccount:shop:orders",
                Form::ServiceAccount,
                &[("namespace", "shop"), ("service account", "orders")],
            ),
            (
                "spiffe://contoso.example/ns/shop/sa/orders",
                Form::Workload,
                &[("trust domain", "contoso.example"), ("path", "ns/shop/sa/orders")],
            ),
            (
                "arn:aws:iam::123456789012:role/ci/deploy",
                Form::Role,
                &[("account", "123456789012"), ("role", "ci/deploy")],
            ),
        ] {
            let Subject::Labeled { form: found, parts } = Subject::parse(text) else { panic!("{text}") };
            let parts: Vec<_> = parts
                .iter()
                .map(|(label, value)| (label.trim_start_matches("subject "), value.raw()))
                .collect();
            assert_eq!((found, parts.as_slice()), (form, expected), "{text}");
        }
        for text in [
            "repo:contoso",
            "repo:/shop:x",
            "system:serviceaccount:shop",
            "spiffe://contoso.example",
            "arn:aws:iam::1:user/x",
        ] {
            assert!(matches!(Subject::parse(text), Subject::Other(_)), "{text}");
        }
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
