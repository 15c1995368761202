//! `wif migrate retire plan`: the end of old connections, when their successors have shown that they do.

use serde_json::Value;
use uuid::Uuid;
use wif_core::failure::Failure;

use super::{arguments::RetireArguments, status::migrations_of};
use crate::{
    change::{
        candidate::{Candidate, Ground, Reason, pairs},
        journal,
        migrate::{
            eligible::{Old, readable},
            gather::{observed, roles},
            retire::{Ending, steps},
            soak::{Migration, Soak, soak},
        },
        plan::{Item, ManagedBy, Skipped},
        rights::note_missing,
        vend::{
            asked::{Asked, key},
            facts::facts,
            known::projects_of,
            look,
            names::BEFORE,
        },
    },
    cli::{
        change::{Gathered, PlanArguments, code_of, gather, has_gap, keep_and_show, unusable},
        files::argument,
        screen::Host,
    },
    request::{Request, RequestedIdentity},
    snapshot::Organization,
};

/// Plans the end of old connections, and shows the plan.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn retire_plan(
    arguments: &RetireArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let path = &arguments.journal;
    let journal = journal::read(path).map_err(|error| unusable(path, error))?;
    let migrations = migrations_of(path, &journal)?;
    let before = &journal.plan;
    let mut ask = arguments.ask.clone();
    ask.organization.get_or_insert_with(|| before.organization.url.clone());
    // Every project is read: another connection may use the same identity.
    let options = PlanArguments {
        ask,
        cloud: before.cloud.into(),
        jobs: arguments.jobs,
        projects: Vec::new(),
        connections: Vec::new(),
        names: Vec::new(),
        all_eligible: true,
        from: None,
        rules: Vec::new(),
        of_journal: Vec::new(),
        shown: arguments.shown.clone(),
        allow_gaps: arguments.allow_gaps,
    };
    let ground = match gather(&options, host).await? {
        Ok(ground) => ground,
        Err(code) => return Ok(code),
    };
    if ground.id != before.organization.id {
        let error =
            format!("the journal is about {}, which is another organization", before.organization.name);
        return Err(argument(error, "leave --organization out"));
    }
    let (mut items, mut skipped, mut is_unread) = (Vec::new(), Vec::new(), false);
    for migration in migrations {
        let soak = soak(&ground.services, &migration).await;
        match item(&ground, (&migration, &soak), options.shown.managed_by()).await {
            Ok(item) => items.push(item),
            Err(Reason { reason, alternative, unread }) => {
                is_unread |= unread;
                skipped.push(Skipped {
                    connection: migration.beside.connection,
                    name: migration.names(&soak).0,
                    project: Some(migration.item.project.name.clone()),
                    reason,
                    alternative,
                    unread,
                });
            }
        }
    }
    note_missing(&ground.services, &mut items).await;
    let plan = ground.plan("migrate retire plan", &options, (items, skipped)).sealed();
    keep_and_show(&plan, &options.shown, host)?;
    Ok(code_of(&plan, is_unread && !options.allow_gaps))
}

