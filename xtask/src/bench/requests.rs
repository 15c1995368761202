//! The two requests of a sign-in, as curl sends them. Secrets are in files: everybody can read a command line.

use std::{path::Path, process::Command};

use tempfile::NamedTempFile;

use crate::{
    bench::{job::Job, measure::timed},
    process::Result,
};

/// Both requests, for one curl.
pub(super) struct Requests {
    config: NamedTempFile,
}

impl Requests {
    /// The second has an id token that was got before, since curl hands no answer on.
    pub(super) fn new(job: &Job) -> Result<Self> {
        let usual = job.emulator.usual();
        let exchange = [
            format!("client_id={}", usual.client),
            "grant_type=client_credentials".to_owned(),
            "scope=https%3A%2F%2Fmanagement.core.windows.net%2F.default".to_owned(),
            "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
                .to_owned(),
            format!("client_assertion={}", id_token(job)?),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", job.emulator.entra_url(), usual.tenant);
        let second = request(job, &url, &exchange.join("&"));
        let first = asking(job)?;
        Ok(Self { config: write(&format!("{first}next\n{second}"))? })
    }

    pub(super) fn curl(&self, job: &Job) -> Command {
        curl(job, self.config.path())
    }
}

/// An id token of the job's connection.
pub(super) fn id_token(job: &Job) -> Result<String> {
    let config = write(&asking(job)?)?;
    let (_, answer) = timed(&mut curl(job, config.path()))?;
    let answer: serde_json::Value =
        serde_json::from_slice(&answer.stdout).map_err(|error| error.to_string())?;
    answer["oidcToken"].as_str().map(str::to_owned).ok_or_else(|| "no id token came".to_owned())
}

fn asking(job: &Job) -> Result<String> {
    let uri = job.variable("SYSTEM_OIDCREQUESTURI")?;
    let url = format!("{uri}?api-version=7.1&serviceConnectionId={}", job.emulator.usual().connection);
    let token = job.variable("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN")?;
    Ok(request(job, &url, "") + &format!("header = \"Authorization: Bearer {token}\"\n"))
}

fn request(job: &Job, url: &str, data: &str) -> String {
    let ca = job.emulator.ca_file().display().to_string();
    format!("url = \"{url}\"\ndata = \"{data}\"\ncacert = \"{ca}\"\nsilent\nshow-error\nfail-with-body\n")
}

fn curl(job: &Job, config: &Path) -> Command {
    let mut command = job.command("curl");
    command.arg("--config").arg(config);
    command
}

fn write(config: &str) -> Result<NamedTempFile> {
    let failed = |error: std::io::Error| format!("curl's configuration: {error}");
    let mut file = NamedTempFile::new().map_err(failed)?;
    std::io::Write::write_all(&mut file, config.as_bytes()).map_err(failed)?;
    Ok(file)
}
