//! What the command line shows of itself: help that fits its terminal, colors, and what was meant by a misspelled word.

use std::process::Command;
#[cfg(unix)]
use std::{
    fs::{File, OpenOptions},
    io::Read as _,
    os::fd::AsFd as _,
    process::Stdio,
};

use clap::CommandFactory as _;
#[cfg(unix)]
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use wif::cli::Arguments;

/// Every command that has a help text of its own.
const COMMANDS: [&[&str]; 13] = [
    &[],
    &["token"],
    &["status"],
    &["doctor"],
    &["exec"],
    &["explain"],
    &["credential"],
    &["kubeconfig"],
    &["trust"],
    &["trust", "entra"],
    &["trust", "aws"],
    &["trust", "google"],
    &["trust", "vault"],
];

fn wif(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wif"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command
}

/// What it writes to a pipe.
fn piped(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = wif(arguments, environment).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// What it writes to a terminal of so many columns.
#[cfg(unix)]
fn at_terminal(columns: u16, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal.as_fd(), size).unwrap();
    let stream = || Stdio::from(terminal.try_clone().unwrap());
    let environment = [&[("TERM", "xterm")], environment].concat();
    let mut command = wif(arguments, &environment);
    let mut child = command.stdin(Stdio::null()).stdout(stream()).stderr(stream()).spawn().unwrap();
    // The last of this side: when the program has ended, nothing can be read any more.
    drop((command, terminal));
    let (mut master, mut said, mut part) = (File::from(master), Vec::new(), [0; 4096]);
    // Linux ends a terminal without writers with an error, others with an end.
    while let Ok(length @ 1..) = master.read(&mut part) {
        said.extend_from_slice(&part[..length]);
    }
    child.wait().unwrap();
    String::from_utf8(said).unwrap().replace('\r', "")
}

/// The text without its colors.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

