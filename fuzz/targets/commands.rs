//! Commands: the agent reads back what is written, and foreign text is none. The first line is a name, the rest a value.
#![no_main]

use emulator::agent::Command;
use libfuzzer_sys::fuzz_target;
use wif::agent::commands::{Commands, Visibility};
use wif_core::{code::Code, foreign_text, secret::Secret};
use wif_io::env::Env;

fuzz_target!(|text: &str| {
    let (name, value) = text.split_once('\n').unwrap_or(("NAME", text));
    for decodes in [true, false] {
        // Without decoding, a percent sign cannot be written so that every text comes back.
        if !decodes && text.contains('%') {
            continue;
        }
        let knob = [("DECODE_PERCENTS".to_owned(), decodes.to_string())];
        let env: Env = knob.into_iter().collect();
        let mut out = Vec::new();
        let mut commands = Commands::new(&mut out, &env);
        commands.mask(&Secret::new(value.to_owned())).unwrap();
        for visibility in [Visibility::Plain, Visibility::CaseKept, Visibility::Secret] {
            commands.set_variable(name, value, visibility).unwrap();
        }
        commands.set_task_variable(name, value).unwrap();
        commands.prepend_path(value).unwrap();
        commands.warning(value).unwrap();
        commands.error(Code::TimedOut, value).unwrap();
        let written = 8;
        commands.line(text).unwrap();
        let out = String::from_utf8(out).unwrap();
        for (at, line) in out.split('\n').enumerate() {
            let read = Command::parse(line, decodes);
            if at >= written {
                assert_eq!(read, None, "{line}");
                assert!(!line.contains(char::is_control), "{line:?}");
                continue;
            }
            let read = read.unwrap_or_else(|| panic!("no command: {line:?}"));
            // What people read is made harmless, line by line; all else comes back as it was.
            let shown = (6..8).contains(&at);
            assert_eq!(read.data, if shown { foreign_text::lines(value) } else { value.to_owned() });
            if (1..5).contains(&at) && !name.is_empty() {
                assert_eq!(read.property("variable"), Some(name));
            }
            assert_eq!(read.property("issecret").is_some(), at == 3);
        }
    }
});
