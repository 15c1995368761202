//! Vault and `OpenBao`: an auth method for each issuer, since one mount has one issuer.
//!
//! Source: Vault's documentation, "JWT/OIDC auth method (API)"; the provider hashicorp/vault, `vault_jwt_auth_backend`,
//! `vault_jwt_auth_backend_role`.

use super::{
    issuers::Trusted,
    quoted::{shell, terraform, terraform_list},
};

/// The auth method that is to trust.
#[derive(Clone, Debug)]
pub struct VaultMethod {
    /// Its address.
    pub address: Option<String>,
    /// Its path, without slashes around it.
    pub mount: Option<String>,
    /// The role.
    pub role: Option<String>,
}

/// A reserved address, which leads to no Vault (RFC 2606).
const UNKNOWN: &str = "https://vault.example";

impl VaultMethod {
    /// The audience of an id token from a source that lets one choose.
    pub(super) fn audience(&self) -> &str {
        self.address.as_deref().unwrap_or(UNKNOWN)
    }

    fn role(&self) -> &str {
        self.role.as_deref().unwrap_or("ROLE")
    }

    /// The path for an issuer.
    fn mount_of(&self, one: &Trusted) -> String {
        format!("{}{}", self.mount.as_deref().unwrap_or("jwt"), one.suffix())
    }

    fn by_hand(&self, one: &Trusted) -> String {
        let (mount, issuer) = (self.mount_of(one), shell(&one.issuer));
        let next = if one.is_next() {
            format!("# one mount has one issuer: the input vaultMount is {mount} from then on\n")
        } else {
            String::new()
        };
        format!(
            "# {}\n{next}vault auth enable -path {mount} jwt\nvault write auth/{mount}/config oidc_discovery_url={issuer} bound_issuer={issuer}\nvault write auth/{mount}/role/{} role_type=jwt user_claim=sub bound_subject={} bound_audiences={} token_policies=POLICY token_ttl=20m",
            one.heading(),
            self.role(),
            shell(&one.subject),
            shell(&one.audiences.join(",")),
        )
    }

    fn in_terraform(&self, one: &Trusted) -> String {
        let name = format!("wif{}", one.suffix().replace('-', "_"));
        let issuer = terraform(&one.issuer);
        format!(
            "resource \"vault_jwt_auth_backend\" \"{name}\" {{\n  path               = {}\n  oidc_discovery_url = {issuer}\n  bound_issuer       = {issuer}\n}}\n\nresource \"vault_jwt_auth_backend_role\" \"{name}\" {{\n  backend         = vault_jwt_auth_backend.{name}.path\n  role_name       = {}\n  role_type       = \"jwt\"\n  user_claim      = \"sub\"\n  bound_subject   = {}\n  bound_audiences = {}\n  token_policies  = [\"POLICY\"]\n  token_ttl       = 1200\n}}",
            terraform(&self.mount_of(one)),
            terraform(self.role()),
            terraform(&one.subject),
            terraform_list(&one.audiences),
        )
    }
}

/// What is easily taken wrong.
pub(super) fn warnings(vault: &VaultMethod, all: &[Trusted]) -> Vec<String> {
    let stands_in = all.iter().any(|one| one.audiences.iter().any(|audience| audience == UNKNOWN));
    let stands_in = stands_in && vault.address.is_none();
    let said = format!("{UNKNOWN} stands for the address of your Vault: --vault-address names it");
    stands_in.then_some(said).into_iter().collect()
}

/// The commands, for the Vault CLI and for Terraform.
pub(super) fn commands(vault: &VaultMethod, all: &[Trusted]) -> String {
    let by_hand = all.iter().map(|one| vault.by_hand(one));
    let in_terraform = all.iter().map(|one| vault.in_terraform(one));
    let made: Vec<_> = by_hand.chain(["# Terraform".to_owned()]).chain(in_terraform).collect();
    made.join("\n\n")
}
