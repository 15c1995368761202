//! The inputs of a script that is signed in alone. Names, defaults and meanings are those of `AzureCLI@2`.
//!
//! Source: microsoft/azure-pipelines-tasks, `Tasks/AzureCLIV2/task.json`.

use std::path::{Path, PathBuf};

use wif_core::secret::Secret;
use wif_io::env::Env;

use super::inputs::{
    Input, InputError, declared,
    values::{boolean, refuse, text, verbatim},
};

/// A script, and how it is run.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an input of its own")]
pub struct Script {
    /// `scriptType`
    pub language: Language,
    /// `inlineScript` or `scriptPath`
    pub source: Source,
    /// `arguments`, as written. A macro may have put a secret into it.
    pub arguments: Secret,
    /// `workingDirectory`; none, where steps of the job begin.
    pub folder: Option<PathBuf>,
    /// `failOnStandardError`
    pub fail_on_standard_error: bool,
    /// `powerShellErrorActionPreference`, as written.
    pub error_action_preference: String,
    /// `powerShellIgnoreLASTEXITCODE`
    pub ignore_last_exit_code: bool,
    /// `addSpnToEnvironment`
    pub wants_identity: bool,
    /// `useGlobalConfig` or `keepAzSessionActive`: in `AzureCLI@2`, what a step may set so that later steps stay signed in.
    pub wants_later_steps: bool,
}

/// The language of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `bash`
    Bash,
    /// `pscore`: PowerShell 6 and newer.
    PowerShell,
    /// `ps`: what comes with Windows.
    WindowsPowerShell,
    /// `batch`
    Batch,
}

/// Where the script is.
#[derive(Clone, Debug)]
pub enum Source {
    /// Its text. A macro may have put a secret into it.
    Inline(Secret),
    /// Its file. On an agent the path is absolute.
    File(PathBuf),
}

/// What `$ErrorActionPreference` may be set to, in any case.
const PREFERENCES: [&str; 3] = ["stop", "continue", "silentlyContinue"];

impl Script {
    /// Reads the inputs of the script; none without `scriptType`.
    ///
    /// # Errors
    ///
    /// The first input that cannot be used, or a script that has no `scriptType`.
    pub fn read(env: &Env) -> Result<Option<Self>, InputError> {
        let language = language(env)?;
        let path = given_path(env, declared::SCRIPT_PATH)?;
        let inline = verbatim(env, declared::INLINE_SCRIPT);
        let inline = (!inline.trim().is_empty()).then_some(inline);
        let arguments = verbatim(env, declared::ARGUMENTS).trim();
        let wants_identity = boolean(env, declared::ADD_SPN_TO_ENVIRONMENT)?;
        let script = Self {
            language: language.unwrap_or(Language::Bash),
            source: Source::File(PathBuf::new()),
            arguments: Secret::new(arguments.to_owned()),
            folder: given_path(env, declared::WORKING_DIRECTORY)?,
            fail_on_standard_error: boolean(env, declared::FAIL_ON_STANDARD_ERROR)?,
            error_action_preference: preference(env)?.to_owned(),
            ignore_last_exit_code: boolean(env, declared::POWER_SHELL_IGNORE_LASTEXITCODE)?,
            wants_identity,
            wants_later_steps: {
                let global = boolean(env, declared::USE_GLOBAL_CONFIG)?;
                boolean(env, declared::KEEP_AZ_SESSION_ACTIVE)? || global
            },
        };
        for input in [declared::VISIBLE_AZ_LOGIN, declared::ALLOW_NO_SUBSCRIPTIONS] {
            boolean(env, input)?;
        }
        if language.is_some() {
            return Ok(Some(Self { source: source(env, inline, path)?, ..script }));
        }
        let without_type = [
            (inline.is_some(), declared::INLINE_SCRIPT),
            (path.is_some(), declared::SCRIPT_PATH),
            (!arguments.is_empty(), declared::ARGUMENTS),
            (wants_identity, declared::ADD_SPN_TO_ENVIRONMENT),
        ];
        match without_type.iter().find(|(given, _)| *given) {
            Some((_, given)) => {
                let accepted = format!("bash, pscore, ps or batch, since {} is given", given.name);
                Err(InputError::Value { input: declared::SCRIPT_TYPE.name, value: String::new(), accepted })
            }
            None => Ok(None),
        }
    }
}

/// Whether the step is to run a script.
#[must_use]
pub fn is_given(env: &Env) -> bool {
    matches!(language(env), Ok(Some(_)))
}

