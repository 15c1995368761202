//! Archives with the same bytes for the same content: tar (POSIX ustar) with gzip, and zip.

use std::io::{Cursor, Write as _};

use flate2::{Compression, GzBuilder};
use ring::digest::{SHA256, digest};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::process::Result;

/// A file of an archive.
#[derive(Clone)]
pub(super) struct Entry {
    /// With `/`, and without one at the beginning.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
    pub(super) is_program: bool,
}

/// Bytes of a record.
const RECORD: usize = 512;

/// Files of root, of no time, in the order given.
pub(super) fn tar(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for entry in entries {
        archive.extend(header(entry)?);
        archive.extend(&entry.content);
        archive.resize(archive.len().next_multiple_of(RECORD), 0);
    }
    archive.resize(archive.len() + 2 * RECORD, 0);
    Ok(archive)
}

/// The head of a file (POSIX.1-1988, ustar).
fn header(entry: &Entry) -> Result<[u8; RECORD]> {
    let mut head = [0; RECORD];
    let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    if entry.name.len() > 100 || !entry.name.is_ascii() {
        return Err(format!("'{}' is no name for an archive", entry.name));
    }
    put(0, &entry.name);
    put(100, if entry.is_program { "0000755" } else { "0000644" });
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", entry.content.len()));
    put(136, "00000000000");
    // While the sum is counted, its field is blank.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = head.iter().copied().map(u32::from).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    Ok(head)
}

/// Compressed, without a time and a name.
pub(super) fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    writer.write_all(content).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())
}

/// The same files for Windows.
pub(super) fn zip(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(if entry.is_program { 0o755 } else { 0o644 });
        to.start_file(&entry.name, options).map_err(|error| format!("{}: {error}", entry.name))?;
        to.write_all(&entry.content).map_err(|error| format!("{}: {error}", entry.name))?;
    }
    to.finish().map(Cursor::into_inner).map_err(|error| error.to_string())
}

/// SHA-256, in hexadecimal digits.
pub(super) fn sum(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn other_programs_unpack_what_was_packed() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str, content: &str, is_program| Entry {
            name: name.to_owned(),
            content: content.into(),
            is_program,
        };
        let entries =
            [entry("wif-1/wif", "#!/bin/sh\necho started\n", true), entry("wif-1/man/wif.1", "", false)];
        let packed = gzip(&tar(&entries).unwrap()).unwrap();
        assert_eq!(packed, gzip(&tar(&entries).unwrap()).unwrap());
        let file = folder.path().join("a.tar.gz");
        fs::write(&file, packed).unwrap();
        let unpacked =
            Command::new("tar").arg("-xzf").arg(&file).current_dir(folder.path()).status().unwrap();
        assert!(unpacked.success());
        let started = Command::new(folder.path().join("wif-1/wif")).output().unwrap();
        assert_eq!(started.stdout, b"started\n");
        assert_eq!(fs::read(folder.path().join("wif-1/man/wif.1")).unwrap(), b"");
        assert!(tar(&[entry(&"a".repeat(101), "", false)]).is_err());
    }
}
