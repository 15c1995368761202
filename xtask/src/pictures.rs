//! `pictures`: what the README and the Marketplace show, from real output: the log of a job, a doctor that finds a difference of one
//! letter, the page of an audit; and the diagram and the icons. Each has twice the pixels, and a variant for dark grounds.

mod terminal;

use std::{fs, path::Path, process::Command};

use emulator::{
    Emulator, Proxy,
    directory::{App, Kind},
};
use uuid::Uuid;

use crate::{
    demo, night,
    process::{Result, output, root, run},
    stage, tools,
};
use terminal::{Theme, drawn};

const PACKAGES: [&str; 2] = ["fonts-dejavu-core", "chromium"];
/// Pixels for each that is drawn.
const ZOOM: &str = "2";
/// How many steps of the job are shown.
const STEPS: usize = 2;
/// The browser's schemes of colors.
const LIGHT: &str = "1";
const DARK: &str = "0";
/// How much of the page of an audit is shown, in pixels.
const PAGE: &str = "1000,900";
/// The personal access token of the person who asks the doctor.
const PERSONAL: &str = "personal-access-token-of-an-administrator";

/// Draws a picture, with a folder for what it needs on the way.
type Draw = fn(&Path) -> Result<()>;

/// What is drawn, and how.
const PICTURES: [(&str, Draw); 5] = [
    ("job-log", job_log),
    ("doctor", |folder| terminal_picture(folder, "doctor", &doctor()?)),
    ("audit", audit_page),
    ("how-it-works", diagram),
    ("icon", icons),
];

/// Draws all, or those with `only` in their names, into `images/` and `task/`.
pub(crate) fn pictures(only: Option<&str>) -> Result<()> {
    let wanted: Vec<_> =
        PICTURES.iter().filter(|(name, _)| only.is_none_or(|only| name.contains(only))).collect();
    if wanted.is_empty() {
        let names: Vec<_> = PICTURES.iter().map(|(name, _)| *name).collect();
        return Err(format!("no picture has that in its name; there are: {}", names.join(", ")));
    }
    tools::debian(&PACKAGES)?;
    let folder = tools::folder("pictures")?;
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    wanted.iter().try_for_each(|(_, draw)| draw(&folder))?;
    shrink(only.unwrap_or_default())
}

fn job_log(folder: &Path) -> Result<()> {
    let (report, _asked) = demo::job(|_line| ())?;
    let mut log = folded(report.log.lines().filter_map(shown).map(untimed));
    let ends = log.iter().enumerate().filter(|(_, line)| line.starts_with("##[section]Finishing"));
    let end = ends.map(|(at, _)| at + 1).nth(STEPS - 1);
    log.truncate(end.ok_or("the log has fewer steps than the picture")?);
    terminal_picture(folder, "job-log", &log)
}

fn diagram(folder: &Path) -> Result<()> {
    let diagram = tools::read(&root().join("xtask").join("pictures").join("how-it-works.svg"))?;
    both(folder, "how-it-works", &diagram, &terminal::darkened(&diagram))
}

fn icons(folder: &Path) -> Result<()> {
    let source = root().join("xtask").join("pictures");
    for (icon, pixels, to) in
        [("icon.svg", "256", "images/extension-icon.png"), ("icon-small.svg", "32", "task/icon.png")]
    {
        let svg = tools::read(&source.join(icon))?;
        let size = format!("<svg width=\"{pixels}\" height=\"{pixels}\" ");
        let from = folder.join(icon);
        tools::write(&from, svg.replacen("<svg ", &size, 1))?;
        photograph(folder, &from, &root().join(to), (&format!("{pixels},{pixels}"), "1"), LIGHT)?;
    }
    Ok(())
}

