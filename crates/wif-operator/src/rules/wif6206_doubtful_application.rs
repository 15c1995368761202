//! WIF6206: the application is multi-tenant, disabled, deleted, without an owner, or owned by guests only.

use crate::{
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    snapshot::{
        Existence,
        identity::{Identity, IdentityKind},
    },
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6206",
    title: "The application is multi-tenant, disabled, deleted, or without an owner who stays",
    severity: Severity::Warning,
    remedy: Remedy::Replace,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if let Some(identity) = context.identity(entry.connection) {
            judge(context, entry, identity, found);
        }
    }
}

fn judge(context: &Context<'_>, entry: Entry<'_>, identity: &Identity, found: &mut Vec<Draft>) {
    let client = identity.client;
    let mut add = |reason: &str, detail: &str, fix: &str, command: String| {
        let finding = Draft::of(entry, Severity::Warning, detail)
            .key(reason)
            .evidence("reason", reason)
            .evidence("application", &identity.name)
            .evidence("client", client)
            .evidence("signInAudience", &identity.sign_in_audience)
            .fix(fix, command);
        found.push(finding);
    };
    if identity.existence == Existence::Gone {
        if let Some(object) = identity.application_object.filter(|_| identity.is_deleted) {
            let command = format!(
                "az rest --method post --url https://graph.microsoft.com/v1.0/directory/deletedItems/{object}/restore"
            );
            add(
                "deleted",
                "its application was deleted",
                "restore it within 30 days, or delete the connection",
                command,
            );
        } else {
            add(
                "deleted",
                "its application does not exist",
                "write down in a request file which identity it is to have, or delete it",
                command::by_request(context.snapshot.cloud, entry),
            );
        }
        return;
    }
    if identity.sign_in_audience.as_deref().is_some_and(|audience| audience != "AzureADMyOrg") {
        add(
            "multiTenant",
            "its application is multi-tenant, which the issuer of Entra does not serve",
            "make the application single-tenant, or give the connection one of its own",
            format!("az ad app update --id {client} --sign-in-audience AzureADMyOrg"),
        );
    }
    if identity.is_enabled == Some(false) {
        add(
            "disabled",
            "its application is disabled, so that it cannot sign in",
            "enable it, or delete the connection",
            format!("az ad sp update --id {client} --set accountEnabled=true"),
        );
    }
    let owners = identity.owners.as_deref().filter(|_| identity.kind == IdentityKind::Application);
    let Some(owners) = owners else { return };
    let add_owner = format!("az ad app owner add --id {client} --owner-object-id OBJECT-ID");
    if owners.is_empty() {
        add("noOwner", "its application has no owner", "name an owner who answers for it", add_owner);
    } else if owners.iter().all(|owner| owner.is_guest == Some(true) || owner.is_enabled == Some(false)) {
        let detail = "all owners of its application are guests or disabled accounts";
        add("guestOwners", detail, "name an owner who belongs to the tenant", add_owner);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::{
            Existence,
            identity::{Identity, IdentityKind},
        },
        testing::{count, one},
    };

    fn reason(plant: impl FnOnce(&mut Identity)) -> String {
        let found = one(&RULE, |_, identity| plant(identity));
        assert_eq!(found.key, found.evidence["reason"]);
        found.key
    }

    #[test]
    fn wif6206_finds_a_doubtful_application() {
        assert_eq!(
            reason(|one| one.sign_in_audience = Some("AzureADMultipleOrgs".to_owned())),
            "multiTenant"
        );
        assert_eq!(reason(|one| one.is_enabled = Some(false)), "disabled");
        assert_eq!(reason(|one| one.existence = Existence::Gone), "deleted");
        assert_eq!(reason(|one| one.owners = Some(Vec::new())), "noOwner");
        assert_eq!(reason(|one| one.owners.as_mut().unwrap()[0].is_guest = Some(true)), "guestOwners");
        assert_eq!(reason(|one| one.owners.as_mut().unwrap()[0].is_enabled = Some(false)), "guestOwners");
    }

    #[test]
    fn what_was_not_read_and_what_has_no_owners_by_nature_is_not_found() {
        assert_eq!(count(&RULE, |_, one| one.owners = None), 0);
        assert_eq!(
            count(&RULE, |_, one| {
                one.kind = IdentityKind::ManagedIdentity;
                one.owners = Some(Vec::new());
                one.sign_in_audience = None;
            }),
            0
        );
    }
}
