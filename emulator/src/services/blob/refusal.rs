//! Refusals as the blob service words them: "Common REST API error codes", "Blob service error codes".

use axum::response::Response;

use crate::services::answer::{answer_of_type, set_header};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No account has this name; the real host name would not resolve.
    NoSuchAccount,
    NoAuthenticationInformation,
    InvalidAuthenticationInfo(&'static str),
    AuthenticationFailed,
    AuthorizationPermissionMismatch,
    ContainerNotFound,
    BlobNotFound,
    InvalidHeaderValue,
    MissingRequiredHeader,
    UnsupportedHttpVerb,
    LeaseAlreadyPresent,
    LeaseIdMissing,
    LeaseIdMismatchWithBlobOperation,
    LeaseIdMismatchWithLeaseOperation,
    LeaseIsBrokenAndCannotBeRenewed,
    LeaseNotPresentWithBlobOperation,
    LeaseNotPresentWithLeaseOperation,
}

impl Refusal {
    /// The answer, with a challenge (RFC 9110 §11.6.1) when the caller is not authenticated.
    pub(super) fn answer(self, login: &str) -> Response {
        let (status, code, message) = self.words();
        let detail = match self {
            Self::InvalidAuthenticationInfo(detail) => Some(detail),
            Self::AuthenticationFailed => {
                Some("Authentication scheme Bearer is not supported in this version.")
            }
            _ => None,
        };
        let detail = detail
            .map(|detail| format!("<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>"))
            .unwrap_or_default();
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message>{detail}</Error>"
        );
        let mut answer = answer_of_type(status, "application/xml", xml);
        set_header(answer.headers_mut(), "x-ms-error-code", code);
        if status == 401 {
            let challenge = format!(
                "Bearer authorization_uri={login}/common/oauth2/authorize resource_id=https://storage.azure.com"
            );
            set_header(answer.headers_mut(), "www-authenticate", &challenge);
        }
        answer
    }

    fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::NoSuchAccount => (404, "ResourceNotFound", "The specified resource does not exist."),
            Self::NoAuthenticationInformation => (401, "NoAuthenticationInformation", CHALLENGED),
            Self::InvalidAuthenticationInfo(_) => (401, "InvalidAuthenticationInfo", CHALLENGED),
            Self::AuthenticationFailed => (
                403,
                "AuthenticationFailed",
                "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
                 correctly including the signature.",
            ),
            Self::AuthorizationPermissionMismatch => (
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this permission.",
            ),
            Self::ContainerNotFound => (404, "ContainerNotFound", "The specified container does not exist."),
            Self::BlobNotFound => (404, "BlobNotFound", "The specified blob does not exist."),
            Self::InvalidHeaderValue => (
                400,
                "InvalidHeaderValue",
                "The value for one of the HTTP headers is not in the correct format.",
            ),
            Self::MissingRequiredHeader => (
                400,
                "MissingRequiredHeader",
                "An HTTP header that's mandatory for this request is not specified.",
            ),
            Self::UnsupportedHttpVerb => {
                (405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
            }
            Self::LeaseAlreadyPresent => (409, "LeaseAlreadyPresent", "There is already a lease present."),
            Self::LeaseIdMissing => (
                412,
                "LeaseIdMissing",
                "There is currently a lease on the blob and no lease ID was specified in the request.",
            ),
            Self::LeaseIdMismatchWithBlobOperation => (
                412,
                "LeaseIdMismatchWithBlobOperation",
                "The lease ID specified did not match the lease ID for the blob.",
            ),
            Self::LeaseIdMismatchWithLeaseOperation => (
                409,
                "LeaseIdMismatchWithLeaseOperation",
                "The lease ID specified did not match the lease ID for the blob.",
            ),
            Self::LeaseIsBrokenAndCannotBeRenewed => (
                409,
                "LeaseIsBrokenAndCannotBeRenewed",
                "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.",
            ),
            Self::LeaseNotPresentWithBlobOperation => {
                (412, "LeaseNotPresentWithBlobOperation", "There is currently no lease on the blob.")
            }
            Self::LeaseNotPresentWithLeaseOperation => {
                (409, "LeaseNotPresentWithLeaseOperation", "There is currently no lease on the blob.")
            }
        }
    }
}

const CHALLENGED: &str = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
