//! Handles a line of output: text goes to the log, and a command is carried out at once
//! (`WorkerCommandManager.cs`, `TaskCommandExtension.cs`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use uuid::Uuid;

use super::clock;
use super::command::{self, Command};
use super::report::{Attachment, IssueKind, StepResult};
use super::running::RunningStage;
use super::variables::Kind;

const REFERENCE: &str = "Please reference documentation (http://go.microsoft.com/fwlink/?LinkId=817296)";

/// The error is the text of an exception: the step fails, and the log shows the command and the text.
type CommandResult = Result<(), String>;

impl RunningStage<'_> {
    /// Handles one line of output.
    pub(super) fn process_line(&mut self, line: &str) {
        let decode = self.job.variables.knob("DECODE_PERCENTS", &self.job.agent.machine, true);
        let Some(command) = Command::parse(line, decode) else {
            if line.contains("##vso") {
                self.warning(&format!(
                    "'{line}' contains logging command keyword '##vso', but it's not a legal command. Please see \
                     the list of accepted commands: https://go.microsoft.com/fwlink/?LinkId=817296"
                ));
            }
            self.write(line);
            return;
        };
        self.report.commands.push(command.clone());
        let known = ["task", "artifact", "build", "codecoverage", "release", "results", "telemetry"];
        if !known.iter().any(|area| area.eq_ignore_ascii_case(&command.area)) {
            let area = &command.area;
            self.warning(&format!("Cannot find command extension for ##vso[{area}.command]. {REFERENCE}"));
            return;
        }
        if let Err(reason) = self.carry_out(&command) {
            self.error(&format!("Unable to process command '{line}' successfully. {REFERENCE}"));
            self.error(&reason);
            self.command_failed = true;
        }
        if !command.is("task", "debug") {
            self.debug(&format!("Processed: {line}"));
        }
    }

    fn carry_out(&mut self, command: &Command) -> CommandResult {
        let (area, event) = (command.area.to_lowercase(), command.event.to_lowercase());
        // A secret is masked even when the command is refused afterwards.
        if area == "task" && event == "setvariable" {
            self.check_secret(command)?;
        }
        if !self.restrictions.iter().all(|source| source.allow_command(&area, &event)) {
            self.warning(&format!(
                "##vso[{area}.{event}] is not allowed in this step due to policy restrictions."
            ));
            return Ok(());
        }
        if area != "task" {
            // Artifacts, test results and the like go to the server, and change nothing in the job.
            return Ok(());
        }
        match event.as_str() {
            "setvariable" => self.set_variable(command),
            "settaskvariable" => self.set_task_variable(command),
            "setsecret" => {
                self.job.masker.add(&command.data);
                Ok(())
            }
            "complete" => self.complete(command),
            "logissue" | "issue" => self.log_issue(command),
            "logdetail" => match command.property("id").map(Uuid::parse_str) {
                Some(Ok(_)) => Ok(()),
                _ => {
                    Err("The required property 'id' of the timeline record is missing or no GUID.".to_owned())
                }
            },
            "setprogress" => Ok(()),
            "debug" => {
                self.debug(&command.data);
                Ok(())
            }
            "prependpath" => self.prepend_path(&command.data),
            "uploadsummary" => {
                let path = existing(&command.data)?;
                self.job.summaries.push(path);
                Ok(())
            }
            "uploadfile" => self.attach("DistributedTask.Core.FileAttachment", None, &command.data),
            "addattachment" => {
                let kind = command
                    .property("type")
                    .ok_or("Can't add attachment, attachment type is not provided.")?;
                let name = command
                    .property("name")
                    .ok_or("Can't add attachment, attachment name is not provided.")?;
                self.attach(kind, Some(name), &command.data)
            }
            "setendpoint" => self.set_endpoint(command),
            _ => Err(format!(
                "##vso[task.{event}] is not a recognized command for Task command extension. {REFERENCE}"
            )),
        }
    }

    fn check_secret(&mut self, command: &Command) -> CommandResult {
        if !command.flag("issecret") {
            return Ok(());
        }
        let line_end = if cfg!(windows) { "\r\n" } else { "\n" };
        let unsafe_allowed =
            self.job.variables.knob("SYSTEM_UNSAFEALLOWMULTILINESECRET", &self.job.agent.machine, false);
        if command.data.contains(line_end) && !unsafe_allowed {
            return Err("Secrets cannot contain multiple lines".to_owned());
        }
        self.job.masker.add(&command.data);
        self.job.masker.add(&command::escape(&command.data));
        Ok(())
    }

    fn may_set(&mut self, name: &str) -> bool {
        let allowed = self.restrictions.iter().all(|source| source.allow_variable(name));
        if !allowed {
            self.warning(&format!(
                "Setting variable '{name}' has been disabled by the task or build definition."
            ));
        }
        allowed
    }

    fn set_variable(&mut self, command: &Command) -> CommandResult {
        let name = required(command, "variable")?;
        if !self.may_set(name) {
            return Ok(());
        }
        let read_only =
            self.job.variables.get(name).is_some_and(|entry| entry.kind.read_only) || is_read_only(name);
        if read_only {
            if self.job.variables.knob("agent.readOnlyVariables", &self.job.agent.machine, false) {
                return Err(format!("Overwriting readonly variable '{name}' is not permitted."));
            }
            self.warning(&format!(
                "Overwriting readonly variable '{name}'. This behavior will be disabled in the future."
            ));
        }
        let listed = self.output_variables.iter().any(|output| output.eq_ignore_ascii_case(name));
        let is_output = command.flag("isoutput") || listed;
        let kind = Kind {
            secret: command.flag("issecret"),
            read_only: is_output || command.flag("isreadonly"),
            preserve_case: command.flag("preservecase"),
        };
        // An output variable is set under `STEP.NAME` only.
        let name = if is_output { format!("{}.{name}", self.report.name) } else { name.to_owned() };
        self.job.variables.set(&name, &command.data, kind);
        Ok(())
    }

    fn set_task_variable(&mut self, command: &Command) -> CommandResult {
        let name = required(command, "variable")?;
        let secret = command.flag("issecret");
        if secret {
            self.job.masker.add(&command.data);
        }
        let kind = Kind { secret, read_only: command.flag("isreadonly"), preserve_case: false };
        self.task_variables.set(name, &command.data, kind);
        Ok(())
    }

    fn complete(&mut self, command: &Command) -> CommandResult {
        let result = command.property("result").and_then(StepResult::parse);
        let result = result.ok_or("Command doesn't have valid result value.")?;
        self.result = Some(StepResult::merge(self.result, result));
        if command.flag("done") {
            self.done_since.get_or_insert_with(clock::now);
        }
        Ok(())
    }

    fn log_issue(&mut self, command: &Command) -> CommandResult {
        let code = command.property("code");
        match command.property("type").map(str::to_lowercase).as_deref() {
            Some("error") => self.issue(IssueKind::Error, code, &command.data),
            Some("warning") => self.issue(IssueKind::Warning, code, &command.data),
            Some(other) => return Err(format!("issue type {other} is not an expected issue type.")),
            None => self.warning("Can't create TaskIssue from logging event."),
        }
        Ok(())
    }

    fn prepend_path(&mut self, path: &str) -> CommandResult {
        if path.trim().is_empty() {
            return Err("Path is required for the prependpath command.".to_owned());
        }
        if self.may_set("PATH") {
            self.job.prepended.retain(|known| known != path);
            self.job.prepended.push(path.to_owned());
        }
        Ok(())
    }

    fn attach(&mut self, kind: &str, name: Option<&str>, path: &str) -> CommandResult {
        let path = existing(path)?;
        let own_name =
            || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.map_or_else(own_name, str::to_owned);
        self.job.attachments.push(Attachment { kind: kind.to_owned(), name, path });
        Ok(())
    }

    fn set_endpoint(&mut self, command: &Command) -> CommandResult {
        let (id, field) = (required(command, "id")?, required(command, "field")?);
        let id = Uuid::parse_str(id).map_err(|_error| "Endpoint id is no GUID.".to_owned())?;
        let endpoint = self.job.endpoints.iter_mut().find(|endpoint| endpoint.id == id);
        // A task cannot change the system connection.
        let endpoint = endpoint.ok_or_else(|| format!("Endpoint '{id}' does not exist."))?;
        let value = command.data.clone();
        match field.to_lowercase().as_str() {
            "url" => endpoint.url = value,
            "authparameter" => {
                self.job.masker.add(&value);
                set_key(&mut endpoint.parameters, required(command, "key")?, value);
            }
            "dataparameter" => set_key(&mut endpoint.data, required(command, "key")?, value),
            other => return Err(format!("Endpoint field '{other}' is unknown.")),
        }
        Ok(())
    }
}

