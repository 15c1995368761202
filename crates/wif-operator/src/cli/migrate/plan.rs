//! `wif migrate plan`: new identities and connections beside old ones.

use std::cell::RefCell;

use serde_json::Value;
use uuid::Uuid;
use wif_core::{
    azure::{
        cloud::Cloud,
        role::{is_privileged, is_whole},
    },
    failure::Failure,
    foreign_text::one_line,
};

use super::arguments::{MigrateArguments, ToArgument};
use crate::{
    change::{
        candidate::Reason,
        migrate::{
            eligible::{Old, can_migrate},
            gather::{self, gather},
            names::To,
            steps::{changes, notes, steps},
            swap,
        },
        plan::{Action, Item, Step},
        rights::note_missing,
        vend::{
            asked::{Asked, Beside, Change, CopiedRole, key},
            facts::facts,
            look::{self, Found},
            names::BEFORE,
            work::{Progress, Stuck, Work},
        },
    },
    cli::{
        change::{Gathered, code_of, gather as gather_ground, has_gap, keep_and_show, needed, no_match},
        files::argument,
        screen::Host,
    },
    request::{Request, RequestedRole},
    snapshot::connection::Connection,
};

/// The longest description that is taken over, in characters.
const MAX_DESCRIPTION: usize = 400;

/// Plans migrations, and shows the plan.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn migrate_plan(
    arguments: &MigrateArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let to = to(arguments)?;
    if arguments.swap_names && arguments.name_suffix.eq_ignore_ascii_case(BEFORE) {
        let error = format!("--name-suffix {BEFORE} is what --swap-names gives to the old connection");
        return Err(argument(error, "take another --name-suffix"));
    }
    if Cloud::from(arguments.plan.cloud) != Cloud::Public {
        let error =
            "migrations are made in the public cloud only: of the others issuer and subject are not known";
        return Err(argument(error, "leave --cloud out"));
    }
    let ground = match gather_ground(&arguments.plan, host).await? {
        Ok(ground) => ground,
        Err(code) => return Ok(code),
    };
    needed(ground.services.arm.as_ref(), "Azure Resource Manager")?;
    let (wanted, organization) = (&ground.wanted, &ground.organization);
    let selected = wanted.among(&organization.connections).map_err(no_match)?;
    let mut is_unread = wanted.all && has_gap(organization);
    let (mut items, mut skipped) = (Vec::<Item>::new(), Vec::new());
    for connection in selected {
        let is_named = wanted.is_named(connection);
        let planned = match can_migrate(connection, organization, &to, is_named) {
            Ok(old) => item(&ground, &old, (&to, arguments)).await,
            Err(reason) => Err(Unplanned::Skipped(reason)),
        };
        match planned {
            Ok(item) if items.iter().any(|one| one.serial_key() == item.serial_key()) => {
                let reason = "another connection of this plan gets an identity of the same name";
                skipped.push(Reason::new(reason, "migrate it by a plan of its own").of(connection));
            }
            Ok(item) => items.push(item),
            // Who names one by itself has decided: what is missing is the flag.
            Err(Unplanned::Privileged(failure)) if is_named_alone(arguments, connection) => {
                return Err(failure);
            }
            Err(Unplanned::NotSwapped(reason)) if is_named_alone(arguments, connection) && !reason.unread => {
                return Err(argument(format!("{}: {}", connection.name, reason.reason), &reason.alternative));
            }
            Err(Unplanned::Privileged(failure)) => {
                let reason = one_line(&failure.to_string(), 400);
                skipped.push(Reason::new(reason, "give --allow-privileged").of(connection));
            }
            Err(Unplanned::Skipped(reason) | Unplanned::NotSwapped(reason)) => {
                is_unread |= reason.unread;
                skipped.push(reason.of(connection));
            }
        }
    }
    note_missing(&ground.services, &mut items).await;
    let plan = ground.plan("migrate plan", &arguments.plan, (items, skipped)).sealed();
    keep_and_show(&plan, &arguments.plan.shown, host)?;
    Ok(code_of(&plan, is_unread && !arguments.plan.allow_gaps))
}

