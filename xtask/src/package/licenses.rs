//! The licenses of everything in the program: each crate with its own files, as it was published.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use serde_json::Value;

use super::platform::PLATFORMS;
use crate::process::{Result, cargo, output};

const HEAD: &str = "\
The programs wif and wif-operator are under the MIT license, which is in the file LICENSE. They are made with the following.

Rust's standard library (https://www.rust-lang.org): MIT or Apache-2.0. The programs for Linux hold musl
(https://musl.libc.org): MIT. The programs for Windows hold start-up code of mingw-w64 (https://www.mingw-w64.org): public
domain and Zope Public License 2.1.
";
/// What a license's file is called.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];
/// A license is shorter than this, in bytes.
const MOST: u64 = 256 * 1024;

/// The notice for every crate that a shipped program may hold.
pub(super) fn notice() -> Result<String> {
    let mut crates = BTreeMap::new();
    for platform in PLATFORMS {
        let arguments = ["metadata", "--format-version=1", "--locked", "--no-default-features"];
        let metadata = output(cargo(&arguments).args(["--filter-platform", platform.triple]))?;
        crates.extend(used(&serde_json::from_str(&metadata).map_err(|error| error.to_string())?)?);
    }
    let mut notice = HEAD.to_owned();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    notice.push_str("\nCrates of Rust, each with the license that its authors name:\n\n");
    for (name, package) in &crates {
        let license = package["license"].as_str().ok_or_else(|| format!("{name} names no license"))?;
        // Writing to a string cannot fail.
        let _ = writeln!(notice, "  {name}: {license}");
        for text in files(package)? {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    for (text, names) in texts {
        let names: Vec<_> = names.into_iter().collect();
        let _ = writeln!(notice, "\n{}\n{}\n\n{}", "=".repeat(80), names.join(", "), text.trim());
    }
    Ok(notice)
}

/// What the programs need at run time, by name and version.
fn used(metadata: &Value) -> Result<BTreeMap<String, Value>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let id = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<_, _> =
        list(&metadata["packages"]).into_iter().map(|package| (id(&package["id"]), package)).collect();
    let nodes: BTreeMap<_, _> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (id(&node["id"]), node)).collect();
    let is_operator = |package: &Value| package["name"] == "wif-operator" && package["source"].is_null();
    let mut open = vec![id(&metadata["resolve"]["root"])];
    open.extend(packages.iter().filter(|(_, package)| is_operator(package)).map(|(id, _)| id.clone()));
    let (mut seen, mut found) = (BTreeSet::new(), BTreeMap::new());
    while let Some(next) = open.pop() {
        if !seen.insert(next.clone()) {
            continue;
        }
        let node = nodes.get(&next).ok_or("cargo metadata names no root package")?;
        // A dependency without a kind is a normal one: not for tests, not for build scripts.
        let normal =
            |dependency: &Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        open.extend(
            list(&node["deps"]).iter().filter(|dependency| normal(dependency)).map(|it| id(&it["pkg"])),
        );
        if let Some(package) = packages.get(&next).filter(|package| !package["source"].is_null()) {
            found.insert(format!("{} {}", id(&package["name"]), id(&package["version"])), package.clone());
        }
    }
    Ok(found)
}

/// The texts in a crate's folder that are about its license.
fn files(package: &Value) -> Result<Vec<String>> {
    let folder =
        Path::new(package["manifest_path"].as_str().unwrap_or_default()).parent().unwrap_or(Path::new(""));
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        let small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() < MOST);
        small && NAMES.iter().any(|begin| name.starts_with(begin))
    });
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
    };
    paths.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_is_in_the_notice() {
        let package =
            |id: &str| serde_json::json!({ "id": id, "name": id, "version": "1", "source": "registry" });
        let dependency =
            |id: &str, kind: Option<&str>| serde_json::json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata = serde_json::json!({
            "packages": [{ "id": "wif", "name": "wif", "version": "1", "source": null }, package("a"), package("b"), package("c")],
            "resolve": { "root": "wif", "nodes": [
                { "id": "wif", "deps": [dependency("a", None), dependency("b", Some("dev"))] },
                { "id": "a", "deps": [dependency("c", Some("build")), dependency("a", None)] },
            ] },
        });
        let names: Vec<_> = used(&metadata).unwrap().into_keys().collect();
        assert_eq!(names, ["a 1"]);
    }
}
