//! Starts jobs, and makes the messages that the server sends to an agent about them.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::agent::message::{JobMessage, ServiceEndpoint, Variable};
use crate::world::Urls;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Issuer, Job, Place, Scope};
use crate::world::keys::random_text;

/// A new job whose stage refers to these connections, all of one project; registered in the directory.
pub(crate) fn start(directory: &mut Directory, urls: &Urls, connections: &[Uuid]) -> JobMessage {
    let first = connections.first().expect("a job of at least one connection");
    let place = directory.find(*first).expect("no such connection");
    let collection = if directory.public_names {
        format!("https://dev.azure.com/{}/", place.organization.name)
    } else {
        format!("{}/{}/", urls.devops, place.organization.name)
    };
    let job = Job {
        id: Uuid::new_v4(),
        plan: Uuid::new_v4(),
        hub: "build".to_owned(),
        organization: place.organization.id,
        project: place.project.id,
        pipeline: "deploy".to_owned(),
        stage: "Deploy".to_owned(),
        connections: connections.to_vec(),
        token: job_token(),
        token_expires: None,
    };
    let message = JobMessage {
        system_connection_url: collection.clone(),
        job_token: job.token.clone(),
        endpoints: connections.iter().map(|id| endpoint(directory, urls, *id)).collect(),
        variables: variables(&job, &collection, &place.project.name),
    };
    directory.jobs.push(job);
    message
}

/// A connection as the server sends it.
pub(crate) fn endpoint(directory: &Directory, urls: &Urls, id: Uuid) -> ServiceEndpoint {
    endpoint_at(directory, urls, &directory.find(id).expect("no such connection"))
}

/// The same of a connection that was found.
pub(crate) fn endpoint_at(directory: &Directory, urls: &Urls, place: &Place<'_>) -> ServiceEndpoint {
    let connection = place.connection;
    let custom = connection.custom && !directory.public_names;
    ServiceEndpoint {
        id: connection.id,
        name: connection.name.clone(),
        url: if custom { format!("{}/", urls.arm) } else { public_arm(&connection.environment).to_owned() },
        scheme: connection.scheme.clone(),
        parameters: parameters(place),
        data: data(directory, urls, place, custom),
    }
}

fn parameters(place: &Place<'_>) -> BTreeMap<String, String> {
    let connection = place.connection;
    let mut parameters = Entries::default();
    parameters.set("tenantid", &connection.tenant);
    let scheme = connection.scheme.to_lowercase();
    if scheme != "managedserviceidentity" {
        parameters.set("serviceprincipalid", &connection.client);
    }
    if scheme == "workloadidentityfederation" {
        parameters.set("workloadIdentityFederationIssuer", &place.issuer());
        parameters.set("workloadIdentityFederationSubject", &place.subject());
        if connection.issuer == Issuer::Entra {
            parameters.set("workloadIdentityFederationIssuerType", "EntraID");
        }
    }
    if let Scope::Subscription(id) = &connection.scope {
        parameters.set("scope", &format!("/subscriptions/{id}"));
    }
    parameters.overridden_by(&connection.parameters)
}

fn data(directory: &Directory, urls: &Urls, place: &Place<'_>, custom: bool) -> BTreeMap<String, String> {
    let connection = place.connection;
    let mut data = Entries::default();
    data.set("environment", &connection.environment);
    data.set("creationMode", "Manual");
    match &connection.scope {
        Scope::Subscription(id) => {
            let known = directory.subscriptions.iter().find(|subscription| subscription.id == *id);
            data.set("scopeLevel", "Subscription");
            data.set("subscriptionId", id);
            data.set("subscriptionName", known.map_or("unknown", |subscription| subscription.name.as_str()));
        }
        Scope::ManagementGroup(id, name) => {
            data.set("scopeLevel", "ManagementGroup");
            data.set("managementGroupId", id);
            data.set("managementGroupName", name);
        }
    }
    if custom {
        let authority = format!("{}/", urls.entra);
        data.set("activeDirectoryAuthority", &authority);
        data.set("environmentAuthorityUrl", &authority);
        data.set("microsoftGraphUrl", &format!("{}/", urls.graph));
        data.set("activeDirectoryServiceEndpointResourceId", arm_resource(&connection.environment));
    }
    data.overridden_by(&connection.data)
}

fn variables(job: &Job, collection: &str, project: &str) -> Vec<Variable> {
    let (id, plan, hub, project_id) = (job.id, job.plan, &job.hub, job.project);
    let oidc_request_uri =
        format!("{collection}{project_id}/_apis/distributedtask/hubs/{hub}/plans/{plan}/jobs/{id}/oidctoken");
    let pairs = [
        ("System.CollectionUri", collection.to_owned()),
        ("System.TeamFoundationCollectionUri", collection.to_owned()),
        ("System.TeamFoundationServerUri", collection.to_owned()),
        ("System.CollectionId", job.organization.to_string()),
        ("System.TeamProject", project.to_owned()),
        ("System.TeamProjectId", project_id.to_string()),
        ("System.HostType", hub.clone()),
        ("System.PlanId", plan.to_string()),
        ("System.JobId", id.to_string()),
        ("System.StageName", job.stage.clone()),
        ("System.DefinitionId", "1".to_owned()),
        ("System.OidcRequestUri", oidc_request_uri),
        ("Build.BuildId", "1".to_owned()),
        ("System.JobAttempt", "1".to_owned()),
        ("Build.DefinitionName", job.pipeline.clone()),
    ];
    pairs.into_iter().map(|(name, value)| Variable { name: name.to_owned(), value, secret: false }).collect()
}

/// A random token in the shape of a JWT; it is compared, and never verified.
fn job_token() -> String {
    format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.{}.{}", random_text(180), random_text(256))
}

fn public_arm(environment: &str) -> &'static str {
    match environment {
        "AzureUSGovernment" => "https://management.usgovcloudapi.net/",
        "AzureChinaCloud" => "https://management.chinacloudapi.cn/",
        _ => "https://management.azure.com/",
    }
}

fn arm_resource(environment: &str) -> &'static str {
    match environment {
        "AzureUSGovernment" => "https://management.core.usgovcloudapi.net/",
        "AzureChinaCloud" => "https://management.core.chinacloudapi.cn/",
        _ => "https://management.core.windows.net/",
    }
}

#[derive(Default)]
struct Entries(BTreeMap<String, String>);

impl Entries {
    fn set(&mut self, name: &str, value: &(impl ToString + ?Sized)) {
        self.0.insert(name.to_owned(), value.to_string());
    }

    /// Adds a connection's own entries, which replace those of the same name in any case.
    fn overridden_by(mut self, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        for (name, value) in own {
            self.0.retain(|usual, _| !usual.eq_ignore_ascii_case(name));
            self.0.insert(name.clone(), value.clone());
        }
        self.0
    }
}
