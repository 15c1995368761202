//! Requests to AWS, signed with the keys of a role.

mod keys;
mod signature;

pub(crate) use self::{
    keys::Credentials,
    signature::{ToSign, signed},
};

/// The domain of the services of a region.
pub(crate) fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
