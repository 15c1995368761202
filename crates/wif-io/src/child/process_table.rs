//! The processes of this machine, as Linux shows them below `/proc`.

use std::fs;

use rustix::process::Pid;

/// A process that has not ended.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: Pid,
    /// The process above it, if this one may know of it.
    pub(super) parent: Option<Pid>,
    /// The group of processes that it is in.
    pub(super) group: Pid,
    /// The first letters of its program's name.
    pub(super) name: String,
}

/// Every process that can be seen and runs. What cannot be read has ended meanwhile.
pub(super) fn running() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let ids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    ids.filter_map(|id| parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)).collect()
}

/// Reads a line of `proc_pid_stat(5)`. The name may hold anything, so that the line is read from both of its ends.
fn parse(line: &str) -> Option<Process> {
    let (id, rest) = line.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let mut next = || fields.next()?.parse().ok().map(Pid::from_raw);
    let (parent, group) = (next()?, next()??);
    let id = Pid::from_raw(id.parse().ok()?)?;
    // Zombie and dead.
    let has_ended = matches!(state, "Z" | "X" | "x");
    (!has_ended).then(|| Process { id, parent, group, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<(i32, Option<i32>, i32, String)> {
        let process = parse(line)?;
        let number = |id: Pid| id.as_raw_nonzero().get();
        Some((number(process.id), process.parent.map(number), number(process.group), process.name))
    }

    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(parsed("7 (sleep) S 5 6 4 0"), Some((7, Some(5), 6, "sleep".to_owned())));
        assert_eq!(parsed("7 (a) S 1 (b) c) S 0 6 4 0"), Some((7, None, 6, "a) S 1 (b) c".to_owned())));
    }

    #[test]
    fn what_has_ended_is_left_out_and_what_is_no_such_line_too() {
        for line in
            ["7 (sleep) Z 5 6 4 0", "7 (sleep) X 5 6 4 0", "", "7", "7 (x)", "x (y) S 1 2", "7 (x) S a b"]
        {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn this_process_is_found_below_the_one_that_started_it() {
        let own = rustix::process::getpid();
        let processes = running();
        let found = processes.iter().find(|process| process.id == own).unwrap();
        assert_eq!(found.parent, rustix::process::getppid());
    }
}
