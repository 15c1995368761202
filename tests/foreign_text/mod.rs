//! Foreign text is harmless wherever it is printed: every way in, to every way out.

mod entry;
mod exit;

/// A command, a forged line, a disguise, and what drives a terminal; `marker` finds it again.
const HOSTILE: &str = "marker ##vso[task.setvariable variable=INJECTED]by-a-stranger\n##[error]forged\r\n##vso[task.complete result=Succeeded]\r##[section]x ##\u{ad}vso[task.complete]#\u{200b}#[error]y\u{1b}[2J\u{85}\u{2028}##[group]\u{202e}\u{feff}\u{e0041} \u{ff03}\u{ff03}\u{ff56}so[a.b]";
/// The same without line ends and control characters, for what a header, a URL or an argument can hold.
const IN_A_LINE: &str = "marker##vso[task.setvariable variable=INJECTED]x##[error]##VSO[a.b]";
/// The same without blanks, for what is split at them.
const IN_A_WORD: &str = "marker##vso[task.complete]##[error]";

/// Whether an agent would find a command in the line, whatever its platform's collation is deaf to.
fn command_in(line: &str) -> bool {
    let narrow = |c: char| match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap(),
        _ => c,
    };
    let heard: String = line.chars().map(narrow).filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    let heard = heard.to_lowercase();
    heard.contains("##vso") || heard.contains("##[")
}

/// What no line of ours holds.
fn is_banned(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{202e}' | '\u{feff}' | '\u{e0041}'
        )
}

/// Text for people: no line is a command or looks like a marked one, and no line begins with foreign text.
fn assert_harmless(way: &str, text: &str) {
    for line in text.split('\n') {
        assert!(!command_in(line) && !line.contains(is_banned), "{way}: {line:?}\nin {text}");
        // What was a line of its own in foreign text is none in ours.
        for forged in ["**", "by-a-stranger", "x <U+", "y<U+"] {
            assert!(!line.trim_start().starts_with(forged), "{way}: {line:?}\nin {text}");
        }
    }
    assert!(!text.contains("eyJ"), "{way}: {text}");
}
