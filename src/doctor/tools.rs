//! The tools of the machine, and whether a session can sign them in.

use std::{collections::BTreeSet, path::PathBuf};

use futures_util::future::join_all;
use wif_core::{code::Code, exports::Family, failure::Failure};
use wif_io::{clock::Clock, env::Env};

use super::report::{Report, Topic};
use crate::agent::{azure_cli, tools::Tool};

/// The tools that are looked for, and the family that signs each in.
fn tools() -> impl Iterator<Item = (Tool, Family)> {
    Tool::ALL.into_iter().filter_map(|tool| Some((tool, Family::of_program(tool.as_str())?)))
}

/// The tools that are on the `PATH`.
pub(super) struct ToolsFound(Vec<(Tool, Family, PathBuf, Option<String>)>);

/// Looks for each tool, and asks it for its version.
pub(super) async fn find(env: &Env, clock: &dyn Clock) -> ToolsFound {
    let found = join_all(tools().map(|(tool, family)| async move {
        let program = tool.find(env)?;
        let version = tool.version(&program, env, clock).await;
        Some((tool, family, program, version))
    }));
    ToolsFound(found.await.into_iter().flatten().collect())
}

/// Reports each tool with its version, and an az that is too old for a session that exports these families.
pub(super) fn report(report: &mut Report, ToolsFound(found): &ToolsFound, exported: &BTreeSet<Family>) {
    let mut facts = Vec::new();
    let mut too_old = None;
    for (tool, family, program, version) in found {
        let is_exported = exported.contains(family);
        let old =
            version.as_deref().filter(|version| *tool == Tool::AzureCli && azure_cli::is_too_old(version));
        let state = match (old, is_exported) {
            (Some(_), _) => "it does not ask a session for tokens".to_owned(),
            (None, true) => format!("signed in by {}", family.as_str()),
            (None, false) => format!("not signed in: {} is not exported", family.as_str()),
        };
        let version_text = version.as_deref().unwrap_or("of a version that is not known");
        facts.push(format!("{} {version_text} ({}): {state}", tool.as_str(), program.display()));
        too_old = too_old.or(old.filter(|_| is_exported).map(az_too_old));
    }
    let absent: Vec<_> = tools()
        .map(|(tool, _)| tool)
        .filter(|tool| found.iter().all(|(found, ..)| found != tool))
        .map(Tool::as_str)
        .collect();
    if !absent.is_empty() {
        facts.push(format!("not on the PATH: {}", absent.join(", ")));
    }
    match too_old {
        Some(failure) => report.warning(Topic::Tools, failure, facts),
        None => report.good(Topic::Tools, facts),
    }
}

fn az_too_old(version: &str) -> Failure {
    let error = format!(
        "the az on the PATH is version {version}, which does not ask a session for tokens: later steps find az not signed in"
    );
    let hint = "install az 2.73 or newer (2.71 and 2.72 work too), or leave azure-cli out of exports";
    Failure::new(Code::ToolTooOld, error, hint)
}
