//! The emulated services, each as strict as the real one.

pub(crate) mod answer;
pub(crate) mod arm;
pub(crate) mod aws_signature;
mod bearer;
pub(crate) mod blob;
pub(crate) mod clouds;
pub(crate) mod devops;
pub(crate) mod entra;
pub(crate) mod graph;
pub(crate) mod jobs;
pub(crate) mod managed_identity;
pub(crate) mod request;
pub(crate) mod sources;
