//! Every page of the site: its file in the repository, its address, its text with links that lead to addresses.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use super::split::{Part, split};
use crate::{
    process::{Result, root},
    tools::read,
};

/// Where files are that are no pages.
const REPOSITORY: &str = "https://github.com/wif-azure/wif";
/// Pages above `docs/`, and what they are called here.
const ABOVE: [(&str, &str); 5] = [
    ("README.md", "index.md"),
    ("overview.md", "overview.md"),
    ("CHANGELOG.md", "changelog.md"),
    ("CONTRIBUTING.md", "contributing.md"),
    ("SECURITY.md", "security-policy.md"),
];
/// The Marketplace page, and what it is called in the contents.
const OVERVIEW: (&str, &str) = ("overview.md", "Inputs, exports, outputs");
/// The list of pages, by which the site's contents are ordered.
const LIST: &str = "docs/README.md";
/// Pages of which each heading of the third level is a page of its own.
const SPLIT: [&str; 2] = ["docs/errors.md", "docs/refusals.md"];
/// Folders whose pages stand below one page.
const FOLDERS: [&str; 3] = ["docs/tools", "docs/sources", "docs/decisions"];
/// Whole pipelines, which are one page here.
const EXAMPLES: &str = "docs/examples";
/// Those of `wif exec`, for other systems, in a folder below.
const OF_EXEC: &str = "exec";

/// A page of the site.
pub(super) struct Page {
    /// Its file in the repository.
    file: String,
    /// Where it is, with `/` and ending in `.md`.
    pub(super) address: String,
    /// What the contents call it.
    title: String,
    /// Its text.
    pub(super) text: String,
}

/// All of them.
pub(super) fn all() -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for (file, address) in ABOVE {
        let mut page = page(file, address, read(&root().join(file))?);
        if file == OVERVIEW.0 {
            // Its own title is the product's name.
            OVERVIEW.1.clone_into(&mut page.title);
        }
        pages.push(page);
    }
    for folder in ["docs"].into_iter().chain(FOLDERS) {
        for name in markdown(folder)? {
            let file = format!("{folder}/{name}");
            let text = read(&root().join(&file))?;
            let address = if file == LIST {
                "pages.md".to_owned()
            } else {
                file.trim_start_matches("docs/").replace("README.md", "index.md")
            };
            if !SPLIT.contains(&file.as_str()) {
                pages.push(page(&file, &address, text));
                continue;
            }
            let (rest, parts) = split(&text, address.trim_end_matches(".md"));
            pages.push(page(&file, &address, rest));
            pages.extend(parts.into_iter().map(|Part { address, title, text }| Page {
                file: file.clone(),
                address,
                title,
                text,
            }));
        }
    }
    pages.push(page(EXAMPLES, "examples.md", examples()?));
    let addresses: BTreeMap<String, String> =
        pages.iter().rev().map(|page| (page.file.clone(), page.address.clone())).collect();
    let parts: Vec<_> = pages.iter().map(|page| page.address.clone()).collect();
    for page in &mut pages {
        page.text = linked(page, &addresses, &parts);
    }
    Ok(pages)
}

fn page(file: &str, address: &str, text: String) -> Page {
    let title = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(file);
    let title = title.replace('`', "");
    Page { file: file.to_owned(), address: address.to_owned(), title, text }
}

fn markdown(folder: &str) -> Result<Vec<String>> {
    let mut names = names(folder)?;
    names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "md"));
    Ok(names)
}

