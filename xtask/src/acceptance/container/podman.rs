//! A container of podman, started and entered as the agent does it with Docker: its first process waits, and each step is
//! a program that `exec` starts inside. The image is a small Debian that debootstrap makes, since no registry is asked.
//!
//! Images and containers are kept below `target/`, apart from those of the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use super::super::bash::word;
use crate::{
    process::{Result, output, root, run, target},
    tools::{debian, once},
};

/// The network of a container.
#[derive(Clone, Copy)]
pub(super) enum Network<'a> {
    /// One of its own, with a bridge. The services of the machine's loopback stand on these ports of the container's.
    Bridge(&'a [u16]),
    /// The machine's.
    Host,
}

/// A running container. It is removed when this is dropped.
pub(in super::super) struct Podman {
    name: String,
    /// What starts a program inside.
    enter: Vec<String>,
    relays: Vec<Child>,
    sockets: TempDir,
}

impl Podman {
    /// Starts one with these folders and files, which have the same paths inside.
    pub(super) fn start(network: Network<'_>, paths: &[&Path]) -> Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("wif-acceptance-{}-{number}", std::process::id());
        let sockets = tempfile::tempdir().map_err(|error| format!("a folder for sockets: {error}"))?;
        let kind = match network {
            Network::Bridge(_ports) => "bridge",
            Network::Host => "host",
        };
        let node = PathBuf::from(node()?);
        let files = root().join("xtask").join("acceptance");
        let mut command = podman()?;
        command.args(["run", "--detach", "--name", &name, "--network", kind]).args(LIMITS);
        for path in paths {
            command.arg("--volume").arg(format!("{0}:{0}", path.display()));
        }
        for path in [&node, &files] {
            command.arg("--volume").arg(format!("{0}:{0}:ro", path.display()));
        }
        // As the agent's, but it ends by itself if this program is killed.
        let wait = format!("setTimeout(function () {{}}, {})", LONGEST_JOB.as_millis());
        output(command.arg(IMAGE).arg(&node).args(["-e", &wait]))?;
        let enter = enter(&name, &node, &files)?;
        let mut container = Self { name, enter, relays: Vec::new(), sockets };
        if let Network::Bridge(ports) = network {
            for port in ports {
                container.relay(*port)?;
            }
        }
        Ok(container)
    }

    /// What goes in front of a command line that is to be run inside.
    pub(super) fn enter(&self) -> Vec<String> {
        self.enter.clone()
    }

    /// Leads a port of the container's loopback to the same port of the machine's. The container's own network has no
    /// part in it: the two halves meet in a socket in the file system.
    fn relay(&mut self, port: u16) -> Result<()> {
        let first = output(podman()?.args(["inspect", "--format", "{{.State.Pid}}", &self.name]))?;
        let socket = self.sockets.path().join(port.to_string());
        let outside = format!("UNIX-LISTEN:{},fork", socket.display());
        self.relays.push(socat(Command::new("socat").args([&outside, &format!("TCP4:127.0.0.1:{port}")]))?);
        wait_for(|| socket.exists(), "socat did not listen outside of the container")?;
        let inside = format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        let enter = ["--target", &first, "--net", "socat", &inside];
        let to = format!("UNIX-CONNECT:{}", socket.display());
        self.relays.push(socat(Command::new("nsenter").args(enter).arg(to))?);
        // Each line of the table has the address and the port of a listener as hexadecimal numbers.
        let table = format!("/proc/{first}/net/tcp");
        let listener = format!("0100007F:{port:04X} 00000000:0000 0A");
        let listens = || fs::read_to_string(&table).is_ok_and(|text| text.contains(&listener));
        wait_for(listens, "socat did not listen in the container")
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if let Ok(mut command) = podman() {
            let _ = output(command.args(["rm", "--force", "--time", "0", &self.name]));
        }
        for relay in &mut self.relays {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }
}

/// `node enter.js podman … exec … node invoke.js --`
fn enter(name: &str, node: &Path, files: &Path) -> Result<Vec<String>> {
    let text = |path: &Path| path.display().to_string();
    let mut words = vec![text(node), text(&files.join("enter.js")), "podman".to_owned()];
    words.extend(store()?);
    words.extend(["exec", "--interactive", name].map(str::to_owned));
    words.extend([text(node), text(&files.join("invoke.js")), "--".to_owned()]);
    Ok(words)
}

/// Whether this machine has what podman needs. An error names what it lacks.
pub(in super::super) fn required() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err("Linux".to_owned());
    }
    if output(Command::new("id").arg("-u")).ok().as_deref() != Some("0") {
        return Err("root, which makes the image and the container's network".to_owned());
    }
    debian(&PACKAGES).map_err(|error| format!("podman ({error})"))
}

