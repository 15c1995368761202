//! Files that a command reads and writes. Nothing half-written replaces a good file.

use std::{
    collections::BTreeMap,
    error::Error as _,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

use wif_core::{code::Code, fact::Fact, failure::Failure};
use wif_io::random;

use crate::{
    request::Request,
    yaml::{self, YamlError},
};

/// The most broken files that an error names beside the first.
const MAX_BROKEN: usize = 9;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// As the user's settings say.
    Usual,
    /// The user alone.
    Owner,
}

/// A file that is whole, and stands beside its place. It is removed unless it is moved there.
pub(super) struct Beside<'p> {
    /// None, once it was closed.
    file: Option<File>,
    path: PathBuf,
    place: &'p Path,
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
    put(write_beside(path, readers, content)?.into_iter().collect())
}

/// Writes a file beside its place. None, if it is a device or a pipe, which cannot be replaced, and so was written.
///
/// # Errors
///
/// It could not be written.
pub(super) fn write_beside<'p>(
    place: &'p Path,
    readers: Readers,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<Option<Beside<'p>>, Failure> {
    let failed = |error| unwritten(place, &error);
    if fs::metadata(place).is_ok_and(|found| !found.is_file()) {
        let file = OpenOptions::new().write(true).open(place).map_err(failed)?;
        let mut file = BufWriter::new(file);
        return content(&mut file).and_then(|()| file.flush()).map(|()| None).map_err(failed);
    }
    let path = beside(place).ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let file = new(&path, readers).map_err(failed)?;
    // From here on it is removed if it does not become whole.
    let mut beside = Beside { file: None, path, place };
    let mut out = BufWriter::new(&file);
    content(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    beside.file = Some(file);
    Ok(Some(beside))
}

/// Checks that files can be written in their places, and leaves nothing there: what is read meanwhile takes minutes.
///
/// # Errors
///
/// One could not be written.
pub(super) fn check_places<F>(targets: &[(F, Option<PathBuf>)], save: Option<&Path>) -> Result<(), Failure> {
    let outputs = targets.iter().filter_map(|(_, output)| output.as_deref());
    // A device or a pipe is written only when there is something to write.
    let is_file = |place: &&Path| fs::metadata(place).map_or(true, |found| found.is_file() || found.is_dir());
    let mut places = outputs.chain(save).filter(is_file);
    places.try_for_each(|place| write_beside(place, Readers::Owner, &mut |_| Ok(())).map(drop))
}

/// Moves files to their places, once all of them are on the disk: it is waited for them side by side, as for one.
///
/// # Errors
///
/// One could not be written; what was in its place before is still there.
pub(super) fn put(mut files: Vec<Beside<'_>>) -> Result<(), Failure> {
    match files.as_slice() {
        [] => {}
        [one] => one.sync()?,
        several => thread::scope(|scope| {
            let waiting: Vec<_> = several.iter().map(|one| scope.spawn(|| one.sync())).collect();
            let ended =
                waiting.into_iter().map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.collect::<Result<Vec<_>, _>>()
        })
        .map(drop)?,
    }
    files.iter_mut().try_for_each(|beside| {
        // Not every system moves a file that is open.
        beside.file = None;
        fs::rename(&beside.path, beside.place).map_err(|error| unwritten(beside.place, &error))
    })
}

impl Beside<'_> {
    /// Waits until it is on the disk.
    fn sync(&self) -> Result<(), Failure> {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_all);
        synced.map_err(|error| unwritten(self.place, &error))
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // Once it is in its place, it is here no more.
        let _ = fs::remove_file(&self.path);
    }
}

fn unwritten(place: &Path, error: &io::Error) -> Failure {
    let hint = "name a file in a folder that exists and that you may write to";
    argument(format!("{} could not be written: {error}", place.display()), hint)
}

fn new(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    options.open(path)
}

/// A name in the same folder, which no other run has. Processes of two containers can have one id, and a folder in common.
fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    Some(path.with_file_name(format!(".{name}.{}.part", random::id().simple())))
}

/// The one way to write a file's path, where its folder is there.
fn whole(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
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
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(wif::cli::unwritable(error)),
        _ => Ok(()),
    }
}

/// A mistake in an argument or a file.
pub(super) fn argument(text: impl Into<String>, hint: &str) -> Failure {
    Failure::new(Code::ArgumentInvalid, text.into(), hint)
}

