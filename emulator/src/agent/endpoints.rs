//! A service connection as environment variables (`Handler.AddEndpointsToEnvironment`).

use std::collections::BTreeMap;

use serde_json::json;

use super::message::ServiceEndpoint;
use super::variables::env_name;

/// The variables of one connection. The system connection has a name in place of an id, and no data.
pub(super) fn add(endpoint: &ServiceEndpoint, environment: &mut BTreeMap<String, String>) {
    let is_system = endpoint.id.is_nil();
    let id = if is_system { "SYSTEMVSSCONNECTION".to_owned() } else { endpoint.id.to_string() };
    let authorization = json!({"parameters": endpoint.parameters, "scheme": endpoint.scheme});
    let mut add = |name: String, value: String| {
        environment.insert(name, value);
    };
    add(format!("ENDPOINT_URL_{id}"), endpoint.url.clone());
    add(format!("ENDPOINT_AUTH_{id}"), authorization.to_string());
    add(format!("ENDPOINT_AUTH_SCHEME_{id}"), endpoint.scheme.clone());
    for (name, value) in &endpoint.parameters {
        add(format!("ENDPOINT_AUTH_PARAMETER_{id}_{}", env_name(name)), value.clone());
    }
    if !is_system {
        add(format!("ENDPOINT_DATA_{id}"), json!(endpoint.data).to_string());
        for (name, value) in &endpoint.data {
            add(format!("ENDPOINT_DATA_{id}_{}", env_name(name)), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn keys_are_formatted_outside_and_keep_their_case_inside() {
        let endpoint = ServiceEndpoint {
            id: Uuid::from_u128(0xAB),
            name: "n".to_owned(),
            url: String::new(),
            scheme: "S".to_owned(),
            parameters: BTreeMap::from([("tenantId".to_owned(), "t".to_owned())]),
            data: BTreeMap::from([("a.b c".to_owned(), "d".to_owned())]),
        };
        let mut environment = BTreeMap::new();
        add(&endpoint, &mut environment);
        let id = "00000000-0000-0000-0000-0000000000ab";
        assert_eq!(environment[&format!("ENDPOINT_AUTH_PARAMETER_{id}_TENANTID")], "t");
        assert_eq!(environment[&format!("ENDPOINT_DATA_{id}_A_B_C")], "d");
        assert_eq!(environment[&format!("ENDPOINT_URL_{id}")], "");
        assert_eq!(
            environment[&format!("ENDPOINT_AUTH_{id}")],
            r#"{"parameters":{"tenantId":"t"},"scheme":"S"}"#
        );
    }
}
