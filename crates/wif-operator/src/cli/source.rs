//! Where a command takes what it judges from: organizations, or a snapshot of them.

use std::{collections::BTreeSet, io::BufReader, path::Path};

use uuid::Uuid;
use wif_core::{code::Code, failure::Failure};

use super::{
    connect::{self, connect},
    files::{Readers, argument, write},
    options::ReadArguments,
    screen::Host,
};
use crate::{
    input,
    nearest::nearest,
    read::ReadOptions,
    redact::redact,
    snapshot::{Coverage, Layer, Snapshot, State, Unread, lines},
    tokens::Needs,
};

/// Reads what the arguments name. `before_redaction` sees what names people, if the arguments ask for redaction now.
///
/// # Errors
///
/// The arguments name nothing, or a file cannot be read or written.
pub(super) async fn snapshot(
    arguments: &ReadArguments,
    host: &mut Host<'_>,
    before_redaction: impl FnOnce(&Snapshot),
) -> Result<Snapshot, Failure> {
    if arguments.redact {
        host.talk.hide_addresses();
    }
    let mut snapshot = match &arguments.offline {
        Some(path) => {
            let mut snapshot = of_file(path)?;
            if let Some(layer) = arguments.layer.map(Layer::from)
                && layer > snapshot.depth
            {
                let (wanted, made) = (layer.as_str(), snapshot.depth.as_str());
                let error = format!(
                    "--layer {wanted} is deeper than the snapshot {}, which was made with --layer {made}",
                    path.display()
                );
                return Err(argument(error, "leave --layer out, or read the organization again with --save"));
            }
            tell_missing_layers(&mut snapshot, arguments.depth());
            select(&mut snapshot, arguments)?;
            snapshot
        }
        None => of_organizations(arguments, host).await?,
    };
    snapshot.sort();
    if arguments.redact {
        if !snapshot.redacted {
            before_redaction(&snapshot);
        }
        redact(&mut snapshot)
            .map_err(|error| Failure::new(Code::Bug, error, "leave --redact out, and report this"))?;
    }
    if let Some(path) = arguments.save.as_deref().filter(|path| host.may_replace(path)) {
        write(path, Readers::Owner, &mut |out| lines::write(&snapshot, out))?;
    }
    Ok(snapshot)
}

async fn of_organizations(arguments: &ReadArguments, host: &mut Host<'_>) -> Result<Snapshot, Failure> {
    let (depth, cloud) = (arguments.depth(), arguments.cloud.into());
    let needs = Needs { identities: depth > Layer::List };
    let connected = connect(host, cloud, arguments.session.as_deref(), needs).await?;
    let options = ReadOptions {
        organizations: arguments.organizations.clone(),
        projects: arguments.projects.clone(),
        depth,
        jobs: arguments.jobs.into(),
        cloud,
    };
    connect::read(&options, host, &connected).await
}

fn of_file(path: &Path) -> Result<Snapshot, Failure> {
    let shown = path.display();
    let file = input::open(path).map_err(|error| {
        argument(format!("the snapshot {shown} cannot be read: {error}"), "name a file that --save made")
    })?;
    lines::read(&mut BufReader::new(file)).map_err(|error| {
        let hint = "name a file that --save of this version made, or read the organization again";
        argument(format!("the snapshot {shown} cannot be used: {error}"), hint)
    })
}

/// Leaves what the arguments ask for.
fn select(snapshot: &mut Snapshot, arguments: &ReadArguments) -> Result<(), Failure> {
    let wanted: Vec<_> = arguments.organizations.iter().map(|text| name_of(text)).collect();
    for name in &wanted {
        let names = snapshot.organizations.iter().map(|one| one.name.as_str());
        if !names.clone().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(absent("--organization", name, names, "the snapshot"));
        }
    }
    if !wanted.is_empty() {
        snapshot.organizations.retain(|one| wanted.iter().any(|name| one.name.eq_ignore_ascii_case(name)));
    }
    select_projects(snapshot, &arguments.projects)?;
    let layer = arguments.depth();
    if layer < snapshot.depth {
        cut(snapshot, layer);
    }
    Ok(())
}

/// Adds a gap for each layer of which a snapshot says nothing: what it does not have was not seen.
fn tell_missing_layers(snapshot: &mut Snapshot, depth: Layer) {
    let made = snapshot.depth;
    for organization in &mut snapshot.organizations {
        for layer in [Layer::List, Layer::Identity, Layer::Use].into_iter().filter(|layer| *layer <= depth) {
            if organization.coverage.iter().any(|entry| entry.layer == layer) {
                continue;
            }
            let why = if layer > made {
                format!(
                    "the snapshot has none of it, since it was made with --layer {}; read the organization again",
                    made.as_str()
                )
            } else {
                "the snapshot does not say whether it was read; read the organization again".to_owned()
            };
            let state = State::Failed;
            organization.coverage.push(Coverage { project: None, layer, connection: None, state, why });
        }
    }
}