fn to(arguments: &MigrateArguments) -> Result<To, Failure> {
    let is_managed = arguments.to == ToArgument::ManagedIdentity;
    match (is_managed, &arguments.resource_group, arguments.subscription) {
        (false, None, None) => Ok(To::Application),
        (false, ..) => {
            let error = "--resource-group and --subscription are for --to managedIdentity";
            Err(argument(error, "leave them out, or give --to managedIdentity"))
        }
        (true, Some(group), Some(subscription)) => {
            let is_name = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
            if group.is_empty() || group.ends_with('.') || !group.chars().all(is_name) {
                let error = format!("--resource-group '{group}' is not the name of a resource group");
                return Err(argument(error, "give its name, not its path"));
            }
            Ok(To::ManagedIdentity { resource_group: group.clone(), subscription })
        }
        (true, group, subscription) => {
            let missing = [("--resource-group", group.is_none()), ("--subscription", subscription.is_none())];
            let missing: Vec<_> =
                missing.iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| *name).collect();
            let error = format!("--to managedIdentity needs {}", missing.join(" and "));
            Err(argument(error, "say where the managed identities are to be made"))
        }
    }
}

fn is_named_alone(arguments: &MigrateArguments, connection: &Connection) -> bool {
    let id = connection.id.to_string();
    let is_it = |name: &String| {
        name.eq_ignore_ascii_case(&id) || name.to_lowercase() == connection.name.to_lowercase()
    };
    arguments.plan.connections.iter().any(is_it)
}

enum Unplanned {
    Skipped(Reason),
    /// It has a role that is not copied without the flag.
    Privileged(Failure),
    /// It cannot give its name away.
    NotSwapped(Reason),
}

impl From<Reason> for Unplanned {
    fn from(reason: Reason) -> Self {
        Self::Skipped(reason)
    }
}

/// Refuses what a request may not ask for without the flag, and roles whose rights are not known. Only assignments count: the scope
/// that a connection declares gives no rights.
fn refuse_privileged(file: &str, roles: &[CopiedRole]) -> Result<(), Unplanned> {
    for copied in roles {
        let (role, scope) = (&copied.role, &copied.scope);
        let id = copied.definition_id().map(|id| id.to_string());
        let why = if is_privileged(id.as_deref(), Some(role), scope) {
            "it is a privileged role"
        } else if is_whole(scope) {
            "its scope is a whole subscription or management group"
        } else if Uuid::try_parse(role).is_ok() {
            "what it may do is not known"
        } else {
            continue;
        };
        let error = format!("{file}: the role {role} at {scope}: {why}");
        return Err(Unplanned::Privileged(argument(error, "give --allow-privileged, if it is to be copied")));
    }
    Ok(())
}

/// The item of an old connection.
async fn item(
    ground: &Gathered,
    old: &Old<'_>,
    (to, arguments): (&To, &MigrateArguments),
) -> Result<Item, Unplanned> {
    let services = &ground.services;
    let names = names(ground, old, arguments)?;
    if arguments.swap_names {
        let managed_by = arguments.plan.shown.managed_by();
        swap::can_be_renamed(old.connection, managed_by).map_err(Unplanned::NotSwapped)?;
    }
    let gathered = gather(services, old).await?;
    let mut asked = asked(ground, old, (to, arguments), (&gathered, &names)).await?;
    if !arguments.allow_privileged {
        refuse_privileged(&asked.request.file, &gathered.roles)?;
    }
    let id = old.connection.id;
    let found = facts(services, &asked, id).await.map_err(|error| {
        Reason::unread(format!("what has its new name could not be read: {error}"), "try again")
    })?;
    if let Some(beside) = &mut asked.beside {
        beside.found = Some(found.digest(&[]));
    }
    let all = steps(&asked, &gathered);
    let steps = open(ground, &asked, (id, old.candidate.target.client), all).await?;
    if !steps.iter().any(changes) {
        let name = swap::successor_of(id, &ground.organization).map(|one| one.name.as_str());
        return Err(is_migrated(name.unwrap_or(&asked.request.connection)).into());
    }
    let mut notes = notes(&asked, &gathered, old.identity.principal_object);
    if arguments.swap_names {
        let new = look::connection(services, &asked, id).await.ok().and_then(Found::connection);
        let new = new.as_ref().and_then(|new| look::id(new, "id"));
        swap::is_guarded(services, &gathered, new).await.map_err(Unplanned::NotSwapped)?;
        if steps.iter().any(|step| step.action == Action::Follow(Change::SetAside)) {
            swap::are_names_free(services, &asked).await.map_err(Unplanned::NotSwapped)?;
        }
        notes.extend(swap::notes(old.connection, &gathered));
    }
    let observed = gathered.observed.facts;
    Ok(Item {
        connection: id,
        name: old.candidate.name.clone(),
        project: old.candidate.project.clone(),
        digest: observed.digest(&[]),
        facts: observed,
        steps,
        notes,
        asked: Some(Box::new(asked)),
    })
}

