//! `wif connection plan`: what requests ask for, as a plan.

use futures_util::{StreamExt as _, stream};
use uuid::Uuid;
use wif_core::{azure::cloud::Cloud, code::Code, failure::Failure};

use super::{
    arguments::ConnectionPlanArguments,
    lookup::Lookup,
    privileged::refuse_privileged,
    requests::{Purpose, read_for, requests_of},
    unplanned::Unplanned,
};
use crate::{
    change::{
        plan::{Item, ManagedBy, Plan, PlannedOrganization, SCHEMA, Skipped},
        vend::{asked, making::without_deletions},
    },
    cli::{
        change::{code_of, keep_and_show, services},
        files::argument,
        screen::{Host, INTERRUPTED},
        source::nothing_read,
    },
    drift::{self, Standing},
    moment::Moment,
    request::Request,
    rule::{Context, Settings},
    snapshot::Organization,
};

/// Plans what requests ask for.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn connection_plan(
    arguments: &ConnectionPlanArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let requests = requests_of(&arguments.files)?;
    if !arguments.allow_privileged {
        requests.iter().try_for_each(refuse_privileged)?;
    }
    let cloud: Cloud = arguments.cloud.into();
    if cloud != Cloud::Public {
        let error =
            "connections are made in the public cloud only: of the others issuer and subject are not known";
        return Err(argument(error, "leave --cloud out"));
    }
    let (mut snapshot, connected, address) =
        read_for(&requests, (&arguments.ask, cloud, arguments.jobs), Purpose::Plan, host).await?;
    if host.is_interrupted.get() {
        return Ok(INTERRUPTED);
    }
    if let Some(code) = nothing_read(&snapshot) {
        let coverage = snapshot.organizations.first().and_then(|one| one.coverage.first());
        host.talk.say(&format!("nothing could be read: {}", coverage.map_or("", |entry| &entry.why)));
        return Ok(code);
    }
    if snapshot.organizations.is_empty() {
        return Err(argument("no organization was read", "name one: --organization NAME"));
    }
    snapshot.organizations.truncate(1);
    let now = arguments.ask.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let settings = Settings::of_requests(now, requests);
    let context = Context::new(&snapshot, &settings);
    let Some(organization) = snapshot.organizations.first() else {
        return Err(argument("no organization was read", "name one: --organization NAME"));
    };
    let Some(id) = organization.id else {
        let error = "Azure DevOps did not tell the organization's id, of which subjects are made";
        return Err(Failure::new(Code::ChangeUnanswered, error, "try again"));
    };
    let services = services(connected, cloud, (&organization.name, address.base.clone()), host.talk)?;
    let allows_privileged = arguments.allow_privileged;
    let lookup = Lookup { services: &services, organization, id, allows_privileged };
    let (mut items, mut skipped) = (Vec::new(), Vec::new());
    let is_unknown = arguments.shown.managed_by() == ManagedBy::Unknown;
    let groups = by_identity(&settings.requests);
    let looked = groups.into_iter().map(|group| items_of(&context, &lookup, group, is_unknown));
    let looked = stream::iter(looked.collect::<Vec<_>>()).buffer_unordered(arguments.jobs.into());
    let mut looked: Vec<_> = looked.collect::<Vec<_>>().await.into_iter().flatten().collect();
    looked.sort_by_key(|(at, ..)| *at);
    for (_, request, item) in looked {
        match item {
            Ok(item) => items.extend(item),
            Err(Unplanned::Wrong(failure)) => return Err(failure),
            Err(Unplanned::Skipped(reason, alternative, unread)) => {
                skipped.push(left_out(organization, id, request, (reason, alternative, unread)));
            }
        }
    }
    crate::change::rights::note_missing(&services, &mut items).await;
    let is_unread = skipped.iter().any(|one: &Skipped| one.unread);
    let plan = Plan {
        schema: SCHEMA.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        command: "connection plan".to_owned(),
        made: now,
        valid_until: crate::change::steps::valid_until(now, &items),
        cloud,
        organization: PlannedOrganization {
            name: organization.name.clone(),
            id,
            url: address.base.join([organization.name.as_str()]).to_string(),
        },
        managed_by: arguments.shown.managed_by(),
        items,
        skipped,
        facts: String::new(),
        sha256: String::new(),
    }
    .sealed();
    keep_and_show(&plan, &arguments.shown, host)?;
    Ok(code_of(&plan, is_unread && !arguments.allow_gaps))
}

