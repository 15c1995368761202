//! What a session was used for, from the last answer of its broker: who was signed in, for how long, and what was asked
//! for how often, over how many connections.

use serde_json::Value;
use time::Duration;
use wif_core::{foreign_text::one_line, human_time::format_duration};

/// The longest name of what was asked for, in characters.
const MAX_NAME: usize = 200;
/// As many kinds of tokens have a line: a job that asks for more asks for something else than tokens.
const MAX_LINES: usize = 20;

/// Lines for the log; none where the answer does not say.
pub(super) fn account(answer: &Value) -> Vec<String> {
    let Some((seconds, session)) =
        answer.get("seconds").and_then(Value::as_i64).zip(answer.get("session").and_then(Value::as_object))
    else {
        return Vec::new();
    };
    let text = |name: &str| session.get(name).and_then(Value::as_str).map(|text| one_line(text, MAX_NAME));
    let client = text("client").map(|client| format!("client {client} of ")).unwrap_or_default();
    let tenant = text("tenant").unwrap_or_else(|| "which the broker does not name".to_owned());
    let mut lines =
        vec![format!("  for {}, as {client}tenant {tenant}", format_duration(Duration::seconds(seconds)))];
    let tokens = session.get("tokens").and_then(Value::as_array);
    let mut asked: Vec<_> = tokens.into_iter().flatten().filter_map(asked_for).collect();
    // The most asked for first, and what was asked for as often in the broker's order.
    asked.sort_by_key(|(times, _)| std::cmp::Reverse(*times));
    let others = asked.len().saturating_sub(MAX_LINES);
    lines.extend(asked.into_iter().take(MAX_LINES).map(|(_, line)| line));
    match (lines.len(), others) {
        (1, _) => lines.push("  no step asked for a token".to_owned()),
        (_, 0) => {}
        (_, others) => lines.push(format!("  and {others} others")),
    }
    if let Some(refused) = session.get("refused").and_then(Value::as_u64).filter(|refused| *refused > 0) {
        lines.push(format!(
            "  {refused:>6} × refused: without the key, or for what this session does not give"
        ));
    }
    lines
}

/// How often one kind of token was asked for, and its line; none, where no step asked for it.
fn asked_for(token: &Value) -> Option<(u64, String)> {
    let count = |name: &str| token.get(name).and_then(Value::as_u64);
    let times = count("asked").filter(|times| *times > 0)?;
    let what = one_line(token.get("what")?.as_str()?, MAX_NAME);
    let over = match count("connections") {
        None => String::new(),
        Some(1) => " over 1 connection".to_owned(),
        Some(connections) => format!(" over {connections} connections"),
    };
    let fetched = match count("fetched").unwrap_or_default() {
        0 => "none fetched".to_owned(),
        fetched => format!("{fetched} fetched"),
    };
    Some((times, format!("  {times:>6} × {what}{over}, {fetched} after the sign-in")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_asked_for_comes_first_and_what_nobody_asked_for_not_at_all() {
        let token = |what: &str, asked: u64, connections: u64, fetched: u64| json!({"what": what, "asked": asked, "connections": connections, "fetched": fetched});
        let tokens =
            [token("id token", 0, 0, 1), token("https://vault.azure.net", 1, 1, 1), token("arm", 1200, 7, 2)];
        let session = json!({"tenant": "T", "client": "C", "tokens": tokens, "refused": 3});
        let lines = account(&json!({"seconds": 3725, "session": session}));
        assert_eq!(
            lines,
            [
                "  for 1 h 2 min, as client C of tenant T",
                "    1200 × arm over 7 connections, 2 fetched after the sign-in",
                "       1 × https://vault.azure.net over 1 connection, 1 fetched after the sign-in",
                "       3 × refused: without the key, or for what this session does not give",
            ]
        );
    }

    #[test]
    fn an_answer_that_says_less_or_something_else_gives_what_it_can() {
        let session = json!({"tokens": [{"what": "a\n##vso[x]", "asked": 1}]});
        let lines = account(&json!({"seconds": -1, "session": session}));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains('\n') && !line.contains("##vso[")), "{lines:?}");
        let unused = account(&json!({"seconds": 1, "session": {"tokens": []}}));
        assert_eq!(unused.last().map(String::as_str), Some("  no step asked for a token"));
        assert_eq!(account(&json!({"left": []})), Vec::<String>::new());
    }
}
