//! Plans: read, print, and keep what would be changed.

use std::{collections::BTreeSet, path::Path};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use uuid::Uuid;
use wif_core::{code::Code, failure::Failure, foreign_text::code_block};

use super::{
    arguments::{Kind, PlanArguments, PlanFormat, ShownArguments},
    files::{print, text_of},
    services::{needed, services},
};
use crate::{
    change::{
        candidate::{Candidate, Ground, Reason},
        convert::{can_convert, convert},
        hand_off::{self, Side},
        observe::{Observed, Unobserved, observe},
        plan::{Item, ManagedBy, Plan, PlannedOrganization, SCHEMA, Skipped},
        revert::{can_revert, revert},
        rights::note_missing,
        select::{NoMatch, Wanted},
        service::Services,
        show,
        steps::valid_until,
    },
    cli::{
        connect::{self, connect},
        files::{Readers, argument, write},
        screen::{Host, INTERRUPTED},
        source::nothing_read,
    },
    credential::{self, CredentialKind},
    moment::Moment,
    read::{self, ReadOptions},
    snapshot::{Coverage, Layer, Organization, State, connection::Connection},
    tokens::Needs,
};

/// Makes a plan, and shows it.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn plan(
    kind: Kind,
    arguments: &PlanArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let command = match kind {
        Kind::Convert => "convert plan",
        Kind::Revert => "revert plan",
    };
    let select = |connection: &Connection, organization: &Organization, now| match kind {
        Kind::Convert => can_convert(connection, organization),
        Kind::Revert => can_revert(connection, organization, now),
    };
    let make = |ground: &Ground<'_>, candidate: &Candidate, observed: Observed, taken| match kind {
        Kind::Convert => convert(ground, candidate, observed.facts, taken),
        Kind::Revert => revert(ground, candidate, observed.facts, &[]),
    };
    make_plan((command, &select, &make), arguments, host).await
}

type Select<'a> = dyn Fn(&Connection, &Organization, Moment) -> Result<Candidate, Reason> + 'a;

type Make<'a> = dyn Fn(&Ground<'_>, &Candidate, Observed, usize) -> Result<Item, Reason> + 'a;

/// What is meant, as the arguments name it.
pub(in crate::cli) fn wanted(arguments: &PlanArguments) -> Result<Wanted, Failure> {
    let ids = arguments.from.as_deref().map(|path| findings(path, &arguments.rules)).transpose()?;
    let of_journal = arguments.of_journal.iter().map(|one| one.connection);
    let ids = ids.or((!arguments.of_journal.is_empty()).then(|| of_journal.collect()));
    Ok(Wanted {
        connections: arguments.connections.clone(),
        names: arguments.names.clone(),
        ids,
        all: arguments.all_eligible,
    })
}

/// Reads an organization, plans what `select` and `item_of` say of its connections, keeps the plan and shows it.
pub(super) async fn make_plan(
    what: (&str, &Select<'_>, &Make<'_>),
    arguments: &PlanArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    make_plan_about(&stores, what, arguments, host).await
}

/// As [`make_plan`], where `concerns` tells which connections are worth a line although they are left out.
pub(super) async fn make_plan_about(
    concerns: &dyn Fn(&Connection) -> bool,
    (command, select, item_of): (&str, &Select<'_>, &Make<'_>),
    arguments: &PlanArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let gathered = match gather(arguments, host).await? {
        Ok(gathered) => gathered,
        Err(code) => return Ok(code),
    };
    let Gathered { wanted, now, organization, id, services, .. } = &gathered;
    let selected = wanted.among(&organization.connections).map_err(no_match)?;
    let ground = Ground { name: &organization.name, id: *id, now: *now };
    // What is named by its name or id is there, or told to be missing.
    let is_there = |id: &Uuid| organization.connections.iter().any(|one| one.id == *id);
    let may_be_more = wanted.all
        || !wanted.names.is_empty()
        || wanted.ids.as_ref().is_some_and(|ids| !ids.iter().all(is_there));
    let has_gap = may_be_more && has_gap(organization);
    if has_gap {
        tell_gaps(organization, host);
    }
    let mut planned = Planned { is_unread: has_gap, ..Planned::default() };
    // What could not be listed may be there.
    let gone = arguments.of_journal.iter().filter(|one| !is_there(&one.connection)).cloned();
    planned.skipped.extend(gone.map(|one| {
        let reason =
            if has_gap { "it is not in the lists, which could not all be read" } else { &one.reason };
        let alternative = if has_gap { "use tokens that may read its project" } else { &one.alternative };
        Skipped { reason: reason.to_owned(), alternative: alternative.to_owned(), unread: has_gap, ..one }
    }));
    // Beside each other; in their order they are planned, since a plan counts what it adds to an identity.
    let looked = stream::iter(selected).map(async |connection| {
        let candidate = select(connection, organization, *now);
        (connection, look_at(candidate, services).await)
    });
    let looked: Vec<_> = looked.buffered(arguments.jobs.into()).collect().await;
    for (connection, looked) in looked {
        let made =
            looked.and_then(|(candidate, observed)| planned.item(&ground, &candidate, observed, item_of));
        match made {
            Ok(item) => planned.items.push(item),
            Err(reason) => {
                let is_worth_a_line = wanted.is_named(connection) || concerns(connection);
                planned.skip(connection, reason, is_worth_a_line);
            }
        }
    }
    let Planned { mut items, mut skipped, others, is_unread } = planned;
    skipped.extend(others);
    note_missing(services, &mut items).await;
    let plan = digested(gathered.plan(command, arguments, (items, skipped))).sealed();
    keep_and_show(&plan, &arguments.shown, host)?;
    Ok(code_of(&plan, is_unread && !arguments.allow_gaps))
}

