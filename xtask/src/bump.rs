//! `bump`: a new version of the task, the extension and the crate, which are one number. Agents keep a task by its
//! version, so that what changed under an old one would never reach them.

use std::fmt;

use crate::{
    process::{Result, cargo, root, run},
    tools,
};

/// Three numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

/// Writes the version where it stands.
pub(crate) fn bump(version: &str) -> Result<()> {
    let new = Version::parse(version).ok_or_else(|| format!("'{version}' is no version such as 1.2.3"))?;
    let old = current()?;
    if new <= old {
        return Err(format!("{new} does not come after {old}"));
    }
    for (file, form) in FILES {
        let path = root().join(file);
        let text = replaced(&tools::read(&path)?, &form(old), &form(new))
            .map_err(|error| format!("{file}: {error}"))?;
        tools::write(&path, text)?;
    }
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        run(&mut cargo(&["update", "--quiet", "--workspace", "--manifest-path", manifest]))?;
    }
    println!("{old} -> {new}; CHANGELOG.md wants its words");
    Ok(())
}

/// The version that task.json has.
fn current() -> Result<Version> {
    let manifest: serde_json::Value =
        serde_json::from_str(&tools::read(&root().join(FILES[0].0))?).map_err(|error| error.to_string())?;
    let part = |name: &str| manifest["version"][name].as_u64().and_then(|number| number.try_into().ok());
    let parts = [part("Major"), part("Minor"), part("Patch")];
    let [Some(major), Some(minor), Some(patch)] = parts else {
        return Err(format!("{} has no version", FILES[0].0));
    };
    Ok(Version([major, minor, patch]))
}

type Form = fn(Version) -> String;

/// Each file, and how the version stands in it.
const FILES: [(&str, Form); 4] = [
    ("task/task.json", of_task),
    ("audit-task/task.json", of_task),
    ("vss-extension.json", |version| format!("\n  \"version\": \"{version}\",")),
    ("Cargo.toml", |version| format!("\nversion = \"{version}\"\n")),
];

fn of_task(Version([major, minor, patch]): Version) -> String {
    format!("\"version\": {{ \"Major\": {major}, \"Minor\": {minor}, \"Patch\": {patch} }}")
}

fn replaced(text: &str, old: &str, new: &str) -> Result<String> {
    match text.matches(old).count() {
        1 => Ok(text.replace(old, new)),
        count => Err(format!("the version is there {count} times, not once, as {}", old.trim())),
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok().map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_the_version_once() {
        let version = current().unwrap();
        for (file, form) in FILES {
            let text = tools::read(&root().join(file)).unwrap();
            let next = Version([version.0[0], version.0[1], version.0[2] + 1]);
            assert!(replaced(&text, &form(version), &form(next)).unwrap().contains(&form(next)), "{file}");
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["1.2", "1.2.3.4", "1.2.x", "", "v1.2.3"] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
        assert!(Version::parse("1.10.0") > Version::parse("1.9.9"));
    }
}
