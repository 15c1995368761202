//! From 1.0 to 1.1: the jobs of 1.0.0's pages stay green, and docs/upgrade.md names what is new.
//!
//! `upgrade/1.0.0` has files as they were in version 1.0.0, and none of them changes.

/// Jobs of 1.0.0's pages.
#[cfg(target_os = "linux")]
mod jobs;

use std::{collections::BTreeSet, fs, path::Path};

use wif_core::code::Code;

use crate::support::{SHIPPED, sources};

const FORMER: &str = "tests/upgrade/1.0.0";
const PAGE: &str = "docs/upgrade.md";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(path: &str) -> serde_json::Value {
    serde_json::from_str(&read(path)).unwrap()
}

#[test]
fn every_code_that_1_0_0_did_not_have_is_on_the_page_and_no_code_is_gone() {
    let former = read(&format!("{FORMER}/codes.txt"));
    let former: BTreeSet<_> = former.lines().collect();
    let now: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert!(former.is_subset(&now), "gone: {:?}", former.difference(&now));
    let page = read(PAGE);
    for code in now.difference(&former) {
        assert!(
            page.contains(&format!("[{code}](errors.md#{})", code.to_lowercase())),
            "{PAGE} lacks {code}"
        );
    }
}

#[test]
fn every_input_of_1_0_0_is_there_with_its_type_and_default_and_new_inputs_are_optional() {
    let (former, now) = (manifest(&format!("{FORMER}/task.json")), manifest("task/task.json"));
    assert_eq!((&now["version"]["Major"], &now["version"]["Minor"]), (&1.into(), &1.into()));
    assert_eq!((&now["id"], &now["name"]), (&former["id"], &former["name"]));
    let former = former["inputs"].as_array().unwrap();
    let now = now["inputs"].as_array().unwrap();
    let page = read(PAGE);
    for input in former {
        let same = now.iter().find(|other| other["name"] == input["name"]).unwrap();
        for key in ["type", "defaultValue", "required", "visibleRule"] {
            assert_eq!(same[key], input[key], "{key} of {}", input["name"]);
        }
    }
    for input in now.iter().filter(|input| former.iter().all(|other| other["name"] != input["name"])) {
        assert_eq!(input["required"], false, "{}", input["name"]);
        let name = input["name"].as_str().unwrap();
        assert!(page.contains(&format!("`{name}")), "{PAGE} lacks {name}");
    }
}

#[test]
fn links_of_the_page_lead_to_headings_that_exist() {
    let page = read(PAGE);
    let mut seen = 0;
    for (_, rest) in page.match_indices("](").map(|(at, _)| page.split_at(at + 2)) {
        let target = rest.split(')').next().unwrap();
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let text = read(&format!("docs/{file}"));
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let anchors: Vec<_> = headings
            .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
            .collect();
        assert!(heading.is_empty() || anchors.iter().any(|anchor| anchor == heading), "{target}");
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

/// Sentences of the page that are the agent's, and not this program's.
const OF_THE_AGENT: [&str; 1] = ["Exit code 137 returned from process"];

/// What the program can say: its source text without tests and comments, in which a text over several lines is one.
fn code() -> String {
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("task/index.js");
    let mut all = fs::read_to_string(shim).unwrap();
    for source in sources(&SHIPPED) {
        let lines = source.code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let joined = text.split("\\\n").enumerate();
        all.extend(joined.map(|(at, line)| if at == 0 { line } else { line.trim_start() }));
    }
    all
}

#[test]
fn every_message_on_the_page_is_one_that_the_program_has() {
    let (page, code) = (read(PAGE), code());
    let (mut seen, mut has_messages) = (0, false);
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        if row.starts_with("| who ") {
            has_messages = row.contains("| message |");
        }
        if !has_messages {
            continue;
        }
        let message = row.split(" | ").nth(1).unwrap();
        let quoted = message.split('`').skip(1).step_by(2).filter(|text| text.contains(' '));
        for part in quoted.flat_map(|text| text.split('…')) {
            let part = part.trim_matches([' ', ':', ',', '\'']);
            if part.len() > 8 && !OF_THE_AGENT.contains(&part) {
                assert!(code.contains(part), "nothing says '{part}'");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}
