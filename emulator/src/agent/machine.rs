//! The machine that the agent runs on, and how it was configured.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::files;
use super::settings::{ProxySettings, Settings};

/// An agent in a new folder, which is removed when the last clone is dropped.
///
/// It runs one job after the other, as the real one does; jobs in parallel need several agents.
#[derive(Clone, Debug)]
pub struct Agent {
    pub(super) settings: Settings,
    pub(super) machine: BTreeMap<String, String>,
    pub(super) node: Option<PathBuf>,
    pub(super) container: Vec<String>,
    pub(super) install: bool,
    pub(super) read_only: bool,
    pub(super) retry_unit: Duration,
    pub(super) one_job: Arc<Mutex<()>>,
    root: Arc<Root>,
}

struct Root(tempfile::TempDir);

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.path().fmt(f)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // A folder that is read-only cannot be removed.
        files::set_tree_mode(self.0.path(), 0o755, None);
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// A machine whose own environment has a `PATH`, a `HOME` and a `LANG`, and nothing else of this process.
    #[must_use]
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("agent-").tempdir().expect("a temp folder");
        // On Windows a folder has a short and a long name; a job must see one of them only.
        let path = root.path().canonicalize().unwrap_or_else(|_| root.path().to_owned());
        for folder in
            ["_work/_temp", "_work/_tasks", "_work/_tool", "_work/1/s", "_work/1/a", "_work/1/b", "home"]
        {
            std::fs::create_dir_all(path.join(folder)).expect("folders of the agent");
        }
        let machine = base_environment(&path);
        let node = machine.get("PATH").and_then(|path| find_program("node", path));
        Self {
            settings: Settings::default(),
            machine,
            node,
            container: Vec::new(),
            install: false,
            read_only: false,
            retry_unit: Duration::from_secs(1),
            one_job: Arc::default(),
            root: Arc::new(Root(root)),
        }
    }

    /// The agent's proxy, which tasks find in `AGENT_PROXY…` and not in `HTTPS_PROXY`.
    #[must_use]
    pub fn proxy(mut self, proxy: ProxySettings) -> Self {
        self.settings.proxy = Some(proxy);
        self
    }

    /// `--sslcacert`: a PEM bundle, `AGENT_CAINFO`.
    #[must_use]
    pub fn ca_file(mut self, path: &Path) -> Self {
        self.settings.ca_file = Some(path.to_owned());
        self
    }

    /// `--sslclientcert`, `--sslclientcertkey` and its password.
    #[must_use]
    pub fn client_certificate(mut self, cert: &Path, key: &Path, password: Option<&str>) -> Self {
        self.settings.client_certificate =
            Some((cert.to_owned(), key.to_owned(), password.map(str::to_owned)));
        self
    }

    /// `--sslskipcertvalidation`: `AGENT_SKIPCERTVALIDATION=True`.
    #[must_use]
    pub fn skip_certificate_validation(mut self) -> Self {
        self.settings.skip_certificate_validation = true;
        self
    }

    /// A variable of the worker's own environment: every process inherits it.
    #[must_use]
    pub fn machine_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.machine.insert(name.into(), value.into());
        self
    }

    /// A folder that the machine's `PATH` begins with.
    #[must_use]
    pub fn path(mut self, folder: &Path) -> Self {
        let path = self.machine.entry("PATH".to_owned()).or_default();
        let folders = [folder.to_owned()].into_iter().chain(std::env::split_paths(path));
        *path =
            std::env::join_paths(folders).expect("no folder with a separator").to_string_lossy().into_owned();
        self
    }

    /// `System.Debug=true`.
    #[must_use]
    pub fn debug(mut self) -> Self {
        self.settings.debug = true;
        self
    }

    /// A container job: each step's process is started by this command line in front of its own, as the real agent does
    /// by `docker exec`. Folders are the same inside and outside.
    #[must_use]
    pub fn container(mut self, enter: &[&str]) -> Self {
        self.container = enter.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The Node that runs tasks, instead of the first `node` on this process's `PATH`.
    #[must_use]
    pub fn node(mut self, program: &Path) -> Self {
        self.node = Some(program.to_owned());
        self
    }

    /// Copies each task to `_work/_tasks/<Name>_<id>/<version>` first, without execute bits, as the agent unpacks a
    /// task that came with an extension (`TaskManager.cs`). A copy that exists is not made again.
    #[must_use]
    pub fn install_tasks(mut self) -> Self {
        self.install = true;
        self
    }

    /// [`Agent::install_tasks`], with copies that are read-only for every user.
    #[must_use]
    pub fn read_only_tasks(mut self) -> Self {
        self.install = true;
        self.read_only = true;
        self
    }

    /// How long the agent waits after the first failed attempt of a step; the n-th wait is n² as long. The real agent
    /// waits one second (`RetryHelper.cs`).
    #[must_use]
    pub fn retry_unit(mut self, unit: Duration) -> Self {
        self.retry_unit = unit;
        self
    }

    /// The agent's folder.
    #[must_use]
    pub fn root_folder(&self) -> &Path {
        self.root.0.path()
    }

    /// `Agent.WorkFolder`.
    #[must_use]
    pub fn work_folder(&self) -> PathBuf {
        self.root_folder().join("_work")
    }

    /// `Agent.TempDirectory`: emptied at the start and at the end of each job.
    #[must_use]
    pub fn temp_folder(&self) -> PathBuf {
        self.work_folder().join("_temp")
    }

    /// `Build.SourcesDirectory` and `System.DefaultWorkingDirectory`: where steps start. Never emptied.
    #[must_use]
    pub fn sources_folder(&self) -> PathBuf {
        self.work_folder().join("1").join("s")
    }

    /// `_work/_tasks`.
    #[must_use]
    pub fn tasks_folder(&self) -> PathBuf {
        self.work_folder().join("_tasks")
    }
}

fn base_environment(root: &Path) -> BTreeMap<String, String> {
    // Windows programs do not start without the last three; other platforms do not set them.
    #[expect(clippy::disallowed_methods, reason = "the machine of the tests is where its programs are found")]
    let kept = ["PATH", "SystemRoot", "ComSpec", "PATHEXT"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let own = [("HOME", root.join("home").display().to_string()), ("LANG", "C.UTF-8".to_owned())];
    kept.chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
}

/// The first program of this name on a `PATH`.
pub(super) fn find_program(name: &str, path: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path).map(|folder| folder.join(&file)).find(|program| program.is_file())
}
