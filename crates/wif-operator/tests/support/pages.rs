//! The commands of a page, run as they stand there.

use std::process::Command;

use crate::support::NAME;

/// The blocks of commands of a page.
pub(crate) fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap())
}

/// Runs a block of commands of a page, each of which says what it ends with; `after` is told each code.
pub(crate) fn follow(block: &str, command: impl Fn(&[&str]) -> Command, mut after: impl FnMut(i32)) {
    for line in block.lines() {
        let (written, expected) = line.split_once("# ends with ").unwrap();
        let written = written.trim().replace("contoso", NAME);
        let arguments: Vec<_> = written.strip_prefix("wif ").unwrap().split(' ').collect();
        let output = command(&arguments).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let code = output.status.code().unwrap();
        assert_eq!(code.to_string(), expected.trim(), "{written}: {said}");
        after(code);
    }
}
