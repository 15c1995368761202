//! Where `wif token` writes the command that masks its token: to the standard output of the step, as the agent reads it.
//!
//! The token itself goes to the standard output of this program, which a script captures: `token=$(wif token arm)`. The
//! agent reads the step's standard error too, but a script task with `failOnStderr` fails for every line there.

use std::{
    fs::File,
    io::{self, Write},
};

use zeroize::Zeroizing;

/// A write of this size or less reaches a pipe in one piece (Linux, `pipe(7)`: `PIPE_BUF`), so that nothing that the script
/// prints at the same time gets between its characters.
const MAX_WHOLE_WRITE: usize = 4096;

/// Keeps a command until it is flushed, and then writes it in one piece: to the step's standard output where that was
/// found, else to standard error.
pub struct MaskOutput {
    step: Option<File>,
    command: Zeroizing<Vec<u8>>,
}

impl MaskOutput {
    /// Looks for the standard output of the step whose job has this id (`VSTS_PROCESS_LOOKUP_ID`). It is not taken where it is
    /// this program's own: a caller that reads the token there wants nothing else.
    #[must_use]
    pub fn of_step(job: Option<&str>) -> Self {
        Self { step: job.and_then(find).filter(|step| !is_own_output(step)), command: Zeroizing::default() }
    }

    /// The same for a program that prints no token itself: its own standard output is taken too, where it is the step's.
    #[must_use]
    pub fn of_step_or_own(job: Option<&str>) -> Self {
        Self { step: job.and_then(find), command: Zeroizing::default() }
    }

    /// Whether the command was written to the step's standard output.
    fn written_to_step(&mut self) -> bool {
        // The script may have printed half a line, and the agent drops what stands before a command in its line.
        let mut line = Zeroizing::new(Vec::with_capacity(self.command.len() + 1));
        line.push(b'\n');
        line.extend_from_slice(&self.command);
        let fits = line.len() <= MAX_WHOLE_WRITE;
        self.step.as_mut().is_some_and(|step| fits && step.write_all(&line).is_ok())
    }
}

impl Write for MaskOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.command.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.command.is_empty() && !self.written_to_step() {
            let mut errors = io::stderr();
            errors.write_all(&self.command)?;
            errors.flush()?;
            wait_until_read(&errors);
        }
        self.command = Zeroizing::default();
        Ok(())
    }
}

/// How long the reader of standard error may take, in milliseconds.
#[cfg(target_os = "linux")]
const MAX_READ_MILLISECONDS: u32 = 500;

/// Waits until a pipe has been read. The agent reads the two streams of a step beside each other: it must have the mask
/// before the script prints the token to the other one.
#[cfg(target_os = "linux")]
fn wait_until_read(stream: &impl std::os::fd::AsFd) {
    use rustix::fs::{FileType, fstat};
    let is_pipe = fstat(stream).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Fifo);
    let mut tries = if is_pipe { MAX_READ_MILLISECONDS } else { 0 };
    while tries > 0 && rustix::io::ioctl_fionread(stream).is_ok_and(|unread| unread > 0) {
        std::thread::sleep(std::time::Duration::from_millis(1));
        tries -= 1;
    }
}

/// Elsewhere a pipe does not tell its writer what has been read.
#[cfg(not(target_os = "linux"))]
fn wait_until_read(_: &io::Stderr) {}

/// Elsewhere no program can open another one's standard output.
#[cfg(not(target_os = "linux"))]
const fn find(_job: &str) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
const fn is_own_output(_step: &File) -> bool {
    true
}

