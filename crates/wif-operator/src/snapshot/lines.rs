//! A snapshot as a file: JSON Lines, a record on each line, so that neither side has to hold the whole text.
//!
//! The first line says what the file is, the last how many records there are: a file that was cut short is refused.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wif_core::{azure::cloud::Cloud, foreign_text::one_line};

use super::{
    Coverage, Layer, Organization, Project, Snapshot,
    connection::Connection,
    identity::{Identity, Subscription, Tenant},
};
use crate::{cloud_name::CloudName, moment::Moment};

/// The version of the file.
pub const SCHEMA: &str = "wif.snapshot/1";
/// The longest line, in bytes.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;
/// The longest version that an error shows, in characters.
const MAX_VERSION: usize = 40;
/// The most records.
const MAX_RECORDS: usize = 2_000_000;

/// A snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Reading failed.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is not one of a snapshot.
    #[error("line 1: it is not a snapshot: it does not begin with \"schema\":\"{SCHEMA}\"")]
    NoSnapshot,
    /// A snapshot of another version.
    #[error("line 1: it is of version '{0}', and this program reads {SCHEMA}")]
    Version(String),
    /// A line is not a record.
    #[error("line {line}: {why}")]
    Record {
        /// The number of the line, from 1.
        line: usize,
        /// Why, in words.
        why: String,
    },
    /// The last line is missing.
    #[error("it was cut short: its last line, with the number of records, is missing")]
    CutShort,
}

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: String,
    taken: Moment,
    depth: Layer,
    #[serde(with = "CloudName", default = "public")]
    cloud: Cloud,
    projects: Vec<String>,
    redacted: bool,
}

/// The cloud of files that name none.
const fn public() -> Cloud {
    Cloud::Public
}

