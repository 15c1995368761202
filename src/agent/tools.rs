//! Programs of the agent's machine that later steps use: where they are, which version they have, and what they say.

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
use wif_core::foreign_text::identifier;
use wif_io::{clock::Clock, env::Env, process};

use super::azure_cli;

/// A program of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The Azure CLI.
    AzureCli,
    /// Terraform, or `OpenTofu` under its name.
    Terraform,
    /// The copier of storage accounts.
    Azcopy,
    /// Python, for azure-identity.
    Python,
    /// Node, for @azure/identity.
    Node,
}

impl Tool {
    /// Its name, which is that of its program.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AzureCli => "az",
            Self::Terraform => "terraform",
            Self::Azcopy => "azcopy",
            Self::Python => "python3",
            Self::Node => "node",
        }
    }

    const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::AzureCli => azure_cli::PROGRAMS,
            Self::Terraform => {
                if cfg!(windows) {
                    &["terraform.exe"]
                } else {
                    &["terraform"]
                }
            }
            Self::Azcopy => {
                if cfg!(windows) {
                    &["azcopy.exe"]
                } else {
                    &["azcopy"]
                }
            }
            Self::Python => {
                if cfg!(windows) {
                    &["python3.exe", "python.exe"]
                } else {
                    &["python3"]
                }
            }
            Self::Node => {
                if cfg!(windows) {
                    &["node.exe"]
                } else {
                    &["node"]
                }
            }
        }
    }

    /// The first such program on the `PATH`.
    #[must_use]
    pub fn find(self, env: &Env) -> Option<PathBuf> {
        find(env, self.programs())
    }

    /// The version of its program. az is not started for that: it takes a second, and says it in the names of its folders.
    pub async fn version(self, program: &Path, env: &Env, clock: &dyn Clock) -> Option<String> {
        let argument = match self {
            Self::AzureCli => return azure_cli::version_of(program),
            Self::Terraform => "version",
            Self::Azcopy | Self::Python | Self::Node => "--version",
        };
        // Nothing that a task knows is for a program that only tells its version.
        let own = NEEDED.iter().filter_map(|name| Some(((*name).to_owned(), env.get(name)?.to_owned())));
        // Terraform would ask the network whether there is a newer one.
        let own = own.chain([("CHECKPOINT_DISABLE".to_owned(), "1".to_owned())]);
        let arguments = [argument.to_owned()];
        let call = Call { program, arguments: &arguments, folder: None, limit: VERSION_TIMEOUT };
        let answer = call.run(own, clock).await.ok()?;
        answer.output.split_whitespace().find_map(version_in)
    }
}

/// The variables without which a program may not start.
const NEEDED: [&str; 9] =
    ["PATH", "HOME", "USERPROFILE", "SystemRoot", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "TMPDIR"];
/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);
/// What the children of a program that has ended may still have to say.
const GRACE: Duration = Duration::from_secs(1);
/// The most that is read of a program's output, and of its errors, in bytes.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// A word that is a version, without the `v` before it.
fn version_in(word: &str) -> Option<String> {
    let version = word.trim_start_matches('v');
    let is_version = version.contains('.') && version.starts_with(|first: char| first.is_ascii_digit());
    is_version.then(|| identifier(version, 40)).flatten()
}

/// The first of these programs on the `PATH`.
pub(super) fn find(env: &Env, programs: &[&str]) -> Option<PathBuf> {
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
            let mut limit = clock.limit(self.limit);
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
                let mut grace = clock.limit(GRACE);
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
            // The same where there are no groups.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_among_other_words() {
        for (text, version) in [
            ("Terraform v1.11.4\non linux_amd64", Some("1.11.4")),
            ("azcopy version 10.32.2", Some("10.32.2")),
            ("Python 3.12.1", Some("3.12.1")),
            ("v22.23.3", Some("22.23.3")),
            ("no version here. At all", None),
            ("1.##vso[x]", None),
        ] {
            assert_eq!(text.split_whitespace().find_map(version_in).as_deref(), version, "{text}");
        }
    }

    #[cfg(unix)]
    mod started {
        use std::{fs, os::unix::fs::PermissionsExt as _};

        use super::*;
        use wif_io::clock::System;

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

        #[test]
        fn only_what_may_be_started_is_found_and_in_the_order_of_the_path() {
            let temp = tempfile::tempdir().unwrap();
            let folders = ["a", "b", "c"].map(|name| temp.path().join(name));
            for folder in &folders {
                fs::create_dir(folder).unwrap();
            }
            fs::write(folders[0].join("azcopy"), "").unwrap();
            let [_, second, third] = &folders;
            let program = script(second, "azcopy", "echo azcopy version 10.1.2; echo $SECRET");
            script(third, "azcopy", "echo azcopy version 10.9.9");
            let path = std::env::join_paths(&folders).unwrap().into_string().unwrap();
            let env: Env = [("PATH".to_owned(), path)].into_iter().collect();
            assert_eq!(Tool::Azcopy.find(&env).as_deref(), Some(&*program));
            assert_eq!(Tool::Terraform.find(&env), None);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let version = runtime.block_on(Tool::Azcopy.version(&program, &env, &System::new()));
            assert_eq!(version.as_deref(), Some("10.1.2"));
        }
    }
}
