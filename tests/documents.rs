//! Documents that can be tested are.

use std::{collections::BTreeSet, fs, path::Path};

use wif_core::{
    code::Code,
    exports::Family,
    refusals::{self, KnownRefusal, Name},
};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_code_has_a_heading_and_every_heading_a_code() {
    let text = read("docs/errors.md");
    // The rules of the audit are another crate's, whose test asks for their headings.
    let (errors, _) = text.split_once("\n## Audit\n").unwrap();
    let headings: BTreeSet<_> = errors.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings, codes);
}

#[test]
fn the_page_of_refusals_is_the_catalogue() {
    assert_page("docs/refusals.md", &refusals_page());
}

#[test]
fn every_refusal_stands_in_the_section_of_its_code() {
    let text = read("docs/errors.md");
    for known in refusals::all() {
        let begin = text.find(&format!("### {}\n", known.code)).unwrap();
        let section = text[begin + 4..].split("\n### ").next().unwrap();
        let name = known.name.to_string();
        let words = || section.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        assert!(words().any(|word| word == name), "{name} is not named under {}", known.code);
    }
}

/// The page must be what is expected; what is expected is left where it can be copied from.
pub(crate) fn assert_page(page: &str, expected: &str) {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Path::new(page).file_name().unwrap());
    fs::write(&made, expected).unwrap();
    assert!(read(page) == expected, "{page} is not what it should be: cp {} {page}", made.display());
}

fn refusals_page() -> String {
    let mut page = include_str!("pages/refusals.md").to_owned();
    let group = |title: &str, is_of: fn(&KnownRefusal) -> bool| {
        let mut known: Vec<_> = refusals::all().filter(|known| is_of(known)).collect();
        known.sort_by_key(|known| match known.name {
            Name::Entra(number) => (number, String::new()),
            Name::DevOps(name)
            | Name::ResourceManager(name)
            | Name::Aws(name)
            | Name::Google(name)
            | Name::Vault(name) => (0, name.to_lowercase()),
        });
        let entries = known.iter().map(|known| format!("### {}\n\n```text\n{known}\n```\n", known.name));
        format!("\n## {title}\n\n{}", entries.collect::<Vec<_>>().join("\n"))
    };
    page += &group("Entra", |known| matches!(known.name, Name::Entra(_)));
    page += &group("Azure DevOps", |known| matches!(known.name, Name::DevOps(_)));
    page += &group("Azure Resource Manager and Microsoft Graph", |known| {
        matches!(known.name, Name::ResourceManager(_))
    });
    page += &group("AWS", |known| matches!(known.name, Name::Aws(_)));
    page += &group("Google Cloud", |known| matches!(known.name, Name::Google(_)));
    page += &group("Vault and OpenBao", |known| matches!(known.name, Name::Vault(_)));
    page
}

#[test]
fn every_link_into_the_repository_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages() {
        let text = read(&page);
        let targets = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        let relative = targets.filter(|target| !target.contains("://"));
        let relative = relative.map(|target| root.join(&page).parent().unwrap().join(without_anchor(target)));
        let ends = |c: char| c.is_whitespace() || ")\"'>`".contains(c);
        let absolute = text.split(ON_THE_WEB).skip(1).map(|rest| rest.split(ends).next().unwrap());
        for path in relative.chain(absolute.map(|target| root.join(without_anchor(target)))) {
            assert!(path.exists(), "{page} leads to {}", path.display());
        }
    }
}

#[test]
fn every_decision_is_listed() {
    let list = read("docs/decisions/README.md");
    let names: Vec<_> = files("docs/decisions").filter(|name| name != "README.md").collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(list.contains(&format!("]({name})")), "docs/decisions/README.md does not list {name}");
    }
}

/// Where users read the files of the repository.
const ON_THE_WEB: &str = "https://github.com/wif-azure/wif/blob/main/";

/// The pages for people, and the forms of the repository's host, by their paths.
fn pages() -> impl Iterator<Item = String> {
    let above = files("").map(|name| (String::new(), name));
    let folders =
        ["docs", "docs/decisions", "docs/tools", "docs/sources", ".github", ".github/ISSUE_TEMPLATE"];
    let below =
        folders.into_iter().flat_map(|folder| files(folder).map(move |name| (format!("{folder}/"), name)));
    let is_page = |name: &str| [".md", ".yml"].iter().any(|end| name.ends_with(end));
    above.chain(below).filter(move |(_, name)| is_page(name)).map(|(folder, name)| folder + &name)
}

