//! One line of arguments: how it is split, and how it is written for `cmd`. Both are as `AzureCLI@2` does it.
//!
//! Source: microsoft/azure-pipelines-task-lib, `toolrunner.ts` (`_argStringToArray`, `_windowsQuoteCmdArg`).

/// Splits a line at its spaces. Double quotes keep spaces, and inside of them a backslash keeps a double quote.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut argument = String::new();
    let (mut in_quotes, mut after_backslash, mut is_open) = (false, false, false);
    for character in line.chars() {
        if character == ' ' && !in_quotes {
            if is_open {
                arguments.push(std::mem::take(&mut argument));
            }
            is_open = false;
            continue;
        }
        is_open = true;
        match character {
            '"' if !after_backslash => in_quotes = !in_quotes,
            '\\' if in_quotes && !after_backslash => after_backslash = true,
            _ => {
                // A backslash before any other character is one that was meant.
                if after_backslash && character != '"' {
                    argument.push('\\');
                }
                argument.push(character);
                after_backslash = false;
            }
        }
    }
    if is_open {
        arguments.push(argument.trim().to_owned());
    }
    arguments
}

/// What `cmd` reads as more than a part of a word.
const SPECIAL: &[char] = &[
    ' ', '\t', '&', '(', ')', '[', ']', '{', '}', '^', '=', ';', '!', '\'', '+', ',', '`', '~', '|', '<',
    '>', '"',
];

/// An argument as a command line of `cmd` has it. A percent sign cannot be escaped there.
pub(super) fn quote_for_cmd(argument: &str) -> String {
    if !argument.is_empty() && !argument.contains(SPECIAL) {
        return argument.to_owned();
    }
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for character in argument.chars() {
        if character == '"' {
            // Those before a quote are read as escapes, so that each is written twice.
            quoted.extend(std::iter::repeat_n('\\', backslashes));
            quoted.push('"');
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        quoted.push(character);
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_separate_arguments_and_quotes_keep_them() {
        for (line, arguments) in [
            ("", &[][..]),
            ("   ", &[]),
            ("a", &["a"]),
            ("  a   b ", &["a", "b"]),
            (r#""arg one" two -z"#, &["arg one", "two", "-z"]),
            (r#"-p "a b"c"#, &["-p", "a bc"]),
            (r#""" x"#, &["", "x"]),
            (r#"x """#, &["x", ""]),
            ("a\tb", &["a\tb"]),
            ("a\nb c", &["a\nb", "c"]),
            ("'a b'", &["'a", "b'"]),
            ("$HOME *", &["$HOME", "*"]),
        ] {
            assert_eq!(split(line), arguments, "{line}");
        }
    }

    #[test]
    fn a_backslash_keeps_a_quote_only_between_quotes() {
        for (line, arguments) in [
            (r#""say \"hi\"""#, &[r#"say "hi""#][..]),
            (r"a\b c:\d", &[r"a\b", r"c:\d"]),
            (r#""c:\dir\x y""#, &[r"c:\dir\x y"]),
            (r#"\"a b\""#, &[r#"\a b""#]),
            (r#""a\\b""#, &[r"a\\b"]),
            (r#""open \"#, &["open"]),
        ] {
            assert_eq!(split(line), arguments, "{line}");
        }
    }

    #[test]
    fn an_argument_is_quoted_for_cmd_where_it_has_to_be() {
        for (argument, quoted) in [
            ("", r#""""#),
            ("plain-%PATH%", "plain-%PATH%"),
            ("a b", r#""a b""#),
            ("a&b", r#""a&b""#),
            (r#"say "hi""#, r#""say ""hi""""#),
            (r"hello \world", r#""hello \world""#),
            (r#"hello\"world"#, r#""hello\\""world""#),
            (r#"hello\\"world"#, r#""hello\\\\""world""#),
            (r"hello world\", r#""hello world\\""#),
            (r"C:\agent\a.bat", r"C:\agent\a.bat"),
        ] {
            assert_eq!(quote_for_cmd(argument), quoted, "{argument}");
        }
    }
}
