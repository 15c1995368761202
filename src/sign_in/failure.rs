//! What a user reads of a sign-in that failed: code and hint.

use wif_azure::failure::{exchange_failure, managed_identity_failure};
use wif_core::{code::Code, failure::Failure};

use super::SignInError;
use crate::agent::commands::OutputError;

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        let (code, hint) = match error {
            SignInError::Source(failure) => return *failure,
            SignInError::Entra { source, resource, request_id, presented } => {
                return exchange_failure(source, &resource, request_id, &presented);
            }
            SignInError::ManagedIdentity { source, resource } => {
                return managed_identity_failure(source, resource);
            }
            SignInError::Setup(error) => return error.into(),
            SignInError::Output(error) => return OutputError::from(error).into(),
            SignInError::Certificate(_) => (
                Code::ConnectionIncomplete,
                "edit the connection and give it the certificate and its unencrypted RSA key in one PEM text, or convert it to workload identity federation",
            ),
            SignInError::Malformed { .. } => (
                Code::IdTokenMalformed,
                "run the job again; if it lasts, something on the way may alter the answers of Azure DevOps",
            ),
            SignInError::Expired { .. } | SignInError::NotYet { .. } => {
                (Code::IdTokenExpired, "check this machine's clock and run the job again")
            }
            SignInError::OtherTenant { .. } => (
                Code::IdTokenOfOtherTenant,
                "check the connection's tenant id; edit and save the connection, so that its issuer is set anew",
            ),
            SignInError::Clock { .. } => {
                (Code::ClockWrong, "set this machine's clock by a time server (NTP); tokens are judged by it")
            }
        };
        Self::new(code, error, hint)
    }
}
