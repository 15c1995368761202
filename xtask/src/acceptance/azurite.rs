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

/// What does not fit in its log: a container was made, files were written and read, and no request was refused.
pub(super) fn copied(log: &[String]) -> Vec<String> {
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
    // azcopy looks without a token first, whether a container or a file is public, and whether it is there.
    let looks = |method: &str, path: &str| {
        method == "HEAD" || method == "GET" && path.ends_with("/acceptance?restype=container")
    };
    let refused = |one: &&(&str, &str, u16)| one.2 >= 400 && !looks(one.0, one.1);
    let refused = requests.iter().filter(refused);
    complaints.extend(refused.map(|(method, path, status)| format!("azurite: {method} {path} got {status}")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(statuses: [u16; 4]) -> Vec<String> {
        let [made, wrote, listed, read] = statuses;
        [
            format!("PUT /acceptance?restype=container HTTP/1.1\" {made} -"),
            "HEAD /acceptance/kept HTTP/1.1\" 403 -".to_owned(),
            format!("PUT /acceptance/kept?comp=block&blockid=x HTTP/1.1\" {wrote} -"),
            format!("GET /acceptance?comp=list&restype=container HTTP/1.1\" {listed} -"),
            format!("GET /acceptance/kept HTTP/1.1\" {read} -"),
        ]
        .map(|line| format!("127.0.0.1 - - [26/Nov/2026:07:00:00 +0000] \"{line}"))
        .to_vec()
    }

    #[test]
    fn files_that_were_not_copied_are_not_accepted() {
        assert_eq!(copied(&log([201, 201, 200, 206])), Vec::<String>::new());
        assert_eq!(copied(&[]).len(), 4);
        for at in 0..4 {
            let mut statuses = [201, 201, 200, 206];
            statuses[at] = 403;
            assert_eq!(copied(&log(statuses)).len(), 2, "{at}");
        }
    }
}
