//! The Azure Pipelines agent: runs a job on this machine as a worker process of the real agent does.
//!
//! What a task may observe is reproduced: its environment, its working folder, what becomes of each line that it
//! prints, how it is stopped and what is cleaned up after it. The doc comments name the file of
//! `microsoft/azure-pipelines-agent` in which a behavior is found.
//!
//! Top down: [`Agent`] is the machine, `run` walks over the stages of a job, `stage` runs one of them, `attempt`
//! starts its process, `effects` carries out what its output commands, and the rest is what these need.

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
pub use report::{
    Attachment, Issue, IssueKind, JobReport, JobResult, JobVariable, Stage, StepReport, StepResult, Summary,
};
pub use run::RunningJob;
pub use settings::ProxySettings;
pub use step::{Condition, Shell, Step};
pub use yaml::{Pipeline, jobs_from_yaml, pipeline_from_yaml};
