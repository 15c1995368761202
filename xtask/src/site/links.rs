//! Whether every link of the finished site leads somewhere: to a file, to a heading in it, to a file of the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::process::{Result, root};

/// What people read of the repository on the web.
const REPOSITORY: [&str; 2] =
    ["https://github.com/wif-azure/wif/blob/main/", "https://github.com/wif-azure/wif/tree/main/"];
/// More than this many are not listed.
const MAX_LISTED: usize = 40;

/// Looks at all links, and tells how many lead somewhere.
pub(super) fn check(book: &Path) -> Result<usize> {
    let mut files = Vec::new();
    collect(book, &mut files)?;
    let mut pages = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let ids: BTreeSet<_> = attributes(&text, "id").collect();
        let targets: Vec<_> = attributes(&text, "href").chain(attributes(&text, "src")).collect();
        pages.insert(file, (ids, targets));
    }
    let (mut seen, mut lost) = (0, Vec::new());
    for (page, (_, targets)) in &pages {
        for target in targets {
            match leads_nowhere(page, target, &pages) {
                None => seen += 1,
                Some(why) => lost
                    .push(format!("{}: {target}: {why}", page.strip_prefix(book).unwrap_or(page).display())),
            }
        }
    }
    if lost.is_empty() {
        return Ok(seen);
    }
    lost.dedup();
    let listed: Vec<_> = lost.iter().take(MAX_LISTED).map(String::as_str).collect();
    Err(format!("{} links lead nowhere:\n{}", lost.len(), listed.join("\n")))
}

type Pages = BTreeMap<PathBuf, (BTreeSet<String>, Vec<String>)>;

fn leads_nowhere(page: &Path, target: &str, pages: &Pages) -> Option<&'static str> {
    for prefix in REPOSITORY {
        if let Some(path) = target.strip_prefix(prefix) {
            let path = path.split('#').next().unwrap_or_default();
            return (!root().join(path).exists()).then_some("the repository has no such file");
        }
    }
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with("data:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.parent().unwrap_or(page);
    let file = if path.is_empty() { page.to_owned() } else { normal(&folder.join(path)) };
    if !file.exists() {
        return Some("there is no such file");
    }
    match pages.get(&file) {
        Some((ids, _)) if !anchor.is_empty() && !ids.contains(anchor) => Some("there is no such heading"),
        _ => None,
    }
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts
}

/// The values of an attribute. Code on a page has no quotation marks: they are `&quot;` there.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let begin = format!(" {name}=\"");
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(begin.as_str())?;
        let (value, end) = after.split_once('"')?;
        rest = end;
        Some(value.replace("&amp;", "&"))
    })
}

/// Pages, but not those that lead on and are made for old addresses.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "html") && !path.ends_with("404.html") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_no_file_and_one_to_no_heading_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.html", "<h1 id=\"c\">");
        write(
            "a.html",
            "<a href=\"b.html#c\"> <a href=\"https://example.com/\"> <a href=\"https://github.com/wif-azure/wif/blob/main/LICENSE\">",
        );
        assert_eq!(check(folder.path()), Ok(3));
        for lost in ["c.html", "b.html#d", "https://github.com/wif-azure/wif/blob/main/NO"] {
            write("a.html", &format!("<a href=\"{lost}\">"));
            assert!(check(folder.path()).unwrap_err().contains(lost), "{lost}");
        }
    }
}
