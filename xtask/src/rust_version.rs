//! The oldest Rust that builds what ships: `rust-version` in `Cargo.toml`. Of our own code clippy knows it
//! (`incompatible_msrv`); of the crates that ship with it this does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::process::{Result, cargo, output};

/// The package that ships, with all that it needs.
const SHIPS: &str = "wif";

/// Fails on a crate that ships, or that builds what ships, and that claims a newer Rust than ours. Tells how many it looked at.
pub(crate) fn check() -> Result<String> {
    let metadata = output(&mut cargo(&["metadata", "--locked", "--format-version=1"]))?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let Claims { ours, newer, crates } = Claims::read(&metadata)?;
    if newer.is_empty() {
        return Ok(format!("None of the {crates} crates that ship needs a newer Rust than {ours}"));
    }
    Err(format!(
        "rust-version in Cargo.toml is {ours}, but these crates need a newer Rust: {}",
        newer.join(", ")
    ))
}

/// What the crates say of the Rust that they need.
#[derive(Debug, PartialEq)]
struct Claims {
    ours: String,
    /// Those that need a newer one, with name, version and what they need.
    newer: Vec<String>,
    crates: usize,
}

impl Claims {
    /// From what `cargo metadata` prints, for all platforms and the default features.
    fn read(metadata: &Value) -> Result<Self> {
        let by_id = |list: &Value| -> BTreeMap<String, Value> {
            let entries = list.as_array().into_iter().flatten();
            entries.filter_map(|entry| Some((entry["id"].as_str()?.to_owned(), entry.clone()))).collect()
        };
        let packages = by_id(&metadata["packages"]);
        let nodes = by_id(&metadata["resolve"]["nodes"]);
        let members =
            metadata["workspace_members"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let root = members
            .clone()
            .find(|id| packages.get(*id).is_some_and(|package| package["name"] == SHIPS))
            .ok_or_else(|| format!("cargo metadata has no package {SHIPS}"))?;
        let claim = |id: &str| packages.get(id).and_then(|package| package["rust_version"].as_str());
        let ours = claim(root).ok_or_else(|| format!("{SHIPS} has no rust-version"))?;

        let mut seen = BTreeSet::from([root]);
        let mut open = vec![root];
        while let Some(node) = open.pop().and_then(|id| nodes.get(id)) {
            for dependency in node["deps"].as_array().into_iter().flatten() {
                let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
                let Some(id) = dependency["pkg"].as_str() else { continue };
                if kinds.any(|kind| kind["kind"] != "dev") && seen.insert(id) {
                    open.push(id);
                }
            }
        }
        let newer = seen.iter().filter_map(|id| {
            let claimed = claim(id).filter(|claimed| numbers(claimed) > numbers(ours))?;
            let package = packages.get(*id)?;
            Some(format!("{} {} ({claimed})", package["name"].as_str()?, package["version"].as_str()?))
        });
        Ok(Self { ours: ours.to_owned(), newer: newer.collect(), crates: seen.len() })
    }
}

/// `1.88` and `1.88.0` are the same.
fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{process::root, tools::read};

    /// `wif` with one dependency of this kind, which needs `one`, and which in turn needs `two`.
    fn metadata(kind: &Value, [one, two]: [Option<&str>; 2]) -> Value {
        let package = |name: &str, rust_version: Option<&str>| json!({ "id": name, "name": name, "version": "0.1.2", "rust_version": rust_version });
        let node = |name: &str, kind: &Value, needs: &[&str]| {
            let deps: Vec<_> =
                needs.iter().map(|pkg| json!({ "pkg": pkg, "dep_kinds": [{ "kind": kind }] })).collect();
            json!({ "id": name, "deps": deps })
        };
        json!({
            "packages": [package("wif", Some("1.88")), package("one", one), package("two", two)],
            "workspace_members": ["wif"],
            "resolve": { "nodes": [node("wif", kind, &["one"]), node("one", &Value::Null, &["two"]), node("two", kind, &[])] },
        })
    }

    fn newer(kind: &Value, needed: [Option<&str>; 2]) -> Vec<String> {
        Claims::read(&metadata(kind, needed)).unwrap().newer
    }

    #[test]
    fn a_crate_that_ships_and_needs_a_newer_rust_is_named() {
        assert_eq!(newer(&Value::Null, [None, Some("1.89")]), ["two 0.1.2 (1.89)"]);
        assert_eq!(
            newer(&json!("build"), [Some("1.88.1"), Some("1.100")]),
            ["one 0.1.2 (1.88.1)", "two 0.1.2 (1.100)"]
        );
    }

    #[test]
    fn crates_that_need_this_rust_or_an_older_one_are_not() {
        assert!(newer(&Value::Null, [Some("1.88.0"), Some("1.9")]).is_empty());
        assert!(newer(&Value::Null, [None, None]).is_empty());
    }

    #[test]
    fn what_only_tests_need_does_not_ship() {
        assert!(newer(&json!("dev"), [Some("1.89"), Some("1.89")]).is_empty());
    }

    #[test]
    fn the_crates_that_ship_need_no_newer_rust() {
        let words = check().unwrap();
        let count: Option<usize> = words.split(' ').find_map(|word| word.parse().ok());
        assert!(count.is_some_and(|count| count > 50), "{words}");
    }

    /// The version that `rust-toolchain.toml` pins.
    fn pinned() -> String {
        let text = read(&root().join("rust-toolchain.toml")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'));
        line.unwrap().to_owned()
    }

    #[test]
    fn the_pinned_rust_is_not_older_than_the_claimed_one() {
        let manifest = read(&root().join("Cargo.toml")).unwrap();
        let claimed =
            manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
        assert!(numbers(&pinned()) >= numbers(claimed.unwrap()));
    }

    #[test]
    fn the_release_is_built_with_the_pinned_rust() {
        let pipeline = read(&root().join("azure-pipelines.yml")).unwrap();
        let code = pipeline.lines().filter(|line| !line.trim_start().starts_with('#'));
        let installs: Vec<_> = code.filter(|line| line.contains("rustup toolchain")).collect();
        assert!(installs.len() >= 3, "{installs:?}");
        // Without a name rustup installs what rust-toolchain.toml asks for.
        assert!(
            installs.iter().all(|line| line.trim_end().ends_with("rustup toolchain install")),
            "{installs:?}"
        );
        assert!(
            !pipeline.contains("RUSTUP_TOOLCHAIN") && !pipeline.contains("+stable"),
            "another Rust is named"
        );
    }
}
