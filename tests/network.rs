//! The network as on real agents: proxies, CAs, client certificates.

use emulator::{Emulator, Fault, Proxy, Service};
use wif::error::Code;

use crate::{clouds::behind, support::Case};

const USER: &str = "agent";
const PASSWORD: &str = "p%40ss:w/rd";

fn demanding(emulator: &Emulator) -> Proxy {
    Proxy::start(Proxy::leading_to(emulator).user(USER, PASSWORD))
}

#[test]
fn a_proxy_that_demands_a_password_gets_it() {
    let (case, proxy) = behind(demanding, |_| ());
    let case = case.set("AGENT_PROXYUSERNAME", USER).set("SECRET_AGENT_PROXYPASSWORD", PASSWORD);
    let run = case.succeeds();
    assert_eq!(case.asked(), (1, 1));
    assert!(proxy.journal().iter().all(|entry| entry.authorised && entry.method == "CONNECT"));
    assert!(!run.out.contains(PASSWORD));
}

#[test]
fn a_proxy_that_gets_no_password_or_a_wrong_one_is_named() {
    let (case, proxy) = behind(demanding, |_| ());
    let text = case.fails(Code::ProxyRefused);
    assert!(text.contains("407") && text.contains("--proxyusername"), "{text}");
    let tunnels = proxy.tunnels("dev.azure.com:443");
    assert_eq!(tunnels, 0);
    let wrong = "wr0ng-passw0rd";
    let case = case.set("AGENT_PROXYUSERNAME", USER).set("SECRET_AGENT_PROXYPASSWORD", wrong);
    let text = case.fails(Code::ProxyRefused);
    assert!(!text.contains(wrong) && !text.contains(PASSWORD), "{text}");
    assert!(case.emulator.journal().is_empty());
}

#[test]
fn a_proxy_that_does_not_connect_is_named() {
    let refusing = |emulator: &Emulator| Proxy::start(Proxy::leading_to(emulator).refuse_all());
    let (case, _proxy) = behind(refusing, |_| ());
    let text = case.fails(Code::ProxyRefused);
    assert!(text.contains("dev.azure.com"), "{text}");
}

#[test]
fn a_proxy_that_cannot_be_reached_is_told_from_one_that_refuses() {
    let (case, _proxy) = behind(demanding, |_| ());
    let case = case.set("AGENT_PROXYURL", "http://127.0.0.1:1");
    let text = case.fails(Code::ConnectionFailed);
    assert!(text.contains("no connection to dev.azure.com: the proxy could not be reached"), "{text}");
    assert_eq!(case.asked(), (0, 0));
}

