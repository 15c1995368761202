//! Checks a request for an id token, and makes the token.

use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Issuer, Job, Place};
use crate::world::identity::{self, DEVOPS_APPLICATION, EXCHANGE_AUDIENCE, EXCHANGE_AUDIENCE_ID};
use crate::world::issued::IssuedKind;
use crate::world::keys::{self, random_text};

const API_VERSIONS: [&str; 3] = ["7.1", "7.1-preview.1", "7.2-preview.1"];

/// A request for an id token, as sent.
pub(super) struct IdTokenRequest {
    pub(super) organization: String,
    pub(super) project: String,
    pub(super) hub: String,
    pub(super) plan: String,
    pub(super) job: String,
    pub(super) bearer: Option<String>,
    pub(super) api_version: Option<String>,
    pub(super) connection: Option<String>,
}

/// Why a request for an id token is refused.
pub(super) enum Refusal {
    /// The job token is missing or not valid.
    Unauthorized,
    /// The job's stage does not refer to the connection.
    NotReferenced { sentence: String },
    /// Any other refusal, which the server sends as an exception in JSON.
    Exception { status: u16, kind: &'static str, message: String },
}

/// The token for a job, or the reason why not; checked in the server's order.
pub(super) fn id_token(world: &World, request: &IdTokenRequest) -> Result<String, Refusal> {
    let now = world.clock.now();
    let (key, claims, lifetimes, same_again, subject_key) = {
        let directory = world.directory();
        let bearer = request.bearer.as_deref().ok_or(Refusal::Unauthorized)?;
        let job = directory.job_of(bearer).ok_or(Refusal::Unauthorized)?;
        if job.token_expires.is_some_and(|end| now >= end) {
            return Err(Refusal::Unauthorized);
        }
        check_version(request.api_version.as_deref())?;
        check_path(&directory, job, request)?;
        let (key, claims) = match &request.connection {
            Some(id) => connection_token_claims(&directory, job, id)?,
            None => pipeline_token_claims(&directory, job),
        };
        let subject_key = format!("{} {}", job.id, claims["sub"]);
        (key, claims, directory.lifetimes, directory.same_id_token_again, subject_key)
    };
    if same_again && let Some(token) = world.cached_id_token(&subject_key, now.unix_timestamp()) {
        return Ok(token);
    }
    let issued_at = now.unix_timestamp();
    let mut claims = claims;
    let (not_before, expires) = match key {
        Issuer::DevOps => {
            ((now - Duration::minutes(10)).unix_timestamp(), issued_at + lifetimes.devops_id_token)
        }
        Issuer::Entra => (issued_at, issued_at + lifetimes.entra_id_token),
    };
    claims["iat"] = json!(issued_at);
    claims["nbf"] = json!(not_before);
    claims["exp"] = json!(expires);
    let token = match key {
        Issuer::DevOps => keys::devops().sign(&claims),
        Issuer::Entra => keys::entra().sign(&claims),
    };
    world.record_issued(IssuedKind::IdToken, &token);
    world.cache_id_token(subject_key, &token, expires);
    Ok(token)
}

/// The id token of a connection, as the server makes it for its own checks.
pub(super) fn assertion(world: &World, directory: &Directory, place: &Place<'_>) -> String {
    let mut claims = connection_claims(place);
    let issued_at = world.clock.epoch();
    claims["iat"] = json!(issued_at);
    claims["nbf"] = json!(issued_at);
    let (key, lifetime) = match place.connection.issuer {
        Issuer::DevOps => (keys::devops(), directory.lifetimes.devops_id_token),
        Issuer::Entra => (keys::entra(), directory.lifetimes.entra_id_token),
    };
    claims["exp"] = json!(issued_at + lifetime);
    key.sign(&claims)
}

fn check_version(version: Option<&str>) -> Result<(), Refusal> {
    match version {
        Some(version) if API_VERSIONS.contains(&version) => Ok(()),
        Some(version) => Err(Refusal::Exception {
            status: 400,
            kind: "VssInvalidPreviewVersionException",
            message: format!(
                "The requested version \"{version}\" of the resource is under preview. The -preview flag must be \
                 supplied in the api-version for such requests."
            ),
        }),
        None => Err(Refusal::Exception {
            status: 400,
            kind: "VssVersionNotSpecifiedException",
            message: "No api-version was supplied for the \"POST\" request. The version must be supplied either as \
                      part of the Accept header or as a query parameter."
                .to_owned(),
        }),
    }
}

/// A job token is accepted for its own job only.
fn check_path(directory: &Directory, job: &Job, request: &IdTokenRequest) -> Result<(), Refusal> {
    let organization = directory.organizations.iter().find(|one| one.id == job.organization);
    let same = |text: &str, id: Uuid| Uuid::try_parse(text).is_ok_and(|sent| sent == id);
    if !organization.is_some_and(|one| one.name.eq_ignore_ascii_case(&request.organization)) {
        return Err(Refusal::Unauthorized);
    }
    if !same(&request.project, job.project) {
        return Err(Refusal::Exception {
            status: 404,
            kind: "ProjectDoesNotExistException",
            message: format!("VS800075: The project with id '{}' does not exist.", request.project),
        });
    }
    if !request.hub.eq_ignore_ascii_case(&job.hub) {
        return Err(Refusal::Exception {
            status: 404,
            kind: "TaskHubNotFoundException",
            message: format!("No task hub found with name {}.", request.hub),
        });
    }
    if !same(&request.plan, job.plan) {
        return Err(Refusal::Exception {
            status: 404,
            kind: "TaskOrchestrationPlanNotFoundException",
            message: format!("No plan found for identifier {}.", request.plan),
        });
    }
    if !same(&request.job, job.id) {
        return Err(Refusal::Exception {
            status: 404,
            kind: "TaskOrchestrationJobNotFoundException",
            message: format!("No job found for identifier {}.", request.job),
        });
    }
    Ok(())
}

fn connection_token_claims(directory: &Directory, job: &Job, id: &str) -> Result<(Issuer, Value), Refusal> {
    let place = Uuid::try_parse(id)
        .ok()
        .and_then(|id| directory.find(id))
        .filter(|place| place.project.id == job.project)
        .ok_or_else(|| Refusal::Exception {
            status: 404,
            kind: "ServiceEndpointNotFoundException",
            message: format!("No service connection found with identifier {id}."),
        })?;
    if !job.connections.contains(&place.connection.id) {
        let (id, stage) = (place.connection.id, &job.stage);
        let sentence = format!(
            "There is no explicit reference to service connection {id} from current stage {stage}.Job.__default."
        );
        return Err(Refusal::NotReferenced { sentence });
    }
    if place.connection.disabled {
        return Err(Refusal::Exception {
            status: 403,
            kind: "ServiceEndpointException",
            message: format!("The service connection {} is disabled.", place.connection.name),
        });
    }
    Ok((place.connection.issuer, connection_claims(&place)))
}

fn connection_claims(place: &Place<'_>) -> Value {
    let connection = place.connection;
    let custom = connection.audience.clone();
    match connection.issuer {
        Issuer::DevOps => json!({
            "jti": Uuid::new_v4(),
            "iss": place.issuer(),
            "sub": place.subject(),
            "aud": custom.unwrap_or_else(|| EXCHANGE_AUDIENCE.to_owned()),
        }),
        Issuer::Entra => json!({
            "iss": place.issuer(),
            "sub": place.subject(),
            "aud": custom.unwrap_or_else(|| EXCHANGE_AUDIENCE_ID.to_string()),
            "aio": random_text(30),
            "azp": DEVOPS_APPLICATION,
            "azpacr": "2",
            "idtyp": "app",
            "oid": identity::EXCHANGE_AUDIENCE_ID,
            "rh": format!("1.{}", random_text(24)),
            "tid": connection.tenant,
            "uti": random_text(16),
            "ver": "2.0",
            "xms_ficinfo": random_text(24),
            "xms_idrel": "7 10",
        }),
    }
}

/// Without a connection the subject of the token is the pipeline, and the issuer is Azure DevOps.
fn pipeline_token_claims(directory: &Directory, job: &Job) -> (Issuer, Value) {
    let organization = directory.organizations.iter().find(|one| one.id == job.organization);
    let project = organization.and_then(|one| one.projects.iter().find(|project| project.id == job.project));
    let organization_name = organization.map_or("", |one| one.name.as_str());
    let project_name = project.map_or("", |one| one.name.as_str());
    let claims = json!({
        "jti": Uuid::new_v4(),
        "iss": identity::devops_issuer(job.organization),
        "sub": format!("p://{organization_name}/{project_name}/{}", job.pipeline),
        "aud": EXCHANGE_AUDIENCE,
        "org_id": job.organization,
        "prj_id": job.project,
        "def_id": "1",
        "rpo_id": job.project,
        "rpo_uri": format!("https://dev.azure.com/{organization_name}/{project_name}/_git/{project_name}"),
        "rpo_ver": "0000000000000000000000000000000000000000",
        "rpo_ref": "refs/heads/main",
        "run_id": "1",
    });
    (Issuer::DevOps, claims)
}
