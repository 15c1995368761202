//! `wif exec`: signs in, runs a command that finds a session, and signs out with its end.

mod command;
mod diagnose;
mod folder;
mod log;
mod prepared;
mod request;
mod signed_in;
mod trust;

pub(crate) use self::diagnose::diagnose;
pub use self::{
    request::Request,
    signed_in::{Ended, Machine, exit_code, run},
    trust::{
        AwsRole, GoogleProvider, NeededTrust, TrustingCloud, VaultMethod, needed_trust, write_to_new_file,
    },
};
