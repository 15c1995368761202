//! Hosts of each cloud, resources with their aliases and scopes, and roles.

pub mod allowed;
pub mod cloud;
pub mod hosts;
pub mod resource;
pub mod role;
