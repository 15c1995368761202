//! The commands that plan changes, and those that apply them and take them back.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use uuid::Uuid;
use wif_core::{
    azure::{cloud, resource::Audiences},
    code::Code,
    failure::Failure,
};
use wif_io::endpoint::Endpoint;

use super::{
    files::{Readers, argument, show, write},
    options::{Cloud, moment},
    screen::{Host, INTERRUPTED},
};
use crate::{
    change::{
        apply::{Applied, Engine, Options, Outcome},
        convert::{self, Candidate, Ground, Reason},
        hand_off::{self, Side},
        journal::{self, Journal, JournalError},
        observe::{Observed, Unobserved, observe},
        plan::{Action, Credential, Item, ManagedBy, Plan, PlanError, PlannedOrganization, SCHEMA, Skipped},
        select::{NoMatch, Wanted},
        service::{Services, Target},
        show as shown,
    },
    credential::CredentialKind,
    moment::Moment,
    read::{self, ReadOptions, network},
    snapshot::{Layer, Organization, State, connection::Connection},
    tokens::{Needs, Tokens, check_session},
};

/// The largest plan or audit, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Where to ask.
#[derive(Clone, Debug, Args)]
pub struct AskArguments {
    /// The organization: its name, or its URL; else `WIF_ORGANIZATION`, else this job's
    #[arg(long, visible_alias = "org", alias = "organisation", value_name = "NAME|URL")]
    pub organization: Option<String>,
    /// The sign-in session to take tokens from, when the job signed in to several connections
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// The moment to judge by [default: the clock]
    #[arg(long, value_name = "RFC3339", value_parser = moment)]
    pub now: Option<Moment>,
}

/// What to plan.
#[derive(Clone, Debug, Args)]
pub struct PlanArguments {
    /// Where to ask.
    #[command(flatten)]
    pub ask: AskArguments,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Only connections of this project (repeatable)
    #[arg(long = "project", value_name = "NAME")]
    pub projects: Vec<String>,
    /// This connection: its name or id (repeatable)
    #[arg(long = "connection", value_name = "NAME|ID")]
    pub connections: Vec<String>,
    /// Connections whose names match, with * and ? (repeatable)
    #[arg(long = "name", value_name = "GLOB")]
    pub names: Vec<String>,
    /// Every connection that can be changed
    #[arg(long)]
    pub all_eligible: bool,
    /// The connections that findings of this audit are about
    #[arg(long, value_name = "AUDIT.json")]
    pub from: Option<PathBuf>,
    /// Only findings of this rule, with --from (repeatable)
    #[arg(long = "rule", value_name = "WIF6101", requires = "from")]
    pub rules: Vec<String>,
    /// Keep the plan in a file, for wif apply
    #[arg(long, value_name = "PLAN")]
    pub output: Option<PathBuf>,
    /// How the plan is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: PlanFormat,
    /// Whether code manages the connections
    #[arg(long, value_name = "TOOL")]
    pub managed_by: Option<ManagedByArgument>,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
}

/// How a plan or journal is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Text,
    /// For a change ticket
    Markdown,
    /// wif.plan/1
    Json,
}

/// What may manage connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ManagedByArgument {
    /// Terraform
    Terraform,
    /// Bicep
    Bicep,
    /// No code
    None,
}

/// A command whose one subcommand makes a plan.
#[derive(Clone, Debug, Subcommand)]
pub enum PlanCommand {
    /// Read, and print what would be changed; nothing is changed
    ///
    /// Ends with 10 (the plan has steps), 0 (nothing is to be done), 12 (what was selected could not be read), 2, 3 or 4.
    Plan(Box<PlanArguments>),
}

