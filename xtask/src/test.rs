//! `test`: what CI runs.

use std::fs;

use crate::{
    compare,
    process::{Result, cargo, node, root, run},
    stage, tools,
};

/// Every check, the quick ones first. Stops at the first that fails.
pub(crate) fn test() -> Result<()> {
    heading("Format");
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    heading("Lints");
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))?;
    heading("Documentation");
    let mut doc = cargo(&["doc", "--package", "wif", "--no-deps", "--document-private-items", "--locked"]);
    run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    heading("Shim");
    run(node(&["--test"]).args(shim_tests()?))?;
    heading("Shim, with Node 24");
    match tools::node24()? {
        Some(node24) => run(node(&["--test"]).args(shim_tests()?).env("WIF_SHIM_NODE", node24))?,
        None => println!("NOT TESTED: npm has no Node 24 for this machine that these tests use"),
    }
    heading("Stage");
    let task = stage::stage()?;
    heading("Tests");
    run(&mut cargo(&["test", "--workspace", "--locked"]))?;
    heading("The staged program beside the one with every feature");
    compare::compare(&task)
}

/// Named one by one: not every Node takes a folder or a pattern.
fn shim_tests() -> Result<Vec<String>> {
    let folder = root().join("tests").join("shim");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path().to_str()?.to_owned()))
        .filter(|path| path.ends_with(".test.js"))
        .collect();
    files.sort();
    if files.is_empty() { Err(format!("no tests in {}", folder.display())) } else { Ok(files) }
}

fn heading(text: &str) {
    println!("\n== {text}");
}
