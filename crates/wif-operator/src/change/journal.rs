//! The journal of an application: JSON Lines, each with the hash of the line before, synced before the call that it announces.

use std::{
    cell::RefCell,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ids::Ids,
    plan::{Plan, hex},
};
use crate::{input, moment::Moment};

/// The largest journal, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// SHA-256 of the line before, without its end; empty in the first line.
    pub before: String,
    /// When it was written.
    pub time: Moment,
    /// What happened.
    pub phase: Phase,
    /// The connection that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection: Option<Uuid>,
    /// The number of the step, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<usize>,
    /// By which the service finds the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// The code of a failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// What there is to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// What was read of the step's objects.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ids: Option<Box<Ids>>,
    /// The process, where one begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// The plan, in the first line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<Box<Plan>>,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The application begins.
    Begin,
    /// Another process goes on.
    Resume,
    /// A call is about to be sent.
    Intent,
    /// The service has answered that it has done it.
    Seen,
    /// It was read back: this plan has made the change.
    Verified,
    /// It was read before any call: nothing had to be done.
    Found,
    /// The step has failed.
    Failed,
    /// A call that undoes a step is about to be sent.
    UndoIntent,
    /// The step was undone, and that was read back.
    Undone,
    /// The step could not be undone.
    NotUndone,
    /// The connection is as it was before.
    PutBack,
    /// The connection is done.
    Done,
    /// What was read for the plan does not hold any more; nothing was done.
    Stale,
    /// The connection waits for a person or a run.
    Waits,
    /// The application has ended.
    End,
}

/// What is told of an event.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// By which the service finds the request.
    pub request: Option<String>,
    /// The code of a failure.
    pub code: Option<String>,
    /// What there is to say.
    pub text: Option<String>,
    /// What was read of the step's objects.
    pub ids: Ids,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A line is not what was written.
    #[error("line {0} is not what was written: the chain of hashes breaks there")]
    Broken(usize),
    /// It has no plan.
    #[error("it is not a journal of wif apply")]
    NotAJournal,
    /// It is there already.
    #[error("it is there already")]
    Exists,
    /// It is longer than what is read.
    #[error("it is longer than {} MiB", MAX_BYTES / 1024 / 1024)]
    TooLong,
    /// Another process holds it.
    #[error("process {} applies it", .0.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string()))]
    InUse(Option<u32>),
}

/// A journal that this process writes. It is locked as long as this lives.
pub struct Journal {
    state: RefCell<State>,
}

struct State {
    file: File,
    /// A line could not be written: what is there of it stays the last one.
    is_torn: bool,
    seq: u64,
    before: String,
}

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The lines.
    pub entries: Vec<Entry>,
    /// The plan.
    pub plan: Plan,
    /// How long the whole lines are, in bytes: what follows is a line that was cut off.
    whole: u64,
    last: String,
}

/// The journal of a plan.
#[must_use]
pub fn path_of(plan: &Path) -> PathBuf {
    let mut name = plan.as_os_str().to_owned();
    name.push(".journal");
    PathBuf::from(name)
}

/// Reads a journal.
///
/// # Errors
///
/// It cannot be read, is none, or was changed.
pub fn read(path: &Path) -> Result<Read, JournalError> {
    parse(&bytes_of(&input::open(path)?)?)
}

/// What is in a file, if it is not too long.
fn bytes_of(file: &File) -> Result<Vec<u8>, JournalError> {
    if file.metadata()?.len() > MAX_BYTES {
        return Err(JournalError::TooLong);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Read, JournalError> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut last, mut whole) = (String::new(), 0);
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // The process ended while it wrote this line: what it announces was not sent.
        let Some(text) = line.strip_suffix(b"\n") else { break };
        let broken = || JournalError::Broken(at + 1);
        let entry: Entry = serde_json::from_slice(text).map_err(|_error| broken())?;
        let expected = u64::try_from(at + 1).unwrap_or(u64::MAX);
        if entry.before != last || entry.seq != expected {
            return Err(broken());
        }
        last = hex(text);
        whole += u64::try_from(line.len()).unwrap_or_default();
        entries.push(entry);
    }
    let plan = entries.first().and_then(|entry| entry.plan.clone()).ok_or(JournalError::NotAJournal)?;
    Ok(Read { entries, plan: *plan, whole, last })
}