/// What to apply.
#[derive(Clone, Debug, Args)]
pub struct ApplyArguments {
    /// The plan, a file of --output
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Where to ask.
    #[command(flatten)]
    pub ask: AskArguments,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Go on where an earlier apply has ended
    #[arg(long)]
    pub resume: bool,
    /// How many connections are changed at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Refuse a plan that changes more connections
    #[arg(long, value_name = "N")]
    pub max_changes: Option<usize>,
    /// How long to try a proof
    #[arg(long, value_name = "5m", default_value = "5m", value_parser = short_duration)]
    pub prove_within: Duration,
}

/// What to take back.
#[derive(Clone, Debug, Args)]
pub struct RollbackArguments {
    /// The journal of wif apply
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArguments,
}

/// What to do with a journal.
#[derive(Clone, Debug, Subcommand)]
pub enum JournalCommand {
    /// Tell what was done, when, and how it was found out
    Show {
        /// The journal of wif apply
        #[arg(value_name = "JOURNAL")]
        journal: PathBuf,
        /// How it is shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: PlanFormat,
    },
}

/// What to hand off.
#[derive(Clone, Debug, Args)]
pub struct HandOffArguments {
    /// The plan, a file of --output
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Who is to do it
    #[arg(long, value_name = "SIDE")]
    pub to: SideArgument,
}

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SideArgument {
    /// Who may change applications
    Entra,
    /// Who may change managed identities
    Azure,
    /// Who may change connections
    Devops,
    /// Who keeps the code
    Terraform,
}

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stored secret or certificate becomes federation.
    Convert,
    /// And back.
    Revert,
}

fn short_duration(text: &str) -> Result<Duration, String> {
    let read = || {
        let unit = text.chars().last()?;
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        Some(Duration::from_secs(count.min(100_000) * seconds))
    };
    read().ok_or_else(|| "accepted is a number with s, m or h: 5m".to_owned())
}

/// Makes a plan, and shows it.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub async fn plan(kind: Kind, arguments: &PlanArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let command = match kind {
        Kind::Convert => "convert plan",
        Kind::Revert => "revert plan",
    };
    let select = |connection: &Connection, organization: &Organization, now| match kind {
        Kind::Convert => convert::can_convert(connection, organization),
        Kind::Revert => convert::can_revert(connection, organization, now),
    };
    let make = |ground: &Ground<'_>, candidate: &Candidate, observed: Observed, taken| match kind {
        Kind::Convert => convert::convert(ground, candidate, observed.facts, taken),
        Kind::Revert => convert::revert(ground, candidate, observed.facts, &[]),
    };
    make_plan((command, &select, &make), arguments, host).await
}

/// Plans the inverse of what a journal says was done.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub async fn rollback(arguments: &RollbackArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let path = &arguments.journal;
    let done = journal::read(path).map_err(|error| unusable(path, error))?;
    let mut options = arguments.plan.clone();
    if options.ask.organization.is_none() {
        options.ask.organization = Some(done.plan.organization.url.clone());
    }
    let changed: Vec<_> =
        done.plan.items.iter().filter(|item| done.state_of(item.connection).is_begun).collect();
    if wanted(&options)?.is_empty() {
        options.connections = changed.iter().map(|item| item.connection.to_string()).collect();
        if options.connections.is_empty() {
            host.talk
                .say("the journal says of no connection that it was changed: there is nothing to take back");
            return Ok(0);
        }
    }
    let find = |id: Uuid| changed.iter().find(|item| item.connection == id);
    let select = |connection: &Connection, organization: &Organization, now| {
        let Some(item) = find(connection.id) else {
            return Err(Reason::new("the journal did not change it", "nothing is to be done"));
        };
        match conversion(item) {
            Some(crate::change::plan::Scheme::WorkloadIdentityFederation) => {
                convert::can_revert(connection, organization, now)
            }
            Some(crate::change::plan::Scheme::ServicePrincipal) => {
                convert::can_convert(connection, organization)
            }
            None => Err(Reason::new("the journal did not convert it", "nothing is to be done")),
        }
    };
    let make = |ground: &Ground<'_>, candidate: &Candidate, observed: Observed, taken| {
        let item = find(candidate.target.connection);
        let back = item.and_then(|item| conversion(item))
            == Some(crate::change::plan::Scheme::WorkloadIdentityFederation);
        if !back {
            return convert::convert(ground, candidate, observed.facts, taken);
        }
        // What the journal says was added, as far as it is still there.
        let made = done.state_of(candidate.target.connection).made;
        let added: Vec<Credential> = item.map_or_else(Vec::new, |item| {
            let steps = item.steps.iter().enumerate().filter(|(at, _)| made.contains(at));
            let added = steps.filter_map(|(_, step)| match &step.action {
                Action::AddCredential { credential } => Some(credential.clone()),
                _ => None,
            });
            added.filter(|one| observed.facts.identity.credentials.contains(one)).collect()
        });
        convert::revert(ground, candidate, observed.facts, &added)
    };
    make_plan(("rollback", &select, &make), &options, host).await
}

