//! PEM text (RFC 7468), as people and their tools write it.

use memchr::memmem;

/// How every section begins.
const BEGIN: &[u8] = b"-----BEGIN ";

/// The sections of a text, each with what follows it. Where one ends matters to no other: files that were joined have
/// byte order marks in their middle, no line end between two sections, or a section that was cut off.
pub fn sections(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begins = memmem::find_iter(text, BEGIN);
    let mut next = begins.next();
    std::iter::from_fn(move || {
        let begin = next?;
        next = begins.next();
        text.get(begin..next.unwrap_or(text.len()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_section_is_found_whatever_is_between(bodies in prop::collection::vec("[a-z\r\n]{0,9}", 0..5), between in "[\u{feff}a\r\n -]{0,3}") {
            let written: Vec<_> = bodies.iter().map(|body| format!("-----BEGIN X-----{body}-----END X-----{between}")).collect();
            let text = between.clone() + &written.concat();
            let found: Vec<_> = sections(text.as_bytes()).collect();
            prop_assert_eq!(found, written.iter().map(String::as_bytes).collect::<Vec<_>>());
        }
    }
}
