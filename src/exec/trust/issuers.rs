//! What another party has to trust: the id tokens of today, and those of the issuer that follows.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// What a token says of itself.
pub(super) struct Trusted {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
    pub(super) of: Of,
}

/// Whose the token is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The id token of today.
    Today,
    /// The id token of the issuer that follows.
    Next,
    /// An access token for an application, whatever the issuer of the id token is.
    Application,
}

/// When the second issuer comes.
pub(super) const AFTER: &str =
    "after the connection is converted to Entra's issuer, on 2027-07-01 at the latest";
/// The issuer of Azure DevOps, which ends.
const DEVOPS_ISSUER: &str = "https://vstoken.dev.azure.com/";
/// How the issuers begin that Entra has for each tenant.
const ENTRA_ISSUERS: [&str; 3] =
    ["https://login.", "https://sts.windows.net/", "https://sts.chinacloudapi.cn/"];
/// Azure DevOps as an application of Entra: the authorized party of the id tokens that Entra signs for connections.
pub(super) const DEVOPS: Uuid = Uuid::from_u128(0x499b_84ac_1321_427f_aa17_267c_a697_5798);
/// The audience of these id tokens.
pub(super) const EXCHANGE: &str = "fb60f99c-7a34-4190-8149-302f77469936";

impl Trusted {
    /// What the names of its parts end with, so that both issuers can be trusted at once.
    pub(super) const fn suffix(&self) -> &'static str {
        if self.is_next() { "-entra" } else { "" }
    }

    /// The heading above its commands.
    pub(super) const fn heading(&self) -> &'static str {
        match self.of {
            Of::Today => "today",
            Of::Next => AFTER,
            Of::Application => "before and after the connection is converted to Entra's issuer",
        }
    }

    /// Whether it is the one that follows.
    pub(super) const fn is_next(&self) -> bool {
        matches!(self.of, Of::Next)
    }

    /// Whether the issuer signs for more than this identity.
    pub(super) fn is_of_tenant(&self) -> bool {
        ENTRA_ISSUERS.iter().any(|start| self.issuer.starts_with(start))
    }
}

/// The id tokens that a connection on the Azure DevOps issuer will have: their audience is Entra's own.
pub(super) fn after(issuer: &str, tenant: Uuid, connection: Uuid) -> Option<Trusted> {
    let organization = issuer.strip_prefix(DEVOPS_ISSUER).and_then(|id| Uuid::try_parse(id).ok())?;
    let id = |id: Uuid| URL_SAFE_NO_PAD.encode(id.to_bytes_le());
    Some(Trusted {
        issuer: format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        subject: format!("/eid1/c/pub/t/{}/a/{}/sc/{organization}/{connection}", id(tenant), id(DEVOPS)),
        audiences: vec![EXCHANGE.to_owned()],
        of: Of::Next,
    })
}
