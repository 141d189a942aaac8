//! SMS providers. One provider is one file, holding all that is particular to it: how a text is sent, what
//! each error code means, how receipts and replies read, how a webhook proves where it came from.
//!
//! Adapters do no I/O: they build the one HTTP request and read its answer, and they verify and read a
//! webhook. Sender nodes and gateways do the calling and the listening. So every rule here is testable
//! with bytes alone, and no hidden retry can live here.

pub mod account;
mod edge;
mod refusal;
pub mod signature;
mod telnyx;
mod twilio;
pub mod webhook;

use bytes::Bytes;
use http::{Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;

pub use account::Account;
pub use webhook::{Forged, Unreadable, Verified, WebhookEvent, WebhookRequest};

/// One text, ready for the wire.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// The phone it goes to.
    pub to: &'a PhoneNumber,
    /// Our number that it comes from.
    pub from: &'a PhoneNumber,
    /// The text itself. Empty only where there are media.
    pub body: &'a str,
    /// Media to send along, by URL: an MMS where there are any.
    pub media_urls: &'a [String],
    /// Where the provider shall send receipts for this text. Carries our own id, so that a receipt always
    /// finds its message.
    pub status_callback: &'a str,
    /// How long the provider may hold it back, in seconds; where the provider can be told.
    pub validity_s: u32,
}

/// What one call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it means for the message.
    pub fact: Fact,
    /// The provider's own id of the text, where it gave one.
    pub provider_message_id: Option<String>,
    /// How long the provider asks us to wait before trying again, in seconds.
    pub retry_after_s: Option<u32>,
}

/// All that is particular to one provider.
pub trait Adapter: Send + Sync {
    /// Which provider this is.
    fn provider(&self) -> Provider;

    /// The base URL of the provider's own API, used where the account names no other.
    fn base_url(&self) -> &'static str;

    /// The one HTTP request that sends `text`. Its URI is absolute.
    ///
    /// # Errors
    /// Where the text or the account cannot be put on the wire at all; nothing was sent then.
    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error>;

    /// What the provider's answer means.
    fn answer(&self, status: StatusCode, headers: &http::HeaderMap, body: &[u8]) -> Answer;

    /// Proves that a webhook comes from the provider, over the raw bytes and the public URL it was sent to.
    ///
    /// # Errors
    /// [`Forged`] where the proof is missing, wrong or too old.
    fn verify<'a>(&self, account: &Account, request: WebhookRequest<'a>) -> Result<Verified<'a>, Forged>;

    /// The receipts and replies in a verified webhook.
    ///
    /// # Errors
    /// [`Unreadable`] where it is not in the provider's form.
    fn events(&self, request: &Verified<'_>) -> Result<Vec<WebhookEvent>, Unreadable>;
}

/// The adapter of `provider`.
pub fn adapter(provider: Provider) -> &'static dyn Adapter {
    match provider {
        Provider::Twilio => &twilio::Twilio,
        Provider::Telnyx => &telnyx::Telnyx,
    }
}
