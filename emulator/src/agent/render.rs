//! The log of a job as the web page shows it.

use std::fmt::Write as _;

use super::report::{JobReport, JobResult, StepReport, StepResult};

impl JobReport {
    /// For each stage a heading with mark, name and duration, and below it its lines with their time stamps. With
    /// `color`, the page's colors as ANSI sequences.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        for step in &self.steps {
            write_heading(&mut out, step, color);
            write_lines(&mut out, &step.log, color);
            out.push('\n');
        }
        if !self.finalize.is_empty() {
            let _ = writeln!(out, "{}", paint("✓ Finalize Job", GREEN, color));
            write_lines(&mut out, &self.finalize, color);
            out.push('\n');
        }
        let code = if self.result <= JobResult::SucceededWithIssues { GREEN } else { RED };
        let _ = writeln!(out, "{}", paint(&format!("Job {}", self.result.name()), code, color));
        out
    }
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const MAGENTA: &str = "35";
const GRAY: &str = "90";

fn write_heading(out: &mut String, step: &StepReport, color: bool) {
    let (mark, code) = match step.result {
        StepResult::Succeeded => ("✓", GREEN),
        StepResult::SucceededWithIssues => ("!", YELLOW),
        StepResult::Failed | StepResult::Abandoned => ("✗", RED),
        StepResult::Canceled => ("■", GRAY),
        StepResult::Skipped => ("-", GRAY),
    };
    let text = format!("{mark} {} ({:?}, {:.1} s)", step.display_name, step.result, step.seconds);
    let _ = writeln!(out, "{}", paint(&text, code, color));
}

fn write_lines(out: &mut String, log: &str, color: bool) {
    for line in log.lines() {
        let _ = writeln!(out, "{}", if color { color_line(line) } else { line.to_owned() });
    }
}

fn color_line(line: &str) -> String {
    let (stamp, text) = line.split_once(' ').unwrap_or(("", line));
    format!("{} {}", paint(stamp, GRAY, true), color_text(text))
}

/// A line without its time stamp, in the page's colors as ANSI sequences.
#[must_use]
pub fn color_text(text: &str) -> String {
    for (tag, code) in [
        ("##[error]", RED),
        ("##[warning]", YELLOW),
        ("##[section]", GREEN),
        ("##[command]", BLUE),
        ("##[debug]", MAGENTA),
    ] {
        if let Some(rest) = text.strip_prefix(tag) {
            // The page shows these two tags as words, and the others by their color alone.
            let word = tag.trim_start_matches("##[").trim_end_matches(']');
            let word =
                if matches!(code, RED | YELLOW | MAGENTA) { format!("{word}: ") } else { String::new() };
            return paint(&format!("{word}{rest}"), code, true);
        }
    }
    text.to_owned()
}

fn paint(text: &str, code: &str, color: bool) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