fn conversion(item: &Item) -> Option<crate::change::plan::Scheme> {
    item.steps.iter().find_map(|step| match step.action {
        Action::Convert { to } => Some(to),
        _ => None,
    })
}

type Select<'a> = dyn Fn(&Connection, &Organization, Moment) -> Result<Candidate, Reason> + 'a;
type Make<'a> = dyn Fn(&Ground<'_>, &Candidate, Observed, usize) -> Result<Item, Reason> + 'a;

fn wanted(arguments: &PlanArguments) -> Result<Wanted, Failure> {
    let ids = arguments.from.as_deref().map(|path| findings(path, &arguments.rules)).transpose()?;
    Ok(Wanted {
        connections: arguments.connections.clone(),
        names: arguments.names.clone(),
        ids,
        all: arguments.all_eligible,
    })
}

#[expect(
    clippy::too_many_lines,
    reason = "a plan is made in one order: tokens, snapshot, selection, items, report"
)]
async fn make_plan(
    (command, select, item_of): (&str, &Select<'_>, &Make<'_>),
    arguments: &PlanArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let mut wanted = wanted(arguments)?;
    if wanted.is_empty() {
        if arguments.projects.is_empty() {
            let hint =
                "name connections: --connection, --name, --project, --all-eligible or --from AUDIT.json";
            return Err(argument("nothing is selected", hint));
        }
        wanted.all = true;
    }
    let now = arguments.ask.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let (http, warnings) = network::client(host.env, host.clock)?;
    for warning in &warnings {
        host.talk.say(warning);
    }
    let cloud = arguments.cloud.into();
    let talk = host.talk;
    let session = arguments.ask.session.as_deref();
    session.map_or(Ok(()), |name| check_session(host.env, name))?;
    let mut say = |line: &str| talk.say(line);
    let tokens =
        Tokens::find(host.env, &**host.clock, cloud, session, Needs { identities: true }, &mut say).await;
    let options = ReadOptions {
        organizations: arguments.ask.organization.iter().cloned().collect(),
        projects: arguments.projects.clone(),
        depth: Layer::Identity,
        jobs: arguments.jobs.into(),
        cloud,
    };
    let interrupted = &host.is_interrupted;
    let stop = async {
        super::source::interrupt().await;
        interrupted.set(true);
    };
    let address = read::addresses(&options, host.env)?;
    let [address] = address.as_slice() else {
        return Err(argument("a plan is about one organization", "name one: --organization NAME"));
    };
    let mut snapshot = read::read(&options, host.env, &http, &tokens, talk, stop).await?;
    if host.is_interrupted.get() {
        return Ok(INTERRUPTED);
    }
    if let Some(code) = super::source::nothing_read(&snapshot) {
        let why = snapshot
            .organizations
            .first()
            .and_then(|one| one.coverage.first())
            .map(|entry| entry.why.clone());
        talk.say(&format!("nothing could be read: {}", why.unwrap_or_default()));
        return Ok(code);
    }
    if snapshot.organizations.is_empty() {
        return Err(argument("no organization was read", "name one: --organization NAME"));
    }
    let organization = snapshot.organizations.remove(0);
    let Some(id) = organization.id else {
        let error = "Azure DevOps did not tell the organization's id, of which subjects are made";
        return Err(Failure::new(Code::ChangeUnanswered, error, "try again"));
    };
    let has_gap = |connection: Option<Uuid>| {
        organization
            .coverage
            .iter()
            .any(|gap| gap.state != State::Read && gap.connection == connection && gap.layer == Layer::List)
    };
    // Whether something that may be meant could not be read.
    let mut is_unread = wanted.all && has_gap(None);
    let selected = wanted.among(&organization.connections).map_err(no_match)?;
    let services = Services {
        http,
        organization: organization.name.clone(),
        devops: Target { base: address.base.clone(), token: needed(tokens.devops.clone(), "Azure DevOps")? },
        graph: target(tokens.graph.clone(), &graph_url(cloud))?,
        arm: target(tokens.arm.clone(), cloud.resource_manager())?,
        only_7_1: Cell::new(false),
    };
    let ground = Ground { name: &organization.name, id, now };
    let (mut items, mut skipped): (Vec<Item>, Vec<Skipped>) = (Vec::new(), Vec::new());
    for connection in selected {
        let made = match select(connection, &organization, now) {
            Err(reason) => Err(reason),
            Ok(candidate) => match observe(&services, &candidate.target).await {
                Err(error) => Err(unobserved(&error)),
                Ok(observed) => {
                    let client = observed.facts.client;
                    let same = items.iter().filter(|item| item.facts.client == client);
                    let taken = same.flat_map(Item::added).count();
                    item_of(&ground, &candidate, observed, taken)
                }
            },
        };
        match made {
            Ok(item) => items.push(item),
            Err(reason) => {
                is_unread |= reason.unread;
                let is_silent = !wanted.is_named(connection) && !stores(connection);
                if !is_silent {
                    skipped.push(reason.of(connection));
                }
            }
        }
    }
    let plan = Plan {
        schema: SCHEMA.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        command: command.to_owned(),
        made: now,
        valid_until: convert::valid_until(now, &items),
        cloud: cloud_name(arguments.cloud).to_owned(),
        organization: PlannedOrganization {
            name: organization.name.clone(),
            id,
            url: address.base.join([organization.name.as_str()]).to_string(),
        },
        managed_by: match arguments.managed_by {
            Some(ManagedByArgument::Terraform) => ManagedBy::Terraform,
            Some(ManagedByArgument::Bicep) => ManagedBy::Bicep,
            Some(ManagedByArgument::None) => ManagedBy::None,
            None => ManagedBy::Unknown,
        },
        items,
        skipped,
        facts: String::new(),
        sha256: String::new(),
    };
    let plan = digested(plan).sealed();
    let has_steps = !plan.items.is_empty();
    if let Some(path) = &arguments.output {
        write(path, Readers::Owner, &mut |out| out.write_all(plan.to_json().as_bytes()))?;
    }
    // What the code needs, unless the caller says that there is none.
    let is_in_code = matches!(plan.managed_by, ManagedBy::Unknown | ManagedBy::Terraform) && has_steps;
    let code = is_in_code.then(|| hand_off::text(&plan, None, Side::Terraform));
    let text = match arguments.format {
        PlanFormat::Text => {
            let mut text = shown::text(&plan);
            if let Some(code) = &code {
                text.push_str("\nWhat the code of Terraform needs:\n\n");
                text.push_str(code);
                text.push('\n');
            }
            let next = match &arguments.output {
                Some(path) => format!("Apply it with: wif apply {}\n", path.display()),
                None => format!("Nothing was kept; keep the plan with: wif {command} … --output PLAN\n"),
            };
            text + &next
        }
        PlanFormat::Markdown => {
            let code = code.map(|code| wif_core::foreign_text::code_block(&code));
            let code = code.map(|code| format!("\n### What the code of Terraform needs\n\n{code}"));
            shown::markdown(&plan) + &code.unwrap_or_default()
        }
        PlanFormat::Json => plan.to_json(),
    };
    print(host, &text, arguments.format == PlanFormat::Json)?;
    Ok(match (is_unread && !arguments.allow_gaps, has_steps) {
        (true, _) => 12,
        (false, true) => 10,
        (false, false) => 0,
    })
}

