//! How a command of the agent is found in a line, and made none.

/// Makes `**` of the `##` of every `##vso` and `##[`, as the agent does itself with text that it does not trust.
pub(super) fn deactivate(line: &mut [char]) {
    // From the end to the beginning, what follows a `#` is known when it is met.
    let (mut command, mut mark) = ([false; 4], [false; 2]);
    let mut last_hash = None;
    let mut found = Vec::new();
    for (at, character) in line.iter().enumerate().rev() {
        if fold_to_ascii(*character) == '#' {
            if command.first() == Some(&true) || mark.first() == Some(&true) {
                found.extend([Some(at), last_hash]);
            }
            last_hash = Some(at);
        }
        command = match_backwards(*character, command, ['#', 'v', 's', 'o']);
        mark = match_backwards(*character, mark, ['#', '[']);
    }
    for at in found.into_iter().flatten() {
        if let Some(character) = line.get_mut(at) {
            *character = '*';
        }
    }
}

/// Which ends of a pattern a text begins with that has `character` before one which begins with those of `follows`.
fn match_backwards<const N: usize>(character: char, follows: [bool; N], pattern: [char; N]) -> [bool; N] {
    let passed_over = is_passed_over(character);
    std::array::from_fn(|at| {
        let begins = |at: usize| at == N || follows.get(at) == Some(&true);
        let fits = pattern.get(at) == Some(&fold_to_ascii(character));
        (fits && begins(at + 1)) || (passed_over && begins(at))
    })
}

/// What a search might not see between the parts of a command: every character outside of ASCII, and those two of ASCII
/// that word-wise sorting of Windows gives next to no weight.
fn is_passed_over(character: char) -> bool {
    matches!(character, '-' | '\'') || !character.is_ascii()
}

/// The character of ASCII that a character stands for, in lower case. The agent's search tells the wide forms of East Asia
/// from those of ASCII, but code pages on the way to it do not.
fn fold_to_ascii(character: char) -> char {
    let narrow = match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xff01 + 0x21).unwrap_or(character),
        '\u{fe5f}' => '#',
        '\u{17f}' => 's',
        other => other,
    };
    narrow.to_ascii_lowercase()
}
