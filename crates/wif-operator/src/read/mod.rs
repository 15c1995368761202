//! Reading organizations into a [`Snapshot`]: as few calls as possible, so many at once, and nothing unread that is not told.

mod endpoint;
mod error;
mod gaps;
mod graph_objects;
mod identities;
mod known;
pub mod network;
mod organization;
mod pace;
pub mod progress;
mod scopes;
mod service;
mod uses;
mod wire;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::pin,
    sync::Arc,
};

use tokio::sync::Semaphore;
use uuid::Uuid;
use wif_azure::devops::SUPPRESS_SIGN_IN;
use wif_core::{
    azure::{
        cloud::Cloud,
        hosts::{self, AllowedHost, AllowedHosts},
        resource::Audiences,
    },
    code::Code,
    failure::Failure,
    foreign_text::one_line,
};
use wif_io::{endpoint::Endpoint, env::Env, http::Http};

use self::{gaps::Gaps, known::Known, organization::Reader, progress::Progress, service::Service};
use crate::{
    moment::Moment,
    nearest::nearest,
    snapshot::{Layer, Snapshot},
    tokens::Tokens,
};

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Names or URLs of organizations, as the user gave them; those of the environment, if there are none.
    pub organizations: Vec<String>,
    /// Names or ids of projects; all, if there are none.
    pub projects: Vec<String>,
    /// How deep.
    pub depth: Layer,
    /// How many calls run at once, 1 to 64.
    pub jobs: usize,
    /// Where Graph, Azure Resource Manager and Entra are.
    pub cloud: Cloud,
}

/// Where an organization is, at a host that may get a token.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The service, without the organization.
    pub(crate) base: Endpoint,
    /// Its name.
    pub(crate) name: String,
}

/// The longest argument that an error shows, in characters.
const MAX_SHOWN: usize = 100;

/// Reads the organizations. When `stop` ends first, the snapshot has what is known by then, and coverage says what is not.
///
/// # Errors
///
/// An argument: no organization, one that is not a name or an https URL, a project that is not there.
pub async fn read(
    options: &ReadOptions,
    env: &Env,
    http: &Arc<Http>,
    tokens: &Tokens,
    progress: &Progress,
    stop: impl Future<Output = ()>,
) -> Result<Snapshot, Failure> {
    let addresses = addresses(options, env)?;
    let cloud = options.cloud;
    let fixed = |url: &str| {
        Endpoint::parse(url).map_err(|error| Failure::new(Code::Bug, error, "report it, with the command"))
    };
    let manager = cloud.resource_manager();
    let audiences = Audiences { cloud, resource_manager: manager.to_owned(), key_vault: None, graph: None };
    let (graph, arm) = (fixed(&audiences.graph_url())?, fixed(manager)?);
    let slots = Arc::new(Semaphore::new(options.jobs));
    let pace = || (Arc::clone(&slots), options.jobs);
    let known = Known {
        http: Arc::clone(http),
        authority: fixed(cloud.authority())?,
        graph_tenant: tokens.graph_tenant(),
        tenants: RefCell::default(),
        roles: RefCell::default(),
    };
    let with_token = |name, base, token, headers| {
        let service = |token| Service::new(name, http, (base, token), headers, pace(), progress);
        Option::map(token, service)
    };
    let graph = with_token("Microsoft Graph", &graph, tokens.graph.as_ref(), GRAPH_HEADERS);
    let arm = with_token("Azure Resource Manager", &arm, tokens.arm.as_ref(), &[]);
    let begin = Moment::new(http.clock().now());
    let mut stop = pin!(stop);
    let mut is_interrupted = false;
    let mut organizations = Vec::new();
    let mut names = Vec::new();
    let mut is_complete = true;
    for address in &addresses {
        let devops = tokens.devops.as_ref().map(|token| {
            let at = (&address.base, token);
            Service::new("Azure DevOps", http, at, DEVOPS_HEADERS, pace(), progress)
        });
        let reader = Reader {
            devops: devops.as_ref(),
            graph: graph.as_ref(),
            arm: arm.as_ref(),
            known: &known,
            cloud,
            depth: options.depth,
            jobs: options.jobs,
            progress,
            is_job_token: tokens.is_job_token(),
            projects: &options.projects,
            name: address.name.clone(),
            id: Cell::new(None),
            seen_projects: RefCell::default(),
            has_all_projects: Cell::new(false),
            read_projects: RefCell::default(),
            listed: RefCell::default(),
            connections: RefCell::default(),
            identities: RefCell::default(),
            subscriptions: RefCell::default(),
            tenants: RefCell::default(),
            roles: RefCell::default(),
            gaps: Gaps::default(),
            ended: RefCell::default(),
            only_7_1: Cell::new(false),
        };
        if !is_interrupted {
            tokio::select! {
                () = reader.read() => {}
                () = &mut stop => is_interrupted = true,
            }
        }
        names.extend(reader.seen_projects.borrow().iter().map(|project| (project.id, project.name.clone())));
        is_complete &= reader.has_all_projects.get();
        organizations.push(reader.finish(is_interrupted));
    }
    progress.end();
    progress.tell_waits();
    if !is_interrupted && is_complete {
        options.projects.iter().try_for_each(|text| is_there(text, &names))?;
    }
    let mut snapshot = Snapshot {
        taken: begin,
        depth: options.depth,
        cloud,
        projects: options.projects.clone(),
        redacted: false,
        organizations,
    };
    snapshot.sort();
    Ok(snapshot)
}