#[cfg(target_os = "linux")]
use linux::{find, is_own_output};

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs::{self, File, OpenOptions},
        io,
        os::unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            process::parent_id,
        },
        path::PathBuf,
    };

    use rustix::fs::fstat;
    use zeroize::Zeroizing;

    /// How many processes may stand between the agent and this one.
    const MAX_ANCESTORS: usize = 64;

    /// The standard output of the process that the agent started for this step, opened anew.
    ///
    /// The parent's standard output would be the wrong one as often as not: in `printf … "$(wif token arm)" | curl …` it is
    /// curl's input. So the first process of the step is looked for, and its output is taken only when the process above it,
    /// the agent, holds the reading end of that pipe. A shell that has redirected its output, a container (whose agent is
    /// outside) and `sudo` are not taken: the mask goes to standard error there.
    ///
    /// Every process on the way must be this one's user's. Else a user could have a token written to a pipe that a program of
    /// root's does not print to.
    pub(super) fn find(job: &str) -> Option<File> {
        let (first, agent) = first_of_step(job)?;
        let output = PathBuf::from(format!("/proc/{first}/fd/1"));
        // A pipe without a name; a file and a named pipe have a path here.
        let pipe = fs::read_link(&output).ok().filter(|link| link.to_string_lossy().starts_with("pipe:["))?;
        let holds_reading_end = fs::read_dir(format!("/proc/{agent}/fd")).ok()?.flatten().any(|entry| {
            let is_same = fs::read_link(entry.path()).is_ok_and(|link| link == pipe);
            // The permissions of the link are those of the open file (proc(5)).
            is_same && entry.metadata().is_ok_and(|link| link.permissions().mode() & 0o600 == 0o400)
        });
        if !holds_reading_end {
            return None;
        }
        let file = OpenOptions::new().write(true).open(&output).ok()?;
        let opened = file.metadata().ok()?;
        // The process may have taken another output meanwhile.
        let is_pipe = pipe.to_string_lossy() == format!("pipe:[{}]", opened.ino());
        (opened.file_type().is_fifo() && is_pipe).then_some(file)
    }

    /// Whether this is what the program's own standard output writes to; what cannot be read counts as that.
    #[expect(clippy::disallowed_methods, reason = "it is compared, and nothing written")]
    pub(super) fn is_own_output(step: &File) -> bool {
        let (Ok(own), Ok(step)) = (fstat(io::stdout()), step.metadata()) else { return true };
        (own.st_dev, own.st_ino) == (step.dev(), step.ino())
    }

    /// The ids of the step's first process and of the one that started it. A process of the job has the job's id in the
    /// environment that it was started with; the agent, which made the id after its own start, has not.
    fn first_of_step(job: &str) -> Option<(u32, u32)> {
        let user = rustix::process::getuid().as_raw();
        let variable = format!("VSTS_PROCESS_LOOKUP_ID={job}");
        let mut first = None;
        let mut current = parent_id();
        for _ in 0..MAX_ANCESTORS {
            if fs::metadata(format!("/proc/{current}")).ok()?.uid() != user {
                return None;
            }
            let environment = Zeroizing::new(fs::read(format!("/proc/{current}/environ")).ok()?);
            if !environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
                return first.map(|first| (first, current));
            }
            first = Some(current);
            current = parent_of(current)?;
        }
        None
    }

    fn parent_of(process: u32) -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        parent.trim().parse().ok().filter(|parent| *parent != 0)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{io::Read as _, os::fd::OwnedFd};

    use super::*;

    /// What reaches the step's standard output, and whether it does.
    fn written(command: &[u8]) -> (bool, Vec<u8>) {
        let (mut reader, writer) = io::pipe().unwrap();
        let step = Some(File::from(OwnedFd::from(writer)));
        let mut masks = MaskOutput { step, command: Zeroizing::default() };
        masks.write_all(command).unwrap();
        let is_written = masks.written_to_step();
        drop(masks);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        (is_written, read)
    }

    #[test]
    fn a_command_that_would_not_reach_the_pipe_in_one_piece_is_not_written_to_it() {
        let longest = vec![b'x'; MAX_WHOLE_WRITE - 1];
        assert_eq!(written(&longest), (true, [b"\n", longest.as_slice()].concat()));
        assert_eq!(written(&vec![b'x'; MAX_WHOLE_WRITE]), (false, Vec::new()));
    }

    #[test]
    fn a_step_that_no_longer_reads_is_passed_over() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let step = Some(File::from(OwnedFd::from(writer)));
        let mut masks = MaskOutput { step, command: Zeroizing::default() };
        masks.write_all(b"a command").unwrap();
        assert!(!masks.written_to_step());
    }

    #[test]
    fn without_an_id_of_the_job_there_is_no_step() {
        assert!(MaskOutput::of_step(None).step.is_none());
        assert!(MaskOutput::of_step(Some("no job has this id")).step.is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_waited_for_until_it_was_read_and_not_for_ever() {
        use std::sync::mpsc;
        let (mut reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"mask").unwrap();
        wait_until_read(&writer);
        assert_eq!(rustix::io::ioctl_fionread(&writer), Ok(4), "no reader came");
        let (begins, begun) = mpsc::channel();
        let waits = std::thread::spawn(move || {
            begins.send(()).unwrap();
            wait_until_read(&writer);
            rustix::io::ioctl_fionread(&writer)
        });
        begun.recv().unwrap();
        io::Read::read_exact(&mut reader, &mut [0; 4]).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(0));
    }
}
