//! The blob service, as a client meets it over HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use emulator::blob::{ACCOUNT, CONTAINER};
use emulator::{Emulator, Service, USUAL};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

const STORAGE: &str = "https://storage.azure.com/.default";
const LEASE: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

/// A client with an access token, which finds the account by its public name.
struct Caller {
    emulator: Emulator,
    client: Client,
    token: String,
}

impl Caller {
    async fn new() -> Self {
        Self::of(Emulator::start(), STORAGE).await
    }

    async fn of(emulator: Emulator, scope: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = std::fs::read(emulator.ca_file()).unwrap();
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, emulator.port(Service::Blob)));
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(&ca).unwrap()])
            .resolve(&format!("{ACCOUNT}.blob.core.windows.net"), here)
            .no_proxy()
            .build()
            .unwrap();
        let token = access_token(&emulator, &client, scope).await;
        Self { emulator, client, token }
    }

    fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token).header("x-ms-version", "2023-11-03")
    }

    fn anonymous(&self, method: &str, path: &str) -> RequestBuilder {
        let port = self.emulator.port(Service::Blob);
        let url = format!("https://{ACCOUNT}.blob.core.windows.net:{port}/{path}");
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url)
    }

    async fn put(&self, path: &str, content: &'static str) -> Response {
        let request = self.ask("PUT", path).header("x-ms-blob-type", "BlockBlob");
        request.body(content).send().await.unwrap()
    }

    async fn lease(&self, path: &str, action: &str, name: &str) -> Response {
        let request = self.ask("PUT", &format!("{path}?comp=lease")).header("x-ms-lease-action", action);
        request.header("x-ms-lease-duration", "-1").header(name, LEASE).send().await.unwrap()
    }
}

/// With an assertion from Azure DevOps, as the task gets it.
async fn access_token(emulator: &Emulator, client: &Client, scope: &str) -> String {
    let job = emulator.job(USUAL.connection);
    let variable = job.variables.iter().find(|one| one.name == "System.OidcRequestUri").unwrap();
    let url = format!("{}?api-version=7.1&serviceConnectionId={}", variable.value, USUAL.connection);
    let asked = client.post(url).bearer_auth(&job.job_token).header("content-length", "0");
    let id_token = field(asked.send().await.unwrap(), "oidcToken").await;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &USUAL.client.to_string())
        .append_pair("scope", scope)
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .append_pair("client_assertion", &id_token)
        .finish();
    let asked = client
        .post(format!("{}/{}/oauth2/v2.0/token", emulator.entra_url(), USUAL.tenant))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    field(asked.send().await.unwrap(), "access_token").await
}

