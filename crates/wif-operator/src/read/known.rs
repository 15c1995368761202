//! What the readers of several organizations share.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use uuid::Uuid;
use wif_io::{endpoint::Endpoint, http::Http};

use crate::snapshot::{Existence, identity::RoleAssignment};

/// Role assignments by the object id of their principals.
pub(super) type Roles = BTreeMap<Uuid, Vec<RoleAssignment>>;

/// Role assignments, as far as the token may read them.
pub(super) struct KnownRoles {
    pub(super) by_principal: Roles,
    /// Why they are not all: what was not read, and why. Empty, if they are all.
    pub(super) gaps: Vec<(&'static str, String)>,
}

/// What is the same for all organizations.
pub(super) struct Known {
    pub(super) http: Arc<Http>,
    pub(super) authority: Endpoint,
    /// The tenant that Graph's token is for.
    pub(super) graph_tenant: Option<Uuid>,
    pub(super) tenants: RefCell<BTreeMap<Uuid, Existence>>,
    /// The answer to the query for all of them. None, as long as there is none.
    pub(super) roles: RefCell<Option<Rc<KnownRoles>>>,
}