const DEVOPS_HEADERS: &[(&str, &str)] = &[SUPPRESS_SIGN_IN];
/// A nightly job gives way to others.
const GRAPH_HEADERS: &[(&str, &str)] = &[("x-ms-throttle-priority", "low")];

/// The organizations that are meant: by the arguments, else by the environment.
pub(crate) fn addresses(options: &ReadOptions, env: &Env) -> Result<Vec<Address>, Failure> {
    let named = options.organizations.iter().map(|text| (text.as_str(), Source::Argument));
    let mut texts: Vec<_> = named.collect();
    if texts.is_empty() {
        let variable = |name| Some((env.get(name)?, Source::Variable(name)));
        texts.extend(["WIF_ORGANIZATION", "SYSTEM_COLLECTIONURI"].into_iter().find_map(variable));
    }
    if texts.is_empty() {
        let hint = "name it: --organization NAME, or WIF_ORGANIZATION";
        return Err(Failure::new(Code::ArgumentInvalid, "no organization is named", hint));
    }
    let mut addresses: Vec<Address> = Vec::new();
    for (text, source) in texts {
        let address = address(text, source)?;
        let is_new = |known: &Address| {
            !known.name.eq_ignore_ascii_case(&address.name) || !known.base.same_origin(&address.base)
        };
        if addresses.iter().all(is_new) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Where the organization of a plan is: as the caller names it, else as the plan does.
#[cfg(feature = "change")]
pub(crate) fn address_of(named: Option<&str>, planned: &str) -> Result<Address, Failure> {
    named.map_or_else(|| address(planned, Source::Plan), |named| address(named, Source::Argument))
}

/// Where the name of an organization comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// `--organization`: by it the user names a host, too.
    Argument,
    /// A variable of this name, which any step can set.
    Variable(&'static str),
    /// A plan, which another person may have made.
    #[cfg(feature = "change")]
    Plan,
}

impl Source {
    /// As an error names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Argument => "--organization",
            Self::Variable(name) => name,
            #[cfg(feature = "change")]
            Self::Plan => "the plan",
        }
    }
}

fn address(text: &str, source: Source) -> Result<Address, Failure> {
    let invalid = |reason: &str| {
        let shown =
            if text.contains(['@', '?']) { "not shown".to_owned() } else { one_line(text, MAX_SHOWN) };
        let source = source.name();
        let error = format!("the organization of {source} ({shown}) is not a name or an https URL: {reason}");
        let hint = "give its name, as in dev.azure.com/<name>, or its https URL";
        Failure::new(Code::ArgumentInvalid, error, hint)
    };
    let text = text.trim();
    if !text.contains("://") {
        let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || !text.chars().all(is_name) || text.starts_with('.') {
            return Err(invalid("a name has letters, digits, hyphens, underscores and dots"));
        }
    }
    let url = if text.contains("://") { text.to_owned() } else { format!("https://dev.azure.com/{text}") };
    let whole = Endpoint::parse(&url).map_err(|error| invalid(&error.to_string()))?;
    // `https://NAME.visualstudio.com/` has its name in the host.
    let old = whole.host().strip_suffix(".visualstudio.com").filter(|name| !name.contains('.'));
    let name = old.or_else(|| whole.first_segment()).ok_or_else(|| invalid("its path is empty"))?.to_owned();
    let base = if old.is_some() {
        "https://dev.azure.com/".to_owned()
    } else {
        format!("https://{}:{}/", whole.host(), whole.port())
    };
    let base = Endpoint::parse(&base).map_err(|error| invalid(&error.to_string()))?;
    // The user has named this host by naming the organization; a variable can be set by any step.
    let own = AllowedHost::parse(&format!("{}:{}", base.host(), base.port()))
        .filter(|_| source == Source::Argument);
    let allowed = AllowedHosts::new(own.into_iter().collect());
    if !allowed.admits(hosts::Service::DevOps, base.host(), base.port()) {
        let error = format!(
            "{} names an organization at {}, which is not a host of Azure DevOps",
            source.name(),
            one_line(base.host(), MAX_SHOWN)
        );
        let hint = "accepted there are a name, https://dev.azure.com/NAME and https://NAME.visualstudio.com; if another host is meant, name it by --organization: no token goes to a host that only a variable or a plan names";
        return Err(Failure::new(Code::AuthorityNotAllowed, error, hint).by_caller());
    }
    Ok(Address { base, name })
}

/// Whether a project is there; else the error offers the nearest names.
fn is_there(text: &str, projects: &[(Uuid, String)]) -> Result<(), Failure> {
    let is_it = |(id, name): &(Uuid, String)| {
        name.eq_ignore_ascii_case(text) || Uuid::try_parse(text).is_ok_and(|wanted| wanted == *id)
    };
    if projects.iter().any(is_it) {
        return Ok(());
    }
    let near = nearest(text, projects.iter().map(|(_, name)| name.as_str()));
    let near: Vec<_> = near.iter().map(|name| format!("'{}'", one_line(name, MAX_SHOWN))).collect();
    let error = format!("the token sees no project '{}'", one_line(text, MAX_SHOWN));
    let hint = if near.is_empty() {
        "use a token that sees it".to_owned()
    } else {
        format!("check its name; the nearest are {}", near.join(", "))
    };
    Err(Failure::new(Code::ArgumentInvalid, error, hint))
}
