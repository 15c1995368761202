//! The pages for users name only what is there: commands, inputs, headings, figures, states of tools, hosts, codes.

mod figures;
mod links;
#[cfg(target_os = "linux")]
mod scripts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use clap::CommandFactory as _;
use regex_lite::Regex;
use uuid::Uuid;
use wif::{agent::inputs::Inputs, cli::Arguments};
use wif_core::{
    azure::{
        cloud::Cloud,
        hosts::{AllowedHosts, HTTPS, Service},
        resource::{Audiences, Resource},
    },
    refusals::{self, Name},
};
use wif_io::env::Env;

/// Pages that a newcomer reads first. They are short, and what they show of other tools is marked.
const FIRST: [&str; 11] = [
    "README.md",
    "docs/README.md",
    "docs/compare.md",
    "docs/faq.md",
    "docs/limits.md",
    "docs/network.md",
    "docs/security-summary.md",
    "docs/setup.md",
    "docs/setup-as-code.md",
    "docs/support.md",
    "docs/troubleshooting.md",
];

const TASK: &str = "AzureWorkloadIdentity@1";

/// What stands beside commands that no test runs.
const MARK: &str = "**not run by us";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page for users, by its path in the repository.
fn pages() -> Vec<String> {
    let below = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let folder = folder.to_owned();
        names
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"))
            .map(move |name| format!("{folder}{name}"))
            .collect::<Vec<_>>()
    };
    let all = [
        vec!["README.md".to_owned(), "overview.md".to_owned()],
        below("docs/"),
        below("docs/tools/"),
        below("docs/sources/"),
    ]
    .concat();
    assert!(all.len() > 20, "{all:?}");
    all
}

/// The pages of tools, by their paths.
fn tool_pages() -> Vec<String> {
    let pages: Vec<_> = pages().into_iter().filter(|page| page.starts_with("docs/tools/")).collect();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// Language and text of each fenced block of a page.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(language), None) => open = Some((language.trim().to_owned(), String::new())),
            (None, Some((language, text))) => open = Some((language, text + line + "\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block does not end:\n{page}");
    found
}

/// A page without its fenced blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The cells of each row of the table that has this head.
fn rows<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = page.split_once(&format!("\n{head}\n")).unwrap_or_else(|| panic!("no table {head}"));
    let rows = rest.lines().skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> =
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>()).collect();
    assert!(!rows.is_empty(), "{head}");
    rows
}

