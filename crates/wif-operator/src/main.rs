//! `wif-operator`: reads the arguments, calls, and says how it ended.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(2)
}
