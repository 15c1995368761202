//! `wif.audit/1`, as `docs/schemas/audit.schema.json` describes it.

use std::io::{self, Write};

use crate::report::Report;

/// Writes a report.
///
/// # Errors
///
/// Writing fails.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
