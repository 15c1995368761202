//! azurite, Microsoft's emulator of storage, in the place of the emulator's own blob store: the whole of a protocol that is
//! not ours. It looks at an access token's issuer, audience and end, and not at its signature.

use std::{path::Path, process::Command};

use emulator::{Emulator, blob::ACCOUNT};

use super::server::{Server, request};
use crate::process::Result;

/// The public name whose requests it gets.
pub(super) const HOST: &str = "*.blob.core.windows.net:443";

/// Starts it with the emulator's account, behind the certificate of the emulator's servers.
pub(super) fn start(program: &Path, emulator: &Emulator) -> Result<Server> {
    let (certificate, key) = emulator.server_identity();
    let mut command = Command::new("node");
    command.arg(program).args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--oauth", "basic"]);
    command.arg("--cert").arg(certificate).arg("--key").arg(key).args(["--location", "."]);
    // azcopy is newer; and nothing is sent to its makers.
    command.args(["--skipApiVersionCheck", "--disableTelemetry"]);
    command.env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:YSBrZXkgdGhhdCBub2JvZHkgdXNlcw=="));
    Server::start("azurite", command)
}

/// What azcopy provokes itself in each step, before it lists and before it copies down: it asks without a token whether the
/// container is public, and whether a file has the name of the container; and before it copies down, whether the file is
/// public. Method, path with query, status, and how often in a step.
const PROVOKED: [(&str, &str, u16, usize); 3] = [
    ("GET", "/acceptance?restype=container", 403, 2),
    ("HEAD", "/acceptance", 400, 1),
    ("HEAD", "/acceptance/kept", 403, 1),
];

/// What does not fit in its log: a container was made, files were written and read, and nothing was refused but what azcopy
/// provokes itself, so often in each step.
pub(super) fn copied(log: &[String], steps: usize) -> Vec<String> {
    let requests: Vec<_> = log.iter().filter_map(|line| request(line)).collect();
    let mut complaints = Vec::new();
    for (what, method, path, status) in [
        ("made a container", "PUT", "/acceptance?restype=container", 201),
        ("wrote a file", "PUT", "/acceptance/kept", 201),
        ("listed the files", "GET", "/acceptance?comp=list", 200),
        ("read a file", "GET", "/acceptance/kept", 206),
    ] {
        let is = |one: &&(&str, &str, u16)| one.0 == method && one.1.starts_with(path) && one.2 == status;
        if requests.iter().find(is).is_none() {
            complaints.push(format!("the client never {what} in azurite"));
        }
    }
    let mut left = PROVOKED.map(|(method, path, status, often)| ((method, path, status), often * steps));
    for refused in requests.iter().filter(|(_method, _path, status)| *status >= 400) {
        if let Some((_provoked, left)) =
            left.iter_mut().find(|(provoked, left)| provoked == refused && *left > 0)
        {
            *left -= 1;
            continue;
        }
        let (method, path, status) = refused;
        complaints.push(format!("azurite: {method} {path} got {status}"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a step's requests got, as azurite's log has it: four that must be there, and these beside them.
    fn log(statuses: [u16; 4], beside: &[(&str, &str, u16)]) -> Vec<String> {
        let [made, wrote, listed, read] = statuses;
        let requests = [
            ("PUT", "/acceptance?restype=container", made),
            ("PUT", "/acceptance/kept?comp=block&blockid=x", wrote),
            ("GET", "/acceptance?comp=list&restype=container", listed),
            ("GET", "/acceptance/kept", read),
        ];
        let line = |(method, path, status): &(&str, &str, u16)| {
            format!("127.0.0.1 - - [26/Nov/2026:07:00:00 +0000] \"{method} {path} HTTP/1.1\" {status} -")
        };
        requests.iter().chain(beside).map(line).collect()
    }

    const GOOD: [u16; 4] = [201, 201, 200, 206];
    const IS_PUBLIC: (&str, &str, u16) = ("GET", "/acceptance?restype=container", 403);
    const IS_A_FILE: (&str, &str, u16) = ("HEAD", "/acceptance", 400);
    const IS_A_PUBLIC_FILE: (&str, &str, u16) = ("HEAD", "/acceptance/kept", 403);

    #[test]
    fn files_that_were_not_copied_are_not_accepted() {
        assert_eq!(copied(&log(GOOD, &[]), 1), Vec::<String>::new());
        assert_eq!(copied(&[], 1).len(), 4);
        for at in 0..4 {
            let mut statuses = GOOD;
            statuses[at] = 403;
            assert_eq!(copied(&log(statuses, &[]), 1).len(), 2, "{at}");
        }
    }

    #[test]
    fn only_what_azcopy_provokes_may_be_refused_and_only_as_often_as_it_does() {
        let provoked = [IS_PUBLIC, IS_A_FILE, IS_PUBLIC, IS_A_PUBLIC_FILE];
        assert_eq!(copied(&log(GOOD, &provoked), 1), Vec::<String>::new());
        let twice = [provoked, provoked].concat();
        assert_eq!(copied(&log(GOOD, &twice), 2), Vec::<String>::new());
        for once_more in [IS_PUBLIC, IS_A_FILE, IS_A_PUBLIC_FILE] {
            let refused = [&provoked[..], &[once_more]].concat();
            let complaint = format!("azurite: {} {} got {}", once_more.0, once_more.1, once_more.2);
            assert_eq!(copied(&log(GOOD, &refused), 1), [complaint]);
        }
        for other in [
            // Another status, another method, another path, another query.
            ("GET", "/acceptance?restype=container", 401),
            ("HEAD", "/acceptance", 403),
            ("HEAD", "/acceptance/kept", 404),
            ("PUT", "/acceptance?restype=container", 403),
            ("GET", "/acceptance/kept", 403),
            ("HEAD", "/acceptance/other", 403),
            ("GET", "/acceptance?restype=container&comp=acl", 403),
        ] {
            let complaint = format!("azurite: {} {} got {}", other.0, other.1, other.2);
            assert_eq!(copied(&log(GOOD, &[other]), 1), [complaint]);
        }
    }
}
