//! How a text of the command line fits its terminal: lines that are no longer than it has columns, and colors where it has them.

use wif_io::env::Env;

/// The longest line, in characters: longer ones are hard to read.
const MAX_COLUMNS: usize = 100;
/// The longest line of a terminal that does not say how many columns it has.
const USUAL_COLUMNS: usize = 80;
/// A narrower terminal breaks lines itself.
const MIN_COLUMNS: usize = 20;

/// What follows is not broken and not painted: it is there to be copied.
const EXAMPLES: &str = "Examples:";
/// Headings with their text on the same line. What is broken goes on below the text's begin.
const SHORT_SECTIONS: [&str; 2] = ["Usage:", "Exit codes:"];

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const PLAIN: &str = "\u{1b}[0m";

/// A stream that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// The longest line, in characters.
    columns: usize,
    /// Whether it is a terminal, and no pipe or file.
    is_there: bool,
    /// Whether it shows colors, by ANSI escape sequences.
    is_colored: bool,
}

impl Terminal {
    /// A stream: whether it is a terminal, and how many columns that has, where it says so. Else the variable `COLUMNS` counts.
    #[must_use]
    pub fn new(env: &Env, is_terminal: bool, columns: Option<usize>) -> Self {
        let set = || env.get("COLUMNS").and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
        let columns = columns.filter(|columns| *columns > 0).or_else(set);
        let columns = columns.unwrap_or(if is_terminal { USUAL_COLUMNS } else { MAX_COLUMNS });
        let is_set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
        let knows_colors = match env.get("TERM") {
            Some(name) => !name.is_empty() && name != "dumb",
            // Windows' own terminal, which sets no TERM. An older console would show the sequences as they are.
            None => is_set("WT_SESSION"),
        };
        let is_colored = is_terminal && knows_colors && !is_set("NO_COLOR");
        Self { columns: columns.clamp(MIN_COLUMNS, MAX_COLUMNS), is_there: is_terminal, is_colored }
    }

    /// The same with or without colors, as an argument wants it.
    #[must_use]
    pub fn with_colors(self, is_colored: bool) -> Self {
        Self { is_colored, ..self }
    }

    /// Whether it is a terminal, and no pipe or file.
    pub(super) const fn is_there(self) -> bool {
        self.is_there
    }

