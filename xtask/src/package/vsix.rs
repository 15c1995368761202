//! The packed extension: made by the official tool, then written anew with the same bytes for the same content.

use std::{
    borrow::Cow,
    fs,
    io::{Cursor, Read as _, Write as _},
    path::Path,
    process::Command,
};

use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    process::{Result, root},
    tools,
};

/// What a reader of the format looks for first.
const FIRST: [&str; 2] = ["[Content_Types].xml", "extension.vsixmanifest"];
/// What is read of one file of an archive at the most, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Three rounds of zopfli, which begins above 9: 3 % smaller than deflate at its best, and a fifth round would save 0.01 % more.
const SMALLEST: i64 = 12;

/// Packs a folder that has the manifests.
pub(super) fn pack(folder: &Path, manifests: &[&str], to: &Path) -> Result<()> {
    let packer = tools::npm("tfx", &root().join("xtask").join("npm"))?;
    let mut tfx = Command::new("node");
    tfx.arg(packer.join("tfx-cli").join("_build").join("tfx-cli.js"));
    tfx.args(["extension", "create", "--no-color", "--no-prompt", "--root", ".", "--manifests"]);
    tfx.args(manifests).arg("--output-path").arg(to).current_dir(folder);
    crate::process::output(&mut tfx).map(|_printed| ())
}

/// The same entries without folders, in a fixed order, of no time, with equal modes: the agent keeps none of them.
pub(super) fn normal(archive: &[u8]) -> Result<Vec<u8>> {
    let mut from = open(archive)?;
    let mut names = names_in(&from)?;
    names.sort_by_key(|name| {
        (FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()), name.clone())
    });
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(SMALLEST))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        let mut content = entry(&mut from, &name)?;
        if name == FIRST[0] {
            content = sorted(&String::from_utf8_lossy(&content)).into_bytes();
        }
        to.start_file(&name, options).map_err(|error| format!("{name}: {error}"))?;
        to.write_all(&content).map_err(|error| format!("{name}: {error}"))?;
    }
    to.finish().map(Cursor::into_inner).map_err(|error| error.to_string())
}

/// The packer lists kinds of files, one on a line, in the order in which it happens to find them.
fn sorted(types: &str) -> String {
    let is_kind = |line: &&str| line.starts_with("  <");
    let mut kinds: Vec<_> = types.lines().filter(is_kind).collect();
    kinds.sort_unstable();
    let mut kinds = kinds.into_iter();
    let lines = types.lines().map(|line| if is_kind(&line) { kinds.next().unwrap_or(line) } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Unpacks one folder of it, as an agent does: no file may be executed.
pub(super) fn unpack(archive: &[u8], folder: &str, to: &Path) -> Result<()> {
    let mut from = open(archive)?;
    for name in names_in(&from)? {
        let Some(rest) = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let target = to.join(rest);
        let parent = target.parent().unwrap_or(to);
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        tools::write(&target, entry(&mut from, &name)?)?;
    }
    Ok(())
}

/// Every file's name.
pub(super) fn names(archive: &[u8]) -> Result<Vec<String>> {
    names_in(&open(archive)?)
}

fn names_in(archive: &ZipArchive<Cursor<&[u8]>>) -> Result<Vec<String>> {
    let names = archive.file_names().map(|name| name.map(Cow::into_owned).map_err(|error| error.to_string()));
    Ok(names.collect::<Result<Vec<_>>>()?.into_iter().filter(|name| !name.ends_with('/')).collect())
}

fn open(archive: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>> {
    ZipArchive::new(Cursor::new(archive)).map_err(|error| format!("the packed extension: {error}"))
}

fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>> {
    let file = archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
    let mut content = Vec::new();
    file.take(LARGEST).read_to_end(&mut content).map_err(|error| format!("{name}: {error}"))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, &str)], minute: u8) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let time = DateTime::from_date_and_time(2026, 1, 2, 3, minute, 0).unwrap();
        let options = SimpleFileOptions::default().last_modified_time(time);
        for (name, content) in entries {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn neither_order_nor_time_is_left_of_it() {
        let [a, b] = [("task/a", "1"), ("b", "2")];
        let types = |kinds: [&str; 2]| format!("<Types>\n  <{}/>\n  <{}/>\n</Types>", kinds[0], kinds[1]);
        let (first, second) = (types(["Default", "Override"]), types(["Override", "Default"]));
        let one = normal(&archive(&[a, b, ("[Content_Types].xml", &first)], 1)).unwrap();
        let other = normal(&archive(&[("[Content_Types].xml", &second), b, a], 2)).unwrap();
        assert_eq!(one, other);
        assert_eq!(names(&one).unwrap(), ["[Content_Types].xml", "b", "task/a"]);
    }

    #[test]
    fn one_folder_is_unpacked_and_nothing_outside_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let packed = archive(&[("task/bin/wif", "1"), ("tasks/b", "2"), ("c", "3")], 1);
        unpack(&packed, "task", folder.path()).unwrap();
        let entries: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(entries, ["bin"]);
        assert_eq!(fs::read_to_string(folder.path().join("bin/wif")).unwrap(), "1");
    }
}
