//! The log of a step that worked: three lines, and a group that the page folds with who we are, which tokens, until when, what
//! was exported.

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
    agent::{
        commands::Commands,
        connection::{Connection, Subscription},
    },
    sign_in::{IdToken, SignedIn},
};

/// The longest line, in characters: the names of all variables may be many.
const MAX_LINE: usize = 10_000;

/// A step that signs a script in alone.
const SCRIPT: &str = "the script";

pub(super) struct Summary<'a> {
    pub(super) connection: &'a Connection,
    pub(super) signed_in: &'a SignedIn,
    pub(super) tokens: &'a [NamedToken],
    pub(super) exported: &'a [Variable],
    /// What finds them: later steps, or a script alone.
    pub(super) audience: &'a str,
    /// Whether a broker keeps it alive.
    pub(super) refresh: bool,
    pub(super) now: OffsetDateTime,
}

impl Summary<'_> {
    pub(super) fn write(&self, commands: &mut Commands<'_>) -> io::Result<()> {
        self.headline().iter().try_for_each(|line| commands.line(&one_line(line, MAX_LINE)))?;
        commands.begin_group("What it signed in to, and what it set")?;
        self.details(commands)?;
        commands.end_group()
    }

    /// The lines above the group: how, as whom, for whom and for how long.
    fn headline(&self) -> [String; 3] {
        let Connection { identity, subscription, scheme, .. } = self.connection;
        let client = self.signed_in.client.map(|client| format!("client {client} of "));
        let place = subscription.as_ref().map(|Subscription { id, name }| {
            format!(", subscription {}", name.clone().unwrap_or_else(|| id.to_string()))
        });
        let id_token = self.signed_in.id_token.as_ref().filter(|_| !self.refresh);
        let life = match id_token {
            Some(IdToken { claims, .. }) => {
                format!(", with an id token until {}", format_moment(claims.expires, self.now))
            }
            None if self.refresh && self.audience == SCRIPT => ", renewed until it ends".to_owned(),
            None if self.refresh => ", renewed until the job ends".to_owned(),
            None => String::new(),
        };
        let count = match self.exported.len() {
            1 => "1 variable".to_owned(),
            count => format!("{count} variables"),
        };
        [
            format!("Signed in to Azure with the scheme {scheme}"),
            format!(
                "  as {}tenant {}{}",
                client.unwrap_or_default(),
                identity.tenant,
                place.unwrap_or_default()
            ),
            format!("  for {}: {count}{life}", self.audience),
        ]
    }

    fn details(&self, commands: &mut Commands<'_>) -> io::Result<()> {
        let Connection { identity, subscription, .. } = self.connection;
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
        let label = if self.audience == SCRIPT { "for the script" } else { "exported" };
        line(label, &names.join(", "))
    }
}
