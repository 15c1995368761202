//! An emulated organization, an operator who may change it, and a plan that is ready to be applied.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use emulator::{
    Emulator, Entry, Fault, Gate, Proxy,
    directory::{Execution, Person, RoleAssignment, SharedWith},
    organization::{MadeOrganization, OrganizationPlan, Planted},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    changes::{Change, Setting},
    moments::{self, Moment, changes},
};
use crate::{operator, process::Result};

const ORGANIZATION: &str = "fabrikam";
const LEADS: &str = "[Project 0000]\\Leads";
const LEADS_ID: Uuid = Uuid::from_u128(77);
/// How long a program may run before the moment comes at which it is killed.
const LONGEST_RUN: Duration = Duration::from_secs(60);

/// The services, and a folder with a plan.
pub(super) struct Scene {
    pub(super) emulator: Emulator,
    made: MadeOrganization,
    program: PathBuf,
    folder: tempfile::TempDir,
    variables: [(&'static str, String); 5],
    _proxy: Proxy,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Scene {
    /// Makes the organization and the plan of a command.
    pub(super) fn prepared(program: &Path, change: Change, setting: &Setting) -> Result<Self> {
        let emulator = Emulator::start();
        let planted: &[Planted] = match change {
            Change::Convert | Change::Revert | Change::Migrate | Change::Retire => &[Planted::StoredSecret],
            Change::Issuer | Change::IssuerEnd => &[Planted::OldIssuer],
            Change::Vend | Change::Rollback => &[],
        };
        let plan = OrganizationPlan::new(ORGANIZATION).projects(2).connections(1).planted(planted);
        let made = emulator.add_organization(&plan);
        let proxy = Proxy::start(Proxy::leading_to(&emulator));
        let client = emulator.add_operator(made.subscription);
        let variables = operator::variables(&emulator, &proxy, &made, client);
        let folder = tempfile::tempdir().map_err(text)?;
        let scene = Self { emulator, made, program: program.to_owned(), folder, variables, _proxy: proxy };
        (setting.set)(&mut scene.emulator.directory().quirks);
        scene.plan(change)?;
        Ok(scene)
    }

    fn plan(&self, change: Change) -> Result<()> {
        self.add_leads();
        let organization = ["--organization", ORGANIZATION];
        let output = ["--output", "plan.json"];
        let none = ["--managed-by", "none"];
        let of = |words: &[&str], ends: i32| self.ends(words, ends);
        let apply = ["apply", "first.json", "--yes"];
        match change {
            Change::Vend => {
                self.write_request()?;
                of(&[&["connection", "plan", "sc.yaml"][..], &organization, &output].concat(), 10)
            }
            Change::Rollback => {
                self.write_request()?;
                of(
                    &[&["connection", "plan", "sc.yaml", "--output", "first.json"][..], &organization]
                        .concat(),
                    10,
                )?;
                of(&apply, 0)?;
                of(&[&["rollback", "first.json.journal"][..], &output].concat(), 10)
            }
            Change::Convert => {
                of(&[&["convert", "plan", "--all-eligible"][..], &organization, &none, &output].concat(), 10)
            }
            Change::Revert => {
                let all = ["convert", "plan", "--all-eligible", "--output", "first.json"];
                of(&[&all[..], &organization, &none].concat(), 10)?;
                of(&apply, 0)?;
                let id = self.planted(Planted::StoredSecret).to_string();
                of(
                    &[&["revert", "plan", "--connection", &id][..], &organization, &none, &output].concat(),
                    10,
                )
            }
            Change::Issuer | Change::IssuerEnd => {
                of(&[&["issuer", "plan", "--all-eligible"][..], &organization, &none, &output].concat(), 10)?;
                if change == Change::IssuerEnd {
                    of(&["apply", "plan.json", "--yes"], 10)?;
                    self.run_of_pipeline(self.planted(Planted::OldIssuer));
                }
                Ok(())
            }
            Change::Migrate => {
                let id = self.dress_old();
                let migrate = ["migrate", "plan", "--swap-names", "--connection", &id];
                of(&[&migrate[..], &organization, &output].concat(), 10)
            }
            Change::Retire => {
                let id = self.dress_old();
                let migrate = ["migrate", "plan", "--output", "first.json", "--connection", &id];
                of(&[&migrate[..], &organization].concat(), 10)?;
                of(&apply, 0)?;
                let name = format!(
                    "{}-wif",
                    self.emulator.directory().connection(self.planted(Planted::StoredSecret)).name
                );
                let new =
                    self.emulator.directory().connections().find(|one| one.name == name).map(|one| one.id);
                self.run_of_pipeline(new.ok_or("the new connection is not there")?);
                of(&[&["migrate", "retire", "plan", "first.json.journal"][..], &none, &output].concat(), 10)
            }
        }
    }

    fn planted(&self, planted: Planted) -> Uuid {
        self.made.planted.get(&planted).copied().unwrap_or_default()
    }

    fn add_leads(&self) {
        self.emulator.directory().known_identities.push(Person {
            id: LEADS_ID,
            name: LEADS.to_owned(),
            unique_name: "vstfs:///Classification/TeamProject/1\\Leads".to_owned(),
            disabled: false,
            gone: false,
        });
    }

    fn write_request(&self) -> Result<()> {
        let subscription = self.made.subscription;
        let request = json!({
            "apiVersion": "wif/v1",
            "connection": "sc-platform-prod",
            "projects": ["Project 0000", "Project 0001"],
            "identity": { "kind": "application", "name": "platform-prod" },
            "scope": { "subscription": subscription, "resourceGroup": "rg-app" },
            "access": [{ "role": "Reader", "scope": format!("/subscriptions/{subscription}/resourceGroups/rg-app") }],
            "pipelines": ["pipeline-2"],
            "checks": { "branches": ["refs/heads/main"], "approvers": [LEADS] },
            "owner": "platform-team@contoso.com",
            "reason": "CHG-1042",
        });
        fs::write(self.folder.path().join("sc.yaml"), request.to_string()).map_err(text)
    }

    /// Gives the old connection what a migration copies. Tells its id.
    fn dress_old(&self) -> String {
        let id = self.planted(Planted::StoredSecret);
        let mut directory = self.emulator.directory();
        let other = self.made.projects.last().copied().unwrap_or_default();
        let client = directory.connection(id).client;
        let record = &mut directory.connection(id).record;
        record.shared_with = vec![SharedWith { project: other, name: "sc-there".to_owned() }];
        (record.pipelines, record.pipelines_elsewhere) = (vec![2], vec![(other, 3)]);
        record.checks = vec![json!({
            "type": { "id": "8c6f20a7-a545-4486-9777-f762fafe0d4d", "name": "Approval" },
            "settings": { "approvers": [{ "id": LEADS_ID, "displayName": "Leads" }], "minRequiredApprovers": 1 },
            "timeout": 43200,
        })];
        let principal = directory.app(client).object_id;
        let known = directory.role_assignments.iter().find(|one| one.principal == principal).cloned();
        directory.role_assignments.extend(known.map(|known| RoleAssignment {
            id: Uuid::from_u128(4711),
            scope: format!("/subscriptions/{}/resourceGroups/rg-data", self.made.subscription),
            condition: Some("((!(ActionMatches{'Microsoft.Storage/*'})))".to_owned()),
            condition_version: Some("2.0".to_owned()),
            ..known
        }));
        id.to_string()
    }

    /// A pipeline runs on a connection, and succeeds.
    fn run_of_pipeline(&self, connection: Uuid) {
        let started = self.emulator.now() + Duration::from_secs(1);
        let finished = Some(started + Duration::from_secs(60));
        let run = Execution { pipeline: 2, started, finished, result: "succeeded".to_owned() };
        self.emulator.directory().connection(connection).record.history.insert(0, run);
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(super) fn ends(&self, words: &[&str], expected: i32) -> Result<()> {
        let output = self.command(&self.program).args(words).output().map_err(text)?;
        if output.status.code() == Some(expected) {
            return Ok(());
        }
        Err(format!(
            "wif {} ended with {}, expected {expected}\n{}{}\n{}",
            words.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.emulator.journal_text()
        ))
    }

    /// How an apply is gone on with: anew, where it was killed before it had a journal.
    pub(super) fn resumed(&self, change: Change) -> Vec<&'static str> {
        let has_journal = self.lines() > 0;
        if has_journal { vec!["apply", "plan.json", "--yes", "--resume"] } else { change.disturbed() }
    }

    /// Lets go wrong what goes wrong under a setting, while a plan is applied. The gate of a kill comes before it.
    pub(super) fn go_wrong(&self, setting: &Setting) {
        for fault in (setting.faults)() {
            self.emulator.fault(fault);
        }
    }

    /// Runs the program under a setting until it is killed at a moment.
    pub(super) fn killed(&self, words: &[&str], setting: &Setting, moment: Moment) -> Result<()> {
        let gate = match moment {
            Moment::Sent(call) => Some(self.held(Fault::gate, call)),
            Moment::Acted(call) => Some(self.held(Fault::answer_gate, call)),
            Moment::Written(_) | Moment::Unwritten(_) => None,
        };
        self.go_wrong(setting);
        let mut child = match moment {
            Moment::Written(line) => self.traced("fdatasync", line, words)?,
            Moment::Unwritten(line) => self.traced("write", line, words)?,
            Moment::Sent(_) | Moment::Acted(_) => {
                let mut command = self.command(&self.program);
                command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(text)?
            }
        };
        let ended = Self::until_killed(&mut child, gate.as_ref());
        self.emulator.mend();
        ended
    }

    /// Under strace, which kills the program as it enters the system call of this number that its journal needs: only the journal is
    /// synced so, and it is known by its name, before and after it has got its final one.
    fn traced(&self, call: &str, number: usize, words: &[&str]) -> Result<Child> {
        // The program has the process id of this shell: strace stands beside it.
        let script = r#"call=$1 number=$2 program=$3; shift 3
exec /usr/bin/strace -D -qq -f -o /dev/null -P "$PWD/.plan.json.journal.$$.part" -P "$PWD/plan.json.journal" \
  -e "trace=$call" -e "inject=$call:signal=KILL:when=$number" "$program" "$@""#;
        let mut command = self.command("/bin/sh");
        command.args(["-c", script, "sh", call, &number.to_string()]).arg(&self.program).args(words);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(text)
    }

    /// Holds the call of this number on its way.
    fn held(&self, hold: fn(Fault, &Gate) -> Fault, call: usize) -> Gate {
        let gate = Gate::new();
        self.emulator.fault(hold(Fault::on_such(changes).nth(call), &gate));
        gate
    }

    fn until_killed(child: &mut Child, gate: Option<&Gate>) -> Result<()> {
        let end = now() + LONGEST_RUN;
        while now() < end {
            if let Some(status) = child.try_wait().map_err(text)? {
                return match status.code() {
                    // Killed by a signal.
                    None => Ok(()),
                    Some(code) => Err(format!("it ended with {code} before the moment came")),
                };
            }
            if gate.is_some_and(|gate| gate.waiting() > 0) {
                return child.kill().and_then(|()| child.wait()).map(|_status| ()).map_err(text);
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill().and_then(|()| child.wait());
        Err("the moment did not come within a minute".to_owned())
    }

    fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("plan.json.journal")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many lines the journal has.
    pub(super) fn lines(&self) -> usize {
        self.journal().len()
    }

    /// How many calls the journal has announced.
    pub(super) fn intents(&self) -> usize {
        let is_intent = |line: &&Value| line["phase"] == "intent" || line["phase"] == "undoIntent";
        self.journal().iter().filter(is_intent).count()
    }

    fn written(&self, from: usize) -> Vec<Entry> {
        self.emulator
            .journal()
            .into_iter()
            .skip(from)
            .filter(|entry| changes(&entry.method, &entry.path))
            .collect()
    }

    /// How many calls were received since that change something, but for those that were turned away for a moment: these are sent again
    /// as they are.
    pub(super) fn writes(&self, from: usize) -> usize {
        self.written(from).iter().filter(|entry| !is_turned_away(entry)).count()
    }

    /// How often each call was received since that makes a second one, or is refused, if it is sent twice.
    pub(super) fn sent_once(&self, from: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for entry in
            self.written(from).iter().filter(|entry| moments::makes_another(entry) && !is_turned_away(entry))
        {
            *counts.entry(Self::name_of(entry)).or_default() += 1;
        }
        counts
    }

    /// The name of the call of this number that changes something.
    pub(super) fn nth_write(&self, from: usize, number: usize) -> Option<String> {
        self.written(from).get(number.checked_sub(1)?).map(Self::name_of)
    }

    fn name_of(entry: &Entry) -> String {
        format!("{} {:?} {}", entry.method, entry.service, entry.path)
    }
}

fn is_turned_away(entry: &Entry) -> bool {
    entry.status == Some(429)
}

#[expect(clippy::disallowed_methods, reason = "a chore takes the time of the programs that it runs")]
fn now() -> Instant {
    Instant::now()
}
