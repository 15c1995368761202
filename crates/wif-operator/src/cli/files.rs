//! Files that a command reads and writes. Nothing half-written replaces a good file.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use wif_core::{code::Code, failure::Failure};

use crate::{request::Request, yaml};

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// As the user's settings say.
    Usual,
    /// The user alone.
    Owner,
}

/// Writes a file beside its place, and moves it there when it is whole.
///
/// # Errors
///
/// It could not be written; what was there before is still there.
pub(super) fn write(
    path: &Path,
    readers: Readers,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let hint = "name a file in a folder that exists and that you may write to";
        argument(format!("{} could not be written: {error}", path.display()), hint)
    };
    // A device or pipe cannot be replaced.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        let mut file = BufWriter::new(file);
        return content(&mut file).and_then(|()| file.flush()).map_err(failed);
    }
    let beside = beside(path).ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let written = write_new(&beside, readers, content).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // The file beside may not exist; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

fn write_new(
    path: &Path,
    readers: Readers,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = BufWriter::new(options.open(path)?);
    content(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()
}

/// A name in the same folder, which no other run has.
fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    Some(path.with_file_name(format!(".{name}.{}.part", std::process::id())))
}

/// Writes to standard output. A reader that has read enough is not a failure.
///
/// # Errors
///
/// It cannot be written for another reason.
pub(super) fn show(
    out: &mut (dyn Write + Send),
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(out);
    match content(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(closed(error)),
        _ => Ok(()),
    }
}

/// Why a command failed whose output was closed.
pub(super) fn closed(error: io::Error) -> Failure {
    Failure::new(Code::Bug, error, "run the command again; its output was closed")
}

/// A mistake in an argument or a file.
pub(super) fn argument(text: impl Into<String>, hint: &str) -> Failure {
    Failure::new(Code::ArgumentInvalid, text.into(), hint)
}

/// Pairs formats with outputs: the n-th with the n-th, the rest to standard output, which takes one at the most.
///
/// # Errors
///
/// More than one format for standard output, or an output without a format.
pub(super) fn pair<F: Copy>(
    formats: &[F],
    outputs: &[PathBuf],
) -> Result<Vec<(F, Option<PathBuf>)>, Failure> {
    if outputs.len() > formats.len() {
        let error = format!("more --output than --format: {} and {}", outputs.len(), formats.len());
        return Err(argument(error, "give a --format for each --output: the n-th goes to the n-th"));
    }
    let outputs = outputs.iter().map(Some).chain(std::iter::repeat(None));
    let pairs: Vec<_> = formats
        .iter()
        .zip(outputs)
        .map(|(format, output)| (*format, output.filter(|path| path.as_os_str() != "-").cloned()))
        .collect();
    if pairs.iter().filter(|(_, output)| output.is_none()).count() > 1 {
        let error = "more than one --format would go to standard output";
        return Err(argument(error, "give each but one an --output FILE"));
    }
    let files: Vec<_> = pairs.iter().filter_map(|(_, output)| output.as_ref()).collect();
    if let Some(twice) =
        files.iter().enumerate().find(|(at, file)| files.iter().take(*at).any(|other| other == *file))
    {
        let error = format!("--output names {} twice", twice.1.display());
        return Err(argument(error, "give each format a file of its own"));
    }
    Ok(pairs)
}

/// Reads request files.
///
/// # Errors
///
/// One cannot be read, or is no request.
pub(super) fn requests<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<Vec<Request>, Failure> {
    let request = |path: &Path| {
        let text = yaml::text_of(path)?;
        Request::parse(&text, &path.display().to_string())
    };
    let requests: Result<Vec<_>, _> = paths.into_iter().map(request).collect();
    requests.map_err(|error| Failure::new(Code::ArgumentInvalid, error, "mend the request file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_format_goes_to_the_nth_output() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let pairs = pair(&['a', 'b', 'c'], &paths(&["x", "-", "z"])).unwrap();
        assert_eq!(pairs, [('a', Some("x".into())), ('b', None), ('c', Some("z".into()))]);
        assert_eq!(pair(&['a', 'b'], &paths(&["x"])).unwrap()[1], ('b', None));
        assert!(pair(&['a', 'b'], &[]).is_err());
        assert!(pair(&['a'], &paths(&["x", "y"])).is_err());
        assert!(pair(&['a', 'b'], &paths(&["x", "x"])).is_err());
    }

    #[test]
    fn what_fails_half_way_leaves_the_good_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(&path, Readers::Usual, &mut |out| out.write_all(b"good")).unwrap();
        let failed = write(&path, Readers::Usual, &mut |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().exit_code(), 2);
        assert_eq!(fs::read(&path).unwrap(), b"good");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("no/such/folder"), Readers::Usual, &mut |_| Ok(())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_snapshot_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        write(&path, Readers::Owner, &mut |_| Ok(())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
