//! Signing in to other clouds: each is tried once by the step, before anything is exported.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use wif_core::{
    exports::{BrokerEndpoint, Family, GoogleFacts, Need, TargetFacts, VaultFacts},
    failure::Failure,
    secret::Secret,
};
use wif_io::{clock::Deadline, env::Env, http::Http, private_folder::Folder};

use crate::{
    agent::{commands::OutputError, target_inputs::TargetInputs},
    session::targets::id_token,
    sign_in::{SIGN_IN_TIMEOUT, SignedIn},
    sources::IdTokenSource,
    targets::{self, Granted, Target},
};

/// The clouds that a step signs in to beside Azure.
pub(crate) struct PlannedTargets {
    inputs: TargetInputs,
    /// In the order in which they are tried.
    pub(crate) all: Vec<Arc<dyn Target>>,
    /// What was found when they were signed in to.
    found: OnceLock<TargetFacts>,
}

/// The name of Google's credential file.
const CREDENTIAL_FILE: &str = "google.json";

impl PlannedTargets {
    /// None of them has been asked.
    pub(super) fn new(inputs: TargetInputs, all: Vec<Arc<dyn Target>>) -> Self {
        Self { inputs, all, found: OnceLock::new() }
    }

    /// Whether a file in the session's private folder is needed.
    pub(crate) fn needs_folder(&self) -> bool {
        self.inputs.families().any(|family| family.needs(Need::CredentialFile))
    }

    /// What the variables are made of: as far as it is known by now.
    pub(super) fn facts(&self) -> TargetFacts {
        let expected = || self.facts_with(Secret::new(String::new()), PathBuf::new());
        self.found.get().cloned().unwrap_or_else(expected)
    }

    fn facts_with(&self, vault_token: Secret, credential_file: PathBuf) -> TargetFacts {
        let TargetInputs { aws, google, vault } = &self.inputs;
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
        }
    }

    /// Signs in to each, with the id token that the step has, or with one for the cloud's own audience where the source lets
    /// one choose. `mask` gets every secret before it is used.
    ///
    /// # Errors
    ///
    /// The first that refuses, with what was presented and the setting that would trust it.
    pub(crate) async fn sign_in(
        &self,
        http: &Http,
        source: &dyn IdTokenSource,
        signed_in: &SignedIn,
        mask: &mut (dyn FnMut(&Secret) -> io::Result<()> + Send),
    ) -> Result<Vec<Granted>, Failure> {
        let mut granted = Vec::new();
        let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
        for target in &self.all {
            let presented = match &signed_in.id_token {
                Some(id_token) if !source.takes_audience() => id_token.token.clone(),
                _ => id_token(source, http, target.audience()).await?.token,
            };
            mask(&presented).map_err(OutputError)?;
            let credential = targets::exchange(&**target, http, deadline, &presented).await?;
            for secret in target.secrets(&credential.token) {
                mask(&secret).map_err(OutputError)?;
            }
            granted.push(Granted { family: target.family(), credential });
        }
        Ok(granted)
    }

    /// Makes what later steps find, once the broker listens.
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
    ) -> Result<(), Failure> {
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
        // Set once for each sign-in.
        let _ = self.found.set(self.facts_with(token, file));
        Ok(())
    }
}