fn language(env: &Env) -> Result<Option<Language>, InputError> {
    let input = declared::SCRIPT_TYPE;
    let value = text(env, input)?;
    match value.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "bash" => Ok(Some(Language::Bash)),
        "pscore" => Ok(Some(Language::PowerShell)),
        "ps" => Ok(Some(Language::WindowsPowerShell)),
        "batch" => Ok(Some(Language::Batch)),
        _ => Err(refuse(input, value)),
    }
}

fn source(env: &Env, inline: Option<&str>, path: Option<PathBuf>) -> Result<Source, InputError> {
    let input = declared::SCRIPT_LOCATION;
    let is_inline = match text(env, input)? {
        value if value.eq_ignore_ascii_case("inlineScript") => true,
        // The default, which the agent passes too where the pipeline does not name a location.
        value if value.is_empty() || value.eq_ignore_ascii_case("scriptPath") => {
            inline.is_some() && path.is_none()
        }
        value => return Err(refuse(input, value)),
    };
    let empty = |input: Input, accepted: &str| InputError::Value {
        input: input.name,
        value: String::new(),
        accepted: accepted.to_owned(),
    };
    match (is_inline, inline, path) {
        (true, Some(text), _) => Ok(Source::Inline(Secret::new(text.to_owned()))),
        (true, None, _) => Err(empty(declared::INLINE_SCRIPT, "the text of a script")),
        (false, _, Some(path)) => Ok(Source::File(path)),
        (false, ..) => Err(empty(
            declared::SCRIPT_PATH,
            "the file of a script; a script in the pipeline itself is the input inlineScript",
        )),
    }
}

/// A path, if one is given. The agent passes the folder in which steps begin for an input that is empty
/// (microsoft/azure-pipelines-agent, `TaskRunner.cs`, `TranslateFilePathInput`).
fn given_path(env: &Env, input: Input) -> Result<Option<PathBuf>, InputError> {
    let path = PathBuf::from(text(env, input)?);
    let begin = ["BUILD_SOURCESDIRECTORY", "SYSTEM_DEFAULTWORKINGDIRECTORY"];
    let is_begin = begin.iter().filter_map(|name| env.get(name)).any(|folder| path == Path::new(folder));
    Ok((!path.as_os_str().is_empty() && !is_begin).then_some(path))
}

