//! The session of a script: a broker in this process, and the variables by which the script finds it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use wif_core::{
    exports::{self, NamedToken},
    failure::Failure,
};
use wif_io::{env::Env, http::Http, private_folder::Folder};

use super::{environment::ScriptEnvironment, prepared::Prepared, ready::ReadyScript};
use crate::{
    agent::commands::{Commands, OutputError},
    session::{
        local::{self, Renewal},
        start::NewSession,
    },
    sign_in::{SignedIn, subscriptions::Listing},
    sources::azure_pipelines::AzurePipelines,
    targets::Granted,
    task::{azure_cli, existing_variables::ExistingVariables, plan::Plan, summary::Summary},
};

/// A sign-in for a script.
pub(in crate::task) struct ScriptSession<'a> {
    pub(in crate::task) env: &'a Env,
    /// This program.
    pub(in crate::task) program: Option<&'a Path>,
    pub(in crate::task) plan: &'a Plan,
    pub(in crate::task) existing: &'a ExistingVariables,
    pub(in crate::task) signed_in: &'a SignedIn,
    /// What other clouds gave.
    pub(in crate::task) granted: &'a [Granted],
    pub(in crate::task) tokens: &'a [NamedToken],
    pub(in crate::task) id_token_file: Option<PathBuf>,
    pub(in crate::task) http: &'a Arc<Http>,
    pub(in crate::task) source: Arc<AzurePipelines>,
    pub(in crate::task) listing: &'a Result<Listing, Option<String>>,
    /// A warning that this machine's clock is wrong.
    pub(in crate::task) clock_warning: Option<String>,
}

impl ScriptSession<'_> {
    /// Starts the broker, and writes what the script needs. Nothing is exported.
    ///
    /// # Errors
    ///
    /// The broker cannot be started, or a file cannot be written.
    pub(in crate::task) async fn open(
        self,
        script: &Prepared,
        folder: Folder,
        commands: &mut Commands<'_>,
    ) -> Result<ReadyScript, Failure> {
        let Self { env, plan, signed_in, granted, tokens, http, listing, .. } = self;
        let broker = if plan.refresh {
            let (identity, allowed) = (&plan.connection.identity, &plan.allowed);
            let targets = &plan.targets.set;
            let renewal =
                Renewal { env, identity, source: self.source, http, direct: http, allowed, targets };
            let session =
                NewSession { targets: granted, ..plan.new_session(signed_in, self.id_token_file.clone()) };
            let broker = local::start(renewal, session).await?;
            commands.mask(&broker.endpoint.key).map_err(OutputError)?;
            Some(broker)
        } else {
            None
        };
        let client = signed_in.client;
        let azure_cli = azure_cli::sign_in(Some(&folder), env, plan, client, listing, commands).await?;
        let endpoint = broker.as_ref().map(|broker| &broker.endpoint);
        let notes = plan.targets.prepare(env, Some(&folder), endpoint, granted, self.program)?;
        notes.iter().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
        let mut variables = plan.variables(client, self.id_token_file, azure_cli, endpoint);
        variables.extend(exports::access_tokens(tokens));
        tokens.iter().try_for_each(|token| commands.mask(&token.token)).map_err(OutputError)?;

        let stale = plan.stale_variables(env, &variables);
        let removed: Vec<_> =
            stale.iter().map(String::as_str).chain(self.existing.emptied.iter().copied()).collect();
        let set: Vec<_> = variables.iter().filter(|variable| self.existing.sets(env, variable)).collect();
        let environment = ScriptEnvironment {
            env,
            plan,
            signed_in,
            variables: &set,
            removed: &removed,
            program: self.program,
            folder: Some(folder.path()),
        };
        let changes = environment.changes();
        let summary = Summary {
            connection: &plan.connection,
            signed_in,
            tokens,
            exported: &variables,
            audience: plan.audience(),
            refresh: plan.refresh,
            now: http.clock().now(),
        };
        if let Some(warning) = &self.clock_warning {
            commands.warning(warning).map_err(OutputError)?;
        }
        summary.write(commands).map_err(OutputError)?;
        ReadyScript::write(script, env, folder, broker, changes)
    }
}
