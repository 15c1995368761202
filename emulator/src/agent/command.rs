//! Logging commands, as the agent reads them in a line of output (`Command.cs`, `CommandStringConvertor.cs`).

use std::collections::BTreeMap;

/// `##vso[area.event key=value;…]data`, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Before the dot.
    pub area: String,
    /// After the dot.
    pub event: String,
    /// Keys in lower case, since the agent ignores their case; not trimmed, since the agent does not trim them.
    pub properties: BTreeMap<String, String>,
    /// What follows the bracket, blanks included.
    pub data: String,
}

const PREFIX: &str = "##vso[";

impl Command {
    /// Reads the first command in the line, wherever it starts. `decode_percents` is the knob `DECODE_PERCENTS`.
    #[must_use]
    pub fn parse(line: &str, decode_percents: bool) -> Option<Self> {
        let (_, rest) = line.split_once(PREFIX)?;
        let (header, data) = rest.split_once(']')?;
        let (name, properties) = header.split_once(' ').unwrap_or((header, ""));
        let parts: Vec<_> = name.split('.').filter(|part| !part.is_empty()).collect();
        let [area, event] = parts[..] else { return None };
        let properties = properties
            .split(';')
            .filter_map(|property| property.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_lowercase(), unescape(value, decode_percents)))
            .collect();
        Some(Self {
            area: area.to_owned(),
            event: event.to_owned(),
            properties,
            data: unescape(data, decode_percents),
        })
    }

    /// Whether this is the command `area.event`; the case does not count.
    #[must_use]
    pub fn is(&self, area: &str, event: &str) -> bool {
        self.area.eq_ignore_ascii_case(area) && self.event.eq_ignore_ascii_case(event)
    }

    /// A property; the case of its key does not count.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.get(&key.to_lowercase()).map(String::as_str)
    }

    /// A property that is a boolean: only `true`, in any case, is true.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.property(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }
}

/// Decodes the percent sign last, so that `%AZP253B` becomes the text `%3B`.
fn unescape(text: &str, decode_percents: bool) -> String {
    let text = text.replace("%3B", ";").replace("%0D", "\r").replace("%0A", "\n").replace("%5D", "]");
    if decode_percents { text.replace("%AZP25", "%") } else { text }
}

/// The escaped form of a value, which the agent registers as a secret too.
pub(super) fn escape(text: &str) -> String {
    text.replace('%', "%AZP25")
        .replace(';', "%3B")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
        .replace(']', "%5D")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_command_and_what_is_not() {
        for (line, name) in [
            ("##vso[task.debug]x", Some("task.debug")),
            ("before ##vso[task.debug]x", Some("task.debug")),
            ("##vso[.task..debug.]x", Some("task.debug")),
            ("##vso[task.debug a=b", None),
            ("##vso[task]x", None),
            ("##vso[task.a.b]x", None),
            ("##VSO[task.debug]x", None),
            ("##vso task.debug]x", None),
            ("##vso[] ##vso[task.debug]x", None),
        ] {
            let parsed =
                Command::parse(line, true).map(|command| format!("{}.{}", command.area, command.event));
            assert_eq!(parsed.as_deref(), name, "{line}");
        }
    }

    #[test]
    fn keys_are_not_trimmed_and_empty_values_are_dropped() {
        let line = "##vso[task.setvariable variable=a=b; issecret=true;IsOutput=TRUE;isreadonly=;;x]  v ";
        let command = Command::parse(line, true).unwrap();
        assert_eq!(command.property("variable"), Some("a=b"));
        assert!(!command.flag("issecret"));
        assert!(command.properties.contains_key(" issecret"));
        assert!(command.flag("isoutput"));
        assert_eq!(command.property("isreadonly"), None);
        assert_eq!(command.data, "  v ");
    }

    #[test]
    fn percent_is_decoded_last() {
        for (text, decode, plain) in [
            ("%AZP253B", true, "%3B"),
            ("%3B%0D%0A%5D%AZP25", true, ";\r\n]%"),
            ("%0a%3b", true, "%0a%3b"),
            ("%AZP25%3B", false, "%AZP25;"),
        ] {
            assert_eq!(unescape(text, decode), plain, "{text}");
        }
        assert_eq!(unescape(&escape("a%3B;\r\n]%AZP25"), true), "a%3B;\r\n]%AZP25");
    }
}
