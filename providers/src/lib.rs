//! SMS providers. One provider is one file, holding all that is particular to it: how a text is sent, what
//! each error code means, how receipts and replies read, how a webhook proves where it came from, what the provider can
//! be asked. A long one is a folder of the same name, with its codes and its questions in files of their own.
//!
//! Adapters do no I/O: they build one HTTP request and read its answer, and they verify and read a
//! webhook. Sender nodes and gateways do the calling and the listening. So every rule here is testable
//! with bytes alone, and no hidden retry can live here.

pub mod account;
mod ask;
mod bandwidth;
mod credentials;
mod edge;
pub mod inquiry;
pub mod lookup;
pub mod numbers;
mod plivo;
pub mod reference;
mod refusal;
pub mod signature;
mod sinch;
mod telnyx;
mod time;
mod twilio;
mod vonage;
pub mod webhook;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use muster_domain::error::SendError;
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use secrecy::SecretString;

pub use account::Account;
pub use inquiry::{AskedBy, Finding, Inquiries, Inquiry};
pub use lookup::{LineType, LookUps};
pub use numbers::{Numbers, OwnNumber, OwnNumbers, Purchase};
pub use reference::Reference;
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
    /// Where the provider shall send receipts for this text, where it can be told for each. Carries our own id, so that
    /// a receipt always finds its message.
    pub status_callback: &'a str,
    /// Our own id again, for providers that carry it in the text itself.
    pub reference: Reference,
    /// How long the provider may hold it back, in seconds; where the provider can be told.
    pub validity_s: u32,
    /// Now, in seconds since the Unix epoch, for providers that are told when a text ends and not how long it lasts.
    pub now_s: i64,
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

/// How a receipt says which of our texts it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// By the query of the URL that the text itself named for its receipts.
    CallbackUrl,
    /// By our reference, which the provider gives back in the webhook. Receipts of the whole account come to one URL,
    /// which people enter at the provider.
    Reference,
}

/// Why a question about a phone or our numbers was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What was wrong. After [`ErrorClass::Transient`](muster_domain::error::ErrorClass::Transient) or
    /// [`Unknown`](muster_domain::error::ErrorClass::Unknown) nobody knows whether something was bought or released:
    /// list before asking again.
    pub error: SendError,
    /// How long the provider asks us to wait before trying again, in seconds.
    pub retry_after_s: Option<u32>,
}

/// All that is particular to one provider.
///
/// # A provider with sessions
/// Every provider here takes one HTTP request a text. One with sessions (SMPP) does not, and differs in two places only.
/// `request` and `answer` will then move into a trait `Calls`, beside a trait `Session` that writes a text as a PDU
/// under a sequence number and reads PDUs as answers, receipts and replies; the adapter says which of the two it is. And
/// what comes in on a session is believed because of its bind, so that a [`Verified`] is made of its PDUs there.
/// Codes, facts, correlation, [`Answer`] and [`WebhookEvent`] stay as they are: none of them knows of HTTP.
pub trait Adapter: Send + Sync {
    /// Which provider this is.
    fn provider(&self) -> Provider;

    /// The base URL of the provider's own API, used where the account names no other.
    fn base_url(&self) -> &'static str;

    /// How its receipts say which text they are about.
    fn correlation(&self) -> Correlation;

    /// Whether the proof of a webhook covers the URL it came to: if not, whoever has one genuine webhook can send it to
    /// the URL of another text.
    fn signs_the_url(&self) -> bool;

    /// The one HTTP request that sends `text`. Its URI is absolute.
    ///
    /// # Errors
    /// Where the text or the account cannot be put on the wire at all; nothing was sent then.
    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error>;

    /// What the provider's answer means.
    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer;

    /// Whether a webhook comes from the provider, over the raw bytes and the public URL it was sent to, where `key` is
    /// what the account's webhooks are verified with.
    ///
    /// # Errors
    /// [`Forged`] where the proof is missing, wrong or too old.
    fn prove(
        &self,
        account: &Account,
        key: &SecretString,
        request: &WebhookRequest<'_>,
    ) -> Result<(), Forged>;

    /// Proves that a webhook comes from the provider, with any key of the account.
    ///
    /// # Errors
    /// [`Forged`] where the proof is missing, wrong or too old; of several keys, as the one says whose signature fits.
    fn verify<'a>(&self, account: &Account, request: WebhookRequest<'a>) -> Result<Verified<'a>, Forged> {
        let mut forged = Forged::WrongSignature;
        for key in account.webhook_keys() {
            match self.prove(account, key, &request) {
                Ok(()) => return Ok(Verified::new(request)),
                Err(Forged::WrongSignature) => {}
                Err(other) => forged = other,
            }
        }
        Err(forged)
    }

    /// The receipts and replies in a verified webhook; [`Unreadable`] for each that is not in the provider's form, so
    /// that it hides none of the others.
    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>>;

    /// The `Authorization` that the fetch of a reply's medium at `url` takes: on the provider's own host, where it asks for
    /// any. Nobody else ever gets it.
    ///
    /// # Errors
    /// Where the account's credentials cannot be on the wire.
    fn media_authorization(&self, account: &Account, url: &Uri) -> Result<Option<HeaderValue>, http::Error>;

    /// What it can be asked about a text; `None` where nothing.
    fn inquiries(&self) -> Option<&dyn Inquiries>;

    /// How it is asked what line a phone is on; `None` where it does not say.
    fn look_ups(&self) -> Option<&dyn LookUps>;

    /// How numbers are found, bought and released; `None` where it has no such API.
    fn numbers(&self) -> Option<&dyn Numbers>;
}

/// The adapter of `provider`.
pub fn adapter(provider: Provider) -> &'static dyn Adapter {
    match provider {
        Provider::Twilio => &twilio::Twilio,
        Provider::Telnyx => &telnyx::Telnyx,
        Provider::Bandwidth => &bandwidth::Bandwidth,
        Provider::Plivo => &plivo::Plivo,
        Provider::Vonage => &vonage::Vonage,
        Provider::Sinch => &sinch::Sinch,
    }
}
