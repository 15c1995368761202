//! Documents that can be tested are.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use wif::{error::Code, identity::aadsts};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_code_has_a_heading_and_every_heading_a_code() {
    let text = read("docs/errors.md");
    let headings: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings, codes);
}

#[test]
fn every_refusal_of_entra_is_in_the_table_with_its_code() {
    let text = read("docs/errors.md");
    for number in aadsts::known() {
        let code = aadsts::meaning(number).unwrap().code;
        let row = text.lines().find(|line| {
            let mut cells = line.split('|').map(str::trim);
            cells.nth(1).is_some_and(|cell| cell.trim_start_matches("AADSTS") == number.to_string())
        });
        let row = row.unwrap_or_else(|| panic!("no row for AADSTS{number}"));
        assert!(row.contains(code.as_str()), "{row}");
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in [
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/errors.md",
        "docs/security.md",
    ] {
        let text = read(page);
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split(')').next().unwrap().split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = root.join(page).parent().unwrap().join(target);
            assert!(path.exists(), "{page} leads to {target}");
        }
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let text = read("docs/security.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests")];
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                all.push_str(&fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let names: Vec<_> = text.split('`').filter(|word| word.matches('_').count() > 3).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(all.contains(&format!("fn {name}(")) || all.contains(&format!("'{name}'")), "no test {name}");
    }
}

#[test]
fn the_help_is_what_the_readme_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_wif")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.starts_with("Secret-free sign-in to Azure from Azure Pipelines"), "{help}");
}

#[test]
fn no_input_is_undocumented() {
    let task: serde_json::Value = serde_json::from_str(&read("task/task.json")).unwrap();
    let readme = read("README.md");
    let overview = read("overview.md");
    for input in task["inputs"].as_array().unwrap() {
        let name = input["name"].as_str().unwrap();
        assert!(overview.contains(&format!("`{name}`")), "overview.md does not name {name}");
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
    }
}
