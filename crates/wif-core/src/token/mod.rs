//! What a token says of itself, unverified, and when to renew it.

pub mod claims;
pub mod lifetime;
