//! Figures, and what the pages say that was run.

use std::{collections::BTreeSet, fs};

use regex_lite::Regex;

use super::{FIRST, MARK, blocks, read, root, rows, tool_pages};

/// Versions, lengths of lives and limits are no figures of a measurement: those have a unit that is measured here.
#[test]
fn figures_on_the_first_pages_are_those_that_were_measured() {
    let measured = read("docs/performance.md");
    let figure = Regex::new(r"\b\d+(?:\.\d+)? (?:ms|MB)\b").unwrap();
    let mut seen = 0;
    for page in FIRST {
        let text = read(page);
        for found in figure.find_iter(&text).map(|found| found.as_str()) {
            // The limit of the program, which packing enforces.
            if found != "4.5 MB" {
                assert!(
                    measured.contains(&format!(" {found} ")),
                    "{page}: {found} is not in docs/performance.md"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn a_page_that_dates_its_figures_has_the_version_and_day_of_the_measurement() {
    let dated = Regex::new(r"[Vv]ersion (\d+\.\d+\.\d+)(?:,| on) (\d{4}-\d\d-\d\d)").unwrap();
    let of = |page: &str| -> Vec<_> {
        let page = page.replace('\n', " ");
        dated.captures_iter(&page).map(|one| (one[1].to_owned(), one[2].to_owned())).collect()
    };
    let measured = of(&read("docs/performance.md"));
    let mut seen = 0;
    for page in FIRST {
        for found in of(&read(page)) {
            assert_eq!(Some(&found), measured.first(), "{page}");
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen}");
}

#[test]
fn a_tool_has_one_state_on_every_page() {
    let page = read("docs/tools.md");
    let known = rows(&page, "| tool | state |");
    let agrees = |tool: &str, said: &str| {
        let said = state(said).unwrap_or_else(|| panic!("{tool}: '{said}' is not a state"));
        let mut rows = (0..known.len()).filter(|at| known[*at][0].contains(tool)).peekable();
        assert!(rows.peek().is_some(), "docs/tools.md does not name {tool}");
        rows.inspect(|at| assert_eq!(state(known[*at][1]), Some(said), "{tool}")).collect::<Vec<_>>()
    };
    let mut named = BTreeSet::new();
    for row in rows(&read("README.md"), "| tools | state |") {
        named.extend(row[0].split(';').flat_map(|tool| agrees(tool.trim(), row[1])));
    }
    assert_eq!(named.len(), known.len(), "README.md leaves out a row of docs/tools.md");
    for page in tool_pages() {
        let text = read(&page);
        let line = text.lines().nth(2).unwrap();
        let states = line.strip_prefix('*').and_then(|line| line.strip_suffix(".*"));
        let states = states.unwrap_or_else(|| panic!("{page} has no state below its title"));
        for (tool, said) in states.split(". ").map(|each| each.rsplit_once(": ").unwrap()) {
            agrees(tool, said);
        }
    }
}

/// What the row of a tool in the table of states is called in the table of what was run.
const IN_THE_TABLE: [(&str, &[&str]); 12] = [
    ("Azure SDKs for Node", &["@azure/identity (Node)"]),
    ("Python and Rust", &["azure-identity (Python)", "azure_identity (Rust)"]),
    ("curl", &["curl"]),
    ("Terraform with the built-in `azurerm` backend", &["Terraform, azurerm backend"]),
    ("Azure CLI", &["azure-cli", "azure-cli, first version"]),
    ("azcopy", &["azcopy"]),
    ("podman", &["curl, container job of podman", "curl, podman run in a step"]),
    ("the Terraform providers azurerm", &["Terraform, provider azurerm"]),
    ("azapi", &["Terraform, provider azapi"]),
    ("azuread", &["Terraform, provider azuread"]),
    ("azuredevops", &["Terraform, provider azuredevops"]),
    ("its protocol is spoken by the row `AZD_AUTH_ENDPOINT`", &["curl"]),
];

/// Each state is what the table of the acceptance run says, and each row of that table is of a tool with a state.
#[test]
fn the_state_of_a_tool_is_what_was_run() {
    let page = read("docs/tools.md");
    let head = "| tool | version | family | credential | mode | federated, Azure DevOps | federated, Entra | secret | certificate | managed identity |";
    let run = rows(&page, head);
    let fields = |name: &str| {
        let of_tool: Vec<_> = run.iter().filter(|row| row[0] == name).collect();
        assert!(!of_tool.is_empty(), "nothing was run as {name}");
        of_tool.into_iter().flat_map(|row| row[5..].iter().copied()).filter(|field| !field.is_empty())
    };
    let clouds = rows(&page, "| client | version | result |");
    let is_ok = |name: &str| clouds.iter().any(|row| row[0] == name && row[2] == "ok");
    // Clients of other clouds have a row by each name.
    let of_clouds = |tools: &str| tools.split(';').all(|name| is_ok(name.trim()));
    let listed = rows(&page, "| tool | state |");
    for row in &clouds {
        assert!(listed.iter().any(|tool| tool[0].split(';').any(|name| name.trim() == row[0])), "{}", row[0]);
    }
    let mut seen = BTreeSet::new();
    for row in rows(&page, "| tool | state |") {
        let of_row = IN_THE_TABLE.iter().filter(|(tool, _)| row[0].contains(tool));
        let names: Vec<_> = of_row.flat_map(|(_, names)| names.iter().copied()).collect();
        match state(row[1]).unwrap() {
            "run here" if of_clouds(row[0]) => {}
            "run here" => {
                assert!(!names.is_empty(), "no row was run of {}", row[0]);
                for name in &names {
                    assert!(fields(name).all(|field| field == "ok"), "{name}");
                }
            }
            "run where their files are given" => {
                for name in &names {
                    assert!(fields(name).all(|field| field != "failed"), "{name}");
                }
            }
            _ => assert!(names.is_empty() || row[0].contains("AZD_AUTH_ENDPOINT"), "{names:?} was run"),
        }
        seen.extend(names);
    }
    for row in &run {
        assert!(seen.iter().any(|name| row[0].starts_with(name.trim_end_matches(" (Node)"))), "{}", row[0]);
    }
    // The names are those of the command that runs them.
    let folder = root().join("xtask/src/acceptance");
    let sources =
        ["tools.rs", "install.rs", "table.rs"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    for name in seen.iter().filter_map(|name| name.split([',', '(']).next()) {
        assert!(sources.concat().contains(name.trim()), "cargo xtask acceptance has no {name}");
    }
}

/// The state of a tool that a text begins with.
fn state(text: &str) -> Option<&'static str> {
    const STATES: [&str; 3] = ["run here", "run where their files are given", "not tried"];
    STATES.into_iter().find(|state| text.starts_with(state))
}

/// A section with commands of other tools, or files for them, says that they were not run.
#[test]
fn what_no_test_runs_is_marked() {
    const OF_OTHERS: [&str; 5] = ["sh", "powershell", "hcl", "bicep", "json"];
    let mut marked = 0;
    for page in FIRST {
        let text = read(page);
        for section in text.split("\n## ") {
            let foreign = blocks(section).into_iter().any(|(language, block)| {
                let is_own = |line: &str| ["cargo xtask ", "wif "].iter().any(|own| line.starts_with(own));
                OF_OTHERS.contains(&language.as_str()) && !block.lines().all(is_own)
            });
            if foreign {
                let title = section.lines().next().unwrap();
                let words = section.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(words.contains(MARK), "{page}: {title}: nothing says '{MARK}'");
                marked += 1;
            }
        }
    }
    assert!(marked > 4, "{marked}");
}
