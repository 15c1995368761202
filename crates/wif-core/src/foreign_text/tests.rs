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
        for text in [format!("the key '{secret}' is bad"), format!("key={secret}."), format!("({secret})")] {
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
        assert_eq!((text.to_string(), format!("{text:?}")), ("a **vso[b]".into(), "\"a **vso[b]\"".into()));
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
