//! Clients of the services, each knowing no other: Azure DevOps, Microsoft Entra, Azure Resource Manager, Microsoft Graph,
//! and the managed identity of a machine.
#![forbid(unsafe_code)]

pub mod devops;
pub mod entra;
pub mod failure;
pub mod graph;
pub mod identity;
pub mod managed_identity;
pub mod resource_manager;
pub mod rest;
