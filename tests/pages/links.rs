//! The links of the pages, and the list of the pages.

use std::path::Path;

use super::{FIRST, pages, prose, read, tool_pages};

/// How GitHub makes the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_anchor_of_a_link_is_a_heading() {
    let mut seen = 0;
    for page in pages() {
        let text = prose(&read(&page));
        let folder = Path::new(&page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let in_repository = target.strip_prefix("https://github.com/wif-azure/wif/blob/main/");
            let Some((file, heading)) = in_repository.unwrap_or(target).split_once('#') else { continue };
            let file = match in_repository {
                Some(_) => Path::new(file).to_owned(),
                None if target.contains("://") => continue,
                None if file.is_empty() => Path::new(&page).to_owned(),
                None => folder.join(file),
            };
            let linked = prose(&read(file.to_str().unwrap()));
            let mut headings = linked.lines().filter(|line| line.starts_with('#'));
            let is_meant = |line: &str| anchor(line.trim_start_matches('#').trim()) == heading;
            assert!(headings.any(is_meant), "{page} leads to {target}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
    assert_eq!(anchor("sudo, su and an empty environment"), "sudo-su-and-an-empty-environment");
}

/// The help of each input ends with a link, which the editor of pipelines shows.
#[test]
fn every_help_text_of_the_task_leads_to_a_heading() {
    let manifest = |path: &str| -> serde_json::Value { serde_json::from_str(&read(path)).unwrap() };
    let (task, audit) = (manifest("task/task.json"), manifest("audit-task/task.json"));
    let inputs = [&task, &audit].into_iter().flat_map(|task| task["inputs"].as_array().unwrap());
    let texts =
        inputs.map(|input| (input["name"].as_str().unwrap(), input["helpMarkDown"].as_str().unwrap()));
    let others = ["helpMarkDown", "releaseNotes"].map(|name| (name, task[name].as_str().unwrap()));
    let mut seen = 0;
    for (name, text) in texts.chain(others) {
        let links: Vec<_> = text.split("](https://github.com/wif-azure/wif/blob/main/").skip(1).collect();
        assert!(!links.is_empty() && text.ends_with(')'), "{name}: {text}");
        for target in links.iter().map(|rest| rest.split(')').next().unwrap()) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let page = prose(&read(file));
            let mut headings = page.lines().filter(|line| line.starts_with('#'));
            let is_meant = |line: &str| anchor(line.trim_start_matches('#').trim()) == heading;
            assert!(heading.is_empty() || headings.any(is_meant), "{name} leads to {target}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

fn is_source(page: &&str) -> bool {
    page.starts_with("sources/")
}

#[test]
fn every_page_is_in_the_list_of_pages() {
    let list = read("docs/README.md");
    let tools = read("docs/tools.md");
    for page in tool_pages().iter().filter_map(|page| page.strip_prefix("docs/")) {
        assert!(tools.contains(&format!("]({page})")), "docs/tools.md does not list {page}");
    }
    let sources = read("docs/sources.md");
    for page in pages().iter().filter_map(|page| page.strip_prefix("docs/")).filter(is_source) {
        assert!(sources.contains(&format!("]({page})")), "docs/sources.md does not list {page}");
    }
    let is_listed = |name: &&str| *name != "README.md" && !name.starts_with("tools/") && !is_source(name);
    for page in pages().iter().filter_map(|page| page.strip_prefix("docs/")).filter(is_listed) {
        assert!(list.contains(&format!("]({page})")), "docs/README.md does not list {page}");
    }
}

#[test]
fn the_first_pages_are_short() {
    for page in FIRST {
        let lines = read(page).lines().count();
        assert!(lines < 150, "{page} has {lines} lines");
    }
}