/// Makes the image where it is missing.
pub(in super::super) fn image() -> Result<()> {
    let folder = target()?.join("acceptance").join("image");
    once(&folder, &WANTED.join("\n"), || {
        let system = folder.join("system");
        let include = format!("--include={}", WANTED[2]);
        output(Command::new("debootstrap").args([WANTED[1], &include, WANTED[0]]).arg(&system))?;
        let archive = folder.join("system.tar");
        let leave_out = ["--exclude=./var/cache", "--exclude=./var/lib/apt/lists"];
        run(Command::new("tar").arg("-C").arg(&system).args(leave_out).arg("-cf").arg(&archive).arg("."))?;
        output(podman()?.args(["import", "--quiet"]).arg(&archive).arg(IMAGE))?;
        fs::remove_dir_all(&system)
            .and_then(|()| fs::remove_file(&archive))
            .map_err(|error| error.to_string())
    })
}

/// Runs a container with a network of its own, which not every kernel lets it. An error names what is missing.
pub(in super::super) fn starts() -> Result<()> {
    let mut try_one = podman()?;
    try_one.args(["run", "--rm", "--network", "bridge"]).args(LIMITS).args([IMAGE, "true"]);
    output(&mut try_one).map(|_printed| ()).map_err(|error| format!("kernel that runs it ({error})"))
}

/// The first line of what a program of the image says of its version.
pub(in super::super) fn version_of(program: &str) -> Result<String> {
    let mut command = podman()?;
    command.args(["run", "--rm", "--network", "none"]).args(LIMITS).args([IMAGE, program, "--version"]);
    output(&mut command)
}

/// The beginning of a line of bash that runs a program in a new container, with the machine's network, the session's
/// variables, and those by which this project's scripts find the emulator. A name without a value keeps keys out of the
/// arguments.
pub(in super::super) fn run_line(ca: &Path) -> Result<String> {
    let files = root().join("xtask").join("acceptance");
    let mut words = vec!["podman".to_owned()];
    words.extend(store()?);
    words.extend(["run", "--rm", "--network", "host"].map(str::to_owned));
    words.extend(LIMITS.map(str::to_owned));
    for path in [ca, &files] {
        words.extend(["--volume".to_owned(), format!("{0}:{0}:ro", path.display())]);
    }
    for name in SESSION.iter().chain(&SCRIPTS) {
        words.extend(["--env".to_owned(), (*name).to_owned()]);
    }
    words.extend(["--env", "PATH=/wif:/usr/bin:/bin"].map(str::to_owned));
    let words: Vec<_> = words.iter().map(|text| word(text)).collect();
    Ok(format!("{} --volume \"$(dirname \"$(command -v wif)\")\":/wif:ro {IMAGE}", words.join(" ")))
}

/// podman, with the images and containers of this project.
fn podman() -> Result<Command> {
    let mut command = Command::new("podman");
    command.args(store()?);
    Ok(command)
}

/// Where they are kept. crun, the other program that starts containers, does not start any where both versions of
/// control groups are mounted.
fn store() -> Result<Vec<String>> {
    let folder = target()?.join("acceptance").join("podman");
    let below = |name: &str| folder.join(name).display().to_string();
    let places = [("--root", below("storage")), ("--runroot", below("run"))];
    let places = places.into_iter().flat_map(|(option, path)| [option.to_owned(), path]);
    Ok(places.chain(["--storage-driver", "vfs", "--runtime", "runc"].map(str::to_owned)).collect())
}

/// The Node that runs the task inside, as the agent brings its own.
fn node() -> Result<String> {
    output(Command::new("node").args(["-p", "process.execPath"]))
}

fn socat(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| format!("socat: {error}"))
}

fn wait_for(holds: impl Fn() -> bool, complaint: &str) -> Result<()> {
    for _ in 0..START_POLLS {
        if holds() {
            return Ok(());
        }
        thread::sleep(POLL);
    }
    Err(complaint.to_owned())
}

static STARTED: AtomicU32 = AtomicU32::new(0);

/// Debian's packages that this needs.
const PACKAGES: [&str; 8] =
    ["podman", "runc", "netavark", "aardvark-dns", "iptables", "debootstrap", "socat", "util-linux"];
/// What the image is made of: the suite of Debian, the set of packages, and those beside it.
const WANTED: [&str; 3] = ["bookworm", "--variant=minbase", "ca-certificates,curl"];
/// What `docs/containers.md` hands on.
const SESSION: [&str; 4] = ["IDENTITY_ENDPOINT", "IDENTITY_HEADER", "WIF_URL", "WIF_KEY"];
/// What this project's scripts read.
const SCRIPTS: [&str; 6] =
    ["ARM_URL", "AZURE_CLIENT_ID", "AZURE_SUBSCRIPTION_ID", "CURL_CA_BUNDLE", "ROUNDS", "PAUSE"];
const IMAGE: &str = "wif-acceptance";
/// podman's own limits are higher than a machine may let its root set.
const LIMITS: [&str; 4] = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=16384:16384"];
const LONGEST_JOB: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(10);
/// Half a minute.
const START_POLLS: u32 = 3_000;
