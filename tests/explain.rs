//! `wif explain`, as a program, without a pipeline and without a network.

use std::process::{Command, Output};

use wif_core::refusals;

fn wif(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wif")).args(arguments).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_unknown_code_is_the_callers_fault() {
    for name in ["AADSTS1", "WIF0000", "nonsense"] {
        let output = wif(&["explain", name]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let error = text(&output.stderr);
        assert!(error.starts_with(&format!("error WIF1012: unknown code or name '{name}'")), "{error}");
        assert!(error.contains("fix: run `wif explain` alone for a list"), "{error}");
    }
}

#[test]
fn what_it_prints_is_what_the_pages_say() {
    let page = include_str!("../docs/errors.md");
    for code in ["WIF2013", "wif2009", "WIF9001"] {
        let output = wif(&["explain", code]);
        assert!(output.status.success() && output.stderr.is_empty());
        let printed = text(&output.stdout);
        assert!(page.contains(&format!("### {}", printed.trim_end())), "{printed}");
    }
    let page = include_str!("../docs/refusals.md");
    for name in ["AADSTS700213", "TF400733", "authorizationfailed", "7002138"] {
        let output = wif(&["explain", name]);
        assert!(output.status.success(), "{name}");
        assert!(page.contains(&format!("```text\n{}```", text(&output.stdout))), "{name}");
    }
}

#[test]
fn alone_it_lists_everything() {
    let output = wif(&["explain"]);
    assert!(output.status.success());
    let list = text(&output.stdout);
    for known in refusals::all() {
        assert!(list.contains(&format!("  {}: {}", known.name, known.meaning)), "{}", known.name);
    }
    assert!(list.contains("WIF2009  This machine's clock is wrong."), "{list}");
}
