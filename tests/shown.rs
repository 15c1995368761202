//! The most common failures, as the user sees them: `docs/errors.md` shows each as it is.

use std::{fs, path::Path};

use emulator::{Emulator, Fault, Proxy, Service};
use regex_lite::Regex;
use uuid::Uuid;
use wif_core::{code::Code, failure::Place};

use crate::{clouds::behind, doctor::reader, support::Case};

/// A job under public names, so that the text holds what a real one does.
pub(crate) fn public(change: impl FnOnce(&Emulator)) -> (Case, Proxy) {
    behind(|emulator| Proxy::start(Proxy::leading_to(emulator)), change)
}

/// The same, with another issuer's connection in the place of the usual one.
fn public_by_entra(change: impl FnOnce(&Emulator)) -> (Case, Proxy) {
    public(|emulator| {
        let usual = emulator.usual();
        {
            let mut directory = emulator.directory();
            directory.connection(usual.connection).issuer = emulator::directory::Issuer::Entra;
            directory.app(usual.client).federated_credentials.clear();
            directory.trust(usual.connection);
        }
        change(emulator);
    })
}

/// What differs from run to run, and ids of the emulated landscape, as the page writes them.
pub(crate) fn as_on_the_page(case: &Case, text: &str) -> String {
    let usual = case.emulator.usual();
    let named = [
        (usual.tenant, "11111111-1111-1111-1111-111111111111"),
        (usual.client, "22222222-2222-2222-2222-222222222222"),
        (usual.connection, "33333333-3333-3333-3333-333333333333"),
        (usual.organization_id, "55555555-5555-5555-5555-555555555555"),
    ];
    let mut text = text.replace("NHocjX4LVU6fYXwOO5otQQ", "EREREREREREREREREREREQ");
    for (id, shown) in named {
        text = text.replace(&id.to_string(), shown);
    }
    let id = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    for (word, shown) in [
        ("trace", "66666666-6666-6666-6666-666666666666"),
        ("correlation", "77777777-7777-7777-7777-777777777777"),
        ("request", "77777777-7777-7777-7777-777777777777"),
        ("activity", "88888888-8888-8888-8888-888888888888"),
    ] {
        let found = Regex::new(&format!("  {word} {id}")).unwrap();
        text = found.replace_all(&text, format!("  {word} {shown}")).into_owned();
    }
    let edge = Regex::new("\n  edge Ref A: [^\n]*").unwrap();
    edge.replace_all(&text, "").into_owned()
}

fn refused(number: u32) -> impl Fn(&Emulator) {
    move |emulator| {
        emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().aadsts(number));
    }
}

pub(crate) fn subject(subject: &'static str) -> impl Fn(&Emulator) {
    move |emulator| {
        let client = emulator.usual().client;
        subject.clone_into(&mut emulator.directory().app(client).federated_credentials[0].subject);
    }
}

/// Each of the ten, and how it comes about.
fn failures() -> Vec<(Code, String)> {
    let mut shown = Vec::new();
    let mut show = |code: Code, (case, proxy): (Case, Proxy)| {
        let text = case.fails(code);
        drop(proxy);
        shown.push((code, as_on_the_page(&case, &text)));
    };
    let exporting_nothing = |(case, proxy): (Case, Proxy)| (case.input("exports", "none"), proxy);
    let absent = |(case, proxy): (Case, Proxy)| {
        (case.input("azureSubscription", "33333333-3333-3333-3333-333333333333"), proxy)
    };
    show(Code::ConnectionAbsent, absent(public(|_| ())));
    show(Code::ConnectionNotReferenced, {
        let (case, proxy) = public(|_| ());
        case.emulator.directory().jobs[0].connections = vec![Uuid::from_u128(0x2222)];
        (case, proxy)
    });
    show(Code::ClockWrong, {
        let (case, proxy) = public(|_| ());
        case.clock.wrong_by(1200);
        (case, proxy)
    });
    show(
        Code::NoFederatedCredential,
        public_by_entra(|emulator| {
            let client = emulator.usual().client;
            emulator.directory().app(client).federated_credentials.clear();
        }),
    );
    show(
        Code::IssuerNotTrusted,
        public_by_entra(|emulator| {
            let client = emulator.usual().client;
            let old = "https://vstoken.dev.azure.com/0f3e5a52-8f0c-4f5e-9d3a-6f6f2f1b7c10";
            old.clone_into(&mut emulator.directory().app(client).federated_credentials[0].issuer);
        }),
    );
    show(Code::SubjectNotTrusted, public(subject("sc://contoso/Platform/sc-old")));
    show(
        Code::ApplicationUnknown,
        public(|emulator| {
            let tenant = emulator.usual().tenant;
            emulator.directory().tenant(tenant).apps.clear();
        }),
    );
    show(
        Code::CredentialRefused,
        exporting_nothing(public(|emulator| {
            let id = emulator.usual().connection;
            {
                let mut directory = emulator.directory();
                let stored = directory.connection(id).clone().with_secret("a-client-secret-of-thirty-two-ch");
                *directory.connection(id) = stored;
            }
            refused(7_000_222)(emulator);
        })),
    );
    show(
        Code::ConnectionDisabled,
        public(|emulator| {
            let id = emulator.usual().connection;
            emulator.directory().connection(id).disabled = true;
        }),
    );
    let without_ca = |(case, proxy): (Case, Proxy)| (case.unset("AGENT_CAINFO"), proxy);
    show(Code::TlsFailed, without_ca(public(|_| ())));
    shown
}

