//! Who a job is: the words and rules of tokens, clouds, resources and refusals. No I/O.

pub mod allowed;
pub mod claims;
pub mod cloud;
pub mod hosts;
pub mod lifetime;
pub mod refusals;
pub mod resource;
pub mod subject;
pub mod trust;
