//! One client for services that speak REST. A service adds its addresses, its wire types and its wording of errors.

mod batch;
mod client;
mod error;
mod pages;
mod pause;
mod throttle;

pub use self::{
    batch::{BatchAnswer, BatchCall, MAX_BATCH},
    client::{CHANGE_EVENT, Change, Changing, Draft, Query, Reading, Rest, Token},
    error::{RestError, ServiceError, WriteError},
    pages::{ListEnd, ListPage, LostPage, NextPage, PageLimits},
    pause::Pause,
    throttle::Throttle,
};
