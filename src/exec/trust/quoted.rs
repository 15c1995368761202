//! Text as a word of a shell, or as a literal of a language: nothing in it means anything.

/// A word of a POSIX shell.
pub(super) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A string of Bicep.
pub(super) fn bicep(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'").replace("${", r"\${"))
}

/// A string of Terraform.
pub(super) fn terraform(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}

/// A list of strings of Terraform.
pub(super) fn terraform_list(texts: &[String]) -> String {
    let all: Vec<_> = texts.iter().map(|text| terraform(text)).collect();
    format!("[{}]", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_subject_holds_is_text_in_every_language() {
        assert_eq!(shell("a'b$(x)"), r"'a'\''b$(x)'");
        assert_eq!(bicep(r"a'b\${x}"), r"'a\'b\\\${x}'");
        assert_eq!(terraform("a\"b\\${x}%{y}"), "\"a\\\"b\\\\$${x}%%{y}\"");
        assert_eq!(terraform_list(&["a".to_owned(), "\"".to_owned()]), r#"["a", "\""]"#);
    }
}