fn is_migrated(new: &str) -> Reason {
    Reason::new(format!("it was migrated already: {new} is there"), "see wif migrate status JOURNAL")
}

/// The names of an old connection in its projects, without what it got when it gave them to the new one.
///
/// # Errors
///
/// It was migrated, and has given its name away.
fn names(ground: &Gathered, old: &Old<'_>, arguments: &MigrateArguments) -> Result<Vec<String>, Reason> {
    let now = || old.projects.iter().map(|(_, name)| (*name).to_owned()).collect();
    let Some(base) = old.candidate.name.strip_suffix(BEFORE) else { return Ok(now()) };
    let Some(successor) = swap::successor_of(old.connection.id, &ground.organization) else {
        return Ok(now());
    };
    if !arguments.swap_names || successor.name.eq_ignore_ascii_case(base) {
        return Err(is_migrated(&successor.name));
    }
    // Where the new one has not got the name yet, what is left of the swap is planned.
    if !successor.name.eq_ignore_ascii_case(&format!("{base}{}", arguments.name_suffix)) {
        let reason =
            format!("it has given its name away, and the new connection is called {}", successor.name);
        let advice = "give the --name-suffix of the first plan, or give the new one its name by hand";
        return Err(Reason::new(reason, advice));
    }
    let former = |name: &str| name.strip_suffix(BEFORE).unwrap_or(name).to_owned();
    Ok(old.projects.iter().map(|(_, name)| former(name)).collect())
}

/// The request that a migration is.
async fn asked(
    ground: &Gathered,
    old: &Old<'_>,
    (to, arguments): (&To, &MigrateArguments),
    (gathered, names): (&gather::Gathered, &[String]),
) -> Result<Asked, Reason> {
    let services = &ground.services;
    let unread = |what: &str, error: &dyn std::fmt::Display| {
        Reason::unread(format!("{what} could not be read: {error}"), "use tokens that may read it")
    };
    let suffix = &arguments.name_suffix;
    let own = names.first().map_or(old.candidate.name.as_str(), String::as_str);
    let name = format!("{own}{suffix}");
    let root = match old.scope.split('/').collect::<Vec<_>>().as_slice() {
        ["", "subscriptions", id, ..] => format!("/subscriptions/{id}"),
        _ => old.scope.to_owned(),
    };
    let scope = services.scope_root(&root).await.map_err(|error| unread("its scope", &error))?;
    let scope = scope.ok_or_else(|| Reason::unread(format!("{root} is not there"), "try again"))?;
    let of = |path: &str| scope.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let tenant = of("/tenantId").or_else(|| of("/properties/tenantId"));
    let tenant = tenant.and_then(|id| Uuid::try_parse(&id).ok());
    let tenant =
        tenant.ok_or_else(|| Reason::unread(format!("{root} does not tell its tenant"), "try again"))?;
    if old.connection.tenant.is_some_and(|own| own != tenant) {
        let reason = format!("its tenant is not that of its scope, {tenant}");
        return Err(Reason::new(reason, "write down what it is to be: wif connection plan FILE"));
    }
    let identity = to.identity(&old.candidate.project.name, &name);
    let region = match to {
        To::Application => None,
        To::ManagedIdentity { resource_group, subscription } => {
            let group = format!("/subscriptions/{subscription}/resourceGroups/{resource_group}");
            let region =
                services.region(&group).await.map_err(|error| unread("the resource group", &error))?;
            let gone = || Reason::new(format!("{group} is not there"), "make the resource group");
            Some(region.ok_or_else(gone)?)
        }
    };
    let key = key(ground.id, old.candidate.project.id, &name);
    let access = gathered.roles.iter();
    let access = access.map(|one| RequestedRole { role: one.role.clone(), scope: one.scope.clone() });
    let place = format!("{name} beside {own}");
    let projects = old.projects.iter().map(|(project, _)| project.name.clone()).collect();
    let request = Request {
        access: access.collect(),
        ..Request::unwritten(place, &name, projects, identity, old.scope)
    };
    let description = one_line(old.connection.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION);
    // The mark of one that was made for a request belongs to that request.
    let description = description.split("; made by wif").next().unwrap_or_default().to_owned();
    let old_names = names.iter().filter(|_| arguments.swap_names);
    let beside = Beside {
        connection: old.connection.id,
        name: own.to_owned(),
        description,
        names: names.iter().map(|name| format!("{name}{suffix}")).collect(),
        old_names: old_names.cloned().collect(),
        found: None,
    };
    Ok(Asked {
        request,
        key,
        is_there: false,
        is_own: true,
        tenant,
        scope_name: of("/displayName").or_else(|| of("/properties/displayName")).unwrap_or_default(),
        projects: old.projects.iter().map(|(project, _)| project.clone()).collect(),
        region,
        beside: Some(Box::new(beside)),
    })
}

