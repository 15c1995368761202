//! Credentials of other clouds that outlive the step, until a broker is there that ends them.

use std::sync::{Arc, Mutex, PoisonError};

use wif_broker::cache::CachedToken;
use wif_io::http::Http;

use crate::targets::{Target, revoke};

/// What has to be revoked when the sign-in fails or is canceled.
#[derive(Default)]
pub(crate) struct Unowned(Mutex<Vec<Credential>>);

type Credential = (Arc<dyn Target>, Arc<Http>, CachedToken);

impl Unowned {
    /// Notes a credential that a cloud has just given.
    pub(crate) fn add(&self, target: &Arc<dyn Target>, http: &Arc<Http>, credential: &CachedToken) {
        let entry = (Arc::clone(target), Arc::clone(http), credential.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Ends them all, each within two seconds: the broker that was to do this never began, or has been killed. Returns a sentence for
    /// each that may live on.
    pub(crate) async fn revoke(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut left = Vec::new();
        for (target, http, credential) in all {
            left.extend(revoke(&*target, &http, &credential).await.err());
        }
        left
    }
}
