//! A session is a broker that later steps ask: how it is started, what it is handed, and how it serves.

mod handover;
mod launch;
pub(crate) mod local;
pub mod serve;
pub(crate) mod start;
pub(crate) mod targets;
