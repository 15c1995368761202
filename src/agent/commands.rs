//! Logging commands: `##vso[area.event property=value;]data`, escaped by type.
//!
//! Source: microsoft/azure-pipelines-agent, `Command.cs`, `CommandStringConvertor.cs`, `TaskCommandExtension.cs`.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use wif_core::{
    code::Code,
    foreign_text::{lines, one_line},
    secret::Secret,
};
use wif_io::env::Env;

/// A value of a command's property.
pub struct Property<'a>(pub &'a str, pub Percent);

/// The text after a command's brackets.
pub struct Data<'a>(pub &'a str, pub Percent);

/// Whether the agent decodes `%AZP25`; `DECODE_PERCENTS=false` switches it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percent {
    /// Escape `%`.
    Escaped,
    /// Leave `%` alone.
    Verbatim,
}

/// How a variable is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Later steps find it in their environment.
    Plain,
    /// Later steps find it in their environment, under a name whose letter case is kept.
    CaseKept,
    /// Masked, and given to later steps only where they map it.
    Secret,
}

/// What the agent is told of a step's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Everything worked.
    Succeeded,
    /// It worked, and there is something to look at.
    SucceededWithIssues,
    /// It did not.
    Failed,
    /// The agent asked to stop.
    Canceled,
}

/// Standard output is gone.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub struct OutputError(#[from] pub io::Error);

/// The longest debug line, in characters.
const MAX_DEBUG: usize = 4000;

/// The beginning of the command that masks a value.
pub(crate) const MASK: &str = "##vso[task.setsecret]";

/// The one writer of commands and log lines.
pub struct Commands<'a> {
    out: &'a mut (dyn Write + Send),
    percent: Percent,
}

impl<'a> Commands<'a> {
    /// A writer to standard output, with the agent's rule for percent signs.
    pub fn new(out: &'a mut (dyn Write + Send), env: &Env) -> Self {
        let verbatim = env.get("DECODE_PERCENTS").is_some_and(|value| value.eq_ignore_ascii_case("false"));
        Self { out, percent: if verbatim { Percent::Verbatim } else { Percent::Escaped } }
    }

