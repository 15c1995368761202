//! An organization of Azure DevOps with a project, in the place of the emulator's: what the provider azuredevops reads.

use std::process::Command;

use emulator::Emulator;
use uuid::Uuid;

use super::server::{Server, request};
use crate::process::{Result, root};

/// The public name whose requests it gets.
pub(super) const HOST: &str = "dev.azure.com:443";

/// Starts it behind the certificate of the emulator's servers. It takes tokens of this client only.
pub(super) fn start(emulator: &Emulator, client: Uuid) -> Result<Server> {
    let (certificate, key) = emulator.server_identity();
    let script = root().join("xtask").join("acceptance").join("organization.js");
    let mut command = Command::new("node");
    command.arg(script).arg(certificate).arg(key).arg(client.to_string());
    Server::start("organization", command)
}

/// What does not fit in its log: the projects were read, and no request was refused.
pub(super) fn read(log: &[String]) -> Vec<String> {
    let requests: Vec<_> = log.iter().filter_map(|line| request(line)).collect();
    let mut complaints = Vec::new();
    let is_list = |(method, path, status): &&(&str, &str, u16)| {
        *method == "GET" && path.starts_with("/contoso/_apis/projects") && *status == 200
    };
    if requests.iter().find(is_list).is_none() {
        complaints.push("the client never read the organization's projects".to_owned());
    }
    let refused = requests.iter().filter(|(_method, _path, status)| *status >= 400);
    complaints
        .extend(refused.map(|(method, path, status)| format!("organization: {method} {path} got {status}")));
    complaints
}

#[cfg(test)]
mod tests {
    use std::fs;

    use emulator::USUAL;

    use super::*;
    use crate::process::output;

    const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";

    /// Asks as the client's library does, and gives back what the log says.
    fn asked(client: Uuid, resource: &str) -> Vec<String> {
        let emulator = Emulator::start();
        let server = start(&emulator, USUAL.client).unwrap();
        let token = emulator.access_token(client, resource);
        let ask = format!(
            "(async () => {{
               for (const [method, path] of [['OPTIONS', ''], ['GET', '/ResourceAreas'], ['GET', '/projects?$top=100']])
                 await fetch('https://127.0.0.1:{}/contoso/_apis' + path, {{ method, headers: {{ authorization: 'Bearer {token}' }} }});
             }})()",
            server.port()
        );
        let script = tempfile::NamedTempFile::new().unwrap();
        fs::write(script.path(), ask).unwrap();
        output(Command::new("node").arg(script.path()).env("NODE_EXTRA_CA_CERTS", emulator.ca_file()))
            .unwrap();
        server.log()
    }

    #[test]
    fn the_projects_are_told_to_the_client_of_the_connection_and_to_no_other() {
        assert_eq!(read(&asked(USUAL.client, AZURE_DEVOPS)), Vec::<String>::new());
        for (client, resource) in
            [(USUAL.entra_client, AZURE_DEVOPS), (USUAL.client, "https://management.azure.com")]
        {
            assert_eq!(read(&asked(client, resource)).len(), 4, "{client} {resource}");
        }
    }

    #[test]
    fn an_organization_that_was_not_asked_is_not_accepted() {
        assert_eq!(read(&[]), ["the client never read the organization's projects"]);
    }
}
