//! Phone numbers at a provider: which are to be had, and which are ours.
//!
//! Buying and releasing cannot be repeated blindly, just as sending cannot: after an answer that does not say what
//! happened, list what is ours first.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;

use crate::{Account, Unanswered};

/// A number that is ours at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNumber {
    /// The number.
    pub phone: PhoneNumber,
    /// The provider's own id of it; the number itself where it has no other.
    pub id: String,
}

/// Some of the numbers that are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNumbers {
    /// The numbers of this page.
    pub numbers: Vec<OwnNumber>,
    /// Where the next page begins; `None` on the last one.
    pub next_page: Option<String>,
}

/// What became of a number that we wanted to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purchase {
    /// It is ours.
    Done,
    /// The provider has our order and will see: the list says when it is ours.
    Ordered,
}

/// Finds, buys and releases numbers at a provider.
pub trait Numbers: Send + Sync {
    /// The one HTTP request that finds at most `count` numbers of an area code (three digits) which can be texted from.
    ///
    /// # Errors
    /// Where the account cannot be put on the wire.
    fn search(&self, account: &Account, area_code: &str, count: u8) -> Result<Request<Bytes>, http::Error>;

    /// The numbers that are to be had.
    ///
    /// # Errors
    /// Where the answer does not say.
    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered>;

    /// The one HTTP request that buys a number. `None` where the provider wants to know more than an account says.
    ///
    /// # Errors
    /// Where the account cannot be put on the wire.
    fn buy(&self, account: &Account, phone: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error>;

    /// Whether it is ours now.
    ///
    /// # Errors
    /// Where it is not, or where the answer does not say.
    fn bought(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Purchase, Unanswered>;

    /// The one HTTP request that gives a number back.
    ///
    /// # Errors
    /// Where the account cannot be put on the wire.
    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error>;

    /// Whether the provider took it.
    ///
    /// # Errors
    /// Where it did not, or where the answer does not say.
    fn released(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered>;

    /// The one HTTP request that lists what is ours; the first page where `page` is `None`.
    ///
    /// # Errors
    /// Where the account or the page cannot be put on the wire.
    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error>;

    /// The numbers of `page`, as it was asked for. Short codes, and numbers outside of North America, are passed over.
    ///
    /// # Errors
    /// Where the answer does not say.
    fn listed(
        &self,
        page: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<OwnNumbers, Unanswered>;
}
