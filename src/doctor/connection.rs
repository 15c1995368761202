//! The service connection: as the agent passes it, and as Azure DevOps shows it.

use wif_azure::{
    devops::service_connections::{ConnectionsError, Organization, ServiceConnection, Token},
    identity::Credential,
    managed_identity::ManagedIdentity,
};
use wif_core::{
    azure::cloud::Cloud,
    code::Code,
    failure::Failure,
    refusals,
    trust::{
        compare::{self, Claims, DEVOPS_ISSUER_RETIREMENT, Trusted},
        subject::Issuer,
    },
};
use wif_io::{endpoint::Endpoint, env::Env};

use super::{
    diagnosis::{ARM_TOKEN, DEVOPS_TOKEN, Diagnosis, GRAPH_TOKEN, Service},
    report::{NO_FACTS, Topic},
};
use crate::agent::{connection::Connection, inputs::env_name};

/// After so many days without use, the report warns that Azure DevOps will disable the connection.
const DAYS_UNUSED_BEFORE_WARNING: i64 = 80;

/// The token that the user gave to read connections with, beside a job token.
pub(super) fn token_of_user(env: &Env) -> Option<Token> {
    let personal = env.secret("AZURE_DEVOPS_EXT_PAT").map(Token::Personal);
    personal.or_else(|| env.secret(DEVOPS_TOKEN).map(Token::Bearer))
}

/// A service that is read with a token of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadService {
    Graph,
    ResourceManager,
}

/// Says how the user can give a token to read with, in the cloud of the connection.
pub(super) fn how_to_read(service: ReadService, connection: &Connection) -> String {
    let audiences = &connection.identity.audiences;
    let (what, variable, resource) = match service {
        ReadService::Graph => ("Microsoft Graph", GRAPH_TOKEN, audiences.graph()),
        ReadService::ResourceManager => ("Azure Resource Manager", ARM_TOKEN, audiences.resource_manager()),
    };
    format!(
        "no token for {what}; set {variable} to that of: az account get-access-token --resource {resource} --query accessToken --output tsv"
    )
}

impl Diagnosis<'_> {
    /// What the connection says of itself.
    ///
    /// `variables` are those by which an agent passes it.
    pub(super) fn connection(&mut self, connection: &Connection, variables: &Env) {
        let mut facts = vec![format!("scheme {}, tenant {}", connection.scheme, connection.identity.tenant)];
        self.report.knows("<tenant id>", &connection.identity.tenant);
        if let Some(client) = connection.client() {
            self.report.knows("<client id>", &client);
        }
        if let Some(subscription) = &connection.subscription {
            self.report.knows("<subscription id>", &subscription.id);
        }
        facts.extend(connection.client().map(|client| format!("client {client}")));
        facts.extend(scope(connection, variables));
        facts.extend(
            connection
                .foreign_authority(&self.allowed_hosts)
                .map(|host| format!("its authority {host} is not a known one: no credential is sent there")),
        );
        facts.extend(connection.stored_secret_warning());
        let issuer = match &connection.identity.credential {
            Credential::Federated { issuer: Some(issuer), .. } => Some(Issuer::parse(issuer)),
            _ => None,
        };
        match issuer {
            Some(Issuer::AzureDevOps { .. }) if connection.cloud == Some(Cloud::Public) => {
                let failure = Failure::new(
                    Code::IssuerRetires,
                    format!(
                        "the connection has the Azure DevOps issuer, which is retired on {DEVOPS_ISSUER_RETIREMENT}"
                    ),
                    "add a federated credential with the new issuer and subject beside the old one, then update the connection",
                );
                let failure = failure
                    .with_command(Some("Project settings > Service connections > the connection > Update"));
                self.report.warning(Topic::Connection, failure, facts);
            }
            _ => self.report.good(Topic::Connection, facts),
        }
    }

    /// Where the identity of the agent's machine is found, for a connection that signs in by it.
    pub(super) fn machine(&mut self, connection: &Connection) {
        let Credential::ManagedIdentity { client } = &connection.identity.credential else { return };
        match ManagedIdentity::find(self.env) {
            Ok(machine) => {
                let which = client.map_or_else(
                    || "the machine's only identity is asked for; one that has several needs msiclientId in the connection".to_owned(),
                    |client| format!("the machine's identity {client} is asked for"),
                );
                let place = format!("{which}, at {}", machine.endpoint().as_str());
                self.report.good(Topic::Connection, vec![place]);
            }
            Err(error) => self.report.skipped(Topic::Connection, error.to_string()),
        }
    }

    /// What Azure DevOps says of the connection, if it shows connections to the token's owner.
    pub(super) async fn connection_at_devops(
        &mut self,
        base: &Endpoint,
        project: &str,
        connection: &Connection,
        token: &Token,
    ) {
        if !self.network.reaches(Service::DevOps) {
            return;
        }
        let organization = Organization { http: &self.http, deadline: self.deadline, base, token };
        match organization.by_id(project, connection.id).await {
            Ok(shown) => self.report_state(&shown),
            // A job token is seldom allowed to see connections; that is no fault.
            Err(error) => self.report.skipped(Topic::Connection, unreadable(&error)),
        }
    }

    /// How long the connection has not been used, before Azure DevOps disables it for that.
    pub(super) async fn last_used(
        &mut self,
        organization: &Organization<'_>,
        project: &str,
        shown: &ServiceConnection,
        now: time::OffsetDateTime,
    ) {
        let Ok(used) = organization.last_used(project, shown.id).await else { return };
        let Some(used) = used else {
            return self.report.good(Topic::Connection, vec!["no use is on record".to_owned()]);
        };
        let days = (now - used).whole_days();
        let fact = format!("last used {days} days ago");
        if days < DAYS_UNUSED_BEFORE_WARNING || shown.is_disabled {
            return self.report.good(Topic::Connection, vec![fact]);
        }
        let error = "Azure DevOps disables a connection that is not used for 100 days";
        let hint = "use the connection, or delete it if no pipeline needs it";
        self.report.warning(
            Topic::Connection,
            Failure::new(Code::ConnectionDisabled, error, hint),
            vec![fact],
        );
    }

    /// What a connection's REST resource says.
    pub(super) fn report_state(&mut self, shown: &ServiceConnection) {
        if shown.is_disabled {
            if let Some(known) = refusals::named("connection-disabled") {
                let error = format!("Azure DevOps says that {}", known.meaning);
                let failure = Failure::new(known.code, error, known.remedy).with_command(Some(known.command));
                self.report.fault(Topic::Connection, failure, describe_causes(known.causes));
            }
        } else if shown.is_ready == Some(false) {
            let error = "the connection is incomplete: Azure DevOps says that it is not ready";
            let hint = "edit the connection, verify and save it";
            self.report.fault(
                Topic::Connection,
                Failure::new(Code::ConnectionIncomplete, error, hint),
                NO_FACTS,
            );
        } else if shown.authorization.is_none() {
            let reason = "the token may see that the connection exists, and no more; AZURE_DEVOPS_EXT_PAT with the scope Service Connections (read) sees more";
            self.report.skipped(Topic::Connection, reason);
        } else {
            self.report
                .good(Topic::Connection, vec!["Azure DevOps says that it is enabled and ready".to_owned()]);
        }
    }

    /// What the connection says of its id tokens, against what they are.
    pub(super) fn compare_registered(&mut self, claims: &Claims, registered: &Trusted) {
        let found = compare::differences(claims, registered);
        let Some(first) = found.first() else { return };
        let error =
            format!("the connection's issuer or subject is not what Azure DevOps signs: {}", first.words);
        let hint =
            "edit the connection and save it, then copy its issuer and subject into the federated credential";
        let failure = Failure::new(Code::ConnectionStale, error, hint)
            .with_details(found.iter().flat_map(|difference| difference.lines.clone()))
            .with_command(Some("Project settings > Service connections > the connection > Edit > Save"));
        self.report.warning(Topic::Connection, failure, NO_FACTS);
    }
}

