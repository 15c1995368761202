//! A cluster signs an id token for a pod's service account: in a projected file, or by its API.
//!
//! Source: Kubernetes' documentation, "Managing Service Accounts", `TokenRequest`; Azure/azure-workload-identity, its mutating
//! webhook.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;
use wif_core::{foreign_text::one_line, secret::Secret, token::claims::Unverified};
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    env::Env,
    http::{Http, Request, Settings},
};

use super::{
    Fetched, IdTokenSource,
    ask::{Question, ask},
    error::SourceError,
    fetched,
    file::{self, TokenFile},
    usable::{Origin, check},
};

const SIGNER: &str = "Kubernetes";
/// Names the projected file, where the webhook of Azure Workload Identity has put one into the pod.
pub(super) const FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// Where the cluster's API is, in every pod.
pub(super) const API_HOST: &str = "KUBERNETES_SERVICE_HOST";
const API_PORT: &str = "KUBERNETES_SERVICE_PORT";
/// The folder with the service account's usual token, its namespace, and the cluster's certificate authority.
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Seconds.
const LIFETIME: u32 = 3600;
/// The longest name of a service account that an error shows, in characters.
const MAX_NAME: usize = 120;

/// The id tokens of a pod.
pub(super) enum Kubernetes {
    /// The kubelet, or the webhook's volume, keeps a file fresh.
    Projected(TokenFile),
    /// The API signs one for the audience that is asked for.
    Api(Api),
}

/// The API of the cluster, as a pod sees it.
pub(super) struct Api {
    endpoint: Endpoint,
    folder: PathBuf,
}

impl Kubernetes {
    pub(super) fn read(env: &Env) -> Result<Self, SourceError> {
        if let Some(path) = env.get(FILE) {
            return Ok(Self::Projected(TokenFile {
                signer: SIGNER,
                path: path.into(),
                mend: format!(
                    "look at the volume of {FILE}: label the pod `azure.workload.identity/use: \"true\"`, or project a serviceAccountToken with the audience that is asked for"
                ),
            }));
        }
        Self::in_folder(env, Path::new(FOLDER))
    }

    fn in_folder(env: &Env, folder: &Path) -> Result<Self, SourceError> {
        let absent = |missing: String| SourceError::Absent {
            signer: SIGNER,
            missing,
            mend: format!(
                "run it in a pod that has a service account's token (automountServiceAccountToken), or project one into a file: --source file:PATH, or {FILE}"
            ),
        };
        let host =
            env.get(API_HOST).ok_or_else(|| absent(format!("neither {FILE} nor {API_HOST} is set")))?;
        if !folder.join("token").is_file() {
            return Err(absent(format!("there is no file {}", folder.join("token").display())));
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = env.get(API_PORT).unwrap_or("443");
        let endpoint = Endpoint::parse(&format!("https://{host}:{port}/"));
        let endpoint = endpoint
            .map_err(|error| absent(format!("{API_HOST} and {API_PORT} name no address: {error}")))?;
        Ok(Self::Api(Api { endpoint, folder: folder.to_owned() }))
    }
}

impl Api {
    /// The service account's usual token, if it is for this audience already; else one that the API signs for it.
    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, SourceError> {
        let unusable = |place: String, reason: String, mend: &str| SourceError::Unusable {
            place,
            reason,
            mend: mend.to_owned(),
        };
        let path = self.folder.join("token");
        let place = || format!("in the file {}", path.display());
        // Read anew each time: the kubelet replaces it.
        let own = file::read(&path).map_err(|error| {
            unusable(
                place(),
                format!("the file cannot be read: {error}"),
                "let the container's user read it: securityContext.fsGroup",
            )
        })?;
        let claims = Unverified::read(&own).map_err(|error| {
            unusable(
                place(),
                error.to_string(),
                "look at what is mounted there: it must be the service account's token",
            )
        })?;
        if claims.audiences.iter().any(|one| one.raw() == audience) {
            return checked(own, audience);
        }
        let Some((namespace, account)) = service_account(claims.subject.raw()) else {
            return Err(unusable(
                place(),
                format!("its subject {} names no service account", claims.subject),
                "look at what is mounted there: it must be the service account's token",
            ));
        };
        let url =
            self.endpoint.join(["api", "v1", "namespaces", namespace, "serviceaccounts", account, "token"]);
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "audiences": [audience], "expirationSeconds": LIFETIME },
        });
        let api = Http::new(self.settings()?, http.shared_clock())?;
        let request = Request::new(Method::POST, url).bearer(&own).json(body.to_string().into_bytes());
        let (shown_account, shown_namespace) = (one_line(account, MAX_NAME), one_line(namespace, MAX_NAME));
        let mend = |status| {
            match status {
            403 => format!("let the service account make tokens of its own: kubectl create role wif --namespace {shown_namespace} --verb create --resource serviceaccounts/token --resource-name {shown_account} && kubectl create rolebinding wif --namespace {shown_namespace} --role wif --serviceaccount {shown_namespace}:{shown_account}; or project a token for this audience: --source file:PATH"),
            _ => "look at the service account and at the version of the cluster; or project a token for this audience: --source file:PATH".to_owned(),
        }
        };
        let question = Question { signer: SIGNER, request, pointer: "/status/token", mend: &mend };
        let token = ask(&api, deadline, question).await?;
        checked(token, audience)
    }

    /// The cluster has a certificate authority of its own, and is reached directly.
    fn settings(&self) -> Result<Settings, SourceError> {
        let path = self.folder.join("ca.crt");
        let roots = file::read_pem(&path).ok().and_then(|pem| file::roots(&pem));
        let roots = roots.ok_or_else(|| SourceError::Absent {
            signer: SIGNER,
            missing: format!("the file {} has no certificate", path.display()),
            mend: "look at what is mounted there: it must be the cluster's certificate authority".to_owned(),
        })?;
        Ok(Settings { roots, only_roots: true, ..Settings::default() })
    }
}