impl Journal {
    /// Begins one. It has its lock and its first line when it appears under its name.
    ///
    /// # Errors
    ///
    /// It is there already, another process holds it, or it cannot be written.
    pub fn begin(path: &Path, plan: &Plan, time: Moment) -> Result<Self, JournalError> {
        if let Some(error) = Self::existing(path) {
            return Err(error);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let made = Self::make(&beside, plan, time).and_then(|journal| match fs::hard_link(&beside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Self::existing(path).unwrap_or(JournalError::Exists))
            }
            Err(error) => Err(error.into()),
            Ok(()) => Ok(journal),
        });
        // It may not exist; the result says what is to be known.
        let _ = fs::remove_file(&beside);
        let journal = made?;
        sync_folder(path)?;
        Ok(journal)
    }

    /// Why a journal that is there is in the way.
    fn existing(path: &Path) -> Option<JournalError> {
        let file = File::open(path).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Some(JournalError::InUse(pid(path))),
            _ => Some(JournalError::Exists),
        }
    }

    fn make(path: &Path, plan: &Plan, time: Moment) -> Result<Self, JournalError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        file.try_lock().map_err(|_error| JournalError::InUse(None))?;
        let state = RefCell::new(State { file, is_torn: false, seq: 0, before: String::new() });
        let journal = Self { state };
        let pid = Some(std::process::id());
        journal.append(Entry { pid, plan: Some(Box::new(plan.clone())), ..entry(Phase::Begin, time) })?;
        Ok(journal)
    }

    /// Takes one over, and cuts a line off that was not written to its end.
    ///
    /// # Errors
    ///
    /// Another process holds it, it was changed, or it cannot be written.
    pub fn resume(path: &Path, time: Moment) -> Result<(Self, Read), JournalError> {
        // Not for appending: Windows does not let such a file be cut off.
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(pid(path))),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        let read = parse(&bytes_of(&file)?)?;
        file.set_len(read.whole)?;
        file.seek(io::SeekFrom::End(0))?;
        let seq = u64::try_from(read.entries.len()).unwrap_or_default();
        let journal =
            Self { state: RefCell::new(State { file, is_torn: false, seq, before: read.last.clone() }) };
        journal.append(Entry { pid: Some(std::process::id()), ..entry(Phase::Resume, time) })?;
        Ok((journal, read))
    }

    /// Writes a line about a step, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// It cannot be written: nothing may be sent then.
    pub fn note(
        &self,
        time: Moment,
        phase: Phase,
        (connection, step): (Option<Uuid>, Option<usize>),
        told: Told,
    ) -> Result<(), JournalError> {
        let Told { request, code, text, ids } = told;
        let step = step.map(|step| step + 1);
        let ids = (!ids.is_empty()).then(|| Box::new(ids));
        self.append(Entry { connection, step, request, code, text, ids, ..entry(phase, time) })
    }

    fn append(&self, mut entry: Entry) -> Result<(), JournalError> {
        let mut state = self.state.borrow_mut();
        entry.seq = state.seq + 1;
        entry.before.clone_from(&state.before);
        let mut line = serde_json::to_vec(&entry).map_err(io::Error::from)?;
        let hash = hex(&line);
        line.push(b'\n');
        if state.is_torn {
            return Err(io::Error::other("a line before could not be written").into());
        }
        state.is_torn = true;
        state.file.write_all(&line)?;
        state.file.sync_data()?;
        state.is_torn = false;
        state.seq = entry.seq;
        state.before = hash;
        Ok(())
    }
}

fn entry(phase: Phase, time: Moment) -> Entry {
    Entry {
        seq: 0,
        before: String::new(),
        time,
        phase,
        connection: None,
        step: None,
        request: None,
        code: None,
        text: None,
        ids: None,
        pid: None,
        plan: None,
    }
}

/// The process that wrote last.
fn pid(path: &Path) -> Option<u32> {
    read(path).ok()?.entries.iter().rev().find_map(|entry| entry.pid)
}

