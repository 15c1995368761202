//! A page of many codes, taken apart: each code gets a page with its number in the title.

/// What a heading of the third level becomes.
pub(super) struct Part {
    pub(super) address: String,
    pub(super) title: String,
    pub(super) text: String,
}

/// The page with a list of links in the place of each section, and the sections.
pub(super) fn split(page: &str, folder: &str) -> (String, Vec<Part>) {
    let (mut rest, mut parts) = (String::new(), Vec::<Part>::new());
    let mut is_code = false;
    let mut is_in_part = false;
    for line in page.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if !is_code && let Some(name) = line.strip_prefix("### ") {
            let file = name.to_lowercase();
            parts.push(Part {
                address: format!("{folder}/{file}.md"),
                title: name.to_owned(),
                text: String::new(),
            });
            is_in_part = true;
            continue;
        }
        if !is_code && line.starts_with("## ") {
            is_in_part = false;
            add_list(&mut rest, &mut parts);
        }
        match parts.last_mut().filter(|_| is_in_part) {
            Some(part) => part.text += &format!("{line}\n"),
            None => rest += &format!("{line}\n"),
        }
    }
    add_list(&mut rest, &mut parts);
    (rest, parts)
}

/// Titles of what was found since the last list, and links to it.
fn add_list(rest: &mut String, parts: &mut [Part]) {
    for part in parts.iter_mut().filter(|part| !part.text.starts_with("# ")) {
        let name = part.title.clone();
        if let Some(about) = about(&part.text, &name) {
            part.title = format!("{name}: {about}");
        }
        let text = part.text.trim_start();
        // What the title has is not said twice.
        let text =
            text.strip_prefix("**").and_then(|text| text.split_once("**\n")).map_or(text, |(_, rest)| rest);
        part.text = format!("# {}\n\n{}", part.title, text.trim_start());
        // The links of every page are led to addresses afterwards.
        *rest += &format!("- [{}](#{})\n", part.title.replace(['[', ']'], ""), name.to_lowercase());
    }
    rest.push('\n');
}

/// What a section says first: a sentence in bold, or the first line of its example, after the name.
fn about(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("```"));
    let first = lines.next()?;
    if let Some(bold) = first.strip_prefix("**") {
        // It may go on in the next line.
        let whole = [bold]
            .into_iter()
            .chain(text.lines().skip_while(|line| *line != first).skip(1))
            .collect::<Vec<_>>()
            .join(" ");
        return whole.split("**").next().map(|bold| bold.trim_end_matches('.').replace('`', ""));
    }
    first.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_becomes_a_page_with_its_number_in_the_title() {
        let page = "# Errors\n\nWords.\n\n## Input\n\nMore.\n\n### WIF1001\n\n**The input `a`\nis no b.**\n\n```text\n### no heading\n```\n\n\
                    ### AADSTS7\n\n```text\nAADSTS7: it is refused\n```\n\n## Identity\n\nLast.\n";
        let (rest, parts) = split(page, "errors");
        assert_eq!(
            rest,
            "# Errors\n\nWords.\n\n\n## Input\n\nMore.\n\n- [WIF1001: The input a is no b](#wif1001)\n\
             - [AADSTS7: it is refused](#aadsts7)\n\n## Identity\n\nLast.\n\n"
        );
        let [first, second] = parts.as_slice() else { panic!() };
        assert_eq!(
            (first.address.as_str(), second.address.as_str()),
            ("errors/wif1001.md", "errors/aadsts7.md")
        );
        assert!(first.text.starts_with("# WIF1001: The input a is no b\n\n```text"), "{}", first.text);
        assert!(first.text.contains("### no heading") && second.text.contains("it is refused"));
    }
}