/// The lines that are wider than `columns`, but for examples, which stay whole to be copied, names of options, and single words.
fn too_wide(help: &str, columns: usize) -> Vec<&str> {
    let mut is_example = false;
    let mut found = Vec::new();
    for line in help.lines() {
        if !line.starts_with(' ') {
            is_example = line == "Examples:";
        }
        let is_whole = line.trim().split("  ").all(|part| part.starts_with('-') || !part.contains(' '));
        if line.chars().count() > columns && !is_example && !is_whole {
            found.push(line);
        }
    }
    found
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn help_is_no_wider_than_its_terminal_and_says_the_same_at_each_width() {
    for path in COMMANDS {
        let arguments = [path, &["--help"]].concat();
        let usual = piped(&arguments, &[]);
        assert_eq!(too_wide(&usual, 100), Vec::<&str>::new(), "{path:?}");
        for columns in [40, 60, 80, 200] {
            let set = piped(&arguments, &[("COLUMNS", &columns.to_string())]);
            let mut shown = vec![set];
            #[cfg(unix)]
            // What a variable says of another terminal does not matter.
            shown.push(plain(&at_terminal(columns, &arguments, &[("COLUMNS", "7")])));
            for help in &shown {
                assert_eq!(too_wide(help, columns.into()), Vec::<&str>::new(), "{path:?} {columns}");
                assert_eq!(words(help), words(&usual), "{path:?} {columns}");
            }
        }
    }
    for nonsense in ["", "0", "-1", "wide", "99999999999999999999"] {
        assert_eq!(piped(&["--help"], &[("COLUMNS", nonsense)]), piped(&["--help"], &[]), "{nonsense}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_explained_fits_a_terminal_and_stays_whole_elsewhere() {
    for name in ["WIF2013", "AADSTS700213"] {
        let whole = piped(&["explain", name], &[("COLUMNS", "50")]);
        assert!(!too_wide(&whole, 100).is_empty(), "{whole}");
        let shown = at_terminal(50, &["explain", name], &[]);
        assert_eq!(too_wide(&shown, 50), Vec::<&str>::new());
        assert_eq!(words(&shown), words(&whole));
    }
    // What goes on in a list stands below its begin.
    let shown = at_terminal(50, &["explain", "WIF2013"], &[]);
    let item = shown.lines().skip_while(|line| !line.starts_with("1. ")).nth(1).unwrap();
    assert!(item.starts_with("   ") && !item.starts_with("    "), "{shown}");
    // JSON is for programs, at a terminal too.
    assert_eq!(at_terminal(50, &["explain", "AADSTS700213", "--json"], &[]).lines().count(), 1);
}

#[cfg(unix)]
#[test]
fn help_and_errors_have_colors_on_a_terminal_that_has_them_and_nowhere_else() {
    for arguments in
        [&["--help"][..], &["exec", "--help"], &["tokn"], &["explain", "NOPE"], &["token", "arm"]]
    {
        let colored = at_terminal(80, arguments, &[]);
        assert!(colored.contains("\u{1b}["), "{colored}");
        let text = plain(&colored);
        for environment in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
            assert_eq!(at_terminal(80, arguments, &[environment]), text, "{environment:?}");
        }
        assert!(!piped(arguments, &[("TERM", "xterm")]).contains('\u{1b}'), "{arguments:?}");
    }
    // The headings and names are what is painted.
    let help = at_terminal(80, &["token", "--help"], &[]);
    for name in ["Usage:", "Options:", "Examples:", "--json"] {
        assert!(help.contains(&format!("m{name}\u{1b}[0m")), "{name}: {help}");
    }
    assert!(at_terminal(80, &["tokn"], &[]).starts_with("\u{1b}[1;31merror\u{1b}[0m: unrecognized"));
    // What is foreign in an argument paints nothing.
    let foreign = at_terminal(80, &["\u{1b}[32mtokn"], &[("NO_COLOR", "1")]);
    assert!(!foreign.contains('\u{1b}'), "{foreign}");
}

#[test]
fn each_command_has_examples_and_exit_codes() {
    for path in COMMANDS {
        let help = piped(&[path, &["--help"]].concat(), &[]);
        for heading in ["\nExamples:\n", "\nExit codes: "] {
            assert!(help.contains(heading), "{path:?}: {help}");
        }
    }
    // The list above is of all.
    let program = Arguments::command();
    let own = program.get_subcommands().filter(|one| !one.is_hide_set() && !one.is_disable_help_flag_set());
    let own: Vec<_> = own.map(clap::Command::get_name).filter(|name| *name != "help").collect();
    for name in &own {
        assert!(COMMANDS.iter().any(|path| path == &[*name]), "{name}");
    }
}

#[test]
fn each_option_says_more_than_its_name() {
    let program = Arguments::command();
    for command in program.get_subcommands() {
        for option in
            command.get_arguments().filter(|one| !["help", "version"].contains(&one.get_id().as_str()))
        {
            let name = option.get_long().unwrap_or_default().replace('-', " ");
            let says = option.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!says.is_empty() && !says.eq_ignore_ascii_case(&name), "{} --{name}", command.get_name());
        }
    }
    let exec = piped(&["exec", "--help"], &[]);
    assert!(exec.contains("Which families of settings later steps find"), "{exec}");
    assert!(!exec.contains('`') && !exec.contains("Keep the session alive\n"), "{exec}");
}

#[test]
fn a_value_that_is_misspelled_is_answered_with_the_one_that_was_meant() {
    for (arguments, meant) in [
        (&["credential", "dokcer", "get"][..], Some("docker")),
        (&["credential", "kubernets", "get"], Some("kubernetes")),
        (&["exec", "--source", "githb", "--", "true"], Some("github")),
        (&["exec", "--cloud", "publc", "--", "true"], Some("public")),
        (&["doctor", "--try", "terrafrm"], Some("terraform")),
        (&["credential", "svn", "get"], None),
        (&["exec", "--cloud", "moon", "--", "true"], None),
    ] {
        let output = wif(arguments, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let tip = meant.map(|meant| format!("tip: a similar value exists: '{meant}'"));
        assert_eq!(said.lines().find(|line| line.contains("tip:")).map(str::trim), tip.as_deref(), "{said}");
    }
}
