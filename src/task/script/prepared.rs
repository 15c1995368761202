//! What a script needs of this machine, found before the first request: its interpreter, its file, its folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use wif_core::foreign_text::one_line;
use wif_io::{env::Env, private_folder::Folder, program};

use super::command::{LineEnd, ScriptCommand, command};
use crate::agent::script_inputs::{Language, Script, Source};
use wif_core::failure::Failure;

/// A script that this machine can run.
#[derive(Debug)]
pub(in crate::task) struct Prepared {
    script: Script,
    interpreter: PathBuf,
    /// Where it works; none, where this process does.
    pub(super) folder: Option<PathBuf>,
}

/// A script that this machine cannot run.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("the input scriptPath is '{}', and there is no such file", printable(path))]
    NoFile { path: PathBuf },
    #[error(
        "the input scriptPath is '{}'; accepted for scriptType {}: a file whose name ends in {}",
        printable(path),
        language.as_str(),
        join_extensions(*language)
    )]
    Extension { path: PathBuf, language: Language },
    #[error("the input scriptType is {}, which Windows alone can run", language.as_str())]
    WindowsOnly { language: Language },
    #[error("the input scriptType is {}, and {program} is not on the PATH of this machine", language.as_str())]
    NoInterpreter { language: Language, program: &'static str },
    #[error("the input workingDirectory is '{}', which cannot be made", printable(path))]
    Folder { path: PathBuf, source: io::Error },
}

/// Paths in errors are cut.
const MAX_SHOWN: usize = 300;

fn printable(path: &Path) -> String {
    one_line(&path.to_string_lossy(), MAX_SHOWN)
}

fn join_extensions(language: Language) -> String {
    language.extensions().iter().map(|extension| format!(".{extension}")).collect::<Vec<_>>().join(" or ")
}

impl Prepared {
    /// Looks for what the script needs, and makes its working folder if it is not there.
    ///
    /// # Errors
    ///
    /// The script is not there, or this machine cannot run it.
    pub(in crate::task) fn find(script: Script, env: &Env) -> Result<Self, Failure> {
        Ok(Self::look(script, env)?)
    }

    fn look(script: Script, env: &Env) -> Result<Self, PrepareError> {
        let interpreter = interpreter(script.language, env)?;
        let begin = env.get("SYSTEM_DEFAULTWORKINGDIRECTORY").map(PathBuf::from);
        let rooted = |path: &Path| begin.as_ref().map_or_else(|| path.to_owned(), |begin| begin.join(path));
        let source = match script.source {
            Source::Inline(text) => Source::Inline(text),
            Source::File(path) => Source::File(check_file(rooted(&path), script.language)?),
        };
        let folder = script.folder.as_deref().map(rooted).or_else(|| begin.clone());
        if let Some(path) = &folder {
            std::fs::create_dir_all(path)
                .map_err(|source| PrepareError::Folder { path: path.clone(), source })?;
        }
        Ok(Self { script: Script { source, ..script }, interpreter, folder })
    }

    /// Writes the script's files to the private folder, and makes its command.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(super) fn write(&self, folder: &Folder) -> Result<ScriptCommand, Failure> {
        let command = command(&self.script, self.interpreter.clone(), folder.path(), LineEnd::SYSTEM);
        for (name, content) in &command.files {
            folder.write(name, content)?;
        }
        Ok(command)
    }

    pub(super) const fn script(&self) -> &Script {
        &self.script
    }
}

fn check_file(path: PathBuf, language: Language) -> Result<PathBuf, PrepareError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !language.extensions().iter().any(|known| known.eq_ignore_ascii_case(extension)) {
        return Err(PrepareError::Extension { path, language });
    }
    if path.is_file() { Ok(path) } else { Err(PrepareError::NoFile { path }) }
}

