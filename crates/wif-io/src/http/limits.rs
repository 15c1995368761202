//! The limits that every request is held to.

use std::time::Duration;

/// The largest answer that is read unless a request says otherwise, in bytes.
pub(super) const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// How long a connection may take to be established.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent, and how long it may take to answer a ping.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the connection made ahead may hold the request that it is made for.
pub(super) const WARM_TIMEOUT: Duration = Duration::from_secs(2);
