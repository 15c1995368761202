//! Refusals of Microsoft Graph.

/// A refusal: status, code and message.
pub(super) type Refusal = (u16, &'static str, String);