/// A line after the first, as it is written. What follows an organization belongs to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Written<'a> {
    Organization(Named<'a>),
    Project(&'a Project),
    Connection(&'a Connection),
    Identity(&'a Identity),
    Subscription(&'a Subscription),
    Tenant(&'a Tenant),
    Coverage(&'a Coverage),
    End(usize),
}

/// An organization without its parts, as it is written.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    id: Option<Uuid>,
    tenant: Option<Uuid>,
}

/// A line after the first, as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Record {
    Organization(Owned),
    Project(Project),
    Connection(Box<Connection>),
    Identity(Box<Identity>),
    Subscription(Subscription),
    Tenant(Tenant),
    Coverage(Coverage),
    End(usize),
}

/// An organization without its parts, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owned {
    name: String,
    id: Option<Uuid>,
    tenant: Option<Uuid>,
}

/// Writes a snapshot.
///
/// # Errors
///
/// Writing fails.
pub fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let Snapshot { taken, depth, cloud, projects, redacted, organizations } = snapshot;
    let header = Header {
        schema: SCHEMA.to_owned(),
        taken: *taken,
        depth: *depth,
        cloud: *cloud,
        projects: projects.clone(),
        redacted: *redacted,
    };
    serde_json::to_writer(&mut *out, &header)?;
    out.write_all(b"\n")?;
    let mut records = 0;
    let mut line = |record: &Written<'_>| {
        records += 1;
        serde_json::to_writer(&mut *out, record)?;
        out.write_all(b"\n")
    };
    for organization in organizations {
        let Organization { name, id, tenant, .. } = organization;
        line(&Written::Organization(Named { name, id: *id, tenant: *tenant }))?;
        organization.projects.iter().map(Written::Project).try_for_each(|part| line(&part))?;
        organization.connections.iter().map(Written::Connection).try_for_each(|part| line(&part))?;
        organization.identities.iter().map(Written::Identity).try_for_each(|part| line(&part))?;
        organization.subscriptions.iter().map(Written::Subscription).try_for_each(|part| line(&part))?;
        organization.tenants.iter().map(Written::Tenant).try_for_each(|part| line(&part))?;
        organization.coverage.iter().map(Written::Coverage).try_for_each(|part| line(&part))?;
    }
    let end = Written::End(records);
    serde_json::to_writer(&mut *out, &end)?;
    out.write_all(b"\n")
}

/// Reads a snapshot.
///
/// # Errors
///
/// It is none, of another version, damaged, or cut short.
pub fn read(input: &mut dyn BufRead) -> Result<Snapshot, SnapshotError> {
    let mut line = Vec::new();
    next(input, &mut line, 1)?;
    let header: Header = header(&line)?;
    let Header { taken, depth, cloud, projects, redacted, .. } = header;
    let mut snapshot = Snapshot { taken, depth, cloud, projects, redacted, organizations: Vec::new() };
    for records in 0..=MAX_RECORDS {
        let number = records + 2;
        next(input, &mut line, number)?;
        if line.is_empty() {
            return Err(SnapshotError::CutShort);
        }
        let record = serde_json::from_slice(&line).map_err(|error| SnapshotError::Record {
            line: number,
            why: format!("it is not a record of {SCHEMA}: {error}"),
        })?;
        if let Record::End(expected) = record {
            next(input, &mut line, number + 1)?;
            if !line.is_empty() || expected != records {
                let why = format!(
                    "it says that {expected} records come before it, and there are {records}, or more follow"
                );
                return Err(SnapshotError::Record { line: number, why });
            }
            snapshot.sort();
            return Ok(snapshot);
        }
        add(&mut snapshot, record).ok_or_else(|| SnapshotError::Record {
            line: number,
            why: "it belongs to an organization, and none comes before it".to_owned(),
        })?;
    }
    Err(SnapshotError::Record { line: MAX_RECORDS, why: format!("more than {MAX_RECORDS} records") })
}

/// The next line, without its end; empty at the end of the file.
fn next(input: &mut dyn BufRead, line: &mut Vec<u8>, number: usize) -> Result<(), SnapshotError> {
    line.clear();
    io::Read::take(&mut *input, MAX_LINE_BYTES).read_until(b'\n', line)?;
    if line.pop_if(|byte| *byte == b'\n').is_none() && !line.is_empty() {
        if line.len() as u64 == MAX_LINE_BYTES {
            let why = format!("it has more than {MAX_LINE_BYTES} bytes");
            return Err(SnapshotError::Record { line: number, why });
        }
        return Err(SnapshotError::CutShort);
    }
    Ok(())
}

fn header(line: &[u8]) -> Result<Header, SnapshotError> {
    #[derive(Deserialize)]
    struct Version {
        schema: String,
    }
    let Ok(Version { schema }) = serde_json::from_slice(line) else { return Err(SnapshotError::NoSnapshot) };
    if schema != SCHEMA {
        return Err(if schema.starts_with("wif.snapshot/") {
            SnapshotError::Version(one_line(&schema, MAX_VERSION))
        } else {
            SnapshotError::NoSnapshot
        });
    }
    serde_json::from_slice(line).map_err(|error| SnapshotError::Record {
        line: 1,
        why: format!("its first line is damaged: {error}"),
    })
}

/// Adds a record to the organization that was read last. None, if there is no organization yet.
fn add(snapshot: &mut Snapshot, record: Record) -> Option<()> {
    if let Record::Organization(Owned { name, id, tenant }) = record {
        snapshot.organizations.push(Organization { id, tenant, ..Organization::new(name) });
        return Some(());
    }
    let organization = snapshot.organizations.last_mut()?;
    match record {
        Record::Project(part) => organization.projects.push(part),
        Record::Connection(mut part) => {
            part.shrink();
            organization.connections.push(*part);
        }
        Record::Identity(mut part) => {
            part.shrink();
            organization.identities.push(*part);
        }
        Record::Subscription(part) => organization.subscriptions.push(part),
        Record::Tenant(part) => organization.tenants.push(part),
        Record::Coverage(part) => organization.coverage.push(part),
        Record::Organization(_) | Record::End(_) => {}
    }
    Some(())
}
