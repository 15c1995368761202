//! What was not read, and why: gathered while reading goes on, and told once for all calls that ended in the same way.

use std::{cell::RefCell, collections::BTreeMap};

use uuid::Uuid;

use super::error::ReadError;
use crate::snapshot::{Coverage, Layer, State};

/// The gaps of one organization.
#[derive(Default)]
pub(super) struct Gaps(RefCell<BTreeMap<Gap, Vec<Uuid>>>);

/// A gap, wherever it was met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Gap {
    project: Option<String>,
    layer: Layer,
    state: State,
    /// What was not read: `pipeline permissions`.
    what: String,
    /// Service, answer, and what would help.
    why: String,
}

/// Of more connections than these only the number is told, since the sentence says why.
const MAX_NAMED: usize = 1;

impl Gaps {
    /// Notes a gap: of one connection, of a project, or of the whole organization.
    pub(super) fn note(
        &self,
        layer: Layer,
        project: Option<&str>,
        connection: Option<Uuid>,
        state: State,
        (what, why): (&str, &str),
    ) {
        let gap = Gap {
            project: project.map(str::to_owned),
            layer,
            state,
            what: what.to_owned(),
            why: why.to_owned(),
        };
        self.0.borrow_mut().entry(gap).or_default().extend(connection);
    }

    /// Whether a layer has a gap.
    pub(super) fn worst(&self, layer: Layer) -> Option<State> {
        self.0.borrow().keys().filter(|gap| gap.layer == layer).map(|gap| gap.state).max()
    }

    /// The entries of coverage.
    pub(super) fn entries(&self) -> Vec<Coverage> {
        let gaps = self.0.borrow();
        let entry = |(gap, connections): (&Gap, &Vec<Uuid>)| {
            let of = match connections.len() {
                0 | MAX_NAMED => String::new(),
                number => format!(" of {number} connections"),
            };
            let Gap { project, layer, state, what, why } = gap.clone();
            let connection = connections.first().copied().filter(|_| connections.len() == MAX_NAMED);
            Coverage { project, layer, connection, state, why: format!("{what}{of}: {why}") }
        };
        gaps.iter().map(entry).collect()
    }
}

/// The sentence about a service that gave no usable answer.
pub(super) fn why(service: &str, error: &ReadError) -> String {
    let help = match (service, error) {
        ("Azure DevOps", ReadError::Token { .. }) => {
            "; sign in with az login, or set AZURE_DEVOPS_EXT_PAT to a token of this organization that may read service connections, projects and builds"
        }
        ("Microsoft Graph", ReadError::Token { .. }) => "; sign in with az login, or set WIF_GRAPH_TOKEN",
        (_, ReadError::Token { .. }) => "; sign in with az login, or set WIF_ARM_TOKEN",
        ("Azure DevOps", ReadError::Refused { .. }) => {
            "; make the token's owner a reader of the project and of its service connections"
        }
        ("Microsoft Graph", ReadError::Refused { status: 403, .. }) => {
            "; give the token's owner the application permission Application.Read.All, or the role Directory Readers"
        }
        ("Azure Resource Manager", ReadError::Refused { status: 403 | 404, .. }) => {
            "; give the token's owner the role Reader there"
        }
        _ => "",
    };
    format!("{service} {error}{help}")
}
