//! The variables of a job, and `$(macros)` in texts (`Variables.cs`, `VarUtil.cs`).

use std::collections::BTreeMap;

use super::report::JobVariable;

/// How a variable is set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kind {
    pub(super) secret: bool,
    pub(super) read_only: bool,
    pub(super) preserve_case: bool,
}

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// After the macros in it were replaced, as of the start of the current step.
    pub(super) value: String,
    /// Whether the value is secret now: it was set so, or took in a secret.
    pub(super) secret: bool,
    /// The flags with which it was set.
    pub(super) kind: Kind,
    raw: String,
}

impl Entry {
    /// The name of its environment variable.
    pub(super) fn formatted(&self) -> String {
        if self.kind.preserve_case { replace_separators(&self.name) } else { env_name(&self.name) }
    }
}

/// `a.b c` becomes `A_B_C`; other characters stay (`VarUtil.ConvertToEnvVariableFormat`).
pub(super) fn env_name(name: &str) -> String {
    replace_separators(name).to_uppercase()
}

fn replace_separators(name: &str) -> String {
    name.replace(['.', ' '], "_")
}

/// Variables whose names compare without case.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    entries: BTreeMap<String, Entry>,
}

impl Variables {
    /// Sets a variable. Once secret it stays secret, once read-only it stays so.
    pub(super) fn set(&mut self, name: &str, value: &str, kind: Kind) {
        let old = self.entries.get(&name.to_lowercase());
        let secret = kind.secret || old.is_some_and(|old| old.secret);
        let read_only = kind.read_only || old.is_some_and(|old| old.kind.read_only);
        let entry = Entry {
            name: name.to_owned(),
            value: value.to_owned(),
            secret,
            kind: Kind { secret, read_only, ..kind },
            raw: value.to_owned(),
        };
        self.entries.insert(name.to_lowercase(), entry);
    }

    /// Sets a public variable.
    pub(super) fn set_public(&mut self, name: &str, value: &str) {
        self.set(name, value, Kind::default());
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(&name.to_lowercase())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(|entry| entry.value.as_str())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// An agent knob: a boolean from the variable of this name, else from the machine's environment.
    pub(super) fn knob(&self, name: &str, machine: &BTreeMap<String, String>, default: bool) -> bool {
        let text = self.value(name).or_else(|| machine.get(name).map(String::as_str));
        text.map_or(default, |text| text.trim().eq_ignore_ascii_case("true"))
    }

    /// Replaces the macros in every variable, recursively, as the agent does before each step. A variable that takes
    /// in a secret becomes secret. Returns the values of those that are secret now.
    pub(super) fn expand_all(&mut self) -> Vec<String> {
        let expanded: Vec<_> =
            self.entries.keys().map(|key| (key.clone(), self.resolve(key, &mut Vec::new()))).collect();
        let mut secrets = Vec::new();
        for (key, (value, secret)) in expanded {
            if secret {
                secrets.push(value.clone());
            }
            if let Some(entry) = self.entries.get_mut(&key) {
                (entry.value, entry.secret) = (value, secret);
            }
        }
        secrets
    }

    fn resolve(&self, key: &str, path: &mut Vec<String>) -> (String, bool) {
        let Some(entry) = self.entries.get(key) else { return (String::new(), false) };
        let mut secret = entry.kind.secret;
        path.push(key.to_owned());
        let value = replace_macros(&entry.raw, |name| {
            let name = name.to_lowercase();
            // A cycle, or a chain deeper than the agent's limit, stays as it is written.
            if path.contains(&name) || path.len() > 50 || !self.entries.contains_key(&name) {
                return None;
            }
            let (value, inner) = self.resolve(&name, path);
            secret |= inner;
            Some(value)
        });
        path.pop();
        (value, secret)
    }

    /// Replaces `$(name)` by variables, secret ones too, and then by the machine's environment. Unknown names stay.
    pub(super) fn expand(&self, text: &str, machine: &BTreeMap<String, String>) -> String {
        let text = replace_macros(text, |name| self.value(name).map(str::to_owned));
        replace_macros(&text, |name| machine.get(name).cloned())
    }

    /// The variables for the report of the job.
    pub(super) fn report(&self) -> BTreeMap<String, JobVariable> {
        let each = |entry: &Entry| JobVariable {
            value: entry.value.clone(),
            secret: entry.secret,
            read_only: entry.kind.read_only,
        };
        self.all().map(|entry| (entry.name.clone(), each(entry))).collect()
    }
}

/// Replaces macros in one pass from left to right; macros in replaced text stay (`VarUtil.ExpandValues`).
pub(super) fn replace_macros(text: &str, mut lookup: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("$(") {
        let Some(length) = rest[start + 2..].find(')') else { break };
        out.push_str(&rest[..start]);
        let name = &rest[start + 2..start + 2 + length];
        if let Some(value) = Some(name).filter(|name| !name.is_empty()).and_then(&mut lookup) {
            out.push_str(&value);
            rest = &rest[start + length + 3..];
        } else {
            out.push('$');
            rest = &rest[start + 1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Kind = Kind { secret: true, read_only: false, preserve_case: false };

    #[test]
    fn names_become_upper_case_and_only_dots_and_blanks_change() {
        for (name, formatted) in
            [("a.b c", "A_B_C"), ("no-proxy", "NO-PROXY"), ("x/y:z(é)", "X/Y:Z(É)"), ("A_B", "A_B")]
        {
            assert_eq!(env_name(name), formatted);
        }
        let mut variables = Variables::default();
        variables.set("no.proxy", "x", Kind { preserve_case: true, ..Kind::default() });
        assert_eq!(variables.get("NO.PROXY").unwrap().formatted(), "no_proxy");
    }

    #[test]
    fn macros_are_replaced_once_and_unknown_ones_stay() {
        let mut variables = Variables::default();
        variables.set_public("a", "1");
        variables.set_public("b", "$(c)");
        for (text, expanded) in [
            ("$(A)$(a)", "11"),
            ("$(none) $(a", "$(none) $(a"),
            ("$()$(b)", "$()$(c)"),
            ("$($(a))", "$(1)"),
            ("$(HOME)", "/h"),
        ] {
            let machine = BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]);
            assert_eq!(variables.expand(text, &machine), expanded, "{text}");
        }
    }

    #[test]
    fn a_variable_that_takes_in_a_secret_becomes_secret_and_cycles_stay() {
        let mut variables = Variables::default();
        variables.set("token", "s3", SECRET);
        variables.set_public("one", "<$(two)>");
        variables.set_public("two", "$(TOKEN)");
        variables.set_public("x", "$(y)");
        variables.set_public("y", "$(x)");
        let secrets = variables.expand_all();
        assert!(secrets.contains(&"<s3>".to_owned()));
        assert!(variables.get("one").unwrap().secret);
        assert_eq!(variables.value("x"), Some("$(x)"));
        assert!(!variables.get("x").unwrap().secret);
    }

    #[test]
    fn secret_and_read_only_are_for_ever() {
        let mut variables = Variables::default();
        variables.set("a", "1", Kind { secret: true, read_only: true, preserve_case: false });
        variables.set_public("A", "2");
        let entry = variables.get("a").unwrap();
        assert!(entry.secret && entry.kind.read_only);
        assert_eq!((entry.name.as_str(), entry.value.as_str()), ("A", "2"));
    }
}
