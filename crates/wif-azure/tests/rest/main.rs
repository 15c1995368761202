//! The laws of the REST client, against a small server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::use_debug,
    clippy::format_push_string,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test stops at the first surprise, and says what it saw"
)]

mod batch;
mod changes;
mod pages;
mod requests;
mod support;
mod waits;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use wif_azure::{
    management::ManagementError,
    rest::{ListEnd, PageLimits, Rest, Token, WriteError},
};
use wif_core::secret::Secret;
use wif_io::{clock::Deadline, http::Http};

use support::{Jumping, Server, http};

const LIMITS: PageLimits = PageLimits { items: 100, pages: 10 };
const TOKEN: &str = "only-for-this-service";

struct Case {
    clock: Arc<Jumping>,
    http: Http,
}

impl Case {
    fn new() -> Self {
        let clock = Jumping::new();
        Self { http: http(&clock), clock }
    }

    /// A client of the server that gives up after a minute.
    fn rest(&self, server: &Server) -> Rest<'_> {
        let deadline = Deadline::after(&*self.clock, Duration::from_secs(60));
        let token = Token::Bearer(Secret::new(TOKEN.to_owned()));
        Rest::new(&self.http, deadline, server.url.clone(), &token)
    }
}

async fn read(rest: &Rest<'_>) -> Result<Value, ManagementError> {
    rest.get(["x"]).json().await
}

async fn write(rest: &Rest<'_>) -> Result<u16, WriteError<ManagementError>> {
    rest.put(["x"]).body(&json!({})).send().await.map(|response| response.status)
}

async fn list(rest: &Rest<'_>, limits: PageLimits) -> (Vec<Value>, Option<ListEnd<ManagementError>>) {
    rest.get(["list"]).query(&[("api-version", "1"), ("$filter", "a eq 'b&c'")]).pages(limits).await
}
