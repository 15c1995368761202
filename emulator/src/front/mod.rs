//! How requests come in and answers go out: connections, the journal, faults.

pub(crate) mod distance;
pub(crate) mod record;
pub(crate) mod server;
