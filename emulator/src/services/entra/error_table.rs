//! Status, `error` and sentence of every AADSTS code in use.

/// A code with what Entra sends beside it.
pub(super) struct Row {
    code: u32,
    pub(super) status: u16,
    /// The `error` of the body.
    pub(super) error: &'static str,
    /// The sentence for a refusal that a test asks for by its code only.
    pub(super) text: &'static str,
}

/// The row of a code, if it has one.
pub(super) fn row(code: u32) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.code == code)
}

const fn row_of(code: u32, status: u16, error: &'static str, text: &'static str) -> Row {
    Row { code, status, error, text }
}

const CLIENT: &str = "invalid_client";
const REQUEST: &str = "invalid_request";
const RESOURCE: &str = "invalid_resource";
const SCOPE: &str = "invalid_scope";
const GRANT: &str = "invalid_grant";
const UNAUTHORIZED: &str = "unauthorized_client";
const UNAVAILABLE: &str = "temporarily_unavailable";

const ROWS: &[Row] = &[
    row_of(
        28_003,
        400,
        SCOPE,
        "Provided value for the input parameter scope can't be empty when requesting an access token.",
    ),
    row_of(
        50_000,
        500,
        "server_error",
        "There was an error issuing a token or an issue with our sign-in service.",
    ),
    row_of(50_033, 503, UNAVAILABLE, "A transient error has occurred. Please try again."),
    row_of(50_048, 401, CLIENT, "Subject mismatches Issuer claim in the client assertion."),
    row_of(50_049, 400, REQUEST, "Unknown or invalid instance."),
    row_of(
        50_059,
        400,
        REQUEST,
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
    row_of(
        50_128,
        400,
        REQUEST,
        "Invalid domain name - No tenant-identifying information found in the request.",
    ),
    row_of(
        50_131,
        400,
        GRANT,
        "Device is not in required device state, or the request was blocked due to suspicious activity.",
    ),
    row_of(
        50_196,
        400,
        GRANT,
        "The server terminated an operation because it encountered a client request loop.",
    ),
    row_of(
        28_002,
        400,
        SCOPE,
        "Provided value for the input parameter scope is not valid when requesting an access token.",
    ),
    row_of(50_001, 400, RESOURCE, "The resource is disabled or does not exist."),
    row_of(70_001, 400, UNAUTHORIZED, "The application is disabled."),
    row_of(70_002, 401, CLIENT, "Error validating credentials."),
    row_of(90_004, 400, REQUEST, "The request is not properly formatted."),
    row_of(90_013, 400, REQUEST, "Invalid input received from the user."),
    row_of(90_014, 400, REQUEST, "The required field is missing from the credential."),
    row_of(
        90_019,
        400,
        REQUEST,
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
    row_of(90_023, 400, REQUEST, "The authentication service request is not valid."),
    row_of(
        90_036,
        500,
        "server_error",
        "An unexpected, non-retryable error stemming from the directory service has occurred.",
    ),
    row_of(90_051, 400, REQUEST, "The national cloud identifier contains an invalid cloud identifier."),
    row_of(
        90_094,
        400,
        GRANT,
        "An administrator must consent to the permissions that the application requests.",
    ),
    row_of(90_100, 400, REQUEST, "The parameter is empty or not valid."),
    row_of(500_014, 400, RESOURCE, "The service principal for the resource is disabled."),
    row_of(500_021, 400, GRANT, "Access to the tenant is denied."),
    row_of(
        500_213,
        400,
        GRANT,
        "The resource tenant's cross-tenant access policy does not allow this access.",
    ),
    row_of(501_051, 400, GRANT, "The application is not assigned to a role for the resource application."),
    row_of(530_035, 400, GRANT, "Access has been blocked by security defaults."),
    row_of(
        650_052,
        400,
        RESOURCE,
        "The app needs access to a service that your organization has not subscribed to or enabled.",
    ),
    row_of(
        650_056,
        400,
        GRANT,
        "Misconfigured application: the client has not listed any permissions for the resource.",
    ),
    row_of(
        650_057,
        400,
        RESOURCE,
        "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions.",
    ),
    row_of(700_011, 400, UNAUTHORIZED, "The application was not found in the directory."),
    row_of(
        700_025,
        401,
        CLIENT,
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ),
    row_of(
        700_231,
        401,
        CLIENT,
        "The federated identity credential policy does not allow a token of this kind.",
    ),
    row_of(900_432, 400, REQUEST, "Confidential Client is not supported in Cross Cloud request."),
    row_of(900_439, 400, REQUEST, "The government client is not supported on the public endpoint."),
    row_of(900_612, 400, REQUEST, "Failed to parse provider signing keys."),
    row_of(
        1_000_031,
        400,
        UNAUTHORIZED,
        "The application can't be accessed at this time. Contact your administrator.",
    ),
    row_of(1_000_104, 400, REQUEST, "The resource cloud is not allowed on the identity tenant."),
    row_of(
        1_002_012,
        400,
        SCOPE,
        "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.",
    ),
    row_of(
        7_000_216,
        401,
        CLIENT,
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    row_of(
        7_000_229,
        401,
        UNAUTHORIZED,
        "The client application is missing service principal in the tenant.",
    ),
    row_of(
        7_002_137,
        401,
        CLIENT,
        "No matching federated identity record found for presented assertion subject 'unknown'.",
    ),
    row_of(
        7_002_381,
        401,
        CLIENT,
        "Federated identity credentials issued by this issuer must contain a claim that is missing.",
    ),
    row_of(9_002_313, 400, REQUEST, "Invalid request. Request is malformed or invalid."),
    row_of(50_012, 401, CLIENT, "Authentication failed: the client certificate could not be accepted."),
    row_of(50_013, 401, CLIENT, "Assertion failed signature validation."),
    row_of(50_027, 401, CLIENT, "JWT token is invalid or malformed."),
    row_of(50_034, 400, GRANT, "The user account does not exist in this directory."),
    row_of(50_166, 400, REQUEST, "The request to the external OIDC endpoint of the issuer failed."),
    row_of(53_003, 400, GRANT, "Access has been blocked by Conditional Access policies."),
    row_of(65_001, 400, GRANT, "The user or administrator has not consented to use the application."),
    row_of(70_003, 400, "unsupported_grant_type", "The app requested an unsupported grant type."),
    row_of(70_011, 400, SCOPE, "The provided value for the input parameter 'scope' is not valid."),
    row_of(
        70_021,
        401,
        CLIENT,
        "No matching federated identity record found for presented assertion. Assertion Issuer: 'unknown'. \
         Assertion Subject: 'unknown'.",
    ),
    row_of(70_023, 400, REQUEST, "The federated assertion lives longer than what is allowed: 1.01:00:00."),
    row_of(70_025, 401, CLIENT, "The client application has no configured federated identity credentials."),
    row_of(
        70_052,
        401,
        CLIENT,
        "The identity must be a managed identity, a single tenant app, or a service account.",
    ),
    row_of(
        90_002,
        400,
        REQUEST,
        "The tenant was not found. Check that the tenant ID and the cloud are right.",
    ),
    row_of(90_006, 503, UNAVAILABLE, "The service is temporarily unavailable."),
    row_of(90_012, 503, UNAVAILABLE, "The request to the directory timed out."),
    row_of(90_024, 503, UNAVAILABLE, "The request budget is exceeded. Please wait and try again."),
    row_of(90_033, 503, UNAVAILABLE, "A transient error has occurred. Please try again."),
    row_of(90_038, 400, REQUEST, "The tenant belongs to another national cloud."),
    row_of(90_055, 429, UNAVAILABLE, "The tenant is throttled because of too many requests."),
    row_of(90_061, 400, REQUEST, "Request to External OIDC endpoint failed."),
    row_of(90_090, 503, UNAVAILABLE, "A transient error has occurred in the directory. Please try again."),
    row_of(500_011, 400, RESOURCE, "The resource principal was not found in the tenant."),
    row_of(501_661, 400, REQUEST, "Request to External OIDC endpoint failed."),
    row_of(530_032, 400, GRANT, "Access has been blocked by a security policy of the tenant."),
    row_of(700_003, 400, GRANT, "The device object was not found in the tenant's directory."),
    row_of(700_016, 400, UNAUTHORIZED, "The application was not found in the directory."),
    row_of(
        700_021,
        401,
        CLIENT,
        "Client assertion application identifier does not match 'client_id' parameter.",
    ),
    row_of(700_022, 400, SCOPE, "The input parameter 'scope' contains more than one resource."),
    row_of(
        700_024,
        401,
        CLIENT,
        "Client assertion is not within its valid time range. Current time and validity are not shown.",
    ),
    row_of(700_027, 401, CLIENT, "The certificate that signed the client assertion is not registered."),
    row_of(700_023, 401, CLIENT, "Client assertion audience claim does not match the realm issuer."),
    row_of(700_030, 401, CLIENT, "Invalid certificate: its subject name is not authorized."),
    row_of(
        700_211,
        401,
        CLIENT,
        "No matching federated identity record found for presented assertion issuer 'unknown'.",
    ),
    row_of(
        700_212,
        401,
        CLIENT,
        "No matching federated identity record found for presented assertion audience 'unknown'.",
    ),
    row_of(
        700_213,
        401,
        CLIENT,
        "No matching federated identity record found for presented assertion subject 'unknown'.",
    ),
    row_of(
        700_214,
        401,
        CLIENT,
        "The audience of the federated identity credential must be 'api://AzureADTokenExchange'.",
    ),
    row_of(
        700_223,
        401,
        CLIENT,
        "The tenant has constrained or disabled federated identity credentials for applications.",
    ),
    row_of(700_229, 401, CLIENT, "Only app-only tokens may be used as a federated assertion of this issuer."),
    row_of(
        700_238,
        401,
        CLIENT,
        "A policy of the tenant does not allow this issuer for federated credentials of this identity type.",
    ),
    row_of(900_023, 400, REQUEST, "The specified tenant identifier is neither a DNS name nor a GUID."),
    row_of(900_144, 400, REQUEST, "The request body lacks a required parameter."),
    row_of(900_382, 400, REQUEST, "Confidential clients are not supported in requests across clouds."),
    row_of(900_561, 400, REQUEST, "The endpoint only accepts POST requests."),
    row_of(7_000_112, 401, UNAUTHORIZED, "The application is disabled."),
    row_of(7_000_215, 401, CLIENT, "Invalid client secret provided."),
    row_of(
        7_000_218,
        401,
        CLIENT,
        "The request body must contain 'client_assertion' or 'client_secret' and what belongs to it.",
    ),
    row_of(7_000_222, 401, CLIENT, "The provided client secret keys are expired."),
    row_of(
        7_002_138,
        401,
        CLIENT,
        "No matching federated identity record found for presented assertion subject. The subject matches with case-insensitive comparison, but not with case-sensitive comparison.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_row() {
        for row in ROWS {
            assert_eq!(ROWS.iter().filter(|other| other.code == row.code).count(), 1, "{}", row.code);
        }
    }
}