async fn field(answer: Response, name: &str) -> String {
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    body[name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// The status and the error code.
fn refused(answer: &Response) -> (u16, &str) {
    (answer.status().as_u16(), header(answer, "x-ms-error-code"))
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn only_a_token_for_storage_opens_it() {
    let caller = Caller::of(Emulator::start(), "https://management.azure.com/.default").await;
    let answer = caller.ask("GET", "tfstate/a").send().await.unwrap();
    assert_eq!(refused(&answer), (401, "InvalidAuthenticationInfo"));
    assert!(header(&answer, "www-authenticate").ends_with("resource_id=https://storage.azure.com"));
    let answer = caller.anonymous("GET", "tfstate/a").send().await.unwrap();
    assert_eq!(refused(&answer), (401, "NoAuthenticationInformation"));
}

#[tokio::test]
async fn a_token_for_storage_with_a_slash_opens_it_too() {
    let caller = Caller::of(Emulator::start(), "https://storage.azure.com//.default").await;
    let answer = caller.ask("GET", "tfstate?restype=container").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_old_version_a_late_token_and_a_caller_without_a_role_are_refused() {
    let caller = Caller::new().await;
    let old = caller.anonymous("GET", "tfstate/a").bearer_auth(&caller.token).send().await.unwrap();
    assert_eq!(refused(&old), (403, "AuthenticationFailed"));
    caller.emulator.storage().accounts[0].contributors.clear();
    let stranger = caller.ask("GET", "tfstate/a").send().await.unwrap();
    assert_eq!(refused(&stranger), (403, "AuthorizationPermissionMismatch"));
    caller.emulator.shift_clock(3600);
    let late = caller.ask("GET", "tfstate/a").send().await.unwrap();
    assert_eq!(refused(&late), (401, "InvalidAuthenticationInfo"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let caller = Caller::new().await;
    let answer = caller.ask("GET", "tfstate/a").send().await.unwrap();
    assert_eq!(refused(&answer), (404, "BlobNotFound"));
    let answer = caller.ask("GET", "other/a").send().await.unwrap();
    assert_eq!(refused(&answer), (404, "ContainerNotFound"));
}

#[tokio::test]
async fn a_blob_is_read_as_it_was_written_listed_and_deleted() {
    let caller = Caller::new().await;
    assert_eq!(caller.put("tfstate/a.tfstateenv:dev", "state").await.status(), StatusCode::CREATED);
    let read = caller.ask("GET", "tfstate/a.tfstateenv:dev").send().await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), "state");
    let head = caller.ask("HEAD", "tfstate/a.tfstateenv:dev").send().await.unwrap();
    assert_eq!(
        (header(&head, "content-length"), header(&head, "x-ms-lease-status")),
        ("5", "unlocked"),
        "{head:?}"
    );
    assert_eq!(head.bytes().await.unwrap(), "");

    let listed =
        |prefix| caller.ask("GET", &format!("tfstate?restype=container&comp=list&prefix={prefix}")).send();
    let of = |answer: Response| async { String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap() };
    assert!(of(listed("a.tf").await.unwrap()).await.contains("<Name>a.tfstateenv:dev</Name>"));
    assert!(!of(listed("b").await.unwrap()).await.contains("<Name>"));

    let gone = caller.ask("DELETE", "tfstate/a.tfstateenv:dev").send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::ACCEPTED);
    assert!(caller.emulator.storage().blob(ACCOUNT, CONTAINER, "a.tfstateenv:dev").is_none());
}

#[tokio::test]
async fn a_caller_without_the_lease_cannot_write() {
    let caller = Caller::new().await;
    caller.put("tfstate/a", "first").await;
    let taken = caller.lease("tfstate/a", "acquire", "x-ms-proposed-lease-id").await;
    assert_eq!((taken.status(), header(&taken, "x-ms-lease-id")), (StatusCode::CREATED, LEASE));
    assert_eq!(refused(&caller.put("tfstate/a", "second").await), (412, "LeaseIdMissing"));
    let gone = caller.ask("DELETE", "tfstate/a").send().await.unwrap();
    assert_eq!(refused(&gone), (412, "LeaseIdMissing"));
    let meta = || caller.ask("PUT", "tfstate/a?comp=metadata").header("x-ms-meta-terraformlockid", "e30=");
    assert_eq!(refused(&meta().send().await.unwrap()), (412, "LeaseIdMissing"));
    assert!(meta().header("x-ms-lease-id", LEASE).send().await.unwrap().status().is_success());

    let held = caller.ask("HEAD", "tfstate/a").send().await.unwrap();
    let seen = [header(&held, "x-ms-lease-status"), header(&held, "x-ms-meta-terraformlockid")];
    assert_eq!(seen, ["locked", "e30="]);
    let released = caller.lease("tfstate/a", "release", "x-ms-lease-id").await;
    assert_eq!(released.status(), StatusCode::OK);
    assert_eq!(caller.put("tfstate/a", "second").await.status(), StatusCode::CREATED);
    let storage = caller.emulator.storage();
    assert_eq!(storage.blob(ACCOUNT, CONTAINER, "a").unwrap().content, b"second");
}

#[tokio::test]
async fn a_broken_lease_holds_no_writer_back() {
    let caller = Caller::new().await;
    caller.put("tfstate/a", "first").await;
    caller.lease("tfstate/a", "acquire", "x-ms-proposed-lease-id").await;
    let broken = caller.lease("tfstate/a", "break", "x-ignored").await;
    assert_eq!((broken.status(), header(&broken, "x-ms-lease-time")), (StatusCode::ACCEPTED, "0"));
    assert_eq!(caller.put("tfstate/a", "second").await.status(), StatusCode::CREATED);
    let renewed = caller.lease("tfstate/a", "renew", "x-ms-lease-id").await;
    assert_eq!(refused(&renewed), (409, "LeaseIsBrokenAndCannotBeRenewed"));
}