/// Pairs formats with outputs: the n-th with the n-th, the rest to standard output, which takes one at the most.
///
/// # Errors
///
/// More than one format for standard output, an output without a format, or one file for two of them, the snapshot included.
pub(super) fn pair<F: Copy>(
    formats: &[F],
    outputs: &[PathBuf],
    save: Option<&Path>,
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
    let files: Vec<_> = pairs.iter().filter_map(|(_, output)| output.as_deref()).map(whole).collect();
    if let Some(twice) =
        files.iter().enumerate().find(|(at, file)| files.iter().take(*at).any(|other| other == *file))
    {
        let error = format!("--output names {} twice", twice.1.display());
        return Err(argument(error, "give each format a file of its own"));
    }
    if let Some(save) = save.filter(|save| files.contains(&whole(save))) {
        let error = format!("--save and --output name {}", save.display());
        return Err(argument(error, "give the snapshot and each format a file of its own"));
    }
    Ok(pairs)
}

/// Reads request files: each connection once. Of files that are broken all are told, so that they can be mended at once.
///
/// # Errors
///
/// One cannot be read, is no request, or asks for the connection of another.
pub(super) fn requests<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<Vec<Request>, Failure> {
    let request = |path: &Path| {
        let text = yaml::text_of(path)?;
        Request::parse(&text, &path.display().to_string())
    };
    let (mut requests, mut broken) = (Vec::new(), Vec::new());
    for path in paths {
        match request(path) {
            Ok(request) => requests.push(request),
            Err(error) => broken.push(error),
        }
    }
    let mut broken = broken.into_iter();
    if let Some(first) = broken.next() {
        let (mut others, count) = (Vec::new(), broken.len());
        others.extend(broken.take(MAX_BROKEN).map(|error| Fact::new("also", told(&error))));
        if count > MAX_BROKEN {
            others.push(Fact::new("also", format!("{} more", count - MAX_BROKEN)));
        }
        let failure = Failure::new(Code::ArgumentInvalid, first, "mend the request file");
        return Err(failure.with_details(others));
    }
    let mut known = BTreeMap::new();
    for request in &requests {
        let key = (request.owner_project().to_lowercase(), request.connection.to_lowercase());
        if let Some(other) = known.insert(key, &request.file) {
            let (file, name, project) = (&request.file, &request.connection, request.owner_project());
            let error = format!("{other} and {file} ask for the same connection, '{name}' in {project}");
            return Err(argument(error, "keep one of the two"));
        }
    }
    Ok(requests)
}

/// An error with its cause.
fn told(error: &YamlError) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_format_goes_to_the_nth_output() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let pair =
            |formats: &[char], outputs: &[PathBuf]| pair(formats, outputs, Some(Path::new("snapshot")));
        let pairs = pair(&['a', 'b', 'c'], &paths(&["x", "-", "z"])).unwrap();
        assert_eq!(pairs, [('a', Some("x".into())), ('b', None), ('c', Some("z".into()))]);
        assert_eq!(pair(&['a', 'b'], &paths(&["x"])).unwrap()[1], ('b', None));
        assert!(pair(&['a', 'b'], &[]).is_err());
        assert!(pair(&['a'], &paths(&["x", "y"])).is_err());
        assert!(pair(&['a', 'b'], &paths(&["x", "x"])).is_err());
        assert!(pair(&['a', 'b'], &paths(&["x", "./x"])).is_err());
        assert!(pair(&['a', 'b'], &paths(&["x", "src/../x"])).is_err());
        assert!(pair(&['a'], &paths(&["./snapshot"])).is_err());
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
        // What a run left that was killed, in a container where each has this process id.
        let left = folder.path().join(format!(".report.json.{}.part", std::process::id()));
        fs::write(&left, "half").unwrap();
        write(&path, Readers::Usual, &mut |out| out.write_all(b"better")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"better");
    }

    #[test]
    fn one_file_that_cannot_be_written_leaves_the_others_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.json", "b.html"].map(|name| folder.path().join(name));
        let content = |text: &'static [u8]| move |out: &mut dyn Write| out.write_all(text);
        let beside = |path, text| write_beside(path, Readers::Usual, &mut content(text)).map(Option::unwrap);
        put(paths.iter().map(|path| beside(path, b"good").unwrap()).collect()).unwrap();
        assert_eq!(paths.each_ref().map(|path| fs::read(path).unwrap()), [b"good", b"good"]);
        let nowhere = folder.path().join("no/such/folder");
        {
            let _first = beside(&paths[0], b"new").unwrap();
            assert!(beside(&nowhere, b"new").is_err());
        }
        assert_eq!(fs::read(&paths[0]).unwrap(), b"good");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
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
