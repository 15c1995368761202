//! Lines of a terminal or a log as a picture.

use std::fmt::Write as _;

/// The longest line that is shown, in characters.
const WIDE: usize = 118;
/// Pixels from line to line, and from the edges.
const LINE: usize = 19;
const EDGE: usize = 20;

/// The ground that it is shown on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    Light,
    Dark,
}

/// Colors of the diagram for light grounds, and those for dark ones.
const DARK: [(&str, &str); 7] = [
    ("#ffffff", "#0d1117"),
    ("#f3f7fb", "#161b22"),
    ("#9db7d1", "#3d4f63"),
    ("#0b5cad", "#58a6ff"),
    ("#1d2b3a", "#e6edf3"),
    ("#33475b", "#b7c3d0"),
    ("#b26a00", "#e3b341"),
];

/// A picture for light grounds, in the colors for dark ones.
pub(super) fn darkened(svg: &str) -> String {
    DARK.iter().fold(svg.to_owned(), |svg, (light, dark)| svg.replace(light, dark))
}

/// The lines as a picture.
pub(super) fn drawn(lines: &[String], theme: Theme) -> String {
    let longest = lines.iter().map(|line| line.chars().count().min(WIDE)).max().unwrap_or_default();
    let (width, height) = (longest.max(80) * 8 + 2 * EDGE, lines.len() * LINE + 2 * EDGE);
    let (ground, edge) = if theme == Theme::Dark { ("#161b22", "#30363d") } else { ("#f6f8fa", "#d0d7de") };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{ground}\" stroke=\"{edge}\"/>\n\
         <g font-family=\"DejaVu Sans Mono\" font-size=\"13\">\n",
        width - 1,
        height - 1
    );
    for (number, line) in lines.iter().enumerate() {
        let y = EDGE + (number + 1) * LINE - 5;
        let (color, text) = color_of(line, theme);
        let mut text = text.to_owned();
        if let Some((end, _)) = text.char_indices().nth(WIDE - 1) {
            text.truncate(end);
            text.push('…');
        }
        // A browser makes one blank of many.
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace("  ", "\u{a0}\u{a0}");
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<text x=\"{EDGE}\" y=\"{y}\" fill=\"{color}\">{text}</text>");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The color for light and for dark grounds of lines that begin so, and whether the mark is shown.
const MARKS: [(&str, &str, &str, bool); 9] = [
    ("##[section]", "#1a7f37", "#6cc644", false),
    ("##[error]", "#cf222e", "#ff7b72", false),
    ("##[warning]", "#9a6700", "#e3b341", false),
    ("##[command]", "#0969da", "#58a6ff", false),
    ("##[group]", "#1f2328", "#ffffff", false),
    ("✓", "#1f2328", "#ffffff", true),
    ("$ ", "#1f2328", "#ffffff", true),
    ("FAULT", "#cf222e", "#ff7b72", true),
    ("warning", "#9a6700", "#e3b341", true),
];

fn color_of(line: &str, theme: Theme) -> (&'static str, &str) {
    for (mark, light, dark, is_shown) in MARKS {
        if let Some(text) = line.strip_prefix(mark) {
            return (if theme == Theme::Dark { dark } else { light }, if is_shown { line } else { text });
        }
    }
    (if theme == Theme::Dark { "#c9d1d9" } else { "#424a53" }, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup_and_marks_are_colors() {
        let lines = ["##[section]Starting: <Sign in>".to_owned(), "a & b".to_owned(), "x".repeat(200)];
        let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| drawn(&lines, theme));
        assert!(
            light.contains("fill=\"#1a7f37\">Starting: &lt;Sign in>") && light.contains("a &amp; b"),
            "{light}"
        );
        assert!(dark.contains("fill=\"#6cc644\">Starting") && dark.contains("x…</text>"), "{dark}");
        assert_eq!(darkened("fill=\"#0b5cad\""), "fill=\"#58a6ff\"");
    }
}
