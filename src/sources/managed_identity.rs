//! The managed identity of this machine proves who it is to another application: its access token for the exchange is the id token.
//!
//! Source: Microsoft Learn, "Configure an application to trust a managed identity".

use uuid::Uuid;
use wif_azure::{failure::managed_identity_failure, managed_identity::ManagedIdentity};
use wif_core::{
    azure::resource::{Audiences, Resource},
    failure::Failure,
    secret::Secret,
};
use wif_io::{clock::Deadline, env::Env, http::Http};

use super::{Fetched, IdTokenSource};

/// The tokens of one identity of this machine.
pub(super) struct MachineIdentity {
    env: Env,
    audiences: Audiences,
    /// Which identity, where the machine has several.
    identity: Option<Uuid>,
}

impl MachineIdentity {
    pub(super) fn of(env: &Env, audiences: &Audiences, identity: Option<Uuid>) -> Self {
        let variables = wif_azure::managed_identity::VARIABLES;
        Self { env: env.only(&variables), audiences: audiences.clone(), identity }
    }

    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, Failure> {
        let machine =
            ManagedIdentity::find(&self.env).map_err(|error| managed_identity_failure(error, None))?;
        let plain = Http::plain(machine.endpoint().clone(), http.shared_clock())?;
        let resource = Resource::parse(audience, &self.audiences).map_err(|error| {
            Failure::new(wif_core::code::Code::ArgumentInvalid, error, "correct --audience")
        })?;
        let token = machine.access_token(&plain, deadline, self.identity, &resource).await;
        token.map(|(access, _)| access.token).map_err(|error| managed_identity_failure(error, Some(resource)))
    }
}

impl IdTokenSource for MachineIdentity {
    fn signer(&self) -> &'static str {
        "the machine's managed identity"
    }

    fn takes_audience(&self) -> bool {
        false
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        Box::pin(async move { self.ask(http, deadline, audience).await.map_err(Box::new) })
    }
}
