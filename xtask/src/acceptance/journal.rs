//! What an entry of the emulator's journal says of the client that sent the request.

use emulator::Entry;
use serde_json::Value;

/// Whether one product of the user agent begins like that.
pub(super) fn is_by(entry: &Entry, agent: &str) -> bool {
    let products = entry.header("user-agent").map(|sent| sent.split(' ')).into_iter().flatten();
    products.into_iter().any(|product| product.starts_with(agent))
}

/// The claims of the id token that was exchanged; each id token has its own.
pub(super) fn assertion(exchange: &Entry) -> Option<Value> {
    serde_json::from_str(exchange.form("client_assertion")?).ok()
}
