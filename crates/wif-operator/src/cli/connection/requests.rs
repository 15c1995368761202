//! Request files, and the organization that they are about.

use std::path::PathBuf;

use wif_core::{azure::cloud::Cloud, failure::Failure};

use crate::{
    cli::{
        change::{AskArguments, needed},
        connect::{self, Connected, connect},
        files::{self, argument},
        screen::Host,
    },
    read::{self, ReadOptions},
    request::{Request, RequestedIdentity},
    snapshot::{Layer, Snapshot},
    tokens::Needs,
};

/// Reads the request files of a command line: each connection once.
///
/// # Errors
///
/// One cannot be read, is no request, or asks for the connection of another.
pub(super) fn requests_of(paths: &[PathBuf]) -> Result<Vec<Request>, Failure> {
    files::requests(paths.iter().map(PathBuf::as_path))
}

/// What an organization is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To compare: what cannot be read is a gap.
    Compare,
    /// To plan changes, which needs a token for each service.
    Plan,
}

fn check_tokens(requests: &[Request], connected: &Connected) -> Result<(), Failure> {
    // Its subscription or management group tells the tenant of each.
    needed(connected.tokens.arm.as_ref(), "Azure Resource Manager")?;
    let is_of_azure =
        |request: &Request| matches!(request.identity, RequestedIdentity::ManagedIdentity { .. });
    if !requests.iter().all(is_of_azure) {
        needed(connected.tokens.graph.as_ref(), "Microsoft Graph")?;
    }
    Ok(())
}

/// Reads the projects that requests name, with everything that requests say something of.
///
/// # Errors
///
/// The organization or a project is not there, or there is no way to the services.
pub(super) async fn read_for(
    requests: &[Request],
    (ask, cloud, jobs): (&AskArguments, Cloud, u8),
    purpose: Purpose,
    host: &mut Host<'_>,
) -> Result<(Snapshot, Connected, read::Address), Failure> {
    let connected = connect(host, cloud, ask.session.as_deref(), Needs { identities: true }).await?;
    let mut projects: Vec<_> = requests.iter().flat_map(|request| request.projects.clone()).collect();
    projects.sort_by_key(|name| name.to_lowercase());
    projects.dedup_by_key(|name| name.to_lowercase());
    let options = ReadOptions {
        organizations: ask.organization.iter().cloned().collect(),
        projects,
        depth: Layer::Use,
        jobs: jobs.into(),
        cloud,
    };
    let addresses = read::addresses(&options, host.env)?;
    let [address] = addresses.as_slice() else {
        return Err(argument("requests are about one organization", "name one: --organization NAME"));
    };
    // Other layers that cannot be read are told one by one.
    needed(connected.tokens.devops.as_ref(), "Azure DevOps")?;
    if purpose == Purpose::Plan {
        check_tokens(requests, &connected)?;
    }
    let snapshot = connect::read(&options, host, &connected).await?;
    Ok((snapshot, connected, address.clone()))
}