fn interpreter(language: Language, env: &Env) -> Result<PathBuf, PrepareError> {
    let is_windows = cfg!(windows);
    if matches!(language, Language::Batch | Language::WindowsPowerShell) && !is_windows {
        return Err(PrepareError::WindowsOnly { language });
    }
    let shell = env.get("COMSPEC").filter(|_| language == Language::Batch).map(PathBuf::from);
    let program = language.program();
    shell.or_else(|| program::find(env, &[program])).ok_or(PrepareError::NoInterpreter { language, program })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use wif_core::{code::Code, secret::Secret};

    use super::*;

    fn script(language: Language, source: Source) -> Script {
        let env = [("INPUT_SCRIPTTYPE", "bash"), ("INPUT_INLINESCRIPT", "x")];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Script { language, source, ..Script::read(&env).unwrap().unwrap() }
    }

    fn inline() -> Source {
        Source::Inline(Secret::new("x".to_owned()))
    }

    /// A machine with `bash` alone on its `PATH`.
    fn machine() -> (tempfile::TempDir, Env) {
        let temp = tempfile::tempdir().unwrap();
        let bash = temp.path().join("bash");
        fs::write(&bash, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&bash, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = temp.path().to_str().unwrap();
        let env = [("PATH", folder), ("SYSTEM_DEFAULTWORKINGDIRECTORY", folder)];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (temp, env)
    }

    fn refused(script: Script, env: &Env) -> (Code, String) {
        let failure = Prepared::find(script, env).unwrap_err();
        (failure.code, failure.story())
    }

    #[test]
    fn a_type_that_the_machine_cannot_run_is_named_with_its_program() {
        let (_temp, env) = machine();
        for (language, expected) in [
            (
                Language::PowerShell,
                "the input scriptType is pscore, and pwsh is not on the PATH of this machine",
            ),
            (Language::WindowsPowerShell, "the input scriptType is ps, which Windows alone can run"),
            (Language::Batch, "the input scriptType is batch, which Windows alone can run"),
        ] {
            let (code, story) = refused(script(language, inline()), &env);
            assert_eq!((code, story.as_str()), (Code::InterpreterMissing, expected));
        }
        assert!(Prepared::find(script(Language::Bash, inline()), &env).is_ok());
    }

    #[test]
    fn a_file_that_is_not_there_or_is_called_otherwise_is_named() {
        let (temp, env) = machine();
        fs::write(temp.path().join("a.txt"), "x").unwrap();
        fs::create_dir(temp.path().join("folder.sh")).unwrap();
        for (name, expected) in [
            ("a.txt", "a file whose name ends in .sh"),
            ("absent", "a file whose name ends in .sh"),
            ("absent.sh", "there is no such file"),
            ("folder.sh", "there is no such file"),
        ] {
            let path = temp.path().join(name);
            let (code, story) = refused(script(Language::Bash, Source::File(path.clone())), &env);
            assert_eq!(code, Code::InputInvalid);
            assert!(story.contains(expected) && story.contains(path.to_str().unwrap()), "{story}");
        }
        fs::write(temp.path().join("b.SH"), "x").unwrap();
        let found =
            Prepared::find(script(Language::Bash, Source::File(PathBuf::from("b.SH"))), &env).unwrap();
        let Source::File(path) = &found.script().source else { panic!("{found:?}") };
        assert_eq!(*path, temp.path().join("b.SH"));
    }

    #[test]
    fn a_working_folder_is_made_or_named() {
        let (temp, env) = machine();
        let in_folder =
            |folder: &str| Script { folder: Some(PathBuf::from(folder)), ..script(Language::Bash, inline()) };
        let found = Prepared::find(in_folder("new/folder"), &env).unwrap();
        assert_eq!(found.folder, Some(temp.path().join("new/folder")));
        assert!(temp.path().join("new/folder").is_dir());
        let usual = Prepared::find(script(Language::Bash, inline()), &env).unwrap();
        assert_eq!(usual.folder, Some(temp.path().to_owned()));
        let (code, story) = refused(in_folder("bash/x"), &env);
        assert_eq!(code, Code::InputInvalid);
        assert!(story.contains("the input workingDirectory is") && story.contains("/bash/x"), "{story}");
    }
}
