//! Microsoft's own, that do the same work.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use emulator::{Emulator, Proxy, identity::DEVOPS_APPLICATION};
use uuid::Uuid;

use crate::{
    acceptance::{self, Found},
    bench::{job::Job, measure::timed, requests::id_token},
    process::{Result, root},
    tools::npm_into,
};

/// The peers, installed and pinned.
pub(super) struct Peers {
    /// A folder with the scripts, and the library.
    folder: PathBuf,
    /// Azure CLI.
    pub(super) az: PathBuf,
}

/// Finds or installs Azure CLI below `target/`.
pub(super) fn azure_cli() -> Result<PathBuf> {
    match acceptance::azure_cli(&root().join("target").join("acceptance")) {
        Found::Ready(installed) => Ok(installed.path.unwrap_or_default().join("az")),
        Found::Missing(what) => Err(format!("Azure CLI needs {what}")),
        Found::Broken(log) => Err(log),
    }
}

/// Steps over `az` as they are published, in a folder of their own. They are given a token, and so sign in to nothing.
pub(super) fn published_steps(
    az: &Path,
    script: &str,
    folder: &Path,
    (emulator, proxy, caller): (&Emulator, &Proxy, Uuid),
) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("AZ", az).env("AZURE_CONFIG_DIR", folder).env("HOME", folder);
    command.env("AZURE_CORE_COLLECT_TELEMETRY", "no");
    let token = emulator.access_token(caller, &DEVOPS_APPLICATION.to_string());
    command.env("AUTHORIZATION", format!("Bearer {token}"));
    command.env("HTTPS_PROXY", proxy.url()).env("REQUESTS_CA_BUNDLE", emulator.ca_file());
    command
}

impl Peers {
    /// Finds or installs them below `target/`.
    pub(super) fn install() -> Result<Self> {
        let folder = root().join("target").join("bench");
        let kept = root().join("xtask").join("bench");
        npm_into(&folder, &kept)?;
        // Node looks for packages beside the script.
        for script in ["peer.js", "lead.js"] {
            fs::copy(kept.join(script), folder.join(script)).map_err(|error| format!("{script}: {error}"))?;
        }
        Ok(Self { folder, az: azure_cli()? })
    }

    /// The library, with what it depends on.
    pub(super) fn arm_rest_folder(&self) -> PathBuf {
        self.folder.join("node_modules")
    }

    /// Gets an id token and exchanges it, as tasks do that use the library.
    pub(super) fn arm_rest(&self, job: &Job) -> Command {
        let entra = job.emulator.entra_url();
        let port = entra.rsplit(':').next().unwrap_or_default();
        let mut command = job.command("node");
        command.arg("--require").arg(self.folder.join("lead.js")).arg(self.folder.join("peer.js"));
        command.env("NODE_EXTRA_CA_CERTS", job.emulator.ca_file()).env("ENTRA_PORT", port);
        command
    }

    /// What `AzureCLI@2` starts for one step, as its source has it; the script that the user wrote comes in between.
    pub(super) fn five_az(&self, job: &Job) -> Result<f64> {
        let usual = job.emulator.usual();
        let folder = tempfile::TempDir::new().map_err(|error| error.to_string())?;
        // A cloud of its own stands for the public one.
        let cloud = format!(
            "[wif]\nendpoint_active_directory = {}\nendpoint_resource_manager = {}\nendpoint_active_directory_resource_id = https://management.core.windows.net/\nendpoint_management = https://management.core.windows.net/\nendpoint_active_directory_graph_resource_id = https://graph.windows.net/\nendpoint_microsoft_graph_resource_id = https://graph.microsoft.com/\n",
            job.emulator.entra_url(),
            job.emulator.arm_url()
        );
        let config = "[core]\ninstance_discovery = false\ncollect_telemetry = no\n[cloud]\nname = wif\n";
        for (name, text) in [("clouds.config", &*cloud), ("config", config)] {
            fs::write(folder.path().join(name), text).map_err(|error| error.to_string())?;
        }
        // Its time does not count.
        let id_token = id_token(job)?;
        let (client, tenant) = (usual.client.to_string(), usual.tenant.to_string());
        let subscription = usual.subscription.to_string();
        let login = [
            "login",
            "--service-principal",
            "-u",
            &*client,
            "--tenant",
            &*tenant,
            "--allow-no-subscriptions",
            "--federated-token",
            &*id_token,
        ];
        let all: [&[&str]; 5] = [
            &["--version"],
            &["cloud", "set", "-n", "wif"],
            &login,
            &["account", "set", "--subscription", &*subscription],
            &["account", "clear"],
        ];
        let mut sum = 0.0;
        for arguments in all {
            let mut command = job.command(&self.az);
            command.args(arguments).env("AZURE_CONFIG_DIR", folder.path());
            command.env("REQUESTS_CA_BUNDLE", job.emulator.ca_file());
            sum += timed(&mut command)?.0;
        }
        Ok(sum)
    }
}