    /// A help text with lines that fit. Examples and names stay whole.
    #[must_use]
    pub(super) fn fit(self, help: &str) -> String {
        let mut section = "";
        let lines = help.lines().map(str::trim_end).map(|line| {
            if !line.is_empty() && !line.starts_with(' ') {
                section = line;
            }
            if section == EXAMPLES { line.to_owned() } else { self.broken(line) }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn broken(self, line: &str) -> String {
        let margin = line.len() - line.trim_start().len();
        let (_, words) = line.split_at(margin);
        let is_name = words.starts_with('-') && !words.starts_with("- ");
        // A name, and two spaces or more before what it means.
        let column = words.find("  ").map(|end| {
            let (_, rest) = words.split_at(end);
            margin + end + (rest.len() - rest.trim_start().len())
        });
        if line.chars().count() <= self.columns || (is_name && column.is_none()) {
            return line.to_owned();
        }
        let mut below = column.unwrap_or(margin + indentation(words));
        let (head, words) = line.split_at(column.unwrap_or(margin));
        let mut text = head.to_owned();
        if below > self.columns / 2 {
            below = margin + 4;
            text = format!("{}\n{:below$}", head.trim_end(), "");
        }
        let mut used = text.lines().last().unwrap_or_default().chars().count();
        let mut is_first = true;
        for word in words.split_whitespace() {
            let length = word.chars().count();
            if is_first {
                is_first = false;
            } else if used + 1 + length > self.columns {
                text.push('\n');
                text.push_str(&" ".repeat(below));
                used = below;
            } else {
                text.push(' ');
                used += 1;
            }
            text.push_str(word);
            used += length;
        }
        text
    }

    /// Paints headings, names of commands and options, and what an error or a report begins with. The text is harmless already.
    #[must_use]
    pub(super) fn paint(self, text: &str) -> String {
        if !self.is_colored {
            return text.to_owned();
        }
        let mut section = "";
        let lines = text.lines().map(|line| {
            if !line.is_empty() && !line.starts_with(' ') {
                section = line;
            }
            painted(line, section)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// How much further in a text goes on than it begins, in characters: below what follows the mark of a list.
fn indentation(words: &str) -> usize {
    let is_short = SHORT_SECTIONS.iter().any(|section| words.starts_with(section));
    let (mark, _) = words.split_once(' ').unwrap_or_default();
    let is_number = mark.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok());
    match mark {
        "-" => 2,
        mark if is_number => mark.len() + 1,
        _ if is_short => 2,
        _ => 0,
    }
}

/// A line of a section, which its heading names.
fn painted(line: &str, section: &str) -> String {
    let margin = line.len() - line.trim_start().len();
    let (space, words) = line.split_at(margin);
    let begin = |length: usize, color: &str| {
        let (painted, rest) = words.split_at(length);
        format!("{space}{color}{painted}{PLAIN}{rest}")
    };
    if margin == 0 {
        if words.starts_with("error") {
            return begin("error".len(), RED);
        }
        if words.starts_with("FAULT ") {
            return begin("FAULT".len(), RED);
        }
        if words.starts_with("warning ") {
            return begin("warning".len(), YELLOW);
        }
        if words.starts_with("ok  ") {
            return begin("ok".len(), GREEN);
        }
        if let Some(heading) = SHORT_SECTIONS.iter().find(|heading| words.starts_with(**heading)) {
            return begin(heading.len(), BOLD);
        }
        return if words.ends_with(':') { begin(words.len(), BOLD) } else { line.to_owned() };
    }
    if words.starts_with("tip:") {
        return begin("tip:".len(), GREEN);
    }
    if !section.ends_with(':') || section == EXAMPLES {
        return line.to_owned();
    }
    let is_option = words.starts_with('-') && !words.starts_with("- ");
    if is_option {
        let end = ["  ", " <", " ["].iter().filter_map(|end| words.find(end)).min();
        return begin(end.unwrap_or(words.len()), BOLD);
    }
    // Names of commands and arguments; what is below them is further in.
    if margin == 2 { begin(words.find(' ').unwrap_or(words.len()), BOLD) } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terminal(columns: usize, variables: &[(&str, &str)]) -> Terminal {
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Terminal::new(&env, true, Some(columns))
    }

    const HELP: &str = "Does what it is told\n\nUsage: wif token [OPTIONS] [RESOURCE]\n\nOptions:\n      --json  Print one line of JSON\n  -h, --help\n          Print help for those who read\n\nExamples:\n  wif token https://api.contoso.com/.default --json\n";

    #[test]
    fn text_goes_on_below_its_begin_and_an_example_stays_whole() {
        let fitted = "Does what it is told\n\nUsage: wif token\n  [OPTIONS] [RESOURCE]\n\nOptions:\n      --json\n          Print one line\n          of JSON\n  -h, --help\n          Print help for\n          those who read\n\nExamples:\n  wif token https://api.contoso.com/.default --json";
        assert_eq!(terminal(24, &[]).fit(HELP), fitted);
        assert_eq!(
            terminal(36, &[]).fit("  status  Show who is signed in, and more"),
            "  status  Show who is signed in, and\n          more"
        );
        assert_eq!(terminal(500, &[]).fit(HELP), HELP.trim_end());
    }

    #[test]
    fn headings_and_names_are_painted_and_examples_are_not() {
        let help = "Usage: wif\n\nOptions:\n  -h, --help  Print help\n      --name <NAME>\n          - all:  of them\n\n      --more\n\nTools:\n  az  a tool\n      of Azure\n\nExamples:\n  wif status";
        let painted = "\u{1b}[1mUsage:\u{1b}[0m wif\n\n\u{1b}[1mOptions:\u{1b}[0m\n  \u{1b}[1m-h, --help\u{1b}[0m  Print help\n      \u{1b}[1m--name\u{1b}[0m <NAME>\n          - all:  of them\n\n      \u{1b}[1m--more\u{1b}[0m\n\n\u{1b}[1mTools:\u{1b}[0m\n  \u{1b}[1maz\u{1b}[0m  a tool\n      of Azure\n\n\u{1b}[1mExamples:\u{1b}[0m\n  wif status";
        let colored = terminal(80, &[("TERM", "xterm")]);
        assert_eq!(colored.paint(help), painted);
        let report = "1 fault: WIF2013.\nFAULT    id token\nwarning  roles\nok       clock\nskipped  tools";
        let painted = "1 fault: WIF2013.\n\u{1b}[1;31mFAULT\u{1b}[0m    id token\n\u{1b}[33mwarning\u{1b}[0m  roles\n\u{1b}[32mok\u{1b}[0m       clock\nskipped  tools";
        assert_eq!(colored.paint(report), painted);
        for plain in [terminal(80, &[]), terminal(80, &[("TERM", "xterm"), ("NO_COLOR", "1")])] {
            assert_eq!(plain.paint(help), help);
        }
        assert!(
            terminal(80, &[("TERM", "xterm"), ("NO_COLOR", "")]).is_colored,
            "empty is as if it were not set"
        );
        assert!(terminal(80, &[("WT_SESSION", "1")]).is_colored);
        let piped =
            Terminal::new(&[("TERM".to_owned(), "xterm".to_owned())].into_iter().collect(), false, None);
        assert!(!piped.is_colored && piped.with_colors(true).is_colored);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_with_room_to_break_is_too_long(
            lines in proptest::collection::vec("[ ]{0,6}[a-zä]{1,9}( [a-z<>-]{1,9}){0,12}", 1..8),
            columns in 1_usize..120,
        ) {
            let text = lines.join("\n");
            let fitted = terminal(columns, &[]).fit(&text);
            prop_assert_eq!(
                fitted.split_whitespace().collect::<Vec<_>>(),
                text.split_whitespace().collect::<Vec<_>>()
            );
            for line in fitted.lines().filter(|line| line.trim().contains(' ')) {
                prop_assert!(line.chars().count() <= columns.clamp(MIN_COLUMNS, MAX_COLUMNS), "{}", line);
            }
        }
    }
}
