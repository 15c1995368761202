//! WIF6208: tenant or subscription is gone, renamed or another's.

use crate::{
    rule::{Context, Draft, Entry, Remedy, Rule, command, root_of},
    severity::Severity,
    snapshot::Existence,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6208",
    title: "The tenant or subscription is gone, renamed, or another's",
    severity: Severity::Fault,
    remedy: Remedy::CleanUp,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        tenant(entry, found);
        subscription(context, entry, found);
    }
}

fn tenant(entry: Entry<'_>, found: &mut Vec<Draft>) {
    let Some(id) = entry.connection.tenant else { return };
    let known = entry.organization.tenants.iter().find(|tenant| tenant.id == id);
    if known.is_some_and(|tenant| tenant.existence == Existence::Gone) {
        let finding = Draft::of(entry, Severity::Fault, format!("its tenant {id} does not exist"))
            .key("tenant")
            .evidence("tenant", id)
            .fix("delete the connection, or make it anew for the tenant that is meant", command::page(entry));
        found.push(finding);
    }
}

fn subscription(context: &Context<'_>, entry: Entry<'_>, found: &mut Vec<Draft>) {
    let connection = entry.connection;
    let Some(scope) = connection.scope.as_deref() else { return };
    let Some(known) = context.subscription(scope) else { return };
    let root = root_of(scope);
    let add = |key: &str, severity, detail: String, fix: &str| {
        Draft::of(entry, severity, detail)
            .key(key)
            .evidence("scope", &root)
            .evidence("name", &known.name)
            .evidence("nameInConnection", &connection.scope_name)
            .evidence("tenant", known.tenant)
            .evidence("tenantInConnection", connection.tenant)
            .fix(fix, command::page(entry))
    };
    if known.existence == Existence::Gone {
        let detail = format!("{root} does not exist");
        found.push(add(
            "gone",
            Severity::Fault,
            detail,
            "delete the connection, or make it anew for another scope",
        ));
        return;
    }
    if let (Some(tenant), Some(expected)) = (known.tenant, connection.tenant)
        && tenant != expected
    {
        let detail = format!("{root} belongs to the tenant {tenant}, not to the connection's");
        found.push(add(
            "tenant of subscription",
            Severity::Fault,
            detail,
            "make the connection anew in that tenant",
        ));
    }
    if let (Some(name), Some(stale)) = (&known.name, &connection.scope_name)
        && name != stale
    {
        let detail = format!("its subscription is now named '{name}', the connection says '{stale}'");
        found.push(add(
            "renamed",
            Severity::Note,
            detail,
            "edit and save the connection; with the Azure DevOps issuer, move the issuer first",
        ));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::RULE;
    use crate::{
        severity::Severity,
        snapshot::{
            Existence,
            identity::{Subscription, Tenant},
        },
        testing::{Planted, one},
    };

    #[test]
    fn wif6208_finds_a_tenant_or_subscription_that_is_gone_renamed_or_anothers() {
        let renamed = one(&RULE, |connection, _| connection.scope_name = Some("Old name".to_owned()));
        assert_eq!(renamed.severity, Severity::Note);
        let tenant = one(&RULE, |connection, _| connection.tenant = Some(Uuid::from_u128(3)));
        assert!(tenant.severity == Severity::Fault && tenant.detail.contains("belongs to the tenant"));
        for existence in [Existence::Gone, Existence::Unknown] {
            let mut planted = Planted::new().with(2, |connection, _| {
                connection.scope =
                    Some("/subscriptions/00000000-0000-0000-0000-00000000dead/resourceGroups/x".to_owned());
                connection.tenant = Some(Uuid::from_u128(4));
            });
            planted.0.tenants.push(Tenant { id: Uuid::from_u128(4), existence });
            planted.0.subscriptions.push(Subscription {
                scope: "/subscriptions/00000000-0000-0000-0000-00000000dead".to_owned(),
                existence,
                name: None,
                tenant: None,
                state: None,
            });
            let found = planted.found_by(&RULE);
            assert_eq!(found.len(), if existence == Existence::Gone { 2 } else { 0 });
            assert!(found.iter().all(|one| one.severity == Severity::Fault));
        }
    }
}