async fn item(
    ground: &Gathered,
    (migration, soak): (&Migration<'_>, &Soak),
    managed_by: ManagedBy,
) -> Result<Item, Reason> {
    let services = &ground.services;
    let id = migration.beside.connection;
    if soak.has_old == Some(false) {
        return Err(Reason::new("it is gone already", "nothing is to be done"));
    }
    let (successor, since) = may_end(migration, soak, managed_by)?;
    let organization = &ground.organization;
    let connection = organization.connections.iter().find(|one| one.id == id);
    let connection = connection
        .ok_or_else(|| Reason::unread("it was not in the lists", "use a token that sees its project"))?;
    let old = readable(connection, organization)?;
    let observed = observed(services, &old).await?;
    let roles = roles(services, &old).await?;
    let new = look::connection(services, migration.asked, id).await;
    let new = new.map_err(|error| Reason::unread(format!("the new connection: {error}"), "try again"))?;
    let new = new.connection().and_then(|raw| look::parameter(&raw, "serviceprincipalid"));
    let client = old.candidate.target.client;
    if new.and_then(|new| Uuid::try_parse(&new).ok()).is_none_or(|new| new == client) {
        let reason = "the new connection does not have an identity of its own";
        return Err(Reason::new(reason, "migrate it anew"));
    }
    let asked = asked(ground, &old, &observed.raw)?;
    let facts = facts(services, &asked, id).await;
    let mut facts = facts.map_err(|error| Reason::unread(error.to_string(), "try again"))?;
    let digest = facts.digest(&[]);
    facts.identity = observed.facts.identity;
    let convert = Ground { name: &organization.name, id: ground.id, now: ground.now };
    let mut own = Vec::from(pairs(&convert, &old.candidate, asked.tenant));
    // The subject of the Azure DevOps issuer holds the name that it had before the names were swapped.
    if let Some(name) = old.candidate.name.strip_suffix(BEFORE) {
        let former = Candidate { name: name.to_owned(), ..old.candidate.clone() };
        own.extend(pairs(&convert, &former, asked.tenant));
    }
    own.extend(facts.issuer.clone().zip(facts.subject.clone()));
    let others = others(organization, &old);
    let ending = Ending {
        candidate: &old.candidate,
        facts: &facts,
        pairs: &own,
        roles: &roles,
        others: &others,
        successor,
        since,
    };
    let steps = steps(&asked, &ending);
    Ok(Item {
        connection: id,
        name: old.candidate.name.clone(),
        project: old.candidate.project.clone(),
        digest,
        facts,
        steps,
        notes: notes(soak),
        asked: Some(Box::new(asked)),
    })
}

/// The new connection, and since when nothing may have run on the old one, if that one may end.
fn may_end(
    migration: &Migration<'_>,
    soak: &Soak,
    managed_by: ManagedBy,
) -> Result<(Uuid, crate::moment::Moment), Reason> {
    if !soak.blockers.is_empty() {
        let reason = soak.blockers.join("; ");
        let alternative = "see wif migrate status JOURNAL, and plan it again later";
        return Err(Reason { reason, alternative: alternative.to_owned(), unread: !soak.unread.is_empty() });
    }
    let order = "the order is: its federated credential, the connection in every project, its role assignments, its application";
    match managed_by {
        ManagedBy::None => {}
        ManagedBy::Unknown => {
            let reason = "it is not known whether code manages it, and what code may manage is not deleted";
            return Err(Reason::new(reason, format!("give --managed-by none, if no code does; {order}")));
        }
        ManagedBy::Terraform | ManagedBy::Bicep => {
            let reason = "code manages it, and would make it again";
            return Err(Reason::new(reason, format!("take it out of the code; {order}")));
        }
    }
    let missing = || Reason::new("the new connection is not there", "migrate it anew");
    let since = migration.since.ok_or_else(missing)?;
    // Later runs than those that were judged here stop it.
    let since = soak.on_old.newest.map_or(since, |newest| since.max(newest));
    Ok((soak.new.ok_or_else(missing)?, since))
}

/// What else the identity serves, or may serve.
fn others(organization: &Organization, old: &Old<'_>) -> Vec<String> {
    let client = Some(old.candidate.target.client);
    let all = organization.connections.iter();
    let same = all.clone().filter(|one| one.id != old.connection.id && one.client == client);
    let mut others: Vec<_> = same.map(|one| format!("the connection {}", one.name)).collect();
    let hidden = all.filter(|one| !one.is_visible).count();
    if hidden > 0 {
        others.push(format!("perhaps one of the {hidden} connections of which only the names can be seen"));
    }
    if has_gap(organization) {
        others.push("perhaps a connection that could not be listed".to_owned());
    }
    others
}

/// The old connection, as the steps look for it: by its id, with the identity that it has.
fn asked(ground: &Gathered, old: &Old<'_>, raw: &Value) -> Result<Asked, Reason> {
    let owner = old.candidate.project.id;
    let mut projects = projects_of(raw);
    projects.sort_by_key(|project| project.id != owner);
    if projects.first().is_none_or(|project| project.id != owner) {
        return Err(Reason::unread("its projects were not read", "use a token that sees them"));
    }
    let tenant = old.connection.tenant.or(ground.organization.tenant);
    let tenant = tenant.ok_or_else(|| Reason::unread("its tenant was not read", "try again"))?;
    let name = &old.candidate.name;
    let names = projects.iter().map(|project| project.name.clone()).collect();
    let identity = RequestedIdentity::Existing { client: old.candidate.target.client };
    Ok(Asked {
        request: Request::unwritten(format!("the end of {name}"), name, names, identity, old.scope),
        key: key(ground.id, owner, name),
        is_there: true,
        is_own: false,
        tenant,
        scope_name: String::new(),
        projects,
        region: None,
        beside: None,
    })
}

fn notes(soak: &Soak) -> Vec<String> {
    let mut notes = vec![
        "a deleted connection cannot be had back: one that is made again has another id".to_owned(),
        "the application can be restored for 30 days, and wif rollback JOURNAL then gives it its roles back"
            .to_owned(),
        "who else signs in with the application, outside of this organization, is not known: ask before"
            .to_owned(),
    ];
    if !soak.still_on_old.is_empty() {
        notes.push(format!(
            "not seen on the new connection since: {}; where they still name the old one, they fail",
            soak.still_on_old.join(", ")
        ));
    }
    notes
}