    /// Writes a log line, or several: whatever the text holds, none is a command.
    ///
    /// # Errors
    ///
    /// Standard output is gone, as for every method here.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        lines(text).lines().try_for_each(|line| writeln!(self.out, "{line}"))
    }

    /// Begins lines that the page shows folded, below a title.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub(crate) fn begin_group(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "##[group]{}", one_line(title, MAX_DEBUG))
    }

    /// Ends them.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub(crate) fn end_group(&mut self) -> io::Result<()> {
        writeln!(self.out, "##[endgroup]")
    }

    /// Writes a debug line, which the agent shows with `System.Debug` only.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn debug(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "##[debug]{}", one_line(text, MAX_DEBUG))
    }

    /// Masks a value in everything that follows.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn mask(&mut self, secret: &Secret) -> io::Result<()> {
        writeln!(self.out, "{MASK}{}", Data(secret.expose(), self.percent))
    }

    /// Sets a variable for later steps.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn set_variable(&mut self, name: &str, value: &str, visibility: Visibility) -> io::Result<()> {
        let flag = match visibility {
            Visibility::Plain => "",
            Visibility::CaseKept => ";preservecase=true",
            Visibility::Secret => ";issecret=true",
        };
        let (name, value) = (Property(name, self.percent), Data(value, self.percent));
        writeln!(self.out, "##vso[task.setvariable variable={name}{flag}]{value}")
    }

    /// Sets an output variable of this step, which other jobs and stages find too, as `<step>.<name>`.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub(crate) fn set_output_variable(&mut self, name: &str, value: &str) -> io::Result<()> {
        let (name, value) = (Property(name, self.percent), Data(value, self.percent));
        writeln!(self.out, "##vso[task.setvariable variable={name};isoutput=true]{value}")
    }

    /// Sets a variable that only the later stages of this step find.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn set_task_variable(&mut self, name: &str, value: &str) -> io::Result<()> {
        let (name, value) = (Property(name, self.percent), Data(value, self.percent));
        writeln!(self.out, "##vso[task.settaskvariable variable={name}]{value}")
    }

    /// Puts a folder before all others on the `PATH` of later steps.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn prepend_path(&mut self, folder: &str) -> io::Result<()> {
        writeln!(self.out, "##vso[task.prependpath]{}", Data(folder, self.percent))
    }

    /// Adds a Markdown file to the run's summary. The agent reads the file later, at the latest at the job's end.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn upload_summary(&mut self, path: &str) -> io::Result<()> {
        writeln!(self.out, "##vso[task.uploadsummary]{}", Data(path, self.percent))
    }

    /// Shows a warning on the run's page. The agent decodes the text into log lines, each of which is made harmless.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn warning(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "##vso[task.logissue type=warning]{}", Data(&lines(text), self.percent))
    }

    /// Shows an error on the run's page, as a warning is shown.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn error(&mut self, code: Code, text: &str) -> io::Result<()> {
        writeln!(self.out, "##vso[task.logissue type=error;code={code}]{}", Data(&lines(text), self.percent))
    }

    /// Shows an issue of any code on the run's page: an error, or a warning.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn issue(&mut self, is_error: bool, code: &str, text: &str) -> io::Result<()> {
        let kind = if is_error { "error" } else { "warning" };
        let (code, text) = (Property(code, self.percent), lines(text));
        writeln!(self.out, "##vso[task.logissue type={kind};code={code}]{}", Data(&text, self.percent))
    }

    /// Says how the step ended.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn complete(&mut self, completion: Completion) -> io::Result<()> {
        self.complete_with(completion, "")
    }

    /// Says how the step ended, and why in a line, which the run's page shows beside the step.
    ///
    /// # Errors
    ///
    /// The agent closed the step's output.
    pub fn complete_with(&mut self, completion: Completion, text: &str) -> io::Result<()> {
        let result = match completion {
            Completion::Succeeded => "Succeeded",
            Completion::SucceededWithIssues => "SucceededWithIssues",
            Completion::Failed => "Failed",
            Completion::Canceled => "Canceled",
        };
        let text = one_line(text, MAX_DEBUG);
        writeln!(self.out, "##vso[task.complete result={result}]{}", Data(&text, self.percent))?;
        self.out.flush()
    }
}

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, self.1, true)
    }
}

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, self.1, false)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str, percent: Percent, property: bool) -> fmt::Result {
    for character in text.chars() {
        match character {
            '%' if percent == Percent::Escaped => f.write_str("%AZP25")?,
            '\r' => f.write_str("%0D")?,
            '\n' => f.write_str("%0A")?,
            ']' if property => f.write_str("%5D")?,
            ';' if property => f.write_str("%3B")?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The agent's own order: `%AZP25` last.
    fn agent_decodes(text: &str) -> String {
        text.replace("%3B", ";")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%5D", "]")
            .replace("%AZP25", "%")
    }

    fn written(write: impl FnOnce(&mut Commands<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Commands::new(&mut out, &Env::default())).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn foreign_text_holds_no_command() {
        for text in ["##vso[task.complete]x", "a##VSO[b]", "##\u{ad}vso[a.b]", "##[error]x", "x\r##vso[a.b]"]
        {
            for (written, begin) in [
                (written(|c| c.line(text)), ""),
                (written(|c| c.debug(text)), "##[debug]"),
                (written(|c| c.warning(&format!("a\n{text}"))), "##vso[task.logissue type=warning]a%0A"),
                (written(|c| c.error(Code::Bug, text)), "##vso[task.logissue type=error;code=WIF9001]"),
            ] {
                let line = written.strip_prefix(begin).unwrap().to_lowercase();
                assert!(!line.contains("##vso") && !line.contains("##["), "{line}");
                assert!(!line.contains("%0d") && !line.contains(['\r', '\u{ad}']), "{line:?}");
            }
        }
        assert_eq!(written(|c| c.line("# a ## b\nc")), "# a ## b\nc\n");
        assert_eq!(written(|c| c.warning("a\nb")), "##vso[task.logissue type=warning]a%0Ab\n");
    }

    #[test]
    fn without_percent_decoding_a_percent_sign_is_left_alone() {
        assert_eq!(Data("100%\n", Percent::Verbatim).to_string(), "100%%0A");
        assert_eq!(Data("100%\n", Percent::Escaped).to_string(), "100%AZP25%0A");
    }

    #[test]
    fn commands_have_the_agents_form() {
        assert_eq!(
            written(|c| c.set_variable("A", "v;]%", Visibility::Secret)),
            "##vso[task.setvariable variable=A;issecret=true]v;]%AZP25\n",
        );
        assert_eq!(
            written(|c| c.set_output_variable("a", "v]\n")),
            "##vso[task.setvariable variable=a;isoutput=true]v]%0A\n",
        );
        assert_eq!(written(|c| c.complete(Completion::Canceled)), "##vso[task.complete result=Canceled]\n");
        assert_eq!(
            written(|c| c.error(Code::TimedOut, "a\nb")),
            "##vso[task.logissue type=error;code=WIF3005]a%0Ab\n",
        );
    }

    proptest! {
        #[test]
        fn the_agent_reads_back_what_is_written(text in ".*") {
            for escaped in [
                Property(&text, Percent::Escaped).to_string(),
                Data(&text, Percent::Escaped).to_string(),
            ] {
                prop_assert_eq!(agent_decodes(&escaped), text.as_str());
                prop_assert!(!escaped.contains(['\r', '\n']));
            }
            prop_assert!(!Property(&text, Percent::Escaped).to_string().contains([']', ';']));
        }

        #[test]
        fn a_line_stays_one_line_without_commands(text in "(#|v|s|o|\\[|V|\r|\u{ad}|\u{200b}|x){0,12}") {
            let line = written(|c| c.line(&text)).to_lowercase();
            prop_assert!(!line.contains("##vso") && !line.contains("##["), "{}", line);
            prop_assert!(line.lines().count() <= 1 && !line.contains('\r'), "{:?}", line);
        }
    }
}