fn preference(env: &Env) -> Result<&str, InputError> {
    let input = declared::POWER_SHELL_ERROR_ACTION_PREFERENCE;
    match text(env, input)? {
        "" => Ok(input.default),
        value if PREFERENCES.iter().any(|known| known.eq_ignore_ascii_case(value)) => Ok(value),
        value => Err(refuse(input, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inputs: &[(&str, &str)]) -> Result<Option<Script>, InputError> {
        let variables = inputs.iter().map(|(name, value)| {
            let name = if name.contains('_') { (*name).to_owned() } else { format!("INPUT_{name}") };
            (name.to_uppercase(), (*value).to_owned())
        });
        Script::read(&variables.collect())
    }

    fn script(inputs: &[(&str, &str)]) -> Script {
        read(inputs).unwrap().unwrap()
    }

    fn inline(script: &Script) -> Option<&str> {
        match &script.source {
            Source::Inline(text) => Some(text.expose()),
            Source::File(_) => None,
        }
    }

    #[test]
    fn without_a_type_there_is_no_script() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("scriptLocation", "inlineScript"), ("useGlobalConfig", "true")]).unwrap().is_none());
    }

    #[test]
    fn a_script_without_a_type_is_refused_with_the_input_that_is_given() {
        for (input, value) in [
            ("inlineScript", "az group list"),
            ("scriptPath", "/s/a.sh"),
            ("arguments", "-x"),
            ("scriptArguments", "-x"),
            ("addSpnToEnvironment", "true"),
        ] {
            let error = read(&[(input, value)]).unwrap_err().to_string();
            let named = if input == "scriptArguments" { "arguments" } else { input };
            assert!(error.starts_with("the input scriptType is empty"), "{error}");
            assert!(
                error.ends_with(&format!("bash, pscore, ps or batch, since {named} is given")),
                "{error}"
            );
        }
    }

    #[test]
    fn every_type_is_known_in_any_case() {
        for (name, language) in [
            ("bash", Language::Bash),
            ("Bash", Language::Bash),
            ("pscore", Language::PowerShell),
            ("ps", Language::WindowsPowerShell),
            ("BATCH", Language::Batch),
        ] {
            assert_eq!(script(&[("scriptType", name), ("inlineScript", "x")]).language, language, "{name}");
        }
    }

    #[test]
    fn the_text_is_kept_as_it_is_with_what_looks_like_a_macro() {
        let text = "for group in $(az group list -o tsv); do\n  echo \"$group\"\ndone";
        let inputs = [("scriptType", "bash"), ("scriptLocation", "InlineScript"), ("inlineScript", text)];
        assert_eq!(inline(&script(&inputs)), Some(text));
        let inputs = [("scriptType", "pscore"), ("inlineScript", "x"), ("arguments", "-At $(Get-Date)")];
        assert_eq!(script(&inputs).arguments.expose(), "-At $(Get-Date)");
    }

    #[test]
    fn the_script_is_the_inline_one_where_only_that_is_given_or_where_the_location_says_so() {
        let (bash, text) = (("scriptType", "bash"), ("inlineScript", "x"));
        let (path, default) = (("scriptPath", "/s/a.sh"), ("scriptLocation", "scriptPath"));
        let folder = ("SYSTEM_DEFAULTWORKINGDIRECTORY", "/agent/_work/1/s");
        let empty_path = ("scriptPath", "/agent/_work/1/s/");
        assert_eq!(inline(&script(&[bash, text])), Some("x"));
        assert_eq!(inline(&script(&[bash, text, default])), Some("x"));
        assert_eq!(inline(&script(&[bash, text, default, folder, empty_path])), Some("x"));
        assert_eq!(inline(&script(&[bash, text, path, ("scriptLocation", "inlineScript")])), Some("x"));
        for inputs in [&[bash, path][..], &[bash, path, text, default], &[bash, path, default]] {
            let Source::File(found) = script(inputs).source else { panic!("{inputs:?}") };
            assert_eq!(found, PathBuf::from("/s/a.sh"));
        }
    }

    #[test]
    fn other_names_of_inputs_are_known() {
        let inputs = [("scriptType", "bash"), ("inlineScript", "x"), ("scriptArguments", "a"), ("cwd", "/c")];
        let script = script(&inputs);
        assert_eq!((script.arguments.expose(), script.folder), ("a", Some(PathBuf::from("/c"))));
    }

    #[test]
    fn the_defaults_are_those_of_azure_cli_2() {
        let script = script(&[("scriptType", "pscore"), ("inlineScript", "x")]);
        assert_eq!(script.error_action_preference, "stop");
        assert!(!script.fail_on_standard_error && !script.ignore_last_exit_code && !script.wants_identity);
        assert!(!script.wants_later_steps && script.folder.is_none() && script.arguments.expose().is_empty());
    }

    #[test]
    fn a_wish_for_later_steps_is_seen_in_both_inputs() {
        for input in ["useGlobalConfig", "keepAzSessionActive"] {
            let inputs = [("scriptType", "bash"), ("inlineScript", "x"), (input, "true")];
            assert!(script(&inputs).wants_later_steps, "{input}");
        }
    }

    #[test]
    fn a_bad_value_is_named_with_its_input_and_what_is_accepted() {
        let typed = ("scriptType", "bash");
        for (input, value, accepted) in [
            ("scriptType", "python", "bash, pscore, ps or batch"),
            ("scriptType", "$(type)", "a macro"),
            ("scriptLocation", "file", "inlineScript or scriptPath"),
            ("failOnStandardError", "yes", "true or false"),
            ("powerShellErrorActionPreference", "ignore", "stop, continue or silentlyContinue"),
            ("powerShellIgnoreLASTEXITCODE", "1", "true or false"),
            ("addSpnToEnvironment", "no", "true or false"),
            ("useGlobalConfig", "x", "true or false"),
            ("visibleAzLogin", "x", "true or false"),
            ("keepAzSessionActive", "x", "true or false"),
            ("allowNoSubscriptions", "x", "true or false"),
            ("scriptPath", "$(folder)/a.sh", "a macro of a variable that is not set; accepted: a path"),
            ("workingDirectory", "$(folder)", "a macro of a variable that is not set; accepted: a path"),
        ] {
            let inputs = [typed, ("inlineScript", "x"), (input, value)];
            let error = read(&inputs).unwrap_err().to_string();
            let names = error.contains(&format!("the input {input} ")) && error.contains(value);
            assert!(names && error.contains(accepted), "{error}");
        }
    }

    #[test]
    fn a_script_that_is_not_there_is_named() {
        for (inputs, input) in [
            (&[("scriptType", "bash")][..], "scriptPath"),
            (&[("scriptType", "bash"), ("scriptLocation", "inlineScript")], "inlineScript"),
            (
                &[("scriptType", "bash"), ("scriptLocation", "inlineScript"), ("inlineScript", " \n")],
                "inlineScript",
            ),
        ] {
            let error = read(inputs).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the input {input} is empty, accepted: the ")), "{error}");
        }
    }

    #[test]
    fn a_script_is_not_shown_under_debug() {
        let script = script(&[("scriptType", "bash"), ("inlineScript", "hunter2"), ("arguments", "hunter3")]);
        assert!(!format!("{script:?}").contains("hunter"), "{script:?}");
    }
}
