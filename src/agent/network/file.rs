//! Reading the files that the settings name.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

/// A certificate bundle is smaller than this, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Reads a file of an ordinary size: a device or a pipe could go on for ever.
pub(crate) fn read_file(path: impl AsRef<Path>) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = fs::metadata(&path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not an ordinary file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(bytes)
}
