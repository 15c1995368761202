//! Bytes as hexadecimal digits.

use std::fmt::Write as _;

/// Two digits for each byte, in lower case.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text in memory cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
