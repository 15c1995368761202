//! What the operating system shows of the process while it holds secrets.
#![cfg(target_os = "linux")]

use std::{fs, process::Stdio};

use emulator::{Fault, Gate, Service};

use crate::support::Case;

#[test]
fn nobody_finds_a_secret_in_arguments_or_a_core_file() {
    let case = Case::new();
    let gate = Gate::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().gate(&gate));
    let mut command = case.command(env!("CARGO_BIN_EXE_wif"));
    let mut child =
        command.args(["task", "run"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    gate.wait_until_reached(1);
    let shown = |file: &str| fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
    let arguments = shown("cmdline");
    let limits = String::from_utf8(shown("limits")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(emulator::leaks(&case.emulator.issued(), &arguments), Vec::<String>::new());
    let core: Vec<_> = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
}
