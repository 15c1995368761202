//! What the readers of several organizations share.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use uuid::Uuid;
use wif_io::{endpoint::Endpoint, http::Http};

use crate::snapshot::{Existence, identity::RoleAssignment};

/// Role assignments by the object id of their principals.
pub(super) type Roles = BTreeMap<Uuid, Vec<RoleAssignment>>;

/// What is the same for all organizations.
pub(super) struct Known {
    pub(super) http: Arc<Http>,
    pub(super) authority: Endpoint,
    /// The tenant that Graph's token is for.
    pub(super) graph_tenant: Option<Uuid>,
    pub(super) tenants: RefCell<BTreeMap<Uuid, Existence>>,
    /// None, as long as they were not read.
    pub(super) roles: RefCell<Option<Roles>>,
}
