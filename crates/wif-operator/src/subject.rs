//! The subject that Entra's id tokens of a connection have: it is made of ids, and so can be computed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// The application of Azure DevOps, as it stands in a subject.
const DEVOPS: &str = "rISbSSETf0KqFyZ8ppdXmA";

/// The subject of a connection, of an organization, whose id tokens are issued in a tenant of the public cloud.
#[must_use]
pub fn of_entra(tenant: Uuid, organization: Uuid, connection: Uuid) -> String {
    // As .NET's `Guid.ToByteArray` lays a GUID out.
    let tenant = URL_SAFE_NO_PAD.encode(tenant.to_bytes_le());
    format!("/eid1/c/pub/t/{tenant}/a/{DEVOPS}/sc/{organization}/{connection}")
}

#[cfg(test)]
mod tests {
    use wif_core::trust::subject::Subject;

    use super::*;

    #[test]
    fn a_computed_subject_reads_back_as_what_it_was_made_of() {
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        let Subject::Ids { tenant, application, organization, connection, .. } =
            Subject::parse(&of_entra(one, two, three))
        else {
            panic!("ids");
        };
        assert_eq!((tenant, organization, connection), (one, two, three));
        assert_eq!(application.to_string(), "499b84ac-1321-427f-aa17-267ca6975798");
    }

    /// A sample that was made elsewhere.
    #[test]
    fn a_tenant_is_written_as_in_a_known_subject() {
        let tenant = Uuid::try_parse("8d1c7a34-0b7e-4e55-9f61-7c0e3b9a2d41").unwrap();
        let subject = of_entra(tenant, Uuid::nil(), Uuid::nil());
        assert!(
            subject.starts_with("/eid1/c/pub/t/NHocjX4LVU6fYXwOO5otQQ/a/rISbSSETf0KqFyZ8ppdXmA/sc/"),
            "{subject}"
        );
    }
}
