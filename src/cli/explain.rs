//! `wif explain`: what a code or a refusal means, offline.

use std::io::{self, BufRead};

use serde_json::json;
use wif_core::{
    code::Code,
    explain::{Entry, all, collect, entry, in_text, list},
    failure::Failure,
    foreign_text::one_line,
};

use super::{Screen, screen::unwritable};

/// The longest name that an error shows, in characters.
const MAX_NAME: usize = 60;
/// The most that is read of a log, in bytes.
const MAX_LOG: u64 = 64 * 1024 * 1024;

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
        None => return list().iter().try_for_each(|line| out.text(line)).map_err(unwritable),
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
    out.fitted(&texts.join("\n\n")).map_err(unwritable)
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

#[cfg(test)]
mod tests {
    use wif_core::refusals;

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
