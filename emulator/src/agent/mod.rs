//! The Azure Pipelines agent: runs a job on this machine as a worker process of the real agent does.
//!
//! It reproduces what a task can observe: its environment, its working folder, the handling of each line that it prints,
//! its end and the cleanup. The doc comments name the file of `microsoft/azure-pipelines-agent` in which a behavior is
//! found.
//!
//! From the top: [`Agent`] is the machine, `message` the job that the server sends, `run` goes through the stages of a
//! job, `stage` runs one of them, `attempt` starts its process, and `effects` carries out the commands in its output.

mod attempt;
mod clock;
mod command;
mod effects;
mod endpoints;
mod environment;
mod files;
mod inputs;
mod job_start;
mod log;
mod machine;
mod mask;
pub mod message;
mod orphans;
mod output;
mod process;
mod render;
mod report;
mod restrictions;
mod run;
mod running;
mod script;
mod settings;
mod stage;
mod step;
mod task_json;
mod variables;
mod yaml;

pub use command::Command;
pub use machine::Agent;
pub use orphans::ProcessRecord;
pub use render::color_text;
pub use report::{
    Attachment, Issue, IssueKind, JobReport, JobResult, JobVariable, Stage, StepReport, StepResult, Summary,
};
pub use run::RunningJob;
pub use settings::ProxySettings;
pub use step::{Condition, Shell, Step};
pub use yaml::{Pipeline, jobs_from_yaml, pipeline_from_yaml};