/// Reads what depends on a connection that may be planned.
async fn look_at(
    candidate: Result<Candidate, Reason>,
    services: &Services,
) -> Result<(Candidate, Observed), Reason> {
    let candidate = candidate?;
    let observed = observe(services, &candidate.target).await.map_err(|error| unobserved(&error))?;
    Ok((candidate, observed))
}

/// The exit code of a plan.
pub(in crate::cli) fn code_of(plan: &Plan, is_unread: bool) -> u8 {
    match (is_unread, plan.items.is_empty()) {
        (true, _) => 12,
        (false, false) => 10,
        (false, true) => 0,
    }
}

/// An organization as it was read for a plan.
pub(in crate::cli) struct Gathered {
    /// What the caller names.
    pub(in crate::cli) wanted: Wanted,
    /// The moment of the plan.
    pub(in crate::cli) now: Moment,
    /// What was read.
    pub(in crate::cli) organization: Organization,
    /// The organization's id.
    pub(in crate::cli) id: Uuid,
    /// The services.
    pub(in crate::cli) services: Services,
    url: String,
}

impl Gathered {
    /// A plan about it, not sealed yet.
    pub(in crate::cli) fn plan(
        &self,
        command: &str,
        arguments: &PlanArguments,
        (items, skipped): (Vec<Item>, Vec<Skipped>),
    ) -> Plan {
        Plan {
            schema: SCHEMA.to_owned(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_owned(),
            made: self.now,
            valid_until: valid_until(self.now, &items),
            cloud: arguments.cloud.into(),
            organization: PlannedOrganization {
                name: self.organization.name.clone(),
                id: self.id,
                url: self.url.clone(),
            },
            managed_by: arguments.shown.managed_by(),
            items,
            skipped,
            facts: String::new(),
            sha256: String::new(),
        }
    }
}

/// Reads the organization of a plan. An exit code where nothing could be read, or the user has asked to stop.
///
/// # Errors
///
/// Arguments or files are wrong, or there is no way to the services.
pub(in crate::cli) async fn gather(
    arguments: &PlanArguments,
    host: &mut Host<'_>,
) -> Result<Result<Gathered, u8>, Failure> {
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
    let cloud = arguments.cloud.into();
    let needs = Needs { identities: true };
    let connected = connect(host, cloud, arguments.ask.session.as_deref(), needs).await?;
    let options = ReadOptions {
        organizations: arguments.ask.organization.iter().cloned().collect(),
        projects: arguments.projects.clone(),
        depth: Layer::Identity,
        jobs: arguments.jobs.into(),
        cloud,
    };
    let addresses = read::addresses(&options, host.env)?;
    let [address] = addresses.as_slice() else {
        return Err(argument("a plan is about one organization", "name one: --organization NAME"));
    };
    needed(connected.tokens.devops.as_ref(), "Azure DevOps")?;
    needed(connected.tokens.graph.as_ref(), "Microsoft Graph")?;
    let mut snapshot = connect::read(&options, host, &connected).await?;
    if host.is_interrupted.get() {
        return Ok(Err(INTERRUPTED));
    }
    if let Some(code) = nothing_read(&snapshot) {
        let coverage = snapshot.organizations.first().and_then(|one| one.coverage.first());
        let why = coverage.map_or("", |entry| &entry.why);
        host.talk.say(&format!("nothing could be read: {why}"));
        return Ok(Err(code));
    }
    if snapshot.organizations.is_empty() {
        return Err(argument("no organization was read", "name one: --organization NAME"));
    }
    let organization = snapshot.organizations.remove(0);
    let Some(id) = organization.id else {
        let error = "Azure DevOps did not tell the organization's id, of which subjects are made";
        return Err(Failure::new(Code::ChangeUnanswered, error, "try again"));
    };
    let services = services(connected, cloud, (&organization.name, address.base.clone()), host.talk)?;
    let url = address.base.join([organization.name.as_str()]).to_string();
    Ok(Ok(Gathered { wanted, now, organization, id, services, url }))
}

/// Keeps a plan in its file, and shows it.
pub(in crate::cli) fn keep_and_show(
    plan: &Plan,
    arguments: &ShownArguments,
    host: &mut Host<'_>,
) -> Result<(), Failure> {
    if let Some(path) = &arguments.output {
        write(path, Readers::Owner, &mut |out| out.write_all(plan.to_json().as_bytes()))?;
    }
    print(host, &shown(plan, arguments), arguments.format == PlanFormat::Json)
}

/// What becomes of the connections that are meant.
#[derive(Default)]
struct Planned {
    items: Vec<Item>,
    skipped: Vec<Skipped>,
    /// Skipped, too, and of no concern to the plan.
    others: Vec<Skipped>,
    /// Whether something that may be meant could not be read.
    is_unread: bool,
}

impl Planned {
    /// Plans the steps of a connection.
    fn item(
        &self,
        ground: &Ground<'_>,
        candidate: &Candidate,
        observed: Observed,
        item_of: &Make<'_>,
    ) -> Result<Item, Reason> {
        let client = observed.facts.client;
        // Several connections may have one identity, which takes 20 credentials in all.
        let same = self.items.iter().filter(|item| item.facts.client == client);
        let taken = same.flat_map(Item::added).count();
        item_of(ground, candidate, observed, taken)
    }

