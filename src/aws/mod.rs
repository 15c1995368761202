//! Requests to AWS, signed with the keys of a role.

mod keys;
mod signature;

pub(crate) use self::{
    keys::Credentials,
    signature::{Signed, ToSign, sign},
};
