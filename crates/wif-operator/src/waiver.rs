//! Waivers: findings that are accepted, with an owner, a reason and an end.

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use time::{Date, Month, format_description::BorrowedFormatItem, macros::format_description};

use crate::{
    glob::matches,
    moment::Moment,
    rules::with_code,
    yaml::{YamlError, parse, wrong},
};

/// How `until` is written.
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// How many characters that has.
const DAY_LENGTH: usize = "2027-01-31".len();

/// A waiver, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The rule.
    pub rule: String,
    /// What it is about.
    pub target: Target,
    /// Why.
    pub reason: String,
    /// The person or team that accepted it.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    pub until: Date,
}

/// What a waiver is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A connection, by its name or id.
    Connection(String),
    /// Every connection that a project owns.
    Project(String),
    /// Connections by a pattern of their names.
    Name(String),
}

/// The same day of the next year; of February 29, March 1.
fn a_year_after(day: Date) -> Date {
    let year = day.year() + 1;
    day.replace_year(year).or_else(|_leap| Date::from_calendar_date(year, Month::March, 1)).unwrap_or(day)
}

/// What a finding is about, as waivers ask for it.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The rule's code.
    pub rule: &'a str,
    /// The connection's id, as text.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The project that owns it.
    pub project: &'a str,
}

/// A waiver that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaiverNotice {
    /// The rule.
    pub rule: String,
    /// What it is about, as it was written.
    pub target: String,
    /// The last day.
    pub until: String,
    /// `ended` or `unused`
    pub state: WaiverState,
}

/// Why a waiver has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WaiverState {
    /// Its last day is over: what it was about counts again.
    Ended,
    /// It matches nothing.
    Unused,
}

impl WaiverState {
    /// For a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ended => "has ended",
            Self::Unused => "matches nothing",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: Spanned<String>,
    connection: Option<Spanned<String>>,
    project: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    reason: Spanned<String>,
    owner: Spanned<String>,
    until: Spanned<String>,
}

/// Reads a file of waivers.
///
/// # Errors
///
/// Anything in it is unknown, missing, or not accepted: a waiver that is understood wrongly would make findings disappear.
pub fn parse_waivers(text: &str, file: &str, now: Moment) -> Result<Vec<Waiver>, YamlError> {
    let written: Option<Vec<Spanned<Written>>> = parse(text, file)?;
    written.unwrap_or_default().iter().map(|one| waiver(one, file, now)).collect()
}

fn waiver(written: &Spanned<Written>, file: &str, now: Moment) -> Result<Waiver, YamlError> {
    let Written { rule, connection, project, name, reason, owner, until } = &written.value;
    if with_code(&rule.value).is_none() {
        return Err(wrong(file, rule, &format!("rule: '{}' is not a rule of wif audit", rule.value)));
    }
    let target = match (connection, project, name) {
        (Some(connection), None, None) => Target::Connection(connection.value.clone()),
        (None, Some(project), None) => Target::Project(project.value.clone()),
        (None, None, Some(name)) => Target::Name(name.value.clone()),
        _ => {
            let why =
                "exactly one of connection (name or id), project, name (a pattern with * and ?) is needed";
            return Err(wrong(file, written, why));
        }
    };
    let targets = [("connection", connection), ("project", project), ("name", name)];
    let targets = targets.into_iter().filter_map(|(field, value)| Some((field, value.as_ref()?)));
    for (field, value) in targets.chain([("reason", reason), ("owner", owner)]) {
        if value.value.trim().is_empty() {
            return Err(wrong(file, value, &format!("{field}: it is empty")));
        }
    }
    // The parser would take a year with a sign, or with more digits.
    let day = Some(&until.value).filter(|text| text.len() == DAY_LENGTH && !text.starts_with(['+', '-']));
    let Some(Ok(day)) = day.map(|text| Date::parse(text, DAY)) else {
        let why = format!("until: '{}' is not a day as 2027-01-31 is", until.value);
        return Err(wrong(file, until, &why));
    };
    if day > a_year_after(now.date()) {
        let why = format!("until: {day} is more than a year ahead; accepted is a day within the next year");
        return Err(wrong(file, until, &why));
    }
    Ok(Waiver {
        rule: rule.value.to_ascii_uppercase(),
        target,
        reason: reason.value.clone(),
        owner: owner.value.clone(),
        until: day,
    })
}

