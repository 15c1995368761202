//! `wif explain`: what a code or a refusal means, offline.

use std::io::{self, BufRead};

use serde_json::json;
use wif_core::{code::Code, failure::Failure, foreign_text::one_line, refusals};

use super::{Screen, screen::unwritable};

/// The page that has a section for each code. It is part of the program, so that both say the same.
const PAGE: &str = include_str!("../../docs/errors.md");

/// The longest name that an error shows, in characters.
const MAX_NAME: usize = 60;
/// The most that is read of a log, in bytes, and the most that is explained of it.
const MAX_LOG: u64 = 64 * 1024 * 1024;
const MAX_EXPLAINED: usize = 20;

/// What is known of a name.
struct Entry {
    name: String,
    text: String,
}

/// Prints what is known of a code, of each that a message or a log names, or a list of all.
///
/// # Errors
///
/// There is no such code or name, or `log` cannot be read.
pub fn explain(
    name: Option<&str>,
    json: bool,
    log: &mut dyn BufRead,
    out: &mut Screen<'_>,
) -> Result<(), Failure> {
    let (entries, unknown) = match name {
        None if json => (all(), String::new()),
        None => return list(out).map_err(unwritable),
        Some("-") => (in_log(log)?, "no known code or name is on standard input".to_owned()),
        Some(name) => {
            let found = entry(name).map_or_else(|| in_text(name), |entry| vec![entry]);
            (found, format!("unknown code or name '{}'", one_line(name, MAX_NAME)))
        }
    };
    if entries.is_empty() {
        let hint = "run `wif explain` alone for a list";
        return Err(Failure::new(Code::ArgumentInvalid, unknown, hint)
            .with_command(Some("https://login.microsoftonline.com/error (for any AADSTS number)")));
    }
    if json {
        let entries: Vec<_> =
            entries.iter().map(|Entry { name, text }| json!({"name": name, "text": text})).collect();
        let answer = json!({"schema": "wif.explain/1", "explained": entries});
        return out.text(&answer.to_string()).map_err(unwritable);
    }
    let texts: Vec<_> = entries.into_iter().map(|entry| entry.text).collect();
    out.text(&texts.join("\n\n")).map_err(unwritable)
}

/// What is known of one name: a code of ours, `AADSTS700213` or its number, or what a service calls a refusal.
fn entry(name: &str) -> Option<Entry> {
    if let Some(code) = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(name)) {
        return Some(Entry { name: code.as_str().to_owned(), text: plain(section(*code)?) });
    }
    let known = name.parse().ok().and_then(refusals::of_entra).or_else(|| refusals::named(name))?;
    Some(Entry { name: known.name.to_string(), text: known.to_string().trim_end().to_owned() })
}

/// What is known of the names in a message, in their order, each once. A number alone says nothing here.
fn in_text(text: &str) -> Vec<Entry> {
    let mut found = Vec::<Entry>::new();
    collect(text, &mut found);
    found
}

fn collect(text: &str, found: &mut Vec<Entry>) {
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

/// What is known of the names in a log.
fn in_log(log: &mut dyn BufRead) -> Result<Vec<Entry>, Failure> {
    let (mut found, mut line) = (Vec::new(), Vec::new());
    let mut log = io::Read::take(log, MAX_LOG);
    let unreadable = |error: io::Error| {
        Failure::new(Code::ArgumentInvalid, error, "give the log on standard input: wif explain - < job.log")
    };
    while log.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        collect(&String::from_utf8_lossy(&line), &mut found);
        line.clear();
    }
    Ok(found)
}

/// Every code of ours, and every refusal that is known.
fn all() -> Vec<Entry> {
    let codes = Code::ALL.iter().map(|code| code.as_str().to_owned());
    codes.chain(refusals::all().map(|known| known.name.to_string())).filter_map(|name| entry(&name)).collect()
}

/// A code's section of the page, without the mark of its heading.
fn section(code: Code) -> Option<&'static str> {
    let begin = PAGE.find(&format!("### {code}\n"))?;
    let rest = PAGE.get(begin..)?.strip_prefix("### ")?;
    let end = ["\n### ", "\n## "].into_iter().filter_map(|next| rest.find(next)).min();
    Some(end.and_then(|end| rest.get(..end)).unwrap_or(rest).trim_end())
}

/// The page's text without the marks of Markdown that it uses: bold, code, fences and links.
fn plain(markdown: &str) -> String {
    let (mut text, mut fenced) = (String::new(), false);
    for line in markdown.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            text.push_str(&format!("    {line}\n"));
        } else {
            text.push_str(&without_links(line).replace("**", "").replace('`', ""));
            text.push('\n');
        }
    }
    text.trim_end().to_owned()
}

/// `[text](address)` becomes its text, with the address where it leads out of these pages.
fn without_links(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, label, address, after)) = link(rest) {
        text.push_str(before);
        text.push_str(label);
        if address.starts_with("https://") {
            text.push_str(&format!(" ({address})"));
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

fn list(out: &mut Screen<'_>) -> io::Result<()> {
    for code in Code::ALL {
        let what = section(*code).and_then(|text| text.split("**").nth(1)).unwrap_or_default();
        out.text(&format!("{code}  {}", plain(what)))?;
        let names = refusals::all().filter(|known| known.code == *code);
        for name in names {
            out.text(&format!("  {}: {}", name.name, name.meaning))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(name: &str) -> Result<String, Failure> {
        let mut out = Vec::new();
        explain(Some(name), false, &mut io::empty(), &mut Screen::new(&mut out))
            .map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_not_known_is_said_and_not_guessed() {
        for name in ["", "WIF", "WIF0000", "AADSTS1", "-1", "Known", "a\nb"] {
            let failure = explained(name).unwrap_err();
            assert_eq!(failure.code, Code::ArgumentInvalid);
            assert_eq!(failure.to_string().lines().count(), 5, "{failure}");
        }
    }

    #[test]
    fn every_code_and_every_name_is_explained() {
        for code in Code::ALL {
            let text = explained(code.as_str()).unwrap();
            assert!(text.starts_with(&format!("{code}\n\n")) && text.contains("\nRemedy"), "{text}");
            // An example quotes what is printed elsewhere.
            for line in text.lines().filter(|line| !line.starts_with("    ")) {
                assert!(!["###", "**", "`", "]("].iter().any(|mark| line.contains(mark)), "{line}");
            }
        }
        for known in refusals::all() {
            assert_eq!(explained(&known.name.to_string()).unwrap(), format!("{known}\n"));
        }
        assert_eq!(explained("aadsts700213").unwrap(), explained("700213").unwrap());
    }
}