#[test]
fn the_ten_most_common_failures_are_on_the_page_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut expected = page.clone();
    let failures = failures();
    assert_eq!(failures.len(), 10);
    for (code, text) in failures {
        let begin = expected.find(&format!("### {code}\n")).unwrap();
        let begin = begin + expected[begin..].find("```text\n").unwrap() + "```text\n".len();
        let end = begin + expected[begin..].find("\n```").unwrap();
        expected.replace_range(begin..end, &text);
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("errors.md");
    fs::write(&made, &expected).unwrap();
    assert!(page == expected, "docs/errors.md shows another text: diff {} docs/errors.md", made.display());
}

#[test]
fn the_page_shows_a_diagnosis_as_it_is() {
    let (case, _proxy) = public(subject("sc://contoso/platform/sc-prod"));
    let token = reader(&case.emulator, "https://graph.microsoft.com");
    let case = case.set("WIF_GRAPH_TOKEN", &token).input("diagnose", "true");
    let run = case.run();
    let lines: Vec<_> = run.out.lines().filter(|line| !line.starts_with("##vso[")).collect();
    let text = as_on_the_page(&case, &lines.join("\n"));
    let subscription = case.emulator.usual().subscription.to_string();
    let text = text.replace(&subscription, "44444444-4444-4444-4444-444444444444");
    let moment = Regex::new(r"until  +20[^\n]*").unwrap();
    let text = moment.replace_all(&text, "until           2026-11-22T06:18:50Z (4 min 59 s)");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnosis.md");
    let page = fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("```text\n").unwrap();
    let (shown, after) = rest.split_once("```\n").unwrap();
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("diagnosis.md");
    fs::write(&made, format!("{before}```text\n{text}\n```\n{after}")).unwrap();
    assert!(
        shown == format!("{text}\n"),
        "the page shows another text: cp {} docs/diagnosis.md",
        made.display()
    );
}

#[test]
fn every_example_says_who_is_wrong_and_where_to_read_more() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md")).unwrap();
    for code in Code::ALL {
        let (_, section) = page.split_once(&format!("### {code}\n")).unwrap();
        let example = section.split("```text\n").nth(1).unwrap().split("\n```").next().unwrap();
        // What the shim says is one line.
        if !example.contains(&format!("{code}: ")) {
            assert_eq!(example.lines().count(), 1, "{example}");
            continue;
        }
        // A command's own line begins so: it is shown in a later step or at a terminal, and the others in a job's log.
        let places: &[_] =
            if example.starts_with("error ") { &[Place::Job, Place::Elsewhere] } else { &[Place::Job] };
        let at_fault = |place: &Place| format!("\n  at fault: {}\n  fix: ", place.party(*code));
        assert!(places.iter().any(|place| example.contains(&at_fault(place))), "{example}");
        assert!(example.ends_with(&format!("\n  docs: {}", code.page())), "{example}");
    }
}
