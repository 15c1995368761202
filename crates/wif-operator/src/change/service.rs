//! The calls of changes, one function each. Nothing else in the program changes anything.

use std::{cell::Cell, sync::Arc, time::Duration};

use serde_json::{Value, json};
use uuid::Uuid;
use wif_azure::{
    devops::SUPPRESS_SIGN_IN,
    rest::{Change, ListEnd, PageLimits, Query, Rest, Throttle, Token, WriteError},
};
use wif_core::foreign_text::one_line;
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, Response},
};

pub use super::call_error::CallError;
use super::{
    parameters,
    plan::{Credential, Scheme},
};
use crate::{credential::IssuerKind, read::progress::Progress};

/// The services, and the tokens for them.
pub struct Services {
    /// The way out.
    pub http: Arc<Http>,
    /// The organization's name.
    pub organization: String,
    /// Azure DevOps.
    pub devops: Target,
    /// Microsoft Graph.
    pub graph: Option<Target>,
    /// Azure Resource Manager.
    pub arm: Option<Target>,
    /// Version 7.2 of the connections is not there.
    pub only_7_1: Cell<bool>,
}

/// A service, and the token for it.
pub struct Target {
    /// Where it is.
    pub base: Endpoint,
    /// Who asks.
    pub token: Token,
    /// What its answers ask for: all calls wait together.
    pub throttle: Arc<Throttle>,
}

/// Where the federated credentials of an identity are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An application, by its client id.
    Application(Uuid),
    /// A managed identity, by its path.
    ManagedIdentity(String),
}

/// A call that may move a connection to the issuer of Entra.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It is saved.
    Save,
    /// It is converted to the scheme that it has.
    Operation,
}

/// What a connection is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Something about it is another by now.
    Save,
    /// Its scheme changes.
    Convert,
    /// It gets the issuer of Entra.
    Move(Move),
}

/// A change that was not made, or of which that is not known.
pub type NotChanged = WriteError<CallError>;

/// How long a call may take, with its repetitions, but for the waits that the service asks for.
const CALL_LIMIT: Duration = Duration::from_secs(120);
/// How long one attempt may take.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
pub(super) const GRAPH_PREFER: (&str, &str) = ("prefer", "create-if-missing");
pub(super) const IDENTITY_VERSION: &str = "2024-11-30";
impl Move {
    /// What is done.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Save => "by saving it",
            Self::Operation => "by the operation that converts connections",
        }
    }
}

impl Target {
    /// A service of this name, whose wishes to wait are told.
    #[must_use]
    pub fn new(name: &'static str, base: Endpoint, token: Token, talk: &Progress) -> Self {
        let talk = talk.clone();
        let told = move |delay, longer| talk.waits(name, delay, longer);
        Self { base, token, throttle: Arc::new(Throttle::patient(told)) }
    }
}

impl Services {
    pub(super) fn rest<'a>(&'a self, target: &'a Target) -> Rest<'a> {
        let deadline = Deadline::after(self.http.clock(), CALL_LIMIT);
        Rest::new(&self.http, deadline, target.base.join([]), &target.token).held_by(&target.throttle)
    }

