//! `pictures`: what the Marketplace shows, which takes no SVG: the log of a real run, and the diagram.

use std::{fmt::Write as _, path::Path, process::Command};

use crate::{
    demo,
    process::{Result, root, run},
    tools,
};

const PACKAGES: [&str; 2] = ["librsvg2-bin", "fonts-dejavu-core"];
/// The longest line that is shown, in characters.
const WIDE: usize = 118;
/// The most lines: up to the end of the third step.
const LONG: usize = 37;
/// Pixels from line to line, and from the edges.
const LINE: usize = 19;
const EDGE: usize = 20;

/// Draws both, into `images/`.
pub(crate) fn pictures() -> Result<()> {
    tools::debian(&PACKAGES)?;
    let (report, _journal) = demo::job()?;
    let folder = tools::folder("pictures")?;
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let log = folder.join("job-log.svg");
    tools::write(&log, drawn(&report.log))?;
    png(&log, "job-log.png")?;
    png(&root().join("xtask/pictures/how-it-works.svg"), "how-it-works.png")
}

fn png(from: &Path, name: &str) -> Result<()> {
    let to = root().join("images").join(name);
    run(Command::new("rsvg-convert").arg("--output").arg(&to).arg(from))?;
    println!("{}", to.display());
    Ok(())
}

/// The log as the web page shows it: without times and the headers of tasks.
fn drawn(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter_map(shown).take(LONG).collect();
    let (width, height) = (WIDE * 8 + 2 * EDGE, lines.len() * LINE + 2 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1b1f24\"/>\n\
         <g font-family=\"DejaVu Sans Mono\" font-size=\"13\" xml:space=\"preserve\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = EDGE + (number + 1) * LINE - 5;
        let (color, text) = color_of(line);
        let mut text = text.to_owned();
        if let Some((end, _)) = text.char_indices().nth(WIDE - 1) {
            text.truncate(end);
            text.push('…');
        }
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<text x=\"{EDGE}\" y=\"{y}\" fill=\"{color}\">{text}</text>");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// None for what says nothing here.
fn shown(line: &str) -> Option<&str> {
    let text = match line.split_once("Z ") {
        Some((time, text)) if time.starts_with("20") => text,
        _ => line,
    };
    let header = ["====", "Task  ", "Description ", "Version  ", "Author  ", "Help  "];
    (!header.iter().any(|begin| text.starts_with(begin)) && !text.contains("/_temp/")).then_some(text)
}

fn color_of(line: &str) -> (&'static str, &str) {
    let marks = [
        ("##[section]", "#6cc644"),
        ("##[error]", "#ff6b6b"),
        ("##[warning]", "#e3b341"),
        ("##[command]", "#58a6ff"),
    ];
    for (mark, color) in marks {
        if let Some(text) = line.strip_prefix(mark) {
            return (color, text);
        }
    }
    if line.starts_with('✓') { ("#ffffff", line) } else { ("#c9d1d9", line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_headers_are_left_out_and_text_is_no_markup() {
        let log = "✓ Sign in\n2026-11-22T05:02:04.9Z ##[section]Starting: <Sign in>\n2026-11-22T05:02:04.9Z ======\n";
        let svg = drawn(log);
        assert!(
            svg.contains(">Starting: &lt;Sign in>") && !svg.contains("2026") && !svg.contains("==="),
            "{svg}"
        );
    }
}
