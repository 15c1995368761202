//! The commands that a step may use (`TaskRestrictionsChecker.cs`): every source of a restriction must allow them.

use serde::Deserialize;

/// One source: `restrictions` of a `task.json`, or `target` of a step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Restrictions {
    commands: Commands,
    settable_variables: Settable,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Commands {
    mode: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Settable {
    allowed: Option<Vec<String>>,
}

const ALLOWED_WHEN_RESTRICTED: [&str; 9] = [
    "debug",
    "logissue",
    "logdetail",
    "complete",
    "setprogress",
    "setsecret",
    "setvariable",
    "settaskvariable",
    "prependpath",
];

impl Restrictions {
    /// `target:` of a step.
    pub(super) fn of_target(restricted: bool, allowed: Option<Vec<String>>) -> Self {
        let mode = if restricted { "restricted" } else { "" }.to_owned();
        Self { commands: Commands { mode }, settable_variables: Settable { allowed } }
    }

    /// Whether a command runs at all.
    pub(super) fn allow_command(&self, area: &str, event: &str) -> bool {
        let allowed = (area.eq_ignore_ascii_case("task")
            && (event.eq_ignore_ascii_case("issue")
                || ALLOWED_WHEN_RESTRICTED.iter().any(|name| name.eq_ignore_ascii_case(event))))
            || (area.eq_ignore_ascii_case("telemetry") && event.eq_ignore_ascii_case("publish"));
        allowed || !self.commands.mode.eq_ignore_ascii_case("restricted")
    }

    /// Whether a variable may be set; for `task.prependpath` it is called `PATH`.
    pub(super) fn allow_variable(&self, name: &str) -> bool {
        let Some(allowed) = &self.settable_variables.allowed else { return true };
        let name: Vec<_> = name.to_lowercase().chars().collect();
        allowed.iter().any(|pattern| glob(&pattern.to_lowercase().chars().collect::<Vec<_>>(), &name))
    }
}

/// Matches `*` and `?`; names of variables need no more of minimatch.
fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        [first, rest @ ..] => {
            text.first().is_some_and(|c| *first == '?' || first == c) && glob(rest, &text[1..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_ignore_case_and_an_empty_list_allows_nothing() {
        for (allowed, name, allows) in [
            (None, "x", true),
            (Some(vec![]), "x", false),
            (Some(vec!["ARM_*"]), "arm_use_oidc", true),
            (Some(vec!["ARM_?"]), "ARM_XY", false),
            (Some(vec!["a", "path"]), "PATH", true),
        ] {
            let allowed: Option<Vec<String>> =
                allowed.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(
                Restrictions::of_target(false, allowed.clone()).allow_variable(name),
                allows,
                "{allowed:?}"
            );
        }
    }

    #[test]
    fn restricted_mode_keeps_variables_and_drops_uploads() {
        let restricted = Restrictions::of_target(true, None);
        assert!(restricted.allow_command("TASK", "SetVariable"));
        assert!(!restricted.allow_command("task", "uploadsummary"));
        assert!(!restricted.allow_command("artifact", "upload"));
        assert!(Restrictions::default().allow_command("task", "uploadsummary"));
    }
}
