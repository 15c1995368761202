//! An emulated organization with a connection of the Azure DevOps issuer, and a plan that moves it.

use emulator::{
    Service,
    directory::{Execution, Issuer, Quirks},
    organization::Planted,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::support::scene::Scene;

pub(crate) const OLD: Planted = Planted::OldIssuer;

/// Gives a connection the old issuer, and its identity one credential, which trusts it.
pub(crate) fn make_old(scene: &Scene, id: Uuid) {
    let mut directory = scene.fixture.emulator.directory();
    directory.connection(id).issuer = Issuer::DevOps;
    let place = directory.find(id).unwrap();
    let (issuer, subject, client) = (place.issuer(), place.subject(), place.connection.client);
    let credential = &mut directory.app(client).federated_credentials[0];
    (credential.issuer, credential.subject) = (issuer, subject);
}

/// How many credentials of the old issuer, and how many others, the identity of a connection trusts.
pub(crate) fn trusts(scene: &Scene, id: Uuid) -> (usize, usize) {
    let subjects = scene.trusted(id);
    let old = subjects.iter().filter(|subject| subject.starts_with("sc://")).count();
    (old, subjects.len() - old)
}

/// What this needs of a scene with one connection of the old issuer.
pub(crate) trait OldIssuer {
    fn issuer(&self) -> Issuer;
    fn press_update(&self);
    fn run_of_pipeline(&self, after: Duration, result: &str);
    fn kinds(&self) -> String;
    fn saves(&self) -> usize;
}

impl OldIssuer for Scene {
    fn issuer(&self) -> Issuer {
        self.fixture.emulator.directory().connection(self.id(OLD)).issuer
    }

    /// As a person does it in the portal.
    fn press_update(&self) {
        let mut directory = self.fixture.emulator.directory();
        let connection = directory.connection(self.id(OLD));
        connection.issuer = Issuer::Entra;
        connection.record.modified = Some(now());
    }

    /// A run that begins so long after this moment.
    fn run_of_pipeline(&self, after: Duration, result: &str) {
        let mut directory = self.fixture.emulator.directory();
        let started = now() + after;
        let run = Execution {
            pipeline: 7,
            started,
            finished: Some(started + Duration::minutes(1)),
            result: result.to_owned(),
        };
        directory.connection(self.id(OLD)).record.history.insert(0, run);
    }

    /// Which issuers its application trusts: `old`, `new`, both, sorted.
    fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self
            .trusted(self.id(OLD))
            .iter()
            .map(|subject| if subject.starts_with("sc://") { "old" } else { "new" })
            .collect();
        kinds.sort_unstable();
        kinds.join("+")
    }

    fn saves(&self) -> usize {
        self.fixture.emulator.count(Service::DevOps, "PUT /")
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of the services, which is the real one here")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub(crate) fn planned(change: impl FnOnce(&mut Quirks), more: &[&str]) -> Scene {
    let scene = Scene::under(&[OLD], change);
    let (code, said) = scene.plan_of("issuer", &[&["--all-eligible"][..], more].concat());
    assert_eq!(code, 10, "{said}");
    assert_eq!(scene.writes(), 0);
    scene
}