impl Waiver {
    /// Whether it holds at a moment: through the end of its last day, in UTC.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        now.date() <= self.until
    }

    /// Whether it is about a finding.
    #[must_use]
    pub fn covers(&self, about: About<'_>) -> bool {
        let is = |one: &str, other: &str| !other.is_empty() && one.to_lowercase() == other.to_lowercase();
        self.rule == about.rule
            && match &self.target {
                Target::Connection(connection) => is(connection, about.id) || is(connection, about.name),
                Target::Project(project) => is(project, about.project),
                Target::Name(pattern) => !about.name.is_empty() && matches(pattern, about.name),
            }
    }

    /// What is said of it where it has no effect.
    #[must_use]
    pub fn notice(&self, state: WaiverState) -> WaiverNotice {
        let target = match &self.target {
            Target::Connection(text) => format!("connection: {text}"),
            Target::Project(text) => format!("project: {text}"),
            Target::Name(text) => format!("name: {text}"),
        };
        WaiverNotice { rule: self.rule.clone(), target, until: self.until.to_string(), state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;

    const GOOD: &str = "- rule: WIF6301
  connection: sc-prod
  reason: a vendor's pipelines
  owner: platform-team@contoso.com
  until: 2026-12-31
";

    #[test]
    fn a_waiver_is_read_as_it_is_documented() {
        let waivers = parse_waivers(GOOD, "w.yaml", now()).unwrap();
        assert_eq!(waivers[0].target, Target::Connection("sc-prod".to_owned()));
        assert!(parse_waivers("", "w.yaml", now()).unwrap().is_empty());
        assert!(parse_waivers("# none yet\n", "w.yaml", now()).unwrap().is_empty());
    }

    #[test]
    fn whatever_is_wrong_is_refused_with_file_line_and_field() {
        for (from, to, place, field) in [
            ("WIF6301", "WIF6999", "w.yaml:1:9:", "rule"),
            ("  owner: platform-team@contoso.com\n", "", "w.yaml:", "owner"),
            ("  until: 2026-12-31\n", "", "w.yaml:", "until"),
            ("2026-12-31", "2027-11-28", "w.yaml:5:10:", "until"),
            ("2026-12-31", "31.12.2026", "w.yaml:5:10:", "until"),
            ("2026-12-31", "never", "w.yaml:5:10:", "until"),
            ("2026-12-31", "-2026-12-31", "w.yaml:5:10:", "until"),
            ("2026-12-31", "+2026-12-31", "w.yaml:5:10:", "until"),
            ("2026-12-31", "-202-12-31", "w.yaml:5:10:", "until"),
            ("a vendor's pipelines", "''", "w.yaml:3:11:", "reason"),
            ("connection: sc-prod", "connection: ''", "w.yaml:2:15:", "connection"),
            ("connection: sc-prod", "name: ' '", "w.yaml:2:9:", "name"),
            ("connection: sc-prod", "connection: &n sc-prod\n  name: *n", "w.yaml:3:", "aliases"),
            ("  owner", "  owner: x\n  owner", "w.yaml:5:", "owner: it stands twice"),
            ("- rule", "--- []\n---\n- rule", "w.yaml:", "a second document begins (---)"),
            ("reason", "because", "w.yaml:3:", "because"),
            ("connection: sc-prod", "connection: sc-prod\n  project: Shop", "w.yaml:1:", "exactly one"),
            ("  connection: sc-prod\n", "", "w.yaml:1:", "exactly one"),
            ("- rule", "- rule: WIF6301\n  rule", "w.yaml:", "rule"),
            ("- rule: WIF6301", "- - rule: WIF6301", "w.yaml:", ""),
        ] {
            let error = parse_waivers(&GOOD.replacen(from, to, 1), "w.yaml", now()).unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(field), "{from}: {error}");
        }
    }

    #[test]
    fn a_waiver_holds_through_the_end_of_its_last_day() {
        let waiver = &parse_waivers(GOOD, "w.yaml", now()).unwrap()[0];
        assert!(waiver.holds(Moment::parse("2026-12-31T23:59:59Z").unwrap()));
        assert!(!waiver.holds(Moment::parse("2027-01-01T00:00:00Z").unwrap()));
        // One that ended is read, and said to have ended.
        assert!(parse_waivers(&GOOD.replace("2026-12", "2025-12"), "w.yaml", now()).is_ok());
        assert!(parse_waivers(&GOOD.replace("2026-12-31", "2027-11-26"), "w.yaml", now()).is_ok());
    }

    #[test]
    fn a_waiver_covers_its_rule_and_its_target_only() {
        let about = About { rule: "WIF6301", id: "c1", name: "SC-Prod", project: "Shop" };
        let waiver = |target| Waiver { target, ..parse_waivers(GOOD, "w.yaml", now()).unwrap().remove(0) };
        let text = str::to_owned;
        for target in [
            Target::Connection(text("sc-prod")),
            Target::Connection(text("C1")),
            Target::Project(text("shop")),
            Target::Name(text("sc-*")),
        ] {
            assert!(waiver(target.clone()).covers(about), "{target:?}");
            assert!(!waiver(target).covers(About { rule: "WIF6302", ..about }));
        }
        for target in
            [Target::Connection(text("sc")), Target::Project(text("Platform")), Target::Name(text("prod"))]
        {
            assert!(!waiver(target.clone()).covers(about), "{target:?}");
        }
        // A finding about no connection has neither name nor project.
        let about = About { id: "", name: "", project: "", ..about };
        assert!(!waiver(Target::Name(text("*"))).covers(about));
    }
}
