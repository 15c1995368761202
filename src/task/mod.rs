//! The task's stages: `run` is the main one, `post` the one after the job.

mod arrival;
mod azure_cli;
mod diagnose;
mod earlier;
mod explain;
mod federated;
pub(crate) mod guards;
mod handover;
mod launch;
mod live;
mod output_variables;
mod plan;
pub mod post;
pub mod run;
pub mod serve;
pub(crate) mod sign_in;
mod subscriptions;
pub(crate) mod summary;

/// The task variable by which the main stage tells the post-job stage what to remove.
const FOLDER_VARIABLE: &str = "WIF_SESSION_FOLDER";
/// The task variables by which the main stage tells the post-job stage which broker to end.
const BROKER_URL_VARIABLE: &str = "WIF_BROKER_URL";
const BROKER_KEY_VARIABLE: &str = "WIF_BROKER_KEY";
/// The same for a broker that does not answer: its process.
const BROKER_PROCESS_VARIABLE: &str = "WIF_BROKER_PROCESS";
/// The task variable by which the shim of the main stage hands a copy of the program on to that of the post-job stage.
const COPY_VARIABLE: &str = "WIF_COPY";
/// Every task variable of this task.
const TASK_VARIABLES: [&str; 5] =
    [FOLDER_VARIABLE, BROKER_URL_VARIABLE, BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE, COPY_VARIABLE];
