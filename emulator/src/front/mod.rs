//! How requests come in and answers go out: connections, the journal, faults.

mod delivery;
pub(crate) mod distance;
mod record;
pub(crate) mod server;