/// Prints text for people line by line, made harmless; data as it is.
fn print(host: &mut Host<'_>, text: &str, is_data: bool) -> Result<(), Failure> {
    let text = if is_data { text.to_owned() } else { wif_core::foreign_text::lines(text) };
    show(&mut *host.out, &mut |out| out.write_all(text.as_bytes()))
}

fn digested(mut plan: Plan) -> Plan {
    let digests: Vec<_> =
        plan.items.iter().map(|item| item.facts.digest(&plan.names_of_others(item))).collect();
    for (item, digest) in plan.items.iter_mut().zip(digests) {
        item.digest = digest;
    }
    plan
}

/// Whether a connection stores something, or may, so that a plan tells why it leaves it out.
fn stores(connection: &Connection) -> bool {
    !matches!(CredentialKind::of(connection), CredentialKind::Federated)
        && crate::credential::is_resource_manager(connection)
        || crate::credential::is_classic(connection)
        || CredentialKind::of(connection) == CredentialKind::Unknown
}

fn unobserved(error: &Unobserved) -> Reason {
    match error {
        Unobserved::NoApplication => Reason::new("its application is gone", "delete the connection"),
        Unobserved::NoConnection => Reason::new("it is gone", "nothing is to be done"),
        Unobserved::Invisible | Unobserved::Call(..) => {
            Reason::unread(error.to_string(), "use tokens that may read it")
        }
    }
}