/// A new name is on the disk when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use wif_core::azure::cloud::Cloud;

    use crate::change::plan::{ManagedBy, PlanError, PlannedOrganization, hex};

    pub(in crate::change) fn plan() -> Plan {
        let moment = Moment::parse("2026-11-26T12:00:00Z").unwrap();
        Plan {
            schema: "wif.plan/1".to_owned(),
            tool: "1".to_owned(),
            command: "convert".to_owned(),
            made: moment,
            valid_until: moment,
            cloud: Cloud::Public,
            organization: PlannedOrganization {
                name: "contoso".to_owned(),
                id: Uuid::nil(),
                url: "https://dev.azure.com/contoso".to_owned(),
            },
            managed_by: ManagedBy::Unknown,
            items: Vec::new(),
            skipped: Vec::new(),
            facts: String::new(),
            sha256: String::new(),
        }
        .sealed()
    }

    #[test]
    fn a_plan_for_a_cloud_that_is_not_known_is_refused_though_it_has_its_sum() {
        let json = plan().to_json();
        let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let old = value.as_object_mut().unwrap().remove("sha256").unwrap();
        let mut with_cloud = |name: &str| {
            value["cloud"] = name.into();
            let sum = hex(value.to_string().as_bytes());
            let text = json.replace("\"public\"", &format!("\"{name}\""));
            Plan::parse(&text.replace(old.as_str().unwrap(), &sum))
        };
        for (name, cloud) in [("usgovernment", Cloud::UsGovernment), ("china", Cloud::China)] {
            assert_eq!(with_cloud(name).unwrap().cloud, cloud);
        }
        assert!(matches!(with_cloud("elsewhere"), Err(PlanError::Edited)));
    }

    #[test]
    fn each_line_has_the_hash_of_the_line_before_without_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.journal");
        let plan = plan();
        let journal = Journal::begin(&path, &plan, plan.made).unwrap();
        let id = Some(Uuid::from_u128(7));
        journal.note(plan.made, Phase::Intent, (id, Some(0)), Told::default()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let field = |line: &str, name: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()[name].as_str().map(str::to_owned)
        };
        assert_eq!(field(lines[0], "before").as_deref(), Some(""));
        assert_eq!(field(lines[1], "before"), Some(hex(lines[0].as_bytes())));
        let read = read(&path).unwrap();
        assert_eq!((read.entries.len(), &read.plan), (2, &plan));
        assert_eq!(read.state_of(Uuid::from_u128(7)).open, [0]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_second_process_is_told_the_first_and_an_old_journal_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.journal");
        let plan = plan();
        let journal = Journal::begin(&path, &plan, plan.made).unwrap();
        let own = Some(std::process::id());
        assert!(
            matches!(Journal::begin(&path, &plan, plan.made), Err(JournalError::InUse(pid)) if pid == own)
        );
        assert!(matches!(Journal::resume(&path, plan.made), Err(JournalError::InUse(pid)) if pid == own));
        drop(journal);
        assert!(matches!(Journal::begin(&path, &plan, plan.made), Err(JournalError::Exists)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        Journal::resume(&path, plan.made).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn after_a_line_that_could_not_be_written_nothing_more_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.journal");
        let plan = plan();
        let journal = Journal::begin(&path, &plan, plan.made).unwrap();
        let before = fs::read(&path).unwrap();
        let note = || journal.note(plan.made, Phase::End, (None, None), Told::default());
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let file = std::mem::replace(&mut journal.state.borrow_mut().file, full);
        assert!(note().is_err());
        journal.state.borrow_mut().file = file;
        assert!(note().is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_line_that_was_cut_off_is_dropped_and_one_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.journal");
        let plan = plan();
        drop(Journal::begin(&path, &plan, plan.made).unwrap());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"seq\":2,\"bef"].concat()).unwrap();
        let (journal, read_back) = Journal::resume(&path, plan.made).unwrap();
        assert_eq!(read_back.entries.len(), 1);
        drop(journal);
        assert_eq!(read(&path).unwrap().entries.len(), 2);
        let text = fs::read_to_string(&path).unwrap().replacen("\"tool\":\"1\"", "\"tool\":\"2\"", 1);
        fs::write(&path, text).unwrap();
        assert!(matches!(Journal::resume(&path, plan.made), Err(JournalError::Broken(2))));
    }
}
