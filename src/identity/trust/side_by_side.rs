//! Two texts that should be the same, segment by segment.

type Parts = [(&'static str, String)];

/// Longer lines are cut. A federated credential holds at most 600 characters in each part.
const LONGEST: usize = 700;

/// Both sides: segment by segment where they have the same form, with a mark under each character that differs.
pub(super) fn side_by_side(
    label: &'static str,
    ours: &Parts,
    theirs: &Parts,
    presented: &str,
    expected: &str,
) -> Vec<String> {
    lines(label, ours, theirs, presented, expected).iter().map(|line| shown(line)).collect()
}

/// What is trusted is foreign text: it stays one line, and drives no terminal.
pub(super) fn shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).take(LONGEST).collect()
}

fn lines(label: &'static str, ours: &Parts, theirs: &Parts, presented: &str, expected: &str) -> Vec<String> {
    let labels = |parts: &Parts| parts.iter().map(|(label, _)| *label).collect::<Vec<_>>();
    if labels(ours) != labels(theirs) {
        let lines = |side: &'static str, parts: &Parts| {
            let line = move |(label, value): &(&str, String)| format!("{label:<22}{side}  {value}");
            parts.iter().map(line).collect::<Vec<_>>()
        };
        return [lines("presented", ours), lines("trusted  ", theirs)].concat();
    }
    if ours == theirs {
        // Taken apart they are the same, so that only their spelling tells.
        let segments =
            |text: &str| text.split('/').map(|part| (label, format!("'{part}'"))).collect::<Vec<_>>();
        let (ours, theirs) = (segments(presented), segments(expected));
        let rest = if ours.len() == theirs.len() {
            Vec::new()
        } else {
            vec![format!("{label:<22}one has a slash more")]
        };
        return [pairs(&ours, &theirs), rest].concat();
    }
    pairs(ours, theirs)
}

fn pairs(ours: &Parts, theirs: &Parts) -> Vec<String> {
    let lines = ours.iter().zip(theirs).flat_map(|((label, one), (_, other))| {
        if one == other {
            return vec![format!("{label:<22}both       {one}")];
        }
        let marks = marks(one, other);
        vec![
            format!("{label:<22}presented  {one}"),
            format!("{:<22}trusted    {other}", ""),
            format!("{:<22}           {marks}", ""),
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

    #[test]
    fn foreign_text_stays_one_line_and_drives_no_terminal() {
        let part = |value: &str| vec![("subject project", value.to_owned())];
        let (ours, theirs) = (part("a"), part("b\n  fix: \u{1b}[2Jrun this"));
        for line in side_by_side("subject", &ours, &theirs, "a", "b") {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let long = part(&"x".repeat(100_000));
        assert!(side_by_side("subject", &ours, &long, "a", "x").iter().all(|line| line.len() <= LONGEST));
    }

    #[test]
    fn marks_stand_under_what_differs() {
        assert_eq!(marks("Platform", "platform"), "^");
        assert_eq!(marks("sc-prod", "sc-Prod"), "   ^");
        assert_eq!(marks("a-1-b-2", "a-x-b-y"), "  ^   ^");
        assert_eq!(marks("sc-prod", "sc-prod2"), "       ^");
    }
}