fn names(folder: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(root().join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn examples() -> Result<String> {
    let mut text = "# Examples\n\nWhole pipelines. Each begins with what it needs.\n".to_owned();
    let mut all = names(EXAMPLES)?;
    all.retain(|name| name != OF_EXEC);
    all.extend(names(&format!("{EXAMPLES}/{OF_EXEC}"))?.into_iter().map(|name| format!("{OF_EXEC}/{name}")));
    for name in all {
        let example = read(&root().join(EXAMPLES).join(&name))?;
        let language = if name.ends_with(".dockerfile") { "dockerfile" } else { "yaml" };
        let _ = write!(text, "\n## {name}\n\n```{language}\n{example}```\n");
    }
    Ok(text)
}

/// The contents, in the order of the list of pages. What the list does not name is an error: it could not be found.
pub(super) fn summary(pages: &[Page]) -> Result<String> {
    let line = |page: &Page, margin: &str| {
        format!("{margin}- [{}]({})\n", page.title.replace('[', "\\[").replace(']', "\\]"), page.address)
    };
    let at = |address: &str| pages.iter().find(|page| page.address == address);
    let mut text = "# Summary\n\n[wif](index.md)\n".to_owned();
    let mut named = vec!["index.md".to_owned(), "pages.md".to_owned()];
    for row in read(&root().join(LIST))?.lines() {
        if let Some(title) = row.strip_prefix("## ") {
            let _ = write!(text, "\n# {title}\n\n");
        }
        let Some(target) = row.strip_prefix("| [").and_then(|row| row.split("](").nth(1)) else { continue };
        let target = target.split(')').next().unwrap_or_default();
        let file = joined("docs", target);
        let page = pages.iter().find(|page| page.file == file);
        let page = page.ok_or_else(|| format!("{LIST} names {target}, which is no page"))?;
        text += &line(page, "");
        named.push(page.address.clone());
        let stem = page.address.trim_end_matches(".md").trim_end_matches("/index").to_owned() + "/";
        for below in pages.iter().filter(|below| below.address.starts_with(&stem)) {
            if below.address != page.address {
                text += &line(below, "  ");
                named.push(below.address.clone());
            }
        }
    }
    text += "\n# The project\n\n";
    for address in ["changelog.md", "security-policy.md"] {
        text += &at(address).map(|page| line(page, "")).unwrap_or_default();
        named.push(address.to_owned());
    }
    text += &at("pages.md").map(|page| line(page, "")).unwrap_or_default();
    match pages.iter().find(|page| !named.contains(&page.address)) {
        Some(page) => Err(format!("{LIST} does not name {}", page.file)),
        None => Ok(text),
    }
}

/// The text with links that lead to addresses of the site, or to the repository's files. What is code stays as it is.
fn linked(page: &Page, addresses: &BTreeMap<String, String>, parts: &[String]) -> String {
    let folder = page.file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut text = String::new();
    let mut is_code = false;
    for line in page.text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code {
            text += line;
        } else {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("](") {
                let (target, end) = after.split_once(')').unwrap_or((after, ""));
                let address = address(target, folder, &page.address, addresses, parts);
                let _ = write!(text, "{before}]({address})");
                rest = end;
            }
            text += rest;
        }
        text.push('\n');
    }
    text
}

/// Where a link leads to here.
fn address(
    target: &str,
    folder: &str,
    own: &str,
    addresses: &BTreeMap<String, String>,
    parts: &[String],
) -> String {
    let in_repository = target.strip_prefix(&format!("{REPOSITORY}/blob/main/"));
    if in_repository.is_none() && (target.contains("://") || target.starts_with("mailto:")) {
        return target.to_owned();
    }
    let (path, anchor) = target.split_once('#').map_or((target, ""), |(path, anchor)| (path, anchor));
    let file = match in_repository {
        Some(path) => path.split('#').next().unwrap_or_default().to_owned(),
        None if path.is_empty() => {
            // A heading of the same file, which may be a page of its own by now.
            let stem = own.split('/').next().unwrap_or_default().trim_end_matches(".md");
            let part = format!("{stem}/{anchor}.md");
            let whole = format!("{stem}.md");
            if parts.contains(&part) {
                return relative(own, &part);
            }
            let is_split = SPLIT.iter().any(|file| file.ends_with(&whole));
            return if own.contains('/') && is_split {
                format!("{}#{anchor}", relative(own, &whole))
            } else {
                target.to_owned()
            };
        }
        None => joined(folder, path),
    };
    if file.starts_with("images/") {
        return relative(own, &file);
    }
    if let Some(name) = file.strip_prefix(&format!("{EXAMPLES}/")) {
        let heading = name.replace(['.', '/'], "").to_lowercase();
        return format!("{}#{heading}", relative(own, "examples.md"));
    }
    let Some(found) = addresses.get(file.trim_end_matches('/')) else {
        let kind = if root().join(&file).is_dir() { "tree" } else { "blob" };
        return format!("{REPOSITORY}/{kind}/main/{file}");
    };
    let part = format!("{}/{anchor}.md", found.trim_end_matches(".md"));
    if parts.contains(&part) {
        return relative(own, &part);
    }
    let mark = if anchor.is_empty() { "" } else { "#" };
    format!("{}{mark}{anchor}", relative(own, found))
}

/// A path in the repository.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The way from one address to another.
fn relative(from: &str, to: &str) -> String {
    "../".repeat(from.matches('/').count()) + to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_of_codes_to_other_pages_and_to_the_repository() {
        let text = "a [b](errors.md#wif2013) [c](../README.md#tools) [d](../Cargo.toml)\n```sh\n[e](f.md)\n```\n\
                    [g](examples/demo.yml), [h](https://github.com/wif-azure/wif/blob/main/docs/errors.md#wif2013)";
        let own = page(
            "docs/tools/az.md",
            "tools/az.md",
            text.replace("](errors", "](../errors")
                .replace("](../README", "](../../README")
                .replace("](../Cargo", "](../../Cargo")
                .replace("](examples", "](../examples"),
        );
        let addresses = [("docs/errors.md", "errors.md"), ("README.md", "index.md")];
        let addresses = addresses.map(|(file, address)| (file.to_owned(), address.to_owned())).into();
        let parts = ["errors/wif2013.md".to_owned()];
        assert_eq!(
            linked(&own, &addresses, &parts),
            "a [b](../errors/wif2013.md) [c](../index.md#tools) \
             [d](https://github.com/wif-azure/wif/blob/main/Cargo.toml)\n```sh\n[e](f.md)\n```\n\
             [g](../examples.md#demoyml), [h](../errors/wif2013.md)\n"
        );
    }
}
