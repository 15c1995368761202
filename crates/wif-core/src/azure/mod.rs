//! Hosts of each cloud, and resources with their aliases and scopes.

pub mod allowed;
pub mod cloud;
pub mod hosts;
pub mod resource;
