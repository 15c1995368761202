//! `wif exec`: signs in, runs a command that finds a session, and signs out with its end.

mod command;
mod folder;
mod request;
mod signed_in;

pub use self::{
    request::Request,
    signed_in::{Ended, Machine, run},
};
