//! Requests to AWS, signed with the keys of a role.

mod keys;
mod signature;

pub(crate) use self::{
    keys::Credentials,
    signature::{ToSign, signed},
};

/// A part of AWS that is apart from the others: accounts, roles and services of one are unknown to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// As ARNs name it.
    pub(crate) name: &'static str,
    /// The domain of its services. A host of another partition is another party's.
    pub(crate) domain: &'static str,
    /// How its regions begin.
    regions: &'static str,
}

const PUBLIC: Partition = Partition { name: "aws", domain: "amazonaws.com", regions: "" };
/// The others.
///
/// Source: the AWS SDKs, `partitions.json`.
const OTHERS: [Partition; 7] = [
    Partition { name: "aws-cn", domain: "amazonaws.com.cn", regions: "cn-" },
    Partition { name: "aws-eusc", domain: "amazonaws.eu", regions: "eusc-" },
    Partition { name: "aws-iso", domain: "c2s.ic.gov", regions: "us-iso-" },
    Partition { name: "aws-iso-b", domain: "sc2s.sgov.gov", regions: "us-isob-" },
    Partition { name: "aws-iso-e", domain: "cloud.adc-e.uk", regions: "eu-isoe-" },
    Partition { name: "aws-iso-f", domain: "csp.hci.ic.gov", regions: "us-isof-" },
    Partition { name: "aws-us-gov", domain: "amazonaws.com", regions: "us-gov-" },
];

/// The partition of a region.
pub(crate) fn partition(region: &str) -> Partition {
    OTHERS.into_iter().find(|one| region.starts_with(one.regions)).unwrap_or(PUBLIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_of_its_partition() {
        for (region, name, domain) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
            ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
            ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
        ] {
            let found = partition(region);
            assert_eq!((found.name, found.domain), (name, domain), "{region}");
        }
    }
}