    pub(super) fn devops(&self) -> Rest<'_> {
        self.rest(&self.devops).header(SUPPRESS_SIGN_IN.0, SUPPRESS_SIGN_IN.1)
    }

    pub(super) fn graph(&self) -> Result<Rest<'_>, CallError> {
        self.graph.as_ref().map(|target| self.rest(target)).ok_or(CallError::NoToken("Microsoft Graph"))
    }

    pub(super) fn arm(&self) -> Result<Rest<'_>, CallError> {
        self.arm.as_ref().map(|target| self.rest(target)).ok_or(CallError::NoToken("Azure Resource Manager"))
    }

    /// A connection as Azure DevOps has it in a project. None, if there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn connection(&self, project: Uuid, id: Uuid) -> Result<Option<Value>, CallError> {
        let rest = self.devops();
        let (project, id) = (project.to_string(), id.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "serviceendpoint", "endpoints", &id];
        let ask = async |version: &str| {
            let query = rest.get(path).query(&[("api-version", version)]).attempt_timeout(ATTEMPT_TIMEOUT);
            json(query).await
        };
        let answer = if self.only_7_1.get() { ask("7.1").await } else { ask("7.2-preview.4").await };
        let answer = match answer {
            Err(CallError::Refused { status: 400, .. }) if !self.only_7_1.get() => {
                self.only_7_1.set(true);
                ask("7.1").await
            }
            answer => answer,
        };
        match answer {
            Ok(value) if value.get("id").is_none_or(Value::is_null) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Converts a connection, which is sent as it was read but for its scheme. What is converted already is no error.
    ///
    /// # Errors
    ///
    /// It was not converted, or that is not known.
    pub async fn convert(
        &self,
        project: Uuid,
        connection: &Value,
        to: Scheme,
    ) -> Result<Option<String>, NotChanged> {
        let mut body = connection.clone();
        if let Some(scheme) = body.pointer_mut("/authorization/scheme") {
            *scheme = json!(to.as_str());
        }
        if let Some(data) = body.pointer_mut("/data").and_then(Value::as_object_mut) {
            data.retain(|name, _| !name.eq_ignore_ascii_case("revertSchemeDeadline"));
        }
        match self.write(project, &body, Purpose::Convert).await {
            Err(WriteError::NotDone(error)) if error.is_already_converted() => Ok(None),
            answer => answer,
        }
    }

    /// Asks for the issuer of Entra. Only what is read back tells whether the connection has got it.
    ///
    /// # Errors
    ///
    /// The service does not take this call, or that is not known.
    pub async fn move_issuer(
        &self,
        project: Uuid,
        connection: &Value,
        call: Move,
    ) -> Result<Option<String>, NotChanged> {
        let mut body = connection.clone();
        let parameters = body.pointer_mut("/authorization/parameters").and_then(Value::as_object_mut);
        if let Some(parameters) = parameters {
            parameters::ask_for_entra(parameters);
        }
        self.write(project, &body, Purpose::Move(call)).await
    }

    /// Saves a connection. One of the Azure DevOps issuer is refused.
    ///
    /// # Errors
    ///
    /// It was not saved, or that is not known.
    pub async fn save(&self, project: Uuid, connection: &Value) -> Result<Option<String>, NotChanged> {
        self.write(project, connection, Purpose::Save).await
    }

    /// Writes a connection: the only function that does.
    async fn write(
        &self,
        project: Uuid,
        connection: &Value,
        purpose: Purpose,
    ) -> Result<Option<String>, NotChanged> {
        if purpose == Purpose::Save && parameters::issuer(connection) == Some(IssuerKind::DevOps) {
            return Err(NotChanged::NotDone(CallError::OldIssuer));
        }
        let id = connection.get("id").and_then(Value::as_str).unwrap_or_default();
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "serviceendpoint", "endpoints", id];
        let operation = match purpose {
            Purpose::Save | Purpose::Move(Move::Save) => None,
            Purpose::Convert | Purpose::Move(Move::Operation) => {
                Some(("operation", "ConvertAuthenticationScheme"))
            }
        };
        let query: Vec<_> = operation.into_iter().chain([("api-version", "7.1")]).collect();
        sent(rest.put(path).query(&query).body(connection)).await
    }

    /// The newest runs that used a connection in a project, newest first.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn runs(&self, project: Uuid, connection: Uuid) -> Result<Vec<Value>, CallError> {
        let rest = self.devops();
        let (project, id) = (project.to_string(), connection.to_string());
        let path =
            [self.organization.as_str(), &project, "_apis", "serviceendpoint", &id, "executionhistory"];
        let query = rest.get(path).query(&[("top", "100"), ("api-version", "7.1")]);
        // A run that has succeeded is among the newest, unless hundreds have failed after it.
        let limits = PageLimits { items: 1000, pages: 20 };
        match query.attempt_timeout(ATTEMPT_TIMEOUT).pages::<CallError>(limits).await {
            (_, Some(ListEnd::Page(error))) => Err(error),
            (_, Some(ListEnd::Slow | ListEnd::Lost(_))) => Err(CallError::Unusable(200)),
            (runs, _) => Ok(runs),
        }
    }

    /// What `TestConnection` answers; it changes nothing.
    ///
    /// # Errors
    ///
    /// It cannot be asked.
    pub async fn test(&self, project: Uuid, connection: &Value) -> Result<Value, CallError> {
        let of = |name: &str| connection.get(name).cloned().unwrap_or_default();
        let body = json!({
            "dataSourceDetails": { "dataSourceName": "TestConnection" },
            "resultTransformationDetails": {},
            "serviceEndpointDetails": {
                "data": of("data"), "authorization": of("authorization"), "url": of("url"), "type": of("type"),
            },
        });
        let id = connection.get("id").and_then(Value::as_str).unwrap_or_default();
        let (rest, project) = (self.devops(), project.to_string());
        let path = [self.organization.as_str(), &project, "_apis", "serviceendpoint", "endpointproxy"];
        let query = [("endpointId", id), ("api-version", "7.1")];
        json(rest.post_query(path).query(&query).body(&body).attempt_timeout(ATTEMPT_TIMEOUT)).await
    }

    /// The application of a client id. None, if there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn application(&self, client: Uuid) -> Result<Option<Value>, CallError> {
        let rest = self.graph()?;
        let select = ("$select", "id,appId,displayName,signInAudience,passwordCredentials");
        let one = format!("applications(appId='{client}')");
        match json(rest.get(["v1.0", &one]).query(&[select]).attempt_timeout(ATTEMPT_TIMEOUT)).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The federated credentials of an identity, as the service has them.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn credentials(&self, holder: &Holder) -> Result<Vec<Value>, CallError> {
        let rest = match holder {
            Holder::Application(_) => self.graph()?,
            Holder::ManagedIdentity(_) => self.arm()?,
        };
        let path = credentials_of(holder);
        let path = || path.iter().map(String::as_str);
        let (mut all, mut next) = (Vec::new(), None);
        // Twenty are the most; a list that never ends is not waited for.
        for _ in 0..20 {
            let mut query = rest.get(path());
            if let Holder::ManagedIdentity(_) = holder {
                query = query.query(&[("api-version", IDENTITY_VERSION)]);
            }
            if let Some(page) = &next {
                query = query.at(page).map_err(|_lost| CallError::Unusable(200))?;
            }
            let page = query.page::<CallError>().await?;
            all.extend(page.items);
            match page.next {
                Some(Ok(page)) => next = Some(page),
                Some(Err(_lost)) => return Err(CallError::Unusable(200)),
                None => break,
            }
        }
        Ok(all)
    }

    /// Adds a federated credential, or makes the one of its name be this.
    ///
    /// # Errors
    ///
    /// It was not added, or that is not known.
    pub async fn add_credential(
        &self,
        holder: &Holder,
        credential: &Credential,
    ) -> Result<Option<String>, NotChanged> {
        let Credential { name, issuer, subject, audience } = credential;
        let mut path = credentials_of(holder);
        match holder {
            Holder::Application(_) => {
                let rest = self.graph().map_err(NotChanged::NotDone)?;
                if let Some(last) = path.last_mut() {
                    *last = format!("{last}(name='{name}')");
                }
                let body = json!({ "issuer": issuer, "subject": subject, "audiences": [audience] });
                let call = rest.patch(path.iter().map(String::as_str)).header(GRAPH_PREFER.0, GRAPH_PREFER.1);
                sent(call.body(&body)).await
            }
            Holder::ManagedIdentity(_) => {
                let rest = self.arm().map_err(NotChanged::NotDone)?;
                path.push(name.clone());
                let body = json!({ "properties": { "issuer": issuer, "subject": subject, "audiences": [audience] } });
                let call =
                    rest.put(path.iter().map(String::as_str)).query(&[("api-version", IDENTITY_VERSION)]);
                sent(call.body(&body)).await
            }
        }
    }

    /// Removes a federated credential. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// It was not removed, or that is not known.
    pub async fn remove_credential(&self, holder: &Holder, name: &str) -> Result<Option<String>, NotChanged> {
        let mut path = credentials_of(holder);
        path.push(name.to_owned());
        let path = path.iter().map(String::as_str);
        let answer = match holder {
            Holder::Application(_) => sent(self.graph().map_err(NotChanged::NotDone)?.delete(path)).await,
            Holder::ManagedIdentity(_) => {
                let rest = self.arm().map_err(NotChanged::NotDone)?;
                sent(rest.delete(path).query(&[("api-version", IDENTITY_VERSION)])).await
            }
        };
        match answer {
            Err(WriteError::NotDone(error)) if error.is_absent() => Ok(None),
            answer => answer,
        }
    }
}

fn credentials_of(holder: &Holder) -> Vec<String> {
    let mut path = match holder {
        Holder::Application(client) => vec!["v1.0".to_owned(), format!("applications(appId='{client}')")],
        Holder::ManagedIdentity(path) => {
            path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
    };
    path.push("federatedIdentityCredentials".to_owned());
    path
}

pub(super) async fn json(query: Query<'_>) -> Result<Value, CallError> {
    let is_usable = |response: &Response| response.json::<Value>().is_some();
    let response = query.send::<CallError>(&is_usable).await?;
    Ok(response.json::<Value>().unwrap_or_default())
}

/// Sends a change; returns the id by which the service finds the request.
pub(super) async fn sent(change: Change<'_>) -> Result<Option<String>, NotChanged> {
    let response = change.attempt_timeout(ATTEMPT_TIMEOUT).send::<CallError>().await?;
    let id =
        ["x-vss-e2eid", "request-id", "x-ms-request-id"].into_iter().find_map(|name| response.header(name));
    Ok(id.map(|id| one_line(id, 60)))
}
