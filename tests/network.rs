//! The network as on real agents: proxies, CAs, client certificates.

use std::{fs, path::Path};

use emulator::{Emulator, Fault, Proxy, Service};
use wif_core::code::Code;

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
    assert!(proxy.journal().iter().all(|entry| entry.authorized && entry.method == "CONNECT"));
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
    assert!(
        text.contains("no connection to dev.azure.com: the proxy 127.0.0.1 could not be reached"),
        "{text}"
    );
    assert_eq!(case.asked(), (0, 0));
}

/// A job on a machine whose own proxy has this user and password.
fn behind_a_proxy_of(user: &'static str, password: &'static str) -> (Case, Proxy) {
    let proxy = |emulator: &Emulator| Proxy::start(Proxy::leading_to(emulator).user(user, password));
    let (case, proxy) = behind(proxy, |_| ());
    (case.unset("AGENT_PROXYURL"), proxy)
}

#[test]
fn a_proxy_user_with_a_domain_is_taken_as_curl_takes_it() {
    for (user, password, written) in [
        (r"CORP\svc-ado", "pass", r"CORP\svc-ado:pass"),
        (r"CORP\svc-ado", r"p\ss", r"CORP%5Csvc-ado:p\ss"),
        (r"CORP\svc-ado", "p@ss:w%rd", r"CORP\svc-ado:p@ss:w%rd"),
        (r"CORP\svc-ado", "p@ss/1#?", r"CORP\svc-ado:p%40ss%2F1%23%3F"),
        ("svc", "pü€", "svc:pü€"),
    ] {
        let (mut case, proxy) = behind_a_proxy_of(user, password);
        for scheme in ["http://", ""] {
            case = case.set("HTTPS_PROXY", &proxy.url().replace("http://", &format!("{scheme}{written}@")));
            let run = case.succeeds();
            assert!(!run.out.contains(password), "{}", run.out);
        }
        assert_eq!(proxy.tunnels("dev.azure.com:443"), 2, "{written}");
    }
    let (case, _proxy) = behind_a_proxy_of("svc", "pass");
    let text =
        case.set("AGENT_PROXYURL", r"http://CORP\svc:hunter2@127.0.0.1:1").fails(Code::ConnectionFailed);
    assert!(text.contains("the proxy 127.0.0.1 could not be reached") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_proxy_that_cannot_be_read_is_named_by_its_variable_without_its_password() {
    for url in [
        "http://svc:hunt#er2@proxy:3128",
        "http://svc:1#hunter2@proxy:3128",
        "http://svc/hunter2@proxy:3128",
        "http://svc:1?hunter2@proxy:3128",
        "socks5://svc:hunter2@proxy:3128",
        "http://svc:hunter2@",
        "http://svc:hunter2@pro xy:3128",
    ] {
        for variable in ["HTTPS_PROXY", "AGENT_PROXYURL"] {
            let text = Case::new().set(variable, url).fails_unasked(Code::NetworkSettings);
            assert!(text.contains(variable) && text.contains("%23"), "{text}");
            assert!(!text.contains("er2") && !text.contains("svc"), "{text}");
        }
    }
}

/// Certificates that no program can read: no DER, no base64, no end.
const DAMAGED: [&str; 3] = [
    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\nMIIB\n",
];
const CA_FILES: [&str; 2] = ["AGENT_CAINFO", "SSL_CERT_FILE"];

/// A file beside the emulator's CA, which the case is led to by the variable, and by no other.
fn trusting(variable: &str, folder: &Path, content: impl FnOnce(String) -> String) -> (Case, String) {
    let case = Case::new().unset("AGENT_CAINFO");
    let file = folder.join("ca.pem");
    fs::write(&file, content(fs::read_to_string(case.emulator.ca_file()).unwrap())).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (case.set(variable, &path), path)
}

#[test]
fn a_damaged_ca_among_good_ones_is_named_and_passed_over() {
    let temp = tempfile::tempdir().unwrap();
    for variable in CA_FILES {
        for damaged in DAMAGED {
            let (case, path) = trusting(variable, temp.path(), |good| format!("{damaged}{good}"));
            let run = case.succeeds();
            let warnings: Vec<_> = run.commands("task.logissue").collect();
            let [(_, text)] = warnings[..] else { panic!("{warnings:?}") };
            for words in [variable, &path, "certificate 1 of 2"] {
                assert!(text.contains(words), "no '{words}' in {text}");
            }
        }
        let (case, _) = trusting(variable, temp.path(), |good| format!("{good}{}", DAMAGED.concat()));
        let run = case.succeeds();
        let warnings: Vec<_> = run.commands("task.logissue").collect();
        assert!(warnings.len() == 1 && warnings[0].1.contains("certificates 2, 3, 4 of 4"), "{warnings:?}");
    }
    let (case, path) = trusting("AGENT_CAINFO", temp.path(), |_| DAMAGED.concat());
    let text = case.fails_unasked(Code::NetworkSettings);
    assert!(text.contains("AGENT_CAINFO") && text.contains(&path), "{text}");
}

#[test]
fn byte_order_marks_and_missing_line_ends_between_cas_do_no_harm() {
    let temp = tempfile::tempdir().unwrap();
    for variable in CA_FILES {
        for content in [
            (|good| format!("\u{feff}{good}")) as fn(String) -> String,
            |good| format!("\u{feff}{0}\u{feff}{0}", good.trim()),
            |good| format!("{0}{0}", good.trim()),
            |good| good.replace('\n', "\r\n"),
        ] {
            let (case, _) = trusting(variable, temp.path(), content);
            let run = case.succeeds();
            assert_eq!(run.commands("task.logissue").count(), 0, "{}", run.out);
        }
    }
}

/// What a process of this very program says that has nothing but the case's environment.
fn said_by_a_process(case: &Case) -> String {
    let output = case.command(env!("CARGO_BIN_EXE_wif")).args(["task", "run"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_ca_file_that_cannot_be_used_leaves_the_systems_store() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("ca.pem");
    let path = file.to_str().unwrap();
    let case = Case::new().unset("AGENT_CAINFO").set("SSL_CERT_FILE", path);
    let contents = [None, Some(""), Some("\u{feff}"), Some("no PEM"), Some(DAMAGED[0])];
    for content in contents {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        // The system's store is there, and holds no CA of the emulator.
        let out = said_by_a_process(&case);
        assert!(out.contains("WIF3003") && out.contains("UnknownIssuer"), "{content:?}: {out}");
        let warnings: Vec<_> = out.lines().filter(|line| line.contains("type=warning")).collect();
        let [text] = warnings[..] else { panic!("{content:?}: {out}") };
        assert!(text.contains("SSL_CERT_FILE") && text.contains(path), "{text}");
    }
    let folder = case.unset("SSL_CERT_FILE").set("SSL_CERT_DIR", "/nonexistent/certs");
    let out = said_by_a_process(&folder);
    assert!(out.contains("UnknownIssuer") && out.contains("SSL_CERT_DIR"), "{out}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_managed_identity_needs_no_ca() {
    let case = crate::machine::of_machine().unset("AGENT_CAINFO").set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    let out = said_by_a_process(&case);
    assert!(out.contains("Signed in to Azure"), "{out}");
}

#[test]
fn the_bypass_list_goes_around_the_proxy_as_the_user_meant_it() {
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
    assert_eq!(run.commands("task.logissue").count(), 0, "{}", run.out);
    assert!(!run.out.contains("corp"), "{}", run.out);
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
    // Everything, and only where it stands alone.
    let run = Case::new().set("HTTPS_PROXY", "http://127.0.0.1:9").set("NO_PROXY", "*").succeeds();
    assert!(!run.variables().contains_key("NO.PROXY"), "{}", run.out);
    assert_eq!(run.variable("no_proxy"), "*");
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
    for name in ["SSL_CERT_FILE", "the system's trust store", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"] {
        assert!(text.contains(name), "no {name} in {text}");
    }
    assert!(!text.contains("set here"), "{text}");
}

#[test]
fn a_ca_that_only_other_programs_are_told_of_is_pointed_out() {
    let case = Case::new().unset("AGENT_CAINFO");
    let ca = case.emulator.ca_file().display().to_string();
    let text = case.set("NODE_EXTRA_CA_CERTS", &ca).set("REQUESTS_CA_BUNDLE", &ca).fails(Code::TlsFailed);
    let (first, _) = text.split_once('\n').unwrap();
    assert!(
        first.contains("set here, but read by other programs only: NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE"),
        "{text}"
    );
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
    let case = Case::new().moved(Service::DevOps, "absent.dev.azure.com");
    let text = case.fails(Code::NameNotResolved);
    assert!(text.contains("absent.dev.azure.com"), "{text}");
}

#[test]
fn a_tls_handshake_that_breaks_is_named() {
    let case = Case::new();
    case.emulator.fault(Fault::connect(Service::DevOps).always().tls_broken());
    let text = case.fails(Code::TlsFailed);
    assert!(text.contains("127.0.0.1"), "{text}");
}

#[test]
fn a_bypass_entry_without_a_meaning_is_a_warning_unless_the_agent_has_made_it_of_the_machines() {
    let case = Case::new()
        .set("AGENT_PROXYURL", "http://127.0.0.1:1")
        .set("AGENT_PROXYBYPASSLIST", r#"["(\\.corp"]"#);
    let run = case.succeeds();
    let warnings: Vec<_> = run.commands("task.logissue").collect();
    assert!(warnings.len() == 1 && warnings[0].1.contains(r"'(\.corp'"), "{warnings:?}");
    let run = case.set("no_proxy", "localhost;(.corp").succeeds();
    assert_eq!(run.commands("task.logissue").count(), 0, "{}", run.out);
    assert!(run.out.contains("'(.corp'") && run.out.contains("no_proxy"), "{}", run.out);
}
