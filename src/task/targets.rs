//! Signing in to other clouds: each is tried once by the step, before anything is exported.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use wif_core::{
    code::Code,
    exports::{BrokerEndpoint, Family, GitFacts, GoogleFacts, Need, TargetFacts, VaultFacts},
    failure::Failure,
    secret::Secret,
};
use wif_io::{clock::Deadline, env::Env, http::Http, private_folder::Folder};

use super::{docker, programs};
use crate::{
    agent::{commands::OutputError, docker_registries, target_inputs::TargetInputs},
    session::{targets::id_token, unowned::Unowned},
    sign_in::{SIGN_IN_TIMEOUT, SignedIn},
    sources::IdTokenSource,
    targets::{self, Granted, TargetSet},
};

/// The clouds that a step signs in to beside Azure.
pub(crate) struct PlannedTargets {
    inputs: TargetInputs,
    /// What the broker serves.
    pub(crate) set: TargetSet,
    git: Option<GitFacts>,
    /// The session's name.
    session: Option<String>,
    /// Whether the programs of the session's folder have a `keyring`.
    has_keyring: bool,
    /// What was found when they were signed in to.
    found: OnceLock<TargetFacts>,
}

/// The name of Google's credential file.
const CREDENTIAL_FILE: &str = "google.json";

impl PlannedTargets {
    /// None of them has been asked.
    pub(super) fn new(
        inputs: TargetInputs,
        set: TargetSet,
        git: Option<GitFacts>,
        session: Option<String>,
        has_keyring: bool,
    ) -> Self {
        Self { inputs, set, git, session, has_keyring, found: OnceLock::new() }
    }

    /// Whether a file in the session's private folder is needed.
    pub(crate) fn needs_folder(&self) -> bool {
        self.has_keyring || self.inputs.families().any(|family| family.needs(Need::CredentialFile))
    }

    /// What the variables are made of: as far as it is known by now.
    pub(super) fn facts(&self) -> TargetFacts {
        let expected = || self.facts_with(Secret::new(String::new()), PathBuf::new(), PathBuf::new());
        self.found.get().cloned().unwrap_or_else(expected)
    }

    fn facts_with(&self, vault_token: Secret, credential_file: PathBuf, docker: PathBuf) -> TargetFacts {
        let TargetInputs { aws, google, vault, registries, feeds, .. } = &self.inputs;
        TargetFacts {
            aws_region: aws.as_ref().map(|aws| aws.region.clone()),
            vault: vault.as_ref().map(|vault| VaultFacts {
                address: vault.address.clone(),
                namespace: vault.namespace.clone(),
                token: vault_token,
            }),
            google: google
                .as_ref()
                .map(|google| GoogleFacts { credential_file, project: google.project.clone() }),
            docker_folder: (!registries.is_empty()).then_some(docker),
            git: self.git.clone(),
            feeds: feeds.clone(),
        }
    }

    /// Signs in to each, with the id token that the step has, or with one for the cloud's own audience where the source lets
    /// one choose. `mask` gets every secret before it is used, `unowned` every credential.
    ///
    /// # Errors
    ///
    /// The first that refuses, with what was presented and the setting that would trust it.
    pub(crate) async fn sign_in(
        &self,
        http: &Arc<Http>,
        source: &dyn IdTokenSource,
        signed_in: &SignedIn,
        assertion: Option<&Secret>,
        unowned: &Unowned,
        mask: &mut (dyn FnMut(&Secret) -> io::Result<()> + Send),
    ) -> Result<Vec<Granted>, Failure> {
        let assertion = presented(self.set.assertion.is_some(), assertion)?;
        let mut granted = Vec::new();
        let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
        for target in &self.set.clouds {
            let presented = match (assertion, &signed_in.id_token) {
                (Some(access_token), _) => access_token.clone(),
                (None, Some(id_token)) if !source.takes_audience() => id_token.token.clone(),
                _ => id_token(source, http, target.audience()).await?.token,
            };
            mask(&presented).map_err(OutputError)?;
            let credential = targets::exchange(&**target, http, deadline, &presented).await?;
            unowned.add(target, http, &credential);
            for secret in target.secrets(&credential.token) {
                mask(&secret).map_err(OutputError)?;
            }
            granted.push(Granted { family: target.family(), credential });
        }
        Ok(granted)
    }

    /// The folder of the session's that belongs on the `PATH`.
    pub(crate) fn programs(&self, folder: Option<&Path>) -> Option<PathBuf> {
        let has_some = self.has_keyring || !self.inputs.registries.is_empty();
        folder.filter(|_| has_some).map(|folder| folder.join(programs::FOLDER))
    }

    /// Makes what later steps find, and gives what is worth a line of the log, once the broker listens.
    ///
    /// # Errors
    ///
    /// The credential file cannot be written.
    pub(crate) fn prepare(
        &self,
        env: &Env,
        folder: Option<&Folder>,
        endpoint: Option<&BrokerEndpoint>,
        granted: &[Granted],
        program: Option<&Path>,
    ) -> Result<Vec<String>, Failure> {
        let provider = targets::google_provider(&self.inputs, env);
        let file = match (provider, folder, endpoint) {
            (Some(provider), Some(folder), Some(endpoint)) => {
                folder.write(CREDENTIAL_FILE, &provider.credential_file(endpoint))?
            }
            _ => PathBuf::new(),
        };
        let vault = granted.iter().find(|granted| granted.family == Family::Vault);
        let token =
            vault.map_or_else(|| Secret::new(String::new()), |granted| granted.credential.token.clone());
        let mut notes = Vec::new();
        let mut docker = PathBuf::new();
        if let Some(folder) = folder {
            let registries = self.inputs.registries.iter().map(|registry| registry.server.as_str());
            let registries: Vec<_> = registries.collect();
            let session = self.session.as_deref();
            let helper = docker_registries::helper(session);
            if !registries.is_empty() {
                docker = docker::configure(folder, env, &registries, &helper, &mut notes)?;
            }
            let helper = docker::program(&helper);
            let keyring = self.has_keyring.then_some(("keyring", "keyring"));
            let helper = (!registries.is_empty()).then_some((helper.as_str(), "docker"));
            let all: Vec<_> = keyring.into_iter().chain(helper).collect();
            programs::write(folder, program, session, &all)?;
        }
        // Set once for each sign-in.
        let _ = self.found.set(self.facts_with(token, file, docker));
        Ok(notes)
    }
}

/// What other clouds get in place of the id token. Where the input `assertion` is given, the id token is never a substitute: it opens
/// Azure too.
fn presented(is_wanted: bool, assertion: Option<&Secret>) -> Result<Option<&Secret>, Failure> {
    match (is_wanted, assertion) {
        (true, None) => {
            let text = "Entra gave no access token for the application of the input assertion";
            Err(Failure::new(Code::Bug, text, "run the job again"))
        }
        (true, Some(assertion)) => Ok(Some(assertion)),
        (false, _) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_token_is_no_substitute_for_an_assertion() {
        let token = Secret::new("t".to_owned());
        assert!(presented(true, None).is_err());
        assert!(presented(true, Some(&token)).unwrap().is_some());
        assert!(presented(false, None).unwrap().is_none());
    }
}
