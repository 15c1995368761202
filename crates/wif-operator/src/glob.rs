//! Patterns of names: `*` stands for any text, `?` for one character, in any letter case.

/// Whether a name matches a pattern.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<_>, Vec<_>) =
        (pattern.to_lowercase().chars().collect(), name.to_lowercase().chars().collect());
    // Where the last `*` stands, and how much of the name it has taken: only the last one ever has to take more.
    let (mut at, mut of_name, mut star) = (0, 0, None);
    while let Some(character) = name.get(of_name) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, of_name));
                at += 1;
            }
            Some(expected) if *expected == '?' || expected == character => {
                at += 1;
                of_name += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, of_name) = (place + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "a"),
            ("sc-*", "SC-prod"),
            ("*-prod-*", "a-prod-b"),
            ("a?c", "abc"),
            ("a**c", "ac"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("", "a"), ("sc-*", "xsc-a"), ("a?c", "ac"), ("*x", "ab"), ("a.c", "abc")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_between_stars_is_found_anywhere(before in "[a-z]{0,9}", name in "[a-z]{1,9}", after in "[a-z]{0,9}") {
            let text = format!("{before}{name}{after}");
            let pattern = format!("*{name}*");
            prop_assert!(matches(&pattern, &text));
        }
    }
}