/// Those of the steps that are not done yet, where an earlier plan was begun.
async fn open(
    ground: &Gathered,
    asked: &Asked,
    (id, client): (Uuid, Uuid),
    all: Vec<Step>,
) -> Result<Vec<Step>, Reason> {
    let services = &ground.services;
    let unread = |error: &dyn std::fmt::Display| {
        Reason::unread(
            format!("what was made for it could not be read: {error}"),
            "use tokens that may read it",
        )
    };
    let found = look::connection(services, asked, id).await.map_err(|error| unread(&error))?;
    let identity = look::identity(services, &asked.request.identity, &asked.key).await;
    let identity = identity.map_err(|error| unread(&error))?;
    let new = &asked.request.connection;
    match (&found, &identity) {
        (Found::Foreign, _) => {
            let reason = format!("another connection is called {new}");
            return Err(Reason::new(reason, "take another --name-suffix"));
        }
        (_, Some(identity)) if identity.client == client => {
            let reason = "its identity is the one that the new connection would get";
            return Err(Reason::new(reason, "nothing is to be done, or take another --name-suffix"));
        }
        (_, Some(identity)) if !identity.is_own => {
            let reason = "an identity of the new one's name is there, and was not made for it";
            return Err(Reason::new(reason, "take another --name-suffix"));
        }
        (Found::There(raw), identity) => {
            let client = look::parameter(raw, "serviceprincipalid").and_then(|id| Uuid::try_parse(&id).ok());
            if client.is_none() || client != identity.as_ref().map(|one| one.client) {
                let reason = format!("{new} is there, with another identity than this plan would make");
                return Err(Reason::new(reason, "take another --name-suffix, or take the first back"));
            }
        }
        (Found::Absent, None) => return Ok(all),
        (Found::Absent, Some(_)) => {}
    }
    let mut open = Vec::new();
    for mut step in all {
        let Action::Follow(change) = step.action.clone() else {
            open.push(step);
            continue;
        };
        let work = Work {
            services,
            organization: ground.id,
            asked,
            connection: id,
            change: &change,
            is_undone: false,
            learned: RefCell::default(),
        };
        match work.progress().await {
            Ok(Progress::Done) if change != Change::Report => {}
            Ok(_) | Err(Stuck::Missing(_)) => {
                step.ids = work.learned.take().shared();
                open.push(step);
            }
            Err(Stuck::Call(error)) => return Err(unread(&error)),
            Err(Stuck::Wrong(text)) => {
                return Err(Reason::new(text, "take the first one back: wif rollback"));
            }
        }
    }
    Ok(open)
}