/// What the connection is for: a subscription, or what lies above or below one.
fn scope(connection: &Connection, variables: &Env) -> Vec<String> {
    let data = |key: &str| {
        let value = variables.get(&format!("ENDPOINT_DATA_{}_{}", connection.id, env_name(key)))?.trim();
        (!value.is_empty()).then_some(value)
    };
    let named = |keys: [&str; 2]| keys.into_iter().find_map(data).unwrap_or("without a name");
    let scope = match data("scopeLevel") {
        Some(level) if level.eq_ignore_ascii_case("ManagementGroup") => {
            let group = named(["managementGroupName", "managementGroupId"]);
            Some(format!(
                "scope: the management group {group}; AZURE_SUBSCRIPTION_ID and ARM_SUBSCRIPTION_ID are not exported"
            ))
        }
        Some(level) if level.eq_ignore_ascii_case("AzureMLWorkspace") => {
            let workspace = named(["mlWorkspaceName", "mlWorkspaceId"]);
            Some(format!("scope: the machine learning workspace {workspace}"))
        }
        Some(level) if !level.eq_ignore_ascii_case("Subscription") => Some(format!("scope: {level}")),
        _ => None,
    };
    let subscription = connection.subscription.as_ref();
    let subscription =
        subscription.map_or_else(|| "no subscription".to_owned(), |one| format!("subscription {}", one.id));
    scope.into_iter().chain([subscription]).collect()
}

pub(super) fn describe_causes(causes: &[&str]) -> Vec<String> {
    causes.iter().map(|cause| format!("maybe: {cause}")).collect()
}

fn unreadable(error: &ConnectionsError) -> String {
    let message = error.message().map(|message| format!("; service says: {message}")).unwrap_or_default();
    format!(
        "not shown by Azure DevOps: {error}{message}; AZURE_DEVOPS_EXT_PAT with the scope Service Connections (read) sees more"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_that_is_missing_is_asked_for_in_the_connections_own_cloud() {
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        for (environment, graph, resource_manager) in [
            ("AzureCloud", "https://graph.microsoft.com ", "https://management.azure.com "),
            ("AzureUSGovernment", "https://graph.microsoft.us ", "https://management.usgovcloudapi.net "),
            (
                "AzureChinaCloud",
                "https://microsoftgraph.chinacloudapi.cn ",
                "https://management.chinacloudapi.cn ",
            ),
        ] {
            let variables = [
                (format!("ENDPOINT_AUTH_SCHEME_{id}"), "WorkloadIdentityFederation"),
                (format!("ENDPOINT_AUTH_PARAMETER_{id}_TENANTID"), "11111111-1111-1111-1111-111111111111"),
                (
                    format!("ENDPOINT_AUTH_PARAMETER_{id}_SERVICEPRINCIPALID"),
                    "22222222-2222-2222-2222-222222222222",
                ),
                (format!("ENDPOINT_DATA_{id}_ENVIRONMENT"), environment),
            ];
            let env = variables.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
            let connection = Connection::read(&env, uuid::Uuid::try_parse(id).unwrap()).unwrap();
            for (service, resource) in
                [(ReadService::Graph, graph), (ReadService::ResourceManager, resource_manager)]
            {
                let text = how_to_read(service, &connection);
                assert!(text.contains(&format!("--resource {resource}")), "{environment}: {text}");
            }
        }
    }
}