fn no_match(error: NoMatch) -> Failure {
    let NoMatch { name, near } = error;
    let hint = if near.is_empty() {
        "name one that is there".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    argument(format!("--connection '{name}' matches nothing in what was read"), &hint)
}

/// The connections that the findings of an audit are about.
fn findings(path: &Path, rules: &[String]) -> Result<BTreeSet<Uuid>, Failure> {
    let hint = "give the JSON that wif audit --format json wrote";
    let shown = path.display();
    let text = text_of(path, hint)?;
    let audit: Value = serde_json::from_str(&text)
        .map_err(|error| argument(format!("--from {shown} is not JSON: {error}"), hint))?;
    let schema = audit.get("schema").and_then(Value::as_str).unwrap_or_default();
    if schema != crate::report::SCHEMA {
        let error =
            format!("--from {shown} has the schema '{schema}', accepted is {}", crate::report::SCHEMA);
        return Err(argument(error, hint));
    }
    for code in rules {
        if crate::rules::with_code(code).is_none() {
            return Err(argument(format!("--rule '{code}' is not a rule"), "wif explain lists all"));
        }
    }
    let findings = audit.get("findings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_meant = |finding: &&Value| {
        let rule = finding.get("rule").and_then(Value::as_str).unwrap_or_default();
        let is_waived = finding.get("waived").is_some_and(|waived| !waived.is_null());
        !is_waived && (rules.is_empty() || rules.iter().any(|code| code.eq_ignore_ascii_case(rule)))
    };
    let id = |finding: &Value| Uuid::try_parse(finding.get("connection")?.as_str()?).ok();
    Ok(findings.iter().filter(is_meant).filter_map(id).collect())
}

fn text_of(path: &Path, hint: &str) -> Result<String, Failure> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text))
        .map_err(|error| argument(format!("{} cannot be read: {error}", path.display()), hint))?;
    Ok(text)
}

fn graph_url(cloud: cloud::Cloud) -> String {
    let resource_manager = cloud.resource_manager().to_owned();
    Audiences { cloud, resource_manager, key_vault: None, graph: None }.graph_url()
}

