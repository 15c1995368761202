//! Why a request is not planned.

use wif_core::failure::Failure;

use crate::{change::service::CallError, cli::files::argument, request::Request};

/// Why a request is not planned.
pub(super) enum Unplanned {
    /// It asks for what is not there.
    Wrong(Failure),
    /// For a reason, with what can be done instead, and whether it could not be read.
    Skipped(String, String, bool),
}

/// That something could not be read.
pub(super) fn unread(what: &str, error: &CallError) -> Unplanned {
    Unplanned::Skipped(
        format!("{what} could not be read: {error}"),
        "use tokens that may read it".to_owned(),
        true,
    )
}

/// That a field of a request asks for what cannot be had.
pub(super) fn wrong(request: &Request, field: &str, why: &str, hint: &str) -> Unplanned {
    Unplanned::Wrong(argument(format!("{}: {field}: {why}", request.file), hint))
}
