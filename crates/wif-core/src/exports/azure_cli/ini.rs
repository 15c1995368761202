//! The INI files of `az`: the user's own settings, and over them what a session must have.
//!
//! Source: Python's `configparser`, with which knack's `config.py` and azure-cli's `cloud.py` read and write them. It
//! refuses a section or a key that stands there twice, so that ours cannot simply be put after the user's.

use std::collections::BTreeMap;

/// The entries of each section: key, and value with all of its lines.
#[derive(Debug, Default)]
pub(super) struct Ini {
    sections: BTreeMap<String, Vec<(String, String)>>,
}

impl Ini {
    /// Reads what `configparser` would read. Comments, what belongs to no section, and what repeats a key are left out,
    /// and so is every setting that may hold a secret.
    pub(super) fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        // The section that lines belong to, and whether the key before them is kept.
        let (mut section, mut kept) = (None, false);
        for line in text.trim_start_matches('\u{feff}').lines() {
            let content = line.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            let entries = section.as_deref().map(|name| ini.entries(name));
            if line.starts_with([' ', '\t']) {
                // More of the value before it.
                if let Some((_, value)) = entries.and_then(|entries| entries.last_mut()).filter(|_| kept) {
                    value.push_str("\n\t");
                    value.push_str(content);
                }
                continue;
            }
            if let Some(name) = content.strip_prefix('[').and_then(|rest| Some(rest.rsplit_once(']')?.0)) {
                (section, kept) = (Some(name.to_owned()), false);
                continue;
            }
            let Some((key, value)) = content.split_once(['=', ':']) else {
                kept = false;
                continue;
            };
            let (key, value) = (key.trim().to_lowercase(), value.trim());
            kept = false;
            if let Some(entries) = entries {
                let new = !key.is_empty() && entries.iter().all(|(own, _)| *own != key);
                if new && !may_be_secret(&key, value) {
                    entries.push((key, value.to_owned()));
                    kept = true;
                }
            }
        }
        ini
    }

    /// Sets a key, whatever the user's own file says. The value becomes one line of the characters that a URL has.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str) {
        let value: String = value.chars().filter(char::is_ascii_graphic).collect();
        // A percent sign would begin the name of another key.
        let value = value.replace('%', "%%");
        let entries = self.entries(section);
        match entries.iter_mut().find(|(own, _)| own == key) {
            Some((_, own)) => *own = value,
            None => entries.push((key.to_owned(), value)),
        }
    }

    /// Takes every other key of a section away.
    pub(super) fn keep_only(&mut self, section: &str, key: &str) {
        self.entries(section).retain(|(own, _)| own == key);
    }

    /// Takes a key away from every section.
    pub(super) fn remove_everywhere(&mut self, key: &str) {
        for entries in self.sections.values_mut() {
            entries.retain(|(own, _)| own != key);
        }
    }

    /// Takes a section away.
    pub(super) fn remove_section(&mut self, name: &str) {
        self.sections.remove(name);
    }

    /// Whether a section has a key.
    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.sections.get(section).is_some_and(|entries| entries.iter().any(|(own, _)| own == key))
    }

    /// Whether there is no setting at all.
    pub(super) fn is_empty(&self) -> bool {
        self.sections.values().all(Vec::is_empty)
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, entries) in self.sections.iter().filter(|(_, entries)| !entries.is_empty()) {
            text.extend(["[", name, "]\n"]);
            for (key, value) in entries {
                text.extend([key, " = ", value, "\n"]);
            }
            text.push('\n');
        }
        text
    }

    /// The entries of a section, which is made where it is missing.
    fn entries(&mut self, name: &str) -> &mut Vec<(String, String)> {
        self.sections.entry(name.to_owned()).or_default()
    }
}

/// Whether a setting may hold a secret, such as `[storage] key`: none is to be in a session's folder.
fn may_be_secret(key: &str, value: &str) -> bool {
    const WORDS: [&str; 10] =
        ["key", "keys", "token", "secret", "password", "passwd", "pat", "sas", "credential", "credentials"];
    let last = key.rsplit(['_', '-', '.', ' ']).next().unwrap_or_default();
    WORDS.contains(&last)
        || key.ends_with("connection_string")
        || value.contains("sig=")
        || value.contains("://") && value.contains('@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_and_keys_that_stand_there_twice_become_one() {
        let text = "\u{feff}stray = 1\n[core]\noutput = table\n# why\n[defaults]\nGroup: rg\n[core]\noutput = json\nno_color=yes\n";
        let mut ini = Ini::parse(text);
        ini.set("core", "output", "tsv");
        ini.set("cloud", "name", "AzureCloud");
        let expected = "[cloud]\nname = AzureCloud\n\n[core]\noutput = tsv\nno_color = yes\n\n[defaults]\ngroup = rg\n\n";
        assert_eq!(ini.text(), expected);
    }

    #[test]
    fn a_value_of_several_lines_is_kept_and_no_line_of_it_becomes_a_section() {
        let ini = Ini::parse("[a]\nlist = one\n  [core]\n\ttwo\nnothing\n  lost\nb =\n");
        assert_eq!(ini.text(), "[a]\nlist = one\n\t[core]\n\ttwo\nb = \n\n");
    }

    #[test]
    fn what_may_be_a_secret_stays_behind_and_all_its_lines() {
        let text = "[storage]\naccount = st\nkey = c2VjcmV0\n more\nsas_token = sv=1\nconnection_string = x\n\
                    [core]\nencrypt_token_cache = no\n[extension]\nindex_url = https://u:p@host/\nurl = https://h/?sig=x\n";
        assert_eq!(
            Ini::parse(text).text(),
            "[core]\nencrypt_token_cache = no\n\n[storage]\naccount = st\n\n"
        );
    }

    #[test]
    fn a_value_stays_one_line_and_is_not_interpolated() {
        let mut ini = Ini::default();
        ini.set("x", "a", "https://e\n[core]\r\ncollect_telemetry = yes\u{85}%(b)s");
        assert_eq!(ini.text(), "[x]\na = https://e[core]collect_telemetry=yes%%(b)s\n\n");
    }

    proptest! {
        #[test]
        fn what_was_read_once_reads_the_same_again(text in "([\\[\\]a-c=: \t#%]|\n){0,80}") {
            let once = Ini::parse(&text).text();
            prop_assert_eq!(Ini::parse(&once).text(), once);
        }
    }
}
