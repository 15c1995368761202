//! Text from outside, made harmless: what a service, a connection, an input, a variable or a user's argument says.
//!
//! The agent reads every line that a step or a script prints, and obeys `##vso[…]` wherever it stands in one. Three rules
//! keep foreign text from becoming a command, a forged line or a terminal's control sequence:
//!
//! 1. On entry it becomes one bounded line ([`one_line`], [`ForeignText`]), a name ([`identifier`]) or nothing.
//! 2. A [`crate::failure::Failure`] and a report hold such lines only.
//! 3. On exit every line passes the same filter once more ([`lines`]), so that parts which are harmless alone cannot
//!    become a command together.
//!
//! The agent looks for `##vso[` with a culture-sensitive search, which passes over every character without weight in the
//! collation of its platform (ICU or NLS). Those characters differ between platforms and versions. So nothing here relies on
//! a list of them: between the parts of a command *every* character outside of ASCII counts as not there.
//! Source: microsoft/azure-pipelines-agent, `Command.cs` (the search), `StringUtil.cs` (`DeactivateVsoCommands`).

use std::fmt;

use uuid::Uuid;

/// Text from outside, kept as it came, since claims and names are compared exactly. Whatever prints it prints one harmless,
/// bounded line.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForeignText(String);

/// The longest line that a [`ForeignText`] becomes, in characters. A federated credential holds at most 600 in each part.
const MAX_LINE: usize = 700;
/// The longest message of a service that is shown, in characters.
const MAX_MESSAGE: usize = 300;
/// A word of so many characters with letters of both cases and a digit may be a secret. Client secrets have 40.
const MIXED_SECRET: usize = 32;
/// A word of so many characters with a digit may be a secret. Personal access tokens have 52 or more.
const PLAIN_SECRET: usize = 48;

/// One line of at most `max` characters that is no command, moves no cursor and hides nothing: line ends become blanks,
/// and characters that cannot be seen become marks such as `<U+200B>`.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = Vec::new();
    for character in text.chars() {
        if line.len() > max {
            break;
        }
        match character {
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => line.push(' '),
            hidden if is_hidden(hidden) => line.extend(format!("<U+{:04X}>", u32::from(hidden)).chars()),
            other => line.push(other),
        }
    }
    if line.len() > max {
        line.truncate(max.saturating_sub(1));
        line.extend((max > 0).then_some('…'));
    }
    deactivate(&mut line);
    line.into_iter().collect()
}

/// Text of several lines that are meant, each made harmless.
#[must_use]
pub fn lines(text: &str) -> String {
    let line = |line: &str| one_line(line.strip_suffix('\r').unwrap_or(line), usize::MAX);
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The text itself, if it is a name of at most `max` letters, digits and `-._`, and does not begin as a JWT does.
#[must_use]
pub fn identifier(text: &str, max: usize) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = !text.is_empty() && text.len() <= max && text.chars().all(plain);
    (is_name && !text.contains("eyJ")).then(|| text.to_owned())
}

/// A service's own message: one line, without words that could be secrets. None, if it is empty or could hold a JWT.
#[must_use]
pub fn service_message(text: &str) -> Option<String> {
    // Longer ones are cut anyway, and a service may send 256 KiB.
    let text = one_line(text, 4 * MAX_MESSAGE);
    let text = text.trim();
    if text.is_empty() || text.contains("eyJ") {
        return None;
    }
    let ends_word = |c: char| c.is_whitespace() || "'\"`()<>[]{},;:…".contains(c);
    let shown = text.split_inclusive(ends_word).map(|piece| {
        let word = piece.trim_end_matches(ends_word);
        let end = piece.strip_prefix(word).unwrap_or_default();
        if may_be_secret(word) { format!("(not shown){end}") } else { piece.to_owned() }
    });
    Some(one_line(&shown.collect::<String>(), MAX_MESSAGE))
}

