//! `wif explain`: what a code or a refusal means, offline.

use std::io;

use wif_core::{code::Code, failure::Failure, foreign_text::one_line, refusals};

use super::{Screen, screen::closed};

/// The page that has a section for each code. It is part of the program, so that both say the same.
const PAGE: &str = include_str!("../../docs/errors.md");

/// The longest name that an error shows, in characters.
const MAX_NAME: usize = 60;

/// Prints what is known of a code, or a list of all.
///
/// # Errors
///
/// There is no such code or name.
pub fn explain(name: Option<&str>, out: &mut Screen<'_>) -> Result<(), Failure> {
    let Some(name) = name else { return list(out).map_err(closed) };
    let text = section(name).map(str::to_owned).or_else(|| refusal(name)).ok_or_else(|| {
        let shown = one_line(name, MAX_NAME);
        let error = format!("unknown code or name '{shown}'");
        let hint = "run `wif explain` alone for a list";
        Failure::new(Code::ArgumentInvalid, error, hint)
            .with_command(Some("https://login.microsoftonline.com/error (for any AADSTS number)"))
    })?;
    out.text(text.trim_end()).map_err(closed)
}

/// A code's section of the page, without the marks of its heading.
fn section(name: &str) -> Option<&'static str> {
    let code = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(name))?;
    let begin = PAGE.find(&format!("### {code}\n"))?;
    let rest = PAGE.get(begin..)?.strip_prefix("### ")?;
    let end = ["\n### ", "\n## "].into_iter().filter_map(|next| rest.find(next)).min();
    Some(end.and_then(|end| rest.get(..end)).unwrap_or(rest))
}

/// `AADSTS700213`, or the number alone, or another name.
fn refusal(name: &str) -> Option<String> {
    let number = name.parse().ok().and_then(refusals::of_entra);
    number.or_else(|| refusals::named(name)).map(ToString::to_string)
}

fn list(out: &mut Screen<'_>) -> io::Result<()> {
    for code in Code::ALL {
        let what = section(code.as_str()).and_then(|text| text.split("**").nth(1)).unwrap_or_default();
        out.text(&format!("{code}  {what}"))?;
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
        explain(Some(name), &mut Screen::new(&mut out)).map(|()| String::from_utf8(out).unwrap())
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
            assert!(text.starts_with(&format!("{code}\n\n**")) && text.contains("**Remedy**"), "{text}");
            assert_eq!(text.matches("\n### ").count(), 0, "{text}");
        }
        for known in refusals::all() {
            assert_eq!(explained(&known.name.to_string()).unwrap(), format!("{known}\n"));
        }
        assert_eq!(explained("aadsts700213").unwrap(), explained("700213").unwrap());
    }
}
