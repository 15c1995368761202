//! What is written and started for a script: the files' texts and the command line, as `AzureCLI@2` makes them.
//!
//! Source: microsoft/azure-pipelines-tasks, `Tasks/AzureCLIV2/src/ScriptType.ts` and `Utility.ts`.

use std::path::{Path, PathBuf};

use wif_core::secret::Secret;

use super::arguments;
use crate::agent::script_inputs::{Language, Script, Source};

/// A script that is ready to be written and started.
#[derive(Debug)]
pub(super) struct ScriptCommand {
    /// Names and contents of files in the private folder.
    pub(super) files: Vec<(&'static str, Secret)>,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Whether the arguments are one text that is passed to the program as it is: the command line of `cmd`.
    pub(super) is_verbatim: bool,
}

impl Language {
    /// The program that runs it.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Bash if cfg!(windows) => "bash.exe",
            Self::Bash => "bash",
            Self::PowerShell if cfg!(windows) => "pwsh.exe",
            Self::PowerShell => "pwsh",
            Self::WindowsPowerShell => "powershell.exe",
            Self::Batch => "cmd.exe",
        }
    }

    /// What the names of its files end in.
    pub(super) const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["sh"],
            Self::PowerShell | Self::WindowsPowerShell => &["ps1"],
            Self::Batch => &["bat", "cmd"],
        }
    }

    /// Its name in the input `scriptType`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::PowerShell => "pscore",
            Self::WindowsPowerShell => "ps",
            Self::Batch => "batch",
        }
    }
}

/// How the system ends a line of a script that is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    Unix,
    Windows,
}

impl LineEnd {
    pub(super) const SYSTEM: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    const fn as_str(self) -> &'static str {
        match self {
            Self::Unix => "\n",
            Self::Windows => "\r\n",
        }
    }
}

/// Makes the command of a script whose files are written to `folder`.
pub(super) fn command(
    script: &Script,
    interpreter: PathBuf,
    folder: &Path,
    line_end: LineEnd,
) -> ScriptCommand {
    match script.language {
        Language::Bash => {
            let (files, path) = of_source(script, folder, "script.sh");
            let arguments = std::iter::once(path).chain(arguments::split(script.arguments.expose()));
            ScriptCommand { files, program: interpreter, arguments: arguments.collect(), is_verbatim: false }
        }
        Language::Batch => {
            let (files, path) = of_source(script, folder, "script.bat");
            let words = std::iter::once(path).chain(arguments::split(script.arguments.expose()));
            let words: Vec<_> = words.map(|word| arguments::quote_for_cmd(&word)).collect();
            let arguments = vec![format!("/D /S /C \"{}\"", words.join(" "))];
            ScriptCommand { files, program: interpreter, arguments, is_verbatim: true }
        }
        Language::PowerShell | Language::WindowsPowerShell => {
            let (mut files, path) = of_source(script, folder, "inline-script.ps1");
            let lines = powershell_lines(script, &path);
            // Windows PowerShell takes a file without a byte order mark for one in the machine's code page.
            let text = format!("\u{feff}{}", lines.join(line_end.as_str()));
            files.push((POWERSHELL_SCRIPT, Secret::new(text)));
            let call = format!(". {}", quoted(&folder.join(POWERSHELL_SCRIPT).to_string_lossy()));
            let options =
                ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-Command"];
            let arguments = options.map(str::to_owned).into_iter().chain([call]).collect();
            ScriptCommand { files, program: interpreter, arguments, is_verbatim: false }
        }
    }
}

/// The script that calls the step's own.
const POWERSHELL_SCRIPT: &str = "script.ps1";

/// The file to write, if the script is inline, and the path of the script.
fn of_source(script: &Script, folder: &Path, name: &'static str) -> (Vec<(&'static str, Secret)>, String) {
    let (files, path) = match &script.source {
        Source::Inline(text) => (vec![(name, text.clone())], folder.join(name)),
        Source::File(path) => (Vec::new(), path.clone()),
    };
    (files, path.to_string_lossy().into_owned())
}

fn powershell_lines(script: &Script, path: &str) -> Vec<String> {
    let call = format!(". {} {}", quoted(path), script.arguments.expose());
    let mut lines = vec![
        format!("$ErrorActionPreference = '{}'", script.error_action_preference),
        "$ErrorView = 'NormalView'".to_owned(),
        call.trim().to_owned(),
    ];
    if !script.ignore_last_exit_code {
        let last_exit_code = [
            "if (!(Test-Path -LiteralPath variable:LASTEXITCODE)) {",
            "    Write-Host '##vso[task.debug]$LASTEXITCODE is not set.'",
            "} else {",
            "    Write-Host ('##vso[task.debug]$LASTEXITCODE: {0}' -f $LASTEXITCODE)",
            "    exit $LASTEXITCODE",
            "}",
        ];
        lines.extend(last_exit_code.map(str::to_owned));
    }
    lines
}

