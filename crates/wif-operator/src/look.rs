//! How text looks where people read it: colors, and the width of the terminal.

use anstyle::{AnsiColor, Style};

use crate::severity::Severity;

/// The longest line where no terminal says less, in characters.
const MAX_WIDTH: usize = 160;
/// The shortest: a narrower terminal wraps.
const MIN_WIDTH: usize = 60;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it has colors, by ANSI escape sequences.
    pub is_colored: bool,
    /// The longest line, in characters. A command is never cut.
    pub width: usize,
    /// How many columns the terminal has. None, where no terminal says so: what is not cut has lines of any length there.
    pub columns: Option<usize>,
}

impl Default for Look {
    /// For a file, a pipe or a log.
    fn default() -> Self {
        Self { is_colored: false, width: MAX_WIDTH, columns: None }
    }
}

impl Look {
    /// For a terminal of so many columns, where that is known.
    #[must_use]
    pub fn new(is_colored: bool, columns: Option<usize>) -> Self {
        Self { is_colored, width: columns.unwrap_or(MAX_WIDTH).clamp(MIN_WIDTH, MAX_WIDTH), columns }
    }

    fn paint(self, text: &str, style: Style) -> String {
        if self.is_colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A heading.
    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    /// A line that names a severity, which alone is colored: never more is said by a color than by a word.
    pub(crate) fn severity(self, line: &str, severity: Severity) -> String {
        let color = match severity {
            Severity::Fault => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Note => AnsiColor::Cyan,
        };
        let painted = self.paint(severity.as_str(), color.on_default());
        line.replacen(severity.as_str(), &painted, 1)
    }

    /// The text of a plan: the sign of each step is colored.
    #[cfg(feature = "change")]
    pub(crate) fn plan(self, text: &str) -> String {
        if !self.is_colored {
            return text.to_owned();
        }
        let painted = text.split_inclusive('\n').map(|line| {
            let (margin, rest) = line.split_at(line.len() - line.trim_start_matches(' ').len());
            let color = match rest.as_bytes() {
                [b'+', b' ', ..] => AnsiColor::Green,
                [b'~' | b'!', b' ', ..] => AnsiColor::Yellow,
                [b'-', b' ', ..] => AnsiColor::Red,
                [b'?', b' ', ..] => AnsiColor::Cyan,
                _ => return line.to_owned(),
            };
            let (sign, rest) = rest.split_at(1);
            format!("{margin}{}{rest}", self.paint(sign, color.on_default()))
        });
        painted.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_are_there_anyway_are_colored() {
        let (plain, colored) = (Look::default(), Look::new(true, Some(20)));
        assert_eq!(colored.width, MIN_WIDTH);
        assert_eq!(plain.severity("  WIF6101 fault  sc", Severity::Fault), "  WIF6101 fault  sc");
        let line = colored.severity("  WIF6101 fault  sc fault", Severity::Fault);
        assert_eq!(line, "  WIF6101 \u{1b}[31mfault\u{1b}[0m  sc fault");
        assert_eq!(colored.heading("a"), "\u{1b}[1ma\u{1b}[0m");
    }

    #[cfg(feature = "change")]
    #[test]
    fn the_sign_of_a_step_is_colored_and_nothing_else() {
        let text = "sc-app - x\n  + make it\n      way back: - none\n  ! wait\n";
        assert_eq!(Look::default().plan(text), text);
        let painted = Look::new(true, None).plan(text);
        let expected = "sc-app - x\n  \u{1b}[32m+\u{1b}[0m make it\n      way back: - none\n  \u{1b}[33m!\u{1b}[0m wait\n";
        assert_eq!(painted, expected);
    }
}
