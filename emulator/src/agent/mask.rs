//! Masks secrets in the log.
//!
//! The agent's default masker: literal and case-sensitive, no pattern, no part of a value, line by line
//! (`HostContext.cs`, `SecretMasking`). A value that it was not given in exactly the form that is printed stays readable.

use std::collections::BTreeSet;

/// The registered values.
#[derive(Clone, Debug, Default)]
pub(super) struct Masker {
    registered: Vec<String>,
    literals: BTreeSet<String>,
}

impl Masker {
    /// Registers a value in its plain form and in each encoder's form (`HostContext.cs`). The empty text is ignored.
    pub(super) fn add(&mut self, value: &str) {
        if value.is_empty() {
            return;
        }
        if !self.registered.iter().any(|known| known == value) {
            self.registered.push(value.to_owned());
        }
        for form in [value.to_owned(), json_escape(value), uri_escape(value), backslash_escape(value)] {
            if !form.is_empty() {
                self.literals.insert(form);
            }
        }
    }

    /// What was registered, oldest first.
    pub(super) fn registered(&self) -> &[String] {
        &self.registered
    }

    /// The text with `***` in place of every secret; secrets that touch become one.
    pub(super) fn mask(&self, text: &str) -> String {
        let mut hits = url_passwords(text);
        for literal in &self.literals {
            hits.extend(overlapping(text, literal));
        }
        if hits.is_empty() {
            return text.to_owned();
        }
        hits.sort_unstable();
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        let mut first = true;
        for (from, to) in hits {
            if first || from > end {
                out.push_str(&text[end..from]);
                out.push_str("***");
                first = false;
            }
            end = end.max(to);
        }
        out.push_str(&text[end..]);
        out
    }
}

/// Every place of `needle`, also those that overlap.
fn overlapping(text: &str, needle: &str) -> Vec<(usize, usize)> {
    let mut hits = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(needle)) {
        let at = from + at;
        hits.push((at, at + needle.len()));
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
    hits
}

/// The password of each `//user:password@host` (`AdditionalMaskingRegexes.cs`).
fn url_passwords(text: &str) -> Vec<(usize, usize)> {
    let mut hits = Vec::new();
    for (slashes, _) in text.match_indices("//") {
        let after = slashes + 2;
        let Some(user) = text[after..].find([':', '/', '?', '#', '\n']) else { continue };
        if user == 0 || !text[after + user..].starts_with(':') {
            continue;
        }
        let from = after + user + 1;
        let allowed = |c: char| c.is_alphanumeric() || "_.~-%!$&'()*+,;=:".contains(c);
        let length = text[from..].find(|c| !allowed(c)).unwrap_or(text.len() - from);
        if length > 0 && text[from + length..].starts_with('@') {
            hits.push((from, from + length));
        }
    }
    hits
}

/// As the value looks inside a JSON text.
fn json_escape(value: &str) -> String {
    let quoted = serde_json::to_string(value).expect("a text is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

/// `Uri.EscapeDataString`: everything but the unreserved characters of RFC 3986 §2.3.
fn uri_escape(value: &str) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            write!(out, "%{byte:02X}").expect("a String takes every write");
        }
        out
    })
}

/// As a shell or tool prints the value after it resolved backslash escapes.
fn backslash_escape(value: &str) -> String {
    value.replace("\\\\", "\\").replace("\\'", "'").replace("\\\"", "\"").replace("\\t", "\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masker(values: &[&str]) -> Masker {
        let mut masker = Masker::default();
        for value in values {
            masker.add(value);
        }
        masker
    }

    #[test]
    fn hits_are_literal_and_touching_hits_become_one() {
        for (values, text, masked) in [
            (&["hunter2"][..], "pass hunter2!", "pass ***!"),
            (&["hunter2"], "pass HUNTER2 hunter", "pass HUNTER2 hunter"),
            (&["abc", "cde"], "abcde", "***"),
            (&["abc", "def"], "abcdef", "***"),
            (&["aa"], "aaa b", "*** b"),
            (&["a.c"], "abc a.c", "abc ***"),
            (&["é!"], "xé!y", "x***y"),
            (&[""], "untouched", "untouched"),
        ] {
            assert_eq!(masker(values).mask(text), masked, "{values:?} in {text:?}");
        }
    }

    #[test]
    fn encoded_forms_are_masked_but_base64_is_not() {
        let masker = masker(&["a\"b/c"]);
        assert_eq!(masker.mask(r#"{"x":"a\"b/c"}"#), r#"{"x":"***"}"#);
        assert_eq!(masker.mask("?x=a%22b%2Fc&y"), "?x=***&y");
        assert_eq!(masker.mask("YSJiL2M="), "YSJiL2M=");
    }

    #[test]
    fn a_password_in_a_url_is_masked_without_registration() {
        let none = Masker::default();
        assert_eq!(none.mask("http://me:pw@proxy:8080/x"), "http://me:***@proxy:8080/x");
        assert_eq!(none.mask("http://proxy:8080/x@y"), "http://proxy:8080/x@y");
        assert_eq!(none.mask("http://:pw@proxy"), "http://:pw@proxy");
    }
}