/// A text in PowerShell's single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(language: Language, source: Source) -> Script {
        Script {
            language,
            source,
            arguments: Secret::new(String::new()),
            folder: None,
            fail_on_standard_error: false,
            error_action_preference: "stop".to_owned(),
            ignore_last_exit_code: false,
            wants_identity: false,
            wants_later_steps: false,
        }
    }

    fn inline(language: Language, text: &str) -> Script {
        script(language, Source::Inline(Secret::new(text.to_owned())))
    }

    fn made(script: &Script, folder: &str, line_end: LineEnd) -> ScriptCommand {
        command(script, PathBuf::from("/bin/x"), Path::new(folder), line_end)
    }

    fn files(command: &ScriptCommand) -> Vec<(&str, &str)> {
        command.files.iter().map(|(name, content)| (*name, content.expose())).collect()
    }

    #[test]
    fn bash_gets_the_text_as_it_is_and_the_arguments_one_by_one() {
        let script = Script {
            arguments: Secret::new(r#"-e "test 2" *"#.to_owned()),
            ..inline(Language::Bash, "echo $(date)\necho ü")
        };
        let command = made(&script, "/t/wif-1", LineEnd::Unix);
        assert_eq!(files(&command), [("script.sh", "echo $(date)\necho ü")]);
        assert_eq!(command.program, PathBuf::from("/bin/x"));
        assert_eq!(command.arguments, ["/t/wif-1/script.sh", "-e", "test 2", "*"]);
        assert!(!command.is_verbatim);
    }

    #[test]
    fn a_script_in_a_file_is_run_where_it_is() {
        let command = made(
            &script(Language::Bash, Source::File(PathBuf::from("/s/deploy all.sh"))),
            "/t/wif-1",
            LineEnd::Unix,
        );
        assert_eq!(command.arguments, ["/s/deploy all.sh"]);
        assert!(command.files.is_empty());
    }

    #[test]
    fn powershell_runs_a_script_that_calls_the_inline_one_and_ends_with_its_last_exit_code() {
        let script = Script {
            arguments: Secret::new("-Name 'a b' -At $(Get-Date)".to_owned()),
            ..inline(Language::PowerShell, "param($Name, $At)\naz group list")
        };
        let command = made(&script, "/t/it's", LineEnd::Unix);
        let wrapper = "\u{feff}$ErrorActionPreference = 'stop'
$ErrorView = 'NormalView'
. '/t/it''s/inline-script.ps1' -Name 'a b' -At $(Get-Date)
if (!(Test-Path -LiteralPath variable:LASTEXITCODE)) {
    Write-Host '##vso[task.debug]$LASTEXITCODE is not set.'
} else {
    Write-Host ('##vso[task.debug]$LASTEXITCODE: {0}' -f $LASTEXITCODE)
    exit $LASTEXITCODE
}";
        let own = ("inline-script.ps1", "param($Name, $At)\naz group list");
        assert_eq!(files(&command), [own, ("script.ps1", wrapper)]);
        assert_eq!(
            command.arguments,
            [
                "-NoLogo",
                "-NoProfile",
                "-NonInteractive",
                "-ExecutionPolicy",
                "Unrestricted",
                "-Command",
                ". '/t/it''s/script.ps1'"
            ]
        );
    }

    #[test]
    fn windows_powershell_gets_the_lines_of_windows_and_its_own_preferences() {
        let script = Script {
            error_action_preference: "SilentlyContinue".to_owned(),
            ignore_last_exit_code: true,
            ..script(Language::WindowsPowerShell, Source::File(PathBuf::from("/s/a.ps1")))
        };
        let command = made(&script, "/t", LineEnd::Windows);
        let wrapper = "\u{feff}$ErrorActionPreference = 'SilentlyContinue'\r\n$ErrorView = 'NormalView'\r\n. '/s/a.ps1'";
        assert_eq!(files(&command), [("script.ps1", wrapper)]);
    }

    #[test]
    fn batch_is_one_command_line_of_cmd() {
        let script = Script {
            arguments: Secret::new(r#"one "two 3" a&b"#.to_owned()),
            ..script(Language::Batch, Source::File(PathBuf::from(r"C:\agent folder\a.cmd")))
        };
        let command = made(&script, "/t", LineEnd::Windows);
        assert_eq!(command.arguments, [r#"/D /S /C ""C:\agent folder\a.cmd" one "two 3" "a&b"""#]);
        assert!(command.is_verbatim && command.files.is_empty());
        let command = made(&inline(Language::Batch, "call az group list"), "/t", LineEnd::Windows);
        assert_eq!(files(&command), [("script.bat", "call az group list")]);
    }
}
