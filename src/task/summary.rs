//! The log of a step that worked: who we are, which tokens, until when, what was exported.

use std::io;

use time::OffsetDateTime;
use wif_core::{
    exports::{NamedToken, Variable},
    fact::LABEL_WIDTH,
    foreign_text::one_line,
    human_time::format_moment,
    trust::presented::identity_parts,
};

use crate::{
    agent::{commands::Commands, connection::Connection},
    sign_in::{IdToken, SignedIn},
};

/// The longest line, in characters: the names of all variables may be many.
const MAX_LINE: usize = 10_000;

pub(super) struct Summary<'a> {
    pub(super) connection: &'a Connection,
    pub(super) signed_in: &'a SignedIn,
    pub(super) tokens: &'a [NamedToken],
    pub(super) exported: &'a [Variable],
    /// What finds them: later steps, or a script alone.
    pub(super) audience: &'a str,
    pub(super) now: OffsetDateTime,
}

impl Summary<'_> {
    pub(super) fn write(&self, commands: &mut Commands<'_>) -> io::Result<()> {
        let Connection { identity, subscription, scheme, .. } = self.connection;
        commands.line(&format!("Signed in to Azure with the scheme {scheme}"))?;
        let mut line = |label: &str, value: &str| {
            commands.line(&one_line(&format!("  {label:<LABEL_WIDTH$}{value}"), MAX_LINE))
        };
        line("tenant", &identity.tenant.to_string())?;
        if let Some(client) = self.signed_in.client {
            line("client", &client.to_string())?;
        }
        if let Some(subscription) = subscription {
            let name = subscription.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            line("subscription", &format!("{}{name}", subscription.id))?;
        }
        if let Some(IdToken { claims, .. }) = &self.signed_in.id_token {
            for (label, value) in identity_parts(claims) {
                line(label, &value.to_string())?;
            }
            line("id token until", &format_moment(claims.expires, self.now))?;
        }
        for NamedToken { variable, resource, expires, .. } in self.tokens {
            line(variable, &format!("{resource} until {}", format_moment(*expires, self.now)))?;
        }
        let names: Vec<_> = self.exported.iter().map(|variable| variable.name.as_str()).collect();
        let label = if self.audience == "the script" { "for the script" } else { "exported" };
        line(label, &names.join(", "))
    }
}