fn checked(token: Secret, audience: &str) -> Result<Secret, SourceError> {
    let origin = Origin {
        place: "of Kubernetes",
        audience: "the cluster did not take the audience that it was asked for: look at --api-audiences"
            .to_owned(),
        algorithm: "let the cluster sign by RSA: --service-account-signing-key-file with an RSA key",
    };
    check(&token, audience, &origin).map(|_claims| token)
}

/// Namespace and name, of `system:serviceaccount:<namespace>:<name>`.
fn service_account(subject: &str) -> Option<(&str, &str)> {
    subject.strip_prefix("system:serviceaccount:")?.split_once(':')
}

impl IdTokenSource for Kubernetes {
    fn signer(&self) -> &'static str {
        SIGNER
    }

    /// A projected file holds one token.
    fn takes_audience(&self) -> bool {
        matches!(self, Self::Api(_))
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        match self {
            Self::Projected(file) => file.fetch(http, deadline, audience),
            Self::Api(api) => fetched(api.ask(http, deadline, audience)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use emulator::{Emulator, Service, directory::SourceIssuer};
    use wif_core::failure::Failure;
    use wif_io::clock;

    use super::*;

    const AUDIENCE: &str = "api://AzureADTokenExchange";
    const OF_API: &str = "https://kubernetes.default.svc.cluster.local";

    /// What a pod finds, with a usual token for this audience.
    fn fetched(emulator: &Emulator, audience: &str, ca: &str) -> Result<Secret, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let token = emulator.source_id_token(SourceIssuer::Kubernetes, audience, 300);
        std::fs::write(folder.path().join("token"), token).unwrap();
        std::fs::write(folder.path().join("ca.crt"), ca).unwrap();
        let env = emulator.source_variables(SourceIssuer::Kubernetes).into_iter().collect();
        let source = Kubernetes::in_folder(&env, folder.path())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let http = Http::new(Settings::default(), Arc::new(clock::System::new())).unwrap();
            let deadline = Deadline::after(http.clock(), Duration::from_secs(20));
            source.fetch(&http, deadline, AUDIENCE).await.map_err(|failure| *failure)
        })
    }

    fn ca(emulator: &Emulator) -> String {
        std::fs::read_to_string(emulator.ca_file()).unwrap()
    }

    #[test]
    fn the_api_signs_for_the_audience_that_the_usual_token_is_not_for() {
        let emulator = Emulator::start();
        let token = fetched(&emulator, OF_API, &ca(&emulator)).unwrap();
        let claims = Unverified::read(&token).unwrap();
        assert_eq!(
            (claims.audiences[0].raw(), claims.subject.raw()),
            (AUDIENCE, "system:serviceaccount:shop:orders")
        );
        assert_eq!(
            emulator.count(Service::Sources, "POST /api/v1/namespaces/shop/serviceaccounts/orders/token"),
            1
        );
    }

    #[test]
    fn a_usual_token_for_the_right_audience_is_taken_as_it_is() {
        let emulator = Emulator::start();
        assert!(fetched(&emulator, AUDIENCE, "").is_ok());
        assert_eq!(emulator.count(Service::Sources, "POST"), 0);
    }

    #[test]
    fn a_service_account_without_the_right_is_told_the_command_that_gives_it() {
        let emulator = Emulator::start();
        emulator.directory().sources.is_permitted = false;
        let said = fetched(&emulator, OF_API, &ca(&emulator)).unwrap_err().to_string();
        for words in
            ["WIF2042", "kubectl create role wif --namespace shop", "serviceaccounts/token", "is forbidden"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[test]
    fn the_token_goes_to_the_clusters_own_api_only() {
        let (emulator, other) = (Emulator::start(), Emulator::start());
        let failure = fetched(&emulator, OF_API, &ca(&other)).unwrap_err();
        assert_eq!(failure.code, wif_core::code::Code::TlsFailed, "{failure}");
        assert_eq!(emulator.count(Service::Sources, "POST"), 0);
        let none = fetched(&emulator, OF_API, "").unwrap_err().to_string();
        assert!(none.contains("ca.crt has no certificate"), "{none}");
    }
}
