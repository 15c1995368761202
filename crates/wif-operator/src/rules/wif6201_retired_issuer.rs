//! WIF6201: the Azure DevOps issuer.

use time::{Date, Duration, macros::date};

use crate::{
    credential::{CredentialKind, IssuerKind},
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    snapshot::{connection::Connection, identity::Identity},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6201",
    title: "The Azure DevOps issuer, retired on 2027-07-01",
    severity: Severity::Warning,
    remedy: Remedy::MoveIssuer,
    check,
};

/// The day on which Azure DevOps stops to issue, in the public cloud.
const RETIRED: Date = date!(2027 - 07 - 01);
/// So long before that day it is a fault.
const FAULT_BEFORE: Duration = Duration::days(90);

/// Whether the retirement of the issuer concerns a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// It does, for this reason.
    In(&'static str),
    /// It does not yet, for this reason.
    Out(&'static str),
}

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let kind = entry.connection.issuer.as_deref().and_then(IssuerKind::of);
        if entry.credential() == CredentialKind::Federated && kind == Some(IssuerKind::DevOps) {
            found.push(judge(context, entry));
        }
    }
}

fn judge(context: &Context<'_>, entry: Entry<'_>) -> Draft {
    let days = (RETIRED - context.now().date()).whole_days();
    let scope = scope(entry.connection, context.identity(entry.connection));
    let (severity, is_in_scope, why) = match scope {
        Scope::Out(why) => (Severity::Note, false, why),
        Scope::In(why) if days <= FAULT_BEFORE.whole_days() => (Severity::Fault, true, why),
        Scope::In(why) => (Severity::Warning, true, why),
    };
    let when = if days > 0 { format!("in {days} days") } else { format!("{} days ago", -days) };
    let detail = if is_in_scope {
        format!("its issuer is retired on {RETIRED} ({when}); it is concerned: {why}")
    } else {
        format!("it has the Azure DevOps issuer, and its retirement does not concern it yet: {why}")
    };
    let (fix, command) = if is_in_scope {
        (
            "move it to the issuer of Entra, in place",
            command::wif("issuer plan", context.snapshot.cloud, entry),
        )
    } else {
        ("nothing yet; see what Microsoft announces for such connections", command::page(entry))
    };
    Draft::of(entry, severity, detail)
        .evidence("issuer", &entry.connection.issuer)
        .evidence("subject", &entry.connection.subject)
        .evidence("retired", RETIRED.to_string())
        .evidence("daysLeft", days)
        .evidence("inScope", is_in_scope)
        .evidence("why", why)
        .fix(fix, command)
}

/// The retirement concerns the public cloud, single-tenant applications and managed identities.
#[must_use]
pub fn scope(connection: &Connection, identity: Option<&Identity>) -> Scope {
    let environment = connection.environment.as_deref().unwrap_or("AzureCloud");
    if !environment.eq_ignore_ascii_case("AzureCloud") {
        return Scope::Out("it is not of the public cloud");
    }
    match identity.and_then(|identity| identity.sign_in_audience.as_deref()) {
        Some("AzureADMyOrg") => Scope::In("the public cloud, and a single-tenant application"),
        Some(_) => Scope::Out("its application is multi-tenant"),
        None => Scope::In(
            "the public cloud; a managed identity, or an application of which it was not read whether it is multi-tenant",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        moment::Moment,
        severity::Severity,
        snapshot::connection::Connection,
        testing::{ORGANIZATION, Planted, found, one, settings},
    };

    fn old(connection: &mut Connection) {
        connection.issuer = Some(format!("https://vstoken.dev.azure.com/{ORGANIZATION}"));
        connection.subject = Some("sc://contoso/Platform/sc-2".to_owned());
    }

    #[test]
    fn wif6201_finds_the_azure_devops_issuer() {
        let warning = one(&RULE, |connection, _| old(connection));
        assert_eq!(warning.severity, Severity::Warning);
        assert_eq!(warning.evidence["daysLeft"], 217);
        assert!(warning.command.starts_with("wif issuer plan "), "{}", warning.command);
        let older = one(&RULE, |connection, _| {
            connection.issuer = Some("https://app.vstoken.visualstudio.com".to_owned());
        });
        assert_eq!(older.severity, Severity::Warning);
    }

    #[test]
    fn its_day_is_the_one_that_the_doctor_tells() {
        let day = wif_core::trust::compare::DEVOPS_ISSUER_RETIREMENT;
        assert_eq!(super::RETIRED.to_string(), day);
        assert!(RULE.title.contains(day));
    }

    #[test]
    fn from_ninety_days_before_it_is_a_fault() {
        for (now, severity) in [
            ("2027-04-01T23:59:59Z", Severity::Warning),
            ("2027-04-02T00:00:00Z", Severity::Fault),
            ("2027-08-01T00:00:00Z", Severity::Fault),
        ] {
            let snapshot = Planted::new().with(2, |connection, _| old(connection)).snapshot();
            let mut settings = settings();
            settings.now = Moment::parse(now).unwrap();
            let found = found(&RULE, &snapshot, &settings);
            assert_eq!((found.len(), found[0].severity), (1, severity), "{now}");
        }
    }

    #[test]
    fn out_of_scope_it_is_a_note_that_says_why() {
        let multi = one(&RULE, |connection, identity| {
            old(connection);
            identity.sign_in_audience = Some("AzureADMultipleOrgs".to_owned());
        });
        assert!(multi.severity == Severity::Note && multi.detail.contains("multi-tenant"), "{multi:?}");
        let china = one(&RULE, |connection, _| {
            old(connection);
            connection.environment = Some("AzureChinaCloud".to_owned());
        });
        assert!(china.severity == Severity::Note && china.detail.contains("public cloud"), "{china:?}");
    }
}