/// The names of what is in a folder of the repository.
fn files(folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

fn without_anchor(target: &str) -> &str {
    target.split('#').next().unwrap()
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let text = read("docs/security.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("crates"), root.join("tests")];
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
    let is_name = |word: &&str| {
        word.matches('_').count() > 1
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let names: Vec<_> = text.split('`').filter(is_name).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let before = all.split_once(&format!("fn {name}(")).unwrap_or_else(|| panic!("no test {name}")).0;
        let before = before.trim_end().trim_end_matches("async").trim_end();
        let mut attributes = before.lines().rev().take_while(|line| line.trim().starts_with("#["));
        assert!(attributes.any(|line| line.ends_with("test]")), "{name} is no test");
    }
}

#[test]
fn the_reserved_names_are_listed_and_no_others() {
    use wif::agent::reserved::{KEPT_BY_THE_AGENT, START_OF_PROGRAMS};
    let page = read("docs/errors.md");
    let section = page.split("### WIF1014\n").nth(1).unwrap();
    let mut causes = section.split("**Example**").next().unwrap().split("\n2. ");
    for names in [KEPT_BY_THE_AGENT, START_OF_PROGRAMS] {
        let listed = causes.next().unwrap().split("\n3. ").next().unwrap();
        let listed: Vec<_> =
            listed.split('`').skip(1).step_by(2).filter(|name| *name != "accessTokens").collect();
        let families = names.families.iter().map(|family| format!("{family}…"));
        let all: Vec<_> = families.chain(names.names.iter().map(|name| (*name).to_owned())).collect();
        assert_eq!(listed, all);
    }
}

#[test]
fn no_input_is_undocumented() {
    let task: serde_json::Value = serde_json::from_str(&read("task/task.json")).unwrap();
    let inputs = task["inputs"].as_array().unwrap();
    let listed = inputs_of_overview();
    let names: Vec<_> = inputs.iter().map(|input| input["name"].as_str().unwrap()).collect();
    assert_eq!(listed.iter().map(|[name, ..]| name.as_str()).collect::<Vec<_>>(), names);
    for (input, [name, default, meaning]) in inputs.iter().zip(&listed) {
        let of_task = input["defaultValue"].as_str().unwrap_or_default();
        let expected = match (name.as_str(), input["required"].as_bool() == Some(true)) {
            (_, true) => "required".to_owned(),
            // An empty list stands for the families that suit.
            ("exports", _) if of_task.is_empty() => format!("`{}`", names_of(&Family::of_session())),
            ("allowedResources", _) if of_task.is_empty() => "all".to_owned(),
            ("allowedTenants" | "allowedSubscriptions", _) if of_task.is_empty() => "any".to_owned(),
            ("allowedAuthorities", _) if of_task.is_empty() => "the known clouds".to_owned(),
            (name, _) if of_task.is_empty() && is_of_other_cloud(name) => String::new(),
            ("scriptType", _) if of_task.is_empty() => "none".to_owned(),
            ("session" | "inlineScript" | "scriptPath" | "arguments" | "workingDirectory", _)
                if of_task.is_empty() =>
            {
                String::new()
            }
            _ => format!("`{of_task}`"),
        };
        assert_eq!(*default, expected, "the default of {name}");
        assert!(meaning.len() > 20, "{name}: {meaning}");
    }
    let snapshot = format!("With `refresh: false` the default is `{}`", names_of(&Family::of_snapshot()));
    assert!(
        listed.iter().any(|[name, _, meaning]| name == "exports" && meaning.contains(&snapshot)),
        "{snapshot}"
    );
    let readme = read("README.md");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
    }
}

fn is_of_other_cloud(input: &str) -> bool {
    ["aws", "google", "vault", "registries", "feeds"].iter().any(|cloud| input.starts_with(cloud))
}

fn names_of(families: &BTreeSet<Family>) -> String {
    families.iter().map(|family| family.as_str()).collect::<Vec<_>>().join(", ")
}

/// Name, default and meaning in each row of the table of inputs in overview.md.
fn inputs_of_overview() -> Vec<[String; 3]> {
    let page = read("overview.md");
    let (_, rest) = page.split_once("\n| input | default | meaning |\n|---|---|---|\n").unwrap();
    let rows = rest.lines().take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<_> =
            line.trim_matches('|').splitn(3, '|').map(|cell| cell.trim().to_owned()).collect();
        let [name, default, meaning] = <[String; 3]>::try_from(cells).unwrap();
        [name.trim_matches('`').to_owned(), default, meaning]
    };
    rows.map(row).collect()
}