/// The same JSON, each of its texts made harmless. The lines of a text stay lines.
#[must_use]
pub fn json(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(lines(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(json).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (lines(&name), json(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// A code span of Markdown, which has no markup, HTML, links or mentions in it, and ends neither itself nor the cell of a
/// table.
#[must_use]
pub fn code_span(text: &str, max: usize) -> String {
    let text = one_line(text, max).replace(['`', '|'], "'");
    // An empty code span is shown as backticks, and renderers differ on a backslash at its end.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\\');
    format!("`{}`", if text.is_empty() { "-" } else { text })
}

/// A block of code of Markdown around lines that cannot end it.
#[must_use]
pub fn code_block(text: &str) -> String {
    format!("```text\n{}\n```\n", lines(text).replace("```", "'''"))
}

impl ForeignText {
    /// Takes a text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it came: to compare it, and to send it back to where it came from. Not for people.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Several as one, for people.
    #[must_use]
    pub fn join(texts: &[Self]) -> String {
        let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
        one_line(&texts.join(", "), MAX_LINE)
    }
}

impl From<String> for ForeignText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ForeignText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&one_line(&self.0, MAX_LINE))
    }
}

impl fmt::Debug for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<'de> serde::Deserialize<'de> for ForeignText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Whether a word could be a token, a key or a password. A GUID could not.
fn may_be_secret(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let piece_may_be = |piece: &str| {
        let has = |is: fn(&u8) -> bool| piece.bytes().any(|byte| is(&byte));
        let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        let length = piece.chars().count();
        let long = length >= PLAIN_SECRET || (length >= MIXED_SECRET && mixed);
        long && has(u8::is_ascii_digit) && Uuid::try_parse(piece).is_err()
    };
    // Scopes, subjects and addresses are long, and made of short pieces.
    word.split(['/', '?', '&']).any(piece_may_be)
}

/// Whether a character has no shape of its own: control characters, format characters (general category Cf), everything
/// that Unicode calls default-ignorable (variation selectors and fillers among it), and noncharacters.
fn is_hidden(character: char) -> bool {
    let code = u32::from(character);
    character.is_control()
        || code & 0xfffe == 0xfffe
        || matches!(
            code,
            0xad | 0x34f
                | 0x600..=0x605
                | 0x61c
                | 0x6dd
                | 0x70f
                | 0x890..=0x891
                | 0x8e2
                | 0x115f..=0x1160
                | 0x17b4..=0x17b5
                | 0x180b..=0x180f
                | 0x200b..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0x3164
                | 0xfdd0..=0xfdef
                | 0xfe00..=0xfe0f
                | 0xfeff
                | 0xffa0
                | 0xfff0..=0xfffb
                | 0x110bd
                | 0x110cd
                | 0x13430..=0x1343f
                | 0x1bca0..=0x1bca3
                | 0x1d173..=0x1d17a
                | 0xe0000..=0xe0fff
        )
}

/// Makes `**` of the `##` of every `##vso` and `##[`, as the agent does itself with text that it does not trust.
fn deactivate(line: &mut [char]) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the agent would take for a command, by an own reading of its parser: hostile, so that it is deaf to whatever
    /// some collation might be deaf to. Neither a list of characters nor a function of the code above is used.
    fn command_in(line: &str) -> bool {
        let heard: String = line.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
        // What the wide forms become in a code page.
        let narrow: String = line
            .chars()
            .map(|c| match u32::from(c) {
                wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap(),
                0xfe5f => '#',
                0x17f => 's',
                _ => c,
            })
            .filter(|c| c.is_ascii() && !c.is_ascii_control())
            .collect();
        let without = |text: &str| text.replace(['-', '\''], "").to_ascii_lowercase();
        [&*heard, &*narrow, &*without(&heard), &*without(&narrow)].into_iter().any(|text| {
            let text = text.to_ascii_lowercase();
            text.contains("##vso") || text.contains("##[")
        })
    }

    fn any_text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "#",
            "##",
            "v",
            "s",
            "o",
            "[",
            "V",
            "S",
            "O",
            "]",
            "vso[",
            "##vso[task.complete]",
            "##[error]",
            "-",
            "'",
            " ",
            "x",
            "\r",
            "\n",
            "\t",
            "\0",
            "\u{1b}",
            "\u{85}",
            "\u{ad}",
            "\u{34f}",
            "\u{180e}",
            "\u{200b}",
            "\u{200d}",
            "\u{2028}",
            "\u{202e}",
            "\u{2060}",
            "\u{feff}",
            "\u{fe0f}",
            "\u{e0001}",
            "\u{e0100}",
            "\u{fffe}",
            "\u{488}",
            "\u{20dd}",
            "\u{1d165}",
            "\u{301}",
            "\u{ff03}",
            "\u{fe5f}",
            "\u{ff3b}",
            "\u{ff56}",
            "\u{17f}",
            "é",
            "日",
            "…",
            "<U+200B>",
        ]);
        prop_oneof![
            3 => prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()),
            1 => any::<String>(),
            1 => "(?s).{0,40}",
        ]
    }

    #[test]
    fn each_disguise_of_a_command_is_seen_through() {
        for text in [
            "##vso[task.setvariable variable=X]y",
            "##VSO[x]",
            "###vso[a.b]",
            "####vso[a.b]",
            "##[error]x",
            "##\u{ad}vso[a.b]",
            "#\u{200b}#vso[a.b]",
            "##v\u{200d}s\u{2060}o[a.b]",
            "##vso\u{feff}[a.b]",
            "#\u{fe0f}#\u{e0100}[error]",
            "##\u{488}vso[a.b]",
            "##\u{1d165}[error]",
            "##\u{301}vso[a.b]",
            "##\u{e001}vso[a.b]",
            "##\u{378}vso[a.b]",
            "\u{ff03}\u{ff03}\u{ff56}\u{ff53}\u{ff4f}\u{ff3b}a.b]",
            "##v\u{17f}o[a.b]",
            "##-v's-o[a.b]",
            "x\r##vso[a.b]",
        ] {
            assert!(command_in(text), "the reader of the test: {text:?}");
            let line = one_line(text, 100);
            assert!(!command_in(&line), "{text:?} became {line:?}");
        }
        for (text, line) in [
            ("a ##vso[b.c]", "a **vso[b.c]"),
            ("##VsO", "**VsO"),
            ("###[x]", "#**[x]"),
            ("##日vso[x]", "**日vso[x]"),
            ("##\u{ff56}[", "**\u{ff56}["),
            ("#\u{200b}#[x]", "#<U+200B>#[x]"),
        ] {
            assert_eq!(one_line(text, 100), line);
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "",
            "sc-prod",
            "# a ## b",
            "C# ## v s o",
            "Zażółć gęślą jaźń",
            "Привет, мир",
            "日本語のテキスト",
            "한국어",
            "العربية",
            "हिन्दी",
            "e\u{301}",
            "🚀 👍🏽 🇩🇪",
            "a\u{a0}b\u{3000}c",
            "`x` | <y> & z",
        ] {
            assert_eq!(one_line(text, 100), text);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_named_and_a_line_stays_one() {
        assert_eq!(one_line("sc\u{200b}-prod", 100), "sc<U+200B>-prod");
        assert_eq!(one_line("a\r\nb\tc\u{2028}d", 100), "a  b c d");
        assert_eq!(one_line("\u{1b}[2J\u{202e}x", 100), "<U+001B>[2J<U+202E>x");
        assert_eq!(one_line("a\u{e0041}b\u{10ffff}", 100), "a<U+E0041>b<U+10FFFF>");
        assert_eq!(lines("a\r\n##[b]\rc\n"), "a\n**[b] c\n");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
        assert_eq!(one_line("abc", 0), "");
        assert_eq!(ForeignText::new("x".repeat(100_000)).to_string().chars().count(), MAX_LINE);
    }

    #[test]
    fn a_name_is_one_or_nothing() {
        assert_eq!(identifier("AuthorizationFailed", 80).as_deref(), Some("AuthorizationFailed"));
        assert_eq!(identifier("a-b_c.d", 7).as_deref(), Some("a-b_c.d"));
        for text in ["", "a b", "##vso[x]", "eyJhbGci", "ä", "a-b_c.dd", "a\n"] {
            assert_eq!(identifier(text, 7), None, "{text}");
        }
    }

    #[test]
    fn a_services_message_holds_nothing_that_could_be_a_secret() {
        let said = |text: &str| service_message(text);
        assert_eq!(said("bad assertion eyJhbGciOi"), None);
        assert_eq!(said(" \r\n "), None);
        for secret in [
            "kX8~correct.horse-battery_staple8Q",
            "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst",
            "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ==",
        ] {
            for text in
                [format!("the key '{secret}' is bad"), format!("key={secret}."), format!("({secret})")]
            {
                let said = said(&text).unwrap();
                assert!(!said.contains(secret) && said.contains("(not shown)"), "{said}");
            }
        }
        for text in [
            "Service connection(s) linked with task(s) doesn't exist. Details: 6ba7b810-9dad-11d1-80b4-00c04fd430c8.",
            "The client 'a' does not have authorization to perform action 'Microsoft.Resources/subscriptions/read' over scope '/subscriptions/6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
            "TaskOrchestrationPlanSecurityException",
        ] {
            assert_eq!(said(text).as_deref(), Some(text));
        }
        let lower_case = "the-vault-of-the-platform-team-number-42";
        assert_eq!(said(lower_case).as_deref(), Some(lower_case), "letters of one case, and not long enough");
        assert_eq!(said(&"a ".repeat(1000)).unwrap().chars().count(), MAX_MESSAGE);
        let after_a_long_secret = format!("{} is bad", "aB3".repeat(300));
        assert_eq!(said(&after_a_long_secret).as_deref(), Some("(not shown) is bad"));
    }

    #[test]
    fn foreign_text_is_kept_as_it_came_and_printed_as_one_harmless_line() {
        let came = "a\n##vso[b]";
        let read: ForeignText = serde_json::from_value(serde_json::json!(came)).unwrap();
        for text in [ForeignText::new(came), came.into(), came.to_owned().into(), read] {
            assert_eq!(text.raw(), came);
            assert_eq!(
                (text.to_string(), format!("{text:?}")),
                ("a **vso[b]".into(), "\"a **vso[b]\"".into())
            );
        }
        let several = ["#", "#[x]", "y"].map(ForeignText::from);
        assert_eq!(ForeignText::join(&several), "#, #[x], y");
        assert_eq!(ForeignText::join(&["##[x]".into(), "y\r".into()]), "**[x], y ");
    }

    #[test]
    fn what_is_harmless_in_json_stays_as_it_is() {
        let value = serde_json::json!({ "a": ["b", 1, 1.5, true, null], "c": { "d": "e\nf" } });
        assert_eq!(json(value.clone()), value);
        let value = serde_json::json!({ "##[a]": ["##vso[b]"], "c": { "d": "\u{200b}" } });
        let harmless = serde_json::json!({ "**[a]": ["**vso[b]"], "c": { "d": "<U+200B>" } });
        assert_eq!(json(value), harmless);
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_command_or_a_second_line(text in any_text(), max in 0_usize..80) {
            let line = one_line(&text, max);
            prop_assert!(!command_in(&line), "{line:?}");
            let banned = |c: char| {
                c.is_control() || is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}')
            };
            prop_assert!(!line.contains(banned), "{line:?}");
            prop_assert!(line.chars().count() <= max);
        }

        #[test]
        fn what_is_harmless_stays_as_it_is(text in any_text(), max in 0_usize..80) {
            let line = one_line(&text, max);
            prop_assert_eq!(one_line(&line, max), line.clone());
            prop_assert_eq!(lines(&line), line);
        }

        #[test]
        fn harmless_parts_are_no_command_together_after_the_exit(one in any_text(), other in any_text()) {
            let together = format!("{}{}", one_line(&one, 30), one_line(&other, 30));
            prop_assert!(!command_in(&lines(&together)));
        }

        #[test]
        fn every_character_without_a_shape_is_replaced(text in "[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\p{Noncharacter_Code_Point}]{1,8}") {
            let line = one_line(&text, 100);
            prop_assert!(line.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{line:?}");
        }

        #[test]
        fn ordinary_letters_survive(text in "[\\p{L}\\p{Nd} .,:;!?()/_@+=]{0,40}") {
            // A few letters have no shape: the fillers of Hangul.
            prop_assume!(!text.contains(is_hidden));
            prop_assert_eq!(one_line(&text, 40), text);
        }

        #[test]
        fn json_stays_json_and_holds_no_command(text in any_text()) {
            let value = serde_json::json!({ "a": [text], "b": { "c": text } });
            let printed = format!("{:#}", json(value));
            prop_assert!(printed.lines().all(|line| !command_in(line)), "{printed}");
            let again: serde_json::Value = serde_json::from_str(&lines(&printed)).unwrap();
            prop_assert_eq!(format!("{again:#}"), printed);
        }

        #[test]
        fn markdown_of_foreign_text_is_code_only(text in any_text(), more in "[`|\\\\<>*_~a ]{0,12}") {
            let span = code_span(&format!("{text}{more}"), 60);
            let inner = span.strip_prefix('`').unwrap().strip_suffix('`').unwrap();
            prop_assert!(!inner.contains(['`', '|', '\n']) && !inner.is_empty(), "{span}");
            prop_assert!(!inner.ends_with('\\'), "{span}");
            let block = code_block(&format!("{more}\n{text}"));
            prop_assert_eq!(block.matches("```").count(), 2, "{}", block);
        }
    }
}