fn target(token: Option<wif_azure::rest::Token>, url: &str) -> Result<Option<Target>, Failure> {
    let base = Endpoint::parse(url)
        .map_err(|error| Failure::new(Code::Bug, error, "report it, with the command"))?;
    Ok(token.map(|token| Target { base, token }))
}

fn needed<T>(token: Option<T>, service: &str) -> Result<T, Failure> {
    token.ok_or_else(|| {
        let hint = "sign in with az login, or set the variable of its token (WIF_DEVOPS_TOKEN, WIF_GRAPH_TOKEN, WIF_ARM_TOKEN)";
        Failure::new(Code::WriteTokenMissing, format!("there is no token for {service}"), hint)
    })
}

const fn cloud_name(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Public => "public",
        Cloud::Usgovernment => "usgovernment",
        Cloud::China => "china",
    }
}

fn cloud_of(name: &str) -> cloud::Cloud {
    match name {
        "usgovernment" => Cloud::Usgovernment,
        "china" => Cloud::China,
        _ => Cloud::Public,
    }
    .into()
}

fn plan_of(path: &Path) -> Result<Plan, Failure> {
    let hint = "name a file that --output of a plan command has written";
    let text = text_of(path, hint)?;
    let shown = path.display();
    Plan::parse(&text).map_err(|error| match error {
        PlanError::Unreadable(_) => argument(format!("{shown}: {error}"), hint),
        PlanError::Edited => Failure::new(
            Code::PlanChanged,
            format!("the plan {shown} cannot be used: {error}"),
            "make the plan again",
        ),
    })
}

fn unusable(path: &Path, error: JournalError) -> Failure {
    let shown = path.display();
    match error {
        JournalError::InUse(_) => {
            let hint = "wait until that process has ended, then see its journal: wif journal show";
            Failure::new(Code::PlanInUse, format!("{shown} is in use: {error}"), hint)
        }
        JournalError::Broken(_) | JournalError::NotAJournal => {
            let hint = "use the journal as wif apply has written it";
            Failure::new(Code::JournalUnusable, format!("{shown} cannot be used: {error}"), hint)
        }
        JournalError::Exists => {
            let hint = "go on with --resume, or make the plan again";
            argument(format!("the plan was applied before: {shown} is there"), hint)
        }
        JournalError::Io(error) => argument(
            format!("{shown} cannot be read or written: {error}"),
            "check the file, its folder and the disk",
        ),
    }
}

