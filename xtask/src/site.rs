//! `site`: the pages as a website, with a search, an address for each code and each refusal, and links that were checked.

mod links;
mod pages;
mod split;

use std::{fs, path::Path, process::Command};

use crate::{
    process::{Result, root, run, target},
    tools,
};

/// What makes HTML of Markdown.
const MDBOOK: (&str, &str) = ("mdbook", "0.5.4");
/// Its settings. No page for printing: it would be one of some megabytes.
const BOOK: &str = r#"[book]
title = "wif: secret-free sign-in for Azure Pipelines"
language = "en"
src = "src"

[build]
build-dir = "book"
create-missing = false

[output.html]
default-theme = "light"
preferred-dark-theme = "navy"
git-repository-url = "https://github.com/wif-azure/wif"
no-section-label = true
additional-css = ["site.css"]

[output.html.print]
enable = false

[output.html.fold]
enable = true
level = 0

[output.html.search]
limit-results = 20
use-boolean-and = true
boost-title = 4
"#;
/// Pictures that are as wide as a phone; addresses and codes that may break anywhere, but not into syllables where a table is wider than
/// the phone: it scrolls.
const STYLE: &str = "\
:root { --content-max-width: 900px; }
.content img { max-width: 100%; height: auto; }
.content main p code, .content main li code, .content main td code { overflow-wrap: anywhere; }
.content main table { font-size: 0.9em; }
.content main td:has(> code) { min-width: 11em; }
";

/// Makes the site anew, and tells where it is.
pub(crate) fn site() -> Result<()> {
    let mdbook =
        tools::crate_program(MDBOOK.0, MDBOOK.1, &["--no-default-features", "--features", "search"])?;
    let folder = target()?.join("site");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let source = folder.join("src");
    let all = pages::all()?;
    for page in &all {
        write(&source.join(&page.address), &page.text)?;
    }
    write(&source.join("SUMMARY.md"), &pages::summary(&all)?)?;
    for picture in fs::read_dir(root().join("images")).map_err(|error| format!("images: {error}"))?.flatten()
    {
        let to = source.join("images").join(picture.file_name());
        make_folder(&to)?;
        fs::copy(picture.path(), &to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    write(&folder.join("book.toml"), BOOK)?;
    write(&folder.join("site.css"), STYLE)?;
    for (icon, name) in [("task/icon.png", "favicon.png"), ("xtask/pictures/icon-small.svg", "favicon.svg")] {
        let to = folder.join("theme").join(name);
        make_folder(&to)?;
        fs::copy(root().join(icon), &to).map_err(|error| format!("{icon}: {error}"))?;
    }
    run(Command::new(mdbook).arg("build").arg(&folder).env("RUST_LOG", "warn"))?;
    let book = folder.join("book");
    let seen = links::check(&book)?;
    println!("{} pages, {seen} links that lead somewhere: {}", all.len(), book.join("index.html").display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    make_folder(path)?;
    tools::write(path, text)
}

/// Makes the folder of a file.
fn make_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
