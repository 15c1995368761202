//! Deployments of the resource manager.

use serde_json::Value;
use uuid::Uuid;

/// A deployment of a template to a resource group.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The subscription of the group.
    pub subscription: Uuid,
    /// The resource group, as the caller spelled it.
    pub group: String,
    /// The name; a group has one deployment of each.
    pub name: String,
    /// The template's resources.
    pub resources: Vec<Value>,
    /// When it is done, in seconds since 1970.
    pub done: i64,
}
