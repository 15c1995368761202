//! Tokens that a variable or a file holds.

use emulator::{Service, directory::SourceIssuer};

use super::AUDIENCE;
use crate::support::{ExecCase, errors};

fn gitlab() -> ExecCase {
    ExecCase::of(SourceIssuer::GitLab, "gitlab")
}

#[test]
fn gitlabs_token_is_found_by_its_audience_and_named_where_it_is_not_the_only_one() {
    let case = gitlab();
    let token = |audience: &str| case.emulator.source_id_token(SourceIssuer::GitLab, audience, 300);
    let (fit, other) = (token(AUDIENCE), token("sigstore"));
    let case = case.set("SIGSTORE_ID_TOKEN", &other);
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    for words in ["SIGSTORE_ID_TOKEN (audience sigstore)", "id_tokens:", AUDIENCE] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let case = case.set("AZURE_TOKEN", &fit);
    assert_eq!(case.prints("wif token graph >/dev/null; echo $?"), "0\n");
    let case = case.set("SECOND_TOKEN", &fit);
    let (_, said) = case.refuses();
    assert!(
        said.contains("WIF2041")
            && said.contains("AZURE_TOKEN, SECOND_TOKEN")
            && said.contains("--source env:"),
        "{said}"
    );
    assert_eq!(case.option("--source", "env:SECOND_TOKEN").prints("echo ok"), "ok\n");
}

#[test]
fn a_variable_that_cannot_be_used_is_told_why() {
    let case = gitlab();
    let emulator = &case.emulator;
    let ended = emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, -60);
    let foreign = emulator.source_id_token(SourceIssuer::GitLab, "https://gitlab.com", 300);
    // {"alg":"ES256"}
    let elliptic = format!(
        "eyJhbGciOiJFUzI1NiJ9.{}",
        emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 300).split_once('.').unwrap().1
    );
    let mut case = case.option("--source", "env:TOKEN");
    for (token, code, words) in [
        (&*ended, "WIF2044", &["TOKEN ended", "timeout"][..]),
        (&foreign, "WIF2043", &["https://gitlab.com", AUDIENCE, "id_tokens"]),
        (&elliptic, "WIF2043", &["ES256", "RS256"]),
        ("hunter2", "WIF2043", &["not a JSON web token", "7 characters"]),
        ("", "WIF2040", &["TOKEN is not set"]),
    ] {
        case = case.set("TOKEN", token);
        let (exit, said) = case.refuses();
        assert_eq!(exit, 2, "{said}");
        assert!(said.contains(code) && words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(case.emulator.count(Service::Entra, "POST"), 0);
    }
}

#[test]
fn what_is_declared_is_fetched_at_once_and_the_end_of_a_static_token_is_said() {
    let case = gitlab();
    let token = case.emulator.source_id_token(SourceIssuer::GitLab, AUDIENCE, 4);
    let case =
        case.set("TOKEN", &token).option("--source", "env:TOKEN").option("--access-tokens", "VAULT=keyvault");
    // Other resources can be had until it ends; what was declared, for as long as the access token lives.
    let script = "n=0; while wif token api://app$n 2>said >/dev/null || ! grep -q WIF2044 said; do n=$((n+1)); [ $n -gt 300 ] && exit 9; sleep 0.1; done
        cat said; rm said; wif token keyvault >/dev/null && echo kept";
    let mut command = case.command(&["sh", "-c", script]);
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", errors(&output));
    assert!(said.contains("TOKEN ended") && said.ends_with("kept\n"), "{said}");
}

#[test]
fn a_file_is_read_anew_for_each_exchange() {
    let case = ExecCase::of(SourceIssuer::Spiffe, "auto");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |lifetime| {
        std::fs::write(
            &file,
            format!("{}\n", case.emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, lifetime)),
        )
        .unwrap();
    };
    write(2);
    let next = folder.path().join("next");
    std::fs::write(&next, case.emulator.source_id_token(SourceIssuer::Spiffe, AUDIENCE, 300)).unwrap();
    let source = format!("file:{}", file.display());
    let case = case.option("--source", &source);
    // The first ends, and is said to have; then its writer comes.
    let script = format!(
        "n=0; while ! wif token api://a$n 2>&1 | grep -q WIF2044; do n=$((n+1)); [ $n -gt 300 ] && exit 9; sleep 0.1; done
         mv {} {}; n=0; while ! wif token graph >/dev/null 2>&1; do n=$((n+1)); [ $n -gt 300 ] && exit 8; sleep 0.1; done; echo renewed",
        next.display(),
        file.display()
    );
    let tenant = case.emulator.usual().tenant;
    case.emulator.directory().tenant(tenant).resources.extend((0..300).map(|n| format!("api://a{n}")));
    assert_eq!(case.prints(&script), "renewed\n");
    let missing = case.option("--source", "file:/no/such/file");
    let (code, said) = missing.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("WIF2040") && said.contains("/no/such/file"), "{said}");
}