    /// Those that are named, or that the plan concerns, come first: a text has room for some only.
    fn skip(&mut self, connection: &Connection, reason: Reason, is_worth_a_line: bool) {
        self.is_unread |= reason.unread;
        let skipped = reason.of(connection);
        if is_worth_a_line || skipped.unread { self.skipped.push(skipped) } else { self.others.push(skipped) }
    }
}

/// Whether a part of the organization's lists could not be read.
pub(in crate::cli) fn has_gap(organization: &Organization) -> bool {
    gaps(organization).next().is_some()
}

fn gaps(organization: &Organization) -> impl Iterator<Item = &Coverage> {
    let is_gap =
        |gap: &&Coverage| gap.state != State::Read && gap.connection.is_none() && gap.layer == Layer::List;
    organization.coverage.iter().filter(is_gap)
}

/// Says which lists could not be read, in which more may be that is meant.
fn tell_gaps(organization: &Organization, host: &Host<'_>) {
    for gap in gaps(organization) {
        let place = gap.project.as_deref().unwrap_or(&organization.name);
        host.talk.say(&format!("the connections of {place} could not all be read: {}", gap.why));
    }
}

/// The plan in its format.
fn shown(plan: &Plan, arguments: &ShownArguments) -> String {
    // What the code needs, unless the caller says that there is none.
    let may_be_in_code = matches!(plan.managed_by, ManagedBy::Unknown | ManagedBy::Terraform);
    // Of what is made anew the code knows nothing yet.
    let is_in_code = may_be_in_code && plan.items.iter().any(|item| item.asked.is_none());
    let code = is_in_code.then(|| hand_off::text(plan, None, Side::Terraform));
    let next = match &arguments.output {
        Some(path) => format!("Apply it with: wif apply {}\n", path.display()),
        None => format!("Nothing was kept; keep the plan with: wif {} … --output PLAN\n", plan.command),
    };
    match arguments.format {
        PlanFormat::Text => {
            let code = code.map(|code| format!("\nWhat the code of Terraform needs:\n\n{code}\n"));
            show::text(plan) + &code.unwrap_or_default() + &next
        }
        PlanFormat::Markdown => {
            let code = code.map(|code| code_block(&code));
            let code = code.map(|code| format!("\n### What the code of Terraform needs\n\n{code}"));
            let next = if arguments.output.is_none() { format!("\n{next}") } else { String::new() };
            show::markdown(plan) + &code.unwrap_or_default() + &next
        }
        PlanFormat::Json => plan.to_json(),
    }
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
        && credential::is_resource_manager(connection)
        || credential::is_classic(connection)
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

pub(in crate::cli) fn no_match(error: NoMatch) -> Failure {
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
