//! The broker: the bytes of a caller, `PORT` standing for its port. Without its key there is no token.
#![no_main]

use std::{cell::LazyCell, sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use wif::session::serve;
use wif_broker::{cache::CachedToken, server, session::Session};
use wif_core::{token::lifetime::Lifetime, azure::resource::Resource, secret::Secret};
use wif_io::{clock::System, env::Env};

const KEY: &str = "0123456789abcdef";
const TOKEN: &str = "the-token-of-the-session";

struct Scene {
    runtime: Runtime,
    session: Arc<Session>,
}

impl Scene {
    fn new() -> Self {
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        let env: Env = [
            ("INPUT_AZURESUBSCRIPTION".to_owned(), id.to_owned()),
            // So that no upstream is asked for a token.
            ("INPUT_ALLOWEDRESOURCES".to_owned(), "arm".to_owned()),
            (format!("ENDPOINT_AUTH_SCHEME_{id}"), "WorkloadIdentityFederation".to_owned()),
            (format!("ENDPOINT_URL_{id}"), "https://management.azure.com/".to_owned()),
            (
                format!("ENDPOINT_AUTH_PARAMETER_{id}_TENANTID"),
                "11111111-1111-1111-1111-111111111111".to_owned(),
            ),
            (
                format!("ENDPOINT_AUTH_PARAMETER_{id}_SERVICEPRINCIPALID"),
                "22222222-2222-2222-2222-222222222222".to_owned(),
            ),
        ]
        .into_iter()
        .collect();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let session = runtime.block_on(async {
            let key = Secret::new(KEY.to_owned());
            let (listener, session) = serve::open_session(env, None, key, Arc::new(System::new())).await.unwrap();
            let from = session.tokens.now();
            let lifetime = Lifetime { from, until: from + time::Duration::days(30) };
            let fresh = CachedToken::new(Secret::new(TOKEN.to_owned()), lifetime);
            session
                .tokens
                .put(&Resource::parse("arm", &session.tokens.audiences).unwrap(), fresh.clone());
            session.tokens.id_token().unwrap().put(fresh);
            tokio::spawn(server::serve(listener, Arc::clone(&session), std::future::pending()));
            session
        });
        Self { runtime, session }
    }
}

thread_local! {
    static SCENE: LazyCell<Scene> = LazyCell::new(Scene::new);
}

fuzz_target!(|text: &str| {
    SCENE.with(|scene| {
        let request = text.replace("PORT", &scene.session.port.to_string());
        let answer = scene.runtime.block_on(ask(scene.session.port, request.as_bytes()));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{answer}");
        // In the path it may be percent-encoded, which is not decoded; in a header it stands as it is.
        assert!(request.contains(KEY) || !answer.contains(TOKEN), "{answer}");
        // A caller with the key may send the key as a resource too, and is told that it is not one.
        assert!(request.matches(KEY).count() > 1 || !answer.contains(KEY), "{answer}");
    });
});

async fn ask(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut answer = Vec::new();
    let exchange = async {
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(Duration::from_secs(5), exchange)
        .await
        .expect("the broker ends what its caller has ended");
    // Ports would run out.
    let _ = stream.set_zero_linger();
    answer
}