/// The requests with their numbers, those for one identity together: what one of them plans decides on the next.
fn by_identity(requests: &[Request]) -> Vec<Vec<(usize, &Request)>> {
    let mut groups: Vec<Vec<(usize, &Request)>> = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let is_its = |group: &&mut Vec<(usize, &Request)>| {
            group.first().is_some_and(|(_, first)| first.identity == request.identity)
        };
        match groups.iter_mut().find(is_its) {
            Some(group) => group.push((at, request)),
            None => groups.push(vec![(at, request)]),
        }
    }
    groups
}

type Looked<'a> = (usize, &'a Request, Result<Option<Item>, Unplanned>);

/// The items of requests for one identity, one after the other.
async fn items_of<'a>(
    context: &Context<'_>,
    lookup: &Lookup<'_>,
    group: Vec<(usize, &'a Request)>,
    is_unknown: bool,
) -> Vec<Looked<'a>> {
    let (mut looked, mut earlier) = (Vec::new(), Vec::new());
    for (at, request) in group {
        let item = item_of(context, lookup, request, &earlier).await.map(|item| {
            item.map(|item| {
                let steps = if is_unknown { without_deletions(item.steps) } else { item.steps };
                Item { steps, ..item }
            })
        });
        if let Ok(Some(item)) = &item {
            earlier.push(item.clone());
        }
        looked.push((at, request, item));
    }
    looked
}

async fn item_of(
    context: &Context<'_>,
    lookup: &Lookup<'_>,
    request: &Request,
    earlier: &[Item],
) -> Result<Option<Item>, Unplanned> {
    let unread = |what: String| Unplanned::Skipped(what, "use tokens that may read it".to_owned(), true);
    match drift::find(context, request) {
        Standing::Unread(why) => Err(unread(why)),
        Standing::Absent(_) => lookup.item(request, None, earlier).await,
        Standing::There(entry) => {
            let compared = drift::compare(context, request, entry);
            if !compared.unread.is_empty() {
                let unread_parts: Vec<_> = compared.unread.iter().map(ToString::to_string).collect();
                return Err(unread(format!("not read: {}", unread_parts.join(", "))));
            }
            let differs = |field: &str| compared.differences.iter().any(|one| one.field == field);
            let skip = |reason: &str, alternative: &str| {
                Err(Unplanned::Skipped(reason.to_owned(), alternative.to_owned(), false))
            };
            if differs("scheme") {
                return skip("it does not sign in by federation", "convert it first: wif convert plan");
            }
            if differs("issuer") {
                let reason = "it is on the issuer of Azure DevOps, and to save it could move it unprepared";
                return skip(reason, "move it to the issuer of Entra first");
            }
            let roles = context.identity(entry.connection).and_then(|one| one.roles.clone());
            // Names can be the same where ids are not: what was looked up decides.
            let item =
                lookup.item(request, Some((entry.connection, roles.unwrap_or_default())), earlier).await?;
            if item.is_none() && !compared.differences.is_empty() {
                let fields: Vec<_> = compared.differences.iter().map(|one| one.field.as_str()).collect();
                let reason = format!("no step brings back what differs: {}", fields.join(", "));
                return skip(&reason, "change it by hand");
            }
            Ok(item)
        }
    }
}

fn left_out(
    organization: &Organization,
    id: Uuid,
    request: &Request,
    (reason, alternative, unread): (String, String, bool),
) -> Skipped {
    let owner = organization
        .projects
        .iter()
        .find(|one| one.name.eq_ignore_ascii_case(request.owner_project()))
        .map(|one| one.id)
        .unwrap_or_default();
    Skipped {
        connection: asked::guid(&asked::key(id, owner, &request.connection)),
        name: request.connection.clone(),
        project: Some(request.owner_project().to_owned()),
        reason,
        alternative,
        unread,
    }
}
