//! The services, as a client meets them over HTTP.

#[path = "services/arm.rs"]
mod arm;
#[path = "services/client.rs"]
mod client;
#[path = "services/clouds.rs"]
mod clouds;
#[path = "services/devops.rs"]
mod devops;
#[path = "services/entra.rs"]
mod entra;
#[path = "services/faults.rs"]
mod faults;
#[path = "services/graph.rs"]
mod graph;
#[path = "services/network.rs"]
mod network;
#[path = "services/organization.rs"]
mod organization;
