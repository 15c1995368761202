//! What Azure Resource Manager and Microsoft Graph say of an identity: whom it trusts, and what it may do.

mod answer;
pub mod graph;
pub mod resource_manager;

pub use answer::ManagementError;
