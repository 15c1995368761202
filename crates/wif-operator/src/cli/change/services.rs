//! The services that plans read and changes are sent to.

use std::cell::Cell;

use wif_azure::rest::Token;
use wif_core::{
    azure::{cloud::Cloud, resource::Audiences},
    code::Code,
    failure::Failure,
};
use wif_io::endpoint::Endpoint;

use crate::{
    change::service::{Services, Target},
    cli::connect::Connected,
    read::progress::Progress,
};

/// The services of an organization, with its name and its base address.
///
/// # Errors
///
/// There is no token for Azure DevOps.
pub(in crate::cli) fn services(
    connected: Connected,
    cloud: Cloud,
    (name, base): (&str, Endpoint),
    talk: &Progress,
) -> Result<Services, Failure> {
    let Connected { http, tokens } = connected;
    Ok(Services {
        http,
        organization: name.to_owned(),
        devops: Target::new("Azure DevOps", base, needed(tokens.devops, "Azure DevOps")?, talk),
        graph: target("Microsoft Graph", tokens.graph, &graph_url(cloud), talk)?,
        arm: target("Azure Resource Manager", tokens.arm, cloud.resource_manager(), talk)?,
        only_7_1: Cell::new(false),
    })
}

/// What a command cannot do without.
pub(in crate::cli) fn needed<T>(token: Option<T>, service: &str) -> Result<T, Failure> {
    token.ok_or_else(|| {
        let hint = "sign in with az login, or set the variable of its token (WIF_DEVOPS_TOKEN, WIF_GRAPH_TOKEN, WIF_ARM_TOKEN)";
        Failure::new(Code::TokenMissing, format!("there is no token for {service}"), hint)
    })
}

fn graph_url(cloud: Cloud) -> String {
    let resource_manager = cloud.resource_manager().to_owned();
    Audiences { cloud, resource_manager, key_vault: None, graph: None }.graph_url()
}

fn target(
    name: &'static str,
    token: Option<Token>,
    url: &str,
    talk: &Progress,
) -> Result<Option<Target>, Failure> {
    let base = Endpoint::parse(url)
        .map_err(|error| Failure::new(Code::Bug, error, "report it, with the command"))?;
    Ok(token.map(|token| Target::new(name, base, token, talk)))
}
