//! An id token in an environment variable, which was put there once: GitLab CI, Bitbucket, HCP Terraform and others.
//!
//! Source: GitLab's documentation, "ID tokens".

use wif_core::{
    foreign_text::one_line,
    secret::Secret,
    token::claims::{Unverified, Validity},
};
use wif_io::{clock::Deadline, env::Env, http::Http};

use super::{
    Fetched, IdTokenSource,
    error::{SourceError, shown},
    fetched,
    usable::{Origin, check},
};

/// GitLab sets it in every job.
pub(super) const IN_GITLAB: &str = "GITLAB_CI";
/// The longest name that an error shows, in characters.
const MAX_NAME: usize = 100;

/// One token, until it ends.
#[derive(Debug)]
pub(super) struct Variable {
    signer: &'static str,
    name: String,
    token: Secret,
    is_gitlab: bool,
}

impl Variable {
    /// The token in the variable of this name.
    pub(super) fn named(env: &Env, name: &str) -> Result<Self, SourceError> {
        let is_gitlab = env.is_true(IN_GITLAB);
        let shown = one_line(name, MAX_NAME);
        let absent = || SourceError::Absent {
            signer: "the variable",
            missing: format!("{shown} is not set"),
            mend: if is_gitlab {
                gitlab_mend(&shown, "api://AzureADTokenExchange")
            } else {
                format!("set {shown} to an id token, or name another variable: --source env:NAME")
            },
        };
        let token = env.secret(name).ok_or_else(absent)?;
        let signer = if is_gitlab { "GitLab" } else { "the variable's author" };
        Ok(Self { signer, name: shown, token: trimmed(&token), is_gitlab })
    }

    /// The one token of a GitLab job for this audience.
    pub(super) fn of_gitlab(env: &Env, audience: &str) -> Result<Self, SourceError> {
        let mut others = Vec::new();
        let mut fitting = Vec::new();
        for (name, claims) in tokens(env) {
            if claims.audiences.iter().any(|one| one.raw() == audience) {
                fitting.push(name);
            } else {
                others.push(format!("{} (audience {})", one_line(name, MAX_NAME), shown(&claims.audiences)));
            }
        }
        fitting.sort_unstable();
        others.sort_unstable();
        match *fitting {
            [name] => Self::named(env, name),
            [] => {
                let missing = if others.is_empty() {
                    "no variable holds a JSON web token".to_owned()
                } else {
                    format!(
                        "of the variables that hold a JSON web token, none is for the audience {audience}: {}",
                        others.join(", ")
                    )
                };
                Err(SourceError::Absent {
                    signer: "GitLab",
                    missing,
                    mend: gitlab_mend("AZURE_ID_TOKEN", audience),
                })
            }
            _ => {
                let names: Vec<_> = fitting.iter().map(|name| one_line(name, MAX_NAME)).collect();
                Err(SourceError::Ambiguous {
                    found: format!("{} are all for the audience {audience}", names.join(", ")),
                    mend: format!(
                        "name one of them: --source env:{}",
                        names.first().map_or("NAME", String::as_str)
                    ),
                })
            }
        }
    }

    fn usable(&self, http: &Http, audience: &str) -> Result<Secret, SourceError> {
        let place = format!("in the variable {}", self.name);
        let audience_mend = if self.is_gitlab {
            gitlab_mend(&self.name, audience)
        } else {
            format!("have the token issued for the audience {audience}, or name another one with --audience")
        };
        let algorithm = "let its issuer sign by RSA (RS256)";
        let claims =
            check(&self.token, audience, &Origin { place: &place, audience: audience_mend, algorithm })?;
        if let Validity::Ended(ago) = claims.validity(http.clock().now()) {
            let mend = if self.is_gitlab {
                "raise the job's `timeout:`, as long as which an id token of `id_tokens:` lives, or begin the command earlier in the job".to_owned()
            } else {
                format!(
                    "have {} set anew before the command begins; name every resource with --access-tokens or --allowed-resources, so that it is asked for at once",
                    self.name
                )
            };
            return Err(SourceError::Ended { signer: self.signer, place, ago, mend });
        }
        Ok(self.token.clone())
    }
}

/// The variables that hold something with the claims of an id token.
pub(super) fn tokens(env: &Env) -> impl Iterator<Item = (&str, Unverified)> {
    env.iter().filter(|(_, value)| value.starts_with("eyJ")).filter_map(|(name, value)| {
        Some((name, Unverified::read(&trimmed(&Secret::new(value.to_owned()))).ok()?))
    })
}

fn gitlab_mend(name: &str, audience: &str) -> String {
    format!("give the job an id token: `id_tokens: {{ {name}: {{ aud: {audience} }} }}`")
}

/// A line end after a token is no part of it.
pub(super) fn trimmed(token: &Secret) -> Secret {
    Secret::new(token.expose().trim().to_owned())
}

impl IdTokenSource for Variable {
    fn signer(&self) -> &'static str {
        self.signer
    }

    fn takes_audience(&self) -> bool {
        false
    }

    fn fetch<'a>(&'a self, http: &'a Http, _deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(async move { self.usable(http, audience) })
    }
}
