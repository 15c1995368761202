//! The client credentials grant: the checks in Entra's order, and the access token.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::entra::errors::Refusal;
use crate::services::entra::resources;
use crate::services::entra::{certificate, checks, federated};
use crate::services::request;
use crate::world::World;
use crate::world::directory::entra::{App, Kind, Tenant};
use crate::world::identity::{EXCHANGE_AUDIENCE_ID, entra_issuer, sts_issuer};
use crate::world::issued::IssuedKind;
use crate::world::keys::{self, random_text};

/// An access token, and how long it lives.
pub(crate) struct Granted {
    pub(crate) client: Uuid,
    pub(crate) access_token: String,
    pub(crate) expires_in: i64,
}

/// The access token, or what Entra answers instead, in a sentence with its code.
pub(crate) fn grant_or_sentence(
    world: &World,
    tenant: Uuid,
    form: &[(String, String)],
) -> Result<Granted, String> {
    grant(world, &tenant.to_string(), form).map_err(|refusal| {
        let body = refusal.body(world.clock.now(), Uuid::new_v4(), Uuid::new_v4());
        body["error_description"].as_str().unwrap_or_default().to_owned()
    })
}

/// The access token, or the first refusal.
pub(super) fn grant(world: &World, tenant: &str, form: &[(String, String)]) -> Result<Granted, Refusal> {
    let tenant = checks::find_tenant(&world.directory(), tenant)?.clone();
    let grant_type = required(form, "grant_type")?;
    if grant_type != "client_credentials" {
        return Err(Refusal::new(
            70_003,
            format!("The app requested an unsupported grant type '{grant_type}'."),
        ));
    }
    let app = checks::find_client(&tenant, required(form, "client_id")?)?;
    let resource = resource(world, &tenant, required(form, "scope")?)?;
    authenticate(world, &tenant, app, form)?;
    Ok(issue_access_token(world, &tenant, app, resource))
}

/// Makes an access token without any check.
pub(crate) fn issue_access_token(world: &World, tenant: &Tenant, app: &App, resource: &str) -> Granted {
    let lifetimes = world.directory().lifetimes;
    let expires_in = match app.kind {
        Kind::Application => lifetimes.access_token,
        Kind::ManagedIdentity => lifetimes.managed_identity_access_token,
    };
    let access_token = keys::entra().sign(&claims(tenant, app, resource, world.clock.epoch(), expires_in));
    world.record_issued(IssuedKind::AccessToken, &access_token);
    Granted { client: app.client_id, access_token, expires_in }
}

/// A token of an identity that is for Entra's exchange: an assertion for another application.
///
/// Source: Microsoft Learn, "Configure an application to trust a managed identity".
pub(crate) fn issue_exchange_token(world: &World, tenant: &Tenant, app: &App) -> Granted {
    let expires_in = world.directory().lifetimes.managed_identity_access_token;
    let now = world.clock.epoch();
    let claims = json!({
        "iss": entra_issuer(tenant.id), "sub": app.object_id, "oid": app.object_id, "tid": tenant.id,
        "aud": EXCHANGE_AUDIENCE_ID, "azp": app.client_id, "appid": app.client_id, "ver": "2.0",
        "iat": now, "nbf": now, "exp": now + expires_in,
    });
    let access_token = keys::entra().sign(&claims);
    world.record_issued(IssuedKind::AccessToken, &access_token);
    Granted { client: app.client_id, access_token, expires_in }
}

fn resource<'a>(world: &World, tenant: &Tenant, scope: &'a str) -> Result<&'a str, Refusal> {
    let invalid = || {
        Refusal::new(
            70_011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
                 parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        )
    };
    // azidentity for Go adds the OpenID scopes to every resource; they have no effect without a user.
    let mut asked = scope.split_whitespace().filter(|one| !OPENID_SCOPES.contains(one));
    let first = asked.next().ok_or_else(invalid)?;
    if asked.next().is_some() {
        return Err(Refusal::new(
            700_022,
            format!("The input parameter 'scope' '{scope}' contains more than one resource."),
        ));
    }
    let resource = resources::resource_of_scope(first).ok_or_else(invalid)?;
    if resources::is_known(world, tenant, resource) {
        Ok(resource)
    } else {
        Err(Refusal::new(
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {}. This can happen if \
                 the application has not been installed by the administrator of the tenant or consented to by any \
                 user in the tenant.",
                tenant.id
            ),
        ))
    }
}

fn authenticate(world: &World, tenant: &Tenant, app: &App, form: &[(String, String)]) -> Result<(), Refusal> {
    if let Some(assertion) = request::value(form, "client_assertion") {
        if request::value(form, "client_assertion_type") != Some(JWT_BEARER) {
            return Err(Refusal::of_code(7_000_218));
        }
        if certificate::is_by_client(app, assertion) {
            certificate::check(world, tenant, app, assertion)
        } else {
            federated::check(world, tenant, app, assertion)
        }
    } else if let Some(secret) = request::value(form, "client_secret") {
        checks::check_secret(world, app, secret)
    } else {
        Err(Refusal::of_code(7_000_218))
    }
}

/// The claims of a version 1.0 application token.
fn claims(tenant: &Tenant, app: &App, resource: &str, now: i64, expires_in: i64) -> Value {
    json!({
        "aud": resource,
        "iss": sts_issuer(tenant.id),
        "iat": now,
        "nbf": now,
        "exp": now + expires_in,
        "aio": random_text(42),
        "appid": app.client_id,
        "appidacr": "2",
        "idp": sts_issuer(tenant.id),
        "idtyp": "app",
        "oid": app.object_id,
        "rh": format!("1.{}.", random_text(36)),
        "sub": app.object_id,
        "tid": tenant.id,
        "uti": random_text(16),
        "ver": "1.0",
        "wids": [Uuid::new_v4()],
        "xms_act_fct": "3 9",
        "xms_ftd": random_text(60),
        "xms_idrel": "7 14",
        "xms_mirid": random_text(90),
        "xms_sub_fct": "9 3",
        "xms_tcdt": "1500000000",
    })
}

fn required<'a>(form: &'a [(String, String)], name: &str) -> Result<&'a str, Refusal> {
    request::value(form, name).filter(|value| !value.is_empty()).ok_or_else(|| {
        Refusal::new(900_144, format!("The request body must contain the following parameter: '{name}'."))
    })
}

/// The only `client_assertion_type` (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
