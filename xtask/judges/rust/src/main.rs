//! Microsoft's client of Azure DevOps for Rust reads and writes an emulated organization. A row for each check: "CLIENT | CHECK | ok",
//! or what was wrong.

#![expect(clippy::disallowed_methods, reason = "the chore speaks through the environment")]

use std::{env, process::ExitCode};

use azure_core::http::Url;
use azure_devops_rust_api::{
    Credential, core,
    service_endpoint::{
        self,
        models::{ProjectReference, ServiceEndpointProjectReference},
    },
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The version that Cargo.toml pins.
const CLIENT: &str = "azure_devops_rust_api 0.39.1";

/// What the checks look at.
struct Organization {
    projects: core::Client,
    connections: service_endpoint::Client,
    name: String,
    project: String,
    connection: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let organization = Organization::new()?;
    let rows = [
        ("projects", organization.read_projects().await),
        ("connections", organization.read_connections().await),
        ("history", organization.read_history().await),
        ("writes a connection", organization.write_a_connection().await),
    ];
    for (what, result) in &rows {
        let said = result.as_ref().map_or_else(|error| format!("FAILED: {error}"), |()| "ok".to_owned());
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        println!("{CLIENT} | {what} | {said}");
    }
    Ok(ExitCode::from(u8::from(rows.iter().any(|(_, result)| result.is_err()))))
}

/// An error, unless it is so.
fn expect(is_so: bool, what: impl std::fmt::Debug) -> Result<()> {
    if is_so { Ok(()) } else { Err(format!("not expected: {what:?}").into()) }
}

impl Organization {
    fn new() -> Result<Self> {
        let mut url = Url::parse(&env::var("JUDGE_ORGANIZATION_URL")?)?;
        let name = url.path().trim_matches('/').to_owned();
        url.set_path("");
        let credential = Credential::from_pat(env::var("JUDGE_PERSONAL_TOKEN")?);
        Ok(Self {
            projects: core::ClientBuilder::new(credential.clone()).endpoint(url.clone()).build(),
            connections: service_endpoint::ClientBuilder::new(credential).endpoint(url).build(),
            name,
            // Each has a creator and shows all that it is: this client's types know nothing else.
            project: env::var("JUDGE_OTHER_PROJECT")?,
            connection: env::var("JUDGE_OTHER_CONNECTION")?,
        })
    }

    async fn read_projects(&self) -> Result<()> {
        let mut seen = Vec::new();
        loop {
            let skip = i32::try_from(seen.len())?;
            let page = self.projects.projects_client().list(&self.name).top(60).skip(skip).await?.value;
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|one| one.id));
        }
        expect(seen.len() == 250 && seen.contains(&Some(self.project.clone())), seen.len())
    }

    async fn read_connections(&self) -> Result<()> {
        let client = self.connections.endpoints_client();
        let all = client.get_service_endpoints(&self.name, &self.project).await?.value;
        let found = all.iter().find(|one| one.id == self.connection).ok_or("it is not in the list")?;
        let scheme = found.authorization.scheme.as_deref();
        expect(scheme == Some("WorkloadIdentityFederation") && found.is_ready, found)?;
        let one = client.get(&self.name, &self.project, &self.connection).await?;
        expect(one == *found, one)
    }

    async fn read_history(&self) -> Result<()> {
        let client = self.connections.executionhistory_client();
        let all = client.list(&self.name, &self.project, &self.connection).await?.value;
        let finished = all.iter().filter_map(|one| one.data.as_ref()?.finish_time).count();
        expect(finished == 1 && all.len() == 1, all)
    }

    async fn write_a_connection(&self) -> Result<()> {
        let client = self.connections.endpoints_client();
        let mut wanted = client.get(&self.name, &self.project, &self.connection).await?;
        "made-with-rust".clone_into(&mut wanted.name);
        wanted.data["creationMode"] = "Manual".into();
        wanted.service_endpoint_project_references = vec![ServiceEndpointProjectReference {
            name: Some(wanted.name.clone()),
            ..ServiceEndpointProjectReference::new(ProjectReference::new(self.project.clone()))
        }];
        let made = client.create(&self.name, wanted).await?;
        let names = async || -> Result<Vec<String>> {
            let all = client.get_service_endpoints(&self.name, &self.project).await?.value;
            Ok(all.into_iter().filter(|one| one.id == made.id).map(|one| one.name).collect())
        };
        let read = names().await?;
        expect(read == ["made-with-rust"], read)?;
        client.delete(&self.name, &made.id, &self.project).await?;
        let read = names().await?;
        expect(read.is_empty(), read)
    }
}