fn select_projects(snapshot: &mut Snapshot, wanted: &[String]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut wanted_names = BTreeSet::new();
    for wanted in wanted {
        let projects = || snapshot.organizations.iter().flat_map(|one| &one.projects);
        let id = Uuid::try_parse(wanted).ok();
        let is_it = |name: &str, its: Uuid| name.to_lowercase() == wanted.to_lowercase() || id == Some(its);
        let found: Vec<_> = projects().filter(|one| is_it(&one.name, one.id)).collect();
        if found.is_empty() {
            let names = projects().map(|one| one.name.as_str());
            return Err(absent("--project", wanted, names, "what was read"));
        }
        wanted_names.extend(found.iter().map(|one| one.name.to_lowercase()));
    }
    let is_wanted = |name: &str| wanted_names.contains(&name.to_lowercase());
    for organization in &mut snapshot.organizations {
        organization.connections.retain(|one| one.projects.iter().any(|project| is_wanted(&project.name)));
        organization.coverage.retain(|entry| entry.project.as_deref().is_none_or(is_wanted));
    }
    snapshot.projects = wanted.to_vec();
    Ok(())
}

/// Leaves out what deeper layers read.
fn cut(snapshot: &mut Snapshot, layer: Layer) {
    snapshot.depth = layer;
    for organization in &mut snapshot.organizations {
        organization.coverage.retain(|entry| entry.layer <= layer);
        for connection in &mut organization.connections {
            for project in &mut connection.projects {
                (project.pipelines, project.runs, project.members) = (None, None, None);
            }
            if layer < Layer::Identity {
                connection.checks = None;
            }
        }
        if layer < Layer::Identity {
            organization.identities.clear();
            organization.subscriptions.clear();
            organization.tenants.clear();
        }
    }
}

/// The name of an organization that is given by its name or URL.
fn name_of(text: &str) -> &str {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").unwrap_or(text);
    match rest.split_once(".visualstudio.com") {
        Some((name, _)) => name,
        None => rest.rsplit('/').next().unwrap_or(rest),
    }
}

/// An argument that matches nothing.
pub(super) fn absent<'a>(
    argument_name: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    place: &str,
) -> Failure {
    let near = nearest(name, names);
    let error = format!("{argument_name} '{name}' matches nothing in {place}");
    if near.is_empty() {
        return argument(error, "name one that is there, or leave the argument out");
    }
    argument(error, &format!("did you mean {}?", near.join(", ")))
}

/// The exit code where nothing at all was read: 3, if a service refused, else 4. None, if something was read.
pub(super) fn nothing_read(snapshot: &Snapshot) -> Option<u8> {
    snapshot.unread().map(|why| match why {
        Unread::Denied => 3,
        Unread::Failed => 4,
    })
}

/// Says of which organizations nothing was read, and the first reason: some formats have no place for it.
pub(super) fn tell_unread(snapshot: &Snapshot, host: &Host<'_>) {
    for organization in snapshot.organizations.iter().filter(|one| one.unread().is_some()) {
        // Of what lies deeper it is said only that nothing was listed.
        let told = organization.coverage.iter().filter(|entry| !entry.why.is_empty());
        let why = told.min_by_key(|entry| entry.layer);
        let why = why.map(|entry| format!(": {}", entry.why)).unwrap_or_default();
        host.talk.say(&format!("nothing was read of {}{why}", organization.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Planted;

    #[test]
    fn a_remark_about_a_layer_is_nothing_read_and_a_connection_is() {
        let mut snapshot = Planted::new().snapshot();
        let entry = |state| {
            let (layer, why) = (Layer::List, String::new());
            Coverage { project: None, layer, connection: None, state, why }
        };
        snapshot.organizations.truncate(1);
        snapshot.organizations[0].coverage = vec![entry(State::Partial), entry(State::Denied)];
        assert_eq!(nothing_read(&snapshot), None);
        snapshot.organizations[0].connections.clear();
        assert_eq!(nothing_read(&snapshot), Some(3));
        snapshot.organizations[0].coverage[1].state = State::Failed;
        assert_eq!(nothing_read(&snapshot), Some(4));
        snapshot.organizations[0].coverage[1].state = State::Read;
        assert_eq!(nothing_read(&snapshot), None);
    }

    #[test]
    fn what_is_known_of_other_projects_stays_when_one_is_chosen() {
        let mut snapshot = Planted::new().snapshot();
        let before = snapshot.organizations[0].projects.clone();
        assert!(before.len() > 1);
        select_projects(&mut snapshot, &["Platform".to_owned()]).unwrap();
        assert_eq!(snapshot.organizations[0].projects, before);
        assert_eq!(snapshot.projects, ["Platform"]);
    }

    #[test]
    fn an_organization_is_named_by_its_name_or_url() {
        for text in [
            "contoso",
            "https://dev.azure.com/contoso",
            "https://dev.azure.com/contoso/",
            "https://contoso.visualstudio.com",
        ] {
            assert_eq!(name_of(text), "contoso");
        }
    }
}
