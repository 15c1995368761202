//! `wif token` and `wif status` for programs: JSON, and a line of curl's configuration.

use std::sync::Arc;

use serde_json::{Value, json};
use wif::cli::{self, Command, Screen};
use wif_io::{clock, env::Env};

use crate::{
    broker::{KEY, open},
    support::{Case, run},
};

fn token(resource: Option<&str>, json: bool) -> Command {
    let resource = resource.map(str::to_owned);
    Command::Token {
        id_token: resource.is_none(),
        resource,
        session: None,
        no_mask: false,
        json,
        curl: !json,
    }
}

/// What the commands print, one after the other, in one session; and that they mask, where they should.
fn printed(case: &Case, commands: &[Command]) -> Vec<String> {
    let mut texts = Vec::new();
    run(async {
        let session = open(case, Arc::new(clock::System::new())).await;
        let variables = [
            ("WIF_URL", format!("http://127.0.0.1:{}", session.port)),
            ("WIF_KEY", KEY.to_owned()),
            ("TF_BUILD", "True".to_owned()),
        ];
        let env: Env = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for command in commands {
            let (mut out, mut masks) = (Vec::new(), Vec::new());
            let clock = clock::System::new();
            cli::ask(command, &env, &clock, &mut Screen::new(&mut out), &mut masks).await.unwrap();
            let masks = String::from_utf8(masks).unwrap();
            assert_eq!(masks.contains("##vso[task.setsecret"), matches!(command, Command::Token { .. }));
            texts.push(String::from_utf8(out).unwrap());
        }
    });
    texts
}

fn parsed(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_token_as_json_says_what_it_is_for_and_when_it_ends() {
    let case = Case::new();
    let texts = printed(
        &case,
        &[token(Some("arm"), true), token(None, true), Command::Status { session: None, json: true }],
    );
    let access = parsed(&texts[0]);
    assert_eq!((&access["schema"], &access["tokenType"]), (&json!("wif.token/1"), &json!("Bearer")));
    let token = access["token"].as_str().unwrap();
    assert!(token.starts_with("eyJ") && token.split('.').count() == 3, "{access}");
    assert_eq!(access["resource"], "arm", "as it was asked for");
    let until = access["expiresOn"].as_str().unwrap();
    assert!(until.len() == 20 && until.ends_with('Z'), "{until}");
    let id_token = parsed(&texts[1]);
    assert_eq!((&id_token["schema"], &id_token["resource"]), (&json!("wif.token/1"), &Value::Null));
    assert_ne!(id_token["token"], access["token"]);
    let status = parsed(&texts[2]);
    assert_eq!((&status["schema"], &status["refused"]), (&json!("wif.status/1"), &json!(0)));
    let tokens: Vec<_> =
        status["tokens"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(tokens, ["id token", "https://management.core.windows.net"]);
    assert!(!texts[2].contains(access["token"].as_str().unwrap()));
}

/// The fields that the reference gives to what is in this row, sorted, with the name of the schema.
fn fields_of_the_reference(what: &str) -> Vec<String> {
    let page = include_str!("../docs/reference.md");
    let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {what} | "))).unwrap();
    let names = row.split('`').skip(1).step_by(2).filter(|name| !name.starts_with('"')).map(str::to_owned);
    let schema = row.contains("\"schema\": ").then(|| "schema".to_owned());
    let mut names: Vec<_> = names.chain(schema).collect();
    names.sort();
    names
}

#[test]
fn the_reference_lists_the_fields_of_every_json() {
    let fields = |value: &Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let case = Case::new();
    let texts = printed(&case, &[token(Some("arm"), true), Command::Status { session: None, json: true }]);
    let (token, status) = (parsed(&texts[0]), parsed(&texts[1]));
    let mut explained = Vec::new();
    cli::explain(Some("WIF2013"), true, &mut std::io::empty(), &mut Screen::new(&mut explained)).unwrap();
    let explained: Value = serde_json::from_slice(&explained).unwrap();
    for (what, answer) in [
        ("`wif token --json`", &token),
        ("`wif status --json`", &status),
        ("each of `tokens`", &status["tokens"][0]),
        ("`wif explain --json`", &explained),
        ("each of `explained`", &explained["explained"][0]),
    ] {
        assert_eq!(fields(answer), fields_of_the_reference(what), "{what}");
    }
}

#[test]
fn curl_gets_the_token_by_its_configuration() {
    let texts = printed(&Case::new(), &[token(Some("arm"), false)]);
    let token = texts[0]
        .strip_prefix("header = \"Authorization: Bearer eyJ")
        .and_then(|rest| rest.strip_suffix("\"\n"));
    assert!(token.is_some_and(|token| token.len() > 100), "{}", texts[0]);
}
