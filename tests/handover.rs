//! What a step hands over to its broker is what a sign-in reads: less, and renewals fail; more, and the broker holds
//! secrets that it does not need.

use std::{collections::BTreeSet, fs, sync::Arc};

use emulator::ClientCertificate;
use wif::{
    agent::{job, network},
    session::serve,
};
use wif_azure::managed_identity;
use wif_core::{azure::resource::Resource, secret::Secret};
use wif_io::{clock, env::Env};

use crate::{
    machine::{arc_server, of_machine},
    schemes::{with_certificate, with_secret},
    support::{Case, run},
};

/// The names that a broker's sign-in reads, from its start to an access token; those of the task's inputs and of the
/// connection left out, which are handed over whole.
fn read_by(case: &Case, resource: &str) -> BTreeSet<String> {
    let (env, read) = serve::environment(&case.env(), case.connection).recorded();
    run(async {
        let key = Secret::new("key".to_owned());
        let (_listener, session) =
            serve::open_session(env, None, key, Arc::new(clock::System::new())).await.unwrap();
        let resource = Resource::parse(resource, &session.tokens.audiences).unwrap();
        // An Azure Arc server has its keys in a folder that this machine does not have.
        let result = session.tokens.access_token(&resource).await;
        let is_arc = case.env().get("IMDS_ENDPOINT").is_some();
        assert_eq!(result.is_ok(), !is_arc, "{}", case.emulator.journal_text());
    });
    let own = format!("_{}", case.connection);
    let read = read.lock().unwrap();
    let others = read.iter().filter(|name| !name.starts_with("INPUT_") && !name.contains(&own));
    others.cloned().collect()
}

/// What is read of network settings, where there are as many as can be.
fn read_by_network(certificate: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, value) in [
        ("", ""),
        ("AGENT_PROXYURL", "http://proxy.corp:8080"),
        ("HTTPS_PROXY", "http://proxy.corp:8080"),
        ("AGENT_CLIENTCERT", certificate),
        ("AGENT_CLIENTCERTARCHIVE", "/there/is/no/such/file"),
    ] {
        let also = [("AGENT_PROXYUSERNAME", "agent"), (name, value)];
        let env: Env = also.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (env, read) = env.recorded();
        // Whether they can be used does not matter here.
        let _ = network::settings(&env);
        all.extend(read.lock().unwrap().iter().cloned());
    }
    all
}

#[test]
fn what_a_sign_in_reads_is_what_is_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let app_service = |case: Case| {
        let (endpoint, header) = case.emulator.app_service();
        case.set("IDENTITY_ENDPOINT", &endpoint).set("IDENTITY_HEADER", &header)
    };
    let certificate = folder.path().join("certificate.pem");
    fs::write(&certificate, ClientCertificate::usual().pem()).unwrap();
    let mut read = read_by_network(certificate.to_str().unwrap());
    // An agent that gives the job token by another name.
    let named_otherwise = |case: Case| {
        let name = "ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN";
        let token = case.env().get(name).unwrap().to_owned();
        case.unset(name).set("SYSTEM_ACCESSTOKEN", &token)
    };
    for case in [
        Case::new(),
        Case::with_entra_issuer(),
        Case::new().unset("SYSTEM_OIDCREQUESTURI"),
        named_otherwise(Case::new()),
        with_secret(),
        with_certificate(),
        of_machine(),
        app_service(of_machine()),
        // The session that was there before gave its names to this one.
        app_service(of_machine()).set("WIF_URL", "http://127.0.0.1:9"),
        arc_server(folder.path(), |_| ()),
    ] {
        read.extend(read_by(&case, "arm"));
    }
    let declared = job::VARIABLES.into_iter().chain(managed_identity::VARIABLES).chain(network::variables());
    // Where Windows has the key files of Azure Arc.
    let declared = declared.filter(|name| cfg!(windows) || *name != "ProgramData");
    assert_eq!(read, declared.map(str::to_owned).collect());
}

#[test]
fn what_a_sign_in_reads_of_inputs_and_of_the_connection_is_handed_over() {
    for case in [Case::new(), with_secret(), with_certificate(), of_machine()] {
        let (env, read) = case.env().recorded();
        run(async {
            let key = Secret::new("key".to_owned());
            serve::open_session(env, None, key, Arc::new(clock::System::new())).await.unwrap();
        });
        let all: Env = read.lock().unwrap().iter().map(|name| (name.clone(), "x".to_owned())).collect();
        let handed = serve::environment(&all, case.connection);
        let names = |env: &Env| env.iter().map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(names(&handed), names(&all));
    }
}