fn set_key(map: &mut BTreeMap<String, String>, key: &str, value: String) {
    map.retain(|known, _| !known.eq_ignore_ascii_case(key));
    map.insert(key.to_owned(), value);
}

fn required<'a>(command: &'a Command, key: &str) -> Result<&'a str, String> {
    command
        .property(key)
        .ok_or_else(|| format!("Required field '{key}' is missing in ##vso[task.{}].", command.event))
}

fn existing(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("Cannot upload {}: the file does not exist.", path.display()))
    }
}

/// Whether the agent reserves the name (`Constants.cs`); it does not reserve `System.OidcRequestUri` and
/// `System.CollectionUri`.
fn is_read_only(name: &str) -> bool {
    let name = name.to_lowercase();
    let own = [
        "pipeline.workspace",
        "common.testresultsdirectory",
        "task.displayname",
        "task.skiptranslatorforcheckout",
    ];
    let systems = [
        "accesstoken",
        "artifactsdirectory",
        "collectionid",
        "culture",
        "debug",
        "defaultworkingdirectory",
        "definitionid",
        "definitionname",
        "enableaccesstoken",
        "hosttype",
        "jobid",
        "jobname",
        "planid",
        "stagename",
        "teamfoundationserveruri",
        "teamproject",
        "teamprojectid",
        "workfolder",
    ];
    own.contains(&name.as_str())
        || name.strip_prefix("system.").is_some_and(|rest| systems.contains(&rest))
        || ["agent.", "build.", "release."].iter().any(|area| name.starts_with(area))
}
