//! `$filter`, `$expand`, `$select` and pages, as far as clients that look for applications use them.

use serde_json::Value;
use uuid::Uuid;

use crate::services::graph::objects::{Set, owner};
use crate::services::graph::refusal::Refusal;
use crate::services::request::value;
use crate::world::directory::entra::App;

/// Which objects of a set are meant.
pub(super) enum Filter {
    All,
    AppIds(Vec<Uuid>),
    Names {
        prefix: bool,
        text: String,
    },
    /// `federatedIdentityCredentials/any(f:startsWith(f/issuer,'…'))`
    Trusts {
        subject: bool,
        prefix: bool,
        text: String,
    },
}

/// The most alternatives in one filter.
const MAX_ALTERNATIVES: usize = 15;

impl Filter {
    pub(super) fn parse(query: &[(String, String)], is_eventual: bool) -> Result<Self, Refusal> {
        let Some(filter) = value(query, "$filter") else { return Ok(Self::All) };
        let filter = filter.trim();
        if let Some(list) = filter.strip_prefix("appId in (").and_then(|rest| rest.strip_suffix(')')) {
            let ids: Vec<_> = list.split(',').map(|id| id.trim().trim_matches('\'')).collect();
            if ids.len() > MAX_ALTERNATIVES {
                let message = format!(
                    "Too many child clauses specified in search filter expression containing 'OR' operators: {}. Max \
                     allowed: {MAX_ALTERNATIVES}.",
                    ids.len()
                );
                return Err((400, "Request_UnsupportedQuery", message));
            }
            return Ok(Self::AppIds(ids.into_iter().filter_map(|id| Uuid::try_parse(id).ok()).collect()));
        }
        if let Some(id) = filter.strip_prefix("appId eq ") {
            return Ok(Self::AppIds(Uuid::try_parse(id.trim_matches('\'')).into_iter().collect()));
        }
        if let Some((prefix, text)) = comparison(filter, "displayName") {
            return Ok(Self::Names { prefix, text });
        }
        let inner = filter
            .strip_prefix("federatedIdentityCredentials/any(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.split_once(':'));
        let parsed = inner.and_then(|(name, inner)| {
            let of = |field: &str| comparison(inner, &format!("{name}/{field}"));
            let issuer = of("issuer").map(|(prefix, text)| Self::Trusts { subject: false, prefix, text });
            issuer
                .or_else(|| of("subject").map(|(prefix, text)| Self::Trusts { subject: true, prefix, text }))
        });
        let parsed = parsed
            .ok_or_else(|| (400, "Request_BadRequest", format!("Invalid filter clause: '{filter}'.")))?;
        if !is_eventual || value(query, "$count") != Some("true") {
            return Err((
                400,
                "Request_UnsupportedQuery",
                "Operator 'Any' is not supported without the ConsistencyLevel header and $count=true."
                    .to_owned(),
            ));
        }
        Ok(parsed)
    }

    pub(super) fn takes(&self, app: &App, set: Set) -> bool {
        let compare = |prefix: bool, text: &str, value: &str| {
            let (text, value) = (text.to_lowercase(), value.to_lowercase());
            if prefix { value.starts_with(&text) } else { value == text }
        };
        match self {
            Self::All => true,
            Self::AppIds(ids) => ids.contains(&app.client_id),
            Self::Names { prefix, text } => compare(*prefix, text, &app.name()),
            Self::Trusts { subject, prefix, text } => set.credentials(app).iter().any(|one| {
                let value = if *subject { &one["subject"] } else { &one["issuer"] };
                value.as_str().is_some_and(|value| compare(*prefix, text, value))
            }),
        }
    }
}

/// `startsWith(FIELD,'text')` or `FIELD eq 'text'`.
fn comparison(text: &str, field: &str) -> Option<(bool, String)> {
    let quoted = |text: &str| Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"));
    let lower = text.to_lowercase();
    if lower.starts_with("startswith(") {
        let inner = text.get("startswith(".len()..)?.strip_suffix(')')?;
        let (name, value) = inner.split_once(',')?;
        return (name.trim() == field).then_some(()).and_then(|()| quoted(value)).map(|text| (true, text));
    }
    let value = text.strip_prefix(field)?.strip_prefix(" eq ")?;
    quoted(value).map(|text| (false, text))
}

/// The object with what `$expand` adds and `$select` leaves.
pub(super) fn shape(app: &App, set: Set, query: &[(String, String)]) -> Result<Value, Refusal> {
    let mut object = set.object(app);
    if let Some(fields) = value(query, "$select") {
        retain(&mut object, fields);
    }
    let Some(expand) = value(query, "$expand") else { return Ok(object) };
    let (name, options) = expand.split_once('(').unwrap_or((expand, ""));
    if options.is_empty() && expand.contains(',') || options.contains("),") {
        let message = "Expand is not supported with more than one property.".to_owned();
        return Err((400, "Request_BadRequest", message));
    }
    let mut list = match name {
        "federatedIdentityCredentials" => set.credentials(app),
        // An expanded property has twenty objects at most, and says nothing of the others.
        "owners" => app.record.owners.iter().take(20).map(owner).collect(),
        _ => {
            let message = format!("Could not find a property named '{name}' on the type.");
            return Err((400, "Request_BadRequest", message));
        }
    };
    if let Some(fields) = options.trim_end_matches(')').strip_prefix("$select=") {
        for one in &mut list {
            retain(one, fields);
        }
    }
    object[name] = Value::Array(list);
    Ok(object)
}

fn retain(object: &mut Value, fields: &str) {
    if let Some(object) = object.as_object_mut() {
        object.retain(|name, _| name.starts_with('@') || fields.split(',').any(|field| field.trim() == name));
    }
}
