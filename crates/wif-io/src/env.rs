//! The environment, as it was when the program started.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use wif_core::secret::Secret;
use zeroize::Zeroizing;

/// A snapshot of environment variables, many of them secret: wiped on drop. Names compare as the operating system compares them: case counts,
/// except on Windows.
#[derive(Clone, Default)]
pub struct Env {
    variables: HashMap<String, Zeroizing<String>>,
    read: Option<Read>,
}

/// The names that were asked for, whether they are set or not.
pub type Read = Arc<Mutex<BTreeSet<String>>>;

impl Env {
    /// The process's own environment. Variables that are not Unicode are left out: none that is read here can be.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.even_empty(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is set, be it empty.
    #[must_use]
    pub fn even_empty(&self, name: &str) -> Option<&str> {
        if let Some(read) = &self.read {
            read.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        self.variables.get(&key(name)).map(|value| value.as_str())
    }

    /// The same variables, with a record of those that are read: for tests, and only by name.
    #[must_use]
    pub fn recorded(self) -> (Self, Read) {
        let read = Read::default();
        (Self { read: Some(Arc::clone(&read)), ..self }, read)
    }

    /// The value of a variable that is set and not empty, as a secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret::new(value.to_owned()))
    }

    /// The same variables, as far as they have one of these names.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let value = |name: &&str| Some(((*name).to_owned(), self.even_empty(name)?.to_owned()));
        names.iter().filter_map(value).collect()
    }

    /// Names and values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a variable is set to `true`, in any case.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (key(&name), Zeroizing::new(value)));
        Self { variables: variables.collect(), read: None }
    }
}

impl std::fmt::Debug for Env {
    /// Names only: most values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

fn key(name: &str) -> String {
    if cfg!(windows) { name.to_uppercase() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let env = env(&[("A", ""), ("B", "TRUE"), ("C", "1")]);
        assert_eq!(env.get("A"), None);
        assert_eq!(env.get("D"), None);
        assert!(env.is_true("B"));
        assert!(!env.is_true("C"));
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", env(&[("TOKEN", "hunter2")])), r#"{"TOKEN"}"#);
    }
}