/// Applies a plan.
///
/// # Errors
///
/// It is refused: nothing was done.
#[expect(
    clippy::too_many_lines,
    reason = "the refusals of a plan stand in the order in which they are judged"
)]
pub async fn apply(arguments: &ApplyArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let plan = plan_of(&arguments.plan)?;
    let path = journal::path_of(&arguments.plan);
    let now = arguments.ask.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let is_there = path.exists();
    if is_there && !arguments.resume {
        // The lock tells whether another process is at it.
        return Err(Journal::begin(&path, &plan, now).err().map_or_else(
            || argument("the journal was removed meanwhile", "try again"),
            |error| unusable(&path, error),
        ));
    }
    let is_resumed = is_there && arguments.resume;
    if !is_resumed && now >= plan.valid_until {
        let error =
            format!("the plan was made {}, and could be applied until {}", plan.made, plan.valid_until);
        return Err(Failure::new(Code::PlanChanged, error, "make the plan again"));
    }
    let changes = plan.items.len();
    if let Some(most) = arguments.max_changes.filter(|most| changes > *most) {
        let error = format!("the plan changes {changes} connections, and --max-changes is {most}");
        return Err(argument(error, "select fewer connections, or allow more"));
    }
    if !confirmed(arguments, &plan, host)? {
        return Ok(0);
    }
    let (http, warnings) = network::client(host.env, host.clock)?;
    for warning in &warnings {
        host.talk.say(warning);
    }
    let cloud = cloud_of(&plan.cloud);
    let address = read::address_of(arguments.ask.organization.as_deref(), &plan.organization.url)?;
    if !address.name.eq_ignore_ascii_case(&plan.organization.name) {
        let error =
            format!("the plan is for {}, and --organization is {}", plan.organization.name, address.name);
        return Err(argument(error, "leave --organization out"));
    }
    let talk = host.talk;
    let session = arguments.ask.session.as_deref();
    session.map_or(Ok(()), |name| check_session(host.env, name))?;
    let mut say = |line: &str| talk.say(line);
    let tokens =
        Tokens::find(host.env, &**host.clock, cloud, session, Needs { identities: true }, &mut say).await;
    let needs =
        |is_managed: bool| plan.items.iter().any(|item| item.facts.identity.resource.is_some() == is_managed);
    let devops = needed(tokens.devops.clone(), "Azure DevOps")?;
    if needs(false) {
        needed(tokens.graph.as_ref(), "Microsoft Graph")?;
    }
    if needs(true) {
        needed(tokens.arm.as_ref(), "Azure Resource Manager")?;
    }
    let services = Services {
        http,
        organization: plan.organization.name.clone(),
        devops: Target { base: address.base, token: devops },
        graph: target(tokens.graph.clone(), &graph_url(cloud))?,
        arm: target(tokens.arm.clone(), cloud.resource_manager())?,
        only_7_1: Cell::new(false),
    };
    let (journal, before) = if is_resumed {
        let (journal, before) = Journal::resume(&path, now).map_err(|error| unusable(&path, error))?;
        if before.plan != plan {
            let error = format!("{} is the journal of another plan", path.display());
            return Err(Failure::new(Code::JournalUnusable, error, "use the plan that it belongs to"));
        }
        (journal, Some(before))
    } else {
        (Journal::begin(&path, &plan, now).map_err(|error| unusable(&path, error))?, None)
    };
    let options =
        Options { jobs: arguments.jobs.into(), prove_within: arguments.prove_within, now: arguments.ask.now };
    let stopped = Cell::new(false);
    let engine = Engine::new(
        (&plan, &services),
        (&journal, before.as_ref()),
        (&**host.clock, talk),
        options,
        &stopped,
    );
    let stop = async {
        loop {
            super::source::interrupt().await;
            stopped.set(true);
            talk.say("stopping: what is under way ends first; go on later with --resume");
        }
    };
    let applied = tokio::select! {
        applied = engine.run() => applied,
        () = stop => return Ok(INTERRUPTED),
    };
    talk.end();
    if let Some(error) = &applied.broken {
        talk.say(&format!(
            "{}: the journal cannot be written any more, so nothing more was sent: {error}; make room, then go on with --resume",
            Code::JournalUnusable
        ));
        return Ok(11);
    }
    print(host, &summary(&plan, &applied, &arguments.plan), false)?;
    Ok(exit_code(&applied, stopped.get()))
}

/// Asks on a terminal; elsewhere --yes must be given.
fn confirmed(arguments: &ApplyArguments, plan: &Plan, host: &mut Host<'_>) -> Result<bool, Failure> {
    if arguments.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let hint = "look at the plan, then give --yes";
        return Err(argument("there is no terminal to ask on, and --yes is not given", hint));
    }
    print(host, &shown::text(plan), false)?;
    host.talk.say("Apply this plan? Only yes is taken as one:");
    let mut line = String::new();
    let is_read = io::stdin().lock().take(100).read_line(&mut line).is_ok();
    let is_yes = is_read && line.trim().eq_ignore_ascii_case("yes");
    if !is_yes {
        host.talk.say("nothing was done");
    }
    Ok(is_yes)
}

