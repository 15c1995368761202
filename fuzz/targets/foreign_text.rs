//! Foreign text: it becomes one bounded line in which no agent finds a command, and stays that line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wif_core::foreign_text;

/// What the agent would find, whatever its platform's collation passes over.
fn command_in(line: &str) -> bool {
    let heard: String = line.chars().filter(char::is_ascii_graphic).collect();
    let heard = heard.to_ascii_lowercase();
    heard.contains("##vso") || heard.contains("##[")
}

fuzz_target!(|text: &str| {
    // Blanks count for the agent, and not for the reader above, which would find `# #[`.
    let text = text.replace(' ', "_");
    for max in [0, 1, 40, 5000] {
        let line = foreign_text::one_line(&text, max);
        assert!(!command_in(&line.replace(' ', "_")), "{line:?}");
        assert!(!line.contains(char::is_control) && line.chars().count() <= max, "{line:?}");
        assert_eq!(foreign_text::one_line(&line, max), line);
        assert_eq!(foreign_text::lines(&line), line);
    }
    assert!(
        foreign_text::lines(&text).split('\n').all(|line| !command_in(&line.replace(' ', "_"))),
        "{text:?}"
    );
    if let Some(message) = foreign_text::service_message(&text) {
        assert!(!message.contains("eyJ") && message.chars().count() <= 300, "{message}");
        assert_eq!(foreign_text::lines(&message), message);
    }
    let span = foreign_text::code_span(&text, 100);
    assert!(span.matches('`').count() == 2 && !span.contains(['|', '\n']), "{span:?}");
    assert_eq!(foreign_text::code_block(&text).matches("```").count(), 2);
});
