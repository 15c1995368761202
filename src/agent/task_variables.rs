//! The task variables: what one stage of the task tells the next, and no other step can set.

/// The task variable by which the main stage tells the post-job stage what to remove.
pub(crate) const FOLDER_VARIABLE: &str = "WIF_SESSION_FOLDER";
/// The task variables by which the main stage tells the post-job stage which broker to end.
pub(crate) const BROKER_URL_VARIABLE: &str = "WIF_BROKER_URL";
pub(crate) const BROKER_KEY_VARIABLE: &str = "WIF_BROKER_KEY";
/// The task variable by which the post-job stage finds the process of a broker that does not answer.
pub(crate) const BROKER_PROCESS_VARIABLE: &str = "WIF_BROKER_PROCESS";
/// The task variable by which the shim of the main stage hands a copy of the program on to that of the post-job stage.
pub(crate) const COPY_VARIABLE: &str = "WIF_COPY";
/// Every task variable of this task.
pub(crate) const TASK_VARIABLES: [&str; 5] =
    [FOLDER_VARIABLE, BROKER_URL_VARIABLE, BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE, COPY_VARIABLE];