fn summary(plan: &Plan, applied: &Applied, path: &Path) -> String {
    let mut lines = Vec::new();
    for (item, outcome) in plan.items.iter().zip(&applied.outcomes) {
        let end = match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Stale(text) => format!("not begun ({}): {text}", Code::WorldChanged),
            Outcome::Failed { code, text, is_put_back } => {
                let end = if *is_put_back { "as it was before" } else { "not put back" };
                format!("failed ({code}), {end}: {text}")
            }
            Outcome::Interrupted => "interrupted".to_owned(),
            Outcome::NotStarted => "not begun".to_owned(),
        };
        lines.push(format!("{} in {}: {end}", item.name, item.project.name));
    }
    let count = |is: fn(&Outcome) -> bool| applied.outcomes.iter().filter(|outcome| is(outcome)).count();
    lines.push(format!(
        "{} done, {} failed, {} stale, {} not begun",
        count(|one| *one == Outcome::Done),
        count(|one| matches!(one, Outcome::Failed { .. })),
        count(|one| matches!(one, Outcome::Stale(_))),
        count(|one| matches!(one, Outcome::NotStarted | Outcome::Interrupted)),
    ));
    let journal = journal::path_of(path);
    lines.push(format!("What was done and how it was found out: wif journal show {}", journal.display()));
    let is_refused = |one: &Outcome| matches!(one, Outcome::Failed { code: Code::ChangeRefused, .. });
    if applied.outcomes.iter().any(is_refused) {
        lines
            .push(format!("For who has the rights: wif hand-off {} --to entra|azure|devops", path.display()));
    }
    lines.join("\n") + "\n"
}

fn exit_code(applied: &Applied, is_stopped: bool) -> u8 {
    let has = |is: fn(&Outcome) -> bool| applied.outcomes.iter().any(is);
    if is_stopped && has(|one| matches!(one, Outcome::Interrupted | Outcome::NotStarted)) {
        return INTERRUPTED;
    }
    let is_refused = |one: &Outcome| matches!(one, Outcome::Failed { code: Code::ChangeRefused, .. });
    let is_unanswered = |one: &Outcome| matches!(one, Outcome::Failed { code: Code::ChangeUnanswered, .. });
    let has_failed = has(|one| matches!(one, Outcome::Failed { .. }));
    let is_done = has(|one| *one == Outcome::Done);
    if has_failed && !applied.has_changed && !is_done {
        if applied.outcomes.iter().any(is_refused) {
            return 3;
        }
        if applied.outcomes.iter().any(is_unanswered) {
            return 4;
        }
    }
    if has_failed {
        11
    } else if has(|one| matches!(one, Outcome::Stale(_))) {
        13
    } else {
        0
    }
}

/// Shows a journal.
///
/// # Errors
///
/// It cannot be read, or was changed.
pub fn journal(command: &JournalCommand, host: &mut Host<'_>) -> Result<u8, Failure> {
    let JournalCommand::Show { journal: path, format } = command;
    let read = journal::read(path).map_err(|error| unusable(path, error))?;
    match format {
        PlanFormat::Text => print(host, &shown::journal(&read), false)?,
        PlanFormat::Markdown => {
            let text = wif_core::foreign_text::code_block(&shown::journal(&read));
            print(host, &text, false)?;
        }
        PlanFormat::Json => {
            let mut text = serde_json::to_string_pretty(&read.entries).unwrap_or_default();
            text.push('\n');
            print(host, &text, true)?;
        }
    }
    Ok(0)
}

/// Prints what another person has to do.
///
/// # Errors
///
/// The plan cannot be read.
pub fn hand_off(arguments: &HandOffArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let plan = plan_of(&arguments.plan)?;
    let done = journal::read(&journal::path_of(&arguments.plan)).ok();
    let side = match arguments.to {
        SideArgument::Entra => Side::Entra,
        SideArgument::Azure => Side::Azure,
        SideArgument::Devops => Side::DevOps,
        SideArgument::Terraform => Side::Terraform,
    };
    print(host, &hand_off::text(&plan, done.as_ref(), side), false)?;
    Ok(0)
}
