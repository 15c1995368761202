//! Who a job is: the words and rules of tokens, clouds, resources and refusals. No I/O.

pub mod claims;
pub mod cloud;
pub mod lifetime;
pub mod refusals;
pub mod resource;
pub mod subject;
pub mod trust;
