//! The names that are nearest to one that matches nothing.

use std::collections::BTreeSet;

/// The most names.
const MAX_NAMES: usize = 3;

/// The nearest names, the nearest first; those that are not even alike are left out.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let names: BTreeSet<_> = names.into_iter().collect();
    let mut near: Vec<_> = names
        .into_iter()
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= wanted.chars().count().max(name.chars().count()) / 2)
        .collect();
    near.sort_unstable();
    near.into_iter().take(MAX_NAMES).map(|(_, name)| name).collect()
}

/// How many characters have to be put in, taken out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<_> = (0..=other.len()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut above_left = at;
        let mut left = at + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let above = *cell;
            left = (above_left + usize::from(a != *b)).min(above + 1).min(left + 1);
            above_left = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_and_what_is_not_alike_does_not_come() {
        assert_eq!(nearest("platfrom", ["Shop", "Platform", "Platform-2"]), ["Platform", "Platform-2"]);
        assert!(nearest("zzz", ["Shop"]).is_empty());
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
