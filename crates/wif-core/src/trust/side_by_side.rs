//! Two texts that should be the same, segment by segment.

use crate::{fact::Fact, foreign_text::ForeignText};

type Parts = [(&'static str, ForeignText)];

/// Both sides: segment by segment where they have the same form, with a mark under each character that differs.
pub(super) fn side_by_side(
    label: &'static str,
    ours: &Parts,
    theirs: &Parts,
    presented: &str,
    expected: &str,
) -> Vec<Fact> {
    let labels = |parts: &Parts| parts.iter().map(|(label, _)| *label).collect::<Vec<_>>();
    if labels(ours) != labels(theirs) {
        let lines = |side: &'static str, parts: &Parts| {
            let line = move |(label, value): &(&'static str, ForeignText)| {
                Fact::new(label, format!("{side}  {value}"))
            };
            parts.iter().map(line).collect::<Vec<_>>()
        };
        return [lines("presented", ours), lines("trusted  ", theirs)].concat();
    }
    if ours == theirs {
        // Taken apart they are the same, so that only their spelling tells.
        let segment = |part: &str| (label, ForeignText::new(format!("'{part}'")));
        let segments = |text: &str| text.split('/').map(segment).collect::<Vec<_>>();
        let (ours, theirs) = (segments(presented), segments(expected));
        let rest = if ours.len() == theirs.len() {
            Vec::new()
        } else {
            vec![Fact::new(label, "one has a slash more")]
        };
        return [pairs(&ours, &theirs), rest].concat();
    }
    pairs(ours, theirs)
}

fn pairs(ours: &Parts, theirs: &Parts) -> Vec<Fact> {
    let lines = ours.iter().zip(theirs).flat_map(|((label, one), (_, other))| {
        if one == other {
            return vec![Fact::new(label, format!("both       {one}"))];
        }
        let (one, other) = (one.to_string(), other.to_string());
        // Kinds of white space, which all look alike.
        let marks = if one == other { "other white space".to_owned() } else { marks(&one, &other) };
        vec![
            Fact::new(label, format!("presented  {one}")),
            Fact::new("", format!("trusted    {other}")),
            Fact::new("", format!("           {marks}")),
        ]
    });
    lines.collect()
}

/// A caret under each character of either text that the other does not have in its place, between what they share at
/// their beginning and at their end.
fn marks(one: &str, other: &str) -> String {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let same = |a: &[char], b: &[char]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let begin = same(&one, &other);
    let reversed = |text: &[char]| text.iter().skip(begin).rev().copied().collect::<Vec<_>>();
    let end = same(&reversed(&one), &reversed(&other));
    let length = one.len().max(other.len()) - end;
    let same_length = one.len() == other.len();
    let mark = |at| if at < begin || (same_length && one.get(at) == other.get(at)) { ' ' } else { '^' };
    (0..length).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(one: &str, other: &str) -> Vec<String> {
        let part = |value: &str| vec![("subject project", ForeignText::from(value))];
        let facts = side_by_side("subject", &part(one), &part(other), one, other);
        facts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn foreign_text_stays_one_line_and_drives_no_terminal() {
        for line in both("a", "b\n  fix: \u{1b}[2Jrun this") {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert!(both("a", &"x".repeat(100_000)).iter().all(|line| line.len() <= 740));
    }

    #[test]
    fn what_cannot_be_seen_is_seen_where_it_differs() {
        let lines = both("sc-prod", "sc\u{200b}-prod");
        assert_eq!(lines[1], "                      trusted    sc<U+200B>-prod");
        assert_eq!(lines[2].trim_start(), "^^^^^^^^");
        assert!(both("a\tb", "a\nb")[2].ends_with("other white space"));
    }

    #[test]
    fn marks_stand_under_what_differs() {
        assert_eq!(marks("Platform", "platform"), "^");
        assert_eq!(marks("sc-prod", "sc-Prod"), "   ^");
        assert_eq!(marks("a-1-b-2", "a-x-b-y"), "  ^   ^");
        assert_eq!(marks("sc-prod", "sc-prod2"), "       ^");
    }
}
