//! What Entra may answer: the first two bytes are the status, the rest is the body.
#![no_main]

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use emulator::{Emulator, Fault, Service};
use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;
use wif::agent::network;
use wif_azure::entra::token::{Identity, Proof, TokenError};
use wif_core::{azure::{cloud::Cloud, resource::{Audiences, Resource}}, secret::Secret};
use wif_io::{clock::{Clock, Deadline, Limit, Wait}, endpoint::Endpoint, env::Env, http::Http};

/// No sleep lasts: every one is over at once, and time has passed.
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.0.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn limit(&self, _: Limit, duration: Duration) -> Wait {
        Box::pin(tokio::time::sleep(duration))
    }

    fn jitter(&self) -> u8 {
        0
    }
}

struct Scene {
    emulator: Emulator,
    http: Http,
    clock: Arc<Hasty>,
    identity: Identity,
    resource: Resource,
    runtime: Runtime,
    asked: usize,
}

impl Scene {
    fn new() -> Self {
        let emulator = Emulator::start();
        let env: Env =
            [("AGENT_CAINFO".to_owned(), emulator.ca_file().display().to_string())].into_iter().collect();
        let clock = Arc::new(Hasty(AtomicU64::new(0)));
        let (settings, _) = network::settings(&env).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let http = Http::new(settings, Arc::clone(&clock) as _).unwrap();
        let identity = Identity {
            authority: Endpoint::parse(&emulator.entra_url()).unwrap(),
            tenant: emulator.usual().tenant,
            client: emulator.usual().client,
        };
        let audiences = Audiences {
            cloud: Cloud::Public,
            resource_manager: "https://management.azure.com".to_owned(),
            key_vault: None,
            graph: None,
        };
        let resource = Resource::parse("arm", &audiences).unwrap();
        Self { emulator, http, clock, identity, resource, runtime, asked: 0 }
    }
}

thread_local! {
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    let [high, low, body @ ..] = bytes else { return };
    let status = 200 + u16::from_be_bytes([*high, *low]) % 400;
    SCENE.with_borrow_mut(|scene| {
        // The emulator keeps a journal.
        if scene.as_ref().is_none_or(|scene| scene.asked > 20_000) {
            *scene = Some(Scene::new());
        }
        let scene = scene.as_mut().unwrap();
        scene.asked += 1;
        scene.emulator.mend();
        let fault = Fault::on(Service::Entra, "POST", "/token").always().status(status);
        scene.emulator.fault(fault.body("application/json", body));
        // Time for one or two tries more.
        let deadline = Deadline::after(&*scene.clock, Duration::from_secs(5));
        let secret = Secret::new("secret".to_owned());
        let result = scene.runtime.block_on(scene.identity.access_token(
            &scene.http,
            deadline,
            Proof::ClientSecret(&secret),
            &scene.resource,
            Uuid::nil(),
        ));
        match result {
            Ok(access) => assert!(!access.token.expose().contains(|c: char| !c.is_ascii_graphic())),
            // An answer has come, whatever it was.
            Err(error) => {
                assert!(
                    !matches!(error, TokenError::Http(_)) || (204..=205).contains(&status) || status == 304,
                    "{status}: {error:?}"
                );
                let said = error.to_string();
                assert!(!said.contains(char::is_control) && said.len() < 2000, "{said:?}");
                assert!(!said.contains("eyJ"), "{said:?}");
                let sentence =
                    error.refusal().and_then(|refusal| refusal.sentence.clone()).unwrap_or_default();
                assert!(
                    !sentence.contains("##[") && !sentence.to_lowercase().contains("##vso"),
                    "{sentence:?}"
                );
            }
        }
    });
});
