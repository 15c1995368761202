//! WIF6401: never used, or not for long.

use crate::{
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    usage::{Usage, disabled_on},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6401",
    title: "Never used, or not for long",
    severity: Severity::Warning,
    remedy: Remedy::CleanUp,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        found.extend(judge(context, entry));
    }
}

fn judge(context: &Context<'_>, entry: Entry<'_>) -> Option<Draft> {
    let (connection, now) = (entry.connection, context.now());
    let limit = context.settings.unused_for;
    let is_young = connection.created.is_some_and(|created| now.since(created) < limit);
    // One that is disabled is another rule's.
    if is_young || connection.is_disabled == Some(true) {
        return None;
    }
    let last = match Usage::of(connection) {
        Usage::Never => None,
        Usage::Last(last) if now.since(last) >= limit => Some(last),
        Usage::Last(_) | Usage::Unread => return None,
    };
    let disabled = disabled_on(connection);
    let when = match disabled {
        Some(day) if day <= now.date() => format!("Azure DevOps may disable it any day, since {day}"),
        Some(day) => format!("Azure DevOps disables it on {day}"),
        None => "Azure DevOps disables what is not used for 100 days".to_owned(),
    };
    let detail = match last {
        None => format!("no pipeline has ever used it; {when}"),
        Some(last) => {
            format!("not used for {} days, since {}; {when}", now.since(last).whole_days(), last.date())
        }
    };
    let finding = Draft::of(entry, Severity::Warning, detail)
        .evidence("lastUsed", last)
        .evidence("created", connection.created)
        .evidence("disabledOn", disabled.map(|day| day.to_string()))
        .fix(
            "delete what nothing needs: its federated credential first, then the connection",
            command::endpoint("delete", entry, ""),
        );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::connection::Connection,
        testing::{count, days_ago, one, reference},
    };

    fn last(connection: &mut Connection, days: Option<i64>) {
        let runs = connection.projects[0].runs.as_mut().unwrap();
        match days {
            Some(days) => runs[0].started = days_ago(days),
            None => runs.clear(),
        }
    }

    #[test]
    fn wif6401_finds_what_is_not_used() {
        let never = one(&RULE, |connection, _| last(connection, None));
        assert!(
            never.evidence["lastUsed"].is_null() && never.detail.contains("never")
                || never.detail.contains("ever used")
        );
        let long = one(&RULE, |connection, _| last(connection, Some(80)));
        assert!(long.detail.contains("not used for 80 days, since 2026-09-07"), "{}", long.detail);
        assert_eq!(long.evidence["disabledOn"], "2026-12-16");
        assert_eq!(count(&RULE, |connection, _| last(connection, Some(69))), 0);
    }

    #[test]
    fn what_is_young_disabled_or_not_wholly_read_is_not_found() {
        let of = |plant: fn(&mut Connection)| {
            count(&RULE, |connection, _| {
                last(connection, None);
                plant(connection);
            })
        };
        assert_eq!(of(|connection| connection.created = Some(days_ago(69))), 0);
        assert_eq!(of(|connection| connection.created = Some(days_ago(70))), 1);
        assert_eq!(of(|connection| connection.is_disabled = Some(true)), 0);
        // Whether another project uses it is not known.
        assert_eq!(
            of(|connection| {
                let mut other = reference(2, "Shop", "sc-2", false);
                other.runs = None;
                connection.projects.push(other);
            }),
            0
        );
    }
}
