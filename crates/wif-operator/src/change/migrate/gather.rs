//! Reads what an old connection and its identity have: roles with their terms, permissions, checks, and what cannot be copied.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::eligible::Old;
use crate::change::{
    candidate::Reason,
    observe::{Observed, Unobserved, observe},
    plan::PlannedProject,
    service::{CallError, Services},
    vend::asked::CopiedRole,
};

/// What an old connection and its identity have.
pub struct Gathered {
    /// The connection and its identity.
    pub observed: Observed,
    /// The roles of its identity, as each is at this moment.
    pub roles: Vec<CopiedRole>,
    /// Its guards in each of its projects, the owner first.
    pub projects: Vec<Guards>,
    /// What its identity has that is no role of Azure, in words; or why that could not be read.
    pub beyond: Vec<Result<String, String>>,
}

/// Who may use a connection in a project.
pub struct Guards {
    /// The project.
    pub project: PlannedProject,
    /// Whether every pipeline may use it.
    pub is_open: bool,
    /// The pipelines that may use it by themselves and still exist, and those that have used it where it is open to all.
    pub pipelines: Vec<Pipeline>,
    /// Pipelines that are authorized, and do not exist any more.
    pub gone: Vec<u64>,
    /// Classic releases that have used it, by their names: they hold its id.
    pub releases: BTreeSet<String>,
    /// Its checks, as Azure DevOps has them. One that is in several projects is in the first only.
    pub checks: Vec<Value>,
    /// Who holds a role on it there that does not come from the project, in words.
    pub members: Vec<String>,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pipeline {
    /// The number of its definition.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// The reason why something could not be read.
fn unread(what: &str, error: &CallError) -> Reason {
    Reason::unread(format!("{what} could not be read: {error}"), "use tokens that may read it")
}

/// Reads what an old connection has.
///
/// # Errors
///
/// Something that is to be copied could not be read.
pub async fn gather(services: &Services, old: &Old<'_>) -> Result<Gathered, Reason> {
    let observed = observed(services, old).await?;
    let roles = roles(services, old).await?;
    let mut seen = BTreeSet::new();
    let mut projects = Vec::new();
    for (project, _) in &old.projects {
        projects.push(guards(services, old.connection.id, project, &mut seen).await?);
    }
    let beyond = match old.identity.principal_object {
        Some(principal) => beyond(services, principal, &old.roots).await,
        None => Vec::new(),
    };
    Ok(Gathered { observed, roles, projects, beyond })
}

/// Reads an old connection and its identity.
///
/// # Errors
///
/// One of them is gone, or could not be read.
pub async fn observed(services: &Services, old: &Old<'_>) -> Result<Observed, Reason> {
    observe(services, &old.candidate.target).await.map_err(|error| match error {
        Unobserved::NoApplication => Reason::new("its application is gone", "delete the connection"),
        Unobserved::NoConnection => Reason::new("it is gone", "nothing is to be done"),
        error => Reason::unread(error.to_string(), "use tokens that may read it"),
    })
}

/// Reads the roles of an old identity, each as it is at this moment.
///
/// # Errors
///
/// One of them could not be read, or is gone.
pub async fn roles(services: &Services, old: &Old<'_>) -> Result<Vec<CopiedRole>, Reason> {
    let mut roles = Vec::new();
    for known in old.roles {
        let path = known.id.as_deref().unwrap_or_default();
        let found = services.role_assignment(path).await;
        let found = found.map_err(|error| unread("one of its roles", &error))?;
        let role = known.role_id.and_then(|id| wif_core::azure::role::name_of(&id.to_string()));
        let role = role.or(known.role.as_deref());
        let copied = found.as_ref().and_then(|one| CopiedRole::read(one, role));
        roles.push(copied.ok_or_else(|| {
            Reason::unread("one of its roles was removed while it was read", "make the plan again")
        })?);
    }
    Ok(roles)
}

async fn guards(
    services: &Services,
    connection: Uuid,
    project: &PlannedProject,
    seen: &mut BTreeSet<u64>,
) -> Result<Guards, Reason> {
    let of = |what: &str| format!("{what} in {}", project.name);
    let permissions = services.permissions(project.id, connection).await;
    let permissions = permissions.map_err(|error| unread(&of("its pipeline permissions"), &error))?;
    let checks = services.checks(project.id, connection).await;
    let mut checks = checks.map_err(|error| unread(&of("its checks"), &error))?;
    checks.retain(|check| check.get("id").and_then(Value::as_u64).is_none_or(|id| seen.insert(id)));
    let runs = services.runs(project.id, connection).await;
    let runs = runs.map_err(|error| unread(&of("its runs"), &error))?;
    let existing = services.pipelines(project.id).await;
    let existing = existing.map_err(|error| unread(&of("the pipelines"), &error))?;
    // Azure DevOps answers with an empty list also where it may not be seen: then no member is named.
    let members = services.members(project.id, connection).await;
    let members = members.map_err(|error| unread(&of("its administrators and users"), &error))?;
    let is_open = permissions.pointer("/allPipelines/authorized").and_then(Value::as_bool) == Some(true);
    let allowed = permissions.get("pipelines").and_then(Value::as_array).into_iter().flatten();
    let allowed = allowed.filter(|one| one.get("authorized").and_then(Value::as_bool) == Some(true));
    let mut wanted: BTreeSet<u64> = allowed.filter_map(|one| one.get("id")?.as_u64()).collect();
    let mut releases = BTreeSet::new();
    for run in &runs {
        let definition = run.pointer("/data/definition");
        let kind = run.pointer("/data/planType").and_then(Value::as_str).unwrap_or_default();
        if kind.eq_ignore_ascii_case("Release") {
            let name = definition.and_then(|one| one.get("name")?.as_str()).unwrap_or("(without a name)");
            releases.insert(name.to_owned());
        } else if is_open {
            wanted.extend(definition.and_then(|one| one.get("id")?.as_u64()));
        }
    }
    let named = |id: u64| {
        let found = existing.iter().find(|one| one.get("id").and_then(Value::as_u64) == Some(id))?;
        let name = found.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Pipeline { id, name })
    };
    let pipelines: Vec<_> = wanted.iter().filter_map(|id| named(*id)).collect();
    let gone = wanted.iter().copied().filter(|id| named(*id).is_none()).collect();
    let members = members.iter().filter_map(member).collect();
    Ok(Guards { project: project.clone(), is_open, pipelines, gone, releases, checks, members })
}

fn member(one: &Value) -> Option<String> {
    let of = |path: &str| one.pointer(path).and_then(Value::as_str);
    if of("/access").is_some_and(|access| access.eq_ignore_ascii_case("inherited")) {
        return None;
    }
    let name = of("/identity/displayName").or_else(|| of("/identity/uniqueName"));
    let role = of("/role/displayName").or_else(|| of("/role/name"));
    Some(format!("{} is {}", name.unwrap_or("(without a name)"), role.unwrap_or("(a role)")))
}

/// What an identity has in Entra and Azure that is not copied.
async fn beyond(services: &Services, principal: Uuid, roots: &[&str]) -> Vec<Result<String, String>> {
    let mut all = Vec::new();
    match services.memberships(principal).await {
        Ok(found) => all.extend(found.iter().map(|one| {
            let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
            let what = match text("@odata.type").rsplit('.').next().unwrap_or_default() {
                "directoryRole" => "holds the directory role",
                "administrativeUnit" => "is in the administrative unit",
                _ => "is in the group",
            };
            Ok(format!("{what} {} ({})", text("displayName"), text("id")))
        })),
        Err(error) => all.push(Err(format!("groups and directory roles could not be read: {error}"))),
    }
    match services.granted_permissions(principal).await {
        Ok(found) => all.extend(found.iter().map(|one| {
            let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
            let (role, resource) = (text("appRoleId"), text("resourceDisplayName"));
            Ok(format!("has the application permission {role} of {resource}"))
        })),
        Err(error) => all.push(Err(format!("application permissions could not be read: {error}"))),
    }
    match services.vaults_of(principal).await {
        Ok(found) => {
            all.extend(
                found.iter().map(|vault| Ok(format!("is in the access policies of the key vault {vault}"))),
            );
        }
        Err(error) => all.push(Err(format!("access policies of key vaults could not be read: {error}"))),
    }
    for root in roots {
        match services.eligible_roles(root, principal).await {
            Ok(found) => all.extend(found.iter().map(|one| {
                let of = |path: &str| one.pointer(path).and_then(Value::as_str).unwrap_or_default();
                let role = of("/properties/expandedProperties/roleDefinition/displayName");
                let role = if role.is_empty() { of("/properties/roleDefinitionId") } else { role };
                Ok(format!("is eligible for the role {role} at {}", of("/properties/scope")))
            })),
            Err(error) => all.push(Err(format!("eligible roles at {root} could not be read: {error}"))),
        }
    }
    all
}
