//! Programs of this machine: where they are, and what they say when they are started.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures_util::future::join;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
};

use crate::{
    clock::{Clock, Limit},
    env::Env,
    process,
};

/// What the children of a program that has ended may still have to say.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// The most that is read of a program's output, and of its errors, in bytes.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// The first of these programs on the `PATH`.
#[must_use]
pub fn find(env: &Env, programs: &[&str]) -> Option<PathBuf> {
    let folders = std::env::split_paths(env.get("PATH")?).filter(|folder| folder.is_absolute());
    let mut candidates = folders.flat_map(|folder| programs.iter().map(move |name| folder.join(name)));
    candidates.find(|program| may_be_started(program))
}

/// A shell passes over a file without the right to start it.
#[cfg(unix)]
fn may_be_started(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(program).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// A shell passes over a folder.
#[cfg(not(unix))]
fn may_be_started(program: &Path) -> bool {
    program.is_file()
}

/// A program to start.
#[derive(Debug)]
pub struct Call<'a> {
    /// Where it is.
    pub program: &'a Path,
    /// Its arguments, which hold no secret: the whole machine may read them.
    pub arguments: &'a [String],
    /// Where it works, if that is not here.
    pub folder: Option<&'a Path>,
    /// How long it may take.
    pub limit: Duration,
}

/// How a program ended, and what it wrote: foreign text, which may hold secrets.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status; none, if it took too long and was ended.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
}

impl Call<'_> {
    /// Starts the program with these variables and no others, without standard input, and waits for it.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub async fn run(
        &self,
        variables: impl IntoIterator<Item = (String, String)>,
        clock: &dyn Clock,
    ) -> io::Result<Answer> {
        let mut command = Command::new(self.program);
        command.args(self.arguments).env_clear().envs(variables).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        // A group of its own, so that its children end with it.
        #[cfg(unix)]
        command.process_group(0);
        process::keep_open_files()?;
        let mut child = command.spawn()?;
        #[cfg(unix)]
        let group = child.id();
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let status = {
            let mut read = pin!(join(read(stdout, &mut output), read(stderr, &mut errors)));
            let mut limit = clock.limit(Limit::Tool, self.limit);
            let mut read_all = false;
            let status = loop {
                tokio::select! {
                    _ = &mut read, if !read_all => read_all = true,
                    status = child.wait() => break Some(status?),
                    () = &mut limit => break None,
                }
            };
            // A child that it left behind may hold its output open for ever.
            if status.is_some() && !read_all {
                let mut grace = clock.limit(Limit::Tool, OUTPUT_GRACE);
                tokio::select! {
                    _ = &mut read => {}
                    () = &mut grace => {}
                }
            }
            status
        };
        if status.is_none() {
            #[cfg(unix)]
            if let Some(group) = group.and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)) {
                // It may have ended in this very moment.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            // Where there are no groups, the program itself ends.
            let _ = child.kill().await;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { status, output: text(&output), errors: text(&errors) })
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) {
    if let Some(stream) = stream {
        // What came before it broke is all there is.
        let _ = stream.take(MAX_OUTPUT_BYTES).read_to_end(bytes).await;
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::clock::System;

    fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn run(program: &Path, limit: Duration) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let call = Call { program, arguments: &[], folder: None, limit };
        let path = ("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        runtime.block_on(call.run([path], &System::new())).unwrap()
    }

    /// Whether a process ends, or has ended, within 30 seconds: a signal takes effect a moment after it was sent.
    #[cfg(target_os = "linux")]
    fn has_ended(id: rustix::process::Pid) -> bool {
        use rustix::{event, process};
        let limit = event::Timespec { tv_sec: 30, tv_nsec: 0 };
        match process::pidfd_open(id, process::PidfdFlags::empty()) {
            Ok(process) => {
                let mut ends = [event::PollFd::new(&process, event::PollFlags::IN)];
                event::poll(&mut ends, Some(&limit)).unwrap() == 1
            }
            Err(error) => error == rustix::io::Errno::SRCH,
        }
    }

    #[test]
    fn it_has_no_input_and_no_variables_but_those_that_it_is_given() {
        let temp = tempfile::tempdir().unwrap();
        let program = script(temp.path(), "x", "cat; env | grep -c CARGO; echo e >&2; exit 3");
        let answer = run(&program, Duration::from_secs(30));
        assert_eq!(answer.status.unwrap().code(), Some(3));
        assert_eq!((&*answer.output, &*answer.errors), ("0\n", "e\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_hangs_is_ended_with_its_children() {
        let temp = tempfile::tempdir().unwrap();
        let program = script(temp.path(), "x", "sleep 600 & echo $!; wait");
        let answer = run(&program, Duration::from_millis(500));
        assert!(answer.status.is_none());
        let child = answer.output.trim().parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
        assert!(has_ended(child), "{child:?}");
    }

    #[test]
    fn a_child_that_is_left_behind_holds_nothing_up_and_much_output_is_cut() {
        let temp = tempfile::tempdir().unwrap();
        let program = script(temp.path(), "x", "sleep 20 & echo done");
        assert_eq!(run(&program, Duration::from_secs(15)).output, "done\n");
        let program = script(temp.path(), "y", "yes | head -c 1000000; exit 0");
        let answer = run(&program, Duration::from_secs(30));
        assert!(answer.status.is_some() && answer.output.len() == 64 * 1024, "{:?}", answer.status);
    }
}
