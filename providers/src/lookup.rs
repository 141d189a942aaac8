//! What line a phone is on: only a provider's look-up tells a mobile from a landline in North America.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;

use crate::{Account, Unanswered};

/// The line that a phone is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineType {
    /// A mobile phone.
    Mobile,
    /// A landline: no texts.
    Landline,
    /// A number over the internet; most can be texted.
    Voip,
    /// A toll-free number.
    TollFree,
    /// The provider does not know, or knows a kind that is none of these.
    Unknown,
    /// No number that is in use.
    Invalid,
}

/// Asks a provider what line a phone is on.
pub trait LookUps: Send + Sync {
    /// The one HTTP request that asks.
    ///
    /// # Errors
    /// Where the account cannot be put on the wire.
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error>;

    /// What the answer says.
    ///
    /// # Errors
    /// Where it does not say.
    fn line_type(&self, status: StatusCode, headers: &HeaderMap, body: &[u8])
    -> Result<LineType, Unanswered>;
}
