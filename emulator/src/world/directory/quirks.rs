//! How the services behave where their behavior is documented badly, has changed over the years, or depends on where one
//! asks. Every client has to work under all of these.

use crate::world::directory::devops::Issuer;

/// Switches, all of them at what is most usual today.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Quirks {
    /// How many projects a page has; more follow by `x-ms-continuationtoken`.
    pub projects_per_page: usize,
    /// How many uses of a connection a page has.
    pub executions_per_page: usize,
    /// How many pipelines a page has.
    pub pipelines_per_page: usize,
    /// How many objects a page of Microsoft Graph has.
    pub graph_page: usize,
    /// How many rows a page of Resource Graph has.
    pub resource_graph_page: usize,
    /// How many role assignments, identities or federated credentials a page of the resource manager has; all, if absent.
    pub arm_page: Option<usize>,
    /// What a bad token gets from Azure DevOps.
    pub bad_token: BadToken,
    /// What the id of a connection that does not exist gets.
    pub unknown_connection: UnknownConnection,
    /// What a project gets that does not exist or may not be seen.
    pub unknown_project: UnknownProject,
    /// Version 7.2 of the connections is not there yet.
    pub only_version_7_1: bool,
    /// Version 7.1 of the connections tells no dates, and not whether they are disabled.
    pub version_7_1_tells_less: bool,
    /// Names of parameters are spelled `tenantId` and `servicePrincipalId`, and the type `AzureRM`.
    pub other_case: bool,
    /// Values of `data` that are not there are empty instead.
    pub empty_values: bool,
    /// The roles of a connection are answered with an empty list although there are some.
    pub roles_are_hidden: bool,
    /// Every n-th answer of Azure DevOps asks to wait, with success: `(n, seconds)`.
    pub slow_down: Option<(usize, u32)>,
    /// Errors of Azure DevOps begin with a byte order mark.
    pub byte_order_mark: bool,
    /// Inner answers of a batch come in the opposite order.
    pub batch_reversed: bool,
    /// Resource Graph is refused to this caller.
    pub resource_graph_denied: bool,
    /// Resource Graph leaves out subscriptions, and says so in a header.
    pub resource_graph_cut: bool,
    /// The issuer that a connection gets when it is converted.
    pub conversion_yields: Issuer,
    /// A conversion writes the federated credential itself, where there is none and Azure DevOps has made the connection.
    pub conversion_writes_credential: bool,
    /// How often a connection that was converted, or moved to the issuer of Entra, is still read as it was before.
    pub conversion_lag: usize,
    /// As long as it is, its `operationStatus` says that it is under way.
    pub conversion_is_told: bool,
    /// A conversion back removes the federated credential.
    pub revert_removes_credential: bool,
    /// A connection that was made by hand can be converted back, too.
    pub manual_can_be_reverted: bool,
    /// What moves a connection from the Azure DevOps issuer to that of Entra.
    pub issuer_moves_by: IssuerMove,
    /// A stored secret is lost when a connection is saved with `null` in its place.
    pub null_clears_secret: bool,
    /// How often a new federated credential is still missing where it is read.
    pub credential_lag: usize,
    /// How often Entra still refuses an assertion that a new federated credential trusts.
    pub trust_lag: usize,
    /// How often a deleted federated credential is still there where it is read.
    pub deletion_lag: usize,
    /// The issuer that a new connection gets.
    pub creation_yields: Issuer,
    /// How often a new connection is still read as being made.
    pub creation_lag: usize,
    /// How often a new application is still unknown where it is read, changed, or given a service principal.
    pub application_lag: usize,
    /// How often a new service principal is still unknown to the resource manager.
    pub principal_lag: usize,
    /// A second connection of the same name is refused in a project.
    pub connection_names_are_unique: bool,
}

/// What moves a connection from the Azure DevOps issuer to that of Entra.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuerMove {
    /// To save it.
    #[default]
    Save,
    /// To save it with the type of the new issuer, and without the old issuer and subject.
    SaveOfType,
    /// To convert it to the scheme that it has already.
    Operation,
    /// Only a person, in the portal.
    Person,
}

/// What a bad token gets from Azure DevOps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadToken {
    /// 401, as `X-TFS-FedAuthRedirect: Suppress` asks for; else a redirect.
    #[default]
    Unauthorized,
    /// 203 with a page for signing in.
    PageWith203,
    /// 200 with a page for signing in.
    PageWith200,
    /// 302 to a page for signing in, whatever the request asks for.
    Redirect,
}

/// What the id of a connection that does not exist gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownConnection {
    /// 404.
    NotFound,
    /// 200 with `null`.
    #[default]
    Null,
    /// 200 with an object whose id is `null`.
    NullId,
}

/// What a project gets that does not exist or may not be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownProject {
    /// 404 with VS800075.
    #[default]
    NotFound,
    /// 400 with VS800075.
    BadRequest,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            projects_per_page: 100,
            executions_per_page: 50,
            pipelines_per_page: 1000,
            graph_page: 100,
            resource_graph_page: 1000,
            arm_page: None,
            bad_token: BadToken::default(),
            unknown_connection: UnknownConnection::default(),
            unknown_project: UnknownProject::default(),
            only_version_7_1: false,
            version_7_1_tells_less: false,
            other_case: false,
            empty_values: false,
            roles_are_hidden: false,
            slow_down: None,
            byte_order_mark: false,
            batch_reversed: false,
            resource_graph_denied: false,
            resource_graph_cut: false,
            conversion_yields: Issuer::Entra,
            conversion_writes_credential: true,
            conversion_lag: 0,
            conversion_is_told: true,
            revert_removes_credential: false,
            manual_can_be_reverted: true,
            issuer_moves_by: IssuerMove::default(),
            null_clears_secret: false,
            credential_lag: 0,
            trust_lag: 0,
            deletion_lag: 0,
            creation_yields: Issuer::Entra,
            creation_lag: 0,
            application_lag: 0,
            principal_lag: 0,
            connection_names_are_unique: false,
        }
    }
}
