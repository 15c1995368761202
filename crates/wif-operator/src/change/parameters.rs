//! The authorization of a connection as Azure DevOps sends it. Names of parameters differ in case between connections.

use serde_json::{Map, Value};

use crate::credential::IssuerKind;

/// The parameter that tells the issuer.
pub const ISSUER: &str = "workloadIdentityFederationIssuer";
/// The parameter that tells the subject.
pub const SUBJECT: &str = "workloadIdentityFederationSubject";
/// The parameter that tells which of the two issuers it is.
pub const ISSUER_TYPE: &str = "workloadIdentityFederationIssuerType";

/// The issuer and the subject of a connection. Empty, where there is none.
#[must_use]
pub fn pair(connection: &Value) -> (String, String) {
    let parameters = connection.pointer("/authorization/parameters").and_then(Value::as_object);
    let of = |name: &str| {
        let found = parameters.and_then(|all| all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        found.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
    };
    (of(ISSUER), of(SUBJECT))
}

/// Who issues the id tokens of a connection. None, if it is not federated, or by another issuer.
#[must_use]
pub fn issuer(connection: &Value) -> Option<IssuerKind> {
    let scheme = connection.pointer("/authorization/scheme").and_then(Value::as_str)?;
    let is_federated = scheme.eq_ignore_ascii_case("WorkloadIdentityFederation");
    IssuerKind::of(&pair(connection).0).filter(|_| is_federated)
}

/// Asks for the issuer of Entra, and leaves out the issuer and the subject that the connection has.
pub fn ask_for_entra(parameters: &mut Map<String, Value>) {
    parameters
        .retain(|name, _| ![ISSUER, SUBJECT, ISSUER_TYPE].iter().any(|one| name.eq_ignore_ascii_case(one)));
    parameters.insert(ISSUER_TYPE.to_owned(), Value::from("EntraID"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connection(scheme: &str, issuer: &str) -> Value {
        json!({ "authorization": { "scheme": scheme, "parameters": {
            "tenantId": "t", "WorkloadIdentityFederationIssuer": issuer, "workloadidentityfederationsubject": "s",
        } } })
    }

    #[test]
    fn the_issuer_of_what_is_not_federated_is_none() {
        let old = "https://vstoken.dev.azure.com/11111111-2222-3333-4444-555555555555";
        assert_eq!(issuer(&connection("workloadIdentityFederation", old)), Some(IssuerKind::DevOps));
        assert_eq!(issuer(&connection("ServicePrincipal", old)), None);
        assert_eq!(pair(&connection("ServicePrincipal", old)), (old.to_owned(), "s".to_owned()));
        assert_eq!(pair(&json!({})), (String::new(), String::new()));
    }

    #[test]
    fn what_asks_for_the_issuer_of_entra_names_no_issuer_and_no_subject() {
        let mut connection = connection("WorkloadIdentityFederation", "x");
        let parameters =
            connection.pointer_mut("/authorization/parameters").and_then(Value::as_object_mut).unwrap();
        ask_for_entra(parameters);
        assert_eq!(json!(parameters), json!({ "tenantId": "t", ISSUER_TYPE: "EntraID" }));
    }
}
