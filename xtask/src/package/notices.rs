//! What the extension is made of: a bill of materials, and the licenses of everything in it.

use std::{fs, path::Path, process::Command};

use super::licenses;
use crate::{
    process::{Result, manifests, output, root, run},
    tools,
};

/// The version of the tool of crates.io.
const CYCLONEDX: &str = "0.5.9";

/// The files, as the extension has them.
pub(super) const BILL: &str = "sbom.cdx.json";
pub(super) const OPERATOR_BILL: &str = "sbom-operator.cdx.json";
/// The packages whose bills these are, by their folders.
const BILLS: [(&str, &str); 2] = [("", BILL), ("crates/wif-operator", OPERATOR_BILL)];
pub(super) const LICENSES: &str = "THIRD-PARTY-NOTICES.txt";

/// Writes both files into a folder.
pub(super) fn write(folder: &Path) -> Result<()> {
    tools::write(&folder.join(LICENSES), licenses::notice()?)?;
    bills_of_materials(folder)
}

/// One for each program, in the form of `CycloneDX`, with the commit's time and no serial number, so that the same commit has the same bill.
fn bills_of_materials(folder: &Path) -> Result<()> {
    let cyclonedx = tools::crate_program("cargo-cyclonedx", CYCLONEDX, &[])?;
    let mut command = Command::new(cyclonedx);
    command.args(["cyclonedx", "-qq", "--format", "json", "--spec-version", "1.5", "--no-build-deps"]);
    command.args(["--no-default-features", "--target", "all", "--override-filename", "sbom.cdx"]);
    run(command.env("SOURCE_DATE_EPOCH", committed()?).current_dir(root()))?;
    // It writes one for each package, beside its manifest.
    for manifest in manifests()? {
        let made = manifest.with_file_name(BILL);
        let kept = BILLS.iter().find(|(package, _)| manifest == root().join(package).join("Cargo.toml"));
        if let Some((_, bill)) = kept {
            let text = tools::read(&made)?.replace(&root().display().to_string(), "/wif");
            tools::write(&folder.join(bill), text)?;
        }
        if made.exists() {
            fs::remove_file(&made).map_err(|error| format!("{}: {error}", made.display()))?;
        }
    }
    Ok(())
}

/// The time of the commit, in seconds.
fn committed() -> Result<String> {
    output(Command::new("git").args(["log", "--max-count=1", "--format=%ct"]).current_dir(root()))
}
