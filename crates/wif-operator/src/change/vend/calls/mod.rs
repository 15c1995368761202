//! The calls that make identities, connections, roles, permissions and checks, one function each.

mod copies;
mod devops;
mod identity;

use serde_json::Value;
use wif_azure::rest::Query;

use crate::change::service::{ATTEMPT_TIMEOUT, CallError, NotChanged};

/// The most pages of a list.
const MAX_PAGES: usize = 200;

type Sent = Result<Option<String>, NotChanged>;

/// None, where the service says that there is no such thing.
fn found(answer: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
    match answer {
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is not there needs not be deleted.
fn deleted(answer: Sent) -> Sent {
    match answer {
        Err(NotChanged::NotDone(error)) if error.is_absent() => Ok(None),
        answer => answer,
    }
}

/// Everything that a list has, page after page.
async fn all<'a>(ask: impl Fn() -> Query<'a>) -> Result<Vec<Value>, CallError> {
    let (mut items, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let mut query = ask().attempt_timeout(ATTEMPT_TIMEOUT);
        if let Some(page) = &next {
            query = query.at(page).map_err(|_lost| CallError::Unusable(200))?;
        }
        let page = query.page::<CallError>().await?;
        items.extend(page.items);
        match page.next {
            Some(Ok(page)) => next = Some(page),
            Some(Err(_lost)) => return Err(CallError::Unusable(200)),
            None => return Ok(items),
        }
    }
    Err(CallError::Unusable(200))
}
