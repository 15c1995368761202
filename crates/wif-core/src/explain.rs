//! What is known of codes and names, offline: what `wif explain` prints, and the operators' program too.

use crate::{code::Code, refusals};

/// The page that has a section for each code and for each rule of the audit. It is part of the programs, so that both say the
/// same.
const PAGE: &str = include_str!("../../../docs/errors.md");

/// The most names that are explained of one text.
const MAX_EXPLAINED: usize = 20;
/// What our codes begin with.
const OUR_PREFIX: &str = "WIF";
/// What the headings of the rules of the audit begin with.
const RULE_HEADING: &str = "\n### WIF6";

/// What is known of a name.
pub struct Entry {
    /// The name.
    pub name: String,
    /// The text, for a terminal.
    pub text: String,
}

/// What is known of one name: a code of ours, `AADSTS700213` or its number, or what a service calls a refusal.
#[must_use]
pub fn entry(name: &str) -> Option<Entry> {
    // Nearly every word of a log ends here: the page is not searched for it.
    let is_ours = name.get(..OUR_PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(OUR_PREFIX));
    let own = is_ours.then(|| Code::ALL.iter().map(|code| code.as_str()).chain(rules()));
    if let Some(code) = own.into_iter().flatten().find(|code| code.eq_ignore_ascii_case(name)) {
        return Some(Entry { name: code.to_owned(), text: plain(section(code)?) });
    }
    let known = name.parse().ok().and_then(refusals::of_entra).or_else(|| refusals::named(name))?;
    Some(Entry { name: known.name.to_string(), text: known.to_string().trim_end().to_owned() })
}

/// What is known of the names in a message, in their order, each once. A number alone says nothing here.
#[must_use]
pub fn in_text(text: &str) -> Vec<Entry> {
    let mut found = Vec::<Entry>::new();
    collect(text, &mut found);
    found
}

/// Adds what is known of the names in a text that are not there yet.
pub fn collect(text: &str, found: &mut Vec<Entry>) {
    let words =
        text.split(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '_' | '-'));
    for word in words.filter(|word| word.bytes().any(|byte| byte.is_ascii_alphabetic())) {
        if found.len() < MAX_EXPLAINED
            && !found.iter().any(|entry| entry.name.eq_ignore_ascii_case(word))
            && let Some(entry) = entry(word)
        {
            found.push(entry);
        }
    }
}

/// Every code of ours, and every refusal that is known.
#[must_use]
pub fn all() -> Vec<Entry> {
    let codes = Code::ALL.iter().map(|code| code.as_str()).chain(rules()).map(str::to_owned);
    codes.chain(refusals::all().map(|known| known.name.to_string())).filter_map(|name| entry(&name)).collect()
}

/// A code's section of the page, without the mark of its heading.
fn section(code: &str) -> Option<&'static str> {
    let begin = PAGE.find(&format!("### {code}\n"))?;
    let rest = PAGE.get(begin..)?.strip_prefix("### ")?;
    let end = ["\n### ", "\n## "].into_iter().filter_map(|next| rest.find(next)).min();
    Some(end.and_then(|end| rest.get(..end)).unwrap_or(rest).trim_end())
}

/// The page's text without the marks of Markdown that it uses: bold, code, fences and links. A paragraph is one line, and so is
/// an entry of a list: the caller breaks lines to the width of its terminal.
fn plain(markdown: &str) -> String {
    let (mut text, mut paragraph, mut fenced) = (String::new(), String::new(), false);
    let end = |paragraph: &mut String, text: &mut String| {
        text.push_str(&without_links(paragraph).replace("**", "").replace('`', ""));
        paragraph.clear();
    };
    for line in markdown.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            end(&mut paragraph, &mut text);
        } else if fenced {
            text.extend(["    ", line, "\n"]);
        } else {
            if begins(line) || paragraph.is_empty() {
                end(&mut paragraph, &mut text);
            } else {
                paragraph.pop();
                paragraph.push(' ');
            }
            paragraph.extend([line.trim_start(), "\n"]);
            if line.is_empty() || line.starts_with('|') {
                end(&mut paragraph, &mut text);
            }
        }
    }
    end(&mut paragraph, &mut text);
    text.trim_end().to_owned()
}

/// Whether a line goes on with nothing: an empty one, and what is a row of a table or begins in a list.
fn begins(line: &str) -> bool {
    let (mark, _) = line.split_once(' ').unwrap_or_default();
    let is_number = mark.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok());
    line.is_empty() || line.starts_with('|') || mark == "-" || is_number
}

/// `[text](address)` becomes its text, with the address where it leads out of these pages.
fn without_links(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, label, address, after)) = link(rest) {
        text.push_str(before);
        text.push_str(label);
        if address.starts_with("https://") {
            text.extend([" (", address, ")"]);
        }
        rest = after;
    }
    text + rest
}

/// The first link of a line: what stands before it, its text, its address, and what stands after it.
fn link(line: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, rest) = line.split_once('[')?;
    let (label, rest) = rest.split_once("](")?;
    let (address, after) = rest.split_once(')')?;
    Some((before, label, address, after))
}

/// The codes of the rules of the audit, by the headings of the page.
fn rules() -> impl Iterator<Item = &'static str> {
    let headings = PAGE.match_indices(RULE_HEADING);
    headings.filter_map(|(at, _)| PAGE.get(at..)?.lines().nth(1)?.strip_prefix("### "))
}

/// Every code with its first sentence, and under it the refusals that have it; then the rules of the audit.
#[must_use]
pub fn list() -> Vec<String> {
    let first = |code: &str| {
        let what = section(code).and_then(|text| text.split("**").nth(1)).unwrap_or_default();
        format!("{code}  {}", plain(what))
    };
    let mut lines = Vec::new();
    for code in Code::ALL {
        lines.push(first(code.as_str()));
        let names = refusals::all().filter(|known| known.code == *code);
        lines.extend(names.map(|name| format!("  {}: {}", name.name, name.meaning)));
    }
    lines.extend(rules().map(first));
    lines
}