/// What is written after `wif ` wherever a page shows it as a command, up to the end of that command.
fn commands(page: &str) -> Vec<String> {
    const SHELLS: [&str; 6] = ["sh", "bash", "yaml", "powershell", "console", "dockerfile"];
    let in_blocks =
        Regex::new(r"(?m)(?:^\s*|\(|[|;&]\s+|- (?:script|bash|pwsh|powershell): )wif ([^\n]*)").unwrap();
    let shells = blocks(page).into_iter().filter(|(language, _)| SHELLS.contains(&language.as_str()));
    let mut found = Vec::new();
    for (_, text) in shells {
        found.extend(in_blocks.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    let prose = prose(page);
    let spans = prose.split('`').skip(1).step_by(2);
    found.extend(spans.filter_map(|span| span.strip_prefix("wif ")).map(str::to_owned));
    let end = Regex::new(r#"[|;&)<>"]| #|\n"#).unwrap();
    found.iter().map(|command| end.split(command).next().unwrap().trim().to_owned()).collect()
}

/// Whether the program has this command with these options, and takes as many arguments.
fn check(command: &str) -> Result<(), String> {
    let mut level = Arguments::command();
    level.build();
    let (mut arguments, mut value_is_due) = (0, false);
    for word in command.split_whitespace().filter(|word| !word.contains('…')) {
        let is_handed_on = level.is_allow_external_subcommands_set()
            || level.get_positionals().any(clap::Arg::is_trailing_var_arg_set);
        if word == "--" || is_handed_on {
            return Ok(());
        }
        if let Some(option) = word.strip_prefix("--") {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let known = level.get_arguments().find(|argument| {
                argument.get_long() == Some(name)
                    || argument.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
            });
            let known = known.ok_or_else(|| format!("there is no option --{name}"))?;
            value_is_due = value.is_empty() && known.get_action().takes_values();
        } else if value_is_due {
            value_is_due = false;
        } else if let Some(name) = word.strip_prefix('-').and_then(|name| name.chars().next()) {
            let known = level.get_arguments().find(|argument| argument.get_short() == Some(name));
            let known = known.ok_or_else(|| format!("there is no option -{name}"))?;
            value_is_due = word.len() == 2 && known.get_action().takes_values();
        } else if let Some(below) = level.find_subcommand(word) {
            level = below.clone();
        } else if level.has_subcommands() {
            return Err(format!("there is no command {word}"));
        } else {
            arguments += 1;
        }
    }
    let takes = |argument: &clap::Arg| argument.get_num_args().map_or(1, |number| number.max_values());
    let most = level.get_positionals().map(takes).fold(0, usize::saturating_add);
    if arguments > most { Err(format!("{arguments} arguments, {most} at the most")) } else { Ok(()) }
}

#[test]
fn every_command_on_a_page_is_one_that_the_program_has() {
    let mut seen = 0;
    for page in pages() {
        for command in commands(&read(&page)) {
            check(&command).unwrap_or_else(|error| panic!("{page}: wif {command}: {error}"));
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
    for wrong in ["tokens arm", "token arm --all", "doctor -x y", "token arm graph", "status arm"] {
        assert!(check(wrong).is_err(), "wif {wrong}");
    }
    for right in
        ["token arm --no-mask", "doctor --try az,sdk", "doctor --try --session hub", "explain", "token …"]
    {
        assert_eq!(check(right), Ok(()), "wif {right}");
    }
}

/// The inputs of each step of this task in a block of YAML, as they are written.
fn sign_ins(block: &str) -> Vec<BTreeMap<String, String>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let value = |text: &str| {
        let text = text.trim();
        let text = if text.starts_with('#') { "" } else { text.split(" #").next().unwrap() };
        text.trim().trim_matches(['\'', '"', '|']).to_owned()
    };
    let lines: Vec<_> = block.lines().filter(|line| !line.trim().is_empty()).collect();
    let is_ours = |line: &str| line.trim().trim_start_matches("- ").starts_with(&format!("task: {TASK}"));
    let mut found = Vec::new();
    for (start, step) in lines.iter().enumerate().filter(|(_, line)| is_ours(line)) {
        let mut inputs: Vec<(String, String)> = Vec::new();
        let rest = lines[start + 1..].iter().take_while(|line| indent(line) > indent(step));
        let mut rest = rest.skip_while(|line| !line.trim().starts_with("inputs:"));
        let head = rest.next().unwrap_or_else(|| panic!("no inputs:\n{block}"));
        if let Some((_, flow)) = head.split_once('{') {
            let pairs = flow.split('}').next().unwrap().split(',').filter_map(|pair| pair.split_once(':'));
            inputs.extend(pairs.map(|(name, text)| (name.trim().to_owned(), value(text))));
        }
        let mut column = None;
        for line in rest.take_while(|line| indent(line) > indent(head)) {
            if indent(line) == *column.get_or_insert(indent(line)) {
                let (name, text) = line.trim().split_once(':').unwrap_or_else(|| panic!("{line}\n{block}"));
                inputs.push((name.to_owned(), value(text)));
            } else if let Some((_, lines)) = inputs.last_mut() {
                *lines += &format!("{}\n", line.trim());
            }
        }
        found.push(inputs.into_iter().collect());
    }
    found
}

#[test]
fn every_sign_in_on_a_page_has_inputs_that_the_task_declares_and_accepts() {
    let task: serde_json::Value = serde_json::from_str(&read("task/task.json")).unwrap();
    let mut declared = BTreeSet::new();
    for input in task["inputs"].as_array().unwrap() {
        declared.insert(input["name"].as_str().unwrap().to_owned());
        let aliases = input["aliases"].as_array().into_iter().flatten();
        declared.extend(aliases.map(|alias| alias.as_str().unwrap().to_owned()));
    }
    let mut seen = 0;
    for page in pages() {
        let yaml = blocks(&read(&page)).into_iter().filter(|(language, _)| language == "yaml");
        for inputs in yaml.flat_map(|(_, block)| sign_ins(&block)) {
            for name in inputs.keys() {
                assert!(declared.contains(name), "{page}: the task has no input {name}");
            }
            assert!(inputs.values().any(|value| !value.is_empty()), "{page}: {inputs:?}");
            let connection = Uuid::from_u128(1).to_string();
            let variables = inputs.iter().map(|(name, value)| {
                let is_connection = ["azureSubscription", "connectedServiceNameARM"].contains(&name.as_str());
                let name = if is_connection { "azureSubscription" } else { name };
                (
                    format!("INPUT_{}", name.to_uppercase()),
                    if is_connection { connection.clone() } else { value.clone() },
                )
            });
            let accepted = Inputs::read(&variables.collect::<Env>());
            accepted.unwrap_or_else(|error| panic!("{page}: {inputs:?}: {error}"));
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

/// The groups of the help are written by hand (`src/cli/help.rs`).
#[test]
fn the_help_has_every_command_in_a_group_and_its_examples_are_commands() {
    let mut program = Arguments::command();
    let help = program.render_long_help().to_string();
    let is_shown = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for command in program.get_subcommands().filter(is_shown) {
        let line = format!("  {:<12}{}", command.get_name(), command.get_about().unwrap());
        let listed = help.lines().any(|listed| listed == line || listed.starts_with(&(line.clone() + "; ")));
        assert!(listed, "src/cli/help.rs lacks '{line}'");
        assert!(!line.contains("  task ") && line.len() < 100, "{line}");
    }
    assert!(!help.contains("  task ") && !help.contains("  broker "), "{help}");
    let mut seen = 0;
    let each = program.get_subcommands_mut().map(|command| command.render_long_help().to_string());
    for help in each.collect::<Vec<_>>().into_iter().chain([help]) {
        for example in help.lines().filter_map(|line| line.trim().strip_prefix("wif ")) {
            let command = example
                .split([' '])
                .take_while(|word| !['#', '|', '<'].iter().any(|end| word.starts_with(*end)));
            // A text between quotation marks is one argument.
            let command = command.collect::<Vec<_>>().join(" ");
            let command =
                command.split_once('\'').map_or(command.clone(), |(before, _)| before.to_owned() + "x");
            check(&command).unwrap_or_else(|error| panic!("wif {command}: {error}"));
            seen += 1;
        }
    }
    assert!(seen > 12, "{seen}");
}

#[cfg(unix)]
#[test]
fn every_script_on_the_first_pages_is_one_that_bash_can_read() {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };
    let mut seen = 0;
    for page in FIRST {
        for (_, script) in blocks(&read(page)).into_iter().filter(|(language, _)| language == "sh") {
            let mut bash = Command::new("bash");
            let mut bash = bash.arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            let ended = bash.wait_with_output().unwrap();
            assert!(ended.status.success(), "{page}: {}\n{script}", String::from_utf8_lossy(&ended.stderr));
            seen += 1;
        }
    }
    assert!(seen > 4, "{seen}");
}

#[test]
fn each_task_of_the_extension_is_on_the_page_for_the_person_who_approves() {
    let page = read("docs/security-summary.md");
    let extension: serde_json::Value = serde_json::from_str(&read("vss-extension.json")).unwrap();
    let contributions = extension["contributions"].as_array().unwrap();
    assert!(contributions.len() > 1);
    for contribution in contributions {
        let folder = contribution["properties"]["name"].as_str().unwrap();
        let task: serde_json::Value = serde_json::from_str(&read(&format!("{folder}/task.json"))).unwrap();
        let name = format!("`{}@{}`", task["name"].as_str().unwrap(), task["version"]["Major"]);
        assert!(page.contains(&name), "docs/security-summary.md lacks {name}");
        // What the forms offer, the page of limits does not deny.
        assert!(task["runsOn"].as_array().unwrap().contains(&"DeploymentGroup".into()));
        assert!(!read("docs/limits.md").contains("not deployment groups"));
    }
}

#[test]
fn the_hosts_on_the_network_page_are_those_that_the_program_knows() {
    let page = read("docs/network.md");
    let table = rows(&page, "| cloud | sign-in (Entra) | Azure Resource Manager | Microsoft Graph |");
    let known = AllowedHosts::default();
    let services = [Service::Authority, Service::ResourceManager, Service::Graph];
    for row in &table {
        for (service, host) in services.into_iter().zip(&row[1..]) {
            assert!(known.admits(service, host.trim_matches('`'), HTTPS), "{service:?}: {host}");
        }
    }
    assert_eq!(table.len(), Cloud::ALL.len());
    for cloud in Cloud::ALL {
        let resource_manager = cloud.resource_manager().to_owned();
        let audiences = Audiences { cloud, resource_manager, key_vault: None, graph: None };
        let graph = Resource::parse("graph", &audiences).unwrap().to_string();
        for url in [cloud.authority(), cloud.resource_manager(), &graph] {
            let host = format!("`{}`", url.trim_start_matches("https://"));
            assert!(table.iter().flatten().any(|cell| *cell == host), "docs/network.md does not name {host}");
        }
    }
    let further =
        page.split("Further hosts of the same services").nth(1).unwrap().split("\n\n").next().unwrap();
    let further: Vec<_> = further.split('`').skip(1).step_by(2).collect();
    assert!(further.len() > 5, "{further:?}");
    for host in further {
        assert!(known.admits(Service::Authority, host, HTTPS), "{host}");
    }
}

#[test]
fn every_code_on_a_page_is_known() {
    // Another test holds these headings to the codes of the program.
    let headings = read("docs/errors.md");
    let ours = Regex::new(r"\bWIF\d{4}\b").unwrap();
    for page in pages() {
        for code in ours.find_iter(&read(&page)).map(|found| found.as_str()) {
            assert!(headings.contains(&format!("\n### {code}\n")), "{page}: {code}");
        }
    }
    let of_entra = Regex::new(r"\bAADSTS(\d+)\b").unwrap();
    for page in FIRST {
        for number in of_entra.captures_iter(&read(page)).map(|found| found[1].parse().unwrap()) {
            assert!(refusals::all().any(|known| known.name == Name::Entra(number)), "{page}: AADSTS{number}");
        }
    }
}

/// `docs/security-summary.md` says so.
#[test]
fn the_extension_asks_for_no_permission_of_an_organization() {
    let manifest: serde_json::Value = serde_json::from_str(&read("vss-extension.json")).unwrap();
    assert_eq!(manifest.get("scopes"), None);
    let kinds: Vec<_> = manifest["contributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["type"].as_str().unwrap())
        .collect();
    assert!(kinds.iter().all(|kind| *kind == "ms.vss-distributed-task.task"), "{kinds:?}");
}
