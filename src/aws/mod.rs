//! Requests to AWS, signed with the keys of a role.

mod keys;
mod signature;

pub(crate) use self::{
    keys::Credentials,
    signature::{ToSign, signed},
};

/// The domain of the services of a region: that of its partition. A host of another partition is another party's.
///
/// Source: the AWS SDKs, `partitions.json`, `dnsSuffix`.
pub(crate) fn domain(region: &str) -> &'static str {
    let of = |(prefix, _): &&(&str, &str)| region.starts_with(prefix);
    PARTITIONS.iter().find(of).map_or("amazonaws.com", |(_, domain)| domain)
}

/// How the regions of a partition begin, and the domain of its services. Every other region is of `amazonaws.com`.
const PARTITIONS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_asked_at_the_domain_of_its_partition() {
        for (region, expected) in [
            ("eu-central-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
        ] {
            assert_eq!(domain(region), expected, "{region}");
        }
    }
}
