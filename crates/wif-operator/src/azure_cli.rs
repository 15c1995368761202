//! Tokens of the Azure CLI, by Microsoft's library. The library says what to start and reads what is printed; `az` is started as every
//! other tool: with a limit on time, and ended with its children.

use std::{
    ffi::OsStr,
    fmt, io,
    path::Path,
    process::Output,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use azure_core::credentials::TokenCredential as _;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use wif::user_tokens::{Asked, AzureCli, CLI_TIMEOUT, as_token, why_none};
use wif_io::{clock::Clock, env::Env, program::Call};

/// Asks the Azure CLI by `azure_identity`.
pub(crate) struct Library {
    clock: Arc<dyn Clock>,
}

/// Starts programs for the library.
struct Starter {
    variables: Vec<(String, String)>,
    clock: Arc<dyn Clock>,
    /// Why the last one gave no token.
    why_none: Mutex<Option<String>>,
}

impl Library {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock) }
    }
}

impl AzureCli for Library {
    fn token<'a>(&'a self, env: &'a Env, _program: &'a Path, scope: &'a str) -> Asked<'a> {
        Box::pin(async move {
            let variables = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let starter =
                Arc::new(Starter { variables, clock: Arc::clone(&self.clock), why_none: Mutex::default() });
            let executor: Arc<dyn Executor> = Arc::clone(&starter) as _;
            let options = AzureCliCredentialOptions { executor: Some(executor), ..Default::default() };
            let credential =
                AzureCliCredential::new(Some(options)).map_err(|_error| "it cannot be asked".to_owned())?; // no option can be wrong
            let printed = match credential.get_token(&[scope], None).await {
                Ok(token) => token.token.secret().to_owned(),
                // The library's text repeats all that `az` wrote.
                Err(_error) => String::new(),
            };
            let why = starter.why_none.lock().unwrap_or_else(PoisonError::into_inner).take();
            why.map_or_else(|| as_token(printed), Err)
        })
    }
}

/// The variables hold secrets.
impl fmt::Debug for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starter").finish_non_exhaustive()
    }
}

#[async_trait]
impl Executor for Starter {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let arguments: Vec<_> =
            arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let call =
            Call { program: Path::new(program), arguments: &arguments, folder: None, limit: CLI_TIMEOUT };
        let answer = call.run(self.variables.iter().cloned(), &*self.clock).await;
        let why = match &answer {
            Ok(answer) => why_none(answer),
            Err(error) => Some(format!("it cannot be started: {error}")),
        };
        *self.why_none.lock().unwrap_or_else(PoisonError::into_inner) = why;
        let answer = answer?;
        let status = answer.status.ok_or(io::ErrorKind::TimedOut)?;
        Ok(Output { status, stdout: answer.output.into_bytes(), stderr: answer.errors.into_bytes() })
    }
}