#[test]
fn the_bypass_list_goes_around_the_proxy_and_invalid_entries_are_passed_over() {
    let (case, proxy) = behind(demanding, |_| ());
    // Around the proxy, the public name leads nowhere here, so the emulator's own address stands in for it.
    let (collection, own) = ("https://dev.azure.com/", format!("{}/", case.emulator.devops_url()));
    let uri = case.env().get("SYSTEM_OIDCREQUESTURI").unwrap().replace(collection, &own);
    let case = case
        .set("SYSTEM_OIDCREQUESTURI", &uri)
        .set("ENDPOINT_URL_SYSTEMVSSCONNECTION", &own)
        .set("SYSTEM_COLLECTIONURI", &own)
        .set("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", &own)
        .set("SYSTEM_TEAMFOUNDATIONSERVERURI", &own)
        .set("AGENT_PROXYUSERNAME", USER)
        .set("SECRET_AGENT_PROXYPASSWORD", PASSWORD)
        .set("AGENT_PROXYBYPASSLIST", r#"["*\\.corp", "^https://127\\.0\\.0\\.1"]"#);
    let run = case.succeeds();
    let warnings: Vec<_> = run.commands("task.logissue").collect();
    assert!(warnings.len() == 1 && warnings[0].1.contains(r"*\.corp"), "{warnings:?}");
    assert_eq!(proxy.tunnels("dev.azure.com:443"), 0);
    assert_eq!(proxy.tunnels("login.microsoftonline.com:443"), 1);
}

#[test]
fn the_machines_proxy_is_used_where_the_agent_has_none() {
    let (case, proxy) = behind(demanding, |_| ());
    let url = proxy.url().replace("http://", &format!("http://{USER}:p%2540ss%3Aw%2Frd@"));
    let case = case.unset("AGENT_PROXYURL").set("HTTPS_PROXY", &url).set("NO_PROXY", "localhost,.corp");
    case.succeeds();
    assert_eq!(proxy.tunnels("dev.azure.com:443"), 1);

    let direct = Case::new().set("HTTPS_PROXY", "http://127.0.0.1:9").set("NO_PROXY", "127.0.0.1");
    direct.succeeds();
}

#[test]
fn where_a_proxy_is_set_later_steps_go_around_it_on_loopback() {
    let direct = Case::new().set("NO_PROXY", ".corp").succeeds();
    assert!(!direct.variables().contains_key("NO.PROXY"));
    let case = Case::new()
        .set("HTTPS_PROXY", "http://127.0.0.1:9")
        .set("NO_PROXY", ".corp,127.0.0.1")
        .input("session", "hub");
    let run = case.succeeds();
    assert_eq!(run.variable("NO.PROXY"), ".corp,127.0.0.1,localhost");
    assert_eq!(run.variable("no_proxy"), ".corp,127.0.0.1,localhost");
    assert!(run.out.contains("##vso[task.setvariable variable=no_proxy;preservecase=true]"), "{}", run.out);
}

#[test]
fn a_certificate_that_is_not_trusted_is_named() {
    let text = Case::new().unset("AGENT_CAINFO").fails(Code::TlsFailed);
    assert!(text.contains("is not trusted") && text.contains("--sslcacert"), "{text}");
}

#[test]
fn validation_can_be_skipped_and_every_run_says_so() {
    let case = Case::new().unset("AGENT_CAINFO").set("AGENT_SKIPCERTVALIDATION", "True");
    for _ in 0..2 {
        let run = case.succeeds();
        let warnings: Vec<_> = run.commands("task.logissue").collect();
        assert!(warnings.len() == 1 && warnings[0].1.contains("NOT checked"), "{warnings:?}");
    }
}

#[test]
fn a_client_certificate_is_shown_to_who_asks_for_it() {
    let strict = || Emulator::builder().require_client_certificate(true).start();
    let case = Case::with(strict(), |emulator| emulator.usual().connection);
    let (certificate, key) = case.emulator.client_identity();
    // Whether the server's alert or its end of the connection is seen first is up to the network.
    let refused = case.run().result.unwrap_err();
    assert!(matches!(refused.code, Code::TlsFailed | Code::ConnectionFailed), "{refused}");
    assert_eq!(case.asked(), (0, 0));
    let case = case
        .set("AGENT_CLIENTCERT", certificate.to_str().unwrap())
        .set("AGENT_CLIENTCERTKEY", key.to_str().unwrap());
    case.succeeds();
    assert_eq!(case.asked(), (1, 1));
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let text = Case::new().set("AGENT_PROXYURL", "socks5://proxy").fails_unasked(Code::NetworkSettings);
    assert!(text.contains("AGENT_PROXYURL"), "{text}");
    let text = Case::new().set("AGENT_CAINFO", "Cargo.toml").fails_unasked(Code::NetworkSettings);
    assert!(text.contains("AGENT_CAINFO"), "{text}");
}

#[test]
fn entra_without_http_2_is_served_too() {
    let http1 = Emulator::builder().http1_only(true).start();
    let case =
        Case::with(http1, |emulator| emulator.usual().connection).input("accessTokens", "A=arm\nB=graph");
    case.succeeds();
    assert_eq!(case.asked(), (1, 2));
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let case = Case::new().moved(Service::DevOps, "nobody.dev.azure.com");
    let text = case.fails(Code::NameNotResolved);
    assert!(text.contains("nobody.dev.azure.com"), "{text}");
}

#[test]
fn a_tls_handshake_that_breaks_is_named() {
    let case = Case::new();
    case.emulator.fault(Fault::connect(Service::DevOps).always().tls_broken());
    let text = case.fails(Code::TlsFailed);
    assert!(text.contains("127.0.0.1"), "{text}");
}
