//! The checks of a source that is no service connection.

use std::sync::Arc;

use wif_azure::identity::Credential;
use wif_core::{
    azure::resource::Resource, fact::Fact, foreign_text::ForeignText, human_time::format_moment,
    secret::Secret, trust::presented::identity_parts,
};

use super::{
    report::{NO_FACTS, Report, Topic},
    targets::{Presented, TargetChecks, with_resources_of},
};
use crate::{
    sign_in::{SIGN_IN_TIMEOUT, SignIn},
    sources::WithIdToken,
    targets::TargetSet,
};
use wif_io::clock::Deadline;

/// Asks for an id token, and exchanges it: at Entra, and with other clouds.
pub(crate) async fn of_source(sign_in: &SignIn<'_>, resources: &[Resource], set: &TargetSet) -> Report {
    let audiences = &sign_in.identity.audiences;
    let resources = with_resources_of(set, audiences, resources);
    let mut report = Report::default();
    let (clock, now) = (sign_in.http.clock(), sign_in.http.clock().now());
    let deadline = Deadline::after(clock, SIGN_IN_TIMEOUT);
    let mut id_token_at_hand = None;
    if matches!(sign_in.identity.credential, Credential::Federated { .. }) {
        match sign_in.request_id_token(deadline, &mut |_| Ok(())).await {
            Ok(id_token) => {
                let parts = identity_parts(&id_token.claims).into_iter();
                let signer = Fact::new("signed by", sign_in.source.signer());
                let facts =
                    std::iter::once(signer).chain(parts.map(|(label, value)| Fact::new(label, value)));
                let until = format_moment(id_token.claims.expires, now);
                let audience = ForeignText::join(&id_token.claims.audiences);
                let facts = facts.chain([Fact::new("audience", audience), Fact::new("lives until", until)]);
                report.good(Topic::IdToken, facts);
                id_token_at_hand = Some(id_token.token);
            }
            Err(error) => {
                report.fault(Topic::IdToken, error, NO_FACTS);
                report.skipped(Topic::Exchange, "there is no id token");
                return report;
            }
        }
    } else {
        report.skipped(Topic::IdToken, "the machine's own identity needs none");
    }
    // The token that the report tells of is the one that is exchanged.
    let source = WithIdToken { source: sign_in.source, id_token: id_token_at_hand.clone() };
    let exchange = SignIn {
        http: Arc::clone(&sign_in.http),
        env: sign_in.env,
        identity: sign_in.identity,
        source: &source,
        listing: sign_in.listing,
    };
    let mut access_tokens: Vec<(Resource, Secret)> = Vec::new();
    match exchange.run(&resources, &mut |_| Ok(())).await {
        Ok(signed_in) => {
            let granted = resources.iter().zip(&signed_in.access_tokens);
            let facts = granted.map(|(resource, access)| {
                Fact::new("access token", format!("{resource} until {}", format_moment(access.expires, now)))
            });
            report.good(Topic::Exchange, facts);
            let tokens = signed_in.access_tokens.into_iter().map(|access| access.token);
            access_tokens = resources.into_iter().zip(tokens).collect();
        }
        Err(error) => report.fault(Topic::Exchange, error, NO_FACTS),
    }
    let presented = Presented {
        id_token: id_token_at_hand.as_ref(),
        source: Some(sign_in.source).filter(|source| source.takes_audience()),
        access_tokens: &access_tokens,
    };
    let (http, tenant) = (&sign_in.http, sign_in.identity.tenant);
    let checks = TargetChecks { http, deadline, set, tenant, audiences, presented };
    checks.run(&mut report, &mut |_| Ok(())).await;
    report
}
