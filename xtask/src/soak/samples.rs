//! What was seen of a broker from time to time.

use std::fmt;

use crate::process::Result;

/// Resident memory in KiB, open files, files in the temporary folder, callers, and callers that got an error.
pub(crate) struct Samples(Vec<[u64; 5]>);

/// So much more memory, in KiB, is no growth: an allocator keeps what it had at the busiest moment.
const MEMORY: u64 = 512;
/// So many more open files at the end: connections come and go.
const FILES: u64 = 4;

impl Samples {
    /// Reads the lines `sample …` of a log. Those of the first tenth are left out: what is there for good is made then.
    pub(crate) fn read(log: &str) -> Result<Self> {
        let read = |line: &str| {
            let (_, rest) = line.split_once("sample ")?;
            let numbers: Vec<u64> = rest.split_whitespace().map_while(|word| word.parse().ok()).collect();
            <[u64; 5]>::try_from(numbers).ok()
        };
        let all: Vec<_> = log.lines().filter_map(read).collect();
        let samples: Vec<_> = all.iter().copied().skip(all.len() / 10).collect();
        if samples.len() < 4 { Err(format!("{} samples are too few", all.len())) } else { Ok(Self(samples)) }
    }

    /// The middle of what was seen in the first and in the last quarter.
    fn quarters(&self, of: usize) -> (u64, u64) {
        let middle = |samples: &[[u64; 5]]| {
            let mut values: Vec<_> = samples.iter().map(|sample| sample[of]).collect();
            values.sort_unstable();
            values[values.len() / 2]
        };
        let quarter = self.0.len() / 4;
        (middle(&self.0[..quarter]), middle(&self.0[self.0.len() - quarter..]))
    }

    /// Whether anything grew, or anybody got an error.
    pub(crate) fn judge(&self) -> Result<()> {
        let grew = |of, most| {
            let (first, last) = self.quarters(of);
            last > first + most
        };
        let failed = self.0.last().map_or(0, |sample| sample[4]);
        match () {
            () if grew(0, MEMORY) => Err("memory grew".to_owned()),
            () if grew(1, FILES) => Err("open files grew".to_owned()),
            () if grew(2, 0) => Err("files in the temporary folder grew".to_owned()),
            () if self.0.iter().any(|sample| sample[1] == 0) => {
                Err("open files could not be counted: run it as the agent's user, or as root".to_owned())
            }
            () if failed > 0 => Err(format!("{failed} callers got an error")),
            () => Ok(()),
        }
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<30}{:>14}{:>14}", "", "first quarter", "last quarter")?;
        for (name, of) in
            [("resident memory, KiB", 0), ("open files", 1), ("files in the temporary folder", 2)]
        {
            let (first, last) = self.quarters(of);
            writeln!(f, "{name:<30}{first:>14}{last:>14}")?;
        }
        let [.., asked, failed] = self.0.last().copied().unwrap_or_default();
        write!(f, "callers {asked}, with an error {failed}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u64) -> u64, failed: u64) -> Samples {
        let lines: Vec<_> =
            (0..40).map(|at| format!("12:00 sample {} 12 5 {at} {failed}", memory(at))).collect();
        Samples::read(&lines.join("\n")).unwrap()
    }

    #[test]
    fn growth_and_errors_are_found() {
        assert_eq!(samples(|_| 7000, 0).judge(), Ok(()));
        assert_eq!(
            samples(|at| if at < 3 { 3000 } else { 7000 }, 0).judge(),
            Ok(()),
            "the beginning does not count"
        );
        assert!(samples(|at| 7000 + 50 * at, 0).judge().is_err());
        assert!(samples(|_| 7000, 1).judge().is_err());
        assert!(Samples::read("sample 1 2 3").is_err());
    }
}
