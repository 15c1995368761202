//! What a user reads of a script that failed, or that cannot run: code and hint.

use wif_core::{code::Code, failure::Failure};
use wif_io::child::StartError;

use super::{prepared::PrepareError, ready::ScriptError};

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        let (code, hint) = match &error {
            PrepareError::NoFile { .. } => (
                Code::InputInvalid,
                "correct the path, which begins at the root of the repository; for a script in the pipeline itself, set scriptLocation: inlineScript",
            ),
            PrepareError::Extension { .. } => {
                (Code::InputInvalid, "rename the file, or correct scriptType or scriptPath")
            }
            PrepareError::Folder { .. } => {
                (Code::InputInvalid, "name a folder that the agent's user may make, or one that is there")
            }
            PrepareError::WindowsOnly { .. } => (
                Code::InterpreterMissing,
                "run the job on Windows, or write the script for bash or PowerShell 7 (scriptType: bash, pscore)",
            ),
            PrepareError::NoInterpreter { .. } => (
                Code::InterpreterMissing,
                "install the program on the agent's machine, or set another scriptType",
            ),
        };
        Self::new(code, error, hint)
    }
}

impl From<ScriptError> for Failure {
    fn from(error: ScriptError) -> Self {
        let (code, hint) = match &error {
            ScriptError::ExitCode(_) | ScriptError::Signal(..) => (
                Code::ScriptFailed,
                "look at what the script wrote before this line: the exit code is its own",
            ),
            ScriptError::WroteErrors { .. } => (
                Code::ScriptFailed,
                "look at these lines; set failOnStandardError: false if they are no errors, as most tools write progress and warnings there too",
            ),
            ScriptError::Start(StartError::NotFound(_) | StartError::NotExecutable(_)) => {
                (Code::InterpreterMissing, "let the agent's user run this program, or set another scriptType")
            }
            ScriptError::Start(_) | ScriptError::Wait(_) => {
                (Code::InterpreterMissing, "run the job again; the system did not run the script")
            }
        };
        let lines = match &error {
            ScriptError::WroteErrors { lines, .. } => lines.clone(),
            _ => Vec::new(),
        };
        Self::new(code, error, hint).with_details(lines)
    }
}
