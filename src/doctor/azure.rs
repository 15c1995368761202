//! What the identity is for: the subscription, and the roles in it.

use std::sync::Arc;

use uuid::Uuid;
use wif_azure::resource_manager::{ResourceManager, Role};
use wif_core::{azure::hosts, code::Code, failure::Failure, foreign_text::identifier, refusals};

use super::{
    connection::{ReadService, how_to_read},
    diagnosis::{ARM_TOKEN, Diagnosis, Evidence, Service},
    report::{NO_FACTS, Topic},
    trust::{describe_read_error, not_sent},
};
use crate::agent::{addresses::Addresses, connection::Connection};

impl Diagnosis<'_> {
    /// Whether the identity sees its subscription, and by which roles.
    pub(super) async fn subscription(
        &mut self,
        connection: &Connection,
        addresses: &Addresses,
        known: &Evidence,
    ) {
        let token = known.arm.clone().or_else(|| self.env.secret(ARM_TOKEN));
        let reason = match (&connection.subscription, &token) {
            (None, _) => "the connection has no subscription".to_owned(),
            _ if !self.network.reaches(Service::ResourceManager) => {
                "Azure Resource Manager is not reached".to_owned()
            }
            _ if !self.may_get_tokens(hosts::Service::ResourceManager, &addresses.resource_manager) => {
                not_sent(&addresses.resource_manager)
            }
            (_, None) if known.exchanged == Some(false) => "there is no access token".to_owned(),
            (_, None) => how_to_read(ReadService::ResourceManager, connection),
            (Some(subscription), Some(token)) => {
                let base = &addresses.resource_manager;
                let http = Arc::clone(&self.http);
                let arm = ResourceManager { http: &http, deadline: self.deadline, base, token };
                return self.check_subscription(&arm, subscription.id, known).await;
            }
        };
        self.report.skipped(Topic::Subscription, reason.clone());
        self.report.skipped(Topic::Roles, reason);
    }

    async fn check_subscription(&mut self, arm: &ResourceManager<'_>, subscription: Uuid, known: &Evidence) {
        match arm.subscription(subscription).await {
            Ok(found) => self.report_subscription_state(&found.state),
            Err(error) => {
                self.report.fault(Topic::Subscription, error, NO_FACTS);
                return self.report.skipped(Topic::Roles, "the subscription cannot be read");
            }
        }
        let Some(object) = known.object else {
            return self.report.skipped(Topic::Roles, "the identity's object id is not known");
        };
        match arm.roles(subscription, object).await {
            Ok(roles) if roles.is_empty() && known.arm.is_none() => {
                self.report.knows("<object id>", &object);
                self.report.knows("<scope>", &format_args!("/subscriptions/{subscription}"));
                let error = "the identity holds no role of its own in the subscription";
                let failure = refusals::named("AuthorizationFailed").map_or_else(
                    || Failure::new(Code::RoleMissing, error, "assign the identity a role"),
                    |known| Failure::new(known.code, error, known.remedy).with_command(Some(known.command)),
                );
                self.report.fault(Topic::Roles, failure, vec![format!("object id {object}")]);
            }
            Ok(roles) if roles.is_empty() => {
                self.report
                    .good(Topic::Roles, vec!["none of its own: those of a group, or of above".to_owned()]);
            }
            Ok(roles) => {
                let facts = roles.iter().map(|Role { name, scope }| format!("{name} at {scope}"));
                self.report.good(Topic::Roles, facts);
            }
            Err(error) => self.report.skipped(Topic::Roles, describe_read_error(&error)),
        }
    }

    fn report_subscription_state(&mut self, state: &str) {
        let shown = identifier(state, 40).unwrap_or_else(|| "unknown".to_owned());
        let failure = || {
            let error = format!("the subscription's state is {shown}");
            let known = refusals::named("ReadOnlyDisabledSubscription");
            known.map_or_else(
                || Failure::new(Code::SubscriptionUnusable, error.clone(), "have its owner enable it"),
                |known| {
                    Failure::new(known.code, error.clone(), known.remedy).with_command(Some(known.command))
                },
            )
        };
        match state {
            "Enabled" => self.report.good(Topic::Subscription, vec!["it is seen and enabled".to_owned()]),
            "Warned" | "PastDue" => self.report.warning(Topic::Subscription, failure(), NO_FACTS),
            _ => self.report.fault(Topic::Subscription, failure(), NO_FACTS),
        }
    }
}