/// Gives each picture as many colors as text and lines need: a third of the bytes, which the extension has. Those that
/// were not drawn anew have no `part` in their names.
fn shrink(part: &str) -> Result<()> {
    const SCRIPT: &str = "
import pathlib, sys
from PIL import Image
for path in (one for one in pathlib.Path(sys.argv[1]).glob('*.png') if sys.argv[2] in one.name):
    with Image.open(path) as picture:
        alpha = picture.mode == 'RGBA' and picture.getextrema()[3] != (255, 255)
        method = Image.Quantize.FASTOCTREE if alpha else Image.Quantize.MEDIANCUT
        few = picture.convert('RGBA' if alpha else 'RGB').quantize(128, method=method, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
";
    let python = tools::python("pillow", &["pillow==13.0.0"])?.join("python");
    run(Command::new(python).args(["-c", SCRIPT]).arg(root().join("images")).arg(part))
}

fn terminal_picture(folder: &Path, name: &str, lines: &[String]) -> Result<()> {
    both(folder, name, &drawn(lines, Theme::Light), &drawn(lines, Theme::Dark))
}

/// A picture for light grounds, and one for dark ones.
fn both(folder: &Path, name: &str, light: &str, dark: &str) -> Result<()> {
    for (suffix, svg) in [("", light), ("-dark", dark)] {
        let from = folder.join(format!("{name}{suffix}.svg"));
        tools::write(&from, svg)?;
        let to = root().join("images").join(format!("{name}{suffix}.png"));
        photograph(folder, &from, &to, (&size(svg)?, ZOOM), LIGHT)?;
    }
    Ok(())
}

/// The log as the web page shows it: without times, the headers of tasks, and names of files of this machine.
fn shown(line: &str) -> Option<&str> {
    let text = match line.split_once("Z ") {
        Some((time, text)) if time.starts_with("20") => text,
        _ => line,
    };
    let header = ["====", "Task  ", "Description ", "Version  ", "Author  ", "Help  "];
    (!header.iter().any(|begin| text.starts_with(begin)) && !text.contains("/_temp/")).then_some(text)
}

/// Groups as the web page shows them first: the title alone.
fn folded(lines: impl Iterator<Item = String>) -> Vec<String> {
    let (mut all, mut is_inside) = (Vec::new(), false);
    for line in lines {
        if let Some(title) = line.strip_prefix("##[group]") {
            all.push(format!("##[group]▸ {title}"));
            is_inside = true;
        } else if line == "##[endgroup]" {
            is_inside = false;
        } else if !is_inside {
            all.push(line);
        }
    }
    all
}

/// The heading of a step without its result and its time, which is that of a machine that draws.
fn untimed(line: &str) -> String {
    let end = line.starts_with('✓').then(|| line.rfind(" (")).flatten();
    line.split_at_checked(end.unwrap_or(line.len())).map_or(line, |(name, _)| name).to_owned()
}

/// What `wif doctor` says at a terminal of a connection whose federated credential has a subject with one other letter.
fn doctor() -> Result<Vec<String>> {
    let program = stage::stage()?.join("bin").join(stage::platform()?).join("wif");
    let emulator = Emulator::start();
    let usual = emulator.usual();
    let reader = Uuid::from_u128(0x2222);
    {
        let mut directory = emulator.directory();
        directory.personal_tokens.push(PERSONAL.to_owned());
        let app = App { reads_applications: true, ..App::new(reader, Kind::Application) };
        directory.tenant(usual.tenant).apps.push(app);
        for credential in &mut directory.app(usual.client).federated_credentials {
            credential.subject = credential.subject.replace("/Platform/", "/platform/");
        }
    }
    // The program asks dev.azure.com, graph.microsoft.com and so on: the proxy leads these names to the emulator.
    emulator.directory().public_names = true;
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    let arguments = [
        "doctor",
        "--organization",
        "contoso",
        "--project",
        "Platform",
        "--connection",
        usual.connection_name,
    ];
    let said = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("HTTPS_PROXY", proxy.url())
        .env("SSL_CERT_FILE", emulator.ca_file())
        .env("AZURE_DEVOPS_EXT_PAT", PERSONAL)
        .env("WIF_GRAPH_TOKEN", emulator.access_token(reader, "https://graph.microsoft.com"))
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    if said.status.code() != Some(11) || !text.contains("platform") {
        return Err(format!(
            "the doctor ended with {}: {text}{}",
            said.status,
            String::from_utf8_lossy(&said.stderr)
        ));
    }
    let command = format!("$ wif {}", arguments.join(" "));
    // The summary, and the check that found it.
    let mut lines = text.lines();
    let summary = lines.next().unwrap_or_default().to_owned();
    let fault = lines.skip_while(|line| !line.starts_with("FAULT"));
    let mut is_over = false;
    let fault =
        fault.take_while(|line| !std::mem::replace(&mut is_over, line.trim_start().starts_with("docs:")));
    let head = [command, String::new(), summary, String::new()].into_iter();
    Ok(head.chain(fault.map(str::to_owned)).collect())
}

/// The top of the page that `wif audit --format html` writes.
fn audit_page(folder: &Path) -> Result<()> {
    let page = folder.join("audit.html");
    let text = page.display().to_string();
    night::audit_with(&["--format", "html", "--output", &text])?;
    for (suffix, scheme) in [("", LIGHT), ("-dark", DARK)] {
        let to = root().join("images").join(format!("audit{suffix}.png"));
        photograph(folder, &page, &to, (PAGE, ZOOM), scheme)?;
    }
    Ok(())
}

/// Width and height of a drawing, as the browser's window wants them.
fn size(svg: &str) -> Result<String> {
    let number = |name: &str| svg.split_once(&format!(" {name}=\""))?.1.split('"').next();
    let both = number("width").zip(number("height"));
    both.map(|(width, height)| format!("{width},{height}")).ok_or_else(|| "a drawing has no size".to_owned())
}

/// Lets a browser take one picture of a page or a drawing: `(window, zoom)` are its size, and the pixels for each that is drawn.
fn photograph(
    folder: &Path,
    page: &Path,
    to: &Path,
    (window, zoom): (&str, &str),
    scheme: &str,
) -> Result<()> {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"]);
    // What is not drawn is transparent.
    command.arg("--default-background-color=00000000");
    // Not before all of it is painted.
    command.args(["--run-all-compositor-stages-before-draw", "--virtual-time-budget=2000"]);
    command.arg(format!("--user-data-dir={}", folder.join("chromium").display()));
    command.arg(format!("--force-device-scale-factor={zoom}")).arg(format!("--window-size={window}"));
    command.arg(format!("--blink-settings=preferredColorScheme={scheme}"));
    command.arg(format!("--screenshot={}", to.display())).arg(format!("file://{}", page.display()));
    output(&mut command)?;
    println!("{}", to.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_its_title() {
        let lines = ["before", "##[group]Details", "inside", "##[endgroup]", "after"].map(str::to_owned);
        assert_eq!(folded(lines.into_iter()), ["before", "##[group]▸ Details", "after"]);
    }

    #[test]
    fn times_headers_and_files_are_left_out() {
        let log = "✓ Sign in\n2026-11-22T05:02:04.9Z ##[section]Starting: <Sign in>\n2026-11-22T05:02:04.9Z ======\n\
                   2026-11-22T05:02:05.0Z bash /a/_temp/b.sh";
        assert_eq!(
            log.lines().filter_map(shown).collect::<Vec<_>>(),
            ["✓ Sign in", "##[section]Starting: <Sign in>"]
        );
    }
}
