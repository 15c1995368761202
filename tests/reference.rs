//! The page of every input, exported variable, alias and output variable is made of what the program has.

use std::{collections::BTreeSet, fs, path::Path};

use uuid::Uuid;
use wif_core::{
    azure::{
        cloud::Cloud,
        resource::{ALIASES, Audiences, Resource},
    },
    exports::{
        self, BrokerEndpoint, Facts, Family, GitFacts, GoogleFacts, Need, TargetFacts, Value, Variable,
        VaultFacts,
    },
    secret::Secret,
};

use crate::documents::assert_page;

#[test]
fn the_reference_is_what_the_program_has() {
    let tables = [inputs_table(), exports_table(), outputs_table(), aliases_table()];
    let mut page = include_str!("pages/reference.md").to_owned();
    for (place, table) in ["{inputs}", "{exports}", "{outputs}", "{aliases}"].into_iter().zip(tables) {
        assert_eq!(page.matches(place).count(), 1, "{place}");
        page = page.replace(place, &table);
    }
    assert_page("docs/reference.md", &page);
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<_> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let below = format!("|{}\n", "---|".repeat(head.len()));
    rows.into_iter().fold(line(&head) + &below, |table, row| table + &line(&row))
}

fn manifest() -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("task/task.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The first sentence of a help text, on one line of a table.
fn first_sentence(text: &str) -> String {
    let end = [". ", ".\n", ":\n", "\n"].into_iter().filter_map(|end| text.find(end)).min();
    let sentence = end.map_or(text, |end| &text[..end]);
    sentence.trim_end_matches('.').replace('|', "\\|")
}

fn inputs_table() -> String {
    let task = manifest();
    let row = |input: &serde_json::Value| {
        let text = |key: &str| input[key].as_str().unwrap_or_default();
        let aliases = input["aliases"].as_array().into_iter().flatten();
        let names = [text("name")].into_iter().chain(aliases.filter_map(serde_json::Value::as_str));
        let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
        let default = match text("defaultValue") {
            "" if input["required"].as_bool() == Some(true) => "required".to_owned(),
            "" => "empty".to_owned(),
            default => format!("`{default}`"),
        };
        vec![names.join(", "), text("type").to_owned(), default, first_sentence(text("helpMarkDown"))]
    };
    table(
        &["input", "type", "default", "in one sentence"],
        task["inputs"].as_array().unwrap().iter().map(row),
    )
}

fn outputs_table() -> String {
    let task = manifest();
    let row = |output: &serde_json::Value| {
        let text = |key: &str| output[key].as_str().unwrap();
        vec![format!("`{}`", text("name")), text("description").trim_end_matches('.').to_owned()]
    };
    table(&["output variable", "value"], task["outputVariables"].as_array().unwrap().iter().map(row))
}

fn exports_table() -> String {
    let id = Uuid::from_u128(1);
    let facts = Facts {
        client: Some(id),
        tenant: id,
        subscription: Some(id),
        authority: "https://login.example/".to_owned(),
        cloud: Some(Cloud::Public),
        id_token_file: Some("/id-token".into()),
        azure_cli_folder: Some("/azure".into()),
        azure_cli_extensions: Some("/extensions".into()),
        machine: None,
        targets: TargetFacts {
            aws_region: Some("eu-central-1".to_owned()),
            vault: Some(VaultFacts {
                address: "https://vault.example".to_owned(),
                namespace: Some("team".to_owned()),
                token: Secret::new("token".to_owned()),
            }),
            google: Some(GoogleFacts {
                credential_file: "/google.json".into(),
                project: Some("project".to_owned()),
            }),
            docker_folder: Some("/docker".into()),
            git: Some(GitFacts { begin: 0, session: None, host: None }),
            feeds: vec!["https://pkgs.dev.azure.com/contoso/feed".to_owned()],
        },
    };
    let live = |families: &BTreeSet<Family>, gives_id_token: bool| {
        let endpoint = BrokerEndpoint { gives_id_token, ..BrokerEndpoint::placeholder() };
        exports::live(families, &facts, &endpoint)
    };
    let nothing = BTreeSet::new();
    let always = [live(&nothing, true), live(&nothing, false), exports::snapshot(&nothing, &facts)];
    let all = |variables: &[Variable]| {
        let name = |variable: &Variable| match variable.value {
            Value::Plain(_) => format!("`{}`", variable.name),
            Value::Masked(_) | Value::Secret(_) => format!("*`{}`*", variable.name),
        };
        variables.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let first = ["always".to_owned(), String::new()].into_iter().chain(always.iter().map(|each| all(each)));
    let row = |family: &Family| {
        let one = BTreeSet::from([*family]);
        let sessions = [
            Some(live(&one, true)),
            // Other clouds take the id token, and registries do not.
            (!family.needs(Need::IdToken) && (family.asked_by().is_none() || *family == Family::Docker))
                .then(|| live(&one, false)),
            family.has_snapshot().then(|| exports::snapshot(&one, &facts)),
        ];
        let own = sessions.into_iter().zip(&always).map(|(variables, always)| {
            let Some(variables) = variables else { return "fails".to_owned() };
            let own: Vec<_> = variables.into_iter().filter(|variable| !always.contains(variable)).collect();
            all(&own)
        });
        let family = [format!("`{}`", family.as_str()), family.summary().to_owned()];
        family.into_iter().chain(own).collect::<Vec<_>>()
    };
    let rows = std::iter::once(first.collect::<Vec<_>>()).chain(Family::ALL.iter().map(row));
    table(&["family", "for", "federated", "another connection", "`refresh: false`"], rows)
}

fn aliases_table() -> String {
    let row = |alias: &&str| {
        let resource = |cloud: Cloud| {
            let resource_manager = cloud.resource_manager().to_owned();
            let audiences = Audiences { cloud, resource_manager, key_vault: None, graph: None };
            format!("`{}`", Resource::parse(alias, &audiences).unwrap())
        };
        std::iter::once(format!("`{alias}`")).chain(Cloud::ALL.map(resource)).collect::<Vec<_>>()
    };
    table(&["alias", "public", "US government", "China"], ALIASES.iter().map(row))
}
