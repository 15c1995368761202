//! Lists that come in pages: the next one is named by a link in the body, or by a token in a header.

use std::{error::Error, fmt, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use wif_io::http::Response;

use super::{
    client::Query,
    error::{RestError, ServiceError},
};

/// How much of a list is read.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// More items are left out.
    pub items: usize,
    /// More pages are not asked for.
    pub pages: usize,
}

/// Why a list does not have everything.
#[derive(Debug)]
pub enum ListEnd<E> {
    /// A page did not come.
    Page(E),
    /// The time was over.
    Slow,
    /// The next page cannot be asked for.
    Lost(LostPage),
    /// There are more than are wanted.
    TooMany,
    /// There are more pages than are asked for.
    TooManyPages,
}

/// One page of a list.
pub struct ListPage {
    /// What is on it.
    pub items: Vec<Value>,
    /// The page after it, if there is one, or why it cannot be asked for.
    pub next: Option<Result<NextPage, LostPage>>,
    /// For how long the service wants to be left alone: some say so with a success, too.
    pub retry_after: Option<Duration>,
}

/// Where the next page is: an address of the service that named it.
#[derive(Clone, Debug)]
pub struct NextPage(Url);

/// There is a next page, but it cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LostPage {
    /// It is elsewhere, and the token is for this service only.
    #[error("its next page is at another host")]
    OtherHost,
    /// The token for it cannot be sent back.
    #[error("its next page cannot be asked for")]
    Token,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Value>,
    /// Of Azure Resource Manager.
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
    /// Of Microsoft Graph.
    #[serde(rename = "@odata.nextLink")]
    odata_next_link: Option<String>,
}

/// Of Azure DevOps: the header of an answer, and the parameter that asks for what follows.
const CONTINUATION: (&str, &str) = ("x-ms-continuationtoken", "continuationToken");
/// The longest token for a next page that is sent back, in bytes.
const MAX_CONTINUATION: usize = 4096;

impl Query<'_> {
    /// Reads one page of a list, for a caller that counts and spaces calls itself.
    ///
    /// # Errors
    ///
    /// As for [`Self::send`].
    pub async fn page<E: ServiceError>(&self) -> Result<ListPage, E> {
        let response = self.send::<E>(&|response| response.json::<Page>().is_some()).await?;
        let Some(page) = response.json::<Page>() else {
            return Err(E::from(&RestError::Unusable(Box::new(response))));
        };
        let link = [page.next_link, page.odata_next_link].into_iter().flatten().find(|link| !link.is_empty());
        let next = self.next(link, &response).transpose().map(|next| next.map(NextPage));
        Ok(ListPage { items: page.value, next, retry_after: response.retry_after })
    }

    /// The same call for another page.
    ///
    /// # Errors
    ///
    /// The page is of another service, and the token is for this one only.
    pub fn at(mut self, page: &NextPage) -> Result<Self, LostPage> {
        self.call.url = self.call.rest.own_link(page.0.as_str()).ok_or(LostPage::OtherHost)?;
        Ok(self)
    }

    /// Reads a list page by page: what was read, and why it is not everything.
    pub async fn pages<E: ServiceError>(mut self, limits: PageLimits) -> (Vec<Value>, Option<ListEnd<E>>) {
        let mut all = Vec::new();
        for _ in 0..limits.pages {
            let page = match self.page::<E>().await {
                Ok(page) => page,
                Err(_slow) if self.call.rest.is_over() => return (all, Some(ListEnd::Slow)),
                Err(error) => return (all, Some(ListEnd::Page(error))),
            };
            all.extend(page.items);
            if all.len() > limits.items || (all.len() == limits.items && page.next.is_some()) {
                all.truncate(limits.items);
                return (all, Some(ListEnd::TooMany));
            }
            match page.next {
                Some(Ok(next)) => self.call.url = next.0,
                None => return (all, None),
                Some(Err(lost)) => return (all, Some(ListEnd::Lost(lost))),
            }
        }
        (all, Some(ListEnd::TooManyPages))
    }

    /// The address of the page after this one, if there is one.
    fn next(&self, link: Option<String>, response: &Response) -> Result<Option<Url>, LostPage> {
        if let Some(link) = link {
            return self.call.rest.own_link(&link).map(Some).ok_or(LostPage::OtherHost);
        }
        let (header, parameter) = CONTINUATION;
        let Some(token) = response.raw_header(header).filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let token = std::str::from_utf8(token).ok().filter(|token| token.len() <= MAX_CONTINUATION);
        let token = token.ok_or(LostPage::Token)?;
        let mut url = self.call.url.clone();
        let others = self.call.url.query_pairs().filter(|(name, _)| name != parameter);
        url.query_pairs_mut().clear().extend_pairs(others).append_pair(parameter, token);
        Ok(Some(url))
    }
}

impl<E: Error> fmt::Display for ListEnd<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(error) => match error.source() {
                Some(cause) => write!(f, "{error}: {cause}"),
                None => write!(f, "{error}"),
            },
            Self::Slow => f.write_str("it took too long"),
            Self::Lost(lost) => write!(f, "{lost}"),
            Self::TooMany => f.write_str("there are more than are read"),
            Self::TooManyPages => f.write_str("there are more pages than are read"),
        }
    }
}

impl<E: Error> Error for ListEnd<E> {}
